/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Oracles: from what was observed to the damage, with nothing else in between,
 * so that a checker for kernels without race points can ask them too.
 *
 * Each returns a signature, or NULL if what was observed is right.
 */
#ifndef UFFD_ORACLE_H
#define UFFD_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a fill while one event was taken and another was not. */
struct fill_while_pending {
	bool refused;		/* with EAGAIN; else it reported success */
	bool present;		/* the page, when both changes are done */
	bool moved;		/* the change moved that page elsewhere */
	bool present_moved;	/* it is present there */
	bool forked;		/* the change forked a child */
	bool present_child;	/* it is present in the child */
};

/* Of a fill against a removal of the same range. */
struct fill_vs_remove {
	size_t stale;		/* pages present after both have returned */
};

/* Of a fill that the monitored range was changed under. */
struct fill_vs_change {
	bool moved;		/* the pages were moved elsewhere; else removed */
	bool replaced;		/* another mapping has taken their place */
	size_t stale;		/* pages present there after both have returned */
	int err;		/* of the ioctl: 0 or an errno */
	int64_t copied;		/* its .copy */
	int64_t before;		/* bytes that it had installed before the change */
};

/* Of fills that were cut short, and a count of all known pages around them. */
struct fill_leak {
	long rounds;		/* fills; each has had a page in its hands */
	long lost;		/* known pages, before less after */
	int err;		/* of every ioctl */
};

/* Of a fill that somebody waits for in order to change the address space. */
struct fill_vs_writer {
	bool passed;		/* it went on to its next page while the writer waited */
	size_t len;		/* bytes to be filled */
	int err;		/* of the ioctl: 0 or an errno */
	int64_t copied;		/* its .copy */
};

/*
 * Of fills after the read of an event, while the task that it woke does not
 * run.
 */
struct fill_after_read {
	size_t refused;		/* with EAGAIN, while no event was readable */
};

/* Of the event of one change, whatever happened to its readers and its task. */
struct event_reads {
	size_t reads;		/* how many times a good read returned it */
	bool admitted_before;	/* a fill, before the first good read */
	bool refused_after;	/* a fill, after the last one */
	size_t leaked;		/* descriptors of reads that failed */
};

/* Of two changes, one after the other, whose events are read one by one. */
struct event_order {
	bool overtaken;		/* the later one came first */
	size_t leaked;		/* descriptors of reads that failed */
};

/* Of one change that concerns two contexts. */
struct event_contexts {
	bool held_back;		/* one event, until the other was read */
};

/*
 * Of the events of a fork and of an munmap that began when the fork had copied.
 */
struct fork_then_unmap {
	bool unmap_first;	/* the monitor read UNMAP before FORK */
	bool child_has;		/* the child has the range */
};

/* Of the events of one mremap that shrinks a mapping and moves what is left. */
struct shrink_and_move {
	bool remap_first;	/* REMAP was read before UNMAP of the tail */
	size_t wrong;		/* wrong entries of a book kept by the events */
};

/* Of an mremap that moves and grows a locked mapping. */
struct grow_locked {
	bool refused;		/* the fill of the new tail, for ever */
	bool tail_first;	/* its fault was read before REMAP */
};

/* Of a fork that waits for its monitor, and a uprobe. */
struct fork_and_uprobe {
	bool blocked;		/* the registration, until FORK was read */
};

/* Of a system call that failed and changed nothing. */
struct after_failure {
	bool fork;		/* it was fork */
	size_t events;		/* that were read all the same */
	bool refused;		/* a fill afterwards, for ever */
	bool pending;		/* as fdinfo says, if it does */
};

/* Of a range that was unmapped, after the monitor has read that it was. */
struct unmapped {
	bool written;		/* somebody has written to the pages behind it */
};

/* Of a fault that meets a close, and both want mmap_lock. */
struct close_vs_fault {
	size_t faults;		/* that went by while the close waited */
};

/* See uffd-close-vs-gup.c. */
#define FAULTS_BEFORE_CLOSE	2

/* Of a fill for a fault, and a change that ended without an event. */
struct refused_fill {
	bool refused;		/* with EAGAIN, because of that change */
	bool waits;		/* the fault, and it is not reported again */
	bool readable;		/* there is something to read */
};

const char *fill_while_pending_damage(const struct fill_while_pending *o);
const char *fill_vs_remove_damage(const struct fill_vs_remove *o);
const char *fill_vs_change_damage(const struct fill_vs_change *o);
bool fill_leak_certain(const struct fill_leak *o);
const char *fill_leak_damage(const struct fill_leak *o);
const char *fill_vs_writer_damage(const struct fill_vs_writer *o);
const char *fill_after_read_damage(const struct fill_after_read *o);
const char *event_reads_damage(const struct event_reads *o);
const char *event_order_damage(const struct event_order *o);
const char *event_contexts_damage(const struct event_contexts *o);
const char *fork_then_unmap_damage(const struct fork_then_unmap *o);
const char *shrink_and_move_damage(const struct shrink_and_move *o);
const char *grow_locked_damage(const struct grow_locked *o);
const char *fork_and_uprobe_damage(const struct fork_and_uprobe *o);
const char *after_failure_damage(const struct after_failure *o);
const char *unmapped_damage(const struct unmapped *o);
const char *close_vs_fault_damage(const struct close_vs_fault *o);
const char *refused_fill_damage(const struct refused_fill *o);

#endif /* UFFD_ORACLE_H */
