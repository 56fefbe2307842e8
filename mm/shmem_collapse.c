// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a collapse: the content of the huge page, and the holes of a file
 * in shmem.
 *
 * collapse_file() puts the huge page in the place of each page of the range,
 * and leaves the holes of the range open.  The huge page is locked and not up
 * to date until the collapse is over, so that nobody maps, reads or removes it.
 * Anybody may fill a hole meanwhile, under the i_pages lock as always, and
 * punch it again.
 *
 * When all pages are replaced, their content is copied.  Then the holes are
 * filled with the huge page, all of them or none, in one section under the
 * i_pages lock.  If somebody has filled one, the collapse fails, and that page
 * stays.  After the holes are filled nothing can fail any more.
 */
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "shmem_collapse.h"

/**
 * collapse_copy_pages() - give a huge page its content
 * @hpage: the huge page, not up to date
 * @pages: the pages that it replaces, linked by page->lru and sorted by index
 *
 * The parts of @hpage for which there is no page are cleared.
 *
 * Context: process context, may sleep.  The caller has frozen and locked
 * @pages, and they are not mapped, so that their content cannot change.
 */
void collapse_copy_pages(struct page *hpage, struct list_head *pages)
{
	struct page *page = list_first_entry(pages, struct page, lru);
	unsigned int i;

	for (i = 0; i < HPAGE_PMD_NR; i++) {
		if (!list_entry_is_head(page, pages, lru) &&
		    page->index == hpage->index + i) {
			copy_highpage(hpage + i, page);
			page = list_next_entry(page, lru);
		} else {
			clear_highpage(hpage + i);
		}
		cond_resched();
	}
}

/* The i_pages lock is held. */
static unsigned int count_holes(struct address_space *mapping, pgoff_t start)
{
	XA_STATE(xas, &mapping->i_pages, start);
	unsigned int i, nr_holes = 0;

	for (i = 0; i < HPAGE_PMD_NR; i++)
		if (!xas_next(&xas))
			nr_holes++;
	return nr_holes;
}

/**
 * shmem_collapse_fill_holes() - put a huge page into the holes of its range
 * @mapping: of a file in shmem
 * @hpage: the huge page, which is in all other slots of its range
 * @nr_holes: how many holes there were when they were charged for
 *
 * Fills none if somebody else has filled one, or if there is no memory for a
 * node of the page cache.
 *
 * As many holes as before are the same holes: a page that is removed again
 * leaves the hole that it has filled, and no slot with @hpage becomes a hole,
 * since it is not removed without its page lock.
 *
 * The caller has created the nodes of the range with xas_create_range(), but a
 * node is freed with the last page that is removed from it.  They are created
 * again before the first hole is filled, so that nothing has to be undone.
 *
 * Context: any; takes the i_pages lock.  The page lock of @hpage is held.
 * Return: true if the holes are filled.
 */
bool shmem_collapse_fill_holes(struct address_space *mapping,
			       struct page *hpage, unsigned int nr_holes)
{
	XA_STATE_ORDER(xas, &mapping->i_pages, hpage->index, HPAGE_PMD_ORDER);
	bool filled = false;
	unsigned int i;

	xas_lock_irq(&xas);
	if (count_holes(mapping, hpage->index) != nr_holes)
		goto unlock;
	xas_create_range(&xas);
	if (xas_error(&xas))
		goto unlock;

	xas_set(&xas, hpage->index);
	for (i = 0; i < HPAGE_PMD_NR; i++)
		if (!xas_next(&xas))
			xas_store(&xas, hpage);
	__mod_lruvec_page_state(hpage, NR_FILE_PAGES, nr_holes);
	__mod_lruvec_page_state(hpage, NR_SHMEM, nr_holes);
	filled = true;
unlock:
	xas_unlock_irq(&xas);
	return filled;
}

/**
 * shmem_collapse_free_nodes() - free the nodes of a range that hold nothing
 * @xas: in the i_pages of a file in shmem, anywhere
 * @hpage: the huge page, which is in no slot of its range any more
 *
 * xas_create_range() has created them for a collapse that has failed.  The page
 * cache frees a node when its last entry is removed, so that one which never
 * had any would not even go with the inode.  Each gets an entry here, which is
 * removed at once.  A lookup under RCU that finds it there waits for the lock
 * of @hpage, and then finds that @hpage belongs to no file.
 *
 * Context: any; i_pages lock and page lock of @hpage held.
 */
void shmem_collapse_free_nodes(struct xa_state *xas, struct page *hpage)
{
	pgoff_t index;

	for (index = hpage->index; index < hpage->index + HPAGE_PMD_NR;
	     index += XA_CHUNK_SIZE) {
		xas_set(xas, index);
		if (xas_load(xas) || !xas_is_node(xas) ||
		    xas->xa_node->shift || xas->xa_node->count)
			continue;
		xas_store(xas, hpage);
		xas_store(xas, NULL);
	}
}
