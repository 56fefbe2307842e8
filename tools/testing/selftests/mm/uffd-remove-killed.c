// SPDX-License-Identifier: GPL-2.0
/*
 * A removal whose task is killed before it has announced anything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

static void touch_source(void *arg)
{
	memset(arg, 0x5a, PAGES * page_size());
}

/*
 * Killed while MADV_DONTNEED waits for a fill: nothing begun, nothing removed.
 */
static void killed_behind_fill(void)
{
	struct uffdio_copy *copy = shared_alloc(sizeof(*copy));
	char *from = mmap(NULL, PAGES * page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct actor filler;
	int i;

	if (from == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	if (!race_points_exist()) {
		check_skip = "no race points";
		return;
	}
	monitored_start_twin(&m, PAGES, EVENTS);
	actor_start(&filler, touch_source, from);
	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.call[0].tid, (long)page(1), (long)page(2));
	race_arm("uffd_remove_begin", "tid=%d", m.twin.call[0].tid);
	copy->dst = (uintptr_t)m.area;
	copy->src = (uintptr_t)from;
	copy->len = PAGES * page_size();
	actor_call(&filler, 0, SYS_ioctl, m.uffd, UFFDIO_COPY, (long)copy);
	race_wait("uffd_fill_page", "held=1");
	change_layout(&m, &m.twin, 0, UFFD_EVENT_REMOVE);
	race_wait("uffd_remove_begin", "hits=1");
	if (!actor_blocked(&m.twin, 0))
		race_broken("MADV_DONTNEED waits for nobody");
	check(!event_readable(m.uffd, 0));
	check(changing() == 0 && generation() == 0);
	twin_kill(&m);
	check(!event_readable(m.uffd, 0));
	check(changing() == 0 && generation() == 0);
	race_release("uffd_fill_page");
	actor_done(&filler, 0);
	check(race_point_field("uffd_fill_page", "released") == 1);
	check(filler.call[0].ret == 0);
	for (i = 0; i < PAGES; i++)
		check(page_exists(m.actor.pid, page(i)));

	/* map_changing_lock is free again: the next removal takes it. */
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	returned(0);
	check(!page_exists(m.actor.pid, page(0)) && !fill_page(0));
	actor_stop(&filler);
	monitored_stop(&m);
}

static const struct check_case cases[] = {
	{ "killed while waiting for a fill", killed_behind_fill },
};

int main(void)
{
	return uffd_events_run("changing", cases, ARRAY_SIZE(cases));
}
