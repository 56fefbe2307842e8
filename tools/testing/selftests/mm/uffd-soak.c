// SPDX-License-Identifier: GPL-2.0
/*
 * Soak of the userfaultfd event protocol: uffd-soak SECONDS [SEED [MODE]]
 *
 * A target process changes its address space from several threads, a monitor
 * (uffd_monitor.c) serves its pages with 1 to 8 fill threads, and the target
 * checks the content of every page that it looks at.  One life of both takes
 * some seconds and ends in order, or with a SIGKILL for the target or for the
 * monitor.
 *
 * The oracle: a page has an id (area and index), which it keeps when it is
 * moved, and a version, which counts how often it was removed.  The monitor's
 * books count REMOVE events, the target counts its own removals: content of an
 * older version is a stale page or a lost event, of a newer one a repeated or
 * misplaced event, another id or zeros a misplaced event.  Each area has one
 * thread that changes it, so what its pages must be is known at all times but
 * during a removal, when both the old and the new version are right (a fill
 * between the monitor's read() and the removal has the new one, and faults
 * again).  What the target has written into a page must stay until it is
 * removed: a page that is lost and filled again is noticed too.
 *
 * A second kind of fill takes its source from memory that has to be faulted in
 * by the monitor itself.  Once such a fill has come to that fault, the kernel
 * has looked for pending events, and has promised to look again: the books are
 * unlocked meanwhile.
 *
 * MODE is default or yield: that of all userfaultfds; without it each has half
 * of the time.  yield needs vm.userfaultfd_yield=1.  SOAK_WITHOUT in the
 * environment leaves out what it names: gap, grow, sibling, fork, kill, onto,
 * renew, move, trunc, dontunmap.  RACE_BYPASS names a guard of the race points
 * that is switched off: what the soak finds then is how it knows that it would
 * find something.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/userfaultfd_yield.h>

#include "kselftest.h"
#include "uffd_monitor.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#ifndef __printf
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#endif
#ifndef __noreturn
#define __noreturn		__attribute__((noreturn))
#endif

#define SESSION		"/sys/kernel/debug/race_points/session"
#define CTX_SLAB	"/sys/kernel/slab/userfaultfd_ctx_cache/"

#define PAGES		64	/* of an area, as long as nothing is cut off */
#define OWNERS		3	/* threads that change two areas each */
#define AREAS		(2 * OWNERS + 1)
#define SIBLING_AREA	(2 * OWNERS)
#define READERS		2
#define SLOTS		4	/* places that an area moves between */
#define WINDOWS		0x1000000000UL	/* nothing else is mapped from here on */
#define FILLERS		8
#define GAP_FILLERS	2
#define LIFE_SECONDS	5
#define PATIENCE	30	/* seconds until something hangs */
#define COVER_SECONDS	30	/* in which everything must have happened */
#define EVENTS		32	/* that are remembered */

#define MAGIC		0x736f616b75666664UL
#define WORD_DIRTY	3	/* this one is the target's own */

static size_t psize;

/* What all processes share. */
static struct shared {
	int stop, quit, failed, no_check;
	int yield;		/* the mode that is soaked */
	char failure[1024];
	struct uffd_monitor_stats fill;
	unsigned long events, gaps, gap_eagain, repeated, children;
	unsigned long checks, again, ops, kills, kills_in_op, killed_op_done;
	struct uffd_msg event[EVENTS];
	struct {
		const char *op;
		unsigned long from, to, len, nr;
	} doing[OWNERS + 1];
} *shared;

#define get(what) __atomic_load_n(&(what), __ATOMIC_ACQUIRE)
#define set(what, value) __atomic_store_n(&(what), (value), __ATOMIC_RELEASE)

static unsigned long count(unsigned long *counter)
{
	return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static const char *without;
static unsigned long seed;

static bool with(const char *what)
{
	return !without || !strstr(without, what);
}

/* The first failure is the one that is told. */
static void __printf(1, 2) fail(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&shared->failed, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(ap, fmt);
	vsnprintf(shared->failure, sizeof(shared->failure), fmt, ap);
	va_end(ap);
	set(shared->stop, 1);
}

/*
 * For what a page has in it, and nothing else: once the monitor was killed
 * nobody is left to bring content.  Whatever hangs or fails is a failure then
 * as before.
 */
#define wrong(...)					\
	do {						\
		if (!get(shared->no_check))		\
			fail(__VA_ARGS__);		\
	} while (0)

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185UL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dUL;
	return x ^ (x >> 33);
}

static unsigned long rnd(uint64_t *state, unsigned long n)
{
	*state += 0x9e3779b97f4a7c15UL;
	return mix(*state) % n;
}

/*
 * Content
 */

static bool is_zero(uint64_t id, uint64_t version)
{
	return mix(id << 32 | version) % 8 == 0;
}

static void make_content(uint64_t *page, uint64_t id, uint64_t version)
{
	uint64_t base = mix(id << 32 | version);
	size_t i;

	for (i = 0; i < psize / sizeof(*page); i++)
		page[i] = base + i;
	page[0] = MAGIC;
	page[1] = id;
	page[2] = version;
	page[WORD_DIRTY] = 0;
}

static bool is_content(const uint64_t *page, uint64_t id, uint64_t version)
{
	uint64_t base = mix(id << 32 | version), step = 1, head[3] = { MAGIC, id, version };
	size_t i;

	if (is_zero(id, version)) {
		memset(head, 0, sizeof(head));
		base = 0;
		step = 0;
	}
	for (i = 0; i < 3; i++)
		if (get(page[i]) != head[i])
			return false;
	for (i = WORD_DIRTY + 1; i < psize / sizeof(*page); i++)
		if (get(page[i]) != base + i * step)
			return false;
	return true;
}

static const char *found(const uint64_t *page, char *buf, size_t size)
{
	bool zero = true;
	size_t i;

	for (i = 0; i < psize / sizeof(*page); i++)
		zero = zero && (!get(page[i]) || i == WORD_DIRTY);
	if (zero)
		snprintf(buf, size, "zeros");
	else if (page[0] == MAGIC)
		snprintf(buf, size, "area %lu page %lu version %lu%s",
			 (unsigned long)page[1] / PAGES, (unsigned long)page[1] % PAGES,
			 (unsigned long)page[2],
			 is_content(page, page[1], page[2]) ? "" : ", torn");
	else
		snprintf(buf, size, "%016lx %016lx", (unsigned long)page[0],
			 (unsigned long)page[1]);
	return buf;
}

/*
 * The monitor
 */

static bool content(struct uffd_monitor *m, uint64_t offset, unsigned int removed,
		    void *page)
{
	uint64_t id = offset / psize;

	(void)m;
	if (is_zero(id, removed))
		return false;
	make_content(page, id, removed);
	return true;
}

static unsigned int seen[2 * AREAS * PAGES];	/* under the lock of the books */

static void message(struct uffd_monitor *m, const struct uffd_msg *msg)
{
	struct uffd_range r;

	if (msg->event != UFFD_EVENT_PAGEFAULT) {
		shared->event[count(&shared->events) % EVENTS] = *msg;
		return;
	}
	/*
	 * Children have ids of their own here: the fault of a child is not a
	 * repeated one.
	 */
	if (m->data || !uffd_monitor_look(m, msg->arg.pagefault.address & ~(psize - 1), &r))
		return;
	if (seen[r.offset / psize] == r.removed + 1)
		count(&shared->repeated);
	seen[r.offset / psize] = r.removed + 1;
}

/* A run of pages, starting anywhere in the books. */
static size_t pick(struct uffd_monitor *m, uint64_t *state, uint64_t *start)
{
	size_t n = 1 + rnd(state, PAGES), i;

	*start = psize;
	if (!m->nr)
		return 1;
	i = rnd(state, m->nr);
	*start = m->range[i].start +
		 rnd(state, (m->range[i].end - m->range[i].start) / psize) * psize;
	while (i + 1 < m->nr && m->range[i].end == m->range[i + 1].start)
		i++;
	if (n > (m->range[i].end - *start) / psize)
		n = (m->range[i].end - *start) / psize;
	return n;
}

/*
 * Half of the time whoever is refused leaves the reading to the thread that
 * does nothing else, and that takes its time: so that more than one event is
 * there when it reads.
 */
static bool leave_reading(void)
{
	return now_ms() / 256 % 2;
}

/*
 * Reads all that there is.  Now and then one message at a time, with the books
 * unlocked in between: then fills come while one of two events was read, and
 * must be refused.  Returns the number of events, or -errno.
 */
static int read_messages(struct uffd_monitor *m, uint64_t *state)
{
	int err, events = 0;
	bool event;

	if (rnd(state, 4))
		return uffd_monitor_read(m);
	while ((err = uffd_monitor_read_one(m, &event)) > 0) {
		events += event;
		if (event)
			usleep(100 + rnd(state, 400));
	}
	return err ? err : events;
}

static int refused(struct uffd_monitor *m)
{
	return leave_reading() ? 0 : uffd_monitor_read(m);
}

/*
 * Content is put together in @stage; the kernel is given the same memory at
 * @source.
 */
struct filler {
	struct uffd_monitor *m;
	char *stage, *source;
	uint64_t rnd;
	long long refused_since;
	pthread_t thread;

	/* for those who fault in their source: @window, and who supplies it */
	bool gap, quit;
	char *window;
	int uffd;
	int done[2];
	sem_t go, locked, released;
	pthread_t supplier;
};

static void __noreturn broken(const char *what)
{
	fail("%s: %s", what, strerror(errno));
	_exit(3);
}

static void *map(size_t pages, int fd)
{
	void *p = mmap(NULL, pages * psize, PROT_READ | PROT_WRITE,
		       fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		broken("mmap");
	return p;
}

/*
 * Holds the lock of the books for a fill, until that has come to the fault in
 * its source.  Then supplies the source: at once, so that the fill runs while
 * events are read; or when an event has passed meanwhile.
 */
static void *supply(void *arg)
{
	struct filler *f = arg;
	struct pollfd p[2] = {
		{ .fd = f->uffd, .events = POLLIN },
		{ .fd = f->done[0], .events = POLLIN },
	};
	uint64_t state = f->rnd + 1;
	struct uffd_msg msg;
	unsigned long events;
	bool locked;
	int i, step = PAGES;
	char c;

	for (;;) {
		sem_wait(&f->go);
		if (f->quit)
			return NULL;
		pthread_rwlock_rdlock(&f->m->lock);
		locked = true;
		sem_post(&f->locked);
		for (;;) {
			poll(p, 2, -1);
			if (p[1].revents) {
				if (read(f->done[0], &c, 1) != 1)
					broken("pipe");
				break;
			}
			if (read(f->uffd, &msg, sizeof(msg)) != sizeof(msg))
				continue;
			if (locked) {
				locked = false;
				events = get(shared->events);
				pthread_rwlock_unlock(&f->m->lock);
				count(&shared->gaps);
				for (i = rnd(&state, 2) ? 30 : 0; i; i--) {
					usleep(100);
					/*
					 * an event, and the change that goes
					 * with it
					 */
					if (events != get(shared->events) && i > 3)
						i = 3;
				}
				/*
				 * From here on the fill has all that it needs,
				 * or not.
				 */
				step = rnd(&state, 2) ? PAGES : 16;
			}
			for (i = 0; i < PAGES; i++) {
				struct uffdio_copy copy = {
					.dst = (uintptr_t)f->window + i * psize,
					.src = (uintptr_t)f->stage + i * psize,
					.len = psize,
				};

				if (copy.dst < (msg.arg.pagefault.address & ~(psize - 1)))
					continue;
				if (ioctl(f->uffd, UFFDIO_COPY, &copy) ||
				    i % step == step - 1)
					break;
			}
		}
		if (locked)
			pthread_rwlock_unlock(&f->m->lock);
		sem_post(&f->released);
	}
}

/* A userfaultfd of the mode that is soaked, before UFFDIO_API. */
static int open_uffd(void)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0)
		broken("userfaultfd");
	if (shared->yield && ioctl(uffd, USERFAULTFD_YIELD))
		broken("USERFAULTFD_YIELD");
	return uffd;
}

static void gap_init(struct filler *f)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	f->window = map(PAGES, -1);
	f->uffd = open_uffd();
	reg.range.start = (uintptr_t)f->window;
	reg.range.len = PAGES * psize;
	if (ioctl(f->uffd, UFFDIO_API, &api) ||
	    ioctl(f->uffd, UFFDIO_REGISTER, &reg) || pipe(f->done))
		broken("userfaultfd of a source");
	sem_init(&f->go, 0, 0);
	sem_init(&f->locked, 0, 0);
	sem_init(&f->released, 0, 0);
	if (pthread_create(&f->supplier, NULL, supply, f))
		broken("pthread_create");
	f->gap = true;
}

/* One fill ahead of any fault, wherever. */
static int prefetch(struct filler *f)
{
	uint64_t start, done;
	size_t n;
	int err;

	if (f->gap) {
		madvise(f->window, PAGES * psize, MADV_DONTNEED);
		sem_post(&f->go);
		sem_wait(&f->locked);
		n = pick(f->m, &f->rnd, &start);
		err = uffd_monitor_fill_locked(f->m, start, n, f->stage, f->window, &done);
		if (write(f->done[1], "", 1) != 1)
			broken("pipe");
		sem_wait(&f->released);
		if (err == -EAGAIN)
			count(&shared->gap_eagain);
	} else {
		/*
		 * Now and then the kernel has to fault in the source by itself.
		 */
		if (rnd(&f->rnd, 2))
			madvise(f->source, PAGES * psize, MADV_DONTNEED);
		pthread_rwlock_rdlock(&f->m->lock);
		n = pick(f->m, &f->rnd, &start);
		err = uffd_monitor_fill_locked(f->m, start, n, f->stage, f->source, &done);
		pthread_rwlock_unlock(&f->m->lock);
	}
	if (err == -EAGAIN && !done && !leave_reading())
		err = read_messages(f->m, &f->rnd) > 0 ? 0 : -EAGAIN;
	return err;
}

/* Returns false when the process has gone. */
static bool filler_step(struct filler *f, int timeout_ms)
{
	int err = -ETIMEDOUT;

	if (!f->gap)
		err = uffd_monitor_serve(f->m, f->stage, timeout_ms);
	if (err == -ETIMEDOUT || !rnd(&f->rnd, 4))
		err = prefetch(f);
	if (err == -ESRCH)
		return false;
	if (err != -EAGAIN) {
		if (err && err != -EEXIST && err != -ENOENT)
			fail("a fill failed: %s", strerror(-err));
		f->refused_since = 0;
		return true;
	}
	if (!f->refused_since)
		f->refused_since = now_ms();
	else if (now_ms() - f->refused_since > PATIENCE * 1000 / 2)
		fail("fills are refused for %d s while there is no event to read",
		     PATIENCE / 2);
	usleep(100);
	return true;
}

static void filler_init(struct filler *f, struct uffd_monitor *m, unsigned long nr)
{
	int fd = memfd_create("source", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGES * psize))
		broken("memfd_create");
	memset(f, 0, sizeof(*f));
	f->m = m;
	f->rnd = mix(seed) + nr;
	f->stage = map(PAGES, fd);
	f->source = map(PAGES, fd);
	close(fd);
}

static void *filler(void *arg)
{
	struct filler *f = arg;

	while (!get(shared->quit) && filler_step(f, 2))
		;
	return NULL;
}

/* A number of fdinfo, or @none when the kernel does not say. */
static int fdinfo_number(int uffd, const char *name, int none)
{
	size_t len = strlen(name);
	char path[64], line[128];
	int n = none;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uffd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			n = atoi(line + len + 1);
	if (file)
		fclose(file);
	return n;
}

/* Children have the mode of their parents. */
static void check_mode(const char *whose, int uffd)
{
	int yield = fdinfo_number(uffd, "yield", shared->yield);

	if (yield != shared->yield)
		fail("the userfaultfd of %s has yield %d, not %d", whose, yield, shared->yield);
}

/*
 * What the target asks for: a new range to watch, or (length 0) whether all is
 * quiet.
 */
struct request {
	struct uffd_range range;
	int err;
};

/* Who reads: until @end, or the end of the life. */
struct reading {
	struct uffd_monitor *m;
	int sock, end;
	uint64_t rnd;
	pthread_t thread;
};

static int quit_fd;		/* there is something to read once shared->quit is set */

static void answer(struct uffd_monitor *m, int sock)
{
	struct request r;

	if (read(sock, &r, sizeof(r)) != sizeof(r))
		return;
	if (r.range.start)
		r.err = uffd_monitor_add(m, &r.range);
	else
		r.err = fdinfo_number(m->uffd, "changing", 0);
	if (write(sock, &r, sizeof(r)) != sizeof(r) && errno != EPIPE)
		broken("write");
}

/* Without a time limit: a wake-up that is lost must be noticed. */
static void *attend(void *arg)
{
	struct reading *r = arg;
	struct pollfd p[4] = {
		{ .fd = r->m->uffd, .events = POLLIN },
		{ .fd = quit_fd, .events = POLLIN },
		{ .fd = r->end, .events = POLLIN },
		{ .fd = r->sock, .events = POLLIN },
	};
	int err;

	for (;;) {
		if (poll(p, 4, -1) < 0 && errno != EINTR)
			broken("poll");
		if (p[1].revents || p[2].revents)
			return NULL;
		if (p[0].revents) {
			/* A monitor with other things to do. */
			if (leave_reading() || !rnd(&r->rnd, 4))
				usleep(rnd(&r->rnd, 3000));
			err = read_messages(r->m, &r->rnd);
			if (err < 0)
				fail("the monitor cannot read: %s", strerror(-err));
		}
		if (p[3].revents & (POLLHUP | POLLERR))
			p[3].fd = -1;
		if (p[3].revents & POLLIN)
			answer(r->m, r->sock);
	}
}

/*
 * One thread for each child reads, this one serves and looks whether the child
 * is there.
 */
static void *watch_child(void *arg)
{
	struct reading r = { .m = arg, .sock = -1, .end = eventfd(0, EFD_CLOEXEC) };
	struct filler f;

	if (r.end < 0)
		broken("eventfd");
	filler_init(&f, arg, 1000 + get(shared->children));
	r.rnd = f.rnd + 1;
	if (pthread_create(&r.thread, NULL, attend, &r))
		broken("pthread_create");
	while (!get(shared->quit) && filler_step(&f, 2))
		;
	if (eventfd_write(r.end, 1))
		broken("eventfd");
	pthread_join(r.thread, NULL);
	close(r.end);
	munmap(f.stage, PAGES * psize);
	munmap(f.source, PAGES * psize);
	uffd_monitor_free(f.m);
	return NULL;
}

static void forked(struct uffd_monitor *m, struct uffd_monitor *child)
{
	pthread_t thread;

	(void)m;
	count(&shared->children);
	check_mode("a child", child->uffd);
	child->data = child;
	if (pthread_create(&thread, NULL, watch_child, child))
		broken("pthread_create");
	pthread_detach(thread);
}

static const struct uffd_monitor_ops ops = {
	.content = content, .refused = refused, .event = message, .forked = forked,
};

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		broken("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, 0) != 1)
		broken("sendmsg");
}

static int watch_target(int sock, int life, int threads)
{
	static struct filler fillers[FILLERS + GAP_FILLERS];
	struct reading r = { .sock = sock, .end = -1, .rnd = mix(seed) + 77 + life };
	struct uffd_monitor *m;
	int i;

	if (with("gap"))
		threads += GAP_FILLERS;
	m = uffd_monitor_new(receive_fd(sock), &ops, NULL, &shared->fill);
	check_mode("the target", m->uffd);
	for (i = 0; i < threads; i++) {
		filler_init(&fillers[i], m, i + 100 * life);
		if (with("gap") && i >= threads - GAP_FILLERS)
			gap_init(&fillers[i]);
		if (pthread_create(&fillers[i].thread, NULL, filler, &fillers[i]))
			broken("pthread_create");
	}
	r.m = m;
	attend(&r);
	for (i = 0; i < threads; i++) {
		pthread_join(fillers[i].thread, NULL);
		if (fillers[i].gap) {
			fillers[i].quit = true;
			sem_post(&fillers[i].go);
			pthread_join(fillers[i].supplier, NULL);
		}
	}
	return 0;
}

/*
 * The target
 */

struct area {
	pthread_rwlock_t lock;	/* of the layout: written by its owner alone */
	int busy;		/* the owner changes the layout */
	char *addr;
	size_t len;		/* in pages */
	unsigned int slot;
	bool shmem;
	/* odd while pages [first, last) are being removed */
	unsigned int seq, first, last;
	unsigned int version[PAGES];
	uint64_t dirty[PAGES];
};

static struct area areas[AREAS];
static bool alone;		/* a forked child: what others did has stopped */
static pthread_mutex_t request_lock = PTHREAD_MUTEX_INITIALIZER;
static int sock;

#define MONITOR_GONE	INT_MIN	/* no error number, and no count */

static int ask(const struct uffd_range *range)
{
	struct request r = { .err = 0 };
	ssize_t n;

	if (range)
		r.range = *range;
	pthread_mutex_lock(&request_lock);
	n = write(sock, &r, sizeof(r));
	if (n == sizeof(r))
		n = read(sock, &r, sizeof(r));
	pthread_mutex_unlock(&request_lock);
	return n == sizeof(r) ? r.err : MONITOR_GONE;
}

/* False when nobody watches that range now. */
static bool watched(const char *what, const struct uffd_range *range)
{
	int err = ask(range);

	if (err == MONITOR_GONE)
		set(shared->stop, 1);	/* before its time, if nobody has killed it */
	else if (err)
		fail("cannot register %s: %s", what, strerror(-err));
	return !err;
}

static char *slot(int area, unsigned int nr)
{
	return (char *)WINDOWS + ((unsigned long)area * SLOTS + nr) * 4 * PAGES * psize;
}

static uint64_t *page(struct area *a, size_t i)
{
	return (uint64_t *)(a->addr + i * psize);
}

static void mismatch(const char *who, int nr, size_t i, unsigned int version)
{
	char buf[96];

	wrong("%s: area %d page %zu at %p: version %u%s expected, found %s", who, nr, i,
	      (void *)page(&areas[nr], i), version,
	      is_zero(nr * PAGES + i, version) ? " (zeros)" : "",
	      found(page(&areas[nr], i), buf, sizeof(buf)));
}

/*
 * Look at one page.  The layout must not change meanwhile; the page may be
 * removed by its owner: then it has the old content or the new one, or first
 * this, then that.
 */
static void check(const char *who, int nr, size_t i)
{
	struct area *a = &areas[nr];
	unsigned int seq, version;
	bool removing, good;

	for (;;) {
		seq = get(a->seq);
		version = get(a->version[i]);
		removing = seq & 1 && i >= a->first && i < a->last;
		good = is_content(page(a, i), nr * PAGES + i, version) ||
		       (removing && is_content(page(a, i), nr * PAGES + i, version + 1));
		if (good || get(shared->stop))
			break;
		if (alone || (get(a->seq) == seq && !removing)) {
			mismatch(who, nr, i, version);
			break;
		}
		count(&shared->again);
		sched_yield();
	}
	count(&shared->checks);
}

static void check_dirty(const char *who, int nr, size_t i)
{
	struct area *a = &areas[nr];
	uint64_t dirty = get(page(a, i)[WORD_DIRTY]);

	if (dirty != a->dirty[i])
		wrong("%s: area %d page %zu at %p: what was written there is lost (%lx, not %lx)",
		      who, nr, i, (void *)page(a, i), (unsigned long)dirty,
		      (unsigned long)a->dirty[i]);
}

static void check_area(const char *who, int nr)
{
	size_t i;

	for (i = 0; i < areas[nr].len && !get(shared->stop); i++) {
		check(who, nr, i);
		check_dirty(who, nr, i);
	}
}

static void doing(int owner, const char *op, const void *from, const void *to, size_t len)
{
	count(&shared->ops);
	shared->doing[owner].op = op;
	shared->doing[owner].from = (unsigned long)from;
	shared->doing[owner].to = (unsigned long)to;
	shared->doing[owner].len = len;
	shared->doing[owner].nr++;
}

static void change_begin(struct area *a)
{
	pthread_rwlock_wrlock(&a->lock);
	set(a->busy, 1);
}

static void change_end(struct area *a)
{
	set(a->busy, 0);
	pthread_rwlock_unlock(&a->lock);
}

static void *map_at(char *addr, size_t pages, bool shmem)
{
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p;

	if (shmem) {
		/* A new one: pages of the old one may still be filled. */
		fd = memfd_create("area", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, pages * psize))
			broken("memfd_create");
		flags = MAP_SHARED;
	}
	p = mmap(addr, pages * psize, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE,
		 fd, 0);
	if (p != addr)
		broken("mmap of an area");
	if (shmem) {
		close(fd);
		/*
		 * One book for each process does not do for memory that they
		 * share.
		 */
		madvise(p, pages * psize, MADV_DONTFORK);
	}
	return p;
}

/* All of the area anew, with versions that it never had. */
static void renew(int nr)
{
	struct area *a = &areas[nr];
	struct uffd_range range = { .offset = (uint64_t)nr * PAGES * psize };
	unsigned int version = 0;
	size_t i;

	for (i = 0; i < PAGES; i++)
		if (a->version[i] >= version)
			version = a->version[i] + 1;
	if (a->len)
		munmap(a->addr, a->len * psize);
	a->addr = map_at(a->addr, PAGES, a->shmem);
	a->len = PAGES;
	for (i = 0; i < PAGES; i++) {
		set(a->version[i], version);
		a->dirty[i] = 0;
	}
	range.start = (uintptr_t)a->addr;
	range.end = range.start + PAGES * psize;
	range.removed = version;
	watched("an area", &range);
}

static void remove_range(int owner, int nr, size_t first, size_t n)
{
	struct area *a = &areas[nr];
	size_t i;

	doing(owner, "remove", a->addr + first * psize, NULL, n);
	a->first = first;
	a->last = first + n;
	set(a->seq, a->seq + 1);
	if (madvise(a->addr + first * psize, n * psize,
		    a->shmem ? MADV_REMOVE : MADV_DONTNEED))
		fail("madvise: %s", strerror(errno));
	for (i = first; i < first + n; i++) {
		a->dirty[i] = 0;
		set(a->version[i], a->version[i] + 1);
	}
	set(a->seq, a->seq + 1);
}

static bool remap(struct area *a, size_t len, size_t new_len, int flags, char *to)
{
	void *p = mremap(a->addr, len * psize, new_len * psize, flags, to);

	if (p == MAP_FAILED || ((flags & MREMAP_FIXED) && p != to)) {
		fail("mremap of %zu to %zu pages: %s", len, new_len, strerror(errno));
		return false;
	}
	return true;
}

static void check_zeros(const char *what, int nr, char *from, size_t pages,
			uint64_t *state)
{
	uint64_t *p;
	char buf[96];
	int i;

	for (i = 0; i < 4; i++) {
		p = (uint64_t *)(from + rnd(state, pages) * psize);
		if (get(p[0]) || get(p[1]) || get(p[psize / sizeof(*p) - 1]))
			wrong("area %d: %s at %p must be zeros, found %s", nr, what,
			      (void *)p, found(p, buf, sizeof(buf)));
		count(&shared->checks);
	}
}

/*
 * What nobody has touched since, and is there all the same, was filled by old
 * books.
 */
static void check_left(const char *what, int nr, char *from, size_t pages, uint64_t *state)
{
	unsigned char vec[2 * PAGES];
	size_t i;

	if (mincore(from, pages * psize, vec)) {
		fail("mincore: %s", strerror(errno));
		return;
	}
	for (i = 0; i < pages; i++)
		if (vec[i] & 1)
			check_zeros(what, nr, from + i * psize, 1, state);
}

/* A child has what its parent had; what it changes then is its own. */
static void __noreturn run_child(int owner, uint64_t state)
{
	struct area *a = &areas[2 * owner];
	size_t i, n;
	char *to;
	int nr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(2 * PATIENCE);
	alone = true;
	for (nr = 0; nr < AREAS; nr++) {
		if (areas[nr].shmem || get(areas[nr].busy))
			continue;
		for (n = 0; n < 8 && areas[nr].len; n++) {
			i = rnd(&state, areas[nr].len);
			check("child", nr, i);
			if (nr / 2 == owner)
				check_dirty("child", nr, i);
		}
	}
	if (a->len && !a->shmem && rnd(&state, 2)) {
		i = rnd(&state, a->len);
		n = 1 + rnd(&state, a->len - i);
		if (madvise(a->addr + i * psize, n * psize, MADV_DONTNEED))
			fail("child: madvise: %s", strerror(errno));
		for (; n; n--, i++) {
			a->version[i]++;
			a->dirty[i] = 0;
		}
		for (n = 0; n < 8; n++) {
			i = rnd(&state, a->len);
			check("child, after its removal", 2 * owner, i);
			check_dirty("child, after its removal", 2 * owner, i);
		}
		to = slot(2 * owner, (a->slot + 1) % SLOTS);
		if (remap(a, a->len, a->len, MREMAP_MAYMOVE | MREMAP_FIXED, to)) {
			a->addr = to;
			for (n = 0; n < 8; n++)
				check("child, after its move", 2 * owner, rnd(&state, a->len));
		}
	}
	_exit(0);
}

static void fork_child(int owner, uint64_t *state)
{
	int status;
	pid_t pid;

	doing(owner, "fork", NULL, NULL, 0);
	pid = fork();
	if (!pid)
		run_child(owner, *state);
	if (pid < 0) {
		fail("fork: %s", strerror(errno));
		return;
	}
	doing(owner, "wait for child", NULL, NULL, 0);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid: %s", strerror(errno));
	else if (status)
		fail("a child ended with status 0x%x", status);
}

static void write_pages(int owner, int nr, uint64_t *state)
{
	struct area *a = &areas[nr];
	size_t n, i;

	doing(owner, "write", a->addr, NULL, a->len);
	for (n = 0; n < 4; n++) {
		i = rnd(state, a->len);
		check("before a write", nr, i);
		a->dirty[i] = 1 + rnd(state, 1UL << 40);
		set(page(a, i)[WORD_DIRTY], a->dirty[i]);
	}
}

static void move_area(int owner, int nr, uint64_t *state)
{
	struct area *a = &areas[nr];
	size_t len = a->len, n = 1 + rnd(state, 8);
	unsigned int s = (a->slot + 1 + rnd(state, SLOTS - 1)) % SLOTS;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *to = slot(nr, s), *old = a->addr;
	struct uffd_range decoy = {
		.start = (uintptr_t)to, .end = (uintptr_t)to + PAGES * psize,
		.offset = (uint64_t)(AREAS + nr) * PAGES * psize,
	};
	bool onto = !rnd(state, 3) && with("onto");
	const char *what = "move";

	change_begin(a);
	switch (rnd(state, 5)) {
	case 0:
		if (!with("trunc"))
			break;
		len -= n;
		what = "shrinking move";
		break;
	case 1:
		if (a->shmem || !with("dontunmap"))
			break;
		flags |= MREMAP_DONTUNMAP;
		what = "move without unmap";
		break;
	case 2:
		if (a->shmem || !with("grow"))
			break;
		/*
		 * All of it is there afterwards, and what it grows by will be.
		 */
		doing(owner, "mlock", a->addr, NULL, a->len);
		if (mlock(a->addr, a->len * psize))
			fail("mlock: %s", strerror(errno));
		len += n;
		what = "growing move, locked";
		break;
	}
	if (onto) {
		doing(owner, "register", to, NULL, PAGES);
		map_at(to, PAGES, false);
		watched("what a move goes onto", &decoy);
	}
	doing(owner, what, old, to, len);
	if (!get(shared->stop) && remap(a, a->len, len, flags, to)) {
		a->addr = to;
		a->slot = s;
		if (flags & MREMAP_DONTUNMAP) {
			check_left("the old place of a move", nr, old, len, state);
			check_zeros("the old place of a move", nr, old, len, state);
			munmap(old, len * psize);
		}
		/* What is left of the decoy goes. */
		if (onto && len < PAGES)
			munmap(to + len * psize, (PAGES - len) * psize);
		if (len > a->len) {
			check_zeros("what has grown", nr, to + a->len * psize, n, state);
			munlock(to, len * psize);
			doing(owner, "shrink", to, NULL, n);
			remap(a, len, a->len, 0, NULL);
		} else {
			a->len = len;
		}
		doing(owner, "check after the move", to, NULL, a->len);
		check_area(what, nr);
	}
	change_end(a);
}

/* mremap() in place, locked: nobody tells the monitor, what is new is zeros. */
static void grow_area(int owner, int nr, uint64_t *state)
{
	struct area *a = &areas[nr];
	size_t n = 1 + rnd(state, 8);

	change_begin(a);
	doing(owner, "grow in place, locked", a->addr, NULL, n);
	mlock(a->addr, a->len * psize);
	if (remap(a, a->len, a->len + n, 0, NULL)) {
		check_zeros("what has grown", nr, a->addr + a->len * psize, n, state);
		munlock(a->addr, (a->len + n) * psize);
		remap(a, a->len + n, a->len, 0, NULL);
	}
	check_area("after growing", nr);
	change_end(a);
}

static void *owner(void *arg)
{
	int me = (long)arg, nr;
	uint64_t state = mix(seed) + 200 + me;
	struct area *a;
	size_t i;

	while (!get(shared->stop)) {
		nr = 2 * me + rnd(&state, 2);
		a = &areas[nr];
		if (a->len < PAGES / 2 || (!rnd(&state, 20) && with("renew"))) {
			change_begin(a);
			doing(me, "renew", a->addr, NULL, a->len);
			renew(nr);
			change_end(a);
			continue;
		}
		switch (rnd(&state, 12)) {
		case 0:
		case 1:
			if (with("move"))
				move_area(me, nr, &state);
			break;
		case 2:
			if (!a->shmem && with("grow"))
				grow_area(me, nr, &state);
			break;
		case 3:
			if (with("fork"))
				fork_child(me, &state);
			break;
		case 4:
			if (!with("trunc"))
				break;
			change_begin(a);
			i = 1 + rnd(&state, 8);
			doing(me, "munmap", a->addr + (a->len - i) * psize, NULL, i);
			munmap(a->addr + (a->len - i) * psize, i * psize);
			a->len -= i;
			change_end(a);
			break;
		case 5:
		case 6:
			write_pages(me, nr, &state);
			break;
		case 7:
			doing(me, "check", a->addr, NULL, a->len);
			check_area("owner", nr);
			break;
		default:
			i = rnd(&state, a->len);
			remove_range(me, nr, i, 1 + rnd(&state, a->len - i));
			break;
		}
	}
	doing(me, "stopped", NULL, NULL, 0);
	return NULL;
}

static void *reader(void *arg)
{
	uint64_t state = mix(seed) + 300 + (long)arg;
	struct area *a;
	int nr, i;

	while (!get(shared->stop)) {
		nr = rnd(&state, AREAS);
		a = &areas[nr];
		/* The changes are what matters: leave them the processors. */
		usleep(rnd(&state, 1000));
		if (pthread_rwlock_tryrdlock(&a->lock))
			continue;
		for (i = 0; i < 8 && a->len; i++)
			check("reader", nr, rnd(&state, a->len));
		pthread_rwlock_unlock(&a->lock);
	}
	return NULL;
}

/*
 * A process that shares the target's memory makes one change and is killed
 * meanwhile. Either nothing has happened, or all of it: then the monitor must
 * be told.
 */
static struct {
	long nr, arg[5];
	int begun, done;
	pid_t parent;
} sibling_call;

/*
 * Shares the thread-local storage of the thread that waits for it: no errno
 * here.
 */
static int sibling(void *arg)
{
	const long *c = sibling_call.arg;

	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set(sibling_call.begun, 1);
	syscall(sibling_call.nr, c[0], c[1], c[2], c[3], c[4]);
	set(sibling_call.done, 1);
	for (;;)
		pause();
	return 0;
}

static void kill_sibling(char *stack, size_t size, uint64_t *state)
{
	struct area *a = &areas[SIBLING_AREA];
	static const char * const name[] = { "killed move", "killed munmap", "killed removal" };
	enum { MOVE, UNMAP, REMOVE } what = rnd(state, 3);
	size_t nr_before = 0, nr_after = 0;
	bool moved, before, after;
	unsigned int s = (a->slot + 1) % SLOTS;
	size_t first = 0, n = 0, i;
	unsigned char vec[PAGES];
	char *to = slot(SIBLING_AREA, s);
	pid_t pid;

	change_begin(a);
	memset(&sibling_call, 0, sizeof(sibling_call));
	/* All pages are there, and can be told from what a fill brings. */
	for (i = 0; i < a->len; i++) {
		if (rnd(state, 2))
			continue;
		check("before a kill", SIBLING_AREA, i);
		a->dirty[i] = 1 + rnd(state, 1UL << 40);
		set(page(a, i)[WORD_DIRTY], a->dirty[i]);
	}
	first = rnd(state, a->len);
	n = 1 + rnd(state, a->len - first);
	if (what == MOVE) {
		const long c[5] = { (long)a->addr, a->len * psize, a->len * psize,
				    MREMAP_MAYMOVE | MREMAP_FIXED, (long)to };

		sibling_call.nr = SYS_mremap;
		memcpy(sibling_call.arg, c, sizeof(c));
	} else if (what == UNMAP) {
		n = a->len - first;
		sibling_call.nr = SYS_munmap;
		sibling_call.arg[0] = (long)a->addr + first * psize;
		sibling_call.arg[1] = n * psize;
	} else {
		sibling_call.nr = SYS_madvise;
		sibling_call.arg[0] = (long)a->addr + first * psize;
		sibling_call.arg[1] = n * psize;
		sibling_call.arg[2] = MADV_DONTNEED;
	}
	doing(OWNERS, name[what], (void *)sibling_call.arg[0], what == MOVE ? to : NULL,
	      sibling_call.arg[1] / psize);
	pid = clone(sibling, stack + size, CLONE_VM | SIGCHLD, NULL);
	if (pid < 0) {
		fail("clone: %s", strerror(errno));
		goto out;
	}
	while (!get(sibling_call.begun) && !get(shared->stop))
		sched_yield();
	/* While it waits for the monitor, as a rule. */
	for (i = rnd(state, 6); i && !get(sibling_call.done); i--)
		usleep(rnd(state, 50));
	count(&shared->kills);
	if (!get(sibling_call.done))
		count(&shared->kills_in_op);
	kill(pid, SIGKILL);
	doing(OWNERS, "wait for the killed", NULL, NULL, 0);
	waitpid(pid, NULL, 0);
	doing(OWNERS, "check after the kill", NULL, NULL, 0);

	if (what == MOVE) {
		moved = !mincore(to, a->len * psize, vec);
		if (get(sibling_call.done) && !moved)
			fail("a finished mremap has moved nothing");
		if (moved) {
			if (!sibling_call.done)
				count(&shared->killed_op_done);
			a->addr = to;
			a->slot = s;
		}
		check_area(moved ? "after a killed move" : "after a kill before the move",
			   SIBLING_AREA);
		goto out;
	}
	if (what == UNMAP) {
		/* What takes its place is new, if the monitor has been told. */
		moved = first ? mincore(a->addr + first * psize, n * psize, vec) : true;
		if (moved && first) {
			if (!sibling_call.done)
				count(&shared->killed_op_done);
			a->len = first;
			if (remap(a, first, first + n, 0, NULL)) {
				check_zeros("what was unmapped and has grown again", SIBLING_AREA,
					    a->addr + first * psize, n, state);
				remap(a, first + n, first, 0, NULL);
			}
		} else if (!first) {
			a->len = 0;
			munmap(a->addr, n * psize);
		}
		check_area("after a killed munmap", SIBLING_AREA);
		goto out;
	}
	/*
	 * What was written there tells whether a page was removed; where
	 * nothing was, the content does, unless it is zeros both before and
	 * after.
	 */
	for (i = first; i < first + n && !get(shared->stop); i++) {
		const uint64_t id = SIBLING_AREA * PAGES + i;

		if (a->dirty[i]) {
			before = get(page(a, i)[WORD_DIRTY]) == a->dirty[i];
			after = !before;
		} else {
			before = is_content(page(a, i), id, a->version[i]);
			after = is_content(page(a, i), id, a->version[i] + 1);
			if (!before && !after)
				mismatch("after a killed removal", SIBLING_AREA, i,
					 a->version[i] + 1);
		}
		nr_before += before && !after;
		nr_after += after && !before;
	}
	if (nr_before && nr_after)
		wrong("a killed removal: %zu pages are new, %zu as before: half done or not told",
		      nr_after, nr_before);
	if (get(sibling_call.done) && nr_before)
		wrong("a finished madvise has left %zu pages", nr_before);
	if (nr_after) {
		if (!sibling_call.done)
			count(&shared->killed_op_done);
		for (i = first; i < first + n; i++) {
			a->version[i]++;
			a->dirty[i] = 0;
		}
	}
	check_area("after a killed removal", SIBLING_AREA);
out:
	change_end(a);
	/* Versions for which both answers were right: begin with new ones. */
	change_begin(a);
	renew(SIBLING_AREA);
	change_end(a);
}

static void *siblings(void *arg)
{
	size_t size = 16 * 4096;
	uint64_t state = mix(seed) + 400 + (long)arg;
	char *stack = map(size / psize + 1, -1);

	while (!get(shared->stop) && with("sibling"))
		kill_sibling(stack, size, &state);
	doing(OWNERS, "stopped", NULL, NULL, 0);
	return NULL;
}

static int target(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_MONITOR_FEATURES };
	pthread_t thread[OWNERS + READERS + 1];
	int uffd, nr, n = 0;
	long i;

	uffd = open_uffd();
	if (ioctl(uffd, UFFDIO_API, &api))
		broken("userfaultfd");
	send_fd(sock, uffd);
	close(uffd);
	for (nr = 0; nr < AREAS; nr++) {
		pthread_rwlockattr_t attr;

		pthread_rwlockattr_init(&attr);
		pthread_rwlockattr_setkind_np(&attr,
					      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
		pthread_rwlock_init(&areas[nr].lock, &attr);
		areas[nr].shmem = nr == 1 || nr == 3;
		areas[nr].addr = slot(nr, 0);
		renew(nr);
	}
	for (i = 0; i < OWNERS; i++)
		if (pthread_create(&thread[n++], NULL, owner, (void *)i))
			broken("pthread_create");
	for (i = 0; i < READERS; i++)
		if (pthread_create(&thread[n++], NULL, reader, (void *)i))
			broken("pthread_create");
	if (pthread_create(&thread[n++], NULL, siblings, NULL))
		broken("pthread_create");
	while (n)
		pthread_join(thread[--n], NULL);

	/* In the end nothing is pending, and every page is served. */
	if (get(shared->failed) || get(shared->no_check))
		return 0;
	set(shared->stop, 0);
	for (nr = 0; nr < AREAS; nr++)
		check_area("in the end", nr);
	n = ask(NULL);
	if (n == MONITOR_GONE)
		fail("the monitor has gone");
	else if (n)
		fail("changing: %d although nothing changes", n);
	return 0;
}

/*
 * The controller
 */

static pid_t start(int (*run)(void *), void *arg)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		signal(SIGPIPE, SIG_IGN);
		_exit(run(arg));
	}
	return pid;
}

struct life {
	int nr, threads;
	int sock[2], quit;
};

static int run_target(void *arg)
{
	struct life *l = arg;

	close(l->sock[1]);
	close(l->quit);
	sock = l->sock[0];
	return target();
}

static int run_monitor(void *arg)
{
	struct life *l = arg;

	close(l->sock[0]);
	quit_fd = l->quit;
	return watch_target(l->sock[1], l->nr, l->threads);
}

/* Waits for the end of a process; without one it hangs. */
static bool ended(pid_t pid, const char *who, int *status)
{
	long long end = now_ms() + PATIENCE * 1000;
	int i;

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (now_ms() > end) {
			fail("the %s does not come to its end", who);
			for (i = 0; i <= OWNERS; i++)
				ksft_print_msg("thread %d: %s\n", i, shared->doing[i].op);
			kill(pid, SIGKILL);
			waitpid(pid, status, 0);
			return false;
		}
		usleep(2000);
	}
	return true;
}

static void print_failure(void)
{
	unsigned long n, i;

	ksft_print_msg("FAILURE %s\n", shared->failure);
	for (i = 0; i <= OWNERS; i++)
		ksft_print_msg("  thread %lu: %s %lx %lx, %lu pages (op %lu)\n", i,
			       shared->doing[i].op ?: "-", shared->doing[i].from,
			       shared->doing[i].to, shared->doing[i].len, shared->doing[i].nr);
	n = get(shared->events);
	for (i = n > EVENTS ? n - EVENTS : 0; i < n; i++) {
		struct uffd_msg *msg = &shared->event[i % EVENTS];

		switch (msg->event) {
		case UFFD_EVENT_FORK:
			ksft_print_msg("  event %lu: fork\n", i);
			break;
		case UFFD_EVENT_REMAP:
			ksft_print_msg("  event %lu: remap %llx to %llx, %llu pages\n", i,
				       msg->arg.remap.from, msg->arg.remap.to,
				       msg->arg.remap.len / psize);
			break;
		default:
			ksft_print_msg("  event %lu: %s %llx, %llu pages\n", i,
				       msg->event == UFFD_EVENT_REMOVE ? "remove" : "unmap",
				       msg->arg.remove.start,
				       (msg->arg.remove.end - msg->arg.remove.start) / psize);
		}
	}
}

enum ending { IN_ORDER, KILL_TARGET, KILL_MONITOR };

/* False when something was wrong. */
static bool live(int nr, int threads, long long ms, enum ending ending)
{
	struct life l = { .nr = nr, .threads = threads };
	long long end = now_ms() + ms, progress = now_ms();
	unsigned long checks = 0;
	pid_t target, monitor;
	siginfo_t info;
	int status = 0;
	bool early;

	l.quit = eventfd(0, EFD_CLOEXEC);
	if (l.quit < 0)
		ksft_exit_fail_msg("eventfd: %s\n", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l.sock))
		ksft_exit_fail_msg("socketpair: %s\n", strerror(errno));
	shared->stop = 0;
	shared->quit = 0;
	shared->no_check = 0;
	seed = mix(seed + nr);
	target = start(run_target, &l);
	monitor = start(run_monitor, &l);
	close(l.sock[0]);
	close(l.sock[1]);
	while (now_ms() < end && !get(shared->stop)) {
		usleep(10000);
		if (get(shared->checks) != checks) {
			checks = get(shared->checks);
			progress = now_ms();
		} else if (now_ms() - progress > PATIENCE * 1000) {
			fail("nothing has moved for %d s", PATIENCE);
		}
		memset(&info, 0, sizeof(info));
		if (waitid(P_PID, target, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			set(shared->stop, 1);
	}
	/* Nobody was killed yet.  How it ended says more, if that is wrong. */
	early = get(shared->stop);
	if (get(shared->failed))
		ending = KILL_TARGET;
	else if (early)
		ending = IN_ORDER;
	if (ending == KILL_TARGET)
		kill(target, SIGKILL);
	if (ending == KILL_MONITOR) {
		set(shared->no_check, 1);
		kill(monitor, SIGKILL);
		ended(monitor, "killed monitor", &status);
	}
	set(shared->stop, 1);
	ended(target, ending == KILL_TARGET ? "killed target" : "target", &status);
	if (ending != KILL_TARGET && status)
		fail("the target ended with status 0x%x", status);
	set(shared->quit, 1);
	if (eventfd_write(l.quit, 1))
		fail("eventfd: %s", strerror(errno));
	close(l.quit);
	if (ending != KILL_MONITOR && ended(monitor, "monitor", &status) && status)
		fail("the monitor ended with status 0x%x", status);
	if (early)
		fail("the life has stopped before its time");
	return !get(shared->failed);
}

/* Why there is no yielding mode; NULL if there is one. */
static const char *no_yield(void)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int err = uffd < 0 || ioctl(uffd, USERFAULTFD_YIELD) ? errno : 0;

	if (uffd >= 0)
		close(uffd);
	switch (err) {
	case 0:
		return NULL;
	case EPERM:
		return "vm.userfaultfd_yield is 0";
	case EINVAL:
		return "there is no yielding mode";
	default:
		return strerror(err);
	}
}

static void print_stats(const char *mode)
{
	struct uffd_monitor_stats *f = &shared->fill;

	ksft_print_msg("%s: fills %lu, pages %lu (%lu zero), partial %lu, EEXIST %lu, ENOENT %lu\n",
		       mode, f->fills, f->pages, f->zero_pages, f->partial, f->eexist, f->enoent);
	ksft_print_msg("%s: EAGAIN %lu, %lu of them without an event; ESRCH %lu\n", mode,
		       f->eagain, f->eagain_no_event, f->esrch);
	ksft_print_msg("%s: fills held in a gap %lu, refused %lu\n", mode, shared->gaps,
		       shared->gap_eagain);
	ksft_print_msg("%s: faults %lu, repeated %lu, of unknown pages %lu\n", mode, f->faults,
		       shared->repeated, f->unknown);
	ksft_print_msg("%s: events: remove %lu, remap %lu, unmap %lu, fork %lu\n", mode,
		       f->remove, f->remap, f->unmap, f->fork);
	ksft_print_msg("%s: changes %lu, checks %lu, looked again %lu\n", mode, shared->ops,
		       shared->checks, shared->again);
	ksft_print_msg("%s: siblings killed %lu, in a call %lu that took effect %lu\n", mode,
		       shared->kills, shared->kills_in_op, shared->killed_op_done);
}

/* A soak in which something never happened has not tested it. */
static bool covered(const char *mode)
{
	const struct uffd_monitor_stats *f = &shared->fill;
	bool moves = with("move") || with("sibling");
	const struct {
		const char *what;
		unsigned long nr;
		bool wanted;
	} all[] = {
		{ "remove", f->remove, true },
		{ "remap", f->remap, moves },
		{ "unmap", f->unmap, moves || with("trunc") || with("renew") },
		{ "fork", f->fork, with("fork") },
		{ "fill held in a gap", shared->gaps, with("gap") },
		{ "fill refused after a gap", shared->gap_eagain, with("gap") },
		{ "partial fill", f->partial, true },
		{ "kill in a call", shared->kills_in_op, with("sibling") },
	};
	bool good = true;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i].wanted || all[i].nr)
			continue;
		ksft_print_msg("FAILURE %s: never seen: %s\n", mode, all[i].what);
		good = false;
	}
	return good;
}

static bool soak(const char *mode, long seconds)
{
	long long end = now_ms() + seconds * 1000, left;
	enum ending ending;
	int nr, lives = seconds / LIFE_SECONDS;
	bool good = true;

	if (lives < 1)
		lives = 1;
	memset(shared, 0, sizeof(*shared));
	shared->yield = !strcmp(mode, "yield");
	for (nr = 0; good && nr < lives; nr++) {
		left = end - now_ms();
		ending = nr % 2 && nr + 1 < lives && with("kill") ?
			 (nr % 4 == 1 ? KILL_TARGET : KILL_MONITOR) : IN_ORDER;
		/* All numbers of threads, the most of them first. */
		good = live(nr, 1 + (FILLERS - 1 + 3 * nr) % FILLERS, left / (lives - nr), ending);
	}
	ksft_print_msg("%s: %d lives\n", mode, nr);
	print_stats(mode);
	if (!good)
		print_failure();
	else if (seconds >= COVER_SECONDS)
		good = covered(mode);
	return good;
}

/* Objects of the cache of contexts, -1 when nobody says. */
static long contexts(void)
{
	int fd = open(CTX_SLAB "shrink", O_WRONLY | O_CLOEXEC);
	long n = -1;
	FILE *file;

	/* What lies in the caches of the processors counts as used, else. */
	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			n = -1;
		close(fd);
	}
	file = fopen(CTX_SLAB "objects", "re");
	if (file && fscanf(file, "%ld", &n) != 1)
		n = -1;
	if (file)
		fclose(file);
	return n;
}

static void test_contexts(long before)
{
	long n = contexts();
	int i;

	for (i = 0; i < 100 && n > before; i++) {
		usleep(20000);
		n = contexts();
	}
	if (before < 0 || n < 0)
		ksft_test_result_skip("no userfaultfd is left behind: no " CTX_SLAB "objects\n");
	else
		ksft_test_result(n <= before, "no userfaultfd is left behind (%ld, %ld before)\n",
				 n, before);
}

/* Until this process ends. */
static void switch_off(const char *guard)
{
	int session = open(SESSION, O_RDWR | O_CLOEXEC), len;
	char command[64];

	len = snprintf(command, sizeof(command), "bypass %s", guard);
	if (session < 0 || write(session, command, len) != len)
		ksft_exit_fail_msg("cannot bypass %s: %s\n", guard, strerror(errno));
	ksft_print_msg("guard %s is bypassed\n", guard);
}

int main(int argc, char **argv)
{
	const char *only = argc > 3 ? argv[3] : NULL;
	long seconds = argc > 1 ? atol(argv[1]) : 0, before;
	const char *mode[2] = { "default", "yield" };
	const char *why_not;
	int i;

	if (seconds <= 0 || argc > 4 || (only && strcmp(only, mode[0]) && strcmp(only, mode[1]))) {
		fprintf(stderr, "usage: uffd-soak SECONDS [SEED [default|yield]]\n");
		return KSFT_FAIL;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	psize = sysconf(_SC_PAGESIZE);
	without = getenv("SOAK_WITHOUT");
	seed = strtoul(argc > 2 ? argv[2] : getenv("SEED") ?: "1", NULL, 0);
	ksft_print_msg("SEED=%lu%s%s\n", seed, without ? ", without " : "", without ?: "");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	why_not = no_yield();
	if (only && !strcmp(only, "yield") && why_not)
		ksft_exit_skip("%s\n", why_not);
	if (getenv("RACE_BYPASS"))
		switch_off(getenv("RACE_BYPASS"));
	ksft_set_plan(only ? 2 : 3);
	before = contexts();
	for (i = 0; i < 2; i++) {
		if (only && strcmp(only, mode[i]))
			continue;
		if (i && why_not) {
			ksft_test_result_skip("soak in mode %s: %s\n", mode[i], why_not);
			continue;
		}
		ksft_test_result(soak(mode[i], only || why_not ? seconds : seconds / 2),
				 "soak in mode %s\n", mode[i]);
	}
	test_contexts(before);
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
