/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PGTABLE_COLLAPSE_H
#define _LINUX_PGTABLE_COLLAPSE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include <race_points/pgtable_install.h>

struct list_head;
struct page;
struct xa_state;

bool collapse_hole_watched(struct address_space *mapping, pgoff_t start);
bool collapse_charge_hole(struct address_space *mapping);
void collapse_charge_settled(void);
void collapse_copy(struct page *hpage, struct list_head *pages);
bool collapse_fill_holes(struct address_space *mapping, struct page *hpage, int holes);
void collapse_free_nodes(struct xa_state *xas, struct page *hpage);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
bool collapse_wait_for_room(struct address_space *mapping);
#else
static inline bool collapse_wait_for_room(struct address_space *mapping)
{
	return false;
}
#endif

/**
 * collapse_watch_holes() - the holes of a mapping are waited for from now on
 * @vma: has just got its VM_UFFD_MISSING
 *
 * khugepaged fills no hole of its file that is there when this returns: a collapse
 * that was about to do so has either seen the flag or has come to its end.
 *
 * Context: mmap_lock held for writing.  May sleep, takes i_mmap_rwsem.
 */
static inline void collapse_watch_holes(struct vm_area_struct *vma)
{
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    !userfaultfd_missing(vma) || !vma_is_shmem(vma))
		return;
	if (race_bypass(pgtable_hole_waits))
		return;
	i_mmap_lock_write(vma->vm_file->f_mapping);
	i_mmap_unlock_write(vma->vm_file->f_mapping);
}

#endif /* _LINUX_PGTABLE_COLLAPSE_H */
