// SPDX-License-Identifier: GPL-2.0
/*
 * The last close() of a userfaultfd while get_user_pages() wants a page that
 * nobody will bring: close() needs mmap_lock for writing, and gets it.
 *
 *	closer				thread 0
 *	close
 *	  the context is released, held
 *					mlock
 *					  fault, held, with mmap_lock
 *	  goes on
 *	  waits for mmap_lock
 *					base: fault, held, with mmap_lock
 *					base: ... for ever
 *					series: lets mmap_lock go
 *	  has mmap_lock
 *	  nothing is registered
 *					faults again: a page of zeros
 *
 * A task that drops the lock may take it again before the closer has woken up.
 * But a waiter with a real-time priority that was woken in vain once has the
 * lock handed to it by the next who lets it go.  The fault goes on only when
 * the closer waits again, so it comes twice at most.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	4

static struct monitored m;
static struct actor closer;

/* The closer holds the only descriptor of the file from here on. */
static void leave_to_closer(void)
{
	actor_call(&m.actor, 0, SYS_close, m.own_uffd);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret || close(m.uffd))
		race_broken("close: %s", strerror(errno));
	m.uffd = -1;
}

/*
 * Is the fault held for the n-th time, while the closer waits?  Else one of
 * them ends.
 */
static bool held_again(int n)
{
	do {
		if (actor_is_done(&closer, 0) || actor_is_done(&m.actor, 0))
			return false;
		if (race_point_field("uffd_fault_released", "hits") == n &&
		    race_point_field("uffd_fault_released", "held") == 1)
			return actor_blocked(&closer, 0);
	} while (race_look_again());
	race_broken("the fault neither comes again nor ends");
}

int main(void)
{
	const struct sched_param prio = { .sched_priority = 1 };
	struct close_vs_fault o = { };
	int n = 1, fd;

	race_begin("uffd-close-vs-gup");
	race_points_require();
	monitored_start(&m, PAGES, 0);
	actor_start(&closer, NULL, NULL);
	fd = m.uffd;
	leave_to_closer();
	race_arm("uffd_release", "tid=%d timeout=" RACE_HOLD_MS,
		 closer.call[0].tid);
	race_arm("uffd_fault_released", "tid=%d times=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid, 2 * FAULTS_BEFORE_CLOSE);
	if (sched_setscheduler(closer.call[0].tid, SCHED_FIFO, &prio))
		race_broken("sched_setscheduler: %s", strerror(errno));

	actor_call(&closer, 0, SYS_close, fd);
	race_wait("uffd_release", "held=1");
	actor_call(&m.actor, 0, SYS_mlock, (long)m.area, page_size());
	race_wait("uffd_fault_released", "held=1");
	race_release("uffd_release");
	if (!actor_blocked(&closer, 0))
		race_broken("close() does not wait for the fault");
	/* From here on nothing may be asked that takes this mmap_lock. */
	do {
		race_release("uffd_fault_released");
		o.faults++;
	} while (held_again(++n) && o.faults <= FAULTS_BEFORE_CLOSE);
	ksft_print_msg("faults while close() waited: %zu\n", o.faults);

	race_disarm("uffd_fault_released");
	if (!close_vs_fault_damage(&o)) {
		actor_done(&m.actor, 0);
		if (m.actor.call[0].ret)
			race_broken("mlock: %s", strerror(m.actor.call[0].err));
	}
	/*
	 * A signal ends the faults on any kernel, and the closer gets the lock.
	 */
	monitored_stop(&m);
	actor_done(&closer, 0);
	if (closer.call[0].ret)
		race_broken("close: %s", strerror(closer.call[0].err));
	actor_stop(&closer);
	return race_end(close_vs_fault_damage(&o));
}
