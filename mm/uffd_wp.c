// SPDX-License-Identifier: GPL-2.0
/*
 * The end of write protection by userfaultfd, in page tables.
 *
 * It changes what is protected, and no more.  An entry that is not protected
 * keeps the write permission that it has: without it the next write would copy
 * the page if anybody else has a reference to it, and leave behind whoever has
 * pinned it.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include <asm/tlbflush.h>

#include "internal.h"
#include "uffd_wp.h"

/* Does the end of a protection change this entry, which is not none? */
static bool pte_uffd_wp_ends(struct mm_struct *mm, pte_t pte)
{
	/* As if each page were protected. */
	if (race_bypass_mm(wp_unprotect_only, mm))
		return true;
	return pte_present(pte) ? pte_uffd_wp(pte) : pte_swp_uffd_wp(pte);
}

/**
 * uffd_wp_end_ptes() - end the protection of pages within a page table
 * @vma: the mapping
 * @pmd: of the page table
 * @addr: of the first page
 * @end: behind the last one
 * @newprot: what the pages get, of change_protection()
 *
 * Context: mmap_lock is held; the pmd points to a page table, which stays.
 * Return: how many entries were changed.  They are to be flushed from the TLBs.
 */
unsigned long uffd_wp_end_ptes(struct vm_area_struct *vma, pmd_t *pmd,
			       unsigned long addr, unsigned long end,
			       pgprot_t newprot)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long pages = 0;
	pte_t *pte, oldpte, newpte;
	spinlock_t *ptl;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	flush_tlb_batched_pending(mm);
	arch_enter_lazy_mmu_mode();
	do {
		oldpte = *pte;
		if (pte_none(oldpte) || !pte_uffd_wp_ends(mm, oldpte))
			continue;
		if (pte_present(oldpte)) {
			oldpte = ptep_modify_prot_start(vma, addr, pte);
			newpte = pte_modify(oldpte, newprot);
			/*
			 * The write permission is left to the page fault
			 * handler, which knows if the page is to be copied.
			 */
			newpte = pte_clear_uffd_wp(newpte);
			ptep_modify_prot_commit(vma, addr, pte, oldpte, newpte);
		} else {
			/* A migration entry that is protected is readable. */
			newpte = pte_swp_clear_uffd_wp(oldpte);
			set_pte_at(mm, addr, pte, newpte);
		}
		pages++;
	} while (pte++, addr += PAGE_SIZE, addr != end);
	arch_leave_lazy_mmu_mode();
	pte_unmap_unlock(pte - 1, ptl);

	return pages;
}
