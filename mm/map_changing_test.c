// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/map_changing.c: fills and changes of a context that no file
 * and no mapping knows of; and of what fills know of mappings.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/string.h>

#include "map_changing_test.h"
#include "uffd_fill_kind.h"

/* Without a change a fill is admitted, and leaves the lock free. */
static void map_changing_admits_at_rest(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
}

/* A fill is refused from the begin of a change until its end. */
static void map_changing_refuses_while_pending(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	map_changing_begin(ctx);
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
	/* A fill that is refused holds nothing. */
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	map_changing_end(ctx);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

/* Fills are admitted again when the last of several changes has ended. */
static void map_changing_counts(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	int i, n = 5;

	for (i = 0; i < n; i++) {
		if (i & 1)
			map_changing_begin(ctx);
		else
			KUNIT_EXPECT_EQ(test, map_changing_begin_removal(ctx), 0);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), n);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
		map_changing_end(ctx);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&ctx->map_changing_gen), (long)n);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

static void whole_change(struct userfaultfd_ctx *ctx)
{
	map_changing_begin(ctx);
	map_changing_end(ctx);
}

/* A fill has dropped its locks, and a change begins and ends meanwhile. */
static void map_changing_sees_whole_change(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));

	/* A change that has ended before the fill begins does not matter. */
	whole_change(fill.ctx);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, nothing), 0);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, whole_change), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&fill.ctx->map_changing_lock));
	/* This fill stays refused, and the next one is admitted. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), -EAGAIN);
	KUNIT_EXPECT_EQ(test, try_fill(fill.ctx), 0);
}

/* May a fill that was in a mapping without flags go on in this one? */
static bool goes_on(const struct uffd_fill_kind *kind, unsigned long flags,
		    const struct vm_operations_struct *ops,
		    struct userfaultfd_ctx *ctx)
{
	const struct vm_area_struct vma = {
		.vm_flags = flags,
		.vm_ops = ops,
		.vm_userfaultfd_ctx.ctx = ctx,
	};

	return uffd_fill_kind_fits(kind, &vma);
}

/* A fill goes on in a mapping of the same context and kind, and in no other. */
static void map_changing_knows_mapping(struct kunit *test)
{
	static const struct vm_operations_struct ops, other_ops;
	struct userfaultfd_ctx *ctx = new_ctx(test);
	const struct vm_area_struct vma = {
		.vm_ops = &ops,
		.vm_userfaultfd_ctx.ctx = ctx,
	};
	struct uffd_fill_kind kind;

	/* Nothing depends on what uffd_fill_kind_init() does not set. */
	memset(&kind, 0xa5, sizeof(kind));
	uffd_fill_kind_init(&kind);
	KUNIT_EXPECT_TRUE(test, goes_on(&kind, VM_SHARED, &other_ops, ctx));
	uffd_fill_kind_note(&kind, &vma);
	KUNIT_EXPECT_TRUE(test, goes_on(&kind, 0, &ops, ctx));
	KUNIT_EXPECT_TRUE(test, goes_on(&kind, VM_LOCKED, &ops, ctx));
	KUNIT_EXPECT_FALSE(test, goes_on(&kind, VM_HUGETLB, &ops, ctx));
	KUNIT_EXPECT_FALSE(test, goes_on(&kind, VM_SHARED, &ops, ctx));
	KUNIT_EXPECT_FALSE(test, goes_on(&kind, 0, &other_ops, ctx));
	KUNIT_EXPECT_FALSE(test, goes_on(&kind, 0, &ops, new_ctx(test)));
}

/* Fills do not wait for each other. */
static void map_changing_fills_share(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));
	struct second c;

	second_create(test, &c, fill.ctx, act_fill);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	map_changing_fill_end(&fill);
	second_stop(&c);
}

/* Begin a fill while a change holds the lock, and see the fill wait. */
static void fill_blocked(struct kunit *test, struct second *c,
			 struct userfaultfd_ctx *ctx)
{
	second_create(test, c, ctx, act_fill);
	down_write(&ctx->map_changing_lock);
	second_waits(test, c);
}

/*
 * A fill that waits for a change to begin is then refused, or admitted, or
 * killed.
 */
static void map_changing_fill_waits(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct second c;

	fill_blocked(test, &c, ctx);
	map_changing_raise(ctx);
	up_write(&ctx->map_changing_lock);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EAGAIN);
	second_stop(&c);
	map_changing_end(ctx);

	/* No change has begun under the lock. */
	fill_blocked(test, &c, ctx);
	up_write(&ctx->map_changing_lock);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	second_stop(&c);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));

	fill_blocked(test, &c, ctx);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	up_write(&ctx->map_changing_lock);
	second_stop(&c);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

/* A change of either kind waits for the fills that were admitted before. */
static void map_changing_waits_for_fill(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	change_waits_for_fill(test, ctx, act_begin);
	change_waits_for_fill(test, ctx, act_removal);
}

/* A killed task does not wait for a fill, and its removal has not begun. */
static void map_changing_killed_waiter(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));
	struct second c;

	change_blocked(test, &c, &fill, act_removal);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	/* The fill is not disturbed. */
	KUNIT_EXPECT_EQ(test, gap(&fill, nothing), 0);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&fill.ctx->map_changing_lock));
	second_stop(&c);

	/* A task that was killed before does not begin anything either. */
	second_create(test, &c, fill.ctx, act_removal);
	c.killed = true;
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&fill.ctx->map_changing_gen), 0L);
	second_stop(&c);
}

static struct kunit_case map_changing_cases[] = {
	KUNIT_CASE(map_changing_admits_at_rest),
	KUNIT_CASE(map_changing_refuses_while_pending),
	KUNIT_CASE(map_changing_counts),
	KUNIT_CASE(map_changing_sees_whole_change),
	KUNIT_CASE(map_changing_knows_mapping),
	KUNIT_CASE(map_changing_fills_share),
	KUNIT_CASE(map_changing_fill_waits),
	KUNIT_CASE(map_changing_waits_for_fill),
	KUNIT_CASE(map_changing_killed_waiter),
	{}
};

static struct kunit_suite map_changing_suite = {
	.name = "map_changing",
	.test_cases = map_changing_cases,
};

kunit_test_suite(map_changing_suite);
