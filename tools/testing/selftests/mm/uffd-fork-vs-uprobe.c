// SPDX-License-Identifier: GPL-2.0
/*
 * A fork that waits for its monitor holds up neither the registration of a uprobe
 * nor, behind that, the forks of all others.
 *
 *	thread 0		a tracer		monitor
 *	fork
 *	  waits for the monitor
 *				registers a uprobe
 *	series:			  returns
 *	base:			  waits for the fork
 *							read: FORK
 *	  returns
 *				  returns
 *
 * Pure user space.  The probe is on a file that nobody maps, and goes away with the
 * tracer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PMU_TYPE	"/sys/bus/event_source/devices/uprobe/type"

/* A hang, in counts: grace periods that a call has slept through. */
#define BLOCKED_FOR_EVER	20

static struct monitored m;
static struct perf_event_attr *attr;

/* In memory that the tracer has too. */
static void describe_probe(void)
{
	char *path = shared_alloc(page_size());
	FILE *f = fopen(PMU_TYPE, "re");
	int type, fd;

	if (!f)
		race_skip("no uprobes: CONFIG_UPROBE_EVENTS=y is needed");
	if (fscanf(f, "%d", &type) != 1)
		race_broken("%s is no number", PMU_TYPE);
	fclose(f);
	fd = memfd_create("probed", 0);
	if (fd < 0 || ftruncate(fd, page_size()))
		race_broken("memfd: %s", strerror(errno));
	sprintf(path, "/proc/self/fd/%d", fd);

	attr = shared_alloc(sizeof(*attr));
	attr->size = sizeof(*attr);
	attr->type = type;
	attr->uprobe_path = (uintptr_t)path;
	attr->probe_offset = 0;
}

/*
 * A registration sleeps for a grace period or two in any case.  To sleep through
 * many of them, and never be seen running, is to be blocked.  That it was the fork
 * shows when the event is read: the caller checks that it returns then.
 */
static bool blocked_by_fork(struct actor *tracer)
{
	int i;

	for (i = 0; i < BLOCKED_FOR_EVER; i++) {
		if (!actor_blocked(tracer, 0))
			return false;
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0))
			race_broken("membarrier: %s", strerror(errno));
	}
	return !actor_is_done(tracer, 0);
}

int main(void)
{
	struct fork_and_uprobe o;
	struct actor tracer;
	struct uffd_msg msg;
	struct call *call;

	race_begin("uffd-fork-vs-uprobe");
	describe_probe();
	actor_start(&tracer, NULL, NULL);
	call = &tracer.call[0];
	monitored_start(&m, 1, UFFD_FEATURE_EVENT_FORK);

	actor_call(&m.actor, 0, SYS_clone, SIGCHLD);
	if (!actor_blocked(&m.actor, 0) || !event_readable(m.uffd, race_time_left()))
		race_broken("fork does not wait for the monitor");
	race_control_open();
	actor_call(&tracer, 0, SYS_perf_event_open, (long)attr, -1, 0, -1,
		   PERF_FLAG_FD_CLOEXEC);
	o.blocked = blocked_by_fork(&tracer);
	if (actor_is_done(&m.actor, 0) || !event_readable(m.uffd, 0))
		race_broken("the fork did not wait all that time");
	if (o.blocked) {
		actor_call(&tracer, 1, SYS_clone, SIGCHLD);
		ksft_print_msg("the fork of another process: %s\n",
			       actor_blocked(&tracer, 1) ? "blocked" : "done");
	}

	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	actor_done(&m.actor, 0);
	actor_done(&tracer, 0);
	if (o.blocked)
		actor_done(&tracer, 1);
	if (m.actor.call[0].ret == -1)
		race_broken("fork: %s", strerror(m.actor.call[0].err));
	if (call->ret == -1 && (call->err == EPERM || call->err == EACCES))
		race_skip("needs root");
	if (call->ret == -1)
		race_broken("perf_event_open: %s", strerror(call->err));
	close(msg.arg.fork.ufd);
	kill(m.actor.call[0].ret, SIGKILL);
	actor_stop(&tracer);
	monitored_stop(&m);
	return race_end(fork_and_uprobe_damage(&o));
}
