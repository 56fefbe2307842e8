// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of the event of a task that is killed, and of whom the change
 * has kept waiting.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

#define LEFT	64	/* events of killed tasks that are kept */
#define LOST	6

static long lost(void)
{
	return uffd_fdinfo(m.uffd, "lost");
}

/* Killed while it waits: the change stays, and so does its event, once. */
static void killed_change(void)
{
	long before = contexts();
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		if (event_kinds[i].event == UFFD_EVENT_FORK)
			continue;
		monitored_start_twin(&m, PAGES, event_kinds[i].feature);
		pend(&m.twin, 0, event_kinds[i].event);
		twin_kill(&m);
		check(changing() == 1 && fill_page(1) == EAGAIN);
		event_read(m.uffd, event_kinds[i].event, NULL);
		check(changing() == 0 && !fill_page(1));
		check(!event_readable(m.uffd, 0));
		monitored_stop(&m);
		nothing_leaks(before);

		/* Or the event stays until the file is closed. */
		monitored_start_twin(&m, PAGES, event_kinds[i].feature);
		close_own();
		pend(&m.twin, 0, event_kinds[i].event);
		twin_kill(&m);
		close_uffd();
		monitored_stop(&m);
		nothing_leaks(before);
	}
}

/* Three events of one mremap, in their order. */
static void killed_mremap(void)
{
	long before = contexts();
	struct uffd_msg msg[4];

	monitored_start_twin(&m, PAGES, EVENTS);
	pend(&m.twin, 0, UFFD_EVENT_REMAP);
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg[0]);
	twin_kill(&m);
	check(changing() == 2);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_REMAP);
	check(is_range(&msg[1], UFFD_EVENT_UNMAP, m.other, page_size()));
	check(changing() == 0 && !fill_page(1));
	monitored_stop(&m);
	nothing_leaks(before);
}

/* A fork that was killed has no child, so its event must be withdrawn. */
static void killed_fork(void)
{
	long before = contexts();
	struct uffd_msg msg;

	monitored_start_twin(&m, PAGES, EVENTS);
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	check(changing() == 2);
	twin_kill(&m);
	check(changing() == 1);
	check(read_one(&msg) == sizeof(msg));
	check(msg.event == UFFD_EVENT_UNMAP);
	check(changing() == 0 && !event_readable(m.uffd, 0));
	check(!fill_page(1));
	returned(0);
	monitored_stop(&m);
	nothing_leaks(before);
}

/*
 * Has the one fault been read, and is it not to be read again?  A fault that
 * was woken is in no queue until its thread has run, and is pending afterwards.
 */
static bool fault_waits(void)
{
	return uffd_fdinfo(m.uffd, "total") == 1 &&
		uffd_fdinfo(m.uffd, "pending") == 0;
}

/* read() returns faults before events. */
static void read_fault_again(int i)
{
	struct uffd_msg msg;

	while (!uffd_fdinfo(m.uffd, "pending"))
		if (!race_look_again())
			race_broken("the fault does not come again");
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)page(i));
}

/*
 * A monitor that could not serve a fault because of that fork waits for an
 * event which never comes: it gets the fault again.
 */
static void killed_fork_and_fault(void)
{
	struct uffd_msg msg;

	monitored_start_twin(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)page(1));
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	check(fill_page(1) == EAGAIN);
	twin_kill(&m);
	if (!fault_waits())
		read_fault_again(1);
	else
		check(!"the fault does not come again");
	check(!event_readable(m.uffd, 0));
	check(!fill_page(1));
	check(returned(0) == 1);
	monitored_stop(&m);
}

/*
 * The whole process dies with an event that was not read.  The event is dropped
 * with the mm, and ioctls return ESRCH whether or not the monitor reads.
 */
static void killed_process(void)
{
	const uint64_t both = UFFDIO_REGISTER_MODE_MISSING |
			      UFFDIO_REGISTER_MODE_WP;
	long before = contexts();
	struct uffd_msg msg;
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		monitored_start(&m, PAGES,
				EVENTS | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
		check(!register_area(both));
		check(!fill_page(1) && !write_protect_page(1));
		pend(&m.actor, 0, event_kinds[i].event);
		check(fill_page(2) == EAGAIN && zero_page(2) == EAGAIN);
		check(write_protect_page(1) == EAGAIN);
		actor_stop(&m.actor);
		check(fill_page(2) == ESRCH && zero_page(2) == ESRCH);
		check(write_protect_page(1) == ESRCH);
		check(register_area(both) == ENOMEM);
		check(!event_readable(m.uffd, 0));
		check(read_one(&msg) == -1 && errno == EAGAIN);
		check(changing() == 0 && lost() == 0);
		check(fill_page(2) == ESRCH && zero_page(2) == ESRCH);
		check(write_protect_page(1) == ESRCH);
		close_uffd();
		nothing_leaks(before);
	}

	/* The same if the file is closed without a read. */
	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	actor_stop(&m.actor);
	close_uffd();
	nothing_leaks(before);
}

/*
 * A change by the twin that waits for the monitor: of one page, in place of
 * pend().
 */
static void pend_page(long nr, int i)
{
	long before = generation();

	actor_call(&m.twin, 0, nr, (long)page(i), page_size(), MADV_DONTNEED);
	while (generation() == before && !actor_is_done(&m.twin, 0))
		if (!race_look_again())
			race_broken("nothing changes");
	if (!actor_blocked(&m.twin, 0))
		race_broken("page %d: nobody waits", i);
}

static void killed_unmap(int i)
{
	pend_page(SYS_munmap, i);
	twin_kill(&m);
}

static void read_range(unsigned int event, int first, int pages)
{
	struct uffd_msg msg = { };

	check(read_one(&msg) == sizeof(msg));
	check(is_range(&msg, event, page(first), pages * page_size()));
}

/*
 * Tasks that are killed leave so many events and no more.  What is lost is
 * counted, ends its change, and wakes whom it kept waiting.
 */
static void killed_many(void)
{
	long before = contexts();
	struct uffd_msg msg;
	int i;

	monitored_start_twins(&m, 2 * (LEFT + LOST) + 2, EVENTS, LEFT + LOST + 1);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	event_read(m.uffd, UFFD_EVENT_PAGEFAULT, NULL);
	for (i = 0; i < LEFT + LOST; i++) {
		/* The ranges do not touch, so that no two events become one. */
		killed_unmap(2 * i);
		twin_next(&m);
		check(changing() == (i < LEFT ? i + 1 : LEFT));
		check(lost() == (i < LEFT ? 0 : i + 1 - LEFT));
		check(fault_waits() == (i < LEFT));
		if (!check_ok)
			break;
		if (i >= LEFT)
			read_fault_again(1);
		check(fill_page(1) == EAGAIN);
	}
	if (!check_ok) {
		monitored_stop(&m);
		return;
	}
	for (i = 0; i < LEFT; i++)
		read_range(UFFD_EVENT_UNMAP, 2 * i, 1);
	check(read_one(&msg) == -1 && errno == EAGAIN);
	check(changing() == 0 && lost() == LOST);
	check(!fill_page(1));
	check(returned(0) == 1);

	/* The reads have made room for another event. */
	killed_unmap(2 * (LEFT + LOST));
	check(changing() == 1 && lost() == LOST);
	read_range(UFFD_EVENT_UNMAP, 2 * (LEFT + LOST), 1);
	check(changing() == 0);
	monitored_stop(&m);
	nothing_leaks(before);
}

/*
 * Events of killed tasks that follow each other and touch become one, in its
 * place.
 */
static void killed_neighbours(void)
{
	long before = contexts();
	struct actor first;

	monitored_start_twins(&m, 4 * PAGES, EVENTS, 9);
	killed_unmap(3);
	twin_next(&m);
	killed_unmap(4);
	twin_next(&m);
	killed_unmap(2);
	check(changing() == 1 && generation() == 3);
	/*
	 * Events on the two sides of one that is waited for do not become one.
	 */
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	twin_next(&m);
	killed_unmap(5);
	twin_next(&m);
	pend_page(SYS_madvise, 6);
	twin_kill(&m);
	check(changing() == 4 && lost() == 0);
	/* The first of two is killed after the second. */
	twin_next(&m);
	first = m.twin;
	pend_page(SYS_munmap, 10);
	twin_next(&m);
	killed_unmap(11);
	check(changing() == 6);
	m.twin = first;
	twin_kill(&m);
	check(changing() == 5);
	/* Neither range touches that of the event before it. */
	twin_next(&m);
	killed_unmap(14);
	twin_next(&m);
	killed_unmap(12);
	check(changing() == 7 && lost() == 0);

	read_range(UFFD_EVENT_UNMAP, 2, 3);
	read_range(UFFD_EVENT_REMOVE, 0, 1);
	read_range(UFFD_EVENT_UNMAP, 5, 1);
	read_range(UFFD_EVENT_REMOVE, 6, 1);
	read_range(UFFD_EVENT_UNMAP, 10, 2);
	read_range(UFFD_EVENT_UNMAP, 14, 1);
	read_range(UFFD_EVENT_UNMAP, 12, 1);
	check(changing() == 0 && !event_readable(m.uffd, 0));
	check(!fill_page(20));
	returned(0);
	monitored_stop(&m);
	nothing_leaks(before);
}

static const struct check_case cases[] = {
	{ "a killed task leaves its event", killed_change },
	{ "a killed mremap leaves all of its events", killed_mremap },
	{ "a killed fork takes its event back", killed_fork },
	{ "a killed fork does not hide a fault", killed_fork_and_fault },
	{ "a killed process leaves nothing to read", killed_process },
	{ "killed tasks leave no more than so many events", killed_many },
	{ "events of killed tasks become one", killed_neighbours },
};

int main(void)
{
	return uffd_events_run("lost", cases, ARRAY_SIZE(cases));
}
