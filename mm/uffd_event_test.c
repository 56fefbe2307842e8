// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/uffd_event.c: events of contexts that no file and no
 * mapping knows of.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/map_changing.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uffd_event.h>
#include <linux/userfaultfd_ctx.h>

#include "map_changing_test.h"
#include "uffd_event_test.h"

static int act_wait(struct second *c)
{
	return uffd_event_wait(c->arg) ? 0 : -ENOENT;
}

/* Events are read in the order in which they were posted, waited for or not. */
static void uffd_event_order(struct kunit *test)
{
	static const __u8 types[] = { UFFD_EVENT_UNMAP, UFFD_EVENT_REMAP,
				      UFFD_EVENT_REMOVE };
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event events[ARRAY_SIZE(types)];
	const int nr = ARRAY_SIZE(types);
	int i;

	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	for (i = 0; i < nr; i++)
		event_post(&events[i], ctx, types[i]);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_TRUE(test, uffd_event_readable(ctx));
		KUNIT_EXPECT_EQ(test, changes(ctx), nr - i);
		KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
		KUNIT_EXPECT_EQ(test, read_event(ctx), (int)types[i]);
	}
	/* The last read ends the last change; no task has to run for it. */
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, read_event(ctx), 0);
	for (i = nr - 1; i >= 0; i--)
		KUNIT_EXPECT_TRUE(test, uffd_event_wait(&events[i]));
	/* Each change has ended once. */
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
}

/*
 * A change is pending from its begin, before there is an event, until that is
 * read.
 */
static void uffd_event_pending_until_read(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event event;

	event_begin(&event, ctx, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, refs(ctx), 1);
	uffd_event_post(&event);
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_TRUE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, refs(ctx), 1);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&event));
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
}

/* An event that was posted before is neither queued nor read a second time. */
static void uffd_event_post_twice(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event event, next;

	event_post(&event, ctx, UFFD_EVENT_UNMAP);
	event_post(&next, ctx, UFFD_EVENT_REMAP);
	uffd_event_post(&event);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), 0);
	uffd_event_post(&event);
	KUNIT_EXPECT_EQ(test, read_event(ctx), 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&event));
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&next));
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
}

/*
 * A change that is given up ends without an event.  The faults are woken after
 * that, so that no fill for them is refused because of it.
 */
static void uffd_event_withdrawn(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct sleeper pending, read;
	struct uffd_event event;

	sleeper_enter(&pending, ctx, &ctx->fault_pending_wqh);
	sleeper_enter(&read, ctx, &ctx->fault_wqh);
	event_begin(&event, ctx, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
	KUNIT_EXPECT_EQ(test, refs(ctx), 1);
	uffd_event_withdraw(&event);
	sleeper_leave(&read, &ctx->fault_wqh);
	sleeper_leave(&pending, &ctx->fault_pending_wqh);
	KUNIT_EXPECT_TRUE(test, event.state == UFFD_STATE_DROPPED);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, pending.woken, 1);
	KUNIT_EXPECT_EQ(test, pending.changes, 0);
	KUNIT_EXPECT_EQ(test, read.woken, 1);
	KUNIT_EXPECT_EQ(test, read.changes, 0);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

/*
 * A reader is woken when an event is queued, and by another reader if there is
 * more.
 */
static void uffd_event_wakes_reader(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event events[2];
	struct sleeper reader;
	int i;

	sleeper_enter(&reader, ctx, &ctx->fd_wqh);
	for (i = 0; i < 2; i++) {
		event_begin(&events[i], ctx, UFFD_EVENT_UNMAP);
		KUNIT_EXPECT_EQ(test, reader.woken, i);
		uffd_event_post(&events[i]);
		KUNIT_EXPECT_EQ(test, reader.woken, i + 1);
		KUNIT_EXPECT_TRUE(test, reader.readable);
	}
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
		spin_lock_irq(&ctx->fd_wqh.lock);
		uffd_event_wake_reader(ctx);
		spin_unlock_irq(&ctx->fd_wqh.lock);
		/* There was another one after the first. */
		KUNIT_EXPECT_EQ(test, reader.woken, 3);
	}
	sleeper_leave(&reader, &ctx->fd_wqh);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, uffd_event_wait(&events[i]));
}

/* A task that waits for its event goes on when that was read. */
static void uffd_event_wakes_waiter(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event event;
	struct sleeper fault;
	struct second c;

	sleeper_enter(&fault, ctx, &ctx->fault_pending_wqh);
	event_post(&event, ctx, UFFD_EVENT_UNMAP);
	wait_begins(test, &c, &event, act_wait);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	sleeper_leave(&fault, &ctx->fault_pending_wqh);
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	/* A fault is not woken for an event that was read. */
	KUNIT_EXPECT_EQ(test, fault.woken, 0);
	second_stop(&c);
}

/*
 * A monitor can read its event while nobody has read that of another context.
 */
static void uffd_event_two_contexts(struct kunit *test)
{
	struct userfaultfd_ctx *a = new_event_ctx(test), *b = new_event_ctx(test);
	struct uffd_event event_a, event_b;
	struct second c;

	event_post(&event_a, a, UFFD_EVENT_UNMAP);
	event_post(&event_b, b, UFFD_EVENT_UNMAP);
	wait_begins(test, &c, &event_a, act_wait);
	KUNIT_EXPECT_EQ(test, read_event(b), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, try_fill(b), 0);
	KUNIT_EXPECT_EQ(test, try_fill(a), -EAGAIN);
	KUNIT_EXPECT_EQ(test, read_event(a), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&event_b));
	second_stop(&c);
}

/*
 * There will be no child of a task that is killed: uffd_event_wait() takes the
 * event back, and wakes the faults.  Other events keep their places.
 */
static void uffd_event_killed_fork(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct userfaultfd_ctx *child = new_event_ctx(test);
	struct uffd_event first, fork, last;
	struct sleeper fault;
	struct second c;

	sleeper_enter(&fault, ctx, &ctx->fault_pending_wqh);
	event_post(&first, ctx, UFFD_EVENT_UNMAP);
	event_begin(&fork, ctx, UFFD_EVENT_FORK);
	fork.child = child;
	uffd_event_post(&fork);
	event_post(&last, ctx, UFFD_EVENT_REMAP);
	wait_begins(test, &c, &fork, act_wait);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	sleeper_leave(&fault, &ctx->fault_pending_wqh);
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_EQ(test, fault.woken, 1);
	KUNIT_EXPECT_EQ(test, fault.changes, 2);
	KUNIT_EXPECT_EQ(test, changes(ctx), 2);
	/* The child belongs to the caller again, which has not put it yet. */
	KUNIT_EXPECT_EQ(test, refs(child), 0);
	/* The event is on the stack of its task, which may reuse it. */
	memset(&fork, 0xff, sizeof(fork));
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMAP);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&first));
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&last));
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

/* All events are dropped at once: their changes end, and their tasks go on. */
static void uffd_event_drops_all(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event waited, posted, next;
	struct second c;

	uffd_event_drop_all(ctx);
	event_post(&waited, ctx, UFFD_EVENT_UNMAP);
	event_post(&posted, ctx, UFFD_EVENT_REMOVE);
	wait_begins(test, &c, &waited, act_wait);
	KUNIT_EXPECT_EQ(test, changes(ctx), 2);
	uffd_event_drop_all(ctx);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_FALSE(test, uffd_event_wait(&posted));
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	/* The file is open: a later event is queued as ever. */
	event_post(&next, ctx, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&next));
	second_stop(&c);
}

/* Nobody waits for a monitor that has closed the file. */
static void uffd_event_closed(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event before, after;
	struct second c;

	event_post(&before, ctx, UFFD_EVENT_UNMAP);
	wait_begins(test, &c, &before, act_wait);
	WRITE_ONCE(ctx->released, true);
	uffd_event_drop_all(ctx);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	event_post(&after, ctx, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_FALSE(test, uffd_event_readable(ctx));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_FALSE(test, uffd_event_wait(&after));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	second_stop(&c);
}

/* Many changes, one reader, and fills all the time: no event is lost or left. */
#define STRESS_TASKS	4
#define STRESS_EVENTS	250

struct stress {
	struct second c;
	int number;
};

static int act_stress(struct second *c)
{
	struct stress *s = container_of(c, struct stress, c);
	int i, err = 0;

	for (i = 0; i < STRESS_EVENTS; i++) {
		struct uffd_event event;

		/* The events of one task are in order. */
		event_post_range(&event, c->ctx, UFFD_EVENT_UNMAP, s->number, i);
		if (!uffd_event_wait(&event))
			err = -ENOENT;
	}
	return err;
}

static void uffd_event_stress(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	unsigned long end = jiffies + DEADLINE;
	struct stress tasks[STRESS_TASKS] = { };
	__u64 next[STRESS_TASKS] = { };
	int i, want = 0, got = 0, misordered = 0, wrong = 0;

	for (i = 0; i < STRESS_TASKS; i++) {
		tasks[i].number = i;
		second_create(test, &tasks[i].c, ctx, act_stress);
		second_wake(&tasks[i].c);
		want += tasks[i].c.task ? STRESS_EVENTS : 0;
	}
	while (got < want && time_before(jiffies, end)) {
		struct map_changing_fill fill = new_fill(ctx);
		struct uffd_msg msg;

		/* An event is queued after its change has begun. */
		if (!map_changing_fill_begin(&fill)) {
			wrong += uffd_event_readable(ctx);
			map_changing_fill_end(&fill);
		}
		msg = read_msg(ctx);
		if (msg.event) {
			i = msg.arg.remove.start;
			misordered += msg.arg.remove.end != next[i]++;
			got++;
		} else {
			cond_resched();
		}
	}
	KUNIT_EXPECT_EQ(test, got, STRESS_TASKS * STRESS_EVENTS);
	KUNIT_EXPECT_EQ(test, misordered, 0);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* If the monitor was too slow the tasks go on with an error. */
	WRITE_ONCE(ctx->released, true);
	uffd_event_drop_all(ctx);
	for (i = 0; i < STRESS_TASKS; i++) {
		KUNIT_EXPECT_TRUE(test, second_done(&tasks[i].c));
		KUNIT_EXPECT_EQ(test, tasks[i].c.err, 0);
		second_stop(&tasks[i].c);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, refs(ctx), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&ctx->map_changing_gen),
			(long)STRESS_TASKS * STRESS_EVENTS);
}

static struct kunit_case uffd_event_cases[] = {
	KUNIT_CASE(uffd_event_order),
	KUNIT_CASE(uffd_event_pending_until_read),
	KUNIT_CASE(uffd_event_post_twice),
	KUNIT_CASE(uffd_event_withdrawn),
	KUNIT_CASE(uffd_event_wakes_reader),
	KUNIT_CASE(uffd_event_wakes_waiter),
	KUNIT_CASE(uffd_event_two_contexts),
	KUNIT_CASE(uffd_event_killed_fork),
	KUNIT_CASE(uffd_event_drops_all),
	KUNIT_CASE(uffd_event_closed),
	KUNIT_CASE(uffd_event_stress),
	{}
};

static struct kunit_suite uffd_event_suite = {
	.name = "uffd_event",
	.test_cases = uffd_event_cases,
};

kunit_test_suite(uffd_event_suite);
