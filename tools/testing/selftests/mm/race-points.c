// SPDX-License-Identifier: GPL-2.0
/*
 * The debugfs interface of the race points, and above all what it promises to
 * whoever dies: mm/race_point_test.c covers the rest from inside.
 *
 * The point used is uffd_fill_page: a process held there holds the mmap_lock of
 * the memory that it fills.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define POINT	"uffd_fill_page"
#define GUARD	"map_changing_lock"

static struct monitored m;
static struct actor filler;
static char *src;
static struct uffdio_copy *copy;
static bool ok;

/* One check: names itself when it fails. */
#define check(cond)							\
do {									\
	if (!(cond)) {							\
		ksft_print_msg("%s:%d: %s (errno %d)\n", __func__,	\
			       __LINE__, #cond, errno);			\
		ok = false;						\
	}								\
} while (0)

#define refused(session, error, ...)					\
	(race_command(session, __VA_ARGS__) == -1 && errno == (error))

static void touch_source(void *arg)
{
	(void)arg;
	memset(src, 0x5a, page_size());
}

static void start(void)
{
	src = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = shared_alloc(sizeof(*copy));
	monitored_start(&m, 4, 0);
	actor_start(&filler, touch_source, NULL);
}

static void stop(void)
{
	actor_stop(&filler);
	monitored_stop(&m);
}

static void start_fill(void)
{
	copy->dst = (uintptr_t)m.area;
	copy->src = (uintptr_t)src;
	copy->len = page_size();
	actor_call(&filler, 0, SYS_ioctl, m.uffd, UFFDIO_COPY, (long)copy);
}

/* Wait for a number in the list of all points, which no session owns. */
static bool until_listed(const char *point, const char *field, int value)
{
	int i;

	for (i = 0; i < RACE_DEADLINE_MS; i++) {
		if (race_list_field(point, field) == value)
			return true;
		usleep(1000);
	}
	return false;
}

static void commands(void)
{
	int s = race_session(), other = race_session();
	pid_t tid = filler.call[0].tid;

	check(refused(s, EINVAL, "arm " POINT));
	check(refused(s, EINVAL, "nonsense " POINT));
	check(refused(s, ENOENT, "arm no_such_point any"));
	check(refused(s, ESRCH, "arm " POINT " tid=%d", 0x3fffffff));
	check(refused(s, ERANGE, "arm " POINT " any timeout=60001"));
	check(refused(s, EDEADLK, "arm " POINT " tid=%d", getpid()));
	check(refused(s, EDEADLK, "arm " POINT " mm=%d", getpid()));
	check(refused(s, E2BIG, "arm " POINT " any%200s%100s", " ", " "));
	check(refused(s, EPERM, "release " POINT));

	check(!race_command(s, "arm " POINT " tid=%d", tid));
	check(refused(other, EBUSY, "arm " POINT " any"));
	check(refused(other, EPERM, "release " POINT));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	check(race_field(s, POINT, "held") == 1);
	check(race_field(other, POINT, "held") == -1);
	check(actor_blocked(&filler, 0));
	check(!race_command(s, "release " POINT));
	actor_done(&filler, 0);
	check(filler.call[0].ret == 0);
	check(race_field(s, POINT, "released") == 1);
	check(race_field(s, POINT, "timeouts") == 0);
	close(other);
	close(s);
}

static void filters(void)
{
	int s = race_session();
	unsigned long at = (unsigned long)m.area;

	/* Another range, another process' mm, another task: all go through. */
	check(!race_command(s, "arm " POINT " mm=%d range=%#lx-%#lx",
			    m.actor.pid, at + page_size(),
			    at + 2 * page_size()));
	start_fill();
	actor_done(&filler, 0);
	check(race_field(s, POINT, "hits") == 0);
	check(!race_command(s, "disarm " POINT));

	/* The mm that is worked on, not that of the task that works. */
	check(!race_command(s, "arm " POINT " mm=%d range=%#lx-%#lx",
			    m.actor.pid, at, at + page_size()));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	close(s);
	actor_done(&filler, 0);
}

static void timeout_releases(void)
{
	int s = race_session();

	check(!race_command(s, "arm " POINT " tid=%d timeout=1",
			    filler.call[0].tid));
	start_fill();
	actor_done(&filler, 0);
	check(race_field(s, POINT, "timeouts") == 1);
	check(race_field(s, POINT, "released") == 0);
	close(s);
}

/*
 * A process that opens a session, bypasses a guard, holds the filler and is
 * killed.  With @heir a child of it, which has inherited the descriptor, lives on.
 */
static void owner_killed(bool heir)
{
	int *ready = shared_alloc(2 * sizeof(*ready));
	int before = race_list_field(POINT, "timeouts");
	pid_t owner = fork(), child;

	if (!owner) {
		int s = race_session();

		if (race_command(s, "bypass " GUARD) ||
		    race_command(s, "arm " POINT " tid=%d timeout=60000",
				 filler.call[0].tid))
			_exit(1);
		if (heir) {
			fcntl(s, F_SETFD, 0);
			child = fork();
			while (!child)
				pause();
			ready[1] = child;
		}
		__atomic_store_n(&ready[0], 1, __ATOMIC_RELEASE);
		for (;;)
			pause();
	}
	while (!__atomic_load_n(&ready[0], __ATOMIC_ACQUIRE))
		if (waitpid(owner, NULL, WNOHANG))
			race_broken("the owner died early");
		else
			usleep(1000);
	start_fill();
	check(until_listed(POINT, "held", 1));
	check(race_list_field(GUARD, "armed") == 1);

	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	/* Dead and reaped: its files are closed, so all of it is over. */
	check(race_list_field(POINT, "held") == 0);
	check(race_list_field(POINT, "armed") == 0);
	check(race_list_field(GUARD, "armed") == 0);
	check(race_list_field(POINT, "timeouts") == before);
	actor_done(&filler, 0);
	if (heir) {
		check(!kill(ready[1], 0));
		kill(ready[1], SIGKILL);
	}
}

static void killed_owner(void)
{
	owner_killed(false);
}

static void killed_owner_with_heir(void)
{
	owner_killed(true);
}

/* The held task itself is the child that has inherited the descriptor. */
static void held_heir(void)
{
	int *ready = shared_alloc(2 * sizeof(*ready));
	pid_t owner = fork(), child;

	if (!owner) {
		int s = race_session();

		fcntl(s, F_SETFD, 0);
		child = fork();
		if (!child) {
			touch_source(NULL);
			while (!__atomic_load_n(&ready[0], __ATOMIC_ACQUIRE))
				usleep(1000);
			fill(m.uffd, m.area, src, page_size(), NULL);
			for (;;)
				pause();
		}
		if (race_command(s, "arm " POINT " tid=%d timeout=60000",
				 child))
			_exit(1);
		ready[1] = child;
		__atomic_store_n(&ready[0], 1, __ATOMIC_RELEASE);
		for (;;)
			pause();
	}
	check(until_listed(POINT, "held", 1));
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	check(race_list_field(POINT, "held") == 0);
	kill(ready[1], SIGKILL);
}

static void killed_while_held(void)
{
	int s = race_session();

	check(!race_command(s, "arm " POINT " tid=%d timeout=60000",
			    filler.call[0].tid));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	actor_stop(&filler);
	check(race_field(s, POINT, "held") == 0);
	check(race_field(s, POINT, "timeouts") == 0);
	check(race_field(s, POINT, "released") == 0);
	actor_start(&filler, touch_source, NULL);
	close(s);
}

static void root_only(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(open("/sys/kernel/debug/race_points/session",
			   O_RDWR) == -1 && errno == EACCES ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	check(status == 0);
}

static void taints(void)
{
	unsigned long taint = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");

	check(f && fscanf(f, "%lu", &taint) == 1);
	/* TAINT_USER, or TAINT_TEST where there is one */
	check(taint & (1UL << 6 | 1UL << 18));
	if (f)
		fclose(f);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "commands", commands },
	{ "filters", filters },
	{ "timeout_releases", timeout_releases },
	{ "killed_owner", killed_owner },
	{ "killed_owner_with_heir", killed_owner_with_heir },
	{ "held_heir", held_heir },
	{ "killed_while_held", killed_while_held },
	{ "root_only", root_only },
	{ "taints", taints },
};

int main(void)
{
	size_t i, nr = ARRAY_SIZE(tests);

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (!race_points_exist())
		ksft_exit_skip("no race points: CONFIG_RACE_POINTS=y and debugfs are needed\n");
	ksft_set_plan(nr);
	for (i = 0; i < nr; i++) {
		ok = true;
		start();
		tests[i].run();
		stop();
		if (ok)
			ksft_test_result_pass("%s\n", tests[i].name);
		else
			ksft_test_result_fail("%s\n", tests[i].name);
	}
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}
