// SPDX-License-Identifier: GPL-2.0
/*
 * A task is killed while it waits for the monitor to read its event, and the
 * memory that it has changed lives on, shared with another process.  The
 * monitor must hear of the change.
 *
 *	twin				target		monitor
 *	changes the layout
 *	  waits for the monitor
 *	killed
 *					lives on
 *							read:
 *							  base: nothing
 *							  series: the event
 *
 * unmap and remap have made the change before they wait.  remove makes it
 * afterwards, also when it was killed: the zap is not interrupted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	8

static struct monitored m;
static char *src;

static char *last_page(void)
{
	return m.area + (PAGES - 1) * page_size();
}

static bool was_removed(void)
{
	return !page_exists(m.actor.pid, m.area);
}

static bool was_unmapped(void)
{
	return !range_mapped(m.actor.pid, last_page(), 1);
}

static bool was_moved(void)
{
	return !range_mapped(m.actor.pid, m.other, 1) &&
		range_mapped(m.actor.pid, last_page(), 1);
}

static bool start_is(const struct uffd_msg *msg, const char *start)
{
	return msg->arg.remove.start == (uintptr_t)start;
}

static const struct variant {
	const char *name;
	uint64_t feature;
	unsigned int event;
	bool (*was_made)(void);
} variants[] = {
	{ "unmap", UFFD_FEATURE_EVENT_UNMAP, UFFD_EVENT_UNMAP, was_unmapped },
	/* Without EVENT_UNMAP: mremap would post that event as well. */
	{ "remap", UFFD_FEATURE_EVENT_REMAP, UFFD_EVENT_REMAP, was_moved },
	{ "remove", UFFD_FEATURE_EVENT_REMOVE, UFFD_EVENT_REMOVE, was_removed },
};

static int fill_page(int i)
{
	return fill(m.uffd, m.area + i * page_size(), src, page_size(), NULL);
}

/* The place that the event names, as change_layout() has it. */
static void check_place(const struct uffd_msg *msg)
{
	bool good = false;

	switch (msg->event) {
	case UFFD_EVENT_REMOVE:
		good = start_is(msg, m.area);
		break;
	case UFFD_EVENT_UNMAP:
		good = start_is(msg, last_page());
		break;
	case UFFD_EVENT_REMAP:
		good = msg->arg.remap.from == (uintptr_t)m.other &&
			msg->arg.remap.to == (uintptr_t)last_page() &&
			msg->arg.remap.len == page_size();
		break;
	}
	if (!good)
		race_broken("event %#x is not that of the change", msg->event);
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct event_reads o = { };
	struct uffd_msg msg;

	race_begin("uffd-kill-at-wait-points-%s", v->name);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start_twin(&m, PAGES, v->feature);
	if (fill_page(0) || fill_page(PAGES - 1) || v->was_made())
		race_broken("fill before the change");

	change_layout(&m, &m.twin, 0, v->event);
	if (!actor_blocked(&m.twin, 0))
		race_broken("the change waits for nobody");
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no event %#x", v->event);
	race_control_open();

	twin_kill(&m);
	if (!v->was_made())
		race_broken("the change was not made");
	o.admitted_before = fill_page(1) != EAGAIN;
	while (event_readable(m.uffd, 0)) {
		event_read(m.uffd, v->event, &msg);
		check_place(&msg);
		o.reads++;
	}
	o.refused_after = fill_page(2);
	ksft_print_msg("reads=%zu changing: %ld\n", o.reads,
		       uffd_fdinfo(m.uffd, "changing"));
	monitored_stop(&m);
	return race_end(event_reads_damage(&o));
}
