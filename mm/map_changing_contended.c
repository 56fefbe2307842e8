// SPDX-License-Identifier: GPL-2.0
/*
 * In yielding mode a fill drops its locks after a page if they are contended,
 * and takes them again.  See mm/map_changing_yield.c for the mode.
 *
 * It does so only where whatever could put another mapping in the place of this
 * one moves map_changing_gen: the events of munmap and mremap are on, and
 * UNREGISTER moves it in this mode.  Others may split the mapping: then the
 * fill ends with what it has done.  A fill through the file of another context
 * than that of the mapping never drops its locks.
 *
 * A removal that waits for fills, since what they do there is not validated,
 * waits for one page therefore, and for a whole UFFDIO_WRITEPROTECT.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/map_changing.h>
#include <linux/map_changing_contended.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/rwsem.h>
#include <linux/userfaultfd_k.h>

#include <race_points/map_changing.h>

/**
 * map_changing_invalidate() - fills that hold no lock now must not go on
 * @ctx: context of a mapping that is unregistered
 *
 * For changes that the monitor makes itself: there is no event and nothing to
 * wait for.  In the default mode such fills go on, as they did before.
 *
 * Context: the mmap_lock of ctx->mm is held for writing.
 */
void map_changing_invalidate(struct userfaultfd_ctx *ctx)
{
	/* As if a mapping that is registered again were the same one. */
	if (race_bypass(map_changing_unregister))
		return;

	if (ctx->map_changing_yield)
		atomic_long_inc_return(&ctx->map_changing_gen);
}

/**
 * __map_changing_fill_contended() - shall this fill drop its locks?
 * @fill: a fill in yielding mode
 * @vma: the mapping that is filled
 *
 * Context: as map_changing_fill_contended().
 * Return: as map_changing_fill_contended().
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
	/* As in the default mode. */
	if (race_bypass(map_changing_break))
		return false;

	return mmap_lock_is_contended(vma->vm_mm) ||
	       rwsem_is_contended(&ctx->map_changing_lock);
}
