// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/uffd_event_orphan.c: what the monitor is told of the
 * changes of killed tasks.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/map_changing.h>
#include <linux/mm_types.h>
#include <linux/string.h>
#include <linux/uffd_event.h>
#include <linux/uffd_event_orphan.h>
#include <linux/userfaultfd_ctx.h>

#include "map_changing_test.h"
#include "uffd_event_test.h"

/* Return: -ENOENT if nobody reads the event. */
static int act_wait_or_orphan(struct second *c)
{
	struct uffd_event *event = c->arg;

	uffd_event_wait_or_orphan(event);
	return event->state == UFFD_STATE_DROPPED ? -ENOENT : 0;
}

/*
 * A task makes a change of this range and is killed before it can wait.
 * Return: as act_wait_or_orphan().
 */
static int change_and_die(struct kunit *test, struct userfaultfd_ctx *ctx,
			  __u8 type, __u64 start, __u64 end)
{
	struct uffd_event event;
	struct second c;

	event_post_range(&event, ctx, type, start, end);
	second_create(test, &c, ctx, act_wait_or_orphan);
	c.arg = &event;
	c.killed = true;
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	second_stop(&c);
	/* The event is on the stack of its task, which may reuse it. */
	memset(&event, 0xff, sizeof(event));
	return c.err;
}

/* The monitor reads an event, and it is of this kind and range. */
static void expect_event(struct kunit *test, struct userfaultfd_ctx *ctx,
			 __u8 type, __u64 start, __u64 end)
{
	struct uffd_msg msg = read_msg(ctx);

	KUNIT_EXPECT_EQ(test, msg.event, type);
	KUNIT_EXPECT_EQ(test, msg.arg.remove.start, start);
	KUNIT_EXPECT_EQ(test, msg.arg.remove.end, end);
}

/* A task that is not killed leaves nothing behind. */
static void uffd_event_orphan_none(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event event;
	struct second c;

	event_post(&event, ctx, UFFD_EVENT_UNMAP);
	wait_begins(test, &c, &event, act_wait_or_orphan);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

/* A task that is killed leaves its event, in its place. */
static void uffd_event_orphan_keeps_place(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event first, second, third;
	struct second c;

	event_post(&first, ctx, UFFD_EVENT_UNMAP);
	event_post(&second, ctx, UFFD_EVENT_REMAP);
	event_post(&third, ctx, UFFD_EVENT_REMOVE);
	wait_begins(test, &c, &second, act_wait_or_orphan);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	/* The event is on the stack of its task, which may reuse it. */
	memset(&second, 0xff, sizeof(second));
	KUNIT_EXPECT_EQ(test, changes(ctx), 3);
	KUNIT_EXPECT_EQ(test, refs(ctx), 2);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 1U);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMAP);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMOVE);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	uffd_event_wait_or_orphan(&first);
	uffd_event_wait_or_orphan(&third);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

/*
 * Orphans become one where their ranges touch, and no other event is between
 * them.
 */
static void uffd_event_orphan_merges(struct kunit *test)
{
	static const struct {
		__u8 type;
		__u64 start, end;
		int changes;	/* afterwards */
	} steps[] = {
		{ UFFD_EVENT_UNMAP, 20, 30, 1 },
		{ UFFD_EVENT_UNMAP, 30, 40, 1 },	/* behind it */
		{ UFFD_EVENT_UNMAP, 10, 20, 1 },	/* before it */
		{ UFFD_EVENT_UNMAP, 15, 25, 1 },	/* within it */
		{ UFFD_EVENT_UNMAP, 41, 50, 2 },	/* there is a gap */
		{ UFFD_EVENT_REMOVE, 50, 60, 3 },	/* another kind */
		{ UFFD_EVENT_REMOVE, 40, 60, 3 },	/* around it */
		{ UFFD_EVENT_REMAP, 60, 70, 4 },	/* not a range */
		{ UFFD_EVENT_REMAP, 60, 70, 5 },
	};
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event alive;
	int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, steps[i].type,
					       steps[i].start, steps[i].end), 0);
		KUNIT_EXPECT_EQ(test, changes(ctx), steps[i].changes);
		KUNIT_EXPECT_EQ(test, ctx->events_orphaned,
				(unsigned int)steps[i].changes);
	}
	/* The event of a live task is not extended, nor are orphans beyond it. */
	event_post_range(&alive, ctx, UFFD_EVENT_UNMAP, 80, 90);
	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 90, 100);
	change_and_die(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	KUNIT_EXPECT_EQ(test, changes(ctx), 8);

	expect_event(test, ctx, UFFD_EVENT_UNMAP, 10, 40);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 41, 50);
	expect_event(test, ctx, UFFD_EVENT_REMOVE, 40, 60);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 80, 90);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 90, 100);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, 0UL);
	uffd_event_wait_or_orphan(&alive);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
}

/*
 * A task that is killed later than its successor extends the orphan behind its
 * event.
 */
static void uffd_event_orphan_merges_next(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event first;
	struct second c;

	event_post_range(&first, ctx, UFFD_EVENT_UNMAP, 10, 20);
	wait_begins(test, &c, &first, act_wait_or_orphan);
	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 20, 30);
	KUNIT_EXPECT_EQ(test, changes(ctx), 2);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	memset(&first, 0xff, sizeof(first));
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 10, 30);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

/*
 * There are never more orphans than the bound.  Events beyond it are lost and
 * counted, and the faults are woken, since the monitor may wait for such an
 * event.
 */
static void uffd_event_orphan_bound(struct kunit *test)
{
	const int more = 3;
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct sleeper fault;
	int i;

	sleeper_enter(&fault, ctx, &ctx->fault_pending_wqh);
	for (i = 0; i < UFFD_EVENT_ORPHANS_MAX + more; i++) {
		bool kept = i < UFFD_EVENT_ORPHANS_MAX;

		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, UFFD_EVENT_UNMAP,
					       2 * i, 2 * i + 1),
				kept ? 0 : -ENOENT);
	}
	sleeper_leave(&fault, &ctx->fault_pending_wqh);
	KUNIT_EXPECT_EQ(test, fault.woken, more);
	KUNIT_EXPECT_EQ(test, fault.changes, UFFD_EVENT_ORPHANS_MAX);
	KUNIT_EXPECT_EQ(test, changes(ctx), UFFD_EVENT_ORPHANS_MAX);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more);
	/* An event that extends an orphan needs no room. */
	i = 2 * UFFD_EVENT_ORPHANS_MAX;
	KUNIT_EXPECT_EQ(test,
			change_and_die(test, ctx, UFFD_EVENT_UNMAP, i - 1, i), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more);
	/* A read makes room for one. */
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 0, 1);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, UFFD_EVENT_REMOVE,
					       4 * i, 4 * i + 1),
				i ? -ENOENT : 0);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more + 1);
	KUNIT_EXPECT_EQ(test, changes(ctx), UFFD_EVENT_ORPHANS_MAX);
	uffd_event_drop_all(ctx);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
}

/*
 * Nobody is told of the changes of an mm without users, nor refused because of
 * them.
 */
static void uffd_event_orphan_reaped(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);

	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 0, 1);
	change_and_die(test, ctx, UFFD_EVENT_REMAP, 0, 1);
	uffd_event_reap(ctx);
	KUNIT_EXPECT_TRUE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	atomic_set(&ctx->mm->mm_users, 0);
	uffd_event_reap(ctx);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, read_event(ctx), 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, 0UL);
	KUNIT_EXPECT_TRUE(test, list_empty(&ctx->events));
	uffd_event_reap(ctx);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
}

/* The last close() frees the orphans, and no task leaves one afterwards. */
static void uffd_event_orphan_closed(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event event;
	struct second c;

	KUNIT_EXPECT_EQ(test, change_and_die(test, ctx, UFFD_EVENT_UNMAP, 0, 1), 0);
	event_post(&event, ctx, UFFD_EVENT_REMAP);
	wait_begins(test, &c, &event, act_wait_or_orphan);
	WRITE_ONCE(ctx->released, true);
	uffd_event_drop_all(ctx);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, change_and_die(test, ctx, UFFD_EVENT_UNMAP, 0, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, ctx->events_orphaned, 0U);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, 0UL);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

static struct kunit_case uffd_event_orphan_cases[] = {
	KUNIT_CASE(uffd_event_orphan_none),
	KUNIT_CASE(uffd_event_orphan_keeps_place),
	KUNIT_CASE(uffd_event_orphan_merges),
	KUNIT_CASE(uffd_event_orphan_merges_next),
	KUNIT_CASE(uffd_event_orphan_bound),
	KUNIT_CASE(uffd_event_orphan_reaped),
	KUNIT_CASE(uffd_event_orphan_closed),
	{}
};

static struct kunit_suite uffd_event_orphan_suite = {
	.name = "uffd_event_orphan",
	.test_cases = uffd_event_orphan_cases,
};

kunit_test_suite(uffd_event_orphan_suite);
