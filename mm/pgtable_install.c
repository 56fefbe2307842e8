// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables are not exposed before they hold something.
 *
 * A pmd of a mapping that huge pages fit in is in one of these states:
 *
 *	none ------------> page table		pmd_install(), under the lock of the pmd
 *	none ------------> huge			a fault, fork(), mremap(): the same
 *	huge <-----------> migrating		migration, the same
 *	huge, migrating -> none			zap or split of a file's page, the same
 *	huge, migrating -> page table		split of an anonymous page, the same
 *	page table ------> none, huge		khugepaged, munmap(), mremap()
 *
 * The last line needs mmap_lock for writing (munmap() goes on with it for reading when no
 * mapping is left that would lead anybody there), but later kernels take page tables
 * away under mmap_lock for reading, or without it.  Hence two rules:
 *
 *  - A page table stays for whoever has mapped and locked it, until the lock is dropped.
 *    Nothing else lasts that a look at a pmd has shown: map and lock a page table by
 *    pte_install_map_lock(), which looks again.
 *
 *  - A page table that holds nothing keeps a huge page out for as long as nobody takes
 *    it away.  So it is allocated early, where its allocation may
 *    sleep (no page lock, no RCU section), and installed late, together with its
 *    first entry, when all that can fail has been tried.
 *
 * A page table is visible to lockless walkers from pmd_populate() on, empty until
 * its first entry is set under its lock.  That is an instant and not a state: the
 * task that installs it goes on to set that entry, and holds mmap_lock.
 *
 * Source: Hugh Dickins, "huge tmpfs: avoid premature exposure of new pagetable",
 * and Kirill A. Shutemov's reply, 2016.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "internal.h"
#include "pgtable_install.h"

/**
 * pmd_install_table() - install a page table, unless something else is there
 * @mm: the mm
 * @pmd: where no page table was seen
 * @prealloc: as in pte_install_map_lock(), which calls this
 *
 * Each round after the first takes other tasks that have changed the pmd twice in
 * between: a huge page came before the page table and has gone again.
 *
 * Context: as pte_install_map_lock().
 * Return: what the pmd holds; PMD_STATE_NONE if there is no page table to be installed.
 */
enum pmd_state pmd_install_table(struct mm_struct *mm, pmd_t *pmd,
				 pgtable_t *prealloc)
{
	enum pmd_state state = pmd_state(pmdp_get_lockless(pmd));

	while (state == PMD_STATE_NONE && *prealloc) {
		pmd_install(mm, pmd, prealloc);
		/* What fills used to take for granted. */
		if (race_bypass(pgtable_look_again))
			BUG_ON(pmd_none(*pmd));
		state = pmd_state(pmdp_get_lockless(pmd));
	}
	return state;
}

/**
 * pmd_skip_none() - where does a part of a page table begin to hold something?
 * @mm: the mm
 * @pmd: of the page table
 * @addr: where the part begins
 * @end: where it ends; not beyond this page table
 *
 * Context: mmap_lock of @mm held for writing, so that nothing is added; what is found
 * there can be gone at once.  Takes the lock of the page table, since an entry can be
 * two words.
 * Return: the address of the first entry that is not none, @end if there is none.
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
