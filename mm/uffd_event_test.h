/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit tests of userfaultfd events share: contexts with a queue,
 * changes whose events are in it, and a monitor that reads them.
 */
#ifndef _MM_UFFD_EVENT_TEST_H
#define _MM_UFFD_EVENT_TEST_H

#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/map_changing.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uffd_event.h>
#include <linux/userfaultfd_ctx.h>
#include <linux/wait.h>

#include "map_changing_test.h"

static inline struct userfaultfd_ctx *new_event_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	INIT_LIST_HEAD(&ctx->events);
	return ctx;
}

/* A change begins that has an event. */
static inline void event_begin(struct uffd_event *event, struct userfaultfd_ctx *ctx,
			       __u8 type)
{
	map_changing_begin(ctx);
	uffd_event_init(event, ctx, type);
}

/* The change is made, and its event is queued. */
static inline void event_post(struct uffd_event *event, struct userfaultfd_ctx *ctx,
			      __u8 type)
{
	event_begin(event, ctx, type);
	uffd_event_post(event);
}

static inline void event_post_range(struct uffd_event *event,
				    struct userfaultfd_ctx *ctx, __u8 type,
				    __u64 start, __u64 end)
{
	event_begin(event, ctx, type);
	event->msg.arg.remove.start = start;
	event->msg.arg.remove.end = end;
	uffd_event_post(event);
}

/*
 * The monitor reads the oldest event.  Return: the message, whose type is 0 if
 * there is none.
 */
static inline struct uffd_msg read_msg(struct userfaultfd_ctx *ctx)
{
	struct uffd_msg msg = { };
	struct uffd_event *event;

	spin_lock_irq(&ctx->event_wqh.lock);
	event = uffd_event_oldest(ctx);
	if (event) {
		msg = event->msg;
		uffd_event_ack(event);
	}
	spin_unlock_irq(&ctx->event_wqh.lock);
	return msg;
}

/* Return: the type of the event that was read, 0 if there is none. */
static inline int read_event(struct userfaultfd_ctx *ctx)
{
	return read_msg(ctx).event;
}

/* Does a task wait for an event of this context? */
static inline bool has_waiter(struct userfaultfd_ctx *ctx)
{
	/* Needs no barrier: a task that does not wait yet is seen later. */
	return waitqueue_active(&ctx->event_wqh);
}

/* Let a second task wait for @event as @act does, and see it wait. */
static inline void wait_begins(struct kunit *test, struct second *c,
			       struct uffd_event *event,
			       int (*act)(struct second *c))
{
	unsigned long end = jiffies + DEADLINE;

	second_create(test, c, event->ctx, act);
	c->arg = event;
	second_wake(c);
	while (c->task && !has_waiter(event->ctx) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, has_waiter(event->ctx));
	KUNIT_EXPECT_FALSE(test, completion_done(&c->done));
}

/* An entry in a wait queue of a context.  It counts how often it is woken. */
struct sleeper {
	struct userfaultfd_ctx *ctx;
	wait_queue_entry_t entry;
	int woken;
	/* The state of the context when it was woken last. */
	int changes;
	bool readable;
};

static inline int sleeper_wake(wait_queue_entry_t *entry, unsigned int mode,
			       int flags, void *key)
{
	struct sleeper *s = container_of(entry, struct sleeper, entry);

	s->woken++;
	s->changes = changes(s->ctx);
	s->readable = uffd_event_readable(s->ctx);
	return 0;
}

/* No test asserts anything before sleeper_leave(). */
static inline void sleeper_enter(struct sleeper *s, struct userfaultfd_ctx *ctx,
				 wait_queue_head_t *wqh)
{
	*s = (struct sleeper){ .ctx = ctx, .changes = -1 };
	init_waitqueue_func_entry(&s->entry, sleeper_wake);
	add_wait_queue(wqh, &s->entry);
}

static inline void sleeper_leave(struct sleeper *s, wait_queue_head_t *wqh)
{
	remove_wait_queue(wqh, &s->entry);
}

#endif /* _MM_UFFD_EVENT_TEST_H */
