// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_UNREGISTER of a range that is registered for write protection alone
 * wakes the threads that wait at its protected pages, whether the monitor has
 * read of them or not.
 *
 *	thread 0	thread 1	monitor
 *	writes				reads the fault
 *			writes
 *					UNREGISTER
 *	base: sleep on
 *
 * Who is woken leaves the queue of its userfaultfd before the ioctl returns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest.h"
#include "wp_test.h"

#define PAGES	2

static struct wp *w;

static char *page(int i)
{
	return w->area + i * page_size();
}

static void waits(long total)
{
	if (uffd_fdinfo(w->uffd, "total") != total)
		race_broken("%ld faults in place of %ld",
			    uffd_fdinfo(w->uffd, "total"), total);
}

static void written(int thread)
{
	actor_done(&w->actor, thread);
	if (w->actor.call[thread].ret != 1 ||
	    first_byte(w->actor.pid, page(thread)) != 2)
		race_broken("a write is lost");
}

int main(void)
{
	struct uffdio_range range;
	long asleep;
	int err;

	race_begin("wp-waiter-vs-unregister");
	w = wp_new(PAGES * page_size());
	wp_start(w, 0);
	wp_populate(w, 1);
	err = wp_protect(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	if (wp_write(w, 0, page(0), 2) != WP_TRAPPED)
		race_broken("a page is not protected");
	wp_write_begin(w, 1, page(1), 2);
	if (!actor_sleeps(&w->actor, 0) || !actor_sleeps(&w->actor, 1) ||
	    !event_readable(w->uffd, race_time_left()))
		race_broken("a write to a protected page does not wait");
	waits(PAGES);
	race_control_open();

	err = wp_unregister(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_UNREGISTER: %s", strerror(err));
	asleep = uffd_fdinfo(w->uffd, "total");
	ksft_print_msg("%ld of %d threads sleep on\n", asleep, PAGES);

	range.start = (uintptr_t)w->area;
	range.len = w->len;
	if (asleep && ioctl(w->uffd, UFFDIO_WAKE, &range))
		race_broken("UFFDIO_WAKE: %s", strerror(errno));
	written(0);
	written(1);
	waits(0);
	wp_stop(w);
	return race_end(asleep ? "waiter-sleeps" : NULL);
}
