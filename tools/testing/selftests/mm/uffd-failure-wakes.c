// SPDX-License-Identifier: GPL-2.0
/*
 * A change ends that no monitor hears of, and a fill was refused because of it.
 * Its monitor waits for an event, which does not come: the fault that it could
 * not serve is reported again.
 *
 *	thread			twin			monitor
 *	faults						reads the fault
 *				fork
 *				  waits for the monitor
 *							UFFDIO_COPY: EAGAIN
 *				killed
 *							base: nothing to read
 *							series: the fault
 *
 * "munmap" is an munmap() that fails half-way, between the contexts of two
 * monitors:
 *
 *	thread 1		thread 0		monitor
 *	faults						reads the fault
 *				munmap
 *				  begins the change of
 *				  one context, held
 *							UFFDIO_COPY: EAGAIN
 *				  released
 *				  no memory for the other
 *							base: reads UNMAP, of a
 *							  range that is there
 *							series: the fault
 *
 * 5.10 wakes the monitor too, by an event of an unmapping that did not happen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES		8
#define FAILURES	16	/* more than munmap() allocates */

static struct monitored m;
static struct filler filler;

static char *page(int i)
{
	return m.area + i * page_size();
}

/* A thread waits for page 1, and the monitor has read its fault. */
static void fault_on(int thread)
{
	struct uffd_msg msg;

	actor_call(&m.actor, thread, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	if (msg.arg.pagefault.address != (uintptr_t)page(1))
		race_broken("a fault of another page");
}

/*
 * What a monitor has that waits for something to read.  A fault that is to be
 * reported again is in no queue until its thread has run, and then in that of
 * the pending ones: one that is in a queue, and then not pending, is not
 * reported again.
 */
static void look(struct refused_fill *o)
{
	long total = uffd_fdinfo(m.uffd, "total");
	long pending = uffd_fdinfo(m.uffd, "pending");

	o->waits = total == 1 && pending == 0;
	o->readable = event_readable(m.uffd, 0);
	ksft_print_msg("fill %s, faults %ld, then pending %ld, %s to read\n",
		       o->refused ? "refused" : "admitted", total, pending,
		       o->readable ? "something" : "nothing");
}

static void killed_fork(struct refused_fill *o, const char *src)
{
	monitored_start_twin(&m, PAGES, UFFD_FEATURE_EVENT_FORK);
	fault_on(0);
	change_layout(&m, &m.twin, 0, UFFD_EVENT_FORK);
	if (!actor_blocked(&m.twin, 0) || !event_readable(m.uffd, 0))
		race_broken("fork does not wait for its monitor");
	if (fill(m.uffd, page(1), src, page_size(), NULL) != EAGAIN)
		race_broken("a fill is not refused");
	o->refused = true;
	race_control_open();
	twin_kill(&m);
	look(o);
}

/* The second half of the area gets a monitor of its own. */
static int second_monitor(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_EVENT_UNMAP,
	};
	struct uffdio_range range = {
		.start = (uintptr_t)page(PAGES / 2),
		.len = PAGES / 2 * page_size(),
	};
	int uffd;

	actor_call(&m.actor, 0, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret < 0)
		race_broken("userfaultfd: %s", strerror(m.actor.call[0].err));
	uffd = actor_fd(&m.actor, m.actor.call[0].ret);
	if (ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(m.uffd, UFFDIO_UNREGISTER, &range) ||
	    uffd_register(uffd, page(PAGES / 2), range.len))
		race_broken("userfaultfd: %s", strerror(errno));
	return uffd;
}

/*
 * Let munmap() be held behind the first context, before an allocation that
 * fails.
 */
static void begin_munmap(int fail_nth)
{
	unsigned int n;

	for (n = 1; n <= FAILURES; n++) {
		fail_nth_set(fail_nth, n);
		actor_call(&m.actor, 0, SYS_munmap, (long)m.area,
			   PAGES * page_size());
		if (actor_blocked(&m.actor, 0))
			break;
		if (m.actor.call[0].err != ENOMEM || fail_nth_left(fail_nth))
			race_broken("munmap: %s", strerror(m.actor.call[0].err));
	}
	race_wait("uffd_unmap_next", "held=1");
	if (fail_nth_left(fail_nth) != 1)
		race_broken("the next allocation does not fail");
}

static void failing_munmap(struct refused_fill *o)
{
	int fail_nth, other;
	enum actor_rest rest;

	race_points_require();
	fail_nth_begin(false);
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_UNMAP);
	other = second_monitor();
	filler_start(&filler, 1, 0);
	fail_nth = fail_nth_open(m.actor.pid, m.actor.call[0].tid);
	race_arm("uffd_unmap_next", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);
	fault_on(1);

	begin_munmap(fail_nth);
	filler_copy(&filler, m.uffd, page(1), 0, 1);
	/* Without a look at mmap_changing it would wait for mmap_lock. */
	o->refused = !actor_blocked(&filler.actor, 0);
	race_release("uffd_unmap_next");
	rest = actor_rests(&m.actor, 0);
	if (rest == ACTOR_DONE && m.actor.call[0].err != ENOMEM)
		race_broken("munmap does not fail");
	if ((filler_done(&filler) == EAGAIN) != o->refused)
		race_broken("the fill has waited, and is refused");
	look(o);
	/* On 5.10 it waits until that was read. */
	if (rest == ACTOR_BLOCKED) {
		if (!o->readable)
			race_broken("munmap waits, and there is no event");
		event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
		actor_done(&m.actor, 0);
	}
	if (!range_mapped(m.actor.pid, m.area, PAGES * page_size()))
		race_broken("munmap failed and has unmapped something");
	close(fail_nth);
	close(other);
	actor_stop(&filler.actor);
}

static const char * const variants[] = { "fork", "munmap" };

int main(int argc, char **argv)
{
	const char *variant = *race_variant(argc, argv, variants);
	struct refused_fill o = { };
	int err, thread;
	char *src;

	race_begin("uffd-%s-failure-wakes", variant);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	thread = !strcmp(variant, "munmap");
	if (thread)
		failing_munmap(&o);
	else
		killed_fork(&o, src);
	/* The monitor fills the page even if nothing has told it to. */
	err = fill(m.uffd, page(1), src, page_size(), NULL);
	if (err && err != EEXIST)
		race_broken("fill: %s", strerror(err));
	actor_done(&m.actor, thread);
	monitored_stop(&m);
	return race_end(refused_fill_damage(&o));
}
