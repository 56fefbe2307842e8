// SPDX-License-Identifier: GPL-2.0
/*
 * Events of killed tasks.
 *
 * A task that is killed while it waits for the monitor has made its change, or
 * is about to, and others may share its mm: the monitor has to be told.  Such a
 * task leaves a copy of its event in the place of its event, an orphan, which
 * belongs to the context and is freed when it leaves the queue.  A fork takes
 * its event back, since its child does not run: see uffd_event_wait().
 *
 * Orphans are bounded.  Their memory is accounted to the tasks, and a context
 * has UFFD_EVENT_ORPHANS_MAX of them.  An event next to an orphan in the queue
 * that tells of the same kind of change, in a range that touches, extends the
 * orphan: whoever reads one of two neighbours reads the other one right before
 * or after it. Beyond the bound an event is taken back and counted as lost, and
 * the monitor does not hear of the change.
 *
 * A task that waits for an event keeps its mm.  So all events of an mm without
 * users are orphans, and concern nobody.  uffd_event_reap() drops them, so that
 * nobody is told of them, nor refused because of them.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/map_changing.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uffd_event.h>
#include <linux/uffd_event_orphan.h>
#include <linux/userfaultfd_ctx.h>

#include <race_points/map_changing.h>

static void uffd_event_free_orphan(struct uffd_event *orphan)
{
	orphan->ctx->events_orphaned--;
	kfree(orphan);
}

static bool uffd_event_is_orphan(const struct uffd_event *event)
{
	return event->free == uffd_event_free_orphan;
}

/* Does @orphan, next to @event in the queue, tell of it as well from now on? */
static bool uffd_event_extend(struct uffd_event *orphan,
			      const struct uffd_event *event)
{
	struct uffd_msg *msg = &orphan->msg;
	__u64 start = event->msg.arg.remove.start;
	__u64 end = event->msg.arg.remove.end;

	if (!uffd_event_is_orphan(orphan) || msg->event != event->msg.event)
		return false;
	/* Both have the same argument: a range. */
	if (msg->event != UFFD_EVENT_REMOVE && msg->event != UFFD_EVENT_UNMAP)
		return false;
	if (start > msg->arg.remove.end || end < msg->arg.remove.start)
		return false;
	msg->arg.remove.start = min(msg->arg.remove.start, start);
	msg->arg.remove.end = max(msg->arg.remove.end, end);
	return true;
}

static bool uffd_event_merge(struct uffd_event *event)
{
	struct list_head *events = &event->ctx->events;

	if (!list_is_first(&event->queue, events) &&
	    uffd_event_extend(list_prev_entry(event, queue), event))
		return true;
	return !list_is_last(&event->queue, events) &&
	       uffd_event_extend(list_next_entry(event, queue), event);
}

/*
 * The orphan has no reference on the context: the last close() drops all events
 * before it puts the context, and what is queued afterwards is dropped at once.
 */
static void uffd_event_replace(struct uffd_event *event,
			       struct uffd_event *orphan)
{
	*orphan = *event;
	orphan->free = uffd_event_free_orphan;
	list_replace(&event->queue, &orphan->queue);
	event->state = UFFD_STATE_READ;
	event->ctx->events_orphaned++;
}

/* The task of this event was killed. */
static void uffd_event_orphan(struct uffd_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;
	struct uffd_event *orphan;

	orphan = kmalloc(sizeof(*orphan), GFP_KERNEL_ACCOUNT);

	spin_lock_irq(&ctx->event_wqh.lock);
	if (event->state != UFFD_STATE_QUEUED)
		goto out;
	if (uffd_event_merge(event)) {
		uffd_event_dequeue(event, UFFD_STATE_READ);
	} else if (orphan && ctx->events_orphaned < UFFD_EVENT_ORPHANS_MAX) {
		uffd_event_replace(event, orphan);
		orphan = NULL;
	} else {
		uffd_event_dequeue(event, UFFD_STATE_DROPPED);
		WRITE_ONCE(ctx->events_lost, ctx->events_lost + 1);
	}
out:
	spin_unlock_irq(&ctx->event_wqh.lock);
	kfree(orphan);
}

/**
 * uffd_event_wait_or_orphan() - wait until the monitor has read the event
 * @event: given to uffd_event_post(), not that of a fork; belongs to the caller
 *	alone afterwards
 *
 * Or until the file is closed, or the task is killed, which leaves its event to
 * the monitor.
 *
 * Context: process context, sleeps.  No lock is held that a monitor could need.
 * May free the context of @event.
 */
void uffd_event_wait_or_orphan(struct uffd_event *event)
{
	/* As if a killed task took its event along. */
	if (race_bypass(map_changing_killed))
		return (void)uffd_event_wait(event);

	if (!uffd_event_wait_read(event))
		uffd_event_orphan(event);
	uffd_event_finish(event);
}

/**
 * uffd_event_reap() - drop the events of an mm without users
 * @ctx: the userfaultfd context
 *
 * Called before events are looked for, and before a fill is refused because of
 * a change that is pending.  mm_users does not come back from zero.
 *
 * Context: interrupts are on, event_wqh.lock is not held.
 */
void uffd_event_reap(struct userfaultfd_ctx *ctx)
{
	if (uffd_event_readable(ctx) && !atomic_read(&ctx->mm->mm_users))
		uffd_event_drop_all(ctx);
}
