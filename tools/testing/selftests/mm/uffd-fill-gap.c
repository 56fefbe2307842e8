// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_COPY drops its locks in order to fault in its source.  A whole
 * change of its range, event and all, passes in that gap: the fill must see it.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 2 pages
 *	  source of page n is not resident
 *	  drops its locks, held
 *				MADV_DONTNEED or mremap
 *				  event pending		reads it
 *				  returns
 *	  released
 *	base: installs page n and those behind it
 *	series: EAGAIN, .copy tells that n pages were installed
 *
 * Two rounds: in the first the fill has installed nothing before the gap, and
 * .copy is -EAGAIN; in the second it has installed one page.  No event is
 * pending when the fill goes on: a count of pending changes says nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

#define PAGES	2
#define ROUNDS	2

static struct monitored m;
static struct filler filler;

static const struct variant {
	const char *name;
	uint64_t features;
	unsigned int event;
	bool shmem;
} variants[] = {
	{ "remove", UFFD_FEATURE_EVENT_REMOVE, UFFD_EVENT_REMOVE, false },
	{ "remove-shmem", UFFD_FEATURE_EVENT_REMOVE, UFFD_EVENT_REMOVE, true },
	/* Without EVENT_UNMAP: mremap would post that event as well. */
	{ "remap", UFFD_FEATURE_EVENT_REMAP, UFFD_EVENT_REMAP, false },
};

static size_t present(const char *range)
{
	return monitored_pages_exist(&m, range, PAGES);
}

/* The whole change; the old place stays mapped and registered. */
static void make_change(const struct variant *v, char *range, size_t filled)
{
	const size_t len = PAGES * page_size();
	struct call *call = &m.actor.call[0];

	if (v->event == UFFD_EVENT_REMAP)
		actor_call(&m.actor, 0, SYS_mremap, (long)range, len, len,
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	else
		actor_call(&m.actor, 0, SYS_madvise, (long)range, len,
			   v->shmem ? MADV_REMOVE : MADV_DONTNEED);
	if (!actor_blocked(&m.actor, 0))
		race_broken("the change does not wait for the monitor");
	event_read(m.uffd, v->event, NULL);
	actor_done(&m.actor, 0);
	if (call->ret == -1)
		race_broken("the change failed: %s", strerror(call->err));

	if (present(range))
		race_broken("the change has left a page");
	if (v->event == UFFD_EVENT_REMAP && filled &&
	    !page_exists(m.actor.pid, (char *)call->ret))
		race_broken("the page was not moved");
}

/* A fill whose source is missing at page @round of the range. */
static const char *play(const struct variant *v, int round, char *range)
{
	struct fill_vs_change o = {
		.moved = v->event == UFFD_EVENT_REMAP,
		.before = round * page_size(),
	};

	filler_copy(&filler, m.uffd, range, round * PAGES, PAGES);
	race_wait("uffd_fill_unlocked", "held=1");
	if (present(range) != (size_t)round)
		race_broken("the fill is not held before page %d", round);
	make_change(v, range, round);
	race_release("uffd_fill_unlocked");
	o.err = filler_done(&filler);
	o.copied = filler.copy->copy;
	o.stale = present(range);
	ksft_print_msg("%d installed before the change, %zu after it\n", round,
		       o.stale);
	return fill_vs_change_damage(&o);
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage[ROUNDS];

	race_begin("uffd-fill-gap-%s", v->name);
	race_points_require();
	m.shmem = v->shmem;
	monitored_start(&m, PAGES, v->features);
	filler_start(&filler, ROUNDS * PAGES, 1 << 0 | 1 << (PAGES + 1));
	race_arm("uffd_fill_unlocked", "tid=%d times=%d timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, ROUNDS);

	damage[0] = play(v, 0, m.area);
	damage[1] = play(v, 1, m.other);
	if (!damage[0] != !damage[1] ||
	    (damage[0] && strcmp(damage[0], damage[1])))
		race_broken("the rounds differ: %s, %s", damage[0] ?: "right",
			    damage[1] ?: "right");
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(damage[0]);
}
