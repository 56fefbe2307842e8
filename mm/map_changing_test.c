// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/map_changing.c: the object alone, on a context that no file
 * and no mm knows of.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/map_changing.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

/* Far beyond any load: a slow machine does not fail, a lost wake-up does. */
#define DEADLINE	(60 * HZ)

static struct userfaultfd_ctx *new_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	map_changing_init(ctx);
	return ctx;
}

static void map_changing_admits_at_rest(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	map_changing_fill_end(ctx);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
}

static void map_changing_refuses_while_pending(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	map_changing_begin(ctx);
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), -EAGAIN);
	/* A refused fill holds nothing. */
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	map_changing_end(ctx);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	map_changing_fill_end(ctx);
}

static void map_changing_counts(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	int i, changes = 5;

	for (i = 0; i < changes; i++) {
		if (i & 1)
			map_changing_begin(ctx);
		else
			KUNIT_EXPECT_EQ(test, map_changing_begin_killable(ctx),
					0);
	}
	for (i = 0; i < changes; i++) {
		KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), -EAGAIN);
		map_changing_end(ctx);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->mmap_changing), 0);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	map_changing_fill_end(ctx);
}

/* What a second task does. */
enum act { BEGIN, BEGIN_KILLABLE, FILL };

struct second {
	struct userfaultfd_ctx *ctx;
	struct task_struct *task;
	enum act act;
	int err;
	struct completion done;
};

static int second_fn(void *data)
{
	struct second *c = data;

	allow_signal(SIGKILL);
	switch (c->act) {
	case BEGIN:
		map_changing_begin(c->ctx);
		c->err = 0;
		break;
	case BEGIN_KILLABLE:
		c->err = map_changing_begin_killable(c->ctx);
		break;
	case FILL:
		c->err = map_changing_fill_begin(c->ctx);
		if (!c->err)
			map_changing_fill_end(c->ctx);
		break;
	}
	complete(&c->done);
	set_current_state(TASK_UNINTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_UNINTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void second_create(struct kunit *test, struct second *c,
			  struct userfaultfd_ctx *ctx, enum act act)
{
	c->ctx = ctx;
	c->act = act;
	c->err = 1;
	init_completion(&c->done);
	c->task = kthread_create(second_fn, c, "map_changing_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(c->task));
}

static bool second_done(struct second *c)
{
	return wait_for_completion_timeout(&c->done, DEADLINE);
}

static void map_changing_fills_share(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct second c;

	second_create(test, &c, ctx, FILL);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	wake_up_process(c.task);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	map_changing_fill_end(ctx);
	kthread_stop(c.task);
}

/* Start a change while a fill runs, and see it wait. */
static void change_blocked(struct kunit *test, struct second *c,
			   struct userfaultfd_ctx *ctx, enum act act)
{
	unsigned long end = jiffies + DEADLINE;

	second_create(test, c, ctx, act);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	wake_up_process(c->task);
	while (!rwsem_is_contended(&ctx->map_changing_lock) &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, rwsem_is_contended(&ctx->map_changing_lock));
	KUNIT_EXPECT_FALSE(test, completion_done(&c->done));
	/* Not yet: the fill was admitted by a map without changes. */
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
}

static void map_changing_waits_for_fill(struct kunit *test)
{
	static const enum act acts[] = { BEGIN, BEGIN_KILLABLE };
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct second c;
	int i;

	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		change_blocked(test, &c, ctx, acts[i]);
		map_changing_fill_end(ctx);
		KUNIT_EXPECT_TRUE(test, second_done(&c));
		KUNIT_EXPECT_EQ(test, c.err, 0);
		KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), -EAGAIN);
		map_changing_end(ctx);
		kthread_stop(c.task);
	}
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
}

static void map_changing_killed_waiter(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct second c;

	change_blocked(test, &c, ctx, BEGIN_KILLABLE);
	send_sig(SIGKILL, c.task, 1);
	/* It goes although the fill still runs, and leaves no trace. */
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	map_changing_fill_end(ctx);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	map_changing_fill_end(ctx);
	kthread_stop(c.task);
}

/* A bug elsewhere must not lock the monitor out. */
static void map_changing_excess_end(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	map_changing_end(ctx);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->mmap_changing), 0);
	map_changing_begin(ctx);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), -EAGAIN);
	map_changing_end(ctx);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(ctx), 0);
	map_changing_fill_end(ctx);
}

static struct kunit_case map_changing_cases[] = {
	KUNIT_CASE(map_changing_admits_at_rest),
	KUNIT_CASE(map_changing_refuses_while_pending),
	KUNIT_CASE(map_changing_counts),
	KUNIT_CASE(map_changing_fills_share),
	KUNIT_CASE(map_changing_waits_for_fill),
	KUNIT_CASE(map_changing_killed_waiter),
	KUNIT_CASE(map_changing_excess_end),
	{}
};

static struct kunit_suite map_changing_suite = {
	.name = "map_changing",
	.test_cases = map_changing_cases,
};

kunit_test_suite(map_changing_suite);
