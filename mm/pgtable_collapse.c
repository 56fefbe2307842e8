// SPDX-License-Identifier: GPL-2.0
/*
 * The holes of a huge page of shmem that khugepaged puts together.
 *
 * A mapping with VM_UFFD_MISSING promises its monitor the fault on each hole of the
 * file.  khugepaged must not fill one, nor take a page for its own hole that others
 * have put there while it was at work.  So it makes no page where there was one when it
 * looked (SGP_NOALLOC), keeps its hands off the holes until all the pages are together,
 * and then, in this order:
 *
 *	khugepaged				registration
 *	takes i_mmap_rwsem for reading
 *	looks for VM_UFFD_MISSING		sets VM_UFFD_MISSING
 *	counts the holes, fills them		takes i_mmap_rwsem for writing
 *	completes the page, PageUptodate	drops it
 *	drops i_mmap_rwsem			the monitor looks for holes
 *
 * Either the flag is seen and nothing is filled, or the registration waits until what
 * was filled looks filled to everybody, mincore() and lseek() included.
 *
 * mainline has closed this in 6.4.  Source: as mm/pgtable_install.c.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/pgtable_collapse.h>
#include <linux/shmem_fs.h>
#include <linux/xarray.h>

#include <race_points/pgtable_install.h>

/* i_mmap_rwsem is held. */
static bool hole_watched(struct address_space *mapping, pgoff_t start)
{
	struct vm_area_struct *vma;

	if (race_bypass(pgtable_hole_watched))
		return false;
	vma_interval_tree_foreach(vma, &mapping->i_mmap, start,
				  start + HPAGE_PMD_NR - 1)
		if (userfaultfd_missing(vma))
			return true;
	return false;
}

/**
 * collapse_hole_watched() - does a userfaultfd wait for holes of this range?
 * @mapping: of a file in shmem
 * @start: first page of the range, which is that of a huge page
 *
 * Asked before any work is done.  What counts is what collapse_fill_holes() finds.
 *
 * Context: process context, may sleep.  Takes i_mmap_rwsem for reading.
 * Return: true if the holes must stay.
 */
bool collapse_hole_watched(struct address_space *mapping, pgoff_t start)
{
	bool watched;

	i_mmap_lock_read(mapping);
	watched = hole_watched(mapping, start);
	i_mmap_unlock_read(mapping);
	return watched;
}

/* How many slots hold nothing?  The i_pages lock is held. */
static int count_holes(struct xa_state *xas, pgoff_t start)
{
	pgoff_t index;
	int holes = 0;

	for (index = start; index < start + HPAGE_PMD_NR; index++) {
		xas_set(xas, index);
		if (!xas_load(xas))
			holes++;
	}
	return holes;
}

/*
 * All of them, or none if there is no memory for a node that has gone since the caller
 * has made it.  @filled is clear.  The i_pages lock is held throughout.
 */
static bool fill_holes(struct xa_state *xas, pgoff_t start, struct page *hpage,
		       unsigned long *filled)
{
	unsigned int i;

	for (i = 0; i < HPAGE_PMD_NR; i++) {
		xas_set(xas, start + i);
		if (xas_load(xas))
			continue;
		xas_store(xas, hpage);
		if (xas_error(xas))
			goto undo;
		__set_bit(i, filled);
	}
	return true;
undo:
	for_each_set_bit(i, filled, HPAGE_PMD_NR) {
		xas_set(xas, start + i);
		xas_store(xas, NULL);
	}
	return false;
}

/**
 * collapse_fill_holes() - put a huge page where its file has holes
 * @xas: in the i_pages of @mapping, anywhere
 * @mapping: of a file in shmem
 * @hpage: the huge page, locked, not up to date; in all other places of its range
 * @holes: how many there were when the caller has passed them
 *
 * Fills nothing if a userfaultfd waits for a hole, if one has been filled by somebody
 * else, or if there is no room or no memory.
 *
 * As many holes as before are the same holes: nothing else of the range can become one
 * while @hpage is locked.
 *
 * Context: process context, may sleep; the page lock of @hpage held, the i_pages lock
 * not.  Returns true with i_mmap_rwsem held for reading: the caller drops it when
 * @hpage is up to date, and cannot fail any more.
 *
 * Return: true if the holes are filled and accounted for.
 */
bool collapse_fill_holes(struct xa_state *xas, struct address_space *mapping,
			 struct page *hpage, int holes)
{
	/* Before i_mmap_rwsem is held, which reclaim takes. */
	unsigned long *slots = bitmap_zalloc(HPAGE_PMD_NR, GFP_KERNEL);
	pgoff_t start = hpage->index;
	bool watched, filled;
	int found;

	if (!slots)
		return false;
	i_mmap_lock_read(mapping);
	watched = hole_watched(mapping, start);
	xas_lock_irq(xas);
	found = count_holes(xas, start);
	/* As it was: they were filled on the way, and whoever waits for them... */
	if (race_bypass(pgtable_hole_late))
		found = holes;
	/* ...was not looked for. */
	if (race_bypass(pgtable_hole_late))
		watched = false;
	filled = !watched && found == holes && shmem_charge(mapping->host, holes);
	if (filled && !fill_holes(xas, start, hpage, slots)) {
		/* In this order: else it looks as if pages had been freed. */
		shmem_uncharge(mapping->host, holes);
		mapping->nrpages -= holes;
		filled = false;
	}
	xas_unlock_irq(xas);
	if (!filled)
		i_mmap_unlock_read(mapping);
	bitmap_free(slots);
	return filled;
}

/**
 * collapse_free_nodes() - free what xas_create_range() has made for nothing
 * @xas: in the i_pages of a file in shmem, anywhere
 * @hpage: the huge page that has been taken out again
 *
 * A node goes with its last entry; one that never had any stays for ever.  Not called if
 * xas_create_range() itself has failed half-way.
 *
 * Context: the i_pages lock held, the page lock of @hpage too.
 */
void collapse_free_nodes(struct xa_state *xas, struct page *hpage)
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
