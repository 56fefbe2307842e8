// SPDX-License-Identifier: GPL-2.0
/*
 * One change concerns two userfaultfds of a process.  Each has an event to read
 * at once: neither waits for the other's monitor.
 *
 *	target				monitor of A	monitor of B
 *	munmap over A and B, or fork
 *	  waits for both
 *							poll:
 *							  base: nothing
 *							  series: its event
 *					read event
 *	base: B's event is queued
 *							read event
 *	returns
 *
 * On base two monitors deadlock if that of A, before it reads, waits for what
 * that of B has to say about the change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	4

struct shared {
	uint64_t features;
	int uffd[2];
	char *area[2];		/* A is below B */
	int err;
};

static struct shared *s;
static struct actor target;

static void two_contexts(void *arg)
{
	size_t len = PAGES * page_size();
	char *low;
	int i;

	(void)arg;
	for (i = 0; i < 2 && !s->err; i++) {
		s->uffd[i] = uffd_open(s->features);
		s->area[i] = s->uffd[i] < 0 ? NULL : uffd_area(s->uffd[i], len);
		if (!s->area[i])
			s->err = errno;
	}
	/* Changes are made from low to high. */
	if (!s->err && s->area[0] > s->area[1]) {
		low = s->area[1];
		i = s->uffd[1];
		s->area[1] = s->area[0];
		s->uffd[1] = s->uffd[0];
		s->area[0] = low;
		s->uffd[0] = i;
	}
}

static const char * const variants[] = { "unmap", "fork" };

int main(int argc, char **argv)
{
	const char *variant = *race_variant(argc, argv, variants);
	bool forks = !strcmp(variant, "fork");
	struct event_contexts o = { };
	struct uffd_msg msg[2];
	int uffd[2], i;

	race_begin("uffd-two-contexts-%s", variant);
	s = shared_alloc(sizeof(*s));
	s->features = forks ? UFFD_FEATURE_EVENT_FORK : UFFD_FEATURE_EVENT_UNMAP;
	actor_start(&target, two_contexts, NULL);
	uffd_require(s->err, s->features);
	for (i = 0; i < 2; i++)
		uffd[i] = actor_fd(&target, s->uffd[i]);

	if (forks)
		actor_call(&target, 0, SYS_clone, SIGCHLD);
	else
		actor_call(&target, 0, SYS_munmap, (long)s->area[0],
			   s->area[1] + PAGES * page_size() - s->area[0]);
	if (!event_readable(uffd[0], race_time_left()))
		race_broken("no event for A");
	if (!actor_blocked(&target, 0))
		race_broken("the change waits for nobody");
	race_control_open();

	o.held_back = !event_readable(uffd[1], 0);
	/* In an order that also ends on a kernel which holds one event back. */
	for (i = 0; i < 2; i++) {
		int which = o.held_back ? i : !i;

		event_read(uffd[which], forks ? UFFD_EVENT_FORK :
			   UFFD_EVENT_UNMAP, &msg[which]);
		if (i == 0 && !o.held_back && actor_is_done(&target, 0))
			race_broken("the change did not wait for A");
	}
	actor_done(&target, 0);
	if (target.call[0].ret == -1)
		race_broken("the change failed: %s",
			    strerror(target.call[0].err));
	for (i = 0; i < 2; i++) {
		if (event_readable(uffd[i], 0))
			race_broken("there is an event that nobody made");
		if (forks)
			close(msg[i].arg.fork.ufd);
		close(uffd[i]);
	}
	if (forks)
		kill(target.call[0].ret, SIGKILL);
	actor_stop(&target);
	return race_end(event_contexts_damage(&o));
}
