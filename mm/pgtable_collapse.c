// SPDX-License-Identifier: GPL-2.0
/*
 * The holes of a huge page of shmem that khugepaged puts together.
 *
 * A mapping with VM_UFFD_MISSING promises its monitor the fault on each hole of the
 * file.  khugepaged must not fill one, nor take a page for its own hole that others
 * have put there while it was at work.  So it makes no page where there was one when it
 * looked (SGP_NOALLOC), charges tmpfs for the holes that it meets but leaves them open
 * until all the pages are together and copied, and then, in this order:
 *
 *	khugepaged				registration
 *	takes i_mmap_rwsem for reading
 *	looks for VM_UFFD_MISSING		sets VM_UFFD_MISSING
 *	counts the holes, fills them		takes i_mmap_rwsem for writing
 *	PageUptodate				drops it
 *	drops i_mmap_rwsem			the monitor looks for holes
 *
 * Either the flag is seen and nothing is filled, or the registration waits until what
 * was filled looks filled to everybody, mincore() and lseek() included.
 *
 * Nothing is copied, cleared or allocated with GFP_KERNEL under i_mmap_rwsem: fork,
 * mmap and a registration wait for it with mmap_lock held, and reclaim takes it.
 *
 * mainline has closed this in 6.4.  Source: as mm/pgtable_install.c.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pgtable_collapse.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/wait_bit.h>
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

/*
 * The file whose holes khugepaged, which is a single thread, has charged for
 * and not filled yet.
 */
static struct address_space *charged;
/* How many collapses have settled.  W: khugepaged */
static unsigned long settled;

/**
 * collapse_charge_hole() - charge tmpfs for a hole that has been met
 * @mapping: of a file in shmem
 *
 * The hole stays open, and for whoever fills it tmpfs is charged once more.  If
 * there is no room for that, he waits in collapse_wait_for_room().
 *
 * Context: the i_pages lock held.  Each collapse of a file in shmem ends with
 * collapse_charge_settled().
 * Return: true if there was room.
 */
bool collapse_charge_hole(struct address_space *mapping)
{
	/* Pairs with collapse_wait_for_room(): who misses the room sees why. */
	smp_store_mb(charged, mapping);
	return shmem_charge(mapping->host, 1);
}

/**
 * collapse_charge_settled() - the holes are filled, or not charged for any more
 *
 * Context: any, khugepaged only.
 */
void collapse_charge_settled(void)
{
	WRITE_ONCE(settled, settled + 1);
	/* The room that has been given back is seen before this is. */
	smp_store_release(&charged, NULL);
	/* For the look of wake_up_var() at who waits. */
	smp_mb();
	wake_up_var(&charged);
}

/* Is the collapse of @mapping still at it that was when @seen was read? */
static bool charged_since(const struct address_space *mapping, unsigned long seen)
{
	/* Pairs with collapse_charge_settled(): the room is seen after. */
	return smp_load_acquire(&charged) == mapping && READ_ONCE(settled) == seen;
}

/**
 * collapse_wait_for_room() - tmpfs seems to be full: is that a collapse?
 * @mapping: of the file that has no room for one more page
 *
 * Where khugepaged fills holes as it meets them, who needs such a page waits for
 * its page lock, and does not fail for want of the room that the collapse has
 * taken.  So he waits here too, for the end of that collapse and not of those that
 * may follow in other ranges of the file, and then looks again for the page.
 *
 * khugepaged takes mmap_lock by trylock alone between charge and settlement, and
 * no i_rwsem, so both may be held here.
 *
 * Context: process context, sleeps as for a page lock; not khugepaged.
 * Return: true if there was a collapse to wait for, so that it is worth while to
 * try again.
 */
bool collapse_wait_for_room(struct address_space *mapping)
{
	unsigned long seen;

	if (race_bypass(pgtable_hole_room))
		return false;
	/* Pairs with collapse_charge_hole(): the charge was seen before. */
	smp_rmb();
	seen = READ_ONCE(settled);
	if (!charged_since(mapping, seen))
		return false;
	wait_var_event(&charged, !charged_since(mapping, seen));
	return true;
}

/**
 * collapse_copy() - give a huge page its content
 * @hpage: the huge page, not up to date
 * @pages: the pages that it is to replace, linked by page->lru in the order of their
 *	index, and such that nobody can change them; what none of them is for is cleared
 *
 * Context: process context, may sleep.
 */
void collapse_copy(struct page *hpage, struct list_head *pages)
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

/* How many slots hold nothing?  The i_pages lock is held. */
static int count_holes(struct address_space *mapping, pgoff_t start)
{
	XA_STATE(xas, &mapping->i_pages, start);
	unsigned int i;
	int holes = 0;

	for (i = 0; i < HPAGE_PMD_NR; i++)
		if (!xas_next(&xas))
			holes++;
	return holes;
}

/*
 * All of them, or none.  A node that the caller has made may have gone since, with a
 * page that was put into it and taken out again.  So all nodes are asked for before the
 * first hole is filled: nothing has to be undone that others could have seen.
 */
static bool fill_holes(struct address_space *mapping, struct page *hpage, int holes)
{
	XA_STATE_ORDER(xas, &mapping->i_pages, hpage->index, HPAGE_PMD_ORDER);
	unsigned int i;
	bool fill;
	int found;

	xas_lock_irq(&xas);
	found = count_holes(mapping, hpage->index);
	/* As it was: they were filled on the way... */
	if (race_bypass(pgtable_hole_late))
		found = holes;
	if (found == holes)
		xas_create_range(&xas);
	fill = found == holes && !xas_error(&xas);
	if (fill) {
		xas_set(&xas, hpage->index);
		for (i = 0; i < HPAGE_PMD_NR; i++)
			if (!xas_next(&xas))
				xas_store(&xas, hpage);
		__mod_lruvec_page_state(hpage, NR_FILE_PAGES, holes);
		__mod_lruvec_page_state(hpage, NR_SHMEM, holes);
	}
	xas_unlock_irq(&xas);
	return fill;
}

/**
 * collapse_fill_holes() - put a huge page where its file has holes
 * @mapping: of a file in shmem
 * @hpage: the huge page, locked, not up to date; in all other places of its range
 * @holes: how many there were when the caller has passed them and charged for them
 *
 * Fills nothing if a userfaultfd waits for a hole, if one has been filled by somebody
 * else, or if there is no memory for a node.
 *
 * As many holes as before are the same holes: nothing else of the range can become one
 * while @hpage is locked.
 *
 * Context: process context, may sleep; the page lock of @hpage held, the i_pages lock
 * not.  Returns true with i_mmap_rwsem held for reading: the caller marks @hpage as up
 * to date, then drops it, and cannot fail any more.
 *
 * Return: true if the holes are filled.
 */
bool collapse_fill_holes(struct address_space *mapping, struct page *hpage, int holes)
{
	bool watched, filled;

	i_mmap_lock_read(mapping);
	watched = hole_watched(mapping, hpage->index);
	/* ...and whoever waits for them was not looked for. */
	if (race_bypass(pgtable_hole_late))
		watched = false;
	filled = !watched && fill_holes(mapping, hpage, holes);
	if (!filled)
		i_mmap_unlock_read(mapping);
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
