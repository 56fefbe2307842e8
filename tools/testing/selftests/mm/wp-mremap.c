// SPDX-License-Identifier: GPL-2.0
/*
 * mremap() without UFFD_FEATURE_EVENT_REMAP takes the registration away from
 * what it moves.
 *
 * stale	With the registration goes the protection: the next one finds
 *		none.
 *
 *	thread 0			monitor
 *					protects all pages
 *	mremap
 *					REGISTER with WP, at the new place
 *	writes
 *	base:   is trapped
 *
 * neighbour	What is moved next to a mapping that it could merge with leaves
 *		it alone: that one stays registered and protected.
 *
 *	thread 0			monitor
 *					protects area and other
 *	mremap of other, which is
 *	not registered then
 *					REGISTER with WP, at its new place
 *	mremap of other, back
 *	base:   merges, and area is
 *		not registered either
 *	writes to area
 *	base:   is not trapped
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "wp_test.h"

#define PAGES	8

static struct wp *w;
static char *area, *other, *place;
static size_t len;

static void require(int err, const char *what)
{
	if (err)
		race_broken("%s: %s", what, strerror(err));
}

/* One mapping of two parts, and a place that has no neighbour. */
static char *map_two(struct wp *w)
{
	char *p = mmap(NULL, 8 * w->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p = mmap(p + w->len, w->len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, w->len, MADV_NOHUGEPAGE);
	return p;
}

static void move(char *from, char *to)
{
	struct call *call = &w->actor.call[0];

	actor_call(&w->actor, 0, SYS_mremap, (long)from, len, len,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (long)to);
	actor_done(&w->actor, 0);
	if (call->ret != (long)to)
		race_broken("mremap: %s", strerror(call->err));
}

static void enlist(char *start)
{
	require(wp_register(w->uffd, start, len, UFFDIO_REGISTER_MODE_WP),
		"UFFDIO_REGISTER");
}

static void protect(char *start)
{
	require(wp_protect(w->uffd, start, len), "UFFDIO_WRITEPROTECT");
}

static const char *moved_away(void)
{
	size_t pages;

	move(other, place);
	enlist(place);
	race_control_open();
	pages = wp_stale_pages(w, place, PAGES);
	ksft_print_msg("%zu of %d pages trap a write that nobody asked for\n",
		       pages, PAGES);
	protect(place);
	if (wp_lost_pages(w, place, PAGES) || wp_lost_pages(w, area, PAGES))
		race_broken("pages are not protected");
	return pages ? "stale-trap" : NULL;
}

static const char *moved_next(void)
{
	size_t pages;

	move(other, place);
	enlist(place);
	move(place, other);
	race_control_open();
	pages = wp_lost_pages(w, area, PAGES);
	ksft_print_msg("%zu of %d pages of the neighbour are not protected\n",
		       pages, PAGES);
	return pages ? "protection-lost" : NULL;
}

static const struct variant {
	const char *name, *race;
	const char *(*run)(void);
} variants[] = {
	{ "stale", "wp-stale-after-mremap", moved_away },
	{ "neighbour", "wp-mremap-neighbour", moved_next },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage;

	race_begin("%s", v->race);
	len = PAGES * page_size();
	w = wp_new(2 * len);
	w->map = map_two;
	wp_start(w, 0);
	area = w->area;
	other = area + len;
	place = area + 4 * len;
	wp_populate(w, 1);
	require(wp_protect(w->uffd, w->area, w->len), "UFFDIO_WRITEPROTECT");
	if (wp_lost_pages(w, w->area, 2 * PAGES))
		race_broken("pages are not protected");
	require(wp_protect(w->uffd, w->area, w->len), "UFFDIO_WRITEPROTECT");
	damage = v->run();
	wp_stop(w);
	return race_end(damage);
}
