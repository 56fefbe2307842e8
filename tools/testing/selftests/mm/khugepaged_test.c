// SPDX-License-Identifier: GPL-2.0
/* What the tests of khugepaged share. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "race_test.h"
#include "uffd_oracle.h"
#include "pgtable_test.h"
#include "khugepaged_test.h"

#define MAX_PAGE	0x10000

struct hole_files *k;
struct actor target;
char hole_src[MAX_PAGE];

/**
 * hole_files_alloc() - begin a test
 *
 * Skips it if khugepaged has nothing to do here.
 */
void hole_files_alloc(void)
{
	if (huge_size() != 512 * page_size() || page_size() > MAX_PAGE)
		race_skip("a huge page is not 512 pages");
	thp_require();
	k = shared_alloc(sizeof(*k));
}

static bool is_hole(const struct hole_file *f, size_t page)
{
	return page >= f->first && page <= f->last;
}

/*
 * No two pages next to each other, or in the same place of two nodes, are
 * alike.
 */
static char content(size_t page)
{
	return 1 + page % 127;
}

/**
 * hole_file_add() - a file whose first huge page has holes
 * @first: the first page that is a hole
 * @last: the last one
 * @options: of its tmpfs
 * @len: its size.  What is behind the first huge page is one hole
 */
void hole_file_add(unsigned int first, unsigned int last, const char *options, size_t len)
{
	struct hole_file *f = &k->file[k->nr++];
	size_t n, page = page_size();

	f->first = first;
	f->last = last;
	f->fd = tmpfs_file(options, len);
	for (n = 0; n < huge_size() / page; n++) {
		memset(hole_src, content(n), page);
		if (!is_hole(f, n) &&
		    pwrite(f->fd, hole_src, page, n * page) != (ssize_t)page)
			race_broken("write: %s", strerror(errno));
	}
	f->view = mmap(NULL, huge_size(), PROT_READ, MAP_SHARED, f->fd, 0);
	if (f->view == MAP_FAILED || madvise(f->view, huge_size(), MADV_DONTFORK))
		race_broken("mmap: %s", strerror(errno));
}

static void map_areas(void *arg)
{
	size_t i, size = huge_size();
	char *p = huge_area(2 * k->nr * size, size);

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	k->uffd = uffd_open(0);
	if (!p || k->uffd < 0)
		goto fail;
	for (i = 0; i < k->nr; i++) {
		k->file[i].area = map_at(p + 2 * i * size, size, MAP_SHARED, k->file[i].fd);
		if (!k->file[i].area)
			goto fail;
	}
	return;
fail:
	k->err = errno;
}

/**
 * hole_files_start() - start the target, and let khugepaged go round fast
 * @max_ptes_none: how many holes khugepaged fills at most
 *
 * The target maps all files.  khugepaged does not know of it before eligible().
 *
 * Return: the target's userfaultfd.
 */
int hole_files_start(long max_ptes_none)
{
	khugepaged_set("scan_sleep_millisecs", 10);
	khugepaged_set("alloc_sleep_millisecs", 10);
	khugepaged_set("pages_to_scan", 1 << 16);
	khugepaged_set("max_ptes_none", max_ptes_none);
	actor_start(&target, map_areas, NULL);
	uffd_require(k->err, 0);
	memset(hole_src, 0x5a, sizeof(hole_src));
	return actor_fd(&target, k->uffd);
}

/**
 * hole() - where the first hole of a file is
 * @i: number of the file
 * Return: its offset.
 */
size_t hole(size_t i)
{
	return k->file[i].first * page_size();
}

/**
 * check_file() - all pages but the holes are unchanged
 * @i: number of the file
 *
 * read() maps none of them.
 */
void check_file(size_t i)
{
	const struct hole_file *f = &k->file[i];
	size_t n, page = page_size();
	char buf[MAX_PAGE];

	for (n = 0; n < huge_size() / page; n++) {
		if (is_hole(f, n))
			continue;
		if (pread(f->fd, buf, page, n * page) != (ssize_t)page)
			race_broken("read: %s", strerror(errno));
		if (buf[0] != content(n) || memcmp(buf, buf + 1, page - 1))
			race_broken("page %zu of file %zu is %d and not %d", n, i, buf[0],
				    content(n));
	}
}

/**
 * there() - is there a page?
 * @i: number of the file
 * @offset: of the page
 * Return: the answer, which says nothing of pages that are not up to date.
 */
bool there(size_t i, size_t offset)
{
	unsigned char in_core;

	if (mincore(k->file[i].view + offset, page_size(), &in_core))
		race_broken("mincore: %s", strerror(errno));
	return in_core & 1;
}

static void do_call(long nr, long arg0, long arg1, long arg2)
{
	actor_call(&target, 0, nr, arg0, arg1, arg2);
	actor_done(&target, 0);
	if (target.call[0].ret)
		race_broken("system call %ld: %s", nr, strerror(target.call[0].err));
}

/**
 * eligible() - let khugepaged collapse a file
 * @i: number of the file
 *
 * The first call sets the flag by which the second tells khugepaged of this mm.
 */
void eligible(size_t i)
{
	do_call(SYS_madvise, (long)k->file[i].area, huge_size(), MADV_HUGEPAGE);
	do_call(SYS_madvise, (long)k->file[i].area, huge_size(), MADV_HUGEPAGE);
}

/**
 * begin_watch() - the target begins to register the mapping of the first file
 */
void begin_watch(void)
{
	k->reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	k->reg.range.start = (uintptr_t)k->file[0].area;
	k->reg.range.len = huge_size();
	actor_call(&target, 0, SYS_ioctl, k->uffd, UFFDIO_REGISTER, (long)&k->reg);
}

/**
 * call_succeeded() - wait for a call of the target
 * @what: its name; it must not have failed
 */
void call_succeeded(const char *what)
{
	actor_done(&target, 0);
	if (target.call[0].ret == -1)
		race_broken("%s: %s", what, strerror(target.call[0].err));
}

/**
 * watch() - the target registers the mapping of the first file
 */
void watch(void)
{
	begin_watch();
	call_succeeded("UFFDIO_REGISTER");
}

/**
 * asked() - does a read of the first file's hole ask the monitor?
 * @uffd: as hole_files_start() returned it
 * Return: true if it does; the hole was filled then.
 */
bool asked(int uffd)
{
	char *addr = k->file[0].area + hole(0);
	struct uffd_msg msg;

	actor_touch(&target, 0, addr, false);
	while (!event_readable(uffd, 0)) {
		if (actor_is_done(&target, 0))
			return false;
		if (!race_look_again())
			race_broken("a read of the hole neither ends nor asks");
	}
	event_read(uffd, UFFD_EVENT_PAGEFAULT, &msg);
	if (fill(uffd, addr, hole_src, page_size(), NULL))
		race_broken("fill: %s", strerror(errno));
	actor_done(&target, 0);
	return true;
}
