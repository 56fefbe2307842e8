// SPDX-License-Identifier: GPL-2.0
/*
 * Events of userfaultfd, where no race is needed to see that they are right: what
 * fdinfo shows, what is written when a fill is refused, who is woken by close(), what
 * becomes of the event of a task that dies, and which system calls send one.
 *
 * It skips a kernel whose fdinfo does not count changes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define PAGES	8
#define ROUNDS	50
#define POISON	0x5a5a
#define CONTEXTS "/sys/kernel/slab/userfaultfd_ctx_cache/"
#define YIELD	"/proc/sys/vm/userfaultfd_yield"

/* All events but that of a fault. */
#define EVENTS	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | \
		 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

static struct monitored m;
static char *src;
static const char *skip;

static const struct {
	unsigned int event;
	uint64_t feature;
} kinds[] = {
	{ UFFD_EVENT_REMOVE, UFFD_FEATURE_EVENT_REMOVE },
	{ UFFD_EVENT_UNMAP, UFFD_FEATURE_EVENT_UNMAP },
	{ UFFD_EVENT_REMAP, UFFD_FEATURE_EVENT_REMAP },
	{ UFFD_EVENT_FORK, UFFD_FEATURE_EVENT_FORK },
};

static char *page(int i)
{
	return m.area + i * page_size();
}

static int fill_page(int i)
{
	return fill(m.uffd, page(i), src, page_size(), NULL);
}

static long changing(void)
{
	return uffd_fdinfo(m.uffd, "changing");
}

static long generation(void)
{
	return uffd_fdinfo(m.uffd, "generation");
}

/* A change that waits for the monitor: it has begun, and its task sleeps. */
static void pend(struct actor *who, int thread, unsigned int event)
{
	long before = generation();

	change_layout(&m, who, thread, event);
	while (generation() == before && !actor_is_done(who, thread))
		if (!race_look_again())
			race_broken("event %#x: nothing changes", event);
	if (!actor_blocked(who, thread))
		race_broken("event %#x is not waited for", event);
	check(event_readable(m.uffd, 0));
}

/* Return: what the call of that thread has returned. */
static long end(int thread)
{
	actor_done(&m.actor, thread);
	check(m.actor.call[thread].ret != -1);
	return m.actor.call[thread].ret;
}

/* Only the controller has the userfaultfd, and no fork gets a copy. */
static void close_own(void)
{
	actor_call(&m.actor, 0, SYS_close, m.own_uffd);
	check(!end(0));
}

static void close_uffd(void)
{
	close(m.uffd);
	m.uffd = -1;
}

static ssize_t read_one(struct uffd_msg *msg)
{
	return read(m.uffd, msg, sizeof(*msg));
}

static bool is_range(const struct uffd_msg *msg, unsigned int event,
		     const char *start, size_t len)
{
	return msg->event == event &&
		msg->arg.remove.start == (uintptr_t)start &&
		msg->arg.remove.end == (uintptr_t)start + len;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static long read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return len > 0 ? atol(text) : -1;
}

/*
 * How many contexts there are.  shrink empties the caches of the CPUs: then those
 * that are left are in partial slabs, for a slab has room for more of them than a
 * test makes.
 */
static long contexts(void)
{
	if (write_text(CONTEXTS "shrink", "1"))
		return -1;
	return read_number(CONTEXTS "objects_partial");
}

/* The monitored process has gone, and all of its contexts with it. */
static void nothing_leaks(long before)
{
	long after = contexts();

	if (before < 0)
		ksft_print_msg("contexts cannot be counted\n");
	else if (after != before)
		ksft_print_msg("contexts: %ld before, %ld after\n", before,
			       after);
	check(after == before);
}

/* .copy and .zeropage say -EAGAIN, and not what the caller has left there. */
static void refused_output(void)
{
	struct uffdio_zeropage zero = { };
	struct uffdio_copy copy = { };

	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	copy.dst = (uintptr_t)page(1);
	copy.src = (uintptr_t)src;
	copy.len = page_size();
	copy.copy = POISON;
	check(ioctl(m.uffd, UFFDIO_COPY, &copy) == -1 && errno == EAGAIN);
	check(copy.copy == -EAGAIN);
	zero.range.start = (uintptr_t)page(1);
	zero.range.len = page_size();
	zero.zeropage = POISON;
	check(ioctl(m.uffd, UFFDIO_ZEROPAGE, &zero) == -1 && errno == EAGAIN);
	check(zero.zeropage == -EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(!fill_page(1));
	end(0);
	monitored_stop(&m);
}

/* Each change counts until its event was read, and in the generation for ever. */
static void counts(void)
{
	struct uffd_msg msg;

	monitored_start(&m, PAGES, EVENTS);
	check(changing() == 0 && generation() == 0);
	check(uffd_fdinfo(m.uffd, "yield") == 0);

	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(changing() == 1 && generation() == 1);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	check(changing() == 2 && generation() == 2);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 1 && fill_page(1) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 0 && generation() == 2 && !fill_page(1));
	end(0);
	end(1);

	pend(&m.actor, 0, UFFD_EVENT_FORK);
	check(changing() == 1 && generation() == 3);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(changing() == 0 && generation() == 3);
	check(uffd_fdinfo(msg.arg.fork.ufd, "changing") == 0);
	check(uffd_fdinfo(msg.arg.fork.ufd, "generation") == 0);
	close(msg.arg.fork.ufd);
	kill(end(0), SIGKILL);

	/* What was there, what is moved, and where that was: in this order. */
	pend(&m.actor, 0, UFFD_EVENT_REMAP);
	check(changing() == 3 && generation() == 6);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg);
	check(is_range(&msg, UFFD_EVENT_UNMAP, page(PAGES - 1), page_size()));
	check(changing() == 2);
	event_read(m.uffd, UFFD_EVENT_REMAP, &msg);
	check(msg.arg.remap.from == (uintptr_t)m.other);
	check(msg.arg.remap.to == (uintptr_t)page(PAGES - 1));
	check(msg.arg.remap.len == page_size());
	check(changing() == 1 && fill_page(2) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg);
	check(is_range(&msg, UFFD_EVENT_UNMAP, m.other, page_size()));
	check(changing() == 0 && generation() == 6 && !fill_page(2));
	check(end(0) == (long)page(PAGES - 1));

	/* There is nothing left to unmap there. */
	actor_call(&m.actor, 0, SYS_munmap, (long)m.other, page_size());
	check(!end(0));
	check(changing() == 0 && generation() == 6);
	check(!event_readable(m.uffd, 0));
	monitored_stop(&m);
}

/* Nobody is told of an event that nobody asked for. */
static void no_features(void)
{
	size_t i;

	monitored_start(&m, PAGES, 0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		change_layout(&m, &m.actor, 0, kinds[i].event);
		end(0);
		check(changing() == 0 && generation() == 0);
		check(!event_readable(m.uffd, 0));
	}
	kill(m.actor.call[0].ret, SIGKILL);
	monitored_stop(&m);
}

static int unregister_other(void)
{
	struct uffdio_range range = {
		.start = (uintptr_t)m.other,
		.len = PAGES * page_size(),
	};

	return ioctl(m.uffd, UFFDIO_UNREGISTER, &range);
}

/* The mode is that of the sysctl when the context was made, or of the parent. */
/* In the mode that the sysctl says. */
static int uffd_made_now(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		race_broken("userfaultfd: %s", strerror(errno));
	return uffd;
}

static void yield_mode(void)
{
	const long was = read_number(YIELD);
	struct uffd_msg msg;
	int before, during;

	check(was == 0 || was == 1);
	check(!write_text(YIELD, "0"));
	before = uffd_made_now();
	check(write_text(YIELD, "2") == EINVAL);
	check(write_text(YIELD, "-1") == EINVAL);
	check(!write_text(YIELD, "1"));
	check(read_number(YIELD) == 1);
	during = uffd_made_now();
	check(!write_text(YIELD, "0"));
	check(read_number(YIELD) == 0);
	check(uffd_fdinfo(before, "yield") == 0);
	check(uffd_fdinfo(during, "yield") == 1);
	close(before);
	close(during);

	m.yield = true;
	monitored_start(&m, PAGES, EVENTS);
	m.yield = false;
	check(read_number(YIELD) == 0);
	check(uffd_fdinfo(m.uffd, "yield") == 1);

	pend(&m.actor, 0, UFFD_EVENT_FORK);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(uffd_fdinfo(msg.arg.fork.ufd, "yield") == 1);
	kill(end(0), SIGKILL);

	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(changing() == 1 && generation() == 2);
	check(fill_page(1) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 0 && !fill_page(1));
	end(0);
	/* A fill that lets others in must see that as well. */
	check(!unregister_other());
	check(changing() == 0 && generation() == 3);
	monitored_stop(&m);
	close(msg.arg.fork.ufd);

	monitored_start(&m, PAGES, EVENTS);
	check(uffd_fdinfo(m.uffd, "yield") == 0);
	check(!unregister_other());
	check(generation() == 0);
	monitored_stop(&m);
	check(!write_text(YIELD, was ? "1" : "0"));
}

/* close() releases whoever waits for the monitor, and nothing is left. */
static void close_while_waiting(void)
{
	long before = contexts();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool forks = kinds[i].event == UFFD_EVENT_FORK;

		monitored_start(&m, PAGES, kinds[i].feature);
		close_own();
		pend(&m.actor, 0, kinds[i].event);
		/* That they are counted: the child of a fork has its own. */
		check(before < 0 || contexts() == before + (forks ? 2 : 1));
		close_uffd();
		if (forks)
			kill(end(0), SIGKILL);
		else
			end(0);
		monitored_stop(&m);
		nothing_leaks(before);
	}

	/* Two who wait, and one who waits for one event after the other. */
	monitored_start(&m, PAGES, EVENTS);
	close_own();
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	pend(&m.actor, 1, UFFD_EVENT_REMAP);
	close_uffd();
	kill(end(0), SIGKILL);
	check(end(1) == (long)page(PAGES - 1));
	monitored_stop(&m);
	nothing_leaks(before);

	monitored_start(&m, PAGES, EVENTS);
	close_own();
	pend(&m.actor, 0, UFFD_EVENT_REMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	check(!actor_is_done(&m.actor, 0));
	close_uffd();
	check(end(0) == (long)page(PAGES - 1));
	monitored_stop(&m);
	nothing_leaks(before);
}

/* Killed while it waits: the change stays, and so does its event, once. */
static void killed_change(void)
{
	long before = contexts();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].event == UFFD_EVENT_FORK)
			continue;
		monitored_start_twin(&m, PAGES, kinds[i].feature);
		pend(&m.twin, 0, kinds[i].event);
		twin_kill(&m);
		check(changing() == 1 && fill_page(1) == EAGAIN);
		event_read(m.uffd, kinds[i].event, NULL);
		check(changing() == 0 && !fill_page(1));
		check(!event_readable(m.uffd, 0));
		monitored_stop(&m);
		nothing_leaks(before);

		/* Or until the file is closed. */
		monitored_start_twin(&m, PAGES, kinds[i].feature);
		close_own();
		pend(&m.twin, 0, kinds[i].event);
		twin_kill(&m);
		close_uffd();
		monitored_stop(&m);
		nothing_leaks(before);
	}
}

/* Three events of one mremap, in their order. */
static void killed_mremap(void)
{
	long before = contexts();
	struct uffd_msg msg[4];

	monitored_start_twin(&m, PAGES, EVENTS);
	pend(&m.twin, 0, UFFD_EVENT_REMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg[0]);
	twin_kill(&m);
	check(changing() == 2);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_REMAP);
	check(is_range(&msg[1], UFFD_EVENT_UNMAP, m.other, page_size()));
	check(changing() == 0 && !fill_page(1));
	monitored_stop(&m);
	nothing_leaks(before);
}

/* A fork that was killed has no child: there is nothing to tell. */
static void killed_fork(void)
{
	long before = contexts();
	struct uffd_msg msg;

	monitored_start_twin(&m, PAGES, EVENTS);
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	check(changing() == 2);
	twin_kill(&m);
	check(changing() == 1);
	check(read_one(&msg) == sizeof(msg));
	check(msg.event == UFFD_EVENT_UNMAP);
	check(changing() == 0 && !event_readable(m.uffd, 0));
	check(!fill_page(1));
	end(0);
	monitored_stop(&m);
	nothing_leaks(before);
}

/*
 * A monitor that could not serve a fault because of that fork waits for an event
 * which never comes: it gets the fault again.
 */
static void killed_fork_and_fault(void)
{
	struct uffd_msg msg;

	monitored_start_twin(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)page(1));
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	check(fill_page(1) == EAGAIN);
	twin_kill(&m);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)page(1));
	check(!event_readable(m.uffd, 0));
	check(!fill_page(1));
	check(end(0) == 1);
	monitored_stop(&m);
}

/* The whole process dies, and its monitor still reads what it did before. */
static void killed_process(void)
{
	long before = contexts();

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	actor_stop(&m.actor);
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	check(changing() == 0 && !event_readable(m.uffd, 0));
	check(fill_page(1) == ESRCH);
	close_uffd();
	nothing_leaks(before);

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	actor_stop(&m.actor);
	close_uffd();
	nothing_leaks(before);
}

static void touch_source(void *arg)
{
	memset(arg, 0x5a, PAGES * page_size());
}

/* Killed while MADV_DONTNEED waits for a fill: nothing begun, nothing removed. */
static void killed_behind_fill(void)
{
	struct uffdio_copy *copy = shared_alloc(sizeof(*copy));
	char *from = mmap(NULL, PAGES * page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct actor filler;
	int i;

	if (from == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	if (!race_points_exist()) {
		skip = "no race points";
		return;
	}
	monitored_start_twin(&m, PAGES, EVENTS);
	actor_start(&filler, touch_source, from);
	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.call[0].tid, (long)page(1), (long)page(2));
	race_arm("uffd_remove_begin", "tid=%d", m.twin.call[0].tid);
	copy->dst = (uintptr_t)m.area;
	copy->src = (uintptr_t)from;
	copy->len = PAGES * page_size();
	actor_call(&filler, 0, SYS_ioctl, m.uffd, UFFDIO_COPY, (long)copy);
	race_wait("uffd_fill_page", "held=1");
	change_layout(&m, &m.twin, 0, UFFD_EVENT_REMOVE);
	race_wait("uffd_remove_begin", "hits=1");
	if (!actor_blocked(&m.twin, 0))
		race_broken("MADV_DONTNEED waits for nobody");
	check(!event_readable(m.uffd, 0));
	check(changing() == 0 && generation() == 0);
	twin_kill(&m);
	check(!event_readable(m.uffd, 0));
	check(changing() == 0 && generation() == 0);
	race_release("uffd_fill_page");
	actor_done(&filler, 0);
	check(race_point_field("uffd_fill_page", "released") == 1);
	check(filler.call[0].ret == 0);
	for (i = 0; i < PAGES; i++)
		check(page_exists(m.actor.pid, page(i)));

	/* And the lock is free: the next removal finds it so. */
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	end(0);
	check(!page_exists(m.actor.pid, page(0)) && !fill_page(0));
	actor_stop(&filler);
	monitored_stop(&m);
}

/* A segment that is attached over registered memory unmaps that. */
static void shm_remap(void)
{
	int id = shmget(IPC_PRIVATE, 2 * page_size(), 0600);
	struct uffd_msg msg;

	if (id < 0) {
		skip = "no System V shared memory";
		return;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, id, (long)page(2), SHM_REMAP);
	check(actor_blocked(&m.actor, 0));
	if (event_readable(m.uffd, 0)) {
		check(changing() == 1 && fill_page(1) == EAGAIN);
		check(read_one(&msg) == sizeof(msg));
		check(is_range(&msg, UFFD_EVENT_UNMAP, page(2),
			       2 * page_size()));
	} else {
		check(!"no event");
	}
	check(end(0) == (long)page(2));
	check(changing() == 0 && !fill_page(1));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

static int register_range(const char *start, size_t len)
{
	return uffd_register(m.uffd, start, len) ? errno : 0;
}

/* One of small pages cannot be registered: detaching it concerns no monitor. */
static void shm_detach(void)
{
	int id = shmget(IPC_PRIVATE, 2 * page_size(), 0600);
	char *at;

	if (id < 0) {
		skip = "no System V shared memory";
		return;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, id, 0, 0);
	at = (char *)end(0);
	check(register_range(at, 2 * page_size()) == EINVAL);
	actor_call(&m.actor, 0, SYS_shmdt, (long)at);
	check(!end(0));
	check(generation() == 0 && !event_readable(m.uffd, 0));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

/* Those of hugetlb can be registered. */
static void shm_detach_huge(void)
{
	const size_t huge = 2 << 20;
	int id = shmget(IPC_PRIVATE, huge, SHM_HUGETLB | 0600);
	struct uffd_msg msg;
	char *at;

	if (id < 0) {
		skip = "no huge page for System V shared memory";
		return;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, id, 0, 0);
	at = (char *)end(0);
	check(!register_range(at, huge));
	actor_call(&m.actor, 0, SYS_shmdt, (long)at);
	if (actor_blocked(&m.actor, 0)) {
		check(changing() == 1 && fill_page(1) == EAGAIN);
		check(read_one(&msg) == sizeof(msg));
		check(is_range(&msg, UFFD_EVENT_UNMAP, at, huge));
	} else {
		check(!"no event");
	}
	check(!end(0));
	check(changing() == 0 && !fill_page(1));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

/* It replaces a part of the mapping with another, which is not registered. */
static void remap_file_pages_unmaps(void)
{
	char *shared = shared_alloc(PAGES * page_size());
	struct uffd_msg msg;

	monitored_start(&m, PAGES, EVENTS);
	check(!register_range(shared, PAGES * page_size()));
	actor_call(&m.actor, 0, SYS_remap_file_pages,
		   (long)(shared + page_size()), page_size(), 0, 3, 0);
	check(actor_blocked(&m.actor, 0));
	if (event_readable(m.uffd, 0)) {
		check(changing() == 1 && fill_page(1) == EAGAIN);
		check(read_one(&msg) == sizeof(msg));
		check(is_range(&msg, UFFD_EVENT_UNMAP, shared + page_size(),
			       page_size()));
	} else {
		check(!"no event");
	}
	check(!end(0));
	check(changing() == 0 && !fill_page(1));
	monitored_stop(&m);
	munmap(shared, PAGES * page_size());
}

/* As many as there is room for, the oldest first. */
static void read_several(void)
{
	struct uffd_msg msg[3];

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	check(read(m.uffd, msg, sizeof(msg[0]) - 1) == -1 && errno == EINVAL);
	check(changing() == 2);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(is_range(&msg[0], UFFD_EVENT_UNMAP, page(PAGES - 1),
		       page_size()));
	check(is_range(&msg[1], UFFD_EVENT_REMOVE, page(0), page_size()));
	check(changing() == 0);
	check(read_one(&msg[0]) == -1 && errno == EAGAIN);
	end(0);
	end(1);
	monitored_stop(&m);
}

/* An event goes to one of those who read at the same time. */
static void read_by_two(void)
{
	struct uffd_msg *msg = shared_alloc(2 * sizeof(*msg));
	struct actor reader[2];
	int i, round, got;

	monitored_start(&m, PAGES, EVENTS);
	for (i = 0; i < 2; i++)
		actor_start(&reader[i], NULL, NULL);
	for (round = 0; round < ROUNDS && check_ok; round++) {
		bool forks = round % 5 == 4;

		pend(&m.actor, 0, forks ? UFFD_EVENT_FORK : UFFD_EVENT_REMOVE);
		for (i = 0; i < 2; i++)
			actor_call(&reader[i], 0, SYS_read, m.uffd,
				   (long)&msg[i], sizeof(*msg));
		for (got = 0, i = 0; i < 2; i++) {
			struct call *call = &reader[i].call[0];

			actor_done(&reader[i], 0);
			check(call->ret == sizeof(*msg) ||
			      (call->ret == -1 && call->err == EAGAIN));
			got += call->ret == sizeof(*msg);
		}
		check(got == 1);
		check(changing() == 0 && !event_readable(m.uffd, 0));
		if (forks)
			kill(end(0), SIGKILL);
		else
			end(0);
	}
	for (i = 0; i < 2; i++)
		actor_stop(&reader[i]);
	monitored_stop(&m);
}

/* With no room for its descriptor: a fork stays where it is, and so do others. */
static void fork_without_room(void)
{
	struct rlimit old, none;
	struct uffd_msg msg[3];
	size_t descriptors;

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	pend(&m.actor, 1, UFFD_EVENT_FORK);
	descriptors = open_descriptors();
	check(!getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 0;
	check(!setrlimit(RLIMIT_NOFILE, &none));
	check(read(m.uffd, msg, sizeof(msg)) == sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_REMOVE);
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(!setrlimit(RLIMIT_NOFILE, &old));
	end(0);
	check(changing() == 1 && fill_page(1) == EAGAIN);
	check(open_descriptors() == descriptors);

	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	check(!setrlimit(RLIMIT_NOFILE, &none));
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(!setrlimit(RLIMIT_NOFILE, &old));
	check(changing() == 2 && open_descriptors() == descriptors);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_FORK);
	check(msg[1].event == UFFD_EVENT_UNMAP);
	check(open_descriptors() == descriptors + 1);
	close(msg[0].arg.fork.ufd);
	end(0);
	kill(end(1), SIGKILL);
	monitored_stop(&m);
}

/* A fault that could not be told to the monitor is told again. */
static void fault_is_kept(void)
{
	char *bad = mmap(NULL, page_size(), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffd_msg msg;

	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no page fault");
	check(read_one((void *)bad) == -1 && errno == EFAULT);
	check(event_readable(m.uffd, 0));
	check(read_one(&msg) == sizeof(msg));
	check(msg.event == UFFD_EVENT_PAGEFAULT);
	check(msg.arg.pagefault.address == (uintptr_t)page(1));
	check(read_one(&msg) == -1 && errno == EAGAIN);
	check(!fill_page(1));
	check(end(0) == 1);
	monitored_stop(&m);
	munmap(bad, page_size());
}

/* Whatever way a fill of huge pages ends, it must not keep its locks. */
static void huge_fills_in(bool yield)
{
	const size_t huge = 2 << 20;
	struct uffdio_zeropage zero = { .range.len = huge };
	struct uffd_msg msg;
	int64_t copied;
	char *at, *from;

	m.yield = yield;
	monitored_start(&m, PAGES, EVENTS);
	m.yield = false;
	actor_call(&m.actor, 0, SYS_mmap, 0, 2 * huge, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	actor_done(&m.actor, 0);
	at = (char *)m.actor.call[0].ret;
	if (at == MAP_FAILED) {
		skip = "no huge pages";
		monitored_stop(&m);
		return;
	}
	check(!register_range(at, 2 * huge));
	from = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (from == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	/* The second half is not there: that page is filled after a gap. */
	memset(from, 0x5a, huge);
	check(!fill(m.uffd, at, from, 2 * huge, &copied));
	check(copied == (int64_t)(2 * huge));
	check(fill(m.uffd, at, from, huge, NULL) == EEXIST);
	zero.range.start = (uintptr_t)at;
	check(ioctl(m.uffd, UFFDIO_ZEROPAGE, &zero) == -1 && errno == EINVAL);

	actor_call(&m.actor, 0, SYS_madvise, (long)at, 2 * huge, MADV_REMOVE);
	check(actor_blocked(&m.actor, 0));
	check(event_readable(m.uffd, race_time_left()));
	check(fill(m.uffd, at, from, huge, NULL) == EAGAIN);
	check(read_one(&msg) == sizeof(msg));
	check(is_range(&msg, UFFD_EVENT_REMOVE, at, 2 * huge));
	check(!end(0));
	check(!page_exists(m.actor.pid, at));
	check(!fill(m.uffd, at, from, huge, NULL));
	munmap(from, 2 * huge);
	monitored_stop(&m);
}

static void huge_fills(void)
{
	huge_fills_in(false);
	huge_fills_in(true);
}

/* The same for UFFDIO_WRITEPROTECT, which is refused like a fill. */
static void write_protect_in(bool yield)
{
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	m.yield = yield;
	monitored_start(&m, PAGES, EVENTS | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	m.yield = false;
	reg.range.start = (uintptr_t)m.area;
	reg.range.len = PAGES * page_size();
	check(!ioctl(m.uffd, UFFDIO_REGISTER, &reg));
	check(!fill_page(1));
	wp.range.start = (uintptr_t)page(1);
	wp.range.len = page_size();
	check(!ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp));
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp) == -1 && errno == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(!ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp));
	end(0);
	wp.range.start = (uintptr_t)m.area - page_size();
	check(ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp) == -1 && errno == ENOENT);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	end(0);
	check(changing() == 0 && !fill_page(2));
	monitored_stop(&m);
}

static void write_protect(void)
{
	write_protect_in(false);
	write_protect_in(true);
}

/* A poll() without time-out sleeps until there is an event, and no longer. */
static void poll_wakes(void)
{
	struct pollfd *pfd = shared_alloc(sizeof(*pfd));
	size_t i;

	for (i = 0; i < 2; i++) {
		monitored_start(&m, PAGES, EVENTS);
		pfd->fd = m.own_uffd;
		pfd->events = POLLIN;
		actor_call(&m.actor, 1, SYS_ppoll, (long)pfd, 1, 0, 0, 0);
		check(actor_sleeps(&m.actor, 1));
		pend(&m.actor, 0, kinds[i].event);
		check(end(1) == 1 && pfd->revents == POLLIN);
		event_read(m.uffd, kinds[i].event, NULL);
		end(0);
		monitored_stop(&m);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "a refused fill writes its output", refused_output },
	{ "fdinfo counts changes", counts },
	{ "no features, no changes", no_features },
	{ "the mode is fixed when a context is made", yield_mode },
	{ "close() releases those who wait", close_while_waiting },
	{ "a killed task leaves its event", killed_change },
	{ "a killed mremap leaves all of its events", killed_mremap },
	{ "a killed fork takes its event back", killed_fork },
	{ "a killed fork does not hide a fault", killed_fork_and_fault },
	{ "a killed process leaves its events", killed_process },
	{ "killed while waiting for a fill", killed_behind_fill },
	{ "SHM_REMAP sends UNMAP", shm_remap },
	{ "shmdt of small pages concerns nobody", shm_detach },
	{ "shmdt of huge pages sends UNMAP", shm_detach_huge },
	{ "remap_file_pages sends UNMAP", remap_file_pages_unmaps },
	{ "one read, several events", read_several },
	{ "two reads, one event", read_by_two },
	{ "a fork without room keeps its place", fork_without_room },
	{ "a fault that was not told is told again", fault_is_kept },
	{ "fills of huge pages end in order", huge_fills },
	{ "write protection ends in order", write_protect },
	{ "poll() is woken by events", poll_wakes },
};

int main(void)
{
	size_t i, nr = ARRAY_SIZE(tests);
	int uffd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	uffd = uffd_open(EVENTS);
	if (uffd < 0)
		ksft_exit_skip("no userfaultfd that sends events: %s\n",
			       strerror(errno));
	if (uffd_fdinfo(uffd, "changing") < 0)
		ksft_exit_skip("fdinfo does not count changes\n");
	close(uffd);
	if (geteuid())
		ksft_exit_skip("needs root\n");
	ksft_set_plan(nr);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	for (i = 0; i < nr; i++) {
		check_ok = true;
		skip = NULL;
		tests[i].run();
		if (!check_ok)
			ksft_test_result_fail("%s\n", tests[i].name);
		else if (skip)
			ksft_test_result_skip("%s: %s\n", tests[i].name, skip);
		else
			ksft_test_result_pass("%s\n", tests[i].name);
	}
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}
