/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fs/userfaultfd.c and mm/ know of a userfaultfd.  No header that other
 * code includes may include this one: an exported symbol whose type leads to
 * struct vm_area_struct would get another CRC.
 */
#ifndef _LINUX_USERFAULTFD_CTX_H
#define _LINUX_USERFAULTFD_CTX_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#include <linux/userfaultfd_k.h>
#include <linux/wait.h>

/*
 * Start with fault_pending_wqh and fault_wqh so they're more likely
 * to be in the same cacheline.
 *
 * Locking order:
 *	fd_wqh.lock
 *		fault_pending_wqh.lock
 *			fault_wqh.lock
 *		event_wqh.lock
 *
 * To avoid deadlocks, IRQs must be disabled when taking any of the above locks,
 * since fd_wqh.lock is taken by aio_poll() while it's holding a lock that's
 * also taken in IRQ context.
 */
struct userfaultfd_ctx {
	/* waitqueue head for the pending (i.e. not read) userfaults */
	wait_queue_head_t fault_pending_wqh;
	/* waitqueue head for the userfaults */
	wait_queue_head_t fault_wqh;
	/* waitqueue head for the pseudo fd to wakeup poll/read */
	wait_queue_head_t fd_wqh;
	/* tasks that wait until their events are read */
	wait_queue_head_t event_wqh;
	/* a refile sequence protected by fault_pending_wqh lock */
	seqcount_spinlock_t refile_seq;
	/* pseudo fd refcounting */
	refcount_t refcount;
	/* userfaultfd syscall flags */
	unsigned int flags;
	/* features requested from the userspace */
	unsigned int features;
	/* released */
	bool released;
	/*
	 * Changes of the mappings against fills, see mm/map_changing.c.  W: the
	 * next two go up.  R: a fill.  Nests inside mmap_lock.
	 */
	struct rw_semaphore map_changing_lock;
	/* layout changes whose event the monitor has not read yet */
	atomic_t mmap_changing;
	/* layout changes that have ever begun */
	atomic_long_t map_changing_gen;
	/*
	 * removals do not wait for fills.  W: map_changing_lock, before
	 * UFFDIO_API
	 */
	bool map_changing_yield;
	/* events to be read, oldest first.  W: event_wqh.lock */
	struct list_head events;
	/* events that belong to no task.  W: event_wqh.lock */
	unsigned int events_orphaned;
	/* events that were lost.  W: event_wqh.lock */
	unsigned long events_lost;
	/* mm with one or more vmas attached to this userfaultfd_ctx */
	struct mm_struct *mm;
};

void userfaultfd_ctx_get(struct userfaultfd_ctx *ctx);
void userfaultfd_ctx_put(struct userfaultfd_ctx *ctx);
void userfaultfd_wake_all(struct userfaultfd_ctx *ctx);

#endif /* _LINUX_USERFAULTFD_CTX_H */
