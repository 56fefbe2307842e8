/* SPDX-License-Identifier: GPL-2.0 */
/* UFFDIO_WRITEPROTECT of large ranges: see mm/uffd_wp_range.c. */
#ifndef _MM_UFFD_WP_RANGE_H
#define _MM_UFFD_WP_RANGE_H

#include <linux/mm_types.h>
#include <linux/sched/signal.h>

#include <race_points/write_tracking.h>

int uffd_wp_change(struct vm_area_struct *vma, unsigned long start,
		   unsigned long end, bool enable_wp, unsigned long *done);

/**
 * uffd_wp_killed() - is a call that has done a part to end here?
 * @mm: whose pages are protected
 *
 * Context: process context.
 * Return: true if the calling task was killed.
 */
static inline bool uffd_wp_killed(struct mm_struct *mm)
{
	/* As if the call went on to the end. */
	if (race_bypass_mm(wp_fatal_signal, mm))
		return false;
	return fatal_signal_pending(current);
}

#endif /* _MM_UFFD_WP_RANGE_H */
