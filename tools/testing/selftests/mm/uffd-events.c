// SPDX-License-Identifier: GPL-2.0
/*
 * Events of userfaultfd, where no race is needed to see that they are right: what
 * fdinfo shows, what is written when a fill is refused, who is woken by close(), what
 * becomes of the event of a task that dies, and which system calls send one.
 *
 * It skips a kernel that does not know USERFAULTFD_YIELD, which came with all
 * of this.
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
#include <sys/wait.h>
#include <unistd.h>
#include <linux/userfaultfd_yield.h>

#include "kselftest.h"
#include "race_test.h"

#define PAGES	8
#define ROUNDS	50
#define POISON	0x5a5a
#define LEFT	64	/* events of killed tasks that are kept */
#define LOST	6
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

static long lost(void)
{
	return uffd_fdinfo(m.uffd, "lost");
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

static char yield_before[2];

static void restore_yield(void)
{
	write_text(YIELD, yield_before);
}

/* Return: 0 or an errno. */
static int switch_to_yield(int uffd)
{
	return ioctl(uffd, USERFAULTFD_YIELD) ? errno : 0;
}

static int uffd_api(int uffd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = EVENTS };

	return ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
}

static int uffd_new(void)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0)
		race_broken("userfaultfd: %s", strerror(errno));
	return uffd;
}

/* Who may switch a context, and when.  vm.userfaultfd_yield is put back. */
static void yield_permitted(void)
{
	int uffd, other;

	uffd = uffd_new();
	check(!write_text(YIELD, "0"));
	check(read_number(YIELD) == 0);
	check(switch_to_yield(uffd) == EPERM);
	check(uffd_fdinfo(uffd, "yield") == 0);
	check(write_text(YIELD, "2") == EINVAL);
	check(write_text(YIELD, "-1") == EINVAL);
	check(read_number(YIELD) == 0);

	/* It permits, and switches nobody by itself. */
	check(!write_text(YIELD, "1"));
	check(read_number(YIELD) == 1);
	check(uffd_fdinfo(uffd, "yield") == 0);
	other = uffd_new();
	check(uffd_fdinfo(other, "yield") == 0);
	check(!switch_to_yield(uffd));
	check(uffd_fdinfo(uffd, "yield") == 1);
	check(!switch_to_yield(uffd));
	check(!uffd_api(uffd));
	check(switch_to_yield(uffd) == EBUSY);
	check(uffd_fdinfo(uffd, "yield") == 1);
	check(!uffd_api(other));
	check(switch_to_yield(other) == EBUSY);
	check(uffd_fdinfo(other, "yield") == 0);

	/* What was permitted stays. */
	check(!write_text(YIELD, "0"));
	check(uffd_fdinfo(uffd, "yield") == 1);
	close(uffd);
	close(other);
}

/* The mode is the default one, or that of the parent. */
static void yield_inherited(void)
{
	struct uffd_msg msg;

	check(!write_text(YIELD, "1"));
	m.yield = true;
	monitored_start(&m, PAGES, EVENTS);
	m.yield = false;
	check(uffd_fdinfo(m.uffd, "yield") == 1);
	/* Whatever may be switched now. */
	check(!write_text(YIELD, "0"));
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(uffd_fdinfo(msg.arg.fork.ufd, "yield") == 1);
	check(switch_to_yield(msg.arg.fork.ufd) == EPERM);
	check(!write_text(YIELD, "1"));
	check(switch_to_yield(msg.arg.fork.ufd) == EBUSY);
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

	/* One that did not ask for it, and its child. */
	monitored_start(&m, PAGES, EVENTS);
	check(uffd_fdinfo(m.uffd, "yield") == 0);
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(uffd_fdinfo(msg.arg.fork.ufd, "yield") == 0);
	close(msg.arg.fork.ufd);
	kill(end(0), SIGKILL);
	check(generation() == 1);
	check(!unregister_other());
	check(generation() == 1);
	monitored_stop(&m);
}

/* The one test that has to change vm.userfaultfd_yield. */
static void yield_mode(void)
{
	const long was = read_number(YIELD);

	check(was == 0 || was == 1);
	yield_before[0] = was ? '1' : '0';
	race_cleanup(restore_yield);
	yield_permitted();
	yield_inherited();
	race_cleanup(NULL);
	restore_yield();
	check(read_number(YIELD) == was);
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
 * Is the one fault told to the monitor, and not to be told again?  One that was
 * woken is in no queue until its thread has run, and then pending.
 */
static bool fault_waits(void)
{
	return uffd_fdinfo(m.uffd, "total") == 1 &&
		uffd_fdinfo(m.uffd, "pending") == 0;
}

/* Faults come first, whatever else there is. */
static void read_fault_again(int i)
{
	struct uffd_msg msg;

	while (!uffd_fdinfo(m.uffd, "pending"))
		if (!race_look_again())
			race_broken("the fault does not come again");
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)page(i));
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
	if (!fault_waits())
		read_fault_again(1);
	else
		check(!"the fault does not come again");
	check(!event_readable(m.uffd, 0));
	check(!fill_page(1));
	check(end(0) == 1);
	monitored_stop(&m);
}

static int write_protect_page(int i)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)page(i), .len = page_size() },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

static int zero_page(int i)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page(i), .len = page_size() },
	};

	return ioctl(m.uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
}

static int register_area(uint64_t mode)
{
	struct uffdio_register reg = {
		.range = {
			.start = (uintptr_t)m.area,
			.len = PAGES * page_size(),
		},
		.mode = mode,
	};

	return ioctl(m.uffd, UFFDIO_REGISTER, &reg) ? errno : 0;
}

/*
 * The whole process dies with an event that was not read.  There is nobody left
 * whom it concerns, and whoever asks is told so, whether or not it reads.
 */
static void killed_process(void)
{
	const uint64_t both = UFFDIO_REGISTER_MODE_MISSING |
			      UFFDIO_REGISTER_MODE_WP;
	long before = contexts();
	struct uffd_msg msg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		monitored_start(&m, PAGES,
				EVENTS | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
		check(!register_area(both));
		check(!fill_page(1) && !write_protect_page(1));
		pend(&m.actor, 0, kinds[i].event);
		check(fill_page(2) == EAGAIN && zero_page(2) == EAGAIN);
		check(write_protect_page(1) == EAGAIN);
		actor_stop(&m.actor);
		check(fill_page(2) == ESRCH && zero_page(2) == ESRCH);
		check(write_protect_page(1) == ESRCH);
		check(register_area(both) == ENOMEM);
		check(!event_readable(m.uffd, 0));
		check(read_one(&msg) == -1 && errno == EAGAIN);
		check(changing() == 0 && lost() == 0);
		check(fill_page(2) == ESRCH && zero_page(2) == ESRCH);
		check(write_protect_page(1) == ESRCH);
		close_uffd();
		nothing_leaks(before);
	}

	/* And nobody has read. */
	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	actor_stop(&m.actor);
	close_uffd();
	nothing_leaks(before);
}

/*
 * A change by the twin that waits for the monitor: of one page, in place of
 * pend().
 */
static void pend_page(long nr, int i)
{
	long before = generation();

	actor_call(&m.twin, 0, nr, (long)page(i), page_size(), MADV_DONTNEED);
	while (generation() == before && !actor_is_done(&m.twin, 0))
		if (!race_look_again())
			race_broken("nothing changes");
	if (!actor_blocked(&m.twin, 0))
		race_broken("page %d: nobody waits", i);
}

static void killed_unmap(int i)
{
	pend_page(SYS_munmap, i);
	twin_kill(&m);
}

static void read_range(unsigned int event, int first, int pages)
{
	struct uffd_msg msg = { };

	check(read_one(&msg) == sizeof(msg));
	check(is_range(&msg, event, page(first), pages * page_size()));
}

/*
 * Tasks that are killed leave so many events and no more.  What is lost is
 * counted, ends its change, and wakes whom it kept waiting.
 */
static void killed_many(void)
{
	long before = contexts();
	struct uffd_msg msg;
	int i;

	monitored_start_twins(&m, 2 * (LEFT + LOST) + 2, EVENTS, LEFT + LOST + 1);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, NULL);
	for (i = 0; i < LEFT + LOST; i++) {
		/* No two of them touch. */
		killed_unmap(2 * i);
		twin_next(&m);
		check(changing() == (i < LEFT ? i + 1 : LEFT));
		check(lost() == (i < LEFT ? 0 : i + 1 - LEFT));
		check(fault_waits() == (i < LEFT));
		if (!check_ok)
			break;
		if (i >= LEFT)
			read_fault_again(1);
		check(fill_page(1) == EAGAIN);
	}
	if (!check_ok) {
		monitored_stop(&m);
		return;
	}
	for (i = 0; i < LEFT; i++)
		read_range(UFFD_EVENT_UNMAP, 2 * i, 1);
	check(read_one(&msg) == -1 && errno == EAGAIN);
	check(changing() == 0 && lost() == LOST);
	check(!fill_page(1));
	check(end(0) == 1);

	/* Now there is room for another one. */
	killed_unmap(2 * (LEFT + LOST));
	check(changing() == 1 && lost() == LOST);
	read_range(UFFD_EVENT_UNMAP, 2 * (LEFT + LOST), 1);
	check(changing() == 0);
	monitored_stop(&m);
	nothing_leaks(before);
}

/*
 * Events of killed tasks that follow each other and touch become one, in its
 * place.
 */
static void killed_neighbours(void)
{
	long before = contexts();
	struct actor first;

	monitored_start_twins(&m, 4 * PAGES, EVENTS, 9);
	killed_unmap(3);
	twin_next(&m);
	killed_unmap(4);
	twin_next(&m);
	killed_unmap(2);
	check(changing() == 1 && generation() == 3);
	/* One that waits stands between, and another kind of event. */
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	twin_next(&m);
	killed_unmap(5);
	twin_next(&m);
	pend_page(SYS_madvise, 6);
	twin_kill(&m);
	check(changing() == 4 && lost() == 0);
	/* The first of two is killed after the second. */
	twin_next(&m);
	first = m.twin;
	pend_page(SYS_munmap, 10);
	twin_next(&m);
	killed_unmap(11);
	check(changing() == 6);
	m.twin = first;
	twin_kill(&m);
	check(changing() == 5);
	/* Neither touches the one before it. */
	twin_next(&m);
	killed_unmap(14);
	twin_next(&m);
	killed_unmap(12);
	check(changing() == 7 && lost() == 0);

	read_range(UFFD_EVENT_UNMAP, 2, 3);
	read_range(UFFD_EVENT_REMOVE, 0, 1);
	read_range(UFFD_EVENT_UNMAP, 5, 1);
	read_range(UFFD_EVENT_REMOVE, 6, 1);
	read_range(UFFD_EVENT_UNMAP, 10, 2);
	read_range(UFFD_EVENT_UNMAP, 14, 1);
	read_range(UFFD_EVENT_UNMAP, 12, 1);
	check(changing() == 0 && !event_readable(m.uffd, 0));
	check(!fill_page(20));
	end(0);
	monitored_stop(&m);
	nothing_leaks(before);
}

/* A process that reads into memory which it has to be given. */
struct reader {
	int uffd;
	char *buf;
	int err;
};

static void reader_init(void *arg)
{
	struct reader *r = arg;

	r->uffd = uffd_open(0);
	r->buf = r->uffd < 0 ? NULL : uffd_area(r->uffd, page_size());
	r->err = r->buf ? 0 : errno;
}

/* The lowest descriptor that is free in an actor. */
static long lowest_free(struct actor *a)
{
	long fd;

	actor_call(a, 1, SYS_dup, 0);
	actor_done(a, 1);
	fd = a->call[1].ret;
	check(fd >= 0);
	actor_call(a, 1, SYS_close, fd);
	actor_done(a, 1);
	return fd;
}

/* A reader that sleeps keeps no descriptor for a fork that will not be. */
static void fork_file_is_dropped(void)
{
	struct reader *r = shared_alloc(sizeof(*r));
	int flags, served, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct actor reader;
	long lowest;

	/* Whatever number 0 is. */
	if (null < 0 || dup2(null, 0))
		race_broken("/dev/null: %s", strerror(errno));
	close(null);
	monitored_start_twin(&m, PAGES, EVENTS);
	actor_start(&reader, reader_init, r);
	if (r->err)
		race_broken("userfaultfd: %s", strerror(r->err));
	served = actor_fd(&reader, r->uffd);
	lowest = lowest_free(&reader);
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	flags = fcntl(m.uffd, F_GETFL);
	check(!fcntl(m.uffd, F_SETFL, flags & ~O_NONBLOCK));

	actor_call(&reader, 0, SYS_read, m.uffd, (long)r->buf,
		   sizeof(struct uffd_msg));
	event_read(served, UFFD_EVENT_PAGEFAULT, NULL);
	/* It sleeps, for its buffer. */
	check(lowest_free(&reader) == lowest);
	twin_kill(&m);
	check(!fill(served, r->buf, src, page_size(), NULL));
	/* Woken by that; and now it sleeps in read(), for there is no event. */
	if (!actor_sleeps(&reader, 0))
		race_broken("read: %s", strerror(reader.call[0].err));
	check(lowest_free(&reader) == lowest);

	change_layout(&m, &m.actor, 0, UFFD_EVENT_UNMAP);
	actor_done(&reader, 0);
	check(reader.call[0].ret == sizeof(struct uffd_msg));
	check(first_byte(reader.pid, r->buf) == UFFD_EVENT_UNMAP);
	check(lowest_free(&reader) == lowest);
	end(0);
	check(!fcntl(m.uffd, F_SETFL, flags));
	actor_stop(&reader);
	close(served);
	monitored_stop(&m);
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

/*
 * Those of hugetlb can be registered, also in part: that is a mapping of its
 * own.
 */
static void shm_detach_huge_part(int first, int pages)
{
	const size_t huge = 2 << 20;
	int id = shmget(IPC_PRIVATE, 2 * huge, SHM_HUGETLB | 0600);
	struct uffd_msg msg;
	char *at;

	if (id < 0) {
		skip = "no huge pages for System V shared memory";
		return;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, id, 0, 0);
	at = (char *)end(0);
	check(!register_range(at + first * huge, pages * huge));
	actor_call(&m.actor, 0, SYS_shmdt, (long)at);
	if (actor_blocked(&m.actor, 0)) {
		check(changing() == 1 && fill_page(1) == EAGAIN);
		check(read_one(&msg) == sizeof(msg));
		check(is_range(&msg, UFFD_EVENT_UNMAP, at + first * huge,
			       pages * huge));
	} else {
		check(!"no event");
	}
	check(!end(0));
	check(!range_mapped(m.actor.pid, at, 1));
	check(!range_mapped(m.actor.pid, at + huge, 1));
	check(changing() == 0 && !fill_page(1));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

static void shm_detach_huge(void)
{
	shm_detach_huge_part(0, 2);
	shm_detach_huge_part(0, 1);
	shm_detach_huge_part(1, 1);
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
}

/* May a context be switched to yielding mode? */
static bool may_yield(void)
{
	if (read_number(YIELD) == 1)
		return true;
	skip = "vm.userfaultfd_yield is 0";
	return false;
}

static void huge_fills_yielding(void)
{
	if (may_yield())
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
}

static void write_protect_yielding(void)
{
	if (may_yield())
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
	{ "the mode is one context's, and fixed by UFFDIO_API", yield_mode },
	{ "close() releases those who wait", close_while_waiting },
	{ "a killed task leaves its event", killed_change },
	{ "a killed mremap leaves all of its events", killed_mremap },
	{ "a killed fork takes its event back", killed_fork },
	{ "a killed fork does not hide a fault", killed_fork_and_fault },
	{ "a killed process leaves nothing to read", killed_process },
	{ "killed tasks leave no more than so many events", killed_many },
	{ "events of killed tasks become one", killed_neighbours },
	{ "a reader that sleeps keeps no file for a fork", fork_file_is_dropped },
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
	{ "the same in yielding mode", huge_fills_yielding },
	{ "write protection ends in order", write_protect },
	{ "that in yielding mode, too", write_protect_yielding },
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
	if (ioctl(uffd, USERFAULTFD_YIELD) && errno == EINVAL)
		ksft_exit_skip("no USERFAULTFD_YIELD\n");
	if (uffd_fdinfo(uffd, "changing") < 0 || uffd_fdinfo(uffd, "lost") < 0)
		ksft_exit_fail_msg("fdinfo does not count changes\n");
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
