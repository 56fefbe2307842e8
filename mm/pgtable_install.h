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
 * enum pmd_state - what a pmd holds
 * @PMD_STATE_TABLE: a page table
 * @PMD_STATE_NONE: nothing, a page table is needed
 * @PMD_STATE_HUGE: a huge page, under migration or not
 * @PMD_STATE_BAD: what no pmd should hold
 */
enum pmd_state {
	PMD_STATE_TABLE,
	PMD_STATE_NONE,
	PMD_STATE_HUGE,
	PMD_STATE_BAD,
};

/**
 * pmd_state() - what does a pmd hold?
 * @pmd: its value, as pmdp_get_lockless() gives it
 *
 * Context: any.  The pmd may change at once, unless the caller holds its lock.
 * Return: the state that @pmd tells of.
 */
static inline enum pmd_state pmd_state(pmd_t pmd)
{
	if (likely(!pmd_bad(pmd) && pmd_present(pmd) && !pmd_leaf(pmd)))
		return PMD_STATE_TABLE;
	if (pmd_none(pmd))
		return PMD_STATE_NONE;
	if (pmd_present(pmd) && !pmd_leaf(pmd))
		return PMD_STATE_BAD;
	/* As if a huge pmd were one that pmd_trans_huge() knows. */
	if (race_bypass(pgtable_migrating))
		return pmd_trans_huge(pmd) ? PMD_STATE_HUGE : PMD_STATE_TABLE;
	return PMD_STATE_HUGE;
}

enum pmd_state pmd_install_table(struct mm_struct *mm, pmd_t *pmd,
				 pgtable_t *prealloc);

/**
 * pte_install_map_lock() - map and lock a page table, install it if need be
 * @mm: the mm
 * @pmd: of the page table
 * @addr: of the entry that is wanted
 * @prealloc: a page table to be installed if the pmd is none, clean as
 *	pte_alloc_one() made it, or NULL there; set to NULL when it has been
 *	installed, else left to the caller, clean
 * @ptep: the entry, when PMD_STATE_TABLE is returned
 * @ptlp: the lock, which is held then.  Sparse cannot know: tell it,
 *	__acquire(ptl)
 *
 * Never allocates and never sleeps, so that it may be called under a page lock
 * and in an RCU section.  A page table that is there already is used, whoever
 * has installed it.  A caller that then finds no use for the entry leaves an
 * empty page table behind: test what can fail before the call.
 *
 * Context: the mapping of @addr stays: mmap_lock of @mm is held, for reading at
 * least.  The lock of the pmd is not held.
 * Return: PMD_STATE_TABLE, or why there is no page table.  After PMD_STATE_NONE
 * allocate one where that may sleep, and call again.
 */
static inline enum pmd_state
pte_install_map_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
		     pgtable_t *prealloc, pte_t **ptep, spinlock_t **ptlp)
{
	enum pmd_state state;

	do {
		state = pmd_state(pmdp_get_lockless(pmd));
		if (unlikely(state != PMD_STATE_TABLE))
			state = pmd_install_table(mm, pmd, prealloc);
		if (unlikely(state != PMD_STATE_TABLE))
			return state;
		*ptep = pte_offset_map_lock(mm, pmd, addr, ptlp);
		__release(*ptlp);
		/* NULL in kernels that free page tables under mmap_lock. */
	} while (unlikely(!*ptep));
	return PMD_STATE_TABLE;
}

#endif /* _MM_PGTABLE_INSTALL_H */
