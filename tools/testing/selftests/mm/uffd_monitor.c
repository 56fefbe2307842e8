// SPDX-License-Identifier: GPL-2.0
/* See uffd_monitor.h for the rules that this follows. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "uffd_monitor.h"

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/*
 * The books: a sorted array, all of it under m->lock.
 */

/* The first range that ends after @addr. */
static size_t find(struct uffd_monitor *m, uint64_t addr)
{
	size_t low = 0, high = m->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (m->range[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert(struct uffd_monitor *m, size_t i, const struct uffd_range *new)
{
	struct uffd_range copy = *new;

	if (m->nr == m->max) {
		m->max = m->max ? 2 * m->max : 64;
		m->range = realloc(m->range, m->max * sizeof(*m->range));
		if (!m->range)
			abort();
	}
	memmove(m->range + i + 1, m->range + i, (m->nr - i) * sizeof(*m->range));
	m->range[i] = copy;
	m->nr++;
}

/* Let no range reach across @addr; return the first one behind it. */
static size_t split(struct uffd_monitor *m, uint64_t addr)
{
	size_t i = find(m, addr);
	struct uffd_range head;

	if (i == m->nr || m->range[i].start >= addr)
		return i;
	head = m->range[i];
	head.end = addr;
	m->range[i].offset += addr - m->range[i].start;
	m->range[i].start = addr;
	insert(m, i, &head);
	return i + 1;
}

static void drop(struct uffd_monitor *m, uint64_t start, uint64_t end)
{
	size_t i = split(m, start), j = split(m, end);

	memmove(m->range + i, m->range + j, (m->nr - j) * sizeof(*m->range));
	m->nr -= j - i;
}

static void remove_pages(struct uffd_monitor *m, uint64_t start, uint64_t end)
{
	size_t i = split(m, start), j = split(m, end);

	for (; i < j; i++)
		m->range[i].removed++;
}

static void move(struct uffd_monitor *m, uint64_t from, uint64_t to, uint64_t len)
{
	size_t i = split(m, from), j = split(m, from + len), n = j - i, k;
	struct uffd_range *moved = malloc(n * sizeof(*moved) + 1);

	if (!moved)
		abort();
	memcpy(moved, m->range + i, n * sizeof(*moved));
	drop(m, from, from + len);
	drop(m, to, to + len);
	i = split(m, to);
	for (k = 0; k < n; k++) {
		moved[k].start += to - from;
		moved[k].end += to - from;
		insert(m, i + k, &moved[k]);
	}
	free(moved);
}

/**
 * uffd_monitor_look() - what the books say; the caller has locked them
 * @addr: of a page
 * @range: is set to what begins there and has one kind of content
 */
bool uffd_monitor_look(struct uffd_monitor *m, uint64_t addr, struct uffd_range *range)
{
	size_t i = find(m, addr);

	if (i == m->nr || addr < m->range[i].start)
		return false;
	*range = m->range[i];
	range->offset += addr - range->start;
	range->start = addr;
	return true;
}

/*
 * Events
 */

/*
 * A fault that was read while there may be events behind it is not ready: those
 * are read first.  The ready ones come first in the list.
 */
static void park(struct uffd_monitor *m, uint64_t address, bool ready)
{
	pthread_mutex_lock(&m->park_lock);
	if (m->nr_faults == m->max_faults) {
		m->max_faults = m->max_faults ? 2 * m->max_faults : 64;
		m->fault = realloc(m->fault, m->max_faults * sizeof(*m->fault));
		if (!m->fault)
			abort();
	}
	m->fault[m->nr_faults] = address;
	if (ready) {
		m->fault[m->nr_faults] = m->fault[m->nr_ready];
		m->fault[m->nr_ready++] = address;
		pthread_cond_signal(&m->parked);
	}
	m->nr_faults++;
	pthread_mutex_unlock(&m->park_lock);
}

/*
 * There was nothing more to read: the books know of all that these faults can
 * be of.
 */
static void faults_are_ready(struct uffd_monitor *m)
{
	pthread_mutex_lock(&m->park_lock);
	if (m->nr_ready != m->nr_faults)
		pthread_cond_broadcast(&m->parked);
	m->nr_ready = m->nr_faults;
	pthread_mutex_unlock(&m->park_lock);
}

static bool unpark(struct uffd_monitor *m, uint64_t *address, int timeout_ms)
{
	struct timespec ts;
	bool found;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += timeout_ms * 1000000L;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	pthread_mutex_lock(&m->park_lock);
	if (!m->nr_ready && timeout_ms)
		pthread_cond_timedwait(&m->parked, &m->park_lock, &ts);
	found = m->nr_ready;
	if (found) {
		*address = m->fault[0];
		memmove(m->fault, m->fault + 1, --m->nr_faults * sizeof(*m->fault));
		m->nr_ready--;
	}
	pthread_mutex_unlock(&m->park_lock);
	return found;
}

/* The child has what the parent had when it forked. */
static void forked(struct uffd_monitor *m, int uffd)
{
	struct uffd_monitor *child = uffd_monitor_new(uffd, m->ops, m->data, m->stats);
	size_t i;

	for (i = 0; i < m->nr; i++)
		insert(child, i, &m->range[i]);
	m->ops->forked(m, child);
}

static void apply(struct uffd_monitor *m, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		/*
		 * Page faults overtake events: this one may be of memory that
		 * the books do not know yet.  It waits until there is nothing
		 * to read.
		 */
		count(&m->stats->faults, 1);
		park(m, msg->arg.pagefault.address & ~(m->page_size - 1), false);
		break;
	case UFFD_EVENT_FORK:
		count(&m->stats->fork, 1);
		forked(m, msg->arg.fork.ufd);
		break;
	case UFFD_EVENT_REMAP:
		/* What has grown behind it is new: not in the books, zeros. */
		count(&m->stats->remap, 1);
		move(m, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
		break;
	case UFFD_EVENT_REMOVE:
		/*
		 * The pages are still there, they go as soon as we have read
		 * this.
		 */
		count(&m->stats->remove, 1);
		remove_pages(m, msg->arg.remove.start, msg->arg.remove.end);
		break;
	case UFFD_EVENT_UNMAP:
		count(&m->stats->unmap, 1);
		drop(m, msg->arg.remove.start, msg->arg.remove.end);
		break;
	}
	if (m->ops->event)
		m->ops->event(m, msg);
}

/**
 * uffd_monitor_read() - read all that there is to read
 *
 * To be called when poll() says so, or a fill was told EAGAIN.
 *
 * Return: the number of events, page faults not counted, or -errno.  After
 * -EMFILE the fork event is still there: close something and read again.
 */
int uffd_monitor_read(struct uffd_monitor *m)
{
	struct uffd_msg msg[16];
	int events = 0, err = 0;
	size_t i;
	ssize_t n;

	pthread_rwlock_wrlock(&m->lock);
	for (;;) {
		n = read(m->uffd, msg, sizeof(msg));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (i = 0; i < n / sizeof(*msg); i++) {
			events += msg[i].event != UFFD_EVENT_PAGEFAULT;
			apply(m, &msg[i]);
		}
	}
	if (n < 0 && errno == EAGAIN)
		faults_are_ready(m);
	else if (n < 0)
		err = -errno;
	pthread_rwlock_unlock(&m->lock);
	return err ? err : events;
}

/**
 * uffd_monitor_read_one() - read one message
 * @event: is set to whether it was an event, and no page fault
 *
 * For those who must not hold the lock for long.  Fills ahead of faults may go
 * on in between, faults are served when all has been read: call it until it
 * returns 0.
 *
 * Return: 1, 0 when there was nothing to read, or -errno as
 * uffd_monitor_read().
 */
int uffd_monitor_read_one(struct uffd_monitor *m, bool *event)
{
	struct uffd_msg msg;
	int err = 0;
	ssize_t n;

	*event = false;
	pthread_rwlock_wrlock(&m->lock);
	do {
		n = read(m->uffd, &msg, sizeof(msg));
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		*event = msg.event != UFFD_EVENT_PAGEFAULT;
		apply(m, &msg);
		err = 1;
	} else if (n < 0 && errno == EAGAIN) {
		faults_are_ready(m);
	} else if (n < 0) {
		err = -errno;
	}
	pthread_rwlock_unlock(&m->lock);
	return err;
}

/*
 * Fills
 */

/*
 * One page into @page; false when it is all zeros, as what the books do not
 * know.
 */
static bool content(struct uffd_monitor *m, uint64_t addr, void *page)
{
	struct uffd_range r;

	if (!uffd_monitor_look(m, addr, &r)) {
		count(&m->stats->unknown, 1);
		return false;
	}
	return m->ops->content(m, r.offset, r.removed, page);
}

/**
 * uffd_monitor_fill_locked() - one ioctl; the caller has locked the books
 * @start: of the first page
 * @pages: how many pages at most; they must belong to one mapping
 * @stage: where to put their content together
 * @src: where the kernel sees @stage
 * @done: bytes that are in place now, whatever is returned
 *
 * Return: 0 or -errno.
 */
int uffd_monitor_fill_locked(struct uffd_monitor *m, uint64_t start, size_t pages,
			     void *stage, const void *src, uint64_t *done)
{
	bool data = content(m, start, stage);
	int64_t filled;
	size_t n = 1;
	int err = 0;

	/* As far as it goes with one ioctl. */
	while (n < pages && content(m, start + n * m->page_size,
				    (char *)stage + n * m->page_size) == data)
		n++;
	if (data) {
		struct uffdio_copy copy = {
			.dst = start, .src = (uintptr_t)src,
			.len = n * m->page_size,
		};

		if (ioctl(m->uffd, UFFDIO_COPY, &copy))
			err = -errno;
		filled = copy.copy;
	} else {
		struct uffdio_zeropage zero = {
			.range = { .start = start, .len = n * m->page_size },
		};

		if (ioctl(m->uffd, UFFDIO_ZEROPAGE, &zero))
			err = -errno;
		filled = zero.zeropage;
	}
	/*
	 * Part of it done: the ioctl fails with EAGAIN and says how much.  Else
	 * that field is a negative error number, or what we had put there: old
	 * kernels do not write it when they refuse at once.
	 */
	*done = filled > 0 ? filled : 0;
	count(&m->stats->fills, 1);
	count(&m->stats->pages, *done / m->page_size);
	if (!data)
		count(&m->stats->zero_pages, *done / m->page_size);
	if (err && *done)
		count(&m->stats->partial, 1);
	return err;
}

static void wake(struct uffd_monitor *m, uint64_t addr)
{
	struct uffdio_range range = { .start = addr, .len = m->page_size };

	ioctl(m->uffd, UFFDIO_WAKE, &range);
}

/**
 * uffd_monitor_fill() - fill pages by the books, for a page fault or ahead of it
 * @start: of the first page
 * @pages: how many
 * @buffer: of the caller, for so many pages
 *
 * Return: 0 when each of the pages is there or has no place any more, -ESRCH
 * when the process has gone, -EAGAIN when fills are refused while there is no
 * event to read: older kernels refuse until the task whose event was read has
 * run.  Serve others, then call again.
 */
int uffd_monitor_fill(struct uffd_monitor *m, uint64_t start, size_t pages,
		      void *buffer)
{
	uint64_t end = start + pages * m->page_size, done;
	int err;

	while (start < end) {
		pthread_rwlock_rdlock(&m->lock);
		err = uffd_monitor_fill_locked(m, start, pages, buffer, buffer, &done);
		pthread_rwlock_unlock(&m->lock);
		start += done;
		pages = (end - start) / m->page_size;

		switch (err) {
		case 0:
			break;
		case -EAGAIN:
			/*
			 * If a part was done, then the next page may tell
			 * another reason.
			 */
			count(&m->stats->eagain, 1);
			err = m->ops->refused ? m->ops->refused(m) : uffd_monitor_read(m);
			if (err <= 0 && !done) {
				count(&m->stats->eagain_no_event, 1);
				return -EAGAIN;
			}
			break;
		case -EEXIST:
			/*
			 * Somebody was faster.  Who faults may not know it yet.
			 */
			count(&m->stats->eexist, 1);
			wake(m, start);
			start += m->page_size;
			break;
		case -ENOENT:
			/*
			 * No such range any more, or more than one mapping:
			 * then page by page.  Who faults there must see for
			 * itself.
			 */
			count(&m->stats->enoent, 1);
			if (pages > 1) {
				pages = 1;
				continue;
			}
			wake(m, start);
			start += m->page_size;
			break;
		default:
			if (err == -ESRCH)
				count(&m->stats->esrch, 1);
			return err;
		}
		pages = (end - start) / m->page_size;
	}
	return 0;
}

/**
 * uffd_monitor_serve() - fill the page of one parked page fault
 * @buffer: of the caller, for one page
 * @timeout_ms: how long to wait for a page fault
 *
 * Return: as uffd_monitor_fill(), and -ETIMEDOUT.  After -EAGAIN, and any other
 * error while the process is there (-ENOMEM, -EFAULT), the fault is parked
 * again: who waits for that page would not be served else.  Give the process
 * time to run.
 */
int uffd_monitor_serve(struct uffd_monitor *m, void *buffer, int timeout_ms)
{
	uint64_t address;
	int err;

	if (!unpark(m, &address, timeout_ms))
		return -ETIMEDOUT;
	err = uffd_monitor_fill(m, address, 1, buffer);
	if (err && err != -ESRCH)
		park(m, address, true);
	return err;
}

/*
 * Monitors
 */

/**
 * uffd_monitor_add() - watch a range for missing pages
 *
 * Nobody must touch it before this has returned.
 *
 * Return: 0 or -errno.
 */
int uffd_monitor_add(struct uffd_monitor *m, const struct uffd_range *range)
{
	struct uffdio_register reg = {
		.range = { .start = range->start, .len = range->end - range->start },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int err = 0;

	pthread_rwlock_wrlock(&m->lock);
	if (ioctl(m->uffd, UFFDIO_REGISTER, &reg)) {
		err = -errno;
	} else {
		drop(m, range->start, range->end);
		insert(m, find(m, range->start), range);
	}
	pthread_rwlock_unlock(&m->lock);
	return err;
}

struct uffd_monitor *uffd_monitor_new(int uffd, const struct uffd_monitor_ops *ops,
				      void *data, struct uffd_monitor_stats *stats)
{
	struct uffd_monitor *m = calloc(1, sizeof(*m));
	pthread_rwlockattr_t attr;

	if (!m)
		abort();
	m->uffd = uffd;
	m->page_size = sysconf(_SC_PAGESIZE);
	m->ops = ops;
	m->data = data;
	m->stats = stats;
	/*
	 * Or fills that follow each other would keep the events from being
	 * read.
	 */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&m->lock, &attr);
	pthread_mutex_init(&m->park_lock, NULL);
	pthread_cond_init(&m->parked, NULL);
	return m;
}

/* Closing the descriptor lets everybody go who waits for this monitor. */
void uffd_monitor_free(struct uffd_monitor *m)
{
	close(m->uffd);
	pthread_rwlock_destroy(&m->lock);
	pthread_mutex_destroy(&m->park_lock);
	pthread_cond_destroy(&m->parked);
	free(m->range);
	free(m->fault);
	free(m);
}
