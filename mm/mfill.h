/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fills of a userfaultfd share that install page tables: of anonymous
 * memory in mm/userfaultfd.c, and of shmem in mm/shmem.c.
 */
#ifndef _MM_MFILL_H
#define _MM_MFILL_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/map_changing_yield.h>
#include <linux/mm.h>

#include <asm/pgalloc.h>

#include "pgtable_install.h"

/**
 * map_changing_fill_may_go_on() - is it of use to install a page table?
 * @fill: a fill in yielding mode, or NULL
 *
 * Context: any.  The answer counts under the page-table lock, where
 * map_changing_fill_valid() is asked again.
 * Return: false if it is bound to fail then.
 */
static inline bool
map_changing_fill_may_go_on(const struct map_changing_fill *fill)
{
	return map_changing_fill_valid(fill);
}

/**
 * pmd_state_error() - the errno of a system call that needed a page table
 * @state: as pte_install_map_lock() returned it
 *
 * Context: any.
 * Return: 0 for a page table; -ENOMEM if there is none, and none to be
 * installed; -EEXIST if a huge page is mapped there; -EFAULT for a bad pmd.
 */
static inline int pmd_state_error(enum pmd_state state)
{
	if (likely(state == PMD_STATE_TABLE))
		return 0;
	if (state == PMD_STATE_NONE)
		return -ENOMEM;
	return state == PMD_STATE_HUGE ? -EEXIST : -EFAULT;
}

/**
 * pte_prealloc() - have a page table at hand where there is none
 * @mm: the mm
 * @pmd: of the page table
 * @prealloc: where the caller keeps a page table, or NULL there; set if one is
 *	allocated
 *
 * What is at hand is installed by pte_install_map_lock() together with its
 * first entry, or freed by the caller.
 *
 * Context: process context, sleeps.  The mmap_lock of @mm is held, for reading
 * at least: if there is a page table it stays on kernels that do not take page
 * tables away under mmap_lock for reading.
 * Return: PMD_STATE_TABLE if there is a page table, or one at hand;
 * PMD_STATE_NONE if there is no memory for one; otherwise what the pmd holds.
 */
static inline enum pmd_state
pte_prealloc(struct mm_struct *mm, pmd_t *pmd, pgtable_t *prealloc)
{
	enum pmd_state state = pmd_state(pmdp_get_lockless(pmd));

	if (likely(state != PMD_STATE_NONE))
		return state;
	if (!*prealloc)
		*prealloc = pte_alloc_one(mm);
	return *prealloc ? PMD_STATE_TABLE : PMD_STATE_NONE;
}

#endif /* _MM_MFILL_H */
