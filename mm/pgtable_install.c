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
 * The last line alone needs mmap_lock for writing (munmap() goes on with it for reading
 * when no mapping is left that would lead anybody there).  Hence two rules:
 *
 *  - Who holds mmap_lock for reading, and has seen a page table there, may map and
 *    lock it at any later time.  Who has seen anything else has seen nothing: look
 *    again, under the lock of the pmd or by pte_install_map_lock().
 *
 *  - A page table that holds nothing keeps a huge page out until somebody takes
 *    mmap_lock for writing.  So it is allocated early, where its allocation may
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
#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "internal.h"
#include "pgtable_install.h"

/**
 * pmd_install_table() - install a page table, and see what is there then
 * @mm: the mm
 * @pmd: was seen empty
 * @prealloc: as in pte_install_map_lock(), which calls this
 *
 * A huge page can have come before the page table and have gone again.  There is no
 * second try in here, where a page lock or an RCU section can be held.
 *
 * Context: as pte_install_map_lock().
 * Return: as pte_install_map_lock().
 */
int pmd_install_table(struct mm_struct *mm, pmd_t *pmd, pgtable_t *prealloc)
{
	int err;

	if (!*prealloc)
		return -ENOMEM;
	pmd_install(mm, pmd, prealloc);
	/* What fills used to take for granted. */
	if (race_bypass(pgtable_look_again))
		BUG_ON(pmd_none(*pmd));
	err = pmd_table_check(pmdp_get_lockless(pmd));
	return err == -ENOMEM ? -EBUSY : err;
}

/**
 * pte_range_none() - do entries of one page table hold nothing?
 * @pte: the first entry
 * @nr: how many
 *
 * What a none pte looks like is the architecture's business; it need not be zero.
 *
 * Context: the lock of the page table held, or nobody else can see it.
 * Return: true if all are none.
 */
bool pte_range_none(pte_t *pte, int nr)
{
	for (; nr > 0; nr--, pte++)
		if (!pte_none(*pte))
			return false;
	return true;
}

/**
 * pmd_skip_none() - where does a part of a page table begin to hold something?
 * @mm: the mm
 * @pmd: of the page table, which must be one
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
	spinlock_t *ptl;
	pte_t *start, *pte;

	if (race_bypass(pgtable_replicate))
		return addr;
	start = pte_offset_map_lock(mm, pmd, addr, &ptl);
	for (pte = start; addr != end && pte_none(*pte); pte++)
		addr += PAGE_SIZE;
	pte_unmap_unlock(start, ptl);
	return addr;
}
