// SPDX-License-Identifier: GPL-2.0
/*
 * The yielding mode of map_changing: a removal does not wait for fills, which
 * can copy gigabytes.  See mm/map_changing.c for the default mode, and for the
 * members of struct userfaultfd_ctx.
 *
 *	map_changing_yield	the mode.  W: map_changing_lock, before
 *				UFFDIO_API
 *
 * A removal raises mmap_changing and map_changing_gen without the lock.  A fill
 * that is running finds out page by page, under the page-table lock:
 *
 *	removal					fill
 *
 *	[R1] mmap_changing++			[F1] note map_changing_gen
 *	[R2] map_changing_gen++ (full barrier)	[F2] mmap_changing? -EAGAIN
 *	     the event is read: mmap_changing--	[F3] populate the pmd, or the
 *	[R3] read the pmd: none? skip it	     page cache
 *	[R4] page-table lock			[F4] page-table lock
 *	     clear the ptes			[F5] smp_mb__after_spinlock()
 *						[F6] map_changing_gen moved?
 *						     -EAGAIN
 *						     install the pte
 *
 * If F4 comes before R4 the page is removed.  If R4 comes before F4, R2 is
 * visible at F6.  If R3 sees no page table, or no page in the page cache, no
 * lock orders the two: each stores first and then reads what the other has
 * stored, so both need a full barrier, R2's and F5.  R1 comes before R2, and F1
 * before F2: a fill that has noted the number of R2 sees mmap_changing raised,
 * unless the event was read; then it may go on.
 *
 * Pages of hugetlb are not validated: a fill has them in the page cache, and
 * its reservations changed, before it takes the page-table lock.  Nor is what
 * UFFDIO_WRITEPROTECT changes.  Removals from such mappings wait as in the
 * default mode.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/map_changing_yield.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include <race_points/map_changing.h>

/* 1: a monitor may switch a context of its own to yielding mode.  W: sysctl */
int sysctl_userfaultfd_yield __read_mostly;

/**
 * map_changing_set_yield() - switch a context to yielding mode
 * @ctx: the userfaultfd context
 *
 * The mode decides who waits for whom, so it must not change under a fill or a
 * removal.  There is none before UFFDIO_API, and a fill that comes after it
 * takes map_changing_lock: either it sees the new mode, or @ctx is seen in use
 * here.
 *
 * Context: process context, sleeps.  Takes map_changing_lock for writing.
 * Return: 0; -EPERM if vm.userfaultfd_yield is 0; -EBUSY if UFFDIO_API was
 * called; -EINTR if the task was killed while it waited for the lock.
 */
int map_changing_set_yield(struct userfaultfd_ctx *ctx)
{
	int err;

	if (!READ_ONCE(sysctl_userfaultfd_yield))
		return -EPERM;
	err = down_write_killable(&ctx->map_changing_lock);
	if (err)
		return err;
	if (READ_ONCE(ctx->features))
		err = -EBUSY;
	else
		WRITE_ONCE(ctx->map_changing_yield, true);
	up_write(&ctx->map_changing_lock);
	return err;
}

/**
 * map_changing_announce_removal() - pages are about to be removed
 * @ctx: context of a mapping that loses them, which keeps it
 * @validated: fills into that mapping call map_changing_fill_valid()
 *
 * As map_changing_begin_removal().  In yielding mode it does not wait for fills
 * that find out by themselves.
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held.
 * Return: as map_changing_begin_removal().
 */
int map_changing_announce_removal(struct userfaultfd_ctx *ctx, bool validated)
{
	if (!ctx->map_changing_yield || !validated)
		return map_changing_begin_removal(ctx);
	/* As in the default mode. */
	if (race_bypass(map_changing_yield))
		return map_changing_begin_removal(ctx);

	/*
	 * A killed task does not announce the removal from its next mapping:
	 * it would not wait for the monitor.
	 */
	if (fatal_signal_pending(current))
		return -EINTR;
	/* [R1] and [R2].  Pairs with map_changing_fill_valid() as well. */
	map_changing_raise(ctx);
	return 0;
}

/**
 * __map_changing_fill_valid() - may this page be installed?
 * @fill: a fill in yielding mode
 *
 * Context: as map_changing_fill_valid().
 * Return: as map_changing_fill_valid().
 */
bool __map_changing_fill_valid(const struct map_changing_fill *fill)
{
	/*
	 * [F5]: a removal that saw no page table did not take its lock.  Pairs
	 * with map_changing_raise().
	 */
	smp_mb__after_spinlock();
	return map_changing_fill_same(fill);
}
