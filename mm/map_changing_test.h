/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit tests of userfaultfd fills and events share: contexts that no
 * file and no mapping knows of, fills of them, and a second task.
 */
#ifndef _MM_MAP_CHANGING_TEST_H
#define _MM_MAP_CHANGING_TEST_H

#include <kunit/test.h>
#include <linux/compiler_attributes.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/map_changing.h>
#include <linux/mm_types.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/userfaultfd_ctx.h>
#include <linux/wait.h>

/* Far beyond any load: a slow machine does not fail, a lost wake-up does. */
#define DEADLINE	(60 * HZ)

/*
 * A context is not from the slab cache of userfaultfd: a fault in the counting
 * of references must not free it there.
 */
#define TEST_CTX_REFS	1000

static __maybe_unused struct userfaultfd_ctx *new_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	init_waitqueue_head(&ctx->fault_pending_wqh);
	init_waitqueue_head(&ctx->fault_wqh);
	init_waitqueue_head(&ctx->event_wqh);
	init_waitqueue_head(&ctx->fd_wqh);
	init_rwsem(&ctx->map_changing_lock);
	refcount_set(&ctx->refcount, TEST_CTX_REFS);
	ctx->mm = kunit_kzalloc(test, sizeof(*ctx->mm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->mm);
	init_rwsem(&ctx->mm->mmap_lock);
	atomic_set(&ctx->mm->mm_users, 1);
	return ctx;
}

/* References that are held besides that of the test. */
static inline int refs(struct userfaultfd_ctx *ctx)
{
	return (int)refcount_read(&ctx->refcount) - TEST_CTX_REFS;
}

static inline int changes(struct userfaultfd_ctx *ctx)
{
	return atomic_read(&ctx->mmap_changing);
}

static inline struct map_changing_fill new_fill(struct userfaultfd_ctx *ctx)
{
	struct map_changing_fill fill;

	/* Nothing depends on what map_changing_fill_init() does not set. */
	memset(&fill, 0xa5, sizeof(fill));
	map_changing_fill_init(&fill, ctx);
	return fill;
}

/* A whole fill.  Return: what map_changing_fill_begin() says. */
static inline int try_fill(struct userfaultfd_ctx *ctx)
{
	struct map_changing_fill fill = new_fill(ctx);
	int err = map_changing_fill_begin(&fill);

	if (!err)
		map_changing_fill_end(&fill);
	return err;
}

/* A fill drops its locks, @between is called, and the fill goes on. */
static inline int gap(struct map_changing_fill *fill,
		      void (*between)(struct userfaultfd_ctx *ctx))
{
	int err;

	map_changing_fill_pause(fill);
	between(fill->ctx);
	err = map_changing_fill_begin(fill);
	if (!err)
		map_changing_fill_end(fill);
	return err;
}

static inline void nothing(struct userfaultfd_ctx *ctx)
{
}

/*
 * A second task.  No test asserts anything while it has one: an assertion would
 * free, and unwind, what the task uses.  Without a task, which is a failure,
 * the functions below do nothing.
 */
struct second {
	/* What the task does; its result is @err. */
	int (*act)(struct second *c);
	struct userfaultfd_ctx *ctx;
	/* For @act; NULL until the test sets it. */
	void *arg;
	/* The task is killed before it acts. */
	bool killed;
	struct task_struct *task;
	struct completion done;
	int err;
};

static inline int act_begin(struct second *c)
{
	map_changing_begin(c->ctx);
	return 0;
}

static inline int act_removal(struct second *c)
{
	return map_changing_begin_removal(c->ctx);
}

static inline int act_fill(struct second *c)
{
	return try_fill(c->ctx);
}

static inline int second_fn(void *data)
{
	struct second *c = data;

	allow_signal(SIGKILL);
	if (c->killed)
		send_sig(SIGKILL, current, 1);
	c->err = c->act(c);
	complete(&c->done);
	set_current_state(TASK_UNINTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_UNINTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* The task does not run before second_wake(). */
static inline void second_create(struct kunit *test, struct second *c,
				 struct userfaultfd_ctx *ctx,
				 int (*act)(struct second *c))
{
	struct task_struct *task;

	c->act = act;
	c->ctx = ctx;
	c->arg = NULL;
	c->killed = false;
	c->err = 1;
	init_completion(&c->done);
	task = kthread_create(second_fn, c, "map_changing_test");
	c->task = IS_ERR(task) ? NULL : task;
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
}

static inline void second_wake(struct second *c)
{
	if (c->task)
		wake_up_process(c->task);
}

static inline void second_kill(struct second *c)
{
	if (c->task)
		send_sig(SIGKILL, c->task, 1);
}

/* Wait until the task has acted.  Return: false if it has not by DEADLINE. */
static inline bool second_done(struct second *c)
{
	return c->task && wait_for_completion_timeout(&c->done, DEADLINE);
}

static inline void second_stop(struct second *c)
{
	if (c->task)
		kthread_stop(c->task);
}

/* Let the task run, and see it wait for map_changing_lock. */
static inline void second_waits(struct kunit *test, struct second *c)
{
	struct rw_semaphore *lock = &c->ctx->map_changing_lock;
	unsigned long end = jiffies + DEADLINE;

	second_wake(c);
	while (c->task && !rwsem_is_contended(lock) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, rwsem_is_contended(lock));
	KUNIT_EXPECT_FALSE(test, completion_done(&c->done));
}

/* Begin a fill, let a second task begin a change, and see that one wait. */
static inline void change_blocked(struct kunit *test, struct second *c,
				  struct map_changing_fill *fill,
				  int (*act)(struct second *c))
{
	second_create(test, c, fill->ctx, act);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(fill), 0);
	second_waits(test, c);
	/* It has not begun: the fill was admitted while there was no change. */
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill->ctx));
}

/* A change waits for a fill and begins when the fill ends; it is ended here. */
static inline void change_waits_for_fill(struct kunit *test, struct userfaultfd_ctx *ctx,
					 int (*act)(struct second *c))
{
	struct map_changing_fill fill = new_fill(ctx);
	struct second c;

	change_blocked(test, &c, &fill, act);
	map_changing_fill_end(&fill);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
	map_changing_end(ctx);
	second_stop(&c);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
}

#endif /* _MM_MAP_CHANGING_TEST_H */
