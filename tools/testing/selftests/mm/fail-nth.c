// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations need no race point: with the kernel's own fault injection a
 * task fails its n-th allocation.  Show that this reaches the allocations of a
 * UFFDIO_COPY one after the other, and that a call which fails leaves no page.
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
#define DEBUGFS	"/sys/kernel/debug/"

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		race_skip("no %s: fault injection is needed", path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		race_skip("needs root");
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/* Open it before the first failure is asked for: open() allocates. */
static int open_fail_nth(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth",
		 (long)syscall(SYS_gettid));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		race_broken("%s: %s", path, strerror(errno));
	return fd;
}

static void fail_nth(int fd, int n)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%d", n);

	if (pwrite(fd, value, len, 0) != len)
		race_broken("fail-nth: %s", strerror(errno));
}

/* How many allocations are still to go: 0 when one has failed. */
static int fail_nth_left(int fd)
{
	char value[16] = "";

	if (pread(fd, value, sizeof(value) - 1, 0) <= 0)
		race_broken("fail-nth: %s", strerror(errno));
	return atoi(value);
}

int main(void)
{
	int fd, n, left, err, failed = 0, tolerated = 0;
	struct monitored m;
	bool page;
	char *src;

	race_begin("fail-nth");
	/* Each failure would print a stack, which looks like a broken kernel. */
	set(DEBUGFS "failslab/verbose", "0");
	set(DEBUGFS "fail_page_alloc/verbose", "0");
	set(DEBUGFS "failslab/ignore-gfp-wait", "N");
	set(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	set(DEBUGFS "fail_page_alloc/min-order", "0");
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	fd = open_fail_nth();

	/* A fresh process each time, since what one call allocates may stay. */
	for (n = 1; n <= TRIES; n++) {
		monitored_start(&m, 1, 0);
		fail_nth(fd, n);
		err = fill(m.uffd, m.area, src, page_size(), NULL);
		left = fail_nth_left(fd);
		fail_nth(fd, 0);
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
