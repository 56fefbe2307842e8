// SPDX-License-Identifier: GPL-2.0
/* What the bypass of pgtable_hole_late needs. */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/xarray.h>

#include <race_points/pgtable_install.h>

/**
 * race_fill_holes() - fill the holes of a huge page before it has its content
 * @mapping: of a file in shmem
 * @hpage: the huge page, in all other slots of its range
 * @holes: how many there were when khugepaged passed them
 *
 * This is what khugepaged does without pgtable_hole_late: nothing is left to be
 * filled when the pages are copied, so that nobody is asked.
 *
 * Context: process context, page lock of @hpage held, i_pages lock not held.
 * Return: how many holes are left: none, or @holes if others have filled one.
 */
int race_fill_holes(struct address_space *mapping, struct page *hpage,
		    int holes)
{
	XA_STATE(xas, &mapping->i_pages, hpage->index);
	int i, found = 0;

	xas_lock_irq(&xas);
	for (i = 0; i < HPAGE_PMD_NR; i++)
		if (!xas_next(&xas))
			found++;
	if (found == holes) {
		xas_set(&xas, hpage->index);
		for (i = 0; i < HPAGE_PMD_NR; i++)
			if (!xas_next(&xas))
				xas_store(&xas, hpage);
		__mod_lruvec_page_state(hpage, NR_FILE_PAGES, holes);
		__mod_lruvec_page_state(hpage, NR_SHMEM, holes);
		holes = 0;
	}
	xas_unlock_irq(&xas);
	return holes;
}
