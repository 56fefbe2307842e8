// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables are not exposed before they hold something.
 *
 * A pmd of a mapping that huge pages fit in is in one of these states.  Each
 * change is made under the lock of the pmd:
 *
 *	none ------------> page table		pmd_install()
 *	none ------------> huge			a fault, fork(), mremap()
 *	huge <-----------> migrating		migration
 *	huge, migrating -> none			zap or split of a file's page
 *	huge, migrating -> page table		split of an anonymous page
 *	page table ------> none, huge		khugepaged, munmap(), mremap()
 *
 * The last line needs mmap_lock for writing.  munmap() goes on with mmap_lock
 * for reading when no mapping is left that would lead anybody there.  Later
 * kernels take page tables away under mmap_lock for reading, or without it.
 * Hence two rules:
 *
 *  - A page table stays for whoever has mapped and locked it, until the lock is
 *    dropped.  Nothing else lasts that a look at a pmd has shown.  Map and lock
 *    a page table by pte_install_map_lock(), which looks again.
 *
 *  - A page table that holds nothing keeps a huge page out for as long as nobody
 *    takes it away.  So it is allocated early, where its allocation may sleep
 *    (no page lock, no RCU section), and installed late, together with its first
 *    entry, when all that can fail has been tried.
 *
 * A page table is visible to lockless walkers from pmd_populate() on, and empty
 * until its first entry is set under its lock.  The task that installs it goes
 * on to set that entry, and holds mmap_lock.
 *
 * Source: Hugh Dickins, "huge tmpfs: avoid premature exposure of new
 * pagetable", and Kirill A. Shutemov's reply, 2016.
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
 * Each round after the first needs other tasks that have changed the pmd twice
 * in between: a huge page came before the page table and has gone again.
 *
 * Context: as pte_install_map_lock().
 * Return: what the pmd holds.  PMD_STATE_NONE: there is no page table to
 * install.
 */
enum pmd_state pmd_install_table(struct mm_struct *mm, pmd_t *pmd,
				 pgtable_t *prealloc)
{
	enum pmd_state state = pmd_state(pmdp_get_lockless(pmd));

	while (state == PMD_STATE_NONE && *prealloc) {
		pmd_install(mm, pmd, prealloc);
		/* As if nothing could have come and gone. */
		if (race_bypass(pgtable_look_again))
			BUG_ON(pmd_none(*pmd));
		state = pmd_state(pmdp_get_lockless(pmd));
	}
	return state;
}
