// SPDX-License-Identifier: GPL-2.0
/*
 * Where write protection ends and where it does not, as far as no race is
 * needed to see it: the end of a registration ends that of its range, whatever
 * has become of the pages, and a call that fails ends nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

#define PAGES		8
#define TRIES		100
#define SOFT_DIRTY	0x80000000000000ULL	/* of pagemap */

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

static struct wp *w;

static char *page(size_t i)
{
	return w->area + i * page_size();
}

static void start(size_t len, char *(*map)(struct wp *w), uint64_t mode,
		  uint64_t features)
{
	w = wp_new(len);
	w->map = map;
	w->mode = mode;
	wp_start(w, features);
}

/* One page at a time: they can be in several mappings. */
static void protect(char *start, size_t pages)
{
	size_t i;
	int err;

	for (i = 0; i < pages; i++) {
		err = wp_protect(w->uffd, start + i * page_size(), page_size());
		if (err)
			race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	}
}

static void start_protected(uint64_t mode, uint64_t features)
{
	start(PAGES * page_size(), NULL, UFFDIO_REGISTER_MODE_WP, features);
	wp_populate(w, 1);
	if (mode != UFFDIO_REGISTER_MODE_WP &&
	    wp_register(w->uffd, w->area, w->len, mode))
		race_broken("UFFDIO_REGISTER");
	protect(page(0), PAGES);
}

/* A call of the monitored process. */
static long call(long nr, long a, long b, long c, long d, long e)
{
	actor_call(&w->actor, 1, nr, a, b, c, d, e);
	actor_done(&w->actor, 1);
	errno = w->actor.call[1].err;
	return w->actor.call[1].ret;
}

static bool enlist(char *start, size_t len, uint64_t mode)
{
	errno = wp_register(w->uffd, start, len, mode);
	return !errno;
}

static bool delist(char *start, size_t len)
{
	errno = wp_unregister(w->uffd, start, len);
	return !errno;
}

/* The rest of a mapping stays what it was. */
static void part_is_unregistered(void)
{
	start_protected(UFFDIO_REGISTER_MODE_WP, 0);
	check(delist(page(2), 4 * page_size()));
	check(enlist(page(2), 4 * page_size(), UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, page(2), 4));
	check(!wp_lost_pages(w, page(0), 2));
	check(!wp_lost_pages(w, page(6), 2));
	wp_stop(w);

	/* The same, of what is registered for both. */
	start_protected(UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING,
			0);
	check(delist(page(2), 4 * page_size()));
	check(enlist(page(2), 4 * page_size(), UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, page(2), 4));
	check(!wp_lost_pages(w, page(0), 2));
	check(!wp_lost_pages(w, page(6), 2));
	wp_stop(w);
}

/*
 * Let the n-th allocation of a call fail, for each n, in a process of its own:
 * the allocations that it makes do without some of them.
 *
 * Return: the result of the call; @left is 0 if an allocation has failed.
 */
static long failing_call(unsigned int n, unsigned int *left, long nr, long a,
			 long b, long c, long d, long e)
{
	int err, fd = fail_nth_open(w->actor.pid, w->actor.call[1].tid);
	long ret;

	fail_nth_set(fd, n);
	ret = call(nr, a, b, c, d, e);
	err = errno;
	*left = fail_nth_left(fd);
	fail_nth_set(fd, 0);
	close(fd);
	errno = err;
	return ret;
}

/* No memory to split a mapping: all of it is what it was before. */
static void part_fails(unsigned int cmd)
{
	struct uffdio_register *reg = shared_alloc(sizeof(*reg));
	unsigned int n, left = 0, failed = 0;

	fail_nth_begin(true);
	for (n = 1; n <= TRIES && !left; n++) {
		start_protected(UFFDIO_REGISTER_MODE_WP, 0);
		reg->range.start = (uintptr_t)page(2);
		reg->range.len = 4 * page_size();
		reg->mode = UFFDIO_REGISTER_MODE_MISSING;
		if (failing_call(n, &left, SYS_ioctl, w->own_uffd, cmd,
				 (long)reg, 0, 0)) {
			check(errno == ENOMEM);
			check(!wp_lost_pages(w, page(0), PAGES));
			failed++;
		} else {
			check(!wp_lost_pages(w, page(0), 2));
			check(!wp_lost_pages(w, page(6), 2));
		}
		wp_stop(w);
	}
	/* Both ends can fail. */
	if (!left || failed < 2)
		race_broken("%u of %u allocations have failed", failed, n);
}

static void unregister_fails(void)
{
	part_fails(UFFDIO_UNREGISTER);
}

static void register_fails(void)
{
	part_fails(UFFDIO_REGISTER);
}

/* A registration that takes no mode away takes no protection away. */
static void mode_stays(void)
{
	const uint64_t both = UFFDIO_REGISTER_MODE_WP |
			      UFFDIO_REGISTER_MODE_MISSING;
	size_t i;

	start_protected(UFFDIO_REGISTER_MODE_WP, 0);
	check(enlist(w->area, w->len, UFFDIO_REGISTER_MODE_WP));
	check(!wp_lost_pages(w, page(0), PAGES));
	protect(page(0), PAGES);
	check(enlist(w->area, w->len, both));
	check(!wp_lost_pages(w, page(0), PAGES));
	protect(page(0), PAGES);
	/* Both are registered already. */
	for (i = 0; i < 2; i++) {
		check(enlist(w->area, w->len,
			     i ? UFFDIO_REGISTER_MODE_MISSING :
				 UFFDIO_REGISTER_MODE_WP));
		check(!wp_lost_pages(w, page(0), PAGES));
		protect(page(0), PAGES);
	}
	wp_stop(w);
}

/* With the mode goes the reason to wait. */
static void mode_goes(void)
{
	start_protected(UFFDIO_REGISTER_MODE_WP, 0);
	check(wp_write(w, 0, page(3), 2) == WP_TRAPPED);
	if (!actor_sleeps(&w->actor, 0))
		race_broken("a write to a protected page does not wait");
	/* Those of another part wait on. */
	check(enlist(page(5), 2 * page_size(), UFFDIO_REGISTER_MODE_MISSING));
	check(uffd_fdinfo(w->uffd, "total") == 1);
	check(enlist(page(2), 2 * page_size(), UFFDIO_REGISTER_MODE_MISSING));
	check(uffd_fdinfo(w->uffd, "total") == 0);
	actor_done(&w->actor, 0);
	check(w->actor.call[0].ret == 1);
	check(first_byte(w->actor.pid, page(3)) == 2);
	check(!wp_lost_pages(w, page(0), 2));
	check(!wp_lost_pages(w, page(4), 1));
	check(!wp_lost_pages(w, page(7), 1));
	wp_stop(w);
}

/* Pages that are in swap are protected by their entries. */
static void in_swap(void)
{
	long kb = PAGES * page_size() >> 10;
	struct sysinfo info;

	if (sysinfo(&info) || !info.totalswap) {
		check_skip = "no swap";
		return;
	}
	start(PAGES * page_size(), NULL, UFFDIO_REGISTER_MODE_WP, 0);
	/* The pages that wait for their list are those of one processor. */
	race_pin(w->actor.call[0].tid, 0);
	race_pin(w->actor.call[1].tid, 0);
	wp_populate(w, 1);
	protect(page(0), PAGES);
	wp_pageout(w, w->area, PAGES);
	if (smaps_kb(w->actor.pid, w->area, w->len, "Swap") != kb)
		race_broken("pages are not swapped");
	check(delist(page(2), 4 * page_size()));
	check(smaps_kb(w->actor.pid, w->area, w->len, "Swap") == kb);
	check(enlist(page(2), 4 * page_size(), UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, page(2), 4));
	check(!wp_lost_pages(w, page(0), 2));
	check(!wp_lost_pages(w, page(6), 2));
	wp_stop(w);
}

static char *map_huge(struct wp *w)
{
	char *area = huge_area(w->len, huge_size());

	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	if (!area || !map_at(area, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, w->len, MADV_HUGEPAGE))
		return NULL;
	touch_page(area);
	touch_page(area + huge_size());
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return area;
}

static void in_huge_pages(void)
{
	size_t size, pages;

	if (thp_never()) {
		check_skip = "huge pages are switched off";
		return;
	}
	size = huge_size();
	pages = size / page_size();
	start(2 * size, map_huge, UFFDIO_REGISTER_MODE_WP, 0);
	if (smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages") !=
	    (long)(2 * size >> 10))
		race_broken("no huge pages");
	check(!wp_protect(w->uffd, w->area, w->len));
	check(delist(w->area, size));
	check(smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages") ==
	      (long)(2 * size >> 10));
	check(enlist(w->area, size, UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, w->area, pages));
	/* Of the other one a part, which splits it. */
	check(delist(w->area + size, size / 2));
	check(enlist(w->area + size, size / 2, UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, w->area + size, pages / 2));
	check(!wp_lost_pages(w, w->area + size + size / 2, pages / 2));
	wp_stop(w);
}

/* With its event, a move takes registration and protection along. */
static void moved_with_event(void)
{
	struct uffd_msg msg;
	char *to;

	start_protected(UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_EVENT_REMAP);
	to = (char *)call(SYS_mmap, 0, w->len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1);
	actor_call(&w->actor, 1, SYS_mremap, (long)w->area, w->len, w->len,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (long)to);
	event_read(w->uffd, UFFD_EVENT_REMAP, &msg);
	actor_done(&w->actor, 1);
	check(w->actor.call[1].ret == (long)to);
	check(msg.arg.remap.to == (uintptr_t)to);
	w->area = to;
	check(!wp_lost_pages(w, page(0), PAGES));
	protect(page(0), PAGES);
	check(delist(w->area, w->len));
	check(enlist(w->area, w->len, UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, page(0), PAGES));
	wp_stop(w);
}

/* What is left behind by MREMAP_DONTUNMAP is registered as before. */
static void moved_from(void)
{
	char *from, *to;

	start_protected(UFFDIO_REGISTER_MODE_WP, 0);
	from = w->area;
	to = (char *)call(SYS_mremap, (long)from, w->len, w->len,
			  MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	if (to == MAP_FAILED)
		race_broken("mremap: %s", strerror(errno));
	check(wp_protect(w->uffd, to, w->len) == ENOENT);
	check(enlist(to, w->len, UFFDIO_REGISTER_MODE_WP));
	check(!wp_stale_pages(w, to, PAGES));
	check(!wp_stale_pages(w, from, PAGES));
	protect(from, PAGES);
	check(!wp_lost_pages(w, from, PAGES));
	wp_stop(w);
}

/* What has never been touched merges most easily. */
static char *map_untouched(struct wp *w)
{
	size_t len = PAGES * page_size();
	char *p = mmap(NULL, 6 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED || !map_at(p + len, len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    !map_at(p + 4 * len, len, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return NULL;
	if (madvise(p + len, len, MADV_NOHUGEPAGE) ||
	    madvise(p + 4 * len, len, MADV_NOHUGEPAGE))
		return NULL;
	(void)w;
	return p + len;
}

static void untouched_neighbour(void)
{
	size_t len = PAGES * page_size();

	start(len, map_untouched, UFFDIO_REGISTER_MODE_WP, 0);
	wp_populate(w, 1);
	protect(page(0), PAGES);
	check(enlist(page(3 * PAGES), len, UFFDIO_REGISTER_MODE_WP));
	check(call(SYS_mremap, (long)page(3 * PAGES), len, len,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (long)page(PAGES)) ==
	      (long)page(PAGES));
	check(!wp_lost_pages(w, page(0), PAGES));
	/* What has moved is not registered. */
	check(wp_protect(w->uffd, page(PAGES), len) == ENOENT);
	wp_stop(w);
}

static bool soft_dirty(const char *addr)
{
	uint64_t entry;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", w->actor.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)addr / page_size() * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return entry & SOFT_DIRTY;
}

static void clear_soft_dirty(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", w->actor.pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "4", 1) != 1)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/* Page tables of their own for the first and the last pages. */
#define STEP		(4UL << 20)
#define STEPS		4

static char *map_sparse(struct wp *w)
{
	char *p = huge_area(3 * w->len, STEP);

	if (!p || !map_at(p, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return NULL;
	madvise(p, w->len, MADV_NOHUGEPAGE);
	return p;
}

/*
 * A move for which there is no memory half way goes back, and brings back all
 * bits.  A page that has been moved to and fro is soft-dirty.
 */
static void move_fails(void)
{
	unsigned int n, left = 0, failed = 0, returned = 0;
	char *to;
	int i;

	fail_nth_begin(true);
	for (n = 1; n <= TRIES && !left; n++) {
		start(STEPS * STEP, map_sparse, UFFDIO_REGISTER_MODE_WP, 0);
		/* Not by whole page tables. */
		to = w->area + w->len + STEP / 2 + 2 * page_size();
		for (i = 0; i < STEPS; i++)
			if (wp_write(w, 0, w->area + i * STEP, 1) != WP_WRITTEN)
				race_broken("a page cannot be populated");
		if (!soft_dirty(w->area)) {
			check_skip = "needs CONFIG_MEM_SOFT_DIRTY=y";
			wp_stop(w);
			return;
		}
		for (i = 0; i < STEPS; i++)
			protect(w->area + i * STEP, 1);
		clear_soft_dirty();
		if (failing_call(n, &left, SYS_mremap, (long)w->area, w->len,
				 w->len, MREMAP_MAYMOVE | MREMAP_FIXED,
				 (long)to) == (long)to) {
			/* Nothing of it is registered. */
			check(enlist(to, w->len, UFFDIO_REGISTER_MODE_WP));
			for (i = 0; i < STEPS; i++)
				check(!wp_stale_pages(w, to + i * STEP, 1));
		} else {
			check(errno == ENOMEM);
			for (i = 0; i < STEPS; i++) {
				returned += soft_dirty(w->area + i * STEP);
				check(!wp_lost(w, 0, w->area + i * STEP));
			}
			failed++;
		}
		wp_stop(w);
	}
	ksft_print_msg("%u moves failed, %u pages were moved back\n", failed,
		       returned);
	if (!left || !returned)
		race_broken("no page was moved back");
}

static const struct check_case cases[] = {
	{ "a part is unregistered", part_is_unregistered },
	{ "a part cannot be unregistered", unregister_fails },
	{ "a part cannot be registered anew", register_fails },
	{ "a registration takes no mode away", mode_stays },
	{ "who waits is woken when the mode goes", mode_goes },
	{ "pages in swap", in_swap },
	{ "huge pages", in_huge_pages },
	{ "a move that is told", moved_with_event },
	{ "a move that fails", move_fails },
	{ "a move that leaves the mapping", moved_from },
	{ "a move next to a mapping, of nothing", untouched_neighbour },
};

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	return checks_run(cases, ARRAY_SIZE(cases), NULL, NULL);
}
