/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fill of a userfaultfd drops its locks in order to fault in its source.  It
 * brings a page along to the mapping that it finds when it takes them again,
 * and that page fits only in a mapping of the same kind.
 */
#ifndef _MM_UFFD_FILL_KIND_H
#define _MM_UFFD_FILL_KIND_H

#include <linux/mm.h>
#include <linux/mm_types.h>

#include <race_points/map_changing.h>

/**
 * struct uffd_fill_kind - the mapping that was filled when the locks were dropped
 * @ctx: the context of its userfaultfd, NULL until the fill drops its locks
 * @vm_ops: with @vm_flags, its kind
 * @vm_flags: see @vm_ops; VM_SHARED and VM_HUGETLB count
 *
 * @ctx and @vm_ops are compared and never followed.
 */
struct uffd_fill_kind {
	const void *ctx;
	const void *vm_ops;
	unsigned long vm_flags;
};

/**
 * uffd_fill_kind_init() - a fill that has not dropped its locks yet
 * @kind: to be set up
 *
 * Context: any.
 */
static inline void uffd_fill_kind_init(struct uffd_fill_kind *kind)
{
	kind->ctx = NULL;
}

/**
 * uffd_fill_kind_note() - a fill is about to drop its locks
 * @kind: of the fill
 * @vma: the mapping that is filled, which is registered
 *
 * Context: the mmap_lock of @vma is held.
 */
static inline void uffd_fill_kind_note(struct uffd_fill_kind *kind,
				       const struct vm_area_struct *vma)
{
	kind->ctx = vma->vm_userfaultfd_ctx.ctx;
	kind->vm_ops = vma->vm_ops;
	kind->vm_flags = vma->vm_flags;
}

/**
 * uffd_fill_kind_fits() - may a fill go on in this mapping?
 * @kind: of the fill
 * @vma: the mapping that is there now
 *
 * Context: the mmap_lock of @vma is held.
 * Return: true if the fill has not dropped its locks, or if @vma is of the same
 * context and kind as the mapping that it was in then.
 */
static inline bool uffd_fill_kind_fits(const struct uffd_fill_kind *kind,
				       const struct vm_area_struct *vma)
{
	if (likely(!kind->ctx))
		return true;
	/* As if a fill could go on in any mapping. */
	if (race_bypass(uffd_fill_kind))
		return true;

	return kind->ctx == vma->vm_userfaultfd_ctx.ctx &&
	       kind->vm_ops == vma->vm_ops &&
	       !((kind->vm_flags ^ vma->vm_flags) & (VM_SHARED | VM_HUGETLB));
}

#endif /* _MM_UFFD_FILL_KIND_H */
