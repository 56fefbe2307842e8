// SPDX-License-Identifier: GPL-2.0
/*
 * A fill is refused as soon as a change has begun, and does not wait for the
 * mmap_lock that the change may hold for long.
 *
 *	target			filler
 *	munmap
 *	  begins its change
 *	  held, mmap_lock is
 *	  held for writing
 *				UFFDIO_COPY: EAGAIN at once?
 *	released
 *
 * A monitor that also serves a file system which the target has mapped must be
 * able to answer what the unmapping waits for.  5.10 looks at mmap_changing
 * first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define PAGES	4

static struct monitored m;
static struct filler filler;

int main(void)
{
	bool waits;

	race_begin("uffd-eagain-at-once");
	race_points_require();
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_UNMAP);
	filler_start(&filler, 1, 0);
	race_arm("uffd_unmap_begun", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);

	change_layout(&m, &m.actor, 0, UFFD_EVENT_UNMAP);
	race_wait("uffd_unmap_begun", "held=1");
	filler_copy(&filler, m.uffd, m.area, 0, 1);
	waits = actor_blocked(&filler.actor, 0);
	race_release("uffd_unmap_begun");
	if (filler_done(&filler) != EAGAIN)
		race_broken("a fill during an unmapping: %s",
			    strerror(filler.actor.call[0].err));
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret)
		race_broken("munmap: %s", strerror(m.actor.call[0].err));
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(waits ? "fill-waits-for-mmap-lock" : NULL);
}
