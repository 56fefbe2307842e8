/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Before all else in each file of a kernel of FLAVOUR=deposit: what an architecture
 * overrides that deposits a page table under each huge pmd.
 */
#ifndef __ASSEMBLY__
#define arch_needs_pgtable_deposit() (true)
/* With it the page table moves along, also that of a file. */
#define pmd_move_must_withdraw(new_ptl, old_ptl, vma) ((new_ptl) != (old_ptl))
#endif
