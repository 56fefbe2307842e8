// SPDX-License-Identifier: GPL-2.0
/*
 * map_changing: a change of the memory layout does not run past a fill.
 * After "userfaultfd: protect mmap_changing with rw_sem in userfaulfd_ctx" and
 * its discussion on linux-mm, January 2024.
 *
 * A monitor that asked for events (fork, mremap, munmap, MADV_DONTNEED and its
 * like) must not fill pages by a picture of the address space that is out of date.
 * Two fields of struct userfaultfd_ctx see to that:
 *
 *	mmap_changing		the number of changes that have begun and not ended
 *	map_changing_lock	W: mmap_changing goes up
 *				R: a fill, from its test of mmap_changing to the
 *				last page that it installs
 *
 *	change					fill
 *
 *	map_changing_begin()			map_changing_fill_begin()
 *	  write lock, waits for fills		  read lock
 *	  mmap_changing++			  mmap_changing? unlock, -EAGAIN
 *	  write unlock				install pages
 *	queue the event, wait for the monitor	map_changing_fill_end()
 *	map_changing_end()			  read unlock
 *	  mmap_changing--
 *
 * fork, mremap and munmap change the layout before they wait, MADV_DONTNEED after
 * map_changing_end().  In both cases what a fill installs under the lock is there
 * before the change has begun, or the fill is refused until it has ended.  It ends
 * when the task that made it has run again after the monitor read the event: the
 * monitor may be refused a little longer than it needs to be.
 *
 * It is a count, not a flag, since several tasks may be changing the layout: the
 * end of one must not admit a fill that another still forbids.  Going down needs no
 * lock, it only admits.
 *
 * Lock order: mmap_lock -> map_changing_lock -> all that a fill takes.  Nothing
 * is taken inside the write side.  A fill drops both locks when it must fault in
 * its source: whoever serves that fault may be waiting for the one or the other.
 * A whole change may come and go in that gap; a count cannot tell, so the fill then
 * goes on as if nothing had happened.
 *
 * Where fills hold mmap_lock for reading throughout, a change made under mmap_lock
 * for writing finds no fill to wait for.  userfaultfd_remove() holds it for reading
 * only: there the wait is what keeps a running fill from installing pages behind
 * the removal.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/rwsem.h>
#include <linux/userfaultfd_k.h>

#include <race_points/map_changing.h>

/**
 * map_changing_init() - no change, no fill
 * @ctx: a userfaultfd context that nobody else can see yet
 *
 * The one place that initialises map_changing_lock: one lock class for all
 * contexts, those made by userfaultfd(2) and those made by fork.
 */
void map_changing_init(struct userfaultfd_ctx *ctx)
{
	init_rwsem(&ctx->map_changing_lock);
	atomic_set(&ctx->mmap_changing, 0);
}

/**
 * map_changing_begin() - the memory layout is about to change
 * @ctx: context of a mapping that changes; the caller has a reference
 *
 * For callers that cannot fail any more.  Waits for the fills that were admitted
 * before; later ones get -EAGAIN until map_changing_end().
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held for
 * writing, so on kernels whose fills hold it for reading there is no wait.
 */
void map_changing_begin(struct userfaultfd_ctx *ctx)
{
	down_write(&ctx->map_changing_lock);
	atomic_inc(&ctx->mmap_changing);
	up_write(&ctx->map_changing_lock);
}

/**
 * map_changing_begin_killable() - the same for callers that can fail
 * @ctx: context of a mapping that changes; the caller has a reference
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held.
 * Return: 0, or -EINTR for a task that was killed while it waited: then nothing
 * has begun, and map_changing_end() must not be called.
 */
int map_changing_begin_killable(struct userfaultfd_ctx *ctx)
{
	int err;

	/* Raised without the lock: 0 since it is never negative. */
	if (race_bypass(map_changing_lock))
		return !atomic_inc_return(&ctx->mmap_changing);

	err = down_write_killable(&ctx->map_changing_lock);
	if (err)
		return err;
	atomic_inc(&ctx->mmap_changing);
	up_write(&ctx->map_changing_lock);
	return 0;
}

/**
 * map_changing_end() - fills need not be refused because of this change any more
 * @ctx: context given to map_changing_begin(); the caller still has its reference
 *
 * Also for changes that were given up, and for events that nobody will read
 * since the file was closed or the task killed: each begin has one end.
 *
 * Context: any.
 */
void map_changing_end(struct userfaultfd_ctx *ctx)
{
	/* As with a flag: the first end forgets the other changes. */
	if (race_bypass(map_changing_count))
		atomic_set(&ctx->mmap_changing, 0);

	/* Never below zero, which would refuse every fill for ever. */
	atomic_dec_if_positive(&ctx->mmap_changing);
}

/**
 * map_changing_fill_begin() - may pages be installed now?
 * @ctx: context of the monitor that fills
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held for
 * reading and stays so until map_changing_fill_end().
 * Return: 0 and map_changing_lock is held for reading; or it is not, and
 * -EAGAIN: a change is pending: the monitor has to read its events first;
 * -EINTR: killed while waiting for a change to begin.
 */
int map_changing_fill_begin(struct userfaultfd_ctx *ctx)
{
	int err = down_read_killable(&ctx->map_changing_lock);

	if (err)
		return err;
	if (map_changing_pending(ctx)) {
		up_read(&ctx->map_changing_lock);
		return -EAGAIN;
	}
	return 0;
}

/**
 * map_changing_fill_end() - no more pages for now
 * @ctx: context given to map_changing_fill_begin(), which returned 0
 *
 * Also before a fill drops mmap_lock in order to fault in its source: it has to
 * ask again afterwards.
 *
 * Context: process context.
 */
void map_changing_fill_end(struct userfaultfd_ctx *ctx)
{
	up_read(&ctx->map_changing_lock);
}
