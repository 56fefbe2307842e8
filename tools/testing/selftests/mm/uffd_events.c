// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

#define CONTEXTS "/sys/kernel/slab/userfaultfd_ctx_cache/"

struct monitored m;
char *src;

const struct event_kind event_kinds[NR_KINDS] = {
	{ UFFD_EVENT_REMOVE, UFFD_FEATURE_EVENT_REMOVE },
	{ UFFD_EVENT_UNMAP, UFFD_FEATURE_EVENT_UNMAP },
	{ UFFD_EVENT_REMAP, UFFD_FEATURE_EVENT_REMAP },
	{ UFFD_EVENT_FORK, UFFD_FEATURE_EVENT_FORK },
};

/**
 * page() - of the area that is monitored
 * @i: its number
 */
char *page(int i)
{
	return m.area + i * page_size();
}

/**
 * fill_page() - UFFDIO_COPY
 * @i: number of the page
 * Return: 0 or an errno.
 */
int fill_page(int i)
{
	return fill(m.uffd, page(i), src, page_size(), NULL);
}

/**
 * zero_page() - UFFDIO_ZEROPAGE
 * @i: number of the page
 * Return: 0 or an errno.
 */
int zero_page(int i)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page(i), .len = page_size() },
	};

	return ioctl(m.uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
}

/**
 * write_protect_page() - UFFDIO_WRITEPROTECT
 * @i: number of the page
 * Return: 0 or an errno.
 */
int write_protect_page(int i)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)page(i), .len = page_size() },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(m.uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

/**
 * register_range() - register more memory of the process for missing pages
 * @start: of the range
 * @len: of the range
 * Return: 0 or an errno.
 */
int register_range(const char *start, size_t len)
{
	return uffd_register(m.uffd, start, len) ? errno : 0;
}

/**
 * register_area() - register the area of PAGES once more
 * @mode: UFFDIO_REGISTER_MODE_*
 * Return: 0 or an errno.
 */
int register_area(uint64_t mode)
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

/**
 * changing() - how many changes are pending, as fdinfo says
 * Return: the number, -1 if it does not say.
 */
long changing(void)
{
	return uffd_fdinfo(m.uffd, "changing");
}

/**
 * changing_is() - are so many changes pending?
 * @nr: how many
 * Return: true also where fdinfo does not say.
 */
bool changing_is(long nr)
{
	long now = changing();

	return now == nr || now < 0;
}

/**
 * generation() - how many changes have begun, as fdinfo says
 * Return: the number, -1 if it does not say.
 */
long generation(void)
{
	return uffd_fdinfo(m.uffd, "generation");
}

/* Has a change begun after @before?  Without fdinfo: can an event be read? */
static bool has_begun(long before)
{
	return before < 0 ? event_readable(m.uffd, 0) : generation() != before;
}

/**
 * pend() - let a thread begin a change, and wait for the monitor
 * @who: an actor that shares the mm
 * @thread: its thread, idle or done
 * @event: UFFD_EVENT_* of the change
 *
 * The event can be read when this returns.
 */
void pend(struct actor *who, int thread, unsigned int event)
{
	long before = generation();

	change_layout(&m, who, thread, event);
	while (!has_begun(before) && !actor_is_done(who, thread))
		if (!race_look_again())
			race_broken("event %#x: nothing changes", event);
	if (!actor_blocked(who, thread))
		race_broken("event %#x is not waited for", event);
	check(event_readable(m.uffd, 0));
}

/**
 * returned() - wait for the system call of a thread
 * @thread: of the actor
 * Return: what the call has returned.  It must not have failed.
 */
long returned(int thread)
{
	actor_done(&m.actor, thread);
	check(m.actor.call[thread].ret != -1);
	return m.actor.call[thread].ret;
}

/**
 * close_own() - leave the userfaultfd to the controller alone
 *
 * No fork gets a copy of it then.
 */
void close_own(void)
{
	actor_call(&m.actor, 0, SYS_close, m.own_uffd);
	check(!returned(0));
}

/**
 * close_uffd() - close the controller's descriptor of the userfaultfd
 */
void close_uffd(void)
{
	close(m.uffd);
	m.uffd = -1;
}

/**
 * read_one() - read() with room for one message
 * @msg: filled in
 * Return: as read() does.
 */
ssize_t read_one(struct uffd_msg *msg)
{
	return read(m.uffd, msg, sizeof(*msg));
}

/**
 * is_range() - is this the event of that range?
 * @msg: a message
 * @event: UFFD_EVENT_REMOVE or UFFD_EVENT_UNMAP
 * @start: of the range
 * @len: of the range
 */
bool is_range(const struct uffd_msg *msg, unsigned int event,
	      const char *start, size_t len)
{
	return msg->event == event &&
		msg->arg.remove.start == (uintptr_t)start &&
		msg->arg.remove.end == (uintptr_t)start + len;
}

/**
 * unmap_is_told() - thread 0 must wait for the monitor to read UNMAP
 * @start: of the range that it unmaps
 * @len: of the range
 */
void unmap_is_told(const char *start, size_t len)
{
	struct uffd_msg msg;

	check(actor_blocked(&m.actor, 0));
	if (!event_readable(m.uffd, 0)) {
		check(!"no event");
		return;
	}
	check(changing_is(1) && fill_page(1) == EAGAIN);
	check(read_one(&msg) == sizeof(msg));
	check(is_range(&msg, UFFD_EVENT_UNMAP, start, len));
}

/**
 * write_text() - write to a file of proc or sysfs
 * @path: of the file
 * @text: what
 * Return: 0 or an errno.
 */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/**
 * read_number() - read a file of proc or sysfs
 * @path: of the file
 * Return: the number that it begins with, -1 if it cannot be read.
 */
long read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return len > 0 ? atol(text) : -1;
}

/**
 * contexts() - how many contexts of userfaultfd there are
 *
 * A write to shrink empties the caches of the CPUs.  The contexts that are left
 * are then in partial slabs, since a slab has room for more of them than a test
 * makes.
 *
 * Return: the number, -1 if they cannot be counted.
 */
long contexts(void)
{
	if (write_text(CONTEXTS "shrink", "1"))
		return -1;
	return read_number(CONTEXTS "objects_partial");
}

/**
 * nothing_leaks() - the monitored process and all of its contexts must be gone
 * @before: what contexts() returned before it was started
 */
void nothing_leaks(long before)
{
	long after = contexts();

	if (before < 0)
		ksft_print_msg("contexts cannot be counted\n");
	else if (after != before)
		ksft_print_msg("contexts: %ld before, %ld after\n", before,
			       after);
	check(after == before);
}

/**
 * huge_fills() - whatever way a fill of huge pages ends, it must not keep its locks
 */
void huge_fills(void)
{
	const size_t huge = 2 << 20;
	struct uffdio_zeropage zero = { .range.len = huge };
	struct uffd_msg msg;
	int64_t copied;
	char *at, *from;

	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_mmap, 0, 2 * huge, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	actor_done(&m.actor, 0);
	at = (char *)m.actor.call[0].ret;
	if (at == MAP_FAILED) {
		check_skip = "no huge pages";
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
	check(!returned(0));
	check(!page_exists(m.actor.pid, at));
	check(!fill(m.uffd, at, from, huge, NULL));
	munmap(from, 2 * huge);
	monitored_stop(&m);
}

/**
 * write_protect() - UFFDIO_WRITEPROTECT is refused and ends as a fill does
 */
void write_protect(void)
{
	monitored_start(&m, PAGES, EVENTS | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	check(!register_area(UFFDIO_REGISTER_MODE_MISSING |
			     UFFDIO_REGISTER_MODE_WP));
	check(!fill_page(1));
	check(!write_protect_page(1));
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(write_protect_page(1) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(!write_protect_page(1));
	returned(0);
	check(write_protect_page(-1) == ENOENT);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	returned(0);
	check(changing() == 0 && !fill_page(2));
	monitored_stop(&m);
}

/**
 * uffd_events_run() - the main() of these programs
 * @field: what fdinfo of a userfaultfd must have; on other kernels it skips.
 *	NULL if the tests do not need it
 * @cases: the tests
 * @nr: how many there are
 * Return: the exit code.
 */
int uffd_events_run(const char *field, const struct check_case *cases, size_t nr)
{
	int uffd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	uffd = uffd_open(EVENTS);
	if (uffd < 0)
		ksft_exit_skip("no userfaultfd that sends events: %s\n",
			       strerror(errno));
	if (field && uffd_fdinfo(uffd, field) < 0)
		ksft_exit_skip("no '%s' in fdinfo of a userfaultfd\n", field);
	close(uffd);
	if (geteuid())
		ksft_exit_skip("needs root\n");
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	return checks_run(cases, nr, NULL, NULL);
}
