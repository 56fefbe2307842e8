// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_WRITEPROTECT of large ranges.
 *
 * Many GiB are changed by parts: each has at most the pages of one entry of a
 * pud, and is flushed from the TLBs before the next one begins.  A fatal signal
 * ends the call between two parts: whoever waits for the killed task's memory,
 * or for mmap_lock, does not wait for the whole range.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "uffd_wp_range.h"

/**
 * uffd_wp_change() - protect pages of a mapping, or end their protection
 * @vma: the mapping
 * @start: of the first page
 * @end: behind the last one
 * @enable_wp: protect them
 * @done: set to the end of what was changed
 *
 * Changes one part at least.
 *
 * Context: process context, sleeps.  The mmap_lock of @vma is held.
 * Return: 0; or -EINTR if the task was killed before the last part.
 */
int uffd_wp_change(struct vm_area_struct *vma, unsigned long start,
		   unsigned long end, bool enable_wp, unsigned long *done)
{
	unsigned long cp_flags = MM_CP_UFFD_WP_RESOLVE, next;
	unsigned long vm_flags = vma->vm_flags;
	pgprot_t newprot;

	if (enable_wp) {
		cp_flags = MM_CP_UFFD_WP;
		vm_flags &= ~VM_WRITE;
	}
	newprot = vm_get_page_prot(vm_flags);

	do {
		next = pud_addr_end(start, end);
		race_hold(wp_range, vma->vm_mm, start);
		change_protection(vma, start, next, newprot, cp_flags);
		*done = next;
		start = next;
	} while (start < end && !uffd_wp_killed(vma->vm_mm));

	return start < end ? -EINTR : 0;
}
