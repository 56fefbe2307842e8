// SPDX-License-Identifier: GPL-2.0
/*
 * A fork runs out of memory when it has met the registered mapping and copies
 * those behind it: there will be no child, so no event may announce one.
 *
 *	thread 0				monitor
 *	fork
 *	  copies the registered mapping
 *	  no memory for a later one
 *	base:   waits for the monitor
 *						reads FORK, of a child that
 *						never exists
 *	  returns ENOMEM
 *
 * Which allocation fails must not be a matter of luck: when a fork fails before
 * it meets the registered mapping, or after the last mapping, then the event is
 * missing or sent on every kernel.  So there are VMAS mappings behind the
 * registered one, with an allocation each at least.  A fork that succeeds tells
 * how many allocations it makes besides; with fewer of these than n, and n no
 * more than VMAS, the n-th is one of those between.
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

#define PAGES		4
/* Not too many: DEBUG_VM_RB looks at all of them whenever one changes. */
#define VMAS		600
/* By so many allocations may two forks differ. */
#define MARGIN		50
#define NEVER		0x40000000

struct target {
	int uffd;
	char *area;
	int err;
};

static struct target *t;
static struct actor target;
static int uffd, fail_nth;

/* fork copies mappings by ascending address. */
static void target_init(void *arg)
{
	size_t ps = page_size(), len = PAGES * ps;
	int i;

	(void)arg;
	t->area = mmap(NULL, len + VMAS * ps, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->area == MAP_FAILED ||
	    mprotect(t->area, len, PROT_READ | PROT_WRITE))
		goto fail;
	for (i = 1; i < VMAS; i += 2)
		if (mprotect(t->area + len + i * ps, ps, PROT_READ))
			goto fail;
	t->uffd = uffd_open(UFFD_FEATURE_EVENT_FORK);
	if (t->uffd >= 0 && !uffd_register(t->uffd, t->area, len))
		return;
fail:
	t->err = errno;
}

/* Events that are readable now. */
static size_t take_events(void)
{
	struct uffd_msg msg;
	size_t nr;

	for (nr = 0; event_readable(uffd, 0); nr++) {
		event_read(uffd, UFFD_EVENT_FORK, &msg);
		close(msg.arg.fork.ufd);
	}
	return nr;
}

/* Return: the child, -1 if the n-th allocation made the fork fail. */
static pid_t fork_target(unsigned int n, size_t *events, unsigned int *left)
{
	struct call *call = &target.call[0];

	*events = 0;
	fail_nth_set(fail_nth, n);
	actor_call(&target, 0, SYS_clone, SIGCHLD);
	while (!actor_is_done(&target, 0)) {
		*events += take_events();
		if (!race_look_again())
			race_broken("fork does not return");
	}
	*events += take_events();
	*left = fail_nth_left(fail_nth);
	fail_nth_set(fail_nth, 0);
	if (call->ret == -1 && call->err != ENOMEM)
		race_broken("fork: %s", strerror(call->err));
	return call->ret;
}

/*
 * How many allocations a fork makes, without one for each of the mappings
 * behind.
 */
static unsigned int allocations_besides(void)
{
	unsigned int left, all;
	size_t events;
	pid_t child = fork_target(NEVER, &events, &left);

	if (child == -1 || events != 1)
		race_broken("%zu events of a fork that succeeds", events);
	kill(child, SIGKILL);
	all = NEVER - left;
	ksft_print_msg("allocations: %u, of %d mappings\n", all, VMAS);
	if (all < VMAS || all - VMAS + 2 * MARGIN > VMAS)
		race_broken("%u allocations cannot be told apart", all);
	return all - VMAS;
}

/*
 * Let a fork fail with the n-th allocation, or one soon after it: some are made
 * to keep accounts, and a fork does without them.
 */
static size_t failing_fork(unsigned int n)
{
	unsigned int left, end = n + MARGIN / 2;
	size_t events;
	pid_t child;

	for (; n < end; n++) {
		child = fork_target(n, &events, &left);
		if (left)
			race_broken("allocation %u was not reached", n);
		if (child == -1) {
			ksft_print_msg("allocation %u failed: %zu events\n", n,
				       events);
			return events;
		}
		kill(child, SIGKILL);
	}
	race_broken("no allocation before %u fails the fork", end);
}

int main(void)
{
	struct after_failure o = { .fork = true };
	unsigned int n[3];
	char *src;
	size_t i;
	int err;

	race_begin("uffd-fork-failure");
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	t = shared_alloc(sizeof(*t));
	fail_nth_begin(false);
	actor_start(&target, target_init, NULL);
	uffd_require(t->err, UFFD_FEATURE_EVENT_FORK);
	uffd = actor_fd(&target, t->uffd);
	fail_nth = fail_nth_open(target.pid, target.call[0].tid);

	n[0] = allocations_besides() + MARGIN;
	n[2] = VMAS - MARGIN;
	n[1] = (n[0] + n[2]) / 2;
	for (i = 0; i < ARRAY_SIZE(n) && !after_failure_damage(&o); i++) {
		o.events = failing_fork(n[i]);
		if (!i)
			race_control_open();
		o.pending |= uffd_fdinfo(uffd, "changing") > 0;
		err = fill_or_event(uffd, t->area + i * page_size(), src);
		if (err && err != EAGAIN)
			race_broken("fill: %s", strerror(err));
		o.refused |= err == EAGAIN;
		o.events += take_events();
	}
	actor_stop(&target);
	return race_end(after_failure_damage(&o));
}
