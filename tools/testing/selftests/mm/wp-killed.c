// SPDX-License-Identifier: GPL-2.0
/*
 * A monitor is killed while it protects a large range.  The call does not go on
 * to the end of the range.
 *
 *	monitor
 *	UFFDIO_WRITEPROTECT, a page at the end of one GiB and one of the next
 *	  held before the first page
 *	killed
 *	  base: protects both pages
 *	  series: ends before the next GiB
 *
 * Another process, which has the same userfaultfd, looks what is protected.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

static char *map_two_parts(struct wp *w)
{
	char *boundary = huge_area(2 * HUGE_AREA, HUGE_AREA);

	if (!boundary)
		return NULL;
	boundary += HUGE_AREA;
	return map_at(boundary - page_size(), w->len,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

int main(void)
{
	struct uffdio_writeprotect *arg;
	struct actor monitor;
	struct wp *w;
	enum wp_write last;

	race_begin("wp-killed");
	race_points_require();
	arg = shared_alloc(sizeof(*arg));
	w = wp_new(2 * page_size());
	w->map = map_two_parts;
	wp_start(w, 0);
	wp_populate(w, 1);
	/* Inherits the userfaultfd. */
	actor_start(&monitor, NULL, NULL);

	arg->range.start = (uintptr_t)w->area;
	arg->range.len = w->len;
	arg->mode = UFFDIO_WRITEPROTECT_MODE_WP;
	race_arm("wp_range", "tid=%d", monitor.call[0].tid);
	actor_call(&monitor, 0, SYS_ioctl, w->uffd, UFFDIO_WRITEPROTECT,
		   (long)arg);
	race_wait("wp_range", "held=1");
	actor_stop(&monitor);

	if (wp_write(w, 0, w->area, 2) != WP_TRAPPED)
		race_broken("the first page is not protected");
	last = wp_write(w, 1, w->area + page_size(), 2);
	if (last == WP_REFUSED)
		race_broken("the last page cannot be written");
	if (wp_unprotect(w->uffd, w->area, w->len))
		race_broken("UFFDIO_WRITEPROTECT fails");
	actor_done(&w->actor, 0);
	actor_done(&w->actor, 1);
	wp_stop(w);
	return race_end(last == WP_TRAPPED ? "goes-on-after-kill" : NULL);
}
