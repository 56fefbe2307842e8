// SPDX-License-Identifier: GPL-2.0
/*
 * In the yielding mode a fill asks whether its page was removed when it holds
 * the lock of the page table, and not before.
 *
 *	filler				target			monitor
 *	UFFDIO_COPY or UFFDIO_ZEROPAGE
 *	  there is no page table, or no page
 *	  asks: no change; goes on, held
 *					MADV_DONTNEED
 *					  REMOVE pending	reads it
 *					  finds no page table
 *					  returns
 *	  released
 *	  installs a page table
 *	  base: and the page: stale
 *	  series: asks again under its lock: EAGAIN
 *
 * The removal finds nothing whose lock it could take, so that no other lock
 * orders the two.  In "shmem" it is the page that is not in the page cache, when
 * MADV_REMOVE looks for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"
#include "uffd_yield.h"

static struct monitored m;
static struct filler filler;

static const struct variant {
	const char *arg, *name;
	bool zeropage, shmem;
} variants[] = {
	{ "copy", "uffd-remove-stale-late", false, false },
	{ "zeropage", "uffd-remove-stale-late-zeropage", true, false },
	{ "shmem", "uffd-remove-stale-late-shmem", false, true },
};

/* What one page table maps. */
static size_t table_size(void)
{
	return page_size() / sizeof(uint64_t) * page_size();
}

static void fill_begin(char *page, struct uffdio_zeropage *zero)
{
	if (!zero) {
		filler_copy(&filler, m.uffd, page, 0, 1);
		return;
	}
	zero->range.start = (uintptr_t)page;
	zero->range.len = page_size();
	actor_call(&filler.actor, 0, SYS_ioctl, m.uffd, UFFDIO_ZEROPAGE,
		   (long)zero);
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct uffdio_zeropage *zero = NULL;
	struct fill_vs_change o = { };
	char *page;

	race_begin("%s", v->name);
	race_points_require();
	if (v->zeropage)
		zero = shared_alloc(sizeof(*zero));
	m.mode = &uffd_yielding;
	m.shmem = v->shmem;
	/* The area must contain all that one page table maps. */
	monitored_start(&m, 2 * table_size() / page_size(),
			UFFD_FEATURE_EVENT_REMOVE);
	page = (char *)(((uintptr_t)m.area + table_size() - 1) &
			~(table_size() - 1));
	filler_start(&filler, 1, 0);
	race_arm("uffd_fill_map", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)page, (long)(page + page_size()));
	race_arm("uffd_remove_begin", "tid=%d", m.actor.call[0].tid);

	fill_begin(page, zero);
	race_wait("uffd_fill_map", "held=1");
	actor_call(&m.actor, 0, SYS_madvise, (long)page, page_size(),
		   v->shmem ? MADV_REMOVE : MADV_DONTNEED);
	race_wait("uffd_remove_begin", "hits=1");
	if (!actor_blocked(&m.actor, 0))
		race_broken("the removal waits for nobody");
	if (!event_readable(m.uffd, 0))
		race_broken("the removal waits for the fill: nothing to be seen");
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret)
		race_broken("madvise: %s", strerror(m.actor.call[0].err));
	if (monitored_page_exists(&m, page))
		race_broken("the fill is not held before it installs the page");

	race_release("uffd_fill_map");
	o.err = filler_done(&filler);
	o.copied = zero ? zero->zeropage : filler.copy->copy;
	o.stale = monitored_page_exists(&m, page);
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_vs_change_damage(&o));
}
