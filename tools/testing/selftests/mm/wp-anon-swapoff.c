// SPDX-License-Identifier: GPL-2.0
/*
 * swapoff brings in the pages of a process.  What their swap entries remember
 * is to be in the page table then.
 *
 * before, softdirty: the entry has the bit
 *
 *	thread 0		monitor			thread 1
 *	writes, swapped out	protects: before
 *							swapoff()
 *	base: the pages are neither protected nor soft-dirty
 *
 * late: it comes when swapoff has found the entry, and has not locked the page
 * table
 *
 *	thread 1		monitor
 *	swapoff()
 *	held: has the page
 *				protects
 *	released
 *	base: the page is not protected
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "wp_test.h"

#define PAGES	16

static const struct variant {
	const char *arg, *name;
	bool late, soft_dirty;
} variants[] = {
	{ "before", "wp-anon-swapoff", false, false },
	{ "late", "wp-anon-swapoff-late", true, false },
	{ "softdirty", "softdirty-swapoff", false, true },
};

static struct wp *w;
static char *path;	/* of the swap, in memory that the actor shares */

static char *page(int i)
{
	return w->area + i * page_size();
}

static void put_back(void)
{
	swapon(path, 0);
}

static void protect(void)
{
	int err = wp_protect(w->uffd, w->area, w->len);

	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
}

static void clear_soft_dirty(void)
{
	char file[64];
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/clear_refs", w->actor.pid);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "4", 1) != 1)
		race_broken("%s: %s", file, strerror(errno));
	close(fd);
}

static size_t soft_dirty(void)
{
	size_t dirty = 0;
	int i;

	for (i = 0; i < PAGES; i++)
		dirty += !!(wp_pagemap(w, page(i)) & WP_PM_SOFT_DIRTY);
	return dirty;
}

static void expect_present(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (!(wp_pagemap(w, page(i)) & WP_PM_PRESENT))
			race_broken("swapoff has not brought in page %d", i);
}

static const char *judge(const struct variant *v)
{
	size_t lost;

	if (v->soft_dirty) {
		lost = PAGES - soft_dirty();
		ksft_print_msg("not soft-dirty: %zu of %d pages\n", lost, PAGES);
		return lost ? "soft-dirty-lost" : NULL;
	}
	lost = wp_lost_pages(w, w->area, PAGES);
	ksft_print_msg("writes that were not trapped: %zu of %d pages\n", lost,
		       PAGES);
	return lost ? "write-not-trapped" : NULL;
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage;
	struct call *call;

	race_begin("%s", v->name);
	if (v->late)
		race_points_require();
	path = shared_alloc(page_size());
	if (!swap_file(path, page_size()))
		race_skip("needs swap, of one device");
	w = wp_new(PAGES * page_size());
	wp_start(w, 0);
	call = &w->actor.call[1];
	if (v->soft_dirty) {
		clear_soft_dirty();
		if (soft_dirty())
			race_broken("clear_refs has cleared nothing");
	}
	wp_populate(w, 1);
	if (v->soft_dirty && soft_dirty() != PAGES)
		race_skip("no soft-dirty bit: CONFIG_MEM_SOFT_DIRTY=y is needed");
	if (!v->late && !v->soft_dirty)
		protect();
	wp_pageout(w, w->area, PAGES);
	if (v->soft_dirty && soft_dirty() != PAGES)
		race_broken("swapped pages are not soft-dirty");

	race_cleanup(put_back);
	if (v->late)
		race_arm("wp_swapoff_page", "mm=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
			 w->actor.pid, (long)page(0), (long)page(1));
	actor_call(&w->actor, 1, SYS_swapoff, (long)path);
	if (v->late) {
		race_wait("wp_swapoff_page", "held=1");
		protect();
		if (!(wp_pagemap(w, page(0)) & WP_PM_SWAP))
			race_broken("the page is mapped before it is protected");
		race_release("wp_swapoff_page");
	}
	actor_done(&w->actor, 1);
	if (call->ret)
		race_broken("swapoff: %s", strerror(call->err));
	expect_present();
	race_control_open();

	damage = judge(v);
	wp_stop(w);
	return race_end(damage);
}
