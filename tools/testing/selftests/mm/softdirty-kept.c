// SPDX-License-Identifier: GPL-2.0
/*
 * What is soft-dirty, and what is not, where 5.10 has always been right: the
 * fixes of soft-dirty tracking must leave it so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "softdirty_test.h"

#define RW	(PROT_READ | PROT_WRITE)
#define PAGES	8

static char *place;

static char *page(size_t nr)
{
	return place + nr * page_size();
}

static void map(size_t nr, size_t pages, int prot)
{
	softdirty_map(page(nr), pages * page_size(), prot);
}

static bool dirty(size_t nr)
{
	return softdirty(getpid(), page(nr));
}

static size_t all_dirty(size_t nr, size_t pages)
{
	return softdirty_pages(getpid(), page(nr), pages);
}

static void clear(void)
{
	softdirty_clear(getpid());
}

static bool merged(size_t nr, size_t pages)
{
	return one_mapping(page(nr), pages * page_size());
}

static int protect(size_t nr, size_t pages, int prot)
{
	return mprotect(page(nr), pages * page_size(), prot);
}

static void start(void)
{
	place = softdirty_place(PAGES * page_size());
}

static void stop(void)
{
	/* With the unmapped pages before and behind. */
	munmap(place - page_size(), (PAGES + 2) * page_size());
}

static void writes(void)
{
	map(0, 3, RW);
	check(all_dirty(0, 3) == 3);
	clear();
	check(!all_dirty(0, 3));
	touch_page(page(1));
	check(!dirty(0) && dirty(1) && !dirty(2));
	clear();
	check(!all_dirty(0, 3));
	touch_page(page(1));
	check(!dirty(0) && dirty(1) && !dirty(2));
}

/* Page 0 is mapped. */
static void write_after_mprotect(void)
{
	int turn;

	for (turn = 0; turn < 5; turn++) {
		touch_page(page(0));
		clear();
		check(!protect(0, 1, PROT_READ) && !protect(0, 1, RW));
		check(!dirty(0));
		touch_page(page(0));
		check(dirty(0));
		/* mprotect() alone takes nothing away. */
		check(!protect(0, 1, PROT_READ) && !protect(0, 1, RW));
		check(dirty(0));
	}
}

static void mprotect_anon(void)
{
	map(0, 1, RW);
	write_after_mprotect();
}

static void mprotect_shmem(void)
{
	int fd = memfd_create("softdirty", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, page_size()) ||
	    !map_at(page(0), page_size(), MAP_SHARED, fd))
		race_broken("shmem: %s", strerror(errno));
	close(fd);
	write_after_mprotect();
}

/* The new mapping is the one that is changed, and the old one survives. */
static void merge_prev(void)
{
	map(0, 1, RW);
	clear();
	map(1, 1, PROT_READ);
	check(!dirty(0) && dirty(1));
	check(!protect(1, 1, RW));
	check(merged(0, 2));
	check(dirty(1));
}

static void merge_mmap(void)
{
	map(0, 1, RW);
	map(2, 1, RW);
	clear();
	map(1, 1, RW);
	check(merged(0, 3));
	check(dirty(1));
	clear();
	check(!all_dirty(0, 3));
}

static void merge_old(void)
{
	map(0, 1, RW);
	map(1, 1, PROT_READ);
	touch_page(page(0));
	clear();
	check(!protect(1, 1, RW));
	check(merged(0, 2));
	check(!all_dirty(0, 2));
	touch_page(page(1));
	check(!dirty(0) && dirty(1));
}

static void split(void)
{
	clear();
	map(0, 3, RW);
	check(!protect(1, 1, PROT_READ));
	check(!merged(0, 2));
	check(all_dirty(0, 3) == 3);
	check(!munmap(page(1), page_size()));
	check(dirty(0) && dirty(2));
}

static void grow_heap(void)
{
	char *old;

	if (sbrk(page_size()) == (void *)-1)
		race_broken("sbrk: %s", strerror(errno));
	clear();
	old = sbrk(page_size());
	check(old != (void *)-1);
	check(softdirty(getpid(), old));
	sbrk(-2 * (intptr_t)page_size());
}

static void move_pages_each(void)
{
	size_t len = 3 * page_size(), i;

	map(0, 3, RW);
	for (i = 0; i < 3; i++)
		touch_page(page(i));
	clear();
	check(mremap(page(0), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, page(4)) == page(4));
	check(all_dirty(4, 3) == 3);
	clear();
	check(!all_dirty(4, 3));
}

static void move_huge(void)
{
	size_t len = huge_size(), pages = len / page_size();
	char *from = huge_area(2 * len, len), *to = huge_area(2 * len, len);

	if (thp_never()) {
		check_skip = "huge pages are switched off";
		return;
	}
	if (!from || !to || !map_at(from, len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(from, len, MADV_HUGEPAGE))
		race_broken("mmap: %s", strerror(errno));
	touch_page(from);
	if (smaps_kb(getpid(), from, len, "AnonHugePages") != (long)(len >> 10))
		race_broken("there are no huge pages to be had");
	clear();
	check(!softdirty_pages(getpid(), from, pages));
	check(mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check(smaps_kb(getpid(), to, len, "AnonHugePages") == (long)(len >> 10));
	check(softdirty_pages(getpid(), to, pages) == pages);
	munmap(to, len);
}

static const struct check_case cases[] = {
	{ "a write is seen, and no other page", writes },
	{ "a write to anonymous memory after mprotect() is seen", mprotect_anon },
	{ "a write to shmem after mprotect() is seen", mprotect_shmem },
	{ "a new mapping that merges with an old one before it", merge_prev },
	{ "a new mapping between two old ones", merge_mmap },
	{ "two old mappings that merge are not soft-dirty", merge_old },
	{ "the parts of a new mapping that is split", split },
	{ "what brk() adds", grow_heap },
	{ "pages that mremap() moves one by one", move_pages_each },
	{ "a huge page that mremap() moves", move_huge },
};

int main(void)
{
	ksft_print_header();
	softdirty_require();
	return checks_run(cases, ARRAY_SIZE(cases), start, stop);
}
