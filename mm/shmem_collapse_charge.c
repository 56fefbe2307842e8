// SPDX-License-Identifier: GPL-2.0
/*
 * The blocks of a tmpfs that khugepaged has charged for the holes of a file.
 *
 * khugepaged charges for a hole when it meets it, so that it stops early where
 * there is no room.  Only at the end of the collapse it is known whether the
 * hole is filled or the block is given back.  Until then a task that needs a
 * page of the same file may find the tmpfs full, though the collapse will give
 * back the block, or will fill in the page that the task needs.  Such a task
 * waits for the end of the collapse before it fails.
 *
 * A task that needs a page of another file of the tmpfs does not wait.  It may
 * hold the lock of a page of the file that is collapsed, for which khugepaged
 * waits, and its page is not among those that the collapse fills in.
 */
#include <linux/compiler.h>
#include <linux/fs.h>
#include <linux/shmem_fs.h>
#include <linux/wait_bit.h>

#include <asm/barrier.h>

#include <race_points/pgtable_install.h>

#include "shmem_collapse_charge.h"

/*
 * The file for whose holes khugepaged has charged and not settled yet, or NULL.
 * It is compared and never followed.  khugepaged is the only writer, and it is
 * a single thread; readers take no lock.
 */
static struct address_space *charged_mapping;

/* How many collapses have settled.  Written by khugepaged alone, likewise. */
static unsigned long nr_settled;

/**
 * shmem_collapse_charge() - charge a tmpfs for a hole
 * @mapping: of the file that is collapsed
 *
 * Context: khugepaged only; i_pages lock of @mapping held.  The collapse ends
 * with shmem_collapse_settle().
 * Return: true if there was room.
 */
bool shmem_collapse_charge(struct address_space *mapping)
{
	/*
	 * The file is visible before the charge is: a task that finds no room
	 * because of this charge finds the file, too.  Pairs with smp_rmb() in
	 * shmem_collapse_wait().
	 */
	smp_store_mb(charged_mapping, mapping);
	return shmem_charge(mapping->host, 1);
}

/**
 * shmem_collapse_settle() - wake those who wait for the end of a collapse
 *
 * For each block that the collapse has charged either there is a page now, or
 * it has been uncharged.
 *
 * Context: khugepaged only, at the end of each collapse of a file in shmem.
 */
void shmem_collapse_settle(void)
{
	WRITE_ONCE(nr_settled, nr_settled + 1);
	/*
	 * A task that sees the end of the collapse sees what has been
	 * uncharged.  Pairs with smp_load_acquire() in collapse_pending().
	 */
	smp_store_release(&charged_mapping, NULL);
	/*
	 * Order the store before wake_up_var() looks for waiters.  Pairs with
	 * the barrier in prepare_to_wait_event(), by wait_var_event().
	 */
	smp_mb();
	wake_up_var(&charged_mapping);
}

/* Does the collapse of @mapping go on that was under way at @seen? */
static bool collapse_pending(const struct address_space *mapping,
			     unsigned long seen)
{
	/* Pairs with smp_store_release() in shmem_collapse_settle(). */
	return smp_load_acquire(&charged_mapping) == mapping &&
	       READ_ONCE(nr_settled) == seen;
}

/**
 * shmem_collapse_wait() - wait for a collapse that may give room back
 * @mapping: of the file that has no room for one more page
 *
 * Waits for the end of the collapse of that file that is under way, and not of
 * one that begins later in another range of the file.
 *
 * The caller may hold mmap_lock and i_rwsem: until it settles, khugepaged takes
 * mmap_lock by trylock only, and i_rwsem not at all.  The caller must not hold
 * a page lock nor i_mmap_rwsem, for which khugepaged waits.
 *
 * The caller looks for its page and for room again in any case: the collapse may
 * have settled before this looked for it.
 *
 * Context: process context, but not khugepaged.  Sleeps, until it is killed.
 */
void shmem_collapse_wait(struct address_space *mapping)
{
	unsigned long seen;

	/* As if a block that is charged were gone. */
	if (race_bypass(pgtable_hole_room))
		return;

	/*
	 * The caller has looked for room before this looks for the collapse.
	 * Pairs with smp_store_mb() in shmem_collapse_charge().
	 */
	smp_rmb();
	seen = READ_ONCE(nr_settled);
	wait_var_event_killable(&charged_mapping,
				!collapse_pending(mapping, seen));
}
