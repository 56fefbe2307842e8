// SPDX-License-Identifier: GPL-2.0
/*
 * A monitor has read the event of a layout change, and the task that made the
 * change does not get to run: a fill must be admitted all the same.  There is
 * nothing left to read, so a monitor that is refused could only spin, and one
 * that waits with poll() would sleep for ever.
 *
 *	target				monitor
 *	changes the layout
 *	  waits for the monitor
 *					UFFDIO_COPY: EAGAIN
 *					read event
 *	  woken, held
 *					poll: nothing
 *	base:				UFFDIO_COPY: EAGAIN, for ever
 *	series:				UFFDIO_COPY: 0
 *	  released
 *	returns
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	8

/* A refusal that is repeated so often would last for ever. */
#define TRIES	1000

static struct monitored m;

static const struct variant {
	const char *name;
	uint64_t feature;
	unsigned int event;
} variants[] = {
	{ "remove", UFFD_FEATURE_EVENT_REMOVE, UFFD_EVENT_REMOVE },
	{ "unmap", UFFD_FEATURE_EVENT_UNMAP, UFFD_EVENT_UNMAP },
	/* Without EVENT_UNMAP: mremap would post that event as well. */
	{ "remap", UFFD_FEATURE_EVENT_REMAP, UFFD_EVENT_REMAP },
	{ "fork", UFFD_FEATURE_EVENT_FORK, UFFD_EVENT_FORK },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct fill_after_read o = { };
	struct uffd_msg msg;
	int err = EAGAIN, i;
	char *src;

	race_begin("uffd-eagain-after-read-%s", v->name);
	race_points_require();
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start(&m, PAGES, v->feature);
	race_arm("uffd_event_waited", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);

	change_layout(&m, &m.actor, 0, v->event);
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no event %#x", v->event);
	err = fill(m.uffd, m.area + page_size(), src, page_size(), NULL);
	if (err != EAGAIN)
		race_broken("fill with an event pending: %s", strerror(err));
	event_read(m.uffd, v->event, &msg);
	race_wait("uffd_event_waited", "held=1");

	for (i = 0; i < TRIES && err == EAGAIN; i++) {
		if (event_readable(m.uffd, 0))
			race_broken("there is an event that nobody made");
		err = fill(m.uffd, m.area + page_size(), src, page_size(), NULL);
		o.refused += err == EAGAIN;
	}
	if (err && err != EAGAIN)
		race_broken("fill with no event pending: %s", strerror(err));
	ksft_print_msg("refused %zu times after the read, changing: %ld\n",
		       o.refused, uffd_fdinfo(m.uffd, "changing"));
	if (race_point_field("uffd_event_waited", "held") != 1)
		race_broken("the target was no longer held");

	race_release("uffd_event_waited");
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret == -1)
		race_broken("the change failed: %s",
			    strerror(m.actor.call[0].err));
	if (err)
		err = fill(m.uffd, m.area + page_size(), src, page_size(), NULL);
	if (err)
		race_broken("fill after the change: %s", strerror(err));
	if (!page_exists(m.actor.pid, m.area + page_size()))
		race_broken("the page is not there");
	if (v->event == UFFD_EVENT_FORK) {
		kill(m.actor.call[0].ret, SIGKILL);
		close(msg.arg.fork.ufd);
	}
	monitored_stop(&m);
	return race_end(fill_after_read_damage(&o));
}
