// SPDX-License-Identifier: GPL-2.0
/*
 * A FORK event cannot be delivered, since the monitor has no free descriptor,
 * and keeps its place: what happened after the fork is read after it.
 *
 *	thread 0		thread 1		monitor
 *	fork
 *	  waits for the monitor
 *				munmap
 *				  waits for the monitor
 *							read: EMFILE
 *							read:
 *							  base: UNMAP, FORK
 *							  series: FORK, UNMAP
 *
 * A monitor that reads UNMAP first drops what it knows of that range, and then
 * has nothing to give to the child, which still has it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	8

static struct monitored m;

/* One read() during which no descriptor is free. */
static void read_without_room(void)
{
	struct rlimit old, none;
	struct uffd_msg msg;
	ssize_t len;
	int err;

	if (getrlimit(RLIMIT_NOFILE, &old))
		race_broken("getrlimit: %s", strerror(errno));
	none = old;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none))
		race_broken("setrlimit: %s", strerror(errno));
	len = read(m.uffd, &msg, sizeof(msg));
	err = errno;
	if (setrlimit(RLIMIT_NOFILE, &old))
		race_broken("setrlimit: %s", strerror(errno));
	if (len != -1 || err != EMFILE)
		race_broken("read with no free descriptor: %zd, %s", len,
			    len < 0 ? strerror(err) : "no error");
}

int main(void)
{
	struct event_order o = { };
	struct uffd_msg msg[2];
	size_t descriptors;
	int i, forked;

	race_begin("uffd-fork-emfile-order");
	race_points_require();
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_FORK |
			UFFD_FEATURE_EVENT_UNMAP);
	race_arm("uffd_fork_unlocked", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);

	change_layout(&m, &m.actor, 0, UFFD_EVENT_FORK);
	race_wait("uffd_fork_unlocked", "held=1");
	race_release("uffd_fork_unlocked");
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("the fork is not pending");
	/* fork() has dropped mmap_lock and waits for the monitor. */
	change_layout(&m, &m.actor, 1, UFFD_EVENT_UNMAP);
	if (!actor_blocked(&m.actor, 1))
		race_broken("munmap waits for nobody");

	descriptors = open_descriptors();
	read_without_room();
	o.leaked = open_descriptors() - descriptors;
	if (actor_is_done(&m.actor, 0) || actor_is_done(&m.actor, 1))
		race_broken("a read that failed has ended a change");
	for (i = 0; i < 2; i++)
		if (!event_readable(m.uffd, race_time_left()) ||
		    read(m.uffd, &msg[i], sizeof(msg[i])) != sizeof(msg[i]))
			race_broken("event %d is missing", i);
	for (i = 0; i < 2; i++) {
		actor_done(&m.actor, i);
		if (m.actor.call[i].ret == -1)
			race_broken("change %d failed: %s", i,
				    strerror(m.actor.call[i].err));
	}
	if (event_readable(m.uffd, 0))
		race_broken("there is an event that nobody made");
	forked = msg[0].event == UFFD_EVENT_FORK ? 0 : 1;
	if (msg[forked].event != UFFD_EVENT_FORK ||
	    msg[!forked].event != UFFD_EVENT_UNMAP)
		race_broken("events %#x and %#x", msg[0].event, msg[1].event);
	o.overtaken = forked;
	close(msg[forked].arg.fork.ufd);
	o.leaked += open_descriptors() - descriptors;
	kill(m.actor.call[0].ret, SIGKILL);
	monitored_stop(&m);
	return race_end(event_order_damage(&o));
}
