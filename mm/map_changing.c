// SPDX-License-Identifier: GPL-2.0
/*
 * map_changing: a fill of a userfaultfd and a change of the memory layout do
 * not miss each other.
 *
 * A monitor asks for events (fork, mremap, munmap, MADV_DONTNEED and its like)
 * in order to know what the address space looks like.  It must not fill a page
 * by a view of the address space that is out of date.  Three members of struct
 * userfaultfd_ctx see to that:
 *
 *	mmap_changing		the number of changes that have begun, and that
 *				the monitor has not read yet
 *	map_changing_gen	the number of changes that have ever begun
 *	map_changing_lock	W: mmap_changing and map_changing_gen go up
 *				R: a fill, from its test of them to the last
 *				page that it installs
 *
 *	change					fill
 *
 *	map_changing_begin()...			map_changing_fill_begin()
 *	  write lock, waits for fills		  read lock
 *	  mmap_changing++			  first: note map_changing_gen
 *	  map_changing_gen++			  later: has it moved? -EAGAIN
 *	  write unlock				  mmap_changing? -EAGAIN
 *	make the change, tell the monitor	install pages
 *	the monitor has read of it:		map_changing_fill_end()
 *	  mmap_changing--			  read unlock
 *
 * MADV_DONTNEED and its like make their change after the monitor has read of
 * it.  In all cases the pages that a fill installs under the lock are there
 * before the change begins, or the fill is refused until the monitor has read
 * of the change.  What is filled after that is what the monitor wants after the
 * change.
 *
 * mmap_changing is a count: several tasks may change the layout, and the end of
 * one change must not admit a fill that another change forbids.  It goes down
 * without the lock, since that only admits fills.
 *
 * A fill drops all of its locks in order to fault in its source, since whoever
 * serves that fault may wait for one of them.  In that gap a whole change can
 * begin and end, and leave mmap_changing as it was; map_changing_gen has moved.
 *
 * Lock order: mmap_lock -> map_changing_lock -> all that a fill takes.  Nothing
 * is taken under the write side.  A fill holds mmap_lock for reading all the
 * while, so that only userfaultfd_remove_prep(), which holds mmap_lock for
 * reading as well, finds a fill to wait for.
 *
 * All this is within one context.  A fill through the file of another context
 * than that of the mapping is neither refused nor waited for because of changes
 * of the mapping.
 *
 * Source: "userfaultfd: protect mmap_changing with rw_sem in userfaulfd_ctx",
 * linux-mm, January 2024.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>

/**
 * map_changing_begin() - the memory layout is about to change
 * @ctx: context of a mapping that changes, which keeps it
 *
 * Later fills get -EAGAIN until map_changing_end().  There is no fill to wait
 * for, since mmap_lock excludes them: map_changing_lock is taken so that both
 * counts go up under it without exception, and for lockdep.
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held for
 * writing.
 */
void map_changing_begin(struct userfaultfd_ctx *ctx)
{
	down_write(&ctx->map_changing_lock);
	map_changing_raise(ctx);
	up_write(&ctx->map_changing_lock);
}

/**
 * map_changing_begin_removal() - pages are about to be removed
 * @ctx: context of a mapping that loses them, which keeps it
 *
 * As map_changing_begin(), but waits for the fills that were admitted before.
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held for
 * reading.
 * Return: 0; or -EINTR if the task was killed before or while it waited:
 * nothing has begun, and the caller must not remove anything.
 */
int map_changing_begin_removal(struct userfaultfd_ctx *ctx)
{
	int err;

	/* A killed task announces no removal that it does not make. */
	if (fatal_signal_pending(current))
		return -EINTR;
	/* As if there were no lock. */
	if (race_bypass(map_changing_lock))
		return map_changing_raise(ctx), 0;

	err = down_write_killable(&ctx->map_changing_lock);
	if (err)
		return err;
	map_changing_raise(ctx);
	up_write(&ctx->map_changing_lock);
	return 0;
}

/**
 * map_changing_end() - this change does not forbid fills any more
 * @ctx: context given to map_changing_begin(); the caller has a reference
 *
 * Each begin has one end: when the monitor has read of the change, or when the
 * change is given up.
 *
 * Context: any.
 */
void map_changing_end(struct userfaultfd_ctx *ctx)
{
	/* As with a flag: the first end forgets the other changes. */
	if (race_bypass(map_changing_count))
		atomic_set(&ctx->mmap_changing, 1);

	/* Below zero it would refuse every fill. */
	WARN_ON_ONCE(atomic_dec_if_positive(&ctx->mmap_changing) < 0);
}

/**
 * __map_changing_fill_begin() - may pages be installed now?
 * @fill: the fill
 *
 * What map_changing_fill_begin() does where it has to wait, or to compare.
 *
 * Context: as map_changing_fill_begin().
 * Return: as map_changing_fill_begin().
 */
int __map_changing_fill_begin(struct map_changing_fill *fill)
{
	struct userfaultfd_ctx *ctx = fill->ctx;
	int err = down_read_killable(&ctx->map_changing_lock);

	if (err)
		return err;
	if (fill->resumed) {
		if (map_changing_fill_same(fill) && !map_changing_pending(ctx))
			return 0;
	} else if (map_changing_fill_admit(fill)) {
		return 0;
	}
	up_read(&ctx->map_changing_lock);
	return -EAGAIN;
}
