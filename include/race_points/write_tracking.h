/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of write tracking: the uffd-wp and soft-dirty bits of
 * page tables, and the pages that are pinned behind them.  They are created in
 * mm/race_points_write_tracking.c.
 */
#ifndef _RACE_POINTS_WRITE_TRACKING_H
#define _RACE_POINTS_WRITE_TRACKING_H

#include <linux/race_point.h>

RACE_HOLD(wp_swapoff_page,
	  "swapoff has a page and is about to lock the page table at addr");
RACE_HOLD(wp_range,
	  "UFFDIO_WRITEPROTECT is about to change the entries from addr on");
RACE_HOLD(wp_ksm_merge,
	  "KSM has found two equal pages and is about to merge the one at addr");
RACE_HOLD(wp_gup_faulted,
	  "get_user_pages() has faulted addr in and is about to look it up again");

RACE_GUARD(wp_thp_migration,
	   "the migration entry of a huge page keeps the uffd-wp bit");
RACE_GUARD(wp_thp_migrating,
	   "the migration entry of a huge page is protected and unprotected");
RACE_GUARD(wp_thp_numa,
	   "NUMA balancing keeps the uffd-wp bit of a huge page that it moves");
RACE_GUARD(wp_swapoff,
	   "swapoff keeps the uffd-wp and soft-dirty bits of a swap entry");
RACE_GUARD(wp_ksm,
	   "KSM keeps the uffd-wp bit of a page that it merges");
RACE_GUARD(softdirty_ksm,
	   "KSM keeps the soft-dirty bit of a page that it merges");
RACE_GUARD(wp_ksm_unmerge,
	   "breaking KSM's sharing does not end at the uffd-wp bit");
RACE_GUARD(wp_copy_readonly,
	   "UFFDIO_COPY_MODE_WP protects in a mapping that is read-only now");
RACE_GUARD(wp_foll_force,
	   "a forced write through get_user_pages() respects the uffd-wp bit");
RACE_GUARD(wp_unregister,
	   "the end of a registration ends the write protection");
RACE_GUARD(wp_close,
	   "the last close ends the write protection");
RACE_GUARD(wp_reregister,
	   "a registration without WP ends the write protection of the one before");
RACE_GUARD(wp_mremap,
	   "mremap ends the write protection of what it moves out of a registration");
RACE_GUARD(wp_mremap_merge,
	   "what mremap moves out of a registration does not merge with what stays");
RACE_GUARD(wp_fork_unread,
	   "a fork that nobody reads of ends the write protection of the child");
RACE_GUARD(wp_waiter,
	   "UFFDIO_UNREGISTER wakes who waits at a write-protected page");
RACE_GUARD(wp_unprotect_only,
	   "UFFDIO_WRITEPROTECT unprotects only what is protected");
RACE_GUARD(wp_fatal_signal,
	   "a fatal signal ends UFFDIO_WRITEPROTECT");
RACE_GUARD(wp_pin,
	   "a pinned page that was exclusive when it was protected is not copied");
RACE_GUARD(wp_pin_fork,
	   "a page that fork shares is exclusive no more");
RACE_GUARD(softdirty_mprotect,
	   "mprotect gives no write permission to a page that is not soft-dirty");
RACE_GUARD(softdirty_merge,
	   "a mapping that merges with a soft-dirty one is soft-dirty");
RACE_GUARD(softdirty_mremap,
	   "mremap that moves whole page tables makes their pages soft-dirty");
RACE_GUARD(softdirty_grow,
	   "a mapping that mremap grows in place is soft-dirty");
RACE_GUARD(softdirty_migration,
	   "a page under migration is not writable after its bit is cleared");

#endif /* _RACE_POINTS_WRITE_TRACKING_H */
