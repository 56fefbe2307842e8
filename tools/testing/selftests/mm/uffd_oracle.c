// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stddef.h>

#include "uffd_oracle.h"

/**
 * fill_while_pending_damage() - a fill while an event is pending must be refused
 * @o: what was observed
 *
 * The monitor has not read that event: it cannot know where the page belongs,
 * or who else needs it.  Reported success is damage in itself; the signature
 * says what has become of the page.
 */
const char *fill_while_pending_damage(const struct fill_while_pending *o)
{
	if (o->refused)
		return NULL;
	if (o->moved && o->present && !o->present_moved)
		return "fill-admitted,page-at-old-address";
	if (o->forked && o->present && !o->present_child)
		return "fill-admitted,child-lacks-page";
	if (!o->present)
		return "fill-admitted,page-lost";
	return "fill-admitted";
}

/**
 * fill_vs_remove_damage() - no page may outlive its removal
 * @o: what was observed
 */
const char *fill_vs_remove_damage(const struct fill_vs_remove *o)
{
	return o->stale ? "stale-page-after-removal" : NULL;
}

/**
 * fill_vs_change_damage() - a fill does not go on behind a change of its range
 * @o: what was observed
 *
 * A page that was installed after the change is the damage; but the fill must
 * also tell the monitor how far it came.
 */
const char *fill_vs_change_damage(const struct fill_vs_change *o)
{
	if (o->stale && o->replaced)
		return "half-in-new-vma";
	if (o->stale && o->moved)
		return "page-at-old-address";
	if (o->stale)
		return "stale-page-after-removal";
	if (o->err != EAGAIN)
		return "fill-not-refused";
	if (o->copied != (o->before ? o->before : -EAGAIN))
		return "wrong-progress";
	return NULL;
}

/**
 * fill_leak_certain() - do the numbers tell a leak from noise?
 * @o: what was observed
 * Return: false if they lie in between.
 */
bool fill_leak_certain(const struct fill_leak *o)
{
	return o->lost < o->rounds / 3 ||
	       (o->lost > o->rounds * 2 / 3 && o->lost < o->rounds * 4 / 3);
}

/**
 * fill_leak_damage() - a fill that gives up frees its page
 * @o: what was observed, for certain
 */
const char *fill_leak_damage(const struct fill_leak *o)
{
	if (o->lost > o->rounds / 2)
		return o->err == EAGAIN ? "page-leaked-though-refused" :
					  "page-leaked";
	return o->err == EAGAIN ? NULL : "fill-not-refused";
}

/**
 * fill_vs_writer_damage() - a fill that yields lets writers in, and finishes
 * @o: what was observed
 */
const char *fill_vs_writer_damage(const struct fill_vs_writer *o)
{
	if (o->passed)
		return "writer-waits-for-fill";
	if (o->err || o->copied != (int64_t)o->len)
		return "fill-not-finished";
	return NULL;
}

/**
 * fill_after_read_damage() - a monitor that has read its events is not refused
 * @o: what was observed
 *
 * It has nothing to read and nothing to wait for: poll() would sleep.
 */
const char *fill_after_read_damage(const struct fill_after_read *o)
{
	return o->refused ? "refused-after-read" : NULL;
}

/**
 * event_reads_damage() - a change is told once, and refuses fills until then
 * @o: what was observed
 *
 * The loss of the event comes first: whatever else went wrong follows from it.
 */
const char *event_reads_damage(const struct event_reads *o)
{
	if (!o->reads)
		return "event-lost";
	if (o->reads > 1)
		return "event-repeated";
	if (o->admitted_before)
		return "fill-admitted-before-read";
	if (o->refused_after)
		return "refused-after-read";
	return o->leaked ? "descriptor-leaked" : NULL;
}

/**
 * event_order_damage() - events are read in the order of the changes
 * @o: what was observed
 */
const char *event_order_damage(const struct event_order *o)
{
	if (o->overtaken)
		return "event-overtaken";
	return o->leaked ? "descriptor-leaked" : NULL;
}

/**
 * event_contexts_damage() - monitors do not wait for each other
 * @o: what was observed
 *
 * One that wants the second event before it reads the first would wait for
 * ever.
 */
const char *event_contexts_damage(const struct event_contexts *o)
{
	return o->held_back ? "second-event-held-back" : NULL;
}

/**
 * fork_then_unmap_damage() - a child's book begins with what the parent had then
 * @o: what was observed
 *
 * A monitor that has dropped the range when it hears of the child gives the
 * child a book without it: faults there find nothing.
 */
const char *fork_then_unmap_damage(const struct fork_then_unmap *o)
{
	return o->unmap_first && o->child_has ? "unmap-before-fork" : NULL;
}

/**
 * shrink_and_move_damage() - events come in the order of the changes
 * @o: what was observed
 *
 * The order is damage in itself: whether a book suffers depends on how long
 * REMAP says the mapping was, and on what lies behind the new place.
 */
const char *shrink_and_move_damage(const struct shrink_and_move *o)
{
	if (o->remap_first)
		return "remap-before-unmap";
	return o->wrong ? "book-wrong" : NULL;
}

/**
 * grow_locked_damage() - nobody may wait for a page before its place is announced
 * @o: what was observed
 */
const char *grow_locked_damage(const struct grow_locked *o)
{
	if (o->refused)
		return "fill-refused-for-ever";
	return o->tail_first ? "fault-before-remap" : NULL;
}

/**
 * fork_and_uprobe_damage() - a monitor that is slow delays nobody else
 * @o: what was observed
 */
const char *fork_and_uprobe_damage(const struct fork_and_uprobe *o)
{
	return o->blocked ? "uprobe-blocked-by-fork" : NULL;
}

/**
 * after_failure_damage() - a system call that failed leaves no trace
 * @o: what was observed
 */
const char *after_failure_damage(const struct after_failure *o)
{
	if (o->events)
		return o->fork ? "fork-event-without-child" :
				 "event-without-change";
	if (o->refused)
		return "fill-refused-for-ever";
	return o->pending ? "change-pending-for-ever" : NULL;
}

/**
 * unmapped_damage() - UNMAP says that the range is gone
 * @o: what was observed
 */
const char *unmapped_damage(const struct unmapped *o)
{
	return o->written ? "write-after-unmap-read" : NULL;
}

/**
 * close_vs_fault_damage() - a fault that nobody will serve does not hold up the
 * close
 * @o: what was observed
 */
const char *close_vs_fault_damage(const struct close_vs_fault *o)
{
	return o->faults > FAULTS_BEFORE_CLOSE ? "close-waits-for-fault" : NULL;
}

/**
 * refused_fill_damage() - a monitor that was refused has something to wait for
 * @o: what was observed
 */
const char *refused_fill_damage(const struct refused_fill *o)
{
	return o->refused && o->waits && !o->readable ? "monitor-sleeps" : NULL;
}
