/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of map_changing: fills of a userfaultfd against
 * changes of the memory layout.  Created in mm/race_points_map_changing.c.
 */
#ifndef _RACE_POINTS_MAP_CHANGING_H
#define _RACE_POINTS_MAP_CHANGING_H

#include <linux/race_point.h>

RACE_HOLD(uffd_fill_page,
	  "a fill was admitted and tries to install the page at addr");
RACE_HOLD(uffd_fill_map,
	  "a fill has its page ready, and is about to lock the page table");
RACE_HOLD(uffd_fill_unlocked,
	  "a fill has dropped its locks; it goes on with the page at addr");
RACE_HOLD(uffd_event_waited,
	  "a task waits for the monitor no more: event read, killed or closed");
RACE_HOLD(uffd_fork_unlocked,
	  "fork has copied the mappings, and not yet waited for the monitor");
RACE_HOLD(uffd_fork_copied,
	  "fork has copied the mappings, and not yet flushed the parent's TLBs");
RACE_HOLD(uffd_unmap_next,
	  "an unmapping has begun its change for one context, others may follow");
RACE_HOLD(uffd_unmap_begun,
	  "an unmapping has begun its change, and not yet unmapped anything");
RACE_HOLD(uffd_unmap_zapped,
	  "a range is unmapped, and the TLBs are not yet flushed");
RACE_HOLD(uffd_release,
	  "the last close has marked the context, its mappings are registered");
RACE_HOLD(uffd_fault_released,
	  "a fault meets a context whose last close is under way");
RACE_COUNT(uffd_remove_begin,
	   "MADV_DONTNEED or its like is about to announce a removal at addr");

RACE_GUARD(map_changing_count,
	   "mmap_changing counts: one event that ends leaves the others pending");
RACE_GUARD(map_changing_lock,
	   "a layout change waits for the fills that were admitted before it");
RACE_GUARD(map_changing_gen,
	   "a fill sees changes that came and went while it held no lock");
RACE_GUARD(map_changing_late,
	   "in yielding mode a fill asks under the page-table lock");
RACE_GUARD(map_changing_ack,
	   "the read of an event ends its change, not the task that made it");
RACE_GUARD(map_changing_order,
	   "events are queued as the changes are made, before locks are dropped");
RACE_GUARD(map_changing_killed,
	   "a killed task leaves its event to the monitor");
RACE_GUARD(map_changing_at_once,
	   "a fill is refused at once, also while the change holds mmap_lock");
RACE_GUARD(map_changing_yield,
	   "in yielding mode a removal does not wait for fills");
RACE_GUARD(map_changing_break,
	   "in yielding mode a fill lets those in who wait for its locks");
RACE_GUARD(uffd_read_copied,
	   "an event counts as read once the reader has it in its memory");
RACE_GUARD(uffd_read_place,
	   "an event that cannot be delivered keeps its place in the queue");
RACE_GUARD(uffd_read_edge,
	   "who reads one of several events gets an edge for the next one");
RACE_GUARD(uffd_fork_fail,
	   "a fork that fails sends no event");
RACE_GUARD(uffd_fork_flushed,
	   "the monitor is told of a fork when no TLB lets the parent write");
RACE_GUARD(uffd_fork_uprobe,
	   "a fork that waits for its monitor does not hold up uprobes");
RACE_GUARD(uffd_mremap_populate,
	   "mremap faults in a locked tail when the monitor was told of it");
RACE_GUARD(uffd_unmap_withdraw,
	   "an unmapping that fails takes back what it has begun");
RACE_GUARD(uffd_withdraw_wakes,
	   "a change that no monitor hears of wakes whom it kept waiting");
RACE_GUARD(uffd_unmap_gone,
	   "the monitor is told of an unmapping when nothing is mapped any more");
RACE_GUARD(uffd_close_retry,
	   "a fault that meets the last close lets mmap_lock go");
RACE_GUARD(uffd_fill_kind,
	   "a fill that held no lock does not go on in another kind of mapping");

struct uffd_event;

void race_uffd_event_hand_over(struct uffd_event *event);
void race_uffd_event_end(struct uffd_event *event);

#endif /* _RACE_POINTS_MAP_CHANGING_H */
