/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An example of a non-cooperative userfaultfd monitor: one that serves the page
 * faults of a process which goes on changing its address space and does not
 * know that it is watched, as for lazy restore, post-copy or snapshots.
 *
 * The monitor keeps books: which range of the process has the content of which
 * part of the source.  Three rules keep them right:
 *
 * 1. poll, lock, read.  An event is acknowledged by read(), and from then on
 *    fills are admitted again: so read() is called with the books locked for
 *    writing, and the lock is not dropped before all that was read is in the
 *    books.
 *
 * 2. A fill looks up its pages and calls the ioctl under the same read lock.
 *    Were the lock dropped in between, an event could be read, and its change
 *    finished, after the look-up and before the ioctl: no kernel can notice
 *    that.
 *
 * 3. EAGAIN says that there are events which have not been read.  Read them,
 *    look up again, and go on behind what was copied.
 *
 * A page may fault again after it was served: the process may have removed it,
 * also between the read() of a REMOVE event and the removal itself.  So the
 * books remember what the content of a page is, and never that a page was
 * delivered.
 *
 * All functions may be called from several threads.
 *
 * What this example leaves out: memory that processes share needs one book for
 * all of them; and a REMOVE event does not tell MADV_DONTNEED of shared memory,
 * which keeps its content, from MADV_REMOVE.
 */
#ifndef UFFD_MONITOR_H
#define UFFD_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/userfaultfd.h>

#define UFFD_MONITOR_FEATURES						\
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |		\
	 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |		\
	 UFFD_FEATURE_MISSING_SHMEM)

/* Pages [start, end) have the content of the source from @offset on. */
struct uffd_range {
	uint64_t start, end;
	uint64_t offset;
	unsigned int removed;	/* so many REMOVE events ago */
};

struct uffd_monitor;

struct uffd_monitor_ops {
	/*
	 * Write the content of one page into @page, or return false if it is
	 * all zeros.  A monitor of a snapshot returns false once the page was
	 * removed.
	 */
	bool (*content)(struct uffd_monitor *m, uint64_t offset,
			unsigned int removed, void *page);
	/*
	 * A fill was refused.  Optional: without it uffd_monitor_read() is
	 * called.  Returns as that does, 0 when somebody else is going to read.
	 */
	int (*refused)(struct uffd_monitor *m);
	/* A message has been dealt with; the books are locked.  Optional. */
	void (*event)(struct uffd_monitor *m, const struct uffd_msg *msg);
	/* A fork: @child has its own descriptor and a copy of the books. */
	void (*forked)(struct uffd_monitor *m, struct uffd_monitor *child);
};

/* All of them are counts. */
struct uffd_monitor_stats {
	uint64_t fills, pages, zero_pages;
	uint64_t eagain, eagain_no_event, partial, eexist, enoent, esrch;
	uint64_t faults, unknown, fork, remap, remove, unmap;
};

struct uffd_monitor {
	int uffd;		/* non-blocking */
	size_t page_size;
	const struct uffd_monitor_ops *ops;
	void *data;		/* of the user */
	struct uffd_monitor_stats *stats;

	pthread_rwlock_t lock;	/* of the books */
	struct uffd_range *range;	/* sorted, without overlap */
	size_t nr, max;

	pthread_mutex_t park_lock;	/* nests inside the books' lock */
	pthread_cond_t parked;
	uint64_t *fault;	/* addresses that wait for a fill, the ready ones first */
	size_t nr_ready, nr_faults, max_faults;
};

struct uffd_monitor *uffd_monitor_new(int uffd, const struct uffd_monitor_ops *ops,
				      void *data, struct uffd_monitor_stats *stats);
void uffd_monitor_free(struct uffd_monitor *m);
int uffd_monitor_add(struct uffd_monitor *m, const struct uffd_range *range);
bool uffd_monitor_look(struct uffd_monitor *m, uint64_t addr, struct uffd_range *range);
int uffd_monitor_read(struct uffd_monitor *m);
int uffd_monitor_read_one(struct uffd_monitor *m, bool *event);
int uffd_monitor_serve(struct uffd_monitor *m, void *buffer, int timeout_ms);
int uffd_monitor_fill(struct uffd_monitor *m, uint64_t start, size_t pages,
		      void *buffer);
int uffd_monitor_fill_locked(struct uffd_monitor *m, uint64_t start, size_t pages,
			     void *stage, const void *src, uint64_t *done);

#endif /* UFFD_MONITOR_H */
