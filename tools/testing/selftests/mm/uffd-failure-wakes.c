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

static struct monitored m;

static char *page(int i)
{
	return m.area + i * page_size();
}

/* A thread waits for page 1, and the monitor has read its fault. */
static void fault_waits(void)
{
	struct uffd_msg msg;

	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	if (msg.arg.pagefault.address != (uintptr_t)page(1))
		race_broken("the fault is of another page");
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
	fault_waits();
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

int main(void)
{
	struct refused_fill o = { };
	char *src;
	int err;

	race_begin("uffd-fork-failure-wakes");
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	killed_fork(&o, src);
	/* The monitor fills the page even if nothing has told it to. */
	err = fill(m.uffd, page(1), src, page_size(), NULL);
	if (err && err != EEXIST)
		race_broken("fill: %s", strerror(err));
	actor_done(&m.actor, 0);
	monitored_stop(&m);
	return race_end(refused_fill_damage(&o));
}
