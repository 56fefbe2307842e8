// SPDX-License-Identifier: GPL-2.0
/*
 * A monitor that reads one event for each edge of epoll misses none.
 *
 *	thread 0		thread 1		monitor
 *	MADV_DONTNEED		MADV_DONTNEED
 *	  waits for it		  waits for it
 *							epoll_wait: an edge
 *							reads one of the two
 *							epoll_wait: an edge?
 *
 * In 5.10 the task whose event was not read is woken along with the other one,
 * and announces its event once more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define PAGES	4

static struct monitored m;
static int epoll;

static bool edge(void)
{
	struct epoll_event event;
	int n = epoll_wait(epoll, &event, 1, 0);

	if (n < 0 || (n && event.events != EPOLLIN))
		race_broken("epoll_wait: %s", n < 0 ? strerror(errno) : "no EPOLLIN");
	return n;
}

static void remove_page(int thread)
{
	actor_call(&m.actor, thread, SYS_madvise, (long)(m.area + thread * page_size()),
		   page_size(), MADV_DONTNEED);
	if (!actor_blocked(&m.actor, thread))
		race_broken("the removal waits for nobody");
}

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct uffd_msg msg;
	bool lost;
	int first;

	race_begin("uffd-edge-for-each");
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	race_control_open();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, m.uffd, &event))
		race_broken("epoll: %s", strerror(errno));
	remove_page(0);
	remove_page(1);
	if (!edge() || edge())
		race_broken("not one edge for what is there");

	event_read(m.uffd, UFFD_EVENT_REMOVE, &msg);
	first = msg.arg.remove.start == (uintptr_t)m.area ? 0 : 1;
	actor_done(&m.actor, first);
	/* If the task was woken it must be asleep again. */
	if (!actor_blocked(&m.actor, !first))
		race_broken("both removals are done with one event");
	lost = !edge();
	ksft_print_msg("%s edge for the second event\n", lost ? "no" : "an");
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&m.actor, !first);
	monitored_stop(&m);
	return race_end(lost ? "edge-lost" : NULL);
}
