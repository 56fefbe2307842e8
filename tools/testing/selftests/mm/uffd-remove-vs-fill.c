// SPDX-License-Identifier: GPL-2.0
/*
 * MADV_DONTNEED against a UFFDIO_COPY that is in the middle of its range: once
 * both have returned no page of the range may be present.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 4 pages
 *	  installs page 0
 *	  held before page 1
 *				MADV_DONTNEED, 4 pages
 *	base:			  REMOVE pending	reads it
 *				  removes page 0
 *				  returns
 *	  released
 *	  installs pages 1 to 3: stale
 *
 *	series:			  waits for the fill
 *	  released
 *	  installs pages 1 to 3
 *				  REMOVE pending	reads it
 *				  removes pages 0 to 3
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	4

static struct monitored m;
static struct filler filler;

static void take_event(void)
{
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&m.actor, 0);
}

int main(void)
{
	struct fill_vs_remove o = { };
	bool event_in_fill;

	race_begin("uffd-remove-vs-fill");
	race_points_require();
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	filler_start(&filler, PAGES, 0);

	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)(m.area + page_size()),
		 (long)(m.area + 2 * page_size()));
	race_arm("uffd_remove_begin", "tid=%d", m.actor.call[0].tid);

	filler_copy(&filler, m.uffd, m.area, 0, PAGES);
	race_wait("uffd_fill_page", "held=1");
	if (!page_exists(m.actor.pid, m.area) ||
	    page_exists(m.actor.pid, m.area + page_size()))
		race_broken("the fill is not held between pages 0 and 1");

	actor_call(&m.actor, 0, SYS_madvise, (long)m.area, PAGES * page_size(),
		   MADV_DONTNEED);
	race_wait("uffd_remove_begin", "hits=1");
	if (!actor_blocked(&m.actor, 0))
		race_broken("MADV_DONTNEED waits for nobody");
	/*
	 * It has passed uffd_remove_begin and sleeps: for the monitor if there
	 * is an event, else for the fill.  Were it asleep for another reason it
	 * would still be let through by the fill and meet the monitor below.
	 */
	event_in_fill = event_readable(m.uffd, 0);
	if (event_in_fill)
		take_event();
	race_release("uffd_fill_page");
	if (race_point_field("uffd_fill_page", "released") != 1)
		race_broken("the fill was no longer held");
	filler_done(&filler);
	if (!event_in_fill)
		take_event();

	ksft_print_msg("event %s the fill\n",
		       event_in_fill ? "during" : "after");
	if (m.actor.call[0].ret)
		race_broken("madvise: %s", strerror(m.actor.call[0].err));
	if (filler.actor.call[0].ret)
		race_broken("fill: %s", strerror(filler.actor.call[0].err));
	/*
	 * This page was installed before the removal, so the removal did
	 * happen.
	 */
	if (page_exists(m.actor.pid, m.area))
		race_broken("page 0 was not removed");
	o.stale = monitored_pages_exist(&m, m.area, PAGES);
	ksft_print_msg("pages present: %zu of %d\n", o.stale, PAGES);
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_vs_remove_damage(&o));
}
