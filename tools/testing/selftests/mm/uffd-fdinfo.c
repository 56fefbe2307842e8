// SPDX-License-Identifier: GPL-2.0
/*
 * What fdinfo of a userfaultfd says of pending changes of the layout.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

/* A change is pending until its event was read; the generation only grows. */
static void counts(void)
{
	struct uffd_msg msg;

	monitored_start(&m, PAGES, EVENTS);
	check(changing() == 0 && generation() == 0);

	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(changing() == 1 && generation() == 1);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	check(changing() == 2 && generation() == 2);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 1 && fill_page(1) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 0 && generation() == 2 && !fill_page(1));
	returned(0);
	returned(1);

	pend(&m.actor, 0, UFFD_EVENT_FORK);
	check(changing() == 1 && generation() == 3);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(changing() == 0 && generation() == 3);
	check(uffd_fdinfo(msg.arg.fork.ufd, "changing") == 0);
	check(uffd_fdinfo(msg.arg.fork.ufd, "generation") == 0);
	close(msg.arg.fork.ufd);
	kill(returned(0), SIGKILL);

	/* UNMAP of the target, REMAP, UNMAP of the old place: in this order. */
	pend(&m.actor, 0, UFFD_EVENT_REMAP);
	check(changing() == 3 && generation() == 6);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg);
	check(is_range(&msg, UFFD_EVENT_UNMAP, page(PAGES - 1), page_size()));
	check(changing() == 2);
	event_read(m.uffd, UFFD_EVENT_REMAP, &msg);
	check(msg.arg.remap.from == (uintptr_t)m.other);
	check(msg.arg.remap.to == (uintptr_t)page(PAGES - 1));
	check(msg.arg.remap.len == page_size());
	check(changing() == 1 && fill_page(2) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg);
	check(is_range(&msg, UFFD_EVENT_UNMAP, m.other, page_size()));
	check(changing() == 0 && generation() == 6 && !fill_page(2));
	check(returned(0) == (long)page(PAGES - 1));

	/* An munmap() of nothing is no change. */
	actor_call(&m.actor, 0, SYS_munmap, (long)m.other, page_size());
	check(!returned(0));
	check(changing() == 0 && generation() == 6);
	check(!event_readable(m.uffd, 0));
	monitored_stop(&m);
}

/* A context without features counts no change. */
static void no_features(void)
{
	size_t i;

	monitored_start(&m, PAGES, 0);
	for (i = 0; i < NR_KINDS; i++) {
		change_layout(&m, &m.actor, 0, event_kinds[i].event);
		returned(0);
		check(changing() == 0 && generation() == 0);
		check(!event_readable(m.uffd, 0));
	}
	kill(m.actor.call[0].ret, SIGKILL);
	monitored_stop(&m);
}

static const struct check_case cases[] = {
	{ "fdinfo counts changes", counts },
	{ "no features, no changes", no_features },
};

int main(void)
{
	return uffd_events_run("changing", cases, ARRAY_SIZE(cases));
}
