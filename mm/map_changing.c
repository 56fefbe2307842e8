// SPDX-License-Identifier: GPL-2.0
/*
 * map_changing: a change of the memory layout and a fill do not miss each other.
 * After "userfaultfd: protect mmap_changing with rw_sem in userfaulfd_ctx" and
 * its discussion on linux-mm, January 2024.
 *
 * A monitor that asked for events (fork, mremap, munmap, MADV_DONTNEED and its
 * like) must not fill pages by a picture of the address space that is out of date.
 * These fields of struct userfaultfd_ctx see to that:
 *
 *	mmap_changing		the number of changes that have begun, and of
 *				which the monitor has not read yet
 *	map_changing_gen	the number of changes that ever began
 *	map_changing_lock	W: both go up
 *				R: a fill, from its test of them to the last page
 *				that it installs
 *	map_changing_yield	the mode, see below; fixed before UFFDIO_API
 *
 *	change					fill
 *
 *	map_changing_begin()			map_changing_fill_begin()
 *	  write lock, waits for fills		  read lock
 *	  mmap_changing++			  first time: note map_changing_gen
 *	  map_changing_gen++			  later: has it moved? -EAGAIN
 *	  write unlock				  mmap_changing? -EAGAIN
 *	queue the event, make the change	install pages
 *	wait for the monitor			map_changing_fill_end()
 *	  it reads the event: mmap_changing--	  read unlock
 *
 * MADV_DONTNEED and its like make their change after the monitor has read the
 * event.  In all cases what a fill installs under the lock is there before the
 * change has begun, or the fill is refused until the event was read: what was filled
 * afterwards is what the monitor wants after the change.
 *
 * A count and not a flag: several tasks may be changing the layout, and the end of
 * one must not admit a fill that another still forbids.  Going down needs no lock,
 * it only admits.
 *
 * A generation besides the count: a fill drops all locks in order to fault in its
 * source, since whoever serves that fault may be waiting for one of them.  In that
 * gap a whole change can come and go, and the count is back where it was.
 *
 * Lock order: mmap_lock -> map_changing_lock -> all that a fill takes.  Nothing
 * is taken inside the write side.  Where fills hold mmap_lock for reading
 * throughout, a change that holds it for writing finds no fill to wait for: then the
 * lock orders fills against userfaultfd_remove(), which holds it for reading only.
 *
 * Yielding mode
 *
 * Here a removal does not wait for fills, which may be at it for gigabytes, and
 * fills let those who wait for their locks in.
 *
 * A removal raises both numbers without the lock.  A fill that is already running
 * finds out page by page, under the page-table lock:
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
 * If F4 comes before R4 the page is removed.  If R4 comes before F4, R2 is visible
 * at F6.  If R3 sees no page table (no page in the page cache) no lock orders the
 * two: either stores first and then reads what the other has stored, so both need
 * a full barrier, R2's and F5.  R1 before R2 and F1 before F2: a fill that
 * noted the number of R2 sees mmap_changing raised, unless the event was read, and then
 * it may go on.  tools/verification/map_changing models this with store buffers.
 *
 * Pages of hugetlb are not validated: a fill has them in the page cache, and its
 * reservations changed, before it takes the page-table lock.  Nor is what
 * UFFDIO_WRITEPROTECT changes.  Removals from such mappings wait, as in the default
 * mode: for one page, if fills let others in, and for a whole UFFDIO_WRITEPROTECT.
 *
 * Fills let others in only if whatever could put another mapping in the place of this
 * one bumps the generation: events for munmap and mremap are on, and UNREGISTER does
 * so in this mode.  Others may split the mapping: then the fill ends, with what it
 * has done.
 *
 * All this is within one context.  A fill through the file of another context than that
 * of the mapping is neither refused nor waited for because of the mapping's changes,
 * as ever, and never lets others in.
 */
#include <linux/errno.h>
#include <linux/map_changing.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmdebug.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/userfaultfd_k.h>

#include <race_points/map_changing.h>

/* 1: a monitor may switch a context of its own to yielding mode.  W: sysctl */
int sysctl_userfaultfd_yield __read_mostly;

/**
 * map_changing_init() - no change, no fill, no event
 * @ctx: a userfaultfd context that nobody else can see yet
 * @parent: the context whose mode it gets; NULL for the default mode
 *
 * The one place that initialises map_changing_lock: one lock class for all
 * contexts, those made by userfaultfd(2) and those made by fork.
 */
void map_changing_init(struct userfaultfd_ctx *ctx,
		       const struct userfaultfd_ctx *parent)
{
	init_rwsem(&ctx->map_changing_lock);
	atomic_set(&ctx->mmap_changing, 0);
	atomic_long_set(&ctx->map_changing_gen, 0);
	INIT_LIST_HEAD(&ctx->events);
	ctx->events_left = 0;
	ctx->events_lost = 0;
	ctx->map_changing_yield = parent && parent->map_changing_yield;
}

/**
 * map_changing_set_yield() - switch a context to yielding mode
 * @ctx: the userfaultfd context
 *
 * The mode decides who waits for whom, so it must not change under a fill or a
 * removal.  There is none before UFFDIO_API, and a fill that comes after it takes
 * map_changing_lock: either it sees the new mode, or @ctx is seen in use here.
 *
 * Context: process context, sleeps.  Takes map_changing_lock for writing.
 * Return: 0; -EPERM: vm.userfaultfd_yield is 0; -EBUSY: UFFDIO_API was called;
 * -EINTR: killed while waiting for the lock.
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
		ctx->map_changing_yield = true;
	up_write(&ctx->map_changing_lock);
	return err;
}

static void map_changing_raise(struct userfaultfd_ctx *ctx)
{
	atomic_inc(&ctx->mmap_changing);
	/*
	 * Fully ordered: after mmap_changing, see [R1] above, and before the
	 * change.  Pairs with smp_mb__after_spinlock() in
	 * __map_changing_fill_valid() and smp_rmb() in map_changing_fill_admit().
	 */
	atomic_long_inc_return(&ctx->map_changing_gen);
}

/**
 * map_changing_begin() - the memory layout is about to change
 * @ctx: context of a mapping that changes; the caller has a reference
 *
 * Waits for the fills that were admitted before; later ones get -EAGAIN until the
 * change ends: when the monitor has read its event, or by map_changing_end() if the
 * change is given up.
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held for
 * writing, so on kernels whose fills hold it for reading there is no wait.
 */
void map_changing_begin(struct userfaultfd_ctx *ctx)
{
	down_write(&ctx->map_changing_lock);
	map_changing_raise(ctx);
	up_write(&ctx->map_changing_lock);
}

/**
 * map_changing_begin_removal() - pages are about to be removed
 * @ctx: context of a mapping that loses them; the caller has a reference
 * @validated: fills into that mapping call map_changing_fill_valid()
 *
 * As map_changing_begin() for callers that can fail.  In yielding mode it does not
 * wait for fills that find out by themselves.
 *
 * Context: process context, sleeps.  The mmap_lock of ctx->mm is held.
 * Return: 0, or -EINTR for a task that was killed before or while it waited: then
 * nothing has begun, and nothing may be removed.
 */
int map_changing_begin_removal(struct userfaultfd_ctx *ctx, bool validated)
{
	bool wait = !ctx->map_changing_yield || !validated;
	int err;

	/* One event is enough: what it would have removed next stays. */
	if (fatal_signal_pending(current))
		return -EINTR;
	/* As in the other mode. */
	if (race_bypass(map_changing_yield))
		wait = true;
	/* As before there was a lock. */
	if (race_bypass(map_changing_lock))
		wait = false;

	if (!wait) {
		map_changing_raise(ctx);
		return 0;
	}
	err = down_write_killable(&ctx->map_changing_lock);
	if (err)
		return err;
	map_changing_raise(ctx);
	up_write(&ctx->map_changing_lock);
	return 0;
}

/**
 * map_changing_end() - fills need not be refused because of this change any more
 * @ctx: context given to map_changing_begin(); the caller has a reference
 *
 * Each begin has one end: by the reader of its event, by whoever withdraws or drops
 * the event, or by a caller whose change is given up.
 *
 * Context: any.
 */
void map_changing_end(struct userfaultfd_ctx *ctx)
{
	/* As with a flag: the first end forgets the other changes. */
	if (race_bypass(map_changing_count))
		atomic_set(&ctx->mmap_changing, 1);

	/*
	 * Never below zero, which would refuse every fill for ever.  But whose end
	 * was it then?
	 */
	WARN_ON_ONCE(atomic_dec_if_positive(&ctx->mmap_changing) < 0);
}

/**
 * map_changing_destroy() - nobody knows this context any more
 * @ctx: a userfaultfd context that is about to be freed
 */
void map_changing_destroy(struct userfaultfd_ctx *ctx)
{
	VM_WARN_ON_ONCE(!list_empty(&ctx->events));
	VM_WARN_ON_ONCE(atomic_read(&ctx->mmap_changing));
}

/**
 * map_changing_invalidate() - fills that hold no lock now must not go on
 * @ctx: context of a mapping that is unregistered
 *
 * For changes that the monitor makes itself: there is no event and nothing to wait
 * for.  In the default mode such fills go on as they always did.
 *
 * Context: the mmap_lock of ctx->mm is held for writing.
 */
void map_changing_invalidate(struct userfaultfd_ctx *ctx)
{
	if (ctx->map_changing_yield)
		atomic_long_inc_return(&ctx->map_changing_gen);
}

/* No change has begun since the fill was admitted. */
static bool map_changing_same(const struct map_changing_fill *fill)
{
	/* As with a count alone. */
	if (race_bypass(map_changing_gen))
		return true;

	return atomic_long_read(&fill->ctx->map_changing_gen) == fill->gen;
}

/**
 * __map_changing_fill_begin() - the part that waits, and that compares
 * @fill: see map_changing_fill_begin()
 *
 * Context: see there.
 * Return: see there.
 */
int __map_changing_fill_begin(struct map_changing_fill *fill)
{
	struct userfaultfd_ctx *ctx = fill->ctx;
	int err = down_read_killable(&ctx->map_changing_lock);

	if (err)
		return err;
	if (fill->paused) {
		if (map_changing_same(fill) && !map_changing_pending(ctx))
			return 0;
	} else if (map_changing_fill_admit(fill)) {
		return 0;
	}
	up_read(&ctx->map_changing_lock);
	return -EAGAIN;
}

/**
 * __map_changing_fill_vma() - the part that compares
 * @fill: see map_changing_fill_vma()
 * @vma: see there
 *
 * Context: see there.
 * Return: see there.
 */
int __map_changing_fill_vma(const struct map_changing_fill *fill,
			    const struct vm_area_struct *vma)
{
	/* As if any mapping would do. */
	if (race_bypass(uffd_fill_kind))
		return 0;
	if (fill->vma_ctx != vma->vm_userfaultfd_ctx.ctx ||
	    fill->vm_ops != vma->vm_ops ||
	    (fill->vm_flags ^ vma->vm_flags) & (VM_SHARED | VM_HUGETLB))
		return -EAGAIN;
	return 0;
}

/**
 * __map_changing_fill_valid() - the part of the yielding mode
 * @fill: see map_changing_fill_valid()
 *
 * Context: the lock of the page table is held.
 * Return: see map_changing_fill_valid().
 */
bool __map_changing_fill_valid(const struct map_changing_fill *fill)
{
	/*
	 * [F5] above: a removal that saw no page table did not take its lock.
	 * Pairs with map_changing_raise().
	 */
	smp_mb__after_spinlock();
	return map_changing_same(fill);
}

/**
 * __map_changing_fill_contended() - the part of the yielding mode
 * @fill: see map_changing_fill_contended()
 * @vma: see there
 *
 * Context: the locks of the fill are held.
 * Return: see map_changing_fill_contended().
 */
bool __map_changing_fill_contended(const struct map_changing_fill *fill,
				   const struct vm_area_struct *vma)
{
	const unsigned int seen = UFFD_FEATURE_EVENT_UNMAP |
				  UFFD_FEATURE_EVENT_REMAP;
	struct userfaultfd_ctx *ctx = fill->ctx;

	if (vma->vm_userfaultfd_ctx.ctx != ctx ||
	    (READ_ONCE(ctx->features) & seen) != seen)
		return false;
	/* As in the other mode. */
	if (race_bypass(map_changing_break))
		return false;

	return vma_lock_is_contended(vma) ||
	       rwsem_is_contended(&ctx->map_changing_lock);
}

/**
 * map_changing_fill_note() - remember what is filled, before the locks are dropped
 * @fill: a fill for which map_changing_fill_begin() returned 0
 * @vma: the mapping that is filled
 *
 * Followed by map_changing_fill_end(), by a fill that drops the lock of its mapping in
 * order to fault in its source or to let others in.  map_changing_fill_begin() has to
 * be asked again, and then map_changing_fill_vma().
 *
 * Context: the locks of the fill are held.
 */
void map_changing_fill_note(struct map_changing_fill *fill,
			    const struct vm_area_struct *vma)
{
	fill->paused = true;
	fill->vma_ctx = vma->vm_userfaultfd_ctx.ctx;
	fill->vm_ops = vma->vm_ops;
	fill->vm_flags = vma->vm_flags;
}

/**
 * map_changing_show() - the lines of fdinfo
 * @m: the file
 * @ctx: the userfaultfd context
 */
void map_changing_show(struct seq_file *m, struct userfaultfd_ctx *ctx)
{
	seq_printf(m, "changing:\t%d\ngeneration:\t%lu\nyield:\t%d\nlost:\t%lu\n",
		   atomic_read(&ctx->mmap_changing),
		   (unsigned long)atomic_long_read(&ctx->map_changing_gen),
		   ctx->map_changing_yield, READ_ONCE(ctx->events_lost));
}
