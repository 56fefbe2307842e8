/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page tables that are not exposed before they hold something: see
 * mm/pgtable_install.c.
 */
#ifndef _MM_PGTABLE_INSTALL_H
#define _MM_PGTABLE_INSTALL_H

#include <linux/mm.h>

#include <race_points/pgtable_install.h>

#include "internal.h"

/**
 * pmd_table_check() - does a pmd point to a page table, and if not, why?
 * @pmd: its value, as pmdp_get_lockless() gives it
 *
 * Context: any.  What is said of a page table stays true while the caller holds
 * mmap_lock; all else may change unless it holds the lock of the pmd.
 *
 * Return: 0 for a page table.  -ENOMEM if there is nothing, so that a page table
 * is needed; -EEXIST for a huge page, under migration or not; -EFAULT for a pmd
 * that makes no sense.
 */
static inline int pmd_table_check(pmd_t pmd)
{
	if (likely(pmd_present(pmd) && !pmd_leaf(pmd)))
		return unlikely(pmd_bad(pmd)) ? -EFAULT : 0;
	if (pmd_none(pmd))
		return -ENOMEM;
	/* What fills used to ask. */
	if (race_bypass(pgtable_migrating))
		return pmd_trans_huge(pmd) ? -EEXIST : 0;
	return -EEXIST;
}

int pmd_install_table(struct mm_struct *mm, pmd_t *pmd, pgtable_t *prealloc);

/**
 * pte_install_map_lock() - map and lock a page table, installed if there is none
 * @mm: the mm
 * @pmd: of the page table
 * @addr: of the entry that is wanted
 * @prealloc: where the caller has a page table to be installed if the pmd is empty,
 *	clean as pte_alloc_one() made it, or NULL; set to NULL when it has been
 *	installed, else left to the caller, clean.  @prealloc itself is NULL if the
 *	caller has seen a page table, which stays
 * @ptep: the entry, when 0 is returned
 * @ptlp: the lock, which is held then.  Sparse cannot know: tell it, __acquire(ptl)
 *
 * Never allocates and never sleeps, and so may be called under a page lock and in
 * an RCU section.  A page table that is there before is used, whoever has
 * installed it.  A caller that then finds no use for the entry leaves what it has
 * installed behind, empty: test what can fail before the call.
 *
 * Context: mmap_lock of @mm held, for reading at least; the lock of the pmd not.
 * Return: 0, or why there is no page table: -ENOMEM if the pmd is empty and there
 * is none to be installed; -EBUSY if something kept @prealloc out and the pmd is
 * empty again, so that another try is due; otherwise as pmd_table_check().
 */
static inline int pte_install_map_lock(struct mm_struct *mm, pmd_t *pmd,
				       unsigned long addr, pgtable_t *prealloc,
				       pte_t **ptep, spinlock_t **ptlp)
{
	int err = prealloc ? pmd_table_check(pmdp_get_lockless(pmd)) : 0;

	if (unlikely(err == -ENOMEM))
		err = pmd_install_table(mm, pmd, prealloc);
	if (likely(!err)) {
		*ptep = pte_offset_map_lock(mm, pmd, addr, ptlp);
		__release(*ptlp);
	}
	return err;
}

bool pte_range_none(pte_t *pte, int nr);
unsigned long pmd_skip_none(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			    unsigned long end);

/**
 * pmd_range_none() - does a part of a page table hold nothing?
 * @mm: the mm
 * @pmd: of the page table, which must be one
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

#endif /* _MM_PGTABLE_INSTALL_H */
