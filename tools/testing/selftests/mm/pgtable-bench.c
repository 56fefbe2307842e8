// SPDX-License-Identifier: GPL-2.0
/*
 * What empty page tables cost, in kB: those that failing fills leave behind,
 * and the huge pages that these keep out; those that fork() copies; those that
 * mremap() makes again.
 *
 * Everything happens in RANGES huge pages' worth of addresses, which have their
 * tables of the higher levels before anything is counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define RANGES	32

static size_t huge, len;
static char *area;

static void report(const char *row, long kb)
{
	ksft_print_msg("bench: %s %ld\n", row, kb);
}

static void map_area(int flags, int fd)
{
	if (!map_at(area, len, flags, fd))
		race_broken("mmap: %s", strerror(errno));
}

static void touch(void)
{
	size_t at;

	for (at = 0; at < len; at += huge)
		touch_page(area + at);
}

static void failed_copies(void)
{
	char *unreadable = mmap(NULL, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_range range = { .start = (uintptr_t)area, .len = len };
	int uffd = uffd_open(0);
	long before;
	size_t at;

	uffd_require(uffd < 0 ? errno : 0, 0);
	map_area(MAP_SHARED, tmpfs_file("huge=always", len));
	if (uffd_register(uffd, area, len))
		race_broken("UFFDIO_REGISTER: %s", strerror(errno));
	before = status_kb(getpid(), "VmPTE");
	for (at = 0; at < len; at += huge)
		if (fill(uffd, area + at, unreadable, page_size(), NULL) != EFAULT)
			race_broken("a fill from nowhere does not fail");
	report("failed-copies-vmpte", status_kb(getpid(), "VmPTE") - before);
	if (ioctl(uffd, UFFDIO_UNREGISTER, &range))
		race_broken("UFFDIO_UNREGISTER: %s", strerror(errno));
	touch();
	report("failed-copies-pmdmapped", smaps_kb(getpid(), area, len, "ShmemPmdMapped"));
}

/* Anonymous memory with a page table each, and nothing in them. */
static void empty_tables(void)
{
	map_area(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (madvise(area, len, MADV_NOHUGEPAGE))
		race_broken("MADV_NOHUGEPAGE: %s", strerror(errno));
	touch();
	if (madvise(area, len, MADV_DONTNEED))
		race_broken("MADV_DONTNEED: %s", strerror(errno));
}

static void forked(void)
{
	int ready[2], go[2];
	char byte;
	pid_t pid;

	if (pipe(ready) || pipe(go))
		race_broken("pipe: %s", strerror(errno));
	empty_tables();
	if (madvise(area, len, MADV_HUGEPAGE))
		race_broken("MADV_HUGEPAGE: %s", strerror(errno));
	pid = race_fork();
	if (pid) {
		close(ready[1]);
	} else {
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		touch();
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		race_broken("the child is gone");
	report("fork-vmpte", status_kb(pid, "VmPTE"));
	if (write(go[1], "", 1) != 1 || read(ready[0], &byte, 1) != 1)
		race_broken("the child is gone");
	report("fork-anonhuge", smaps_kb(pid, area, len, "AnonHugePages"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void moved(void)
{
	char *to = area + len + page_size();
	long before;

	map_area(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	before = status_kb(getpid(), "VmPTE");
	empty_tables();
	if (mremap(area, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		race_broken("mremap: %s", strerror(errno));
	report("mremap-vmpte", status_kb(getpid(), "VmPTE") - before);
}

int main(void)
{
	race_begin("pgtable-bench");
	huge = huge_size();
	thp_require();
	len = RANGES * huge;
	huge_require(3 * len + page_size(), HUGE_AREA);
	area = huge_area(HUGE_AREA, HUGE_AREA);
	if (!area || !map_at(area + 3 * len, page_size(), MAP_PRIVATE | MAP_ANONYMOUS, -1))
		race_broken("mmap: %s", strerror(errno));
	touch_page(area + 3 * len);
	failed_copies();
	forked();
	moved();
	return race_end(NULL);
}
