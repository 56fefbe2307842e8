// SPDX-License-Identifier: GPL-2.0
/*
 * KSM merges pages that a userfaultfd has write-protected, half of them before
 * ksmd has come by and half of them while it is about to merge:
 *
 *	ksmd			monitor			thread
 *				protects half
 *				of the pages
 *	finds two equal pages,
 *	held
 *				protects all
 *	maps one page at all
 *	addresses; base: without
 *	the bit
 *							writes
 *							base: nobody is told
 *							series: waits
 *
 * One page stays where it is and becomes the one that all of them share: its
 * protection is not lost on base either.
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

static struct wp *w;

static void protect(size_t pages)
{
	int err = wp_protect(w->uffd, w->area, pages * page_size());

	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
}

int main(void)
{
	size_t early, late;

	race_begin("wp-anon-ksm");
	race_points_require();
	ksm_require();
	w = wp_new(PAGES * page_size());
	wp_start(w, 0);
	wp_populate(w, 0x5a);
	actor_call(&w->actor, 0, SYS_madvise, (long)w->area, w->len, MADV_MERGEABLE);
	actor_done(&w->actor, 0);
	if (w->actor.call[0].ret)
		race_broken("MADV_MERGEABLE: %s", strerror(w->actor.call[0].err));

	protect(PAGES / 2);
	race_arm("wp_ksm_merge", "mm=%d timeout=" RACE_HOLD_MS, w->actor.pid);
	ksm_run(KSM_MERGE);
	race_wait("wp_ksm_merge", "held=1");
	if (ksm_pages(w->actor.pid, w->area, PAGES))
		race_broken("pages are merged already");
	protect(PAGES);
	race_release("wp_ksm_merge");
	ksm_wait_merged(w->actor.pid, w->area, PAGES);

	early = wp_lost_pages(w, w->area, PAGES / 2);
	late = wp_lost_pages(w, w->area + PAGES / 2 * page_size(),
			     PAGES - PAGES / 2);
	ksft_print_msg("writes not trapped: %zu of %d, late %zu of %d\n", early,
		       PAGES / 2, late, PAGES - PAGES / 2);
	wp_stop(w);
	return race_end(early || late ? "write-not-trapped" : NULL);
}
