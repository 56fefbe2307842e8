/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of page tables that are not exposed before they hold
 * something.  Created in mm/race_points_pgtable_install.c.
 */
#ifndef _RACE_POINTS_PGTABLE_INSTALL_H
#define _RACE_POINTS_PGTABLE_INSTALL_H

#include <linux/pgtable.h>
#include <linux/race_point.h>

RACE_COUNT(pgtable_alloc,
	   "a page table is allocated in order to be installed at once, empty");
RACE_SPIN(pgtable_install,
	  "a page table is about to be installed, the pmd was seen empty");
RACE_SPIN(pgtable_installed,
	  "the pmd has a page table now, or had something else before");
RACE_HOLD(pgtable_fault_around,
	  "a read fault is about to ask whether it needs a page table");
RACE_HOLD(pgtable_map_pages,
	  "a read fault has asked, and is about to map pages around it");
RACE_HOLD(pgtable_fault,
	  "a fault is about to ask whether it needs a page table");
RACE_HOLD(pgtable_fault_asked,
	  "a fault has asked, and is about to look for its page");
RACE_HOLD(pgtable_decide,
	  "fork or mremap decides what a pmd is that it has looked at");
RACE_HOLD(pgtable_migration,
	  "a page has been unmapped, and not yet been migrated; index: in its file");
RACE_HOLD(pgtable_collapse_page,
	  "khugepaged brings in a page that is not up to date; addr: file offset");
RACE_HOLD(pgtable_collapse,
	  "khugepaged has all pages of a huge page together; addr: file offset");
RACE_HOLD(pgtable_collapse_copied,
	  "khugepaged has copied the pages of a huge page; addr: file offset");
RACE_HOLD(pgtable_collapse_mark,
	  "khugepaged is about to mark a huge page up to date; addr: file offset");

RACE_GUARD(pgtable_migrating,
	   "a pmd that is under migration is not taken for a page table");
RACE_GUARD(pgtable_look_again,
	   "who could not install a page table looks again at what is there");
RACE_GUARD(pgtable_fault_prealloc,
	   "a fault without a page table does not allocate it under locks");
RACE_GUARD(pgtable_fault_postpone,
	   "a fault installs no page table before it has looked for a huge page");
RACE_GUARD(pgtable_fill_together,
	   "a fill installs a page table together with the page");
RACE_GUARD(pgtable_one_value,
	   "fork and mremap decide by one value of a pmd");
RACE_GUARD(pgtable_replicate,
	   "fork and mremap leave page tables behind that hold nothing");
RACE_GUARD(pgtable_hole_watched,
	   "khugepaged fills no hole whose fault a userfaultfd waits for");
RACE_GUARD(pgtable_hole_waits,
	   "a registration waits for a collapse that has not seen it");
RACE_GUARD(pgtable_hole_punched,
	   "khugepaged makes no page where there was one when it looked");
RACE_GUARD(pgtable_hole_late,
	   "khugepaged fills holes last, so that others can fill them first");
RACE_GUARD(pgtable_hole_room,
	   "who finds no room waits for a collapse that has taken it");

pmd_t race_three_values(struct mm_struct *mm, pmd_t *pmd, unsigned long addr);

#endif /* _RACE_POINTS_PGTABLE_INSTALL_H */
