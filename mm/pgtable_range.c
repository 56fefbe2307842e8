// SPDX-License-Identifier: GPL-2.0
/*
 * Where a page table holds anything.
 *
 * Whoever copies or moves the entries of a page table under mmap_lock for
 * writing leaves an empty one behind: a copy would hold nothing, and would keep
 * huge pages out of its range.  See mm/pgtable_install.c.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "pgtable_range.h"

#include <race_points/pgtable_install.h>

/**
 * pmd_skip_none() - where does a part of a page table begin to hold something?
 * @mm: the mm
 * @pmd: of the page table
 * @addr: where the part begins
 * @end: where it ends; not beyond this page table
 *
 * Context: mmap_lock of @mm is held for writing, so that nothing is added.
 * What is found there can be gone at once.  Takes the lock of the page table,
 * since an entry can be two words.
 * Return: the address of the first entry that is not none, @end if there is
 * none.
 */
unsigned long pmd_skip_none(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			    unsigned long end)
{
	unsigned long nr = (end - addr) >> PAGE_SHIFT;
	pte_t *start, *pte;
	spinlock_t *ptl;

	if (race_bypass(pgtable_replicate))
		return addr;
	start = pte_offset_map_lock(mm, pmd, addr, &ptl);
	/* NULL in kernels that free page tables under mmap_lock. */
	if (!start) {
		__release(ptl);
		return end;
	}
	for (pte = start; pte != start + nr; pte++)
		if (!pte_none(ptep_get(pte)))
			break;
	addr += (pte - start) << PAGE_SHIFT;
	pte_unmap_unlock(start, ptl);
	return addr;
}
