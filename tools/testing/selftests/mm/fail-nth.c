// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations need no race point: with the kernel's own fault injection
 * a task fails its n-th allocation.  Show that this reaches the allocations of
 * a UFFDIO_COPY one after the other, and that a call which fails leaves no
 * page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define TRIES	100

int main(void)
{
	int fd, n, err, failed = 0, tolerated = 0;
	struct monitored m = { };
	unsigned int left;
	bool page;
	char *src;

	race_begin("fail-nth");
	fail_nth_begin(true);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	fd = fail_nth_open(0, syscall(SYS_gettid));

	/* A fresh process each time, since what one call allocates may stay. */
	for (n = 1; n <= TRIES; n++) {
		monitored_start(&m, 1, 0);
		fail_nth_set(fd, n);
		err = fill(m.uffd, m.area, src, page_size(), NULL);
		left = fail_nth_left(fd);
		fail_nth_set(fd, 0);
		page = page_exists(m.actor.pid, m.area);
		monitored_stop(&m);

		if (err && err != ENOMEM)
			race_broken("allocation %d: %s", n, strerror(err));
		if (err && page)
			return race_end("page-exists-after-ENOMEM");
		if (!err && !page)
			return race_end("no-page-after-success");
		if (left)
			break;
		failed += !!err;
		tolerated += !err;
	}
	ksft_print_msg("allocations: %d failed the call, %d did not\n", failed,
		       tolerated);
	if (n > TRIES)
		race_broken("more than %d allocations", TRIES);
	if (failed < 2)
		return race_end("allocations-not-reached");
	return race_end(NULL);
}
