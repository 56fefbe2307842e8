// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged and files in shmem that are registered with
 * UFFDIO_REGISTER_MODE_MISSING.
 *
 * The monitor of such a mapping is promised the page fault on each hole of the
 * file, so that khugepaged must not fill one.  mmap_lock does not order the
 * two: khugepaged works on the file, and any number of processes may map it.
 * i_mmap_rwsem does:
 *
 *	collapse_file()				userfaultfd_register()
 *	down_read(i_mmap_rwsem)
 *	looks for VM_UFFD_MISSING		sets VM_UFFD_MISSING
 *	fills the holes				down_write(i_mmap_rwsem)
 *	SetPageUptodate()			.
 *	up_read(i_mmap_rwsem)			up_write(i_mmap_rwsem)
 *						the monitor looks for holes
 *
 * Either khugepaged sees the flag and fills nothing, or the registration does
 * not return until what was filled looks filled to everybody, including
 * mincore() and lseek(), which look at PageUptodate.  A mapping that gets the
 * flag otherwise, from fork() or mremap(), gets it before it is linked into
 * i_mmap, which is under i_mmap_rwsem for writing, too.
 *
 * khugepaged copies and clears nothing while it holds i_mmap_rwsem, for which
 * fork(), mmap() and UFFDIO_REGISTER wait with mmap_lock held.  Nor does it
 * wait for memory: reclaim takes i_mmap_rwsem, too.
 */
#include <linux/fs.h>
#include <linux/khugepaged.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/userfaultfd_k.h>

#include <race_points/pgtable_install.h>

#include "shmem_collapse_uffd.h"

/**
 * shmem_uffd_missing_locked() - is a range registered in missing mode?
 * @mapping: of a file in shmem
 * @start: first page of the range, which is that of a huge page
 *
 * Context: i_mmap_rwsem of @mapping held.  A registration that comes after this
 * look waits in khugepaged_wait_for_collapse() until i_mmap_rwsem is dropped.
 * Return: true if a mapping of a part of the range is registered, in which case
 * its holes must not be filled.
 */
bool shmem_uffd_missing_locked(struct address_space *mapping, pgoff_t start)
{
	struct vm_area_struct *vma;

	if (race_bypass(pgtable_hole_watched))
		return false;

	lockdep_assert_held(&mapping->i_mmap_rwsem);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, start,
				  start + HPAGE_PMD_NR - 1)
		if (userfaultfd_missing(vma))
			return true;
	return false;
}

/**
 * shmem_uffd_missing() - is a range registered in missing mode at the moment?
 * @mapping: of a file in shmem
 * @start: first page of the range, which is that of a huge page
 *
 * Spares a collapse that would fail.  Only shmem_uffd_missing_locked() tells
 * whether the holes may be filled.
 *
 * Context: process context, may sleep; takes i_mmap_rwsem for reading.
 * Return: true if a mapping of a part of the range is registered.
 */
bool shmem_uffd_missing(struct address_space *mapping, pgoff_t start)
{
	bool missing;

	i_mmap_lock_read(mapping);
	missing = shmem_uffd_missing_locked(mapping, start);
	i_mmap_unlock_read(mapping);
	return missing;
}

/**
 * khugepaged_wait_for_collapse() - wait for collapses that saw no flag yet
 * @mm: in which a range has been registered with userfaultfd
 * @start: of the range
 * @end: of the range
 *
 * When this returns, each collapse of a file in shmem that is mapped in the
 * range either sees VM_UFFD_MISSING, or has filled its holes and marked the
 * huge page as up to date.
 *
 * Called once for the whole range, when the flags of all mappings are set, and
 * also if the registration has failed half-way: the mappings that have got the
 * flag keep it.  That is early enough: until mmap_lock is dropped no task
 * faults on these mappings, and the monitor is promised nothing.
 *
 * Context: mmap_lock of @mm held for writing.  May sleep; takes i_mmap_rwsem of
 * each file for writing.
 */
void khugepaged_wait_for_collapse(struct mm_struct *mm, unsigned long start,
				  unsigned long end)
{
	struct vm_area_struct *vma;

	if (race_bypass(pgtable_hole_waits))
		return;

	mmap_assert_write_locked(mm);
	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end)) {
		if (!userfaultfd_missing(vma) || !vma_is_shmem(vma))
			continue;
		/* A collapse holds it from its look to SetPageUptodate(). */
		i_mmap_lock_write(vma->vm_file->f_mapping);
		i_mmap_unlock_write(vma->vm_file->f_mapping);
	}
}
