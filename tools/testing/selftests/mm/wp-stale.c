// SPDX-License-Identifier: GPL-2.0
/*
 * Pages are write-protected when their registration ends or loses this mode.
 * The next registration for write protection finds none of them protected:
 * its monitor has not asked for that and does not know what to do with a fault.
 *
 *	thread 0			monitor
 *					protects all pages
 *					ends that: UNREGISTER, the last close,
 *					  or REGISTER without WP
 *					REGISTER with WP
 *	writes
 *	base:   is trapped
 */
#define _GNU_SOURCE
#include <string.h>

#include "kselftest.h"
#include "wp_test.h"

#define PAGES	8

static struct wp *w;

static void require(int err, const char *what)
{
	if (err)
		race_broken("%s: %s", what, strerror(err));
}

static void unregister(void)
{
	require(wp_unregister(w->uffd, w->area, w->len), "UFFDIO_UNREGISTER");
}

static void last_close(void)
{
	wp_reopen(w, 0);
}

static void reregister(void)
{
	require(wp_register(w->uffd, w->area, w->len,
			    UFFDIO_REGISTER_MODE_MISSING),
		"UFFDIO_REGISTER without WP");
}

static const struct variant {
	const char *name, *race;
	void (*end)(void);
} variants[] = {
	{ "unregister", "wp-stale-after-unregister", unregister },
	{ "close", "wp-stale-after-close", last_close },
	{ "reregister", "wp-stale-after-reregister", reregister },
};

static void protect(void)
{
	require(wp_protect(w->uffd, w->area, w->len), "UFFDIO_WRITEPROTECT");
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	size_t stale;

	race_begin("%s", v->race);
	w = wp_new(PAGES * page_size());
	wp_start(w, 0);
	wp_populate(w, 1);
	protect();
	if (wp_lost_pages(w, w->area, PAGES))
		race_broken("pages are not protected");
	protect();

	v->end();
	require(wp_register(w->uffd, w->area, w->len, UFFDIO_REGISTER_MODE_WP),
		"UFFDIO_REGISTER");
	race_control_open();
	stale = wp_stale_pages(w, w->area, PAGES);
	ksft_print_msg("%zu of %d pages trap a write that nobody asked for\n",
		       stale, PAGES);
	protect();
	if (wp_lost_pages(w, w->area, PAGES))
		race_broken("pages are not protected again");
	wp_stop(w);
	return race_end(stale ? "stale-trap" : NULL);
}
