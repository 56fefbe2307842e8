/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a page table holds anything: see mm/pgtable_range.c.
 */
#ifndef _MM_PGTABLE_RANGE_H
#define _MM_PGTABLE_RANGE_H

#include <linux/mm_types.h>
#include <linux/pgtable.h>

unsigned long pmd_skip_none(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			    unsigned long end);

/**
 * pmd_range_none() - does a part of a page table hold nothing?
 * @mm: the mm
 * @pmd: of the page table
 * @addr: where the part begins
 * @end: where it ends; not beyond this page table
 *
 * Context: as pmd_skip_none().
 * Return: true if there is nothing to be copied or moved.
 */
static inline bool pmd_range_none(struct mm_struct *mm, pmd_t *pmd,
				  unsigned long addr, unsigned long end)
{
	return pmd_skip_none(mm, pmd, addr, end) == end;
}

#endif /* _MM_PGTABLE_RANGE_H */
