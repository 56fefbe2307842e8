// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/map_changing_yield.c: which changes and fills wait in
 * yielding mode, and which changes a fill detects by itself.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/map_changing_yield.h>
#include <linux/rwsem.h>
#include <linux/userfaultfd_k.h>

#include "map_changing_test.h"

static struct userfaultfd_ctx *new_yielding_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	ctx->features = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP;
	ctx->map_changing_yield = true;
	return ctx;
}

static int act_announce(struct second *c)
{
	return map_changing_announce_removal(c->ctx, false);
}

static int act_announce_validated(struct second *c)
{
	return map_changing_announce_removal(c->ctx, true);
}

static void whole_removal(struct userfaultfd_ctx *ctx)
{
	if (!map_changing_announce_removal(ctx, true))
		map_changing_end(ctx);
}

/* A removal does not wait for a fill, which stops before its next page. */
static void map_changing_yield_validates_page(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_yielding_ctx(test));

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_valid(NULL));
	KUNIT_EXPECT_TRUE(test, map_changing_fill_valid(&fill));
	KUNIT_EXPECT_EQ(test, map_changing_announce_removal(fill.ctx, true), 0);
	KUNIT_EXPECT_EQ(test, changes(fill.ctx), 1);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_valid(&fill));
	KUNIT_EXPECT_EQ(test, try_fill(fill.ctx), -EAGAIN);
	map_changing_end(fill.ctx);
	/* The event was read, and the pages may not have been removed yet. */
	KUNIT_EXPECT_FALSE(test, map_changing_fill_valid(&fill));
	map_changing_fill_end(&fill);
	KUNIT_EXPECT_EQ(test, try_fill(fill.ctx), 0);

	fill = new_fill(new_yielding_ctx(test));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, whole_removal), -EAGAIN);
}

/*
 * In the default mode every removal waits for a fill.  In yielding mode other
 * changes do, and removals from mappings whose pages are not validated.
 */
static void map_changing_yield_waits_for_fill(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	change_waits_for_fill(test, ctx, act_announce);
	change_waits_for_fill(test, ctx, act_announce_validated);
	ctx = new_yielding_ctx(test);
	change_waits_for_fill(test, ctx, act_begin);
	change_waits_for_fill(test, ctx, act_announce);
}

/* A task that was killed announces nothing, in either mode. */
static void map_changing_yield_killed(struct kunit *test)
{
	struct userfaultfd_ctx *ctxs[] = { new_ctx(test), new_yielding_ctx(test) };
	struct second c;
	int i;

	for (i = 0; i < ARRAY_SIZE(ctxs); i++) {
		second_create(test, &c, ctxs[i], act_announce_validated);
		c.killed = true;
		second_wake(&c);
		KUNIT_EXPECT_TRUE(test, second_done(&c));
		KUNIT_EXPECT_EQ(test, c.err, -EINTR);
		KUNIT_EXPECT_EQ(test, changes(ctxs[i]), 0);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&ctxs[i]->map_changing_gen), 0L);
		second_stop(&c);
	}
}

/* The mode is permitted by the sysctl, and fixed once the features are set. */
static void map_changing_yield_mode(struct kunit *test)
{
	const int was = READ_ONCE(sysctl_userfaultfd_yield);
	struct userfaultfd_ctx *ctx = new_ctx(test);

	WRITE_ONCE(sysctl_userfaultfd_yield, 0);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EPERM);
	KUNIT_EXPECT_FALSE(test, ctx->map_changing_yield);
	WRITE_ONCE(sysctl_userfaultfd_yield, 1);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), 0);
	KUNIT_EXPECT_TRUE(test, ctx->map_changing_yield);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), 0);
	ctx->features = UFFD_FEATURE_EVENT_UNMAP;
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EBUSY);
	KUNIT_EXPECT_TRUE(test, ctx->map_changing_yield);
	ctx->map_changing_yield = false;
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EBUSY);
	KUNIT_EXPECT_FALSE(test, ctx->map_changing_yield);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	WRITE_ONCE(sysctl_userfaultfd_yield, was);
}

static struct kunit_case map_changing_yield_cases[] = {
	KUNIT_CASE(map_changing_yield_validates_page),
	KUNIT_CASE(map_changing_yield_waits_for_fill),
	KUNIT_CASE(map_changing_yield_killed),
	KUNIT_CASE(map_changing_yield_mode),
	{}
};

static struct kunit_suite map_changing_yield_suite = {
	.name = "map_changing_yield",
	.test_cases = map_changing_yield_cases,
};

kunit_test_suite(map_changing_yield_suite);
