// SPDX-License-Identifier: GPL-2.0
/*
 * In the yielding mode a removal does not wait for a UFFDIO_COPY that is in the
 * middle of its range, and still no page of the range is present once both have
 * returned.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 4 pages
 *	  installs pages 0 and 1
 *	  held before page 2
 *				MADV_DONTNEED, 4 pages
 *				  REMOVE pending	reads it
 *				  removes pages 0 and 1
 *				  returns
 *	  released
 *	base: installs pages 2 and 3: stale
 *	series: sees the change under the page-table lock;
 *	  EAGAIN, .copy tells of 2 pages
 *
 * "yields" asks for the first half of it: is the event there while the fill is
 * held?  5.10, where nothing waits for fills, is right in that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"
#include "uffd_yield.h"

#define PAGES	4
#define HELD	2	/* the page that the fill is held before */

static struct monitored m;
static struct filler filler;

static char *page(int i)
{
	return m.area + i * page_size();
}

static size_t present(void)
{
	return monitored_pages_exist(&m, m.area, PAGES);
}

static void take_event(void)
{
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret)
		race_broken("madvise: %s", strerror(m.actor.call[0].err));
}

static const struct variant {
	const char *arg, *name;
	bool shmem, yields;
} variants[] = {
	{ "anon", "uffd-remove-stale", false, false },
	{ "shmem", "uffd-remove-stale-shmem", true, false },
	{ "yields", "uffd-remove-yields", false, true },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct fill_vs_change o = { .before = HELD * page_size() };
	const char *damage;
	bool event_in_fill;

	race_begin("%s", v->name);
	race_points_require();
	m.mode = &uffd_yielding;
	m.shmem = v->shmem;
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	filler_start(&filler, PAGES, 0);
	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)page(HELD), (long)page(HELD + 1));
	race_arm("uffd_remove_begin", "tid=%d", m.actor.call[0].tid);

	filler_copy(&filler, m.uffd, m.area, 0, PAGES);
	race_wait("uffd_fill_page", "held=1");
	if (present() != HELD)
		race_broken("the fill is not held before page %d", HELD);

	actor_call(&m.actor, 0, SYS_madvise, (long)m.area, PAGES * page_size(),
		   m.shmem ? MADV_REMOVE : MADV_DONTNEED);
	race_wait("uffd_remove_begin", "hits=1");
	if (!actor_blocked(&m.actor, 0))
		race_broken("the removal waits for nobody");
	/*
	 * It has passed uffd_remove_begin and sleeps: for the monitor if there
	 * is an event, else for the fill.
	 */
	event_in_fill = event_readable(m.uffd, 0);
	if (event_in_fill) {
		take_event();
		if (present())
			race_broken("the removal has left a page");
	}
	race_release("uffd_fill_page");
	o.err = filler_done(&filler);
	o.copied = filler.copy->copy;
	if (!event_in_fill)
		take_event();
	o.stale = present();
	ksft_print_msg("event %s the fill, pages present: %zu of %d\n",
		       event_in_fill ? "during" : "after", o.stale, PAGES);

	if (v->yields)
		damage = event_in_fill ? NULL : "removal-waits-for-fill";
	else if (event_in_fill)
		damage = fill_vs_change_damage(&o);
	else
		race_broken("the removal waits for the fill: nothing to be seen");
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(damage);
}
