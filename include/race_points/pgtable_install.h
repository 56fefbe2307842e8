/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of the installation of page tables.  They are created
 * in mm/race_points_pgtable_install.c.
 */
#ifndef _RACE_POINTS_PGTABLE_INSTALL_H
#define _RACE_POINTS_PGTABLE_INSTALL_H

#include <linux/pgtable.h>
#include <linux/race_point.h>

RACE_COUNT(pgtable_alloc,
	   "a page table is allocated to be installed at once and empty");
RACE_SPIN(pgtable_install,
	  "a page table is about to be installed: the pmd was none");
RACE_SPIN(pgtable_installed,
	  "a page table was installed if the pmd was still none");
RACE_HOLD(pgtable_fault_around,
	  "a read fault is about to check whether it needs a page table");
RACE_HOLD(pgtable_map_pages,
	  "a read fault has checked for a page table and will map pages");
RACE_HOLD(pgtable_fault,
	  "a fault is about to check whether it needs a page table");
RACE_HOLD(pgtable_fault_asked,
	  "a fault has checked for a page table and will look for its page");
RACE_HOLD(pgtable_decide,
	  "fork or mremap has read a pmd and is about to test the value");
RACE_HOLD(pgtable_migration,
	  "a page has been unmapped and not yet migrated; index: in its file");
RACE_HOLD(pgtable_collapse_page,
	  "khugepaged brings in a page not uptodate; addr: file offset");
RACE_HOLD(pgtable_collapse,
	  "khugepaged has all pages of a huge page; addr: file offset");
RACE_HOLD(pgtable_collapse_mark,
	  "khugepaged will mark a huge page uptodate; addr: file offset");

RACE_GUARD(pgtable_migrating,
	   "a pmd that holds a migration entry is not used as a page table");
RACE_GUARD(pgtable_look_again,
	   "a task that could not install a page table looks at the pmd again");
RACE_GUARD(pgtable_fault_prealloc,
	   "a fault does not allocate a page table under the page lock");
RACE_GUARD(pgtable_fault_postpone,
	   "a fault looks for a huge page before it installs a page table");
RACE_GUARD(pgtable_fill_together,
	   "a fill installs a page table together with the page");
RACE_GUARD(pgtable_one_value,
	   "fork and mremap read a pmd once and test that value");
RACE_GUARD(pgtable_replicate,
	   "fork and mremap do not allocate copies of empty page tables");
RACE_GUARD(pgtable_hole_watched,
	   "khugepaged fills no hole that is registered for missing faults");
RACE_GUARD(pgtable_hole_waits,
	   "a registration waits for a collapse that has not seen it");
RACE_GUARD(pgtable_hole_punched,
	   "khugepaged allocates no page where one was punched out");
RACE_GUARD(pgtable_hole_late,
	   "khugepaged fills holes last, after all that can fail");
RACE_GUARD(pgtable_hole_room,
	   "an allocation that finds no room waits for a collapse of the file");

struct page;

pmd_t race_three_values(struct mm_struct *mm, pmd_t *pmd, unsigned long addr);
void race_read_page(struct address_space *mapping, pgoff_t index);
int race_fill_holes(struct address_space *mapping, struct page *hpage,
		    int holes);

#endif /* _RACE_POINTS_PGTABLE_INSTALL_H */
