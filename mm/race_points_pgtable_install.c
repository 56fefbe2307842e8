// SPDX-License-Identifier: GPL-2.0
/* Creates the race points and guards of page tables and their installation. */
#define CREATE_RACE_POINTS
#include <race_points/pgtable_install.h>

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

/**
 * race_three_values() - read a pmd as code does that reads it three times
 * @mm: the mm
 * @pmd: the pmd
 * @addr: its address
 *
 * is_swap_pmd(*pmd) || pmd_trans_huge(*pmd) || pmd_devmap(*pmd) reads *pmd
 * three times, though a compiler may merge the reads.  Here they are separate,
 * with pgtable_decide between them.  The third test is left out, since it is
 * true of DAX only.
 *
 * Context: mmap_lock of @mm held for writing.  Sleeps.
 * Return: the value that was found none, under migration, or huge; otherwise
 * one that is present and not huge.
 */
pmd_t race_three_values(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	pmd_t pmdval = READ_ONCE(*pmd);

	if (!pmd_present(pmdval))
		return pmdval;
	race_hold(pgtable_decide, mm, addr);
	pmdval = READ_ONCE(*pmd);
	if (pmd_present(pmdval) && pmd_leaf(pmdval))
		return pmdval;
	race_hold(pgtable_decide, mm, addr);
	return pfn_pmd(0, PAGE_READONLY);
#else
	return READ_ONCE(*pmd);
#endif
}

/**
 * race_read_page() - make a page, also where there is a hole
 * @mapping: of a file in shmem
 * @index: of the page
 *
 * This is what khugepaged does without pgtable_hole_punched: the page is there
 * when it asks for one that must exist.
 *
 * Context: process context, no page lock held.  Sleeps.
 */
void race_read_page(struct address_space *mapping, pgoff_t index)
{
	struct page *page = shmem_read_mapping_page(mapping, index);

	if (!IS_ERR(page))
		put_page(page);
}
