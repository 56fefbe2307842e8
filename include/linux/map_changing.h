/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes of the memory layout against fills of a userfaultfd: see
 * mm/map_changing.c.
 */
#ifndef _LINUX_MAP_CHANGING_H
#define _LINUX_MAP_CHANGING_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/userfaultfd_ctx.h>

#include <race_points/map_changing.h>

/**
 * struct map_changing_fill - one fill, from its first page to its last
 * @ctx: context of the monitor that fills
 * @resumed: the fill has dropped its locks at least once
 * @gen: map_changing_gen of @ctx when the fill was admitted
 */
struct map_changing_fill {
	struct userfaultfd_ctx *ctx;
	bool resumed;
	unsigned long gen;
};

void map_changing_begin(struct userfaultfd_ctx *ctx);
int map_changing_begin_removal(struct userfaultfd_ctx *ctx);
void map_changing_end(struct userfaultfd_ctx *ctx);

int __map_changing_fill_begin(struct map_changing_fill *fill);

/**
 * map_changing_pending() - has a change begun that the monitor has not read?
 * @ctx: the userfaultfd context
 *
 * Context: any.
 * Return: true if a change is pending.  While map_changing_lock is held no
 * change begins that waits for fills; otherwise the answer is a hint.
 */
static inline bool map_changing_pending(const struct userfaultfd_ctx *ctx)
{
	return atomic_read(&ctx->mmap_changing);
}

/**
 * map_changing_raise() - a change begins
 * @ctx: the userfaultfd context
 *
 * mmap_changing goes up before map_changing_gen.  The increment of
 * map_changing_gen is fully ordered, so that whatever the change does comes
 * after both, for fills that do not rely on map_changing_lock.
 *
 * Context: map_changing_lock is held for writing where fills rely on it alone.
 */
static inline void map_changing_raise(struct userfaultfd_ctx *ctx)
{
	atomic_inc(&ctx->mmap_changing);
	/* Pairs with smp_rmb() in map_changing_fill_admit(). */
	atomic_long_inc_return(&ctx->map_changing_gen);
}

/**
 * map_changing_fill_same() - has no change begun since the fill was admitted?
 * @fill: a fill that was admitted
 *
 * Context: any.
 * Return: true if map_changing_gen is what it was.
 */
static inline bool map_changing_fill_same(const struct map_changing_fill *fill)
{
	/* As with a count alone. */
	if (race_bypass(map_changing_gen))
		return true;

	return atomic_long_read(&fill->ctx->map_changing_gen) == fill->gen;
}

/**
 * map_changing_fill_init() - a fill that has not begun
 * @fill: to be set up
 * @ctx: context of the monitor that fills
 *
 * Context: any.
 */
static inline void map_changing_fill_init(struct map_changing_fill *fill,
					  struct userfaultfd_ctx *ctx)
{
	fill->ctx = ctx;
	fill->resumed = false;
}

/**
 * map_changing_fill_admit() - is a fill admitted that begins now?
 * @fill: the fill; gets map_changing_gen
 *
 * Context: map_changing_lock is held for reading.
 * Return: true unless a change is pending.
 */
static inline bool map_changing_fill_admit(struct map_changing_fill *fill)
{
	fill->gen = atomic_long_read(&fill->ctx->map_changing_gen);
	/*
	 * A fill that has noted the generation of a change sees the change
	 * pending, or it was read.  Pairs with map_changing_raise().
	 */
	smp_rmb();
	return !map_changing_pending(fill->ctx);
}

/**
 * map_changing_fill_begin() - may pages be installed now?
 * @fill: the fill: at its begin, and each time it has dropped its locks
 *
 * Usually no change holds the lock or waits for it, and it is the first time:
 * that much is inline, since it is done for each ioctl.
 *
 * Context: process context, sleeps.  The mmap_lock of fill->ctx->mm is held for
 * reading and stays so until map_changing_fill_end().
 * Return: 0, and map_changing_lock is held for reading.  Otherwise it is not:
 * -EAGAIN if a change is pending, or has begun since the fill was admitted: the
 * monitor has to read its events first; -EINTR if the task was killed while it
 * waited for a change to begin.
 */
static inline int map_changing_fill_begin(struct map_changing_fill *fill)
{
	struct rw_semaphore *lock = &fill->ctx->map_changing_lock;

	/* A trylock alone would hide the order of the locks from lockdep. */
	might_lock_read(lock);
	if (unlikely(fill->resumed) || unlikely(!down_read_trylock(lock)))
		return __map_changing_fill_begin(fill);
	if (likely(map_changing_fill_admit(fill)))
		return 0;
	up_read(lock);
	return -EAGAIN;
}

/**
 * map_changing_fill_end() - no more pages are installed
 * @fill: a fill for which map_changing_fill_begin() returned 0
 *
 * Context: process context.
 */
static inline void map_changing_fill_end(const struct map_changing_fill *fill)
{
	up_read(&fill->ctx->map_changing_lock);
}

/**
 * map_changing_fill_pause() - a fill is about to drop its locks
 * @fill: a fill for which map_changing_fill_begin() returned 0
 *
 * Ends the fill as map_changing_fill_end() does.  In order to go on it calls
 * map_changing_fill_begin() again.
 *
 * Context: process context.
 */
static inline void map_changing_fill_pause(struct map_changing_fill *fill)
{
	fill->resumed = true;
	map_changing_fill_end(fill);
}

#endif /* _LINUX_MAP_CHANGING_H */
