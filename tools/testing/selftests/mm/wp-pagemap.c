// SPDX-License-Identifier: GPL-2.0
/*
 * Bit 57 of pagemap tells which pages are write-protected for a userfaultfd,
 * wherever the page is at the time.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "wp_test.h"

#define PAGES	4

static struct wp *w;
static struct migration *move;	/* in memory that the actor shares */

static char *page(size_t i)
{
	return w->area + i * page_size();
}

static void start(size_t len, bool huge, uint64_t mode)
{
	move = shared_alloc(sizeof(*move));
	w = wp_new(len);
	w->mode = mode;
	if (huge)
		w->map = wp_map_huge;
	wp_start(w, 0);
}

static void protect(size_t first, size_t pages)
{
	check(!wp_protect(w->uffd, page(first), pages * page_size()));
}

static void unprotect(size_t first, size_t pages)
{
	check(!wp_unprotect(w->uffd, page(first), pages * page_size()));
}

/* How many pages have a bit of pagemap? */
static size_t count(size_t first, size_t pages, uint64_t bit)
{
	size_t i, n = 0;

	for (i = first; i < first + pages; i++)
		n += !!(wp_pagemap(w, page(i)) & bit);
	return n;
}

static size_t protected(size_t first, size_t pages)
{
	return count(first, pages, WP_PM_UFFD_WP);
}

static void present(void)
{
	start(PAGES * page_size(), false, 0);
	wp_populate(w, 1);
	check(protected(0, PAGES) == 0);
	protect(1, 2);
	check(protected(1, 2) == 2);
	check(protected(0, PAGES) == 2);
	check(count(0, PAGES, WP_PM_PRESENT) == PAGES);
	unprotect(1, 1);
	check(protected(2, 1) == 1);
	check(protected(0, PAGES) == 1);
	wp_stop(w);
}

static void zero_page(void)
{
	struct uffdio_zeropage zero = { };

	start(PAGES * page_size(), false,
	      UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	zero.range.start = (uintptr_t)page(0);
	zero.range.len = 2 * page_size();
	check(!ioctl(w->uffd, UFFDIO_ZEROPAGE, &zero));
	check(protected(0, PAGES) == 0);
	protect(0, 1);
	check(protected(0, 1) == 1);
	check(protected(0, PAGES) == 1);
	check(count(0, PAGES, WP_PM_PRESENT) == 2);
	wp_stop(w);
}

static void swapped(void)
{
	start(PAGES * page_size(), false, 0);
	wp_populate(w, 1);
	protect(0, 2);
	wp_pageout(w, page(0), PAGES);
	check(count(0, PAGES, WP_PM_SWAP) == PAGES);
	check(protected(0, 2) == 2);
	check(protected(0, PAGES) == 2);
	/* Both work on the swap entry. */
	protect(2, 1);
	unprotect(0, 1);
	check(count(0, PAGES, WP_PM_SWAP) == PAGES);
	check(protected(1, 2) == 2);
	check(protected(0, PAGES) == 2);
	/* Reading brings the page in. */
	check(first_byte(w->actor.pid, page(2)) == 1);
	check(count(2, 1, WP_PM_PRESENT) == 1);
	check(protected(2, 1) == 1);
	wp_stop(w);
}

static void huge(void)
{
	const size_t pages = huge_size() / page_size();

	start(huge_size(), true, 0);
	wp_expect_huge(w, "at first");
	check(protected(0, pages) == 0);
	protect(0, pages);
	wp_expect_huge(w, "protected");
	check(protected(0, pages) == pages);
	/* The rest of the pages are mapped one by one now. */
	unprotect(3, 1);
	check(protected(3, 1) == 0);
	check(protected(0, pages) == pages - 1);
	wp_stop(w);
}

/* Pages are not present meanwhile, nor in swap, and pagemap says swap. */
static void migrate(size_t pages)
{
	migration_prepare(move, &w->actor, 1, page(0));
	migration_begin(move, MPOL_MF_MOVE);
	check(count(0, pages, WP_PM_SWAP) == pages);
	check(protected(0, pages) == pages);
	unprotect(0, pages);
	check(protected(0, pages) == 0);
	protect(0, pages);
	check(protected(0, pages) == pages);
	check(count(0, pages, WP_PM_SWAP) == pages);
	migration_end(move);
	race_disarm("pgtable_migration");
	check(count(0, pages, WP_PM_PRESENT) == pages);
	check(protected(0, pages) == pages);
}

static void migrating(void)
{
	if (!race_points_exist()) {
		check_skip = "no race points";
		return;
	}
	start(PAGES * page_size(), false, 0);
	wp_populate(w, 1);
	protect(0, 1);
	migrate(1);
	check(protected(0, PAGES) == 1);
	wp_stop(w);
}

static void huge_migrating(void)
{
	const size_t pages = huge_size() / page_size();

	if (!race_points_exist()) {
		check_skip = "no race points";
		return;
	}
	start(huge_size(), true, 0);
	protect(0, pages);
	migrate(pages);
	wp_expect_huge(w, "after the migration");
	wp_stop(w);
}

static const struct check_case cases[] = {
	{ "a page that is present", present },
	{ "the zero page", zero_page },
	{ "a page that is swapped out", swapped },
	{ "a huge page, before and after it is split", huge },
	{ "a page under migration", migrating },
	{ "a huge page under migration", huge_migrating },
};

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (thp_never())
		ksft_exit_skip("huge pages are switched off: transparent_hugepage/enabled\n");
	return checks_run(cases, ARRAY_SIZE(cases), NULL, NULL);
}
