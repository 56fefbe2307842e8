// SPDX-License-Identifier: GPL-2.0
/*
 * Two layout changes are pending, and the monitor reads the event of the first.
 * A fill must still be refused: the monitor does not know of the second.
 *
 *	thread 0		thread 1		monitor
 *	first change
 *	  waits for the monitor
 *				second change
 *				  waits for the monitor
 *							UFFDIO_COPY: EAGAIN
 *							read first event
 *	  returns
 *							UFFDIO_COPY: EAGAIN
 *							read second event
 *				  returns
 *							UFFDIO_COPY: 0
 *
 * Pure user space: each change waits for the monitor by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
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

#define PAGES	8

static struct monitored m;

static char *page(int i)
{
	return m.area + i * page_size();
}

static void remove_page(int thread, int i)
{
	actor_call(&m.actor, thread, SYS_madvise, (long)page(i), page_size(),
		   MADV_DONTNEED);
}

static void unmap_last_page(int thread)
{
	actor_call(&m.actor, thread, SYS_munmap, (long)page(PAGES - 1),
		   page_size());
}

/* The old place stays mapped and registered: a fill there would succeed. */
static void move_other(int thread)
{
	actor_call(&m.actor, thread, SYS_mremap, (long)m.other,
		   PAGES * page_size(), PAGES * page_size(),
		   MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
}

static void fork_child(int thread)
{
	actor_call(&m.actor, thread, SYS_clone, SIGCHLD);
}

static const struct variant {
	const char *name;
	uint64_t features;
	unsigned int first, second;
} variants[] = {
	{ "remove", UFFD_FEATURE_EVENT_REMOVE,
	  UFFD_EVENT_REMOVE, UFFD_EVENT_REMOVE },
	/* Without EVENT_UNMAP: mremap would post that event as well. */
	{ "remap", UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_REMAP,
	  UFFD_EVENT_REMOVE, UFFD_EVENT_REMAP },
	{ "unmap", UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP,
	  UFFD_EVENT_UNMAP, UFFD_EVENT_REMOVE },
	{ "fork", UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_FORK,
	  UFFD_EVENT_REMOVE, UFFD_EVENT_FORK },
};

static void make_change(int thread, unsigned int event)
{
	switch (event) {
	case UFFD_EVENT_REMOVE:
		remove_page(thread, thread);
		break;
	case UFFD_EVENT_REMAP:
		move_other(thread);
		break;
	case UFFD_EVENT_UNMAP:
		unmap_last_page(thread);
		break;
	case UFFD_EVENT_FORK:
		fork_child(thread);
		break;
	}
	if (!actor_blocked(&m.actor, thread))
		race_broken("layout change %d does not wait for the monitor", thread);
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct fill_while_pending o = {
		.moved = v->second == UFFD_EVENT_REMAP,
		.forked = v->second == UFFD_EVENT_FORK,
	};
	struct uffd_msg msg;
	pid_t child = 0;
	char *src, *dst;
	const char *damage;
	int err, i;

	race_begin("uffd-two-events-%s", v->name);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start(&m, PAGES, v->features);
	dst = o.moved ? m.other : page(1);

	make_change(0, v->first);
	make_change(1, v->second);
	err = fill(m.uffd, dst, src, page_size(), NULL);
	if (err != EAGAIN)
		race_broken("fill with two events pending: %s", strerror(err));

	event_read(m.uffd, v->first, NULL);
	actor_done(&m.actor, 0);
	/* The second event waits to be read: that is the window. */
	if (!event_readable(m.uffd, 0))
		race_broken("the second event is not pending");
	race_control_open();
	err = fill(m.uffd, dst, src, page_size(), NULL);
	if (err && err != EAGAIN)
		race_broken("fill with one event pending: %s", strerror(err));
	o.refused = err == EAGAIN;

	event_read(m.uffd, v->second, &msg);
	actor_done(&m.actor, 1);
	for (i = 0; i < 2; i++)
		if (m.actor.call[i].ret == -1)
			race_broken("change %d failed: %s", i,
				    strerror(m.actor.call[i].err));
	o.present = page_exists(m.actor.pid, dst);
	if (o.moved)
		o.present_moved = page_exists(m.actor.pid,
					      (char *)m.actor.call[1].ret);
	if (o.forked) {
		child = m.actor.call[1].ret;
		o.present_child = page_exists(child, dst);
		close(msg.arg.fork.ufd);
	}
	damage = fill_while_pending_damage(&o);

	/* Nothing is pending any more: a fill must be admitted again. */
	err = fill_or_event(m.uffd, dst + page_size(), src);
	if (err && err != EAGAIN)
		race_broken("fill with no event pending: %s", strerror(err));
	if (err && !damage)
		damage = "fill-refused-for-ever";
	if (child)
		kill(child, SIGKILL);
	monitored_stop(&m);
	return race_end(damage);
}
