// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations need no race point: with the kernel's own fault injection a
 * task fails its n-th allocation.  Show that this reaches every allocation of a
 * UFFDIO_COPY, and that each failing call leaves the page absent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define TRIES	100

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		race_skip("%s: FAULT_INJECTION_DEBUG_FS is needed", path);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/* Fail the n-th allocation of this task from now on; 0 for none. */
static void fail_nth(int n)
{
	char path[64], value[16];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 (long)syscall(SYS_gettid));
	snprintf(value, sizeof(value), "%d", n);
	set(path, value);
}

int main(void)
{
	struct monitored m;
	int n, err, failed = 0;
	char *src;

	race_begin("fail-nth");
	set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start(&m, 1, 0);

	/* A call that succeeds although the n-th allocation fails has fewer. */
	for (n = 1; n <= TRIES; n++) {
		fail_nth(n);
		err = fill(m.uffd, m.area, src, page_size(), NULL);
		fail_nth(0);
		if (!err)
			break;
		if (err != ENOMEM)
			race_broken("allocation %d failed: %s", n,
				    strerror(err));
		failed++;
		if (page_present(m.actor.pid, m.area))
			return race_end("page-present-after-ENOMEM");
	}
	ksft_print_msg("allocations failed: %d\n", failed);
	if (!failed || n > TRIES)
		return race_end("allocation-not-reached");
	monitored_stop(&m);
	return race_end(NULL);
}
