// SPDX-License-Identifier: GPL-2.0
/*
 * brk() or munmap() over the memory of two userfaultfds fails: no event says
 * that something was unmapped, and no fill waits for one.
 *
 *	thread 0				monitor
 *	unmaps both ranges
 *	  marks the first context as changing
 *	  no memory for the second: ENOMEM
 *						base, munmap: reads UNMAP
 *						base, brk: UFFDIO_COPY: EAGAIN
 *						  for ever
 *
 * Each allocation of the call fails in turn until the call succeeds.  The
 * monitor hears of that, and the walk has shown that it went far enough: the
 * failures before were at least two, one for each context.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PARTS	2
#define PAGES	16	/* of each part, and so many failures at most */

struct target {
	bool brk;
	int uffd[PARTS];
	char *area;		/* both parts, one behind the other */
	char *old_break;	/* at or in the page before the area */
	void *heap;
	int err;
};

static struct target *t;
static struct actor target;
static int uffd[PARTS];
static size_t len;		/* of a part */

static char *area_of_heap(void)
{
	uintptr_t mask = page_size() - 1;
	char *area;

	/* What malloc() needs from now on it has below. */
	t->heap = malloc(1);
	t->old_break = sbrk(0);
	area = (char *)(((uintptr_t)t->old_break + mask) & ~mask);
	return brk(area + PARTS * len) ? NULL : area;
}

static char *area_of_mmap(void)
{
	char *area = mmap(NULL, PARTS * len + 2 * page_size(), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	area = mmap(area + page_size(), PARTS * len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return area == MAP_FAILED ? NULL : area;
}

static void target_init(void *arg)
{
	int i;

	(void)arg;
	t->area = t->brk ? area_of_heap() : area_of_mmap();
	if (!t->area) {
		t->err = errno;
		return;
	}
	for (i = 0; i < PARTS; i++) {
		t->uffd[i] = uffd_open(UFFD_FEATURE_EVENT_UNMAP);
		if (t->uffd[i] < 0 ||
		    uffd_register(t->uffd[i], t->area + i * len, len)) {
			t->err = errno;
			return;
		}
	}
}

static void start_target(void)
{
	int i;

	actor_start(&target, target_init, NULL);
	uffd_require(t->err, UFFD_FEATURE_EVENT_UNMAP);
	for (i = 0; i < PARTS; i++)
		uffd[i] = actor_fd(&target, t->uffd[i]);
	if (!t->brk)
		return;
	actor_call(&target, 0, SYS_brk, 0);
	actor_done(&target, 0);
	if (target.call[0].ret != (long)(t->area + PARTS * len))
		race_broken("the break has moved by itself");
}

/* Events of both contexts that are readable now. */
static size_t take_events(void)
{
	struct uffd_msg msg;
	size_t nr = 0;
	int i;

	for (i = 0; i < PARTS; i++)
		for (; event_readable(uffd[i], 0); nr++)
			event_read(uffd[i], UFFD_EVENT_UNMAP, &msg);
	return nr;
}

/* Return: 0 or an errno. */
static int unmap_area(size_t *events)
{
	struct call *call = &target.call[0];

	if (t->brk)
		actor_call(&target, 0, SYS_brk, (long)t->old_break);
	else
		actor_call(&target, 0, SYS_munmap, (long)t->area, PARTS * len);
	for (*events = 0; !actor_is_done(&target, 0); ) {
		*events += take_events();
		if (!race_look_again())
			race_broken("the call does not return");
	}
	*events += take_events();
	if (!t->brk)
		return call->err;
	/* The system call returns the break, the new one or the old. */
	return call->ret == (long)t->old_break ? 0 : ENOMEM;
}

static void look_after_failure(struct after_failure *o, int nr, const char *src)
{
	int i, err;

	if (!range_mapped(target.pid, t->area, PARTS * len))
		race_broken("the call failed and has unmapped something");
	for (i = 0; i < PARTS; i++) {
		o->pending |= uffd_fdinfo(uffd[i], "changing") > 0;
		err = fill_or_event(uffd[i], t->area + i * len + nr * page_size(),
				    src);
		if (err && err != EAGAIN)
			race_broken("fill: %s", strerror(err));
		o->refused |= err == EAGAIN;
		o->events += take_events();
	}
}

static const char * const variants[] = { "brk", "munmap" };

int main(int argc, char **argv)
{
	const char *variant = *race_variant(argc, argv, variants);
	struct after_failure o = { };
	int n, err = 0, failed = 0, fail_nth;
	unsigned int left;
	size_t events = 0;
	char *src;

	race_begin("uffd-%s-failure", variant);
	len = PAGES * page_size();
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	t = shared_alloc(sizeof(*t));
	t->brk = !strcmp(variant, "brk");
	fail_nth_begin(false);
	start_target();
	fail_nth = fail_nth_open(target.pid, target.call[0].tid);

	for (n = 1; n <= PAGES && !after_failure_damage(&o); n++) {
		fail_nth_set(fail_nth, n);
		err = unmap_area(&events);
		left = fail_nth_left(fail_nth);
		fail_nth_set(fail_nth, 0);
		if (!err)
			break;
		if (err != ENOMEM || left)
			race_broken("the call failed by itself: %s", strerror(err));
		/*
		 * The first context was ready, the second one failed: the
		 * window.
		 */
		if (++failed == PARTS)
			race_control_open();
		o.events += events;
		look_after_failure(&o, n - 1, src);
	}
	ksft_print_msg("allocations: %d failed the call\n", failed);
	if (!after_failure_damage(&o)) {
		if (err || failed < PARTS)
			race_broken("%s with %d failures", variant, failed);
		if (events != PARTS)
			race_broken("%zu events of a call that succeeded", events);
	}
	actor_stop(&target);
	return race_end(after_failure_damage(&o));
}
