// SPDX-License-Identifier: GPL-2.0
/*
 * In the yielding mode a long UFFDIO_COPY lets in who waits for the mmap_lock
 * to write.
 *
 *	filler				target			monitor
 *	UFFDIO_COPY, 8 pages
 *	  held before page 1
 *					mmap, elsewhere
 *					  waits for mmap_lock
 *								releases the fill
 *	  installs page 1
 *	base: held before page 2		...
 *	series: has let go of mmap_lock,
 *	held before it takes it again
 *					  has it, returns
 *								releases the fill
 *	  goes on to the end
 *
 * Nothing that the fill has to know of has changed: it must finish.
 *
 * The source of page 0 is not there, so that the fill has once let go of
 * mmap_lock before, to fault it in: it does pass that point on base too.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"
#include "uffd_yield.h"

#define PAGES	8

static struct monitored m;
static struct filler filler;

/*
 * Return: true if the fill is seen next before another page, without having
 * yielded.
 */
static bool goes_on(void)
{
	do {
		if (race_point_field("uffd_fill_unlocked", "held") == 1)
			return false;
		if (race_point_field("uffd_fill_page", "hits") == 2 &&
		    race_point_field("uffd_fill_page", "held") == 1)
			return true;
	} while (!actor_is_done(&filler.actor, 0) && race_look_again());
	race_broken("the fill neither comes to its next page nor lets go of mmap_lock");
}

int main(void)
{
	struct fill_vs_writer o = { .len = PAGES * page_size() };

	race_begin("uffd-fill-yields");
	race_points_require();
	m.mode = &uffd_yielding;
	/* Both events: a fill yields only to changes that are counted. */
	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP);
	filler_start(&filler, PAGES, 1);
	race_arm("uffd_fill_unlocked",
		 "tid=%d range=%#lx-%#lx skip=1 timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)m.area, (long)(m.area + o.len));
	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx times=2 timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)(m.area + page_size()),
		 (long)(m.area + o.len));

	filler_copy(&filler, m.uffd, m.area, 0, PAGES);
	race_wait("uffd_fill_page", "held=1");
	if (race_point_field("uffd_fill_unlocked", "hits") != 1)
		race_broken("the fill did not fault in its source");
	actor_call(&m.actor, 0, SYS_mmap, 0, page_size(), PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!actor_blocked(&m.actor, 0))
		race_broken("mmap does not wait for the fill");
	/*
	 * The test must not take this mmap_lock from here on, as /proc would.
	 */
	race_release("uffd_fill_page");
	o.passed = goes_on();
	if (o.passed && !actor_blocked(&m.actor, 0))
		race_broken("mmap did not wait for the fill");
	if (!o.passed)
		actor_done(&m.actor, 0);
	race_disarm("uffd_fill_unlocked");
	race_disarm("uffd_fill_page");

	o.err = filler_done(&filler);
	o.copied = filler.copy->copy;
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret == -1)
		race_broken("mmap: %s", strerror(m.actor.call[0].err));
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_vs_writer_damage(&o));
}
