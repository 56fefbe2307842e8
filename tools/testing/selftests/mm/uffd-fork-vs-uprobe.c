// SPDX-License-Identifier: GPL-2.0
/*
 * A fork that waits for its monitor holds up neither the registration of a
 * uprobe nor, behind that, the forks of all others.
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
 * Pure user space.  The probe is on a file that nobody maps, and goes away with
 * the tracer.
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
#include <linux/perf_event.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PMU_TYPE	"/sys/bus/event_source/devices/uprobe/type"

static struct monitored m;
static struct perf_event_attr *attr;

/* In memory that the tracer shares. */
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

/* The function that a thread sleeps in, as /proc has it. */
static bool sleeps_in(const struct actor *a, int thread, const char *function)
{
	char path[64], line[128], name[64];
	bool found;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", a->pid,
		 a->call[thread].tid);
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		race_skip("no %s: CONFIG_STACKTRACE=y is needed", path);
	if (!f)
		race_skip("needs root");
	found = fgets(line, sizeof(line), f) &&
		sscanf(line, "[<%*x>] %63[^+]", name) == 1 && !strcmp(name, function);
	fclose(f);
	return found;
}

/*
 * A registration sleeps for a grace period or two in any case.  In
 * percpu_down_write() itself it sleeps until the forks that have begun are
 * over, and no other can begin.
 */
static bool waits_for_forks(struct actor *tracer)
{
	do {
		if (!actor_blocked(tracer, 0))
			return false;
		if (sleeps_in(tracer, 0, "percpu_down_write"))
			return true;
	} while (race_look_again());
	race_broken("the registration neither returns nor waits for forks");
}

/*
 * That it was this fork shows when the event is read: the caller checks that
 * the registration returns then.
 */
static bool blocked_by_fork(struct actor *tracer)
{
	bool blocked;

	if (!waits_for_forks(tracer))
		return false;
	actor_call(tracer, 1, SYS_clone, SIGCHLD);
	blocked = actor_blocked(tracer, 1);
	ksft_print_msg("the fork of another process: %s\n", blocked ? "blocked" : "done");
	return blocked && !actor_is_done(tracer, 0);
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
