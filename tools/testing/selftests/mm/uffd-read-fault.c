// SPDX-License-Identifier: GPL-2.0
/*
 * A read() that cannot deliver an event leaves it where it was: it has not been
 * read.  The next read() with a good buffer gets it.
 *
 *	target				monitor
 *	changes the layout
 *	  waits for the monitor
 *					read into memory that is not writable: EFAULT
 *	base: woken, goes on
 *					read: base: EAGAIN, series: the event
 *	series: woken, goes on
 *
 * single an event that a page fault of the reader would lose
 * fork   the same for a fork: no descriptor of the child's userfaultfd may stay
 * tail   two events, and there is room for the first of them only
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	8

static struct monitored m;
static char *src;

static char *map(size_t len, int prot)
{
	char *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	return p;
}

/*
 * Without an event, since it is lost, read() returns EAGAIN: read_good()
 * reports that.
 */
static void read_in_vain(void *bad, bool first)
{
	ssize_t len = read(m.uffd, bad, sizeof(struct uffd_msg));

	if (len >= 0 || (errno != EFAULT && (first || errno != EAGAIN)))
		race_broken("read into bad memory: %zd, %s", len,
			    len < 0 ? strerror(errno) : "no error");
}

/* @msg is in memory that nobody has touched. */
static bool read_good(struct uffd_msg *msg, unsigned int event)
{
	ssize_t len = read(m.uffd, msg, sizeof(*msg));

	if (len < 0 && errno == EAGAIN)
		return false;
	if (len != sizeof(*msg))
		race_broken("read: %zd, %s", len,
			    len < 0 ? strerror(errno) : "no error");
	if (msg->event != event)
		race_broken("event %#x in place of %#x", msg->event, event);
	return true;
}

static void remove_page(int thread, int i)
{
	actor_call(&m.actor, thread, SYS_madvise,
		   (long)(m.area + i * page_size()), page_size(),
		   MADV_DONTNEED);
	if (!actor_blocked(&m.actor, thread))
		race_broken("MADV_DONTNEED waits for nobody");
}

static int fill_page(int uffd, int i)
{
	return fill(uffd, m.area + i * page_size(), src, page_size(), NULL);
}

static void change_done(int thread)
{
	actor_done(&m.actor, thread);
	if (m.actor.call[thread].ret == -1)
		race_broken("the change failed: %s",
			    strerror(m.actor.call[thread].err));
}

static void single(unsigned int event, struct event_reads *o)
{
	char *unmapped = map(page_size(), PROT_READ | PROT_WRITE);
	size_t descriptors;
	struct uffd_msg *msg;
	pid_t child;

	msg = (void *)map(page_size(), PROT_READ | PROT_WRITE);
	change_layout(&m, &m.actor, 0, event);
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no event %#x", event);
	race_control_open();

	descriptors = open_descriptors();
	read_in_vain(map(page_size(), PROT_READ), true);
	read_in_vain(map(page_size(), PROT_NONE), false);
	munmap(unmapped, page_size());
	read_in_vain(unmapped, false);
	o->leaked = open_descriptors() - descriptors;
	o->admitted_before = fill_page(m.uffd, 1) != EAGAIN;

	while (read_good(msg, event))
		o->reads++;
	change_done(0);
	o->refused_after = fill_page(m.uffd, 2);
	ksft_print_msg("reads=%zu, descriptors left by reads that failed: %zu\n",
		       o->reads, o->leaked);
	if (event != UFFD_EVENT_FORK)
		return;

	child = m.actor.call[0].ret;
	if (o->reads) {
		/* The descriptor is of the child's own userfaultfd. */
		if (open_descriptors() != descriptors + o->leaked + 1)
			race_broken("a FORK event brings one descriptor");
		if (fill_page(msg->arg.fork.ufd, 3) ||
		    !page_exists(child, m.area + 3 * page_size()) ||
		    page_exists(m.actor.pid, m.area + 3 * page_size()))
			race_broken("the descriptor does not fill the child");
	}
	kill(child, SIGKILL);
}

static void tail(struct event_reads *o)
{
	struct uffd_msg *first, *second;
	ssize_t len;
	char *buf;

	buf = map(2 * page_size(), PROT_READ | PROT_WRITE);
	if (mprotect(buf + page_size(), page_size(), PROT_NONE))
		race_broken("mprotect: %s", strerror(errno));
	/*
	 * There for the first event at least, so that only the second one
	 * faults.
	 */
	memset(buf, 0, page_size());
	first = (void *)(buf + page_size() - sizeof(*first));
	second = (void *)map(page_size(), PROT_READ | PROT_WRITE);
	remove_page(0, 0);
	remove_page(1, 1);
	race_control_open();

	len = read(m.uffd, first, 2 * sizeof(*first));
	if (len != sizeof(*first))
		race_broken("read with room for one event: %zd, %s", len,
			    len < 0 ? strerror(errno) : "no error");
	if (first->event != UFFD_EVENT_REMOVE ||
	    first->arg.remove.start != (uintptr_t)m.area)
		race_broken("the first event is not that of the first change");
	change_done(0);
	o->admitted_before = fill_page(m.uffd, 2) != EAGAIN;
	while (read_good(second, UFFD_EVENT_REMOVE)) {
		if (second->arg.remove.start !=
		    (uintptr_t)m.area + page_size())
			race_broken("the second event is not that of the second change");
		o->reads++;
	}
	change_done(1);
	o->refused_after = fill_page(m.uffd, 3);
}

static const char * const variants[] = { "single", "fork", "tail" };

int main(int argc, char **argv)
{
	const char *variant = *race_variant(argc, argv, variants);
	struct event_reads o = { };
	bool forks = !strcmp(variant, "fork");

	race_begin("uffd-read-fault-%s", variant);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start(&m, PAGES, forks ? UFFD_FEATURE_EVENT_FORK :
			UFFD_FEATURE_EVENT_REMOVE);
	if (!strcmp(variant, "tail"))
		tail(&o);
	else
		single(forks ? UFFD_EVENT_FORK : UFFD_EVENT_REMOVE, &o);
	monitored_stop(&m);
	return race_end(event_reads_damage(&o));
}
