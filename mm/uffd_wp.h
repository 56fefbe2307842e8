/* SPDX-License-Identifier: GPL-2.0 */
/* The end of write protection by userfaultfd, in page tables: see mm/uffd_wp.c. */
#ifndef _MM_UFFD_WP_H
#define _MM_UFFD_WP_H

#include <linux/huge_mm.h>
#include <linux/mm.h>

#include <race_points/write_tracking.h>

/**
 * pmd_uffd_wp_ends() - does the end of a protection change this huge page?
 * @mm: of the page table
 * @pmd: that maps it, or is its migration entry
 *
 * Context: the answer counts under the page-table lock.  Without it: at the
 * time when @pmd was read.
 * Return: true if @pmd is protected.
 */
static inline bool pmd_uffd_wp_ends(struct mm_struct *mm, pmd_t pmd)
{
	/* As if each page were protected. */
	if (race_bypass_mm(wp_unprotect_only, mm))
		return true;
	return is_swap_pmd(pmd) ? pmd_swp_uffd_wp(pmd) : pmd_uffd_wp(pmd);
}

/**
 * uffd_wp_leaves_huge() - is a huge page left whole for a part of it?
 * @mm: of the page table
 * @pmd: where the huge page was seen
 *
 * The pmd is read once: entries of a page table that has taken the place of the
 * huge page meanwhile may be protected.
 *
 * Context: mmap_lock is held.
 * Return: true if a huge page is there that is not protected.
 */
static inline bool uffd_wp_leaves_huge(struct mm_struct *mm, pmd_t *pmd)
{
	pmd_t pmdval = pmd_read_atomic(pmd);

	barrier();
	return (is_swap_pmd(pmdval) || pmd_trans_huge(pmdval)) &&
	       !pmd_uffd_wp_ends(mm, pmdval);
}

#ifdef CONFIG_USERFAULTFD
unsigned long uffd_wp_end_ptes(struct vm_area_struct *vma, pmd_t *pmd,
			       unsigned long addr, unsigned long end,
			       pgprot_t newprot);
#else
static inline unsigned long uffd_wp_end_ptes(struct vm_area_struct *vma,
					     pmd_t *pmd, unsigned long addr,
					     unsigned long end,
					     pgprot_t newprot)
{
	return 0;
}
#endif

#endif /* _MM_UFFD_WP_H */
