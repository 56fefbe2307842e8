// SPDX-License-Identifier: GPL-2.0
/*
 * In the yielding mode a long UFFDIO_COPY lets in who waits for the mmap_lock to
 * write.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 64 pages
 *	  held before page 1
 *				mmap, elsewhere
 *				  waits for mmap_lock
 *	  released, installs page 1	...		waits? counts 1
 *	  held before page 2
 *	  released, installs page 2	...		waits? counts 2
 *	  ...
 *	base: until the fill is done
 *	series: for a few pages
 *
 * How many is the semaphore's choice: a fill that has let go of the lock may take
 * it again before the waiting writer has woken up.  But a writer with a real-time
 * priority that was woken in vain once has the lock handed to it by the next release,
 * and nobody gets past it.  So two pages or three are to be expected; the limit leaves
 * some to wake-ups that come late.
 *
 * Nothing that the fill has to know of has changed: it must finish.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	64

static struct monitored m;
static struct filler filler;

/* Wait until the fill is held for the n-th time.  Return: false if it has ended. */
static bool held_again(int n)
{
	do {
		if (actor_is_done(&filler.actor, 0))
			return false;
		if (race_point_field("uffd_fill_page", "hits") == n &&
		    race_point_field("uffd_fill_page", "held") == 1)
			return true;
	} while (race_look_again());
	race_broken("the fill neither comes to its next page nor ends");
}

int main(void)
{
	const struct sched_param prio = { .sched_priority = 1 };
	struct fill_vs_writer o = { .len = PAGES * page_size() };
	int n = 1;

	race_begin("uffd-fill-yields");
	if (!race_points_exist())
		race_skip("no race points: CONFIG_RACE_POINTS=y and debugfs are needed");
	m.yield = true;
	/* Both: a fill yields only to changes that it would hear of. */
	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP);
	filler_start(&filler, PAGES, 0);
	race_arm("uffd_fill_page",
		 "tid=%d range=%#lx-%#lx times=%d timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)(m.area + page_size()),
		 (long)(m.area + o.len), PAGES);

	/*
	 * A waiter with a real-time priority is handed the lock when it was woken in
	 * vain once, others after some milliseconds: those would be a matter of luck.
	 */
	if (sched_setscheduler(m.actor.call[0].tid, SCHED_FIFO, &prio))
		race_broken("sched_setscheduler: %s", strerror(errno));
	filler_copy(&filler, m.uffd, m.area, 0, PAGES);
	race_wait("uffd_fill_page", "held=1");
	actor_call(&m.actor, 0, SYS_mmap, 0, page_size(), PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!actor_blocked(&m.actor, 0))
		race_broken("mmap does not wait for the fill");
	/* From here on nothing may be asked that takes this mmap_lock. */
	do {
		race_release("uffd_fill_page");
		o.pages++;
	} while (held_again(++n) && actor_blocked(&m.actor, 0));
	race_disarm("uffd_fill_page");

	o.err = filler_done(&filler);
	o.copied = filler.copy->copy;
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret == -1)
		race_broken("mmap: %s", strerror(m.actor.call[0].err));
	ksft_print_msg("pages filled while a writer waited: %zu\n", o.pages);
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_vs_writer_damage(&o));
}
