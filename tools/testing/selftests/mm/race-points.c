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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#include "kselftest.h"
#include "race_test.h"

#define POINT	"uffd_fill_page"
#define GUARD	"map_changing_lock"

static struct monitored m;
static struct filler filler;

#define refused(session, error, ...)					\
	(race_command(session, __VA_ARGS__) == -1 && errno == (error))

static void start(void)
{
	monitored_start(&m, 4, 0);
	filler_start(&filler, 1, 0);
}

static void stop(void)
{
	actor_stop(&filler.actor);
	monitored_stop(&m);
}

static void start_fill(void)
{
	filler_copy(&filler, m.uffd, m.area, 0, 1);
}

/* Wait for a number in the list of all points, which no session owns. */
static bool until_listed(const char *point, const char *field, int value)
{
	while (race_list_field(point, field) != value)
		if (!race_look_again())
			return false;
	return true;
}

static bool until_set(int *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		if (!race_look_again())
			return false;
	return true;
}

static void set_flag(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static void commands(void)
{
	int s = race_session(), other = race_session();
	pid_t tid = filler.actor.call[0].tid;

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
	check(actor_blocked(&filler.actor, 0));
	check(!race_command(s, "release " POINT));
	actor_done(&filler.actor, 0);
	check(filler.actor.call[0].ret == 0);
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
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "hits") == 0);
	check(!race_command(s, "disarm " POINT));

	/* The mm that is worked on, not that of the task that works. */
	check(!race_command(s, "arm " POINT " mm=%d range=%#lx-%#lx",
			    m.actor.pid, at, at + page_size()));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	close(s);
	actor_done(&filler.actor, 0);
	/* It passes the point before it sees that the page is there. */
	check(filler.actor.call[0].err == EEXIST);
}

static void timeout_releases(void)
{
	int s = race_session();

	check(!race_command(s, "arm " POINT " tid=%d timeout=1",
			    filler.actor.call[0].tid));
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "timeouts") == 1);
	check(race_field(s, POINT, "released") == 0);
	close(s);
}

/* What the processes of owner_killed() tell each other. */
struct shared {
	int armed;		/* the owner has armed and bypassed */
	int owner_dead;		/* for the heir: go and see */
	int heir_saw;		/* errno of its command, once the owner is dead */
	int filled;		/* the held heir has returned from its fill */
	int heir_ready;		/* it outlives the owner from now on */
	pid_t heir;
};

enum heirs { NO_HEIR, HEIR, HELD_HEIR };

/* Inherits the session, may be held, and must find that it is over. */
static void heir(struct shared *sh, int session, enum heirs who)
{
	prctl(PR_SET_PDEATHSIG, 0);
	set_flag(&sh->heir_ready);
	if (who == HELD_HEIR) {
		memset(filler.src, 0x5a, page_size());
		until_set(&sh->armed);
		fill(m.uffd, m.area, filler.src, page_size(), NULL);
		set_flag(&sh->filled);
	}
	until_set(&sh->owner_dead);
	__atomic_store_n(&sh->heir_saw,
			 race_command(session, "arm " POINT " any") ? errno : -1,
			 __ATOMIC_RELEASE);
	_exit(0);
}

static void owner(struct shared *sh, enum heirs who)
{
	int s = race_session();
	pid_t tid = filler.actor.call[0].tid;

	if (who != NO_HEIR) {
		pid_t pid = race_fork();

		if (!pid)
			heir(sh, s, who);
		sh->heir = pid;
		until_set(&sh->heir_ready);
	}
	if (who == HELD_HEIR)
		tid = sh->heir;
	if (!race_command(s, "bypass " GUARD) &&
	    !race_command(s, "arm " POINT " tid=%d timeout=60000", tid))
		set_flag(&sh->armed);
	for (;;)
		pause();
}

/*
 * A process that owns a session, has a guard bypassed and a task held is killed.
 * With an heir: a child that has inherited the descriptor lives on.
 */
static void owner_killed(enum heirs who)
{
	struct shared *sh = shared_alloc(sizeof(*sh));
	int timeouts = race_list_field(POINT, "timeouts");
	pid_t pid = race_fork();

	if (!pid)
		owner(sh, who);
	check(until_set(&sh->armed));
	if (who != HELD_HEIR)
		start_fill();
	check(until_listed(POINT, "held", 1));
	check(race_list_field(GUARD, "armed") == 1);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Dead and reaped: its files are closed, so all of it is over. */
	check(race_list_field(POINT, "held") == 0);
	check(race_list_field(POINT, "armed") == 0);
	check(race_list_field(GUARD, "armed") == 0);
	/* And the held task does run again, not because its time was up. */
	if (who == HELD_HEIR)
		check(until_set(&sh->filled));
	else
		actor_done(&filler.actor, 0);
	check(race_list_field(POINT, "timeouts") == timeouts);

	if (who != NO_HEIR) {
		set_flag(&sh->owner_dead);
		check(until_set(&sh->heir_saw));
		check(sh->heir_saw == ESHUTDOWN);
		if (sh->heir > 0)
			kill(sh->heir, SIGKILL);
	}
}

static void killed_owner(void)
{
	owner_killed(NO_HEIR);
}

static void killed_owner_with_heir(void)
{
	owner_killed(HEIR);
}

static void killed_owner_of_held_heir(void)
{
	owner_killed(HELD_HEIR);
}

static void killed_while_held(void)
{
	int s = race_session();

	check(!race_command(s, "arm " POINT " tid=%d timeout=60000",
			    filler.actor.call[0].tid));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	actor_stop(&filler.actor);
	check(race_field(s, POINT, "held") == 0);
	check(race_field(s, POINT, "timeouts") == 0);
	check(race_field(s, POINT, "released") == 0);
	filler_start(&filler, 1, 0);
	close(s);
}

/* Open the file as somebody else; the directory, and debugfs itself, are no help. */
static int open_as(int dir, bool drop_uid)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { };
	pid_t pid = race_fork();
	int status;

	if (!pid) {
		if (drop_uid && (syscall(SYS_setgroups, 0, NULL) ||
				 setresgid(1000, 1000, 1000) ||
				 setresuid(1000, 1000, 1000)))
			_exit(1);
		if (!drop_uid && syscall(SYS_capset, &header, none))
			_exit(1);
		_exit(openat(dir, "session", O_RDWR) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void root_only(void)
{
	int dir = open("/sys/kernel/debug/race_points", O_PATH | O_CLOEXEC);

	check(dir >= 0);
	check(open_as(dir, true) == EACCES);
	/* Root by its number alone: the mode says yes, the capability no. */
	check(open_as(dir, false) == EPERM);
	close(dir);
}

static bool is_tainted(void)
{
	unsigned long taint = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");

	check(f && fscanf(f, "%lu", &taint) == 1);
	if (f)
		fclose(f);
	/* TAINT_USER, or TAINT_TEST where there is one */
	return taint & (1UL << 6 | 1UL << 18);
}

/* First of all: it can see more only if nothing was armed since boot. */
static void taints(void)
{
	int s = race_session();

	ksft_print_msg("tainted before: %d\n", is_tainted());
	check(!race_command(s, "arm " POINT " any times=0"));
	check(is_tainted());
	close(s);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "taints", taints },
	{ "commands", commands },
	{ "filters", filters },
	{ "timeout_releases", timeout_releases },
	{ "killed_owner", killed_owner },
	{ "killed_owner_with_heir", killed_owner_with_heir },
	{ "killed_owner_of_held_heir", killed_owner_of_held_heir },
	{ "killed_while_held", killed_while_held },
	{ "root_only", root_only },
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
		check_ok = true;
		start();
		tests[i].run();
		stop();
		if (check_ok)
			ksft_test_result_pass("%s\n", tests[i].name);
		else
			ksft_test_result_fail("%s\n", tests[i].name);
	}
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}
