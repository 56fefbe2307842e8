// SPDX-License-Identifier: GPL-2.0
/*
 * The monitor reads events in the order in which the layout changed.
 *
 * fork-unmap:
 *
 *	thread 0		thread 1		monitor
 *	fork
 *	  copies the mappings
 *	  held, mmap_lock dropped
 *				munmap of a range
 *				  waits for the monitor
 *							read: FORK, or on
 *							base UNMAP
 *	  released
 *							read the other
 *
 * The child has that range: a monitor that reads UNMAP first gives it a book
 * without.
 *
 * mremap, mremap-target: one mremap() shrinks a mapping and moves what is left
 * onto another one, which is registered too in the second variant:
 *
 *	change				event
 *	the target is unmapped		UNMAP, if it was registered
 *	the tail is unmapped		UNMAP
 *	the rest moves			REMAP
 *	the old place is unmapped	UNMAP
 *
 * On base REMAP comes before UNMAP of the tail, and says that the tail moved
 * too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES		8
#define KEPT		4	/* pages that mremap() keeps */
#define EVENTS_MAX	8

static struct monitored m;
static struct uffd_msg events[EVENTS_MAX];
static int nr_events;

static char *page(int i)
{
	return m.area + i * page_size();
}

static void take_event(void)
{
	struct uffd_msg *msg = &events[nr_events];

	if (nr_events == EVENTS_MAX)
		race_broken("more than %d events", EVENTS_MAX);
	if (read(m.uffd, msg, sizeof(*msg)) != sizeof(*msg))
		race_broken("read: %s", strerror(errno));
	switch (msg->event) {
	case UFFD_EVENT_FORK:
		ksft_print_msg("event: fork\n");
		break;
	case UFFD_EVENT_UNMAP:
		ksft_print_msg("event: unmap %#llx-%#llx\n",
			       (unsigned long long)msg->arg.remove.start,
			       (unsigned long long)msg->arg.remove.end);
		break;
	case UFFD_EVENT_REMAP:
		ksft_print_msg("event: remap %#llx+%#llx to %#llx\n",
			       (unsigned long long)msg->arg.remap.from,
			       (unsigned long long)msg->arg.remap.len,
			       (unsigned long long)msg->arg.remap.to);
		break;
	default:
		race_broken("event %#x", msg->event);
	}
	nr_events++;
}

static void wait_and_take_event(void)
{
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no event after %d", nr_events);
	take_event();
}

/* Return: the index of the event; the test is broken if there is none. */
static int event_index(unsigned int event, char *start, size_t len)
{
	int i;

	for (i = 0; i < nr_events; i++) {
		if (events[i].event != event)
			continue;
		if (event != UFFD_EVENT_UNMAP ||
		    (events[i].arg.remove.start == (uintptr_t)start &&
		     events[i].arg.remove.end == (uintptr_t)start + len))
			return i;
	}
	race_broken("no event %#x for %p", event, start);
}

/* fork-unmap */

static const char *fork_unmap(void)
{
	size_t len = KEPT * page_size();
	struct fork_then_unmap o;
	pid_t child;
	int fork_nr;

	race_points_require();
	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_UNMAP);
	race_arm("uffd_fork_unlocked", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);
	actor_call(&m.actor, 0, SYS_clone, SIGCHLD);
	race_wait("uffd_fork_unlocked", "held=1");

	actor_call(&m.actor, 1, SYS_munmap, (long)page(KEPT), len);
	if (!actor_blocked(&m.actor, 1))
		race_broken("munmap does not wait for the monitor");
	wait_and_take_event();
	race_release("uffd_fork_unlocked");
	if (race_point_field("uffd_fork_unlocked", "released") != 1)
		race_broken("the fork was no longer held");
	wait_and_take_event();
	actor_done(&m.actor, 0);
	actor_done(&m.actor, 1);
	child = m.actor.call[0].ret;
	if (child == -1 || m.actor.call[1].ret)
		race_broken("fork or munmap failed");

	fork_nr = event_index(UFFD_EVENT_FORK, NULL, 0);
	o.unmap_first = event_index(UFFD_EVENT_UNMAP, page(KEPT), len) < fork_nr;
	o.child_has = range_mapped(child, page(KEPT), len);
	if (range_mapped(m.actor.pid, page(KEPT), len))
		race_broken("the parent has the range still");
	/* fork() copies it before munmap() begins, in every column. */
	if (!o.child_has)
		race_broken("the child lacks the range");
	close(events[fork_nr].arg.fork.ufd);
	kill(child, SIGKILL);
	return fork_then_unmap_damage(&o);
}

/*
 * mremap: a book of both areas, kept by the events.  A page is known by the
 * byte that it is filled with, 0 is none.
 */
static unsigned char book[2][PAGES];

static unsigned char *entry(uint64_t addr)
{
	size_t ps = page_size();
	uint64_t area = (uintptr_t)m.area, other = (uintptr_t)m.other;

	if (addr >= area && addr < area + PAGES * ps)
		return &book[0][(addr - area) / ps];
	if (addr >= other && addr < other + PAGES * ps)
		return &book[1][(addr - other) / ps];
	return NULL;
}

static void fill_area(int nr, char *area, char *src)
{
	int i, err;

	for (i = 0; i < PAGES; i++) {
		book[nr][i] = 1 + nr * PAGES + i;
		memset(src, book[nr][i], page_size());
		err = fill(m.uffd, area + i * page_size(), src, page_size(),
			   NULL);
		if (err)
			race_broken("fill: %s", strerror(err));
	}
}

static void replay(const struct uffd_msg *msg)
{
	unsigned char *from, *to;
	uint64_t at;

	if (msg->event == UFFD_EVENT_UNMAP) {
		for (at = msg->arg.remove.start; at < msg->arg.remove.end;
		     at += page_size()) {
			from = entry(at);
			if (from)
				*from = 0;
		}
		return;
	}
	for (at = 0; at < msg->arg.remap.len; at += page_size()) {
		from = entry(msg->arg.remap.from + at);
		to = entry(msg->arg.remap.to + at);
		if (to)
			*to = from ? *from : 0;
		if (from)
			*from = 0;
	}
}

static size_t wrong_pages(int nr, char *area)
{
	size_t i, wrong = 0;

	for (i = 0; i < PAGES; i++) {
		char *addr = area + i * page_size();

		wrong += book[nr][i] != (page_exists(m.actor.pid, addr) ?
					 first_byte(m.actor.pid, addr) : 0);
	}
	return wrong;
}

static const char *shrink_and_move(bool target_registered)
{
	size_t kept = KEPT * page_size(), len = PAGES * page_size();
	struct shrink_and_move o;
	char *src = shared_alloc(page_size());
	int i, remap_nr;

	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_UNMAP);
	fill_area(0, m.area, src);
	if (target_registered) {
		fill_area(1, m.other, src);
	} else {
		struct uffdio_range range = {
			.start = (uintptr_t)m.other,
			.len = len,
		};

		if (ioctl(m.uffd, UFFDIO_UNREGISTER, &range))
			race_broken("UFFDIO_UNREGISTER: %s", strerror(errno));
	}
	if (wrong_pages(0, m.area) || wrong_pages(1, m.other))
		race_broken("the book is wrong from the beginning");

	actor_call(&m.actor, 0, SYS_mremap, (long)m.area, len, kept,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (long)m.other);
	if (!actor_blocked(&m.actor, 0))
		race_broken("mremap does not wait for the monitor");
	race_control_open();
	for (i = 0; i < (target_registered ? 4 : 3); i++)
		wait_and_take_event();
	actor_done(&m.actor, 0);
	if (event_readable(m.uffd, 0))
		race_broken("an event too many");
	if (m.actor.call[0].ret != (long)m.other)
		race_broken("mremap: %s", strerror(m.actor.call[0].err));

	remap_nr = event_index(UFFD_EVENT_REMAP, NULL, 0);
	o.remap_first = remap_nr < event_index(UFFD_EVENT_UNMAP, page(KEPT),
					       len - kept);
	/* Any other event shows in the book. */
	event_index(UFFD_EVENT_UNMAP, m.area, kept);
	if (target_registered)
		event_index(UFFD_EVENT_UNMAP, m.other, kept);
	for (i = 0; i < nr_events; i++)
		replay(&events[i]);
	o.wrong = wrong_pages(0, m.area) + wrong_pages(1, m.other);
	/* The book must have nothing behind the range that moved. */
	o.wrong += events[remap_nr].arg.remap.len > kept;
	ksft_print_msg("entries that the book has wrong: %zu\n", o.wrong);
	return shrink_and_move_damage(&o);
}

static const char * const variants[] = { "fork-unmap", "mremap", "mremap-target" };

int main(int argc, char **argv)
{
	const char *variant = *race_variant(argc, argv, variants), *damage;

	race_begin("uffd-event-order-%s", variant);
	if (!strcmp(variant, "fork-unmap"))
		damage = fork_unmap();
	else
		damage = shrink_and_move(!strcmp(variant, "mremap-target"));
	monitored_stop(&m);
	return race_end(damage);
}
