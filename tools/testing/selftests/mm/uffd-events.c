// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of the layout and their events, where no race is needed to see that
 * they are right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

/* close() wakes all tasks that wait for the monitor, and frees all contexts. */
static void close_while_waiting(void)
{
	long before = contexts();
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		bool forks = event_kinds[i].event == UFFD_EVENT_FORK;

		monitored_start(&m, PAGES, event_kinds[i].feature);
		close_own();
		pend(&m.actor, 0, event_kinds[i].event);
		/*
		 * contexts() does count them; the child of a fork has one more.
		 */
		check(before < 0 || contexts() == before + (forks ? 2 : 1));
		close_uffd();
		if (forks)
			kill(returned(0), SIGKILL);
		else
			returned(0);
		monitored_stop(&m);
		nothing_leaks(before);
	}

	/*
	 * Two tasks that wait, and one that waits for several events in turn.
	 */
	monitored_start(&m, PAGES, EVENTS);
	close_own();
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	pend(&m.actor, 1, UFFD_EVENT_REMAP);
	close_uffd();
	kill(returned(0), SIGKILL);
	check(returned(1) == (long)page(PAGES - 1));
	monitored_stop(&m);
	nothing_leaks(before);

	monitored_start(&m, PAGES, EVENTS);
	close_own();
	pend(&m.actor, 0, UFFD_EVENT_REMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	check(!actor_is_done(&m.actor, 0));
	close_uffd();
	check(returned(0) == (long)page(PAGES - 1));
	monitored_stop(&m);
	nothing_leaks(before);
}

/* A poll() without time-out sleeps until an event is queued. */
static void poll_wakes(void)
{
	struct pollfd *pfd = shared_alloc(sizeof(*pfd));
	size_t i;

	for (i = 0; i < 2; i++) {
		monitored_start(&m, PAGES, EVENTS);
		pfd->fd = m.own_uffd;
		pfd->events = POLLIN;
		actor_call(&m.actor, 1, SYS_ppoll, (long)pfd, 1, 0, 0, 0);
		check(actor_sleeps(&m.actor, 1));
		pend(&m.actor, 0, event_kinds[i].event);
		check(returned(1) == 1 && pfd->revents == POLLIN);
		event_read(m.uffd, event_kinds[i].event, NULL);
		returned(0);
		monitored_stop(&m);
	}
}

static const struct check_case cases[] = {
	{ "close() releases those who wait", close_while_waiting },
	{ "fills of huge pages end in order", huge_fills },
	{ "write protection ends in order", write_protect },
	{ "poll() is woken by events", poll_wakes },
};

int main(void)
{
	return uffd_events_run("changing", cases, ARRAY_SIZE(cases));
}
