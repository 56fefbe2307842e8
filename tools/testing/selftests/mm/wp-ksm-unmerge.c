// SPDX-License-Identifier: GPL-2.0
/*
 * KSM gives up pages that it has merged and that a userfaultfd has
 * write-protected since: because of MADV_UNMERGEABLE ("madvise"), or of
 * everything that it has merged ("all", 2 to run in sysfs).  Both say that they
 * have done so.
 *
 * Nobody writes: the monitor is told of nothing, whoever waits goes on waiting,
 * and each page is as protected as before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "ksm_test.h"
#include "wp_test.h"

#define PAGES	16

struct variant {
	const char *arg;
	const char *race;
	void (*unmerge)(void);
};

static struct wp *w;

static char *page(size_t i)
{
	return w->area + i * page_size();
}

static char *last_byte(size_t i)
{
	return page(i) + page_size() - 1;
}

static void advise(int advice)
{
	actor_call(&w->actor, 0, SYS_madvise, (long)w->area, w->len, advice);
	actor_done(&w->actor, 0);
	if (w->actor.call[0].ret)
		race_broken("madvise: %s", strerror(w->actor.call[0].err));
}

static void unmerge_by_madvise(void)
{
	advise(MADV_UNMERGEABLE);
}

static void unmerge_all(void)
{
	ksm_run(KSM_UNMERGE);
}

static const struct variant variants[] = {
	{ "madvise", "wp-ksm-unmerge", unmerge_by_madvise },
	{ "all", "wp-ksm-unmerge-all", unmerge_all },
};

static void merge(void)
{
	size_t i;

	wp_populate(w, 0x5a);
	for (i = 0; i < PAGES; i++)
		if (wp_write(w, 0, last_byte(i), 0xa5) != WP_WRITTEN)
			race_broken("a page cannot be written");
	advise(MADV_MERGEABLE);
	ksm_run(KSM_MERGE);
	ksm_wait_merged(w->actor.pid, w->area, PAGES);
}

/* Thread 1 waits for the monitor, at page 0. */
static void unprotect_waiter(void)
{
	int err;

	if (!actor_sleeps(&w->actor, 1))
		race_broken("a write to a protected page does not wait");
	err = wp_unprotect(w->uffd, w->area, page_size());
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	actor_done(&w->actor, 1);
	if (w->actor.call[1].ret != 1 || first_byte(w->actor.pid, w->area) != 1)
		race_broken("a write that was let through is not there");
}

static const char *unmerge(const struct variant *v)
{
	size_t i, merged, lost, wrong = 0;
	int err;

	err = wp_protect(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	if (wp_write(w, 1, w->area, 1) != WP_TRAPPED)
		race_broken("a protected page was written");
	v->unmerge();
	if (event_readable(w->uffd, 0))
		return "told-of-no-write";
	merged = ksm_pages(w->actor.pid, w->area, PAGES);
	for (i = 0; i < PAGES; i++)
		wrong += first_byte(w->actor.pid, page(i)) != 0x5a ||
			 first_byte(w->actor.pid, last_byte(i)) != 0xa5;
	unprotect_waiter();
	lost = wp_lost_pages(w, page(1), PAGES - 1);
	ksft_print_msg("still merged %zu, wrong %zu, writes not trapped %zu\n",
		       merged, wrong, lost);
	if (wrong)
		return "wrong-content";
	if (lost)
		return "write-not-trapped";
	return merged ? "still-merged" : NULL;
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage;

	race_begin("%s", v->race);
	ksm_require();
	w = wp_new(PAGES * page_size());
	wp_start(w, 0);
	merge();
	damage = unmerge(v);
	wp_stop(w);
	return race_end(damage);
}
