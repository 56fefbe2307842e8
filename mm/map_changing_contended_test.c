// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/map_changing_contended.c: when a fill drops its locks, and
 * which changes it detects afterwards.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/map_changing.h>
#include <linux/map_changing_contended.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/userfaultfd_k.h>

#include "map_changing_test.h"

static struct userfaultfd_ctx *new_yielding_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	ctx->features = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP;
	ctx->map_changing_yield = true;
	return ctx;
}

static int act_mmap_write(struct second *c)
{
	mmap_write_lock(c->ctx->mm);
	mmap_write_unlock(c->ctx->mm);
	return 0;
}

/*
 * UFFDIO_UNREGISTER ends fills that have dropped their locks, in yielding mode
 * only.
 */
static void map_changing_contended_sees_unregister(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, map_changing_invalidate), 0);

	fill = new_fill(new_yielding_ctx(test));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, map_changing_invalidate), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
}

/*
 * A fill drops its locks for tasks that wait for map_changing_lock if it sees
 * every change of the mapping: the events of munmap and mremap are on, and the
 * mapping is of the fill's own context.
 */
static void map_changing_contended_lock(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_yielding_ctx(test), *other = new_ctx(test);
	struct map_changing_fill fill = new_fill(ctx);
	struct vm_area_struct vma = {
		.vm_mm = ctx->mm,
		.vm_userfaultfd_ctx.ctx = ctx,
	};
	struct second c;

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	map_changing_fill_pause(&fill);
	change_blocked(test, &c, &fill, act_removal);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_contended(&fill, &vma));
	ctx->features = UFFD_FEATURE_EVENT_UNMAP;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	ctx->features = UFFD_FEATURE_EVENT_REMAP;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	ctx->features |= UFFD_FEATURE_EVENT_UNMAP;
	vma.vm_userfaultfd_ctx.ctx = other;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	vma.vm_userfaultfd_ctx.ctx = ctx;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(NULL, &vma));
	KUNIT_EXPECT_TRUE(test, map_changing_fill_contended(&fill, &vma));
	map_changing_fill_pause(&fill);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	/* The removal has begun, and the fill must not go on. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), -EAGAIN);
	map_changing_end(ctx);
	second_stop(&c);
}

/*
 * A fill drops its locks for tasks that wait for mmap_lock, and goes on if they
 * have begun no change of its context.
 */
static void map_changing_contended_mmap_lock(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_yielding_ctx(test));
	struct mm_struct *mm = fill.ctx->mm;
	struct vm_area_struct vma = {
		.vm_mm = mm,
		.vm_userfaultfd_ctx.ctx = fill.ctx,
	};
	unsigned long end = jiffies + DEADLINE;
	struct second c;

	second_create(test, &c, fill.ctx, act_mmap_write);
	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	second_wake(&c);
	while (c.task && !map_changing_fill_contended(&fill, &vma) &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_contended(&fill, &vma));
	map_changing_fill_pause(&fill);
	mmap_read_unlock(mm);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	mmap_read_lock(mm);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	map_changing_fill_end(&fill);
	mmap_read_unlock(mm);
	second_stop(&c);
}

static struct kunit_case map_changing_contended_cases[] = {
	KUNIT_CASE(map_changing_contended_sees_unregister),
	KUNIT_CASE(map_changing_contended_lock),
	KUNIT_CASE(map_changing_contended_mmap_lock),
	{}
};

static struct kunit_suite map_changing_contended_suite = {
	.name = "map_changing_contended",
	.test_cases = map_changing_contended_cases,
};

kunit_test_suite(map_changing_contended_suite);
