/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a page table holds anything: see mm/pgtable_range.c.
 */
#ifndef _MM_PGTABLE_RANGE_H
#define _MM_PGTABLE_RANGE_H

#include <linux/mm_types.h>

unsigned long pmd_skip_none(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			    unsigned long end);

#endif /* _MM_PGTABLE_RANGE_H */
