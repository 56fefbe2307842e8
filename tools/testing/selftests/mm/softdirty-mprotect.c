// SPDX-License-Identifier: GPL-2.0
/*
 * A page of a shared file mapping is written, the soft-dirty bits are cleared,
 * mprotect() takes the write permission away and gives it back, and the page is
 * written again.
 *
 *	base: the page table entry is made writable again, since the page is
 *	dirty, so the write does not fault and the page is not soft-dirty
 *
 *	series: the write faults, and the page is soft-dirty
 *
 * The file is in a ramfs: like most file systems on disks it has page_mkwrite(),
 * for which mprotect() knows that a dirty page needs no fault to become so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "softdirty_test.h"

#define TURNS	5

static char *map_ramfs(void)
{
	char dir[] = "/tmp/race-XXXXXX", path[64], *page;
	int fd;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		if (errno == EPERM)
			race_skip("needs root");
		race_broken("unshare: %s", strerror(errno));
	}
	if (!mkdtemp(dir) || mount("race", dir, "ramfs", 0, NULL))
		race_broken("%s: %s", dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (umount2(dir, MNT_DETACH) || rmdir(dir))
		race_broken("%s: %s", dir, strerror(errno));
	if (fd < 0 || ftruncate(fd, page_size()))
		race_broken("a file in ramfs: %s", strerror(errno));
	page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	close(fd);
	return page;
}

static void protect(char *page, int prot)
{
	if (mprotect(page, page_size(), prot))
		race_broken("mprotect: %s", strerror(errno));
}

int main(void)
{
	const pid_t me = getpid();
	int i, lost = 0;
	char *page;

	race_begin("softdirty-mprotect");
	softdirty_require();
	page = map_ramfs();
	for (i = 0; i < TURNS; i++) {
		softdirty_clear(me);
		if (softdirty(me, page))
			race_broken("a page is soft-dirty after the bits were cleared");
		touch_page(page);
		if (!softdirty(me, page))
			race_broken("a plain write is not seen");

		softdirty_clear(me);
		protect(page, PROT_READ);
		protect(page, PROT_READ | PROT_WRITE);
		if (softdirty(me, page))
			race_broken("mprotect() alone makes a page soft-dirty");
		touch_page(page);
		lost += !softdirty(me, page);
	}
	race_control_open();
	ksft_print_msg("%d of %d writes were not seen\n", lost, TURNS);
	if (lost && lost != TURNS)
		race_broken("some writes were seen, and some were not");
	return race_end(lost ? "write-after-mprotect-not-soft-dirty" : NULL);
}
