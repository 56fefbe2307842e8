/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of map_changing, which excludes fills of a userfaultfd
 * against changes of the memory layout.  They are created in
 * mm/race_points_map_changing.c.
 */
#ifndef _RACE_POINTS_MAP_CHANGING_H
#define _RACE_POINTS_MAP_CHANGING_H

#include <linux/race_point.h>

RACE_HOLD(uffd_fill_page,
	  "a fill was admitted and tries to install the page at addr");
RACE_HOLD(uffd_fill_map,
	  "a fill has its page ready, and is about to make it visible");
RACE_HOLD(uffd_fill_unlocked,
	  "a fill has dropped its locks and will go on with the page at addr");
RACE_HOLD(uffd_event_waited,
	  "a task has stopped waiting for the monitor: read, killed or closed");
RACE_HOLD(uffd_fork_unlocked,
	  "fork has copied the mappings and not yet waited for the monitor");
RACE_HOLD(uffd_fork_copied,
	  "fork has copied the mappings and not yet flushed the parent's TLB");
RACE_HOLD(uffd_unmap_begun,
	  "an unmapping has begun its change and not yet unmapped anything");
RACE_HOLD(uffd_unmap_zapped,
	  "a range is unmapped and the TLB not yet flushed");
RACE_HOLD(uffd_release,
	  "the last close has marked the context and not yet unregistered it");
RACE_HOLD(uffd_fault_released,
	  "a fault meets a context whose last close is under way");
RACE_COUNT(uffd_remove_begin,
	   "madvise() is about to announce a removal at addr");

RACE_GUARD(map_changing_count,
	   "mmap_changing is a count: the end of one change keeps the others");
RACE_GUARD(map_changing_lock,
	   "a layout change waits for the fills that were admitted before it");
RACE_GUARD(map_changing_gen,
	   "a fill sees changes that began and ended while it held no lock");
RACE_GUARD(map_changing_late,
	   "in yielding mode a fill is validated under the page-table lock");
RACE_GUARD(map_changing_ack,
	   "the read of an event ends its change, and not the woken task");
RACE_GUARD(map_changing_order,
	   "events are queued in the order of the changes, under mmap_lock");
RACE_GUARD(map_changing_killed,
	   "a killed task leaves its event to the monitor");
RACE_GUARD(map_changing_at_once,
	   "a fill is refused without waiting for the mmap_lock of the change");
RACE_GUARD(map_changing_yield,
	   "in yielding mode a removal does not wait for fills");
RACE_GUARD(map_changing_break,
	   "in yielding mode a fill drops its locks for tasks that wait");
RACE_GUARD(map_changing_unregister,
	   "in yielding mode UFFDIO_UNREGISTER ends fills that hold no lock");
RACE_GUARD(uffd_read_copied,
	   "an event is dequeued after it was copied to the reader's buffer");
RACE_GUARD(uffd_read_place,
	   "an event that cannot be delivered keeps its place in the queue");
RACE_GUARD(uffd_read_edge,
	   "the read of one of several events gives an edge for the next one");
RACE_GUARD(uffd_fork_fail,
	   "a fork that fails sends no event");
RACE_GUARD(uffd_fork_flushed,
	   "the event of a fork is queued after the parent's TLB was flushed");
RACE_GUARD(uffd_fork_uprobe,
	   "a fork that waits for its monitor does not hold up uprobes");
RACE_GUARD(uffd_mremap_populate,
	   "mremap faults in a locked tail after its event was read");
RACE_GUARD(uffd_unmap_withdraw,
	   "an unmapping that fails begins no change");
RACE_GUARD(uffd_withdraw_wakes,
	   "a change that is withdrawn wakes the faults of its context");
RACE_GUARD(uffd_unmap_gone,
	   "the event of an unmapping is queued after the TLB was flushed");
RACE_GUARD(uffd_close_retry,
	   "a fault during the last close drops mmap_lock to be retried");
RACE_GUARD(uffd_fill_kind,
	   "a fill does not go on in a mapping of another kind after a gap");

struct uffd_event;
struct uffd_event_file;

void race_uffd_event_queue(struct uffd_event *event);
void race_uffd_event_taken(struct uffd_event *event,
			   struct uffd_event_file *file);
void race_uffd_event_hand_over(struct uffd_event *event);
void race_uffd_event_end(struct uffd_event *event);

#endif /* _RACE_POINTS_MAP_CHANGING_H */
