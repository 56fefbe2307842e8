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
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A removal of memory whose monitor wants to know of it passes all of these. */
#define REMOVAL	"uffd_remove_begin"
#define GUARDS	"map_changing_lock", "map_changing_order"
/* It does not pass this one. */
#define UNASKED	"map_changing_gen"

/* This one names the file. */
#define MIGRATION	"pgtable_migration"

/* A fault without a page table passes these, and spins there. */
#define SPIN	"pgtable_install"
#define SPIN2	"pgtable_installed"

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

/* Another process, in which a removal is told of. */
static void removable(struct monitored *r)
{
	monitored_start(r, 4, UFFD_FEATURE_EVENT_REMOVE);
}

static void start_removal(struct monitored *r)
{
	change_layout(r, &r->actor, 0, UFFD_EVENT_REMOVE);
}

static void end_removal(struct monitored *r)
{
	event_read(r->uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&r->actor, 0);
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
	check(refused(s, ERANGE, "arm " POINT " any times=4294967296"));
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

	/*
	 * The scope is the mm that is changed, not that of the task that
	 * changes it.
	 */
	check(!race_command(s, "arm " POINT " mm=%d range=%#lx-%#lx",
			    m.actor.pid, at, at + page_size()));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	close(s);
	actor_done(&filler.actor, 0);
	/* It passes the point before it sees that the page is there. */
	check(filler.actor.call[0].err == EEXIST);
}

static void tgid_scope(void)
{
	int s = race_session();

	check(refused(s, EDEADLK, "arm " POINT " tgid=%d", getpid()));
	/* The tid of a thread is no tgid. */
	check(refused(s, ESRCH, "arm " POINT " tgid=%d",
		      filler.actor.call[0].tid));
	check(!race_command(s, "arm " POINT " tgid=%d", m.actor.pid));
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "hits") == 0);
	check(!race_command(s, "disarm " POINT));

	/* Not the leader of the thread group. */
	check(!race_command(s, "arm " POINT " tgid=%d", filler.actor.pid));
	start_fill();
	check(!race_command(s, "wait " POINT));
	check(race_field(s, POINT, "held") == 1);
	/* To disarm is to release. */
	check(!race_command(s, "disarm " POINT));
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "released") == 1);
	close(s);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Waits for a hit that does not come, until a signal ends the wait. */
static void interrupted_waiter(void)
{
	struct sigaction sa = { .sa_handler = nothing };
	int s = race_session();

	sigaction(SIGUSR1, &sa, NULL);
	if (race_command(s, "arm " POINT " any times=0"))
		_exit(1);
	_exit(refused(s, EINTR, "wait " POINT " timeout=600000") ? 0 : 1);
}

static void waits(void)
{
	int status = -1, s = race_session();
	pid_t pid;

	check(refused(s, EPERM, "wait " POINT));
	check(!race_command(s, "arm " POINT " any times=0"));
	check(refused(s, ETIMEDOUT, "wait " POINT " timeout=1"));
	check(refused(s, ETIMEDOUT, "wait " POINT " hits=1 timeout=1"));
	start_fill();
	actor_done(&filler.actor, 0);
	/* It was not held. */
	check(refused(s, ETIMEDOUT, "wait " POINT " timeout=1"));
	check(!race_command(s, "wait " POINT " hits=1"));
	check(!race_command(s, "disarm " POINT));
	check(refused(s, ENXIO, "wait " POINT " hits=1"));
	close(s);

	pid = race_fork();
	if (!pid)
		interrupted_waiter();
	check(until_listed(POINT, "armed", 1));
	do
		kill(pid, SIGUSR1);
	while (!waitpid(pid, &status, WNOHANG) && race_look_again());
	check(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* A spinner on the only processor could not be released. */
static void spin_with_one_cpu(void)
{
	int s = race_session();

	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		check(refused(s, EOPNOTSUPP, "arm pgtable_install any times=0"));
	else
		check(!race_command(s, "arm pgtable_install any times=0"));
	close(s);
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
 * A process that owns a session, has a guard bypassed and a task held is
 * killed. With an heir: a child that has inherited the descriptor lives on.
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
	/* The held task runs again before its time-out. */
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

/* Closing a duplicate of the descriptor ends the session as well. */
static void closed_duplicate(void)
{
	int s = race_session(), copy = dup(s);

	check(copy >= 0);
	check(!race_command(copy, "arm " POINT " tid=%d timeout=60000",
			    filler.actor.call[0].tid));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	close(copy);
	actor_done(&filler.actor, 0);
	check(race_list_field(POINT, "armed") == 0);
	check(refused(s, ESHUTDOWN, "arm " POINT " any"));
	close(s);
}

/* A child that shares the table of files, and not only what is in it. */
static void killed_owner_of_shared_files(void)
{
	struct shared *sh = shared_alloc(sizeof(*sh));
	pid_t pid = race_fork();

	if (!pid) {
		int s = race_session();

		pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
		if (!pid)
			for (;;)
				pause();
		sh->heir = pid;
		if (!race_command(s, "arm " POINT " any times=0"))
			set_flag(&sh->armed);
		for (;;)
			pause();
	}
	check(until_set(&sh->armed));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(race_list_field(POINT, "armed") == 1);
	if (sh->heir > 0)
		kill(sh->heir, SIGKILL);
	check(until_listed(POINT, "armed", 0));
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
	check(race_field(s, POINT, "killed") == 1);
	check(!race_command(s, "disarm " POINT));

	/* The same while it waits for the hit of a point that nobody passes. */
	filler_start(&filler, 1, 0);
	check(!race_command(s, "arm " POINT " tid=%d until=" REMOVAL " timeout=60000",
			    filler.actor.call[0].tid));
	check(race_field(s, POINT, "killed") == 0);
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	actor_stop(&filler.actor);
	check(race_field(s, POINT, "held") == 0);
	check(race_field(s, POINT, "released") == 0);
	check(race_field(s, POINT, "timeouts") == 0);
	check(race_field(s, POINT, "killed") == 1);
	filler_start(&filler, 1, 0);
	close(s);
}

/*
 * The hit of one point lets go who is held at another; the controller only
 * looks.
 */
static void until_hit(void)
{
	struct monitored r = { };
	int s = race_session();

	removable(&r);
	check(refused(s, EINVAL, "arm " REMOVAL " any until=" POINT));
	check(refused(s, EINVAL, "arm " POINT " any until=" GUARD));
	check(refused(s, ENOENT, "arm " POINT " any until=no_such_point"));
	check(refused(s, ERANGE, "arm " POINT " any until=" REMOVAL ":0"));
	check(!race_command(s, "arm " REMOVAL " mm=%d", r.actor.pid));
	check(!race_command(s, "arm " POINT " tid=%d until=" REMOVAL ":2 timeout=60000",
			    filler.actor.call[0].tid));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	start_removal(&r);
	end_removal(&r);
	check(race_field(s, REMOVAL, "hits") == 1);
	check(actor_blocked(&filler.actor, 0));
	check(race_field(s, POINT, "held") == 1);
	start_removal(&r);
	actor_done(&filler.actor, 0);
	check(filler.actor.call[0].ret == 0);
	end_removal(&r);
	check(race_field(s, POINT, "released") == 1);
	check(race_field(s, POINT, "timeouts") == 0);
	monitored_stop(&r);
	close(s);
}

static void cpu_scope(void)
{
	int s = race_session();
	pid_t tid = filler.actor.call[0].tid;

	check(refused(s, ERANGE, "arm " POINT " cpu=1000000"));
	if (race_cpus() < 2) {
		ksft_print_msg("one processor: no other to tell it from\n");
		close(s);
		return;
	}
	race_pin(tid, 1);
	check(!race_command(s, "arm " POINT " tid=%d cpu=%d", tid, race_cpu(0)));
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "hits") == 0);
	check(!race_command(s, "disarm " POINT));

	check(!race_command(s, "arm " POINT " tid=%d cpu=%d", tid, race_cpu(1)));
	start_fill();
	check(!race_command(s, "wait " POINT " held=1"));
	close(s);
	actor_done(&filler.actor, 0);
}

/* What the descriptor stands for: mm/race_point_test.c has the passes. */
static void file_scope(void)
{
	int fd = syscall(SYS_memfd_create, "race-points", 0);
	int huge, s = race_session(), pipes[2] = { -1, -1 };

	check(fd >= 0 && !ftruncate(fd, page_size()) && !pipe(pipes));
	check(refused(s, EBADF, "arm " POINT " file=1000000"));
	check(refused(s, EINVAL, "arm " POINT " file=%d", pipes[0]));
	check(refused(s, EINVAL, "arm " POINT " file=%d", s));
	check(refused(s, EINVAL, "arm " POINT " file=%d range=0-4096", fd));
	check(refused(s, EINVAL, "arm " POINT " any index=0-1"));
	huge = syscall(SYS_memfd_create, "race-points", MFD_HUGETLB);
	check(huge >= 0 && !race_command(s, "arm " POINT " file=%d", huge));
	check(!race_command(s, "disarm " POINT));
	close(huge);
	check(!race_command(s, "arm " POINT " file=%d index=0-1", fd));
	close(fd);
	/* A fill says that it works on memory: it is not held. */
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_field(s, POINT, "armed") == 1);
	check(race_field(s, POINT, "hits") == 0);
	close(pipes[0]);
	close(pipes[1]);
	close(s);
}

#define FILE_PAGES	3

/*
 * A process that maps two files in shmem, and moves their pages to another
 * node.
 */
static struct moving {
	int fd[2];
	char *area[2];
	void *page[FILE_PAGES];
	int node[FILE_PAGES], status[FILE_PAGES];
} *moving;

static void map_files(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 2; i++) {
		char *p = mmap(NULL, FILE_PAGES * page_size(),
			       PROT_READ | PROT_WRITE, MAP_SHARED, moving->fd[i], 0);

		if (p == MAP_FAILED)
			return;
		memset(p, 0x5a, FILE_PAGES * page_size());
		moving->area[i] = p;
	}
}

static void move_pages_of(struct actor *a, int file, bool ask)
{
	int i;

	for (i = 0; i < FILE_PAGES; i++) {
		moving->page[i] = moving->area[file] + i * page_size();
		if (!ask)
			moving->node[i] = !moving->status[i];
	}
	actor_call(a, 0, SYS_move_pages, 0, FILE_PAGES, (long)moving->page,
		   ask ? 0 : (long)moving->node, (long)moving->status,
		   ask ? 0 : 2 /* MPOL_MF_MOVE */);
}

static bool were_moved(const struct actor *a)
{
	return !a->call[0].ret &&
	       !memcmp(moving->status, moving->node, sizeof(moving->status));
}

/*
 * The page table has a migration entry: the page is neither mapped nor absent.
 */
static bool under_migration(pid_t pid, const char *addr)
{
	char path[64];
	uint64_t word = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0 && pread(fd, &word, sizeof(word),
			       (uintptr_t)addr / page_size() * sizeof(word)) ==
	      sizeof(word));
	close(fd);
	return (word >> 62 & 3) == 1;
}

/* One page of one file is held in its migration, whoever migrates it. */
static void file_of_migration(void)
{
	int i, s = race_session();
	struct race_hit hit[16];
	struct actor a;
	int hits;

	if (access("/sys/devices/system/node/node1", F_OK)) {
		check_skip = "needs two nodes: boot with numa=fake=2";
		close(s);
		return;
	}
	moving = shared_alloc(sizeof(*moving));
	for (i = 0; i < 2; i++) {
		moving->fd[i] = syscall(SYS_memfd_create, "race-points", 0);
		check(!ftruncate(moving->fd[i], FILE_PAGES * page_size()));
	}
	actor_start(&a, map_files, NULL);
	check(moving->area[1]);
	check(!race_command(s, "arm " MIGRATION " file=%d index=1-2 timeout=60000",
			    moving->fd[0]));
	check(!race_command(s, "log begin"));
	for (i = 0; i < 2; i++)
		close(moving->fd[i]);

	/* The other file. */
	move_pages_of(&a, 1, true);
	actor_done(&a, 0);
	move_pages_of(&a, 1, false);
	actor_done(&a, 0);
	check(were_moved(&a));
	check(race_field(s, MIGRATION, "hits") == 0);

	move_pages_of(&a, 0, true);
	actor_done(&a, 0);
	move_pages_of(&a, 0, false);
	check(!race_command(s, "wait " MIGRATION " held=1 timeout=%d",
			    race_time_left()));
	check(actor_blocked(&a, 0));
	for (i = 0; i < FILE_PAGES; i++)
		check(under_migration(a.pid, moving->area[0] + i * page_size()) ==
		      (i == 1));
	check(!race_command(s, "release " MIGRATION));
	actor_done(&a, 0);
	check(were_moved(&a));
	check(!under_migration(a.pid, moving->area[0] + page_size()));
	check(first_byte(a.pid, moving->area[0] + page_size()) == 0x5a);
	check(race_field(s, MIGRATION, "released") == 1);
	check(race_field(s, MIGRATION, "timeouts") == 0);
	/* A migration may be tried again. */
	hits = race_log_hits(s, hit, ARRAY_SIZE(hit));
	check(hits > 0);
	for (i = 0; i < hits && i < (int)ARRAY_SIZE(hit); i++)
		check(hit[i].at == 1 && hit[i].tid == a.call[0].tid);
	actor_stop(&a);
	close(s);
}

static void bypass_of_one_mm(void)
{
	static const char * const guards[] = { GUARDS };
	struct monitored r[2] = { };
	int i, s = race_session();

	removable(&r[0]);
	removable(&r[1]);
	check(refused(s, ESRCH, "bypass " GUARD " mm=%d", 0x3fffffff));
	check(refused(s, EINVAL, "bypass " GUARD " tid=%d", r[0].actor.pid));
	for (i = 0; i < 2; i++)
		check(!race_command(s, "bypass %s mm=%d", guards[i],
				    r[0].actor.pid));
	start_removal(&r[1]);
	end_removal(&r[1]);
	for (i = 0; i < 2; i++)
		check(race_field(s, guards[i], "hits") == 0);
	start_removal(&r[0]);
	end_removal(&r[0]);
	for (i = 0; i < 2; i++)
		check(race_field(s, guards[i], "hits") > 0);
	close(s);
	monitored_stop(&r[0]);
	monitored_stop(&r[1]);
}

static void logs_hits(void)
{
	int s = race_session(), other = race_session();
	struct monitored r = { };
	struct race_hit hit[4];

	removable(&r);
	check(race_log_hits(s, hit, 4) == -1);
	check(refused(s, EPERM, "log end"));
	check(!race_command(s, "log begin"));
	check(refused(other, EBUSY, "log begin"));
	check(race_log_hits(s, hit, 4) == 0);
	check(!race_command(s, "arm " POINT " mm=%d times=0", m.actor.pid));
	check(!race_command(s, "arm " REMOVAL " mm=%d", r.actor.pid));

	start_fill();
	actor_done(&filler.actor, 0);
	start_removal(&r);
	end_removal(&r);
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_log_hits(s, hit, 4) == 3);
	check(!strcmp(hit[0].point, POINT) && !strcmp(hit[1].point, REMOVAL) &&
	      !strcmp(hit[2].point, POINT));
	check(hit[0].tid == filler.actor.call[0].tid &&
	      hit[1].tid == r.actor.call[0].tid &&
	      hit[2].tid == filler.actor.call[0].tid);
	check(hit[0].at == (unsigned long)m.area &&
	      hit[1].at == (unsigned long)r.area &&
	      hit[2].at == (unsigned long)m.area);

	check(!race_command(s, "log end"));
	start_fill();
	actor_done(&filler.actor, 0);
	check(race_log_hits(s, hit, 4) == 3);
	check(!race_command(s, "log begin"));
	check(race_log_hits(s, hit, 4) == 0);
	close(s);
	check(!race_command(other, "log begin"));
	close(other);
	monitored_stop(&r);
}

/* A race of its own, in a process of its own; what it prints goes to @text. */
static int run_race(const char *bypass, void (*race)(void), char *text,
		    size_t size)
{
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	text[0] = 0;
	if (pipe(fds))
		return -1;
	fflush(stdout);
	pid = race_fork();
	if (!pid) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		setenv("RACE_BYPASS", bypass, 1);
		race_begin("race");
		race();
		_exit(race_end(NULL));
	}
	close(fds[1]);
	while (len < size - 1 &&
	       (got = read(fds[0], text + len, size - 1 - len)) > 0)
		len += got;
	text[len] = 0;
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void race_of_removal(void)
{
	struct monitored r = { };

	removable(&r);
	race_bypass_only(r.actor.pid);
	start_removal(&r);
	end_removal(&r);
	monitored_stop(&r);
}

/* Each guard in the environment must have been asked, also the second one. */
static void several_guards(void)
{
	char text[4096];

	check(run_race("map_changing_lock,map_changing_order", race_of_removal,
		       text, sizeof(text)) == KSFT_PASS);
	check(strstr(text, "guard: map_changing_lock hits="));
	check(strstr(text, "guard: map_changing_order hits="));
	check(run_race("map_changing_lock," UNASKED, race_of_removal, text,
		       sizeof(text)) == KSFT_FAIL);
	check(strstr(text, "guard: " UNASKED " hits=0\n"));
	check(strstr(text, "broken: "));
	check(run_race("map_changing_lock,no_such_guard", race_of_removal, text,
		       sizeof(text)) == KSFT_FAIL);
	check(strstr(text, "broken: cannot bypass no_such_guard"));
	check(run_race("", race_of_removal, text, sizeof(text)) == KSFT_PASS);
	check(!strstr(text, "guard: "));
}

/* Of many points that are armed the first is hit, and the others are not. */
static void race_of_many_points(void)
{
	static const char * const more[] = {
		POINT, "uffd_fill_unlocked", "uffd_event_waited",
		"uffd_fork_unlocked", "pgtable_fault_around", "pgtable_map_pages",
		"pgtable_fault", "pgtable_fault_asked", "pgtable_migration",
	};
	struct monitored r = { };
	size_t i;

	removable(&r);
	race_arm(REMOVAL, "mm=%d", r.actor.pid);
	for (i = 0; i < ARRAY_SIZE(more); i++)
		race_arm(more[i], "tid=1 times=0");
	start_removal(&r);
	end_removal(&r);
	monitored_stop(&r);
}

static void many_points(void)
{
	char text[4096];

	check(run_race("", race_of_many_points, text, sizeof(text)) == KSFT_FAIL);
	check(strstr(text, "race_point: " REMOVAL " hits=1 timeouts=0\n"));
	check(strstr(text, "race_point: pgtable_fault_asked hits=0 timeouts=0\n"));
	check(strstr(text, "race_point: pgtable_migration hits=0 timeouts=0\n"));
	check(strstr(text, "broken: "));
}

/* A peer that waits without sleeping. */
static void peer_runs(void)
{
	int s = race_session();
	pid_t tid = m.actor.call[0].tid;

	if (race_cpus() < 2) {
		ksft_print_msg("one processor: nobody can spin\n");
		close(s);
		return;
	}
	race_keep_apart(tid, m.actor.call[1].tid);
	/* Its first page at a place that needs a page table. */
	check(!race_command(s, "arm pgtable_install tid=%d timeout=10000", tid));
	actor_call(&m.actor, 0, SYS_mmap, 1L << 40, page_size(),
		   PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
	check(!race_command(s, "wait pgtable_install held=1 timeout=%d",
			    race_time_left()));
	check(actor_runs(&m.actor, 0));
	check(race_field(s, "pgtable_install", "held") == 1);
	check(!race_command(s, "release pgtable_install"));
	actor_done(&m.actor, 0);
	check(!actor_runs(&m.actor, 0));
	check(m.actor.call[0].ret == 1L << 40);
	check(race_field(s, "pgtable_install", "timeouts") == 0);
	close(s);
}

#define SPIN_ROUNDS	16
#define SPIN_STEP	(1024UL << 20)	/* more than a page table maps */

struct spinner {
	struct actor actor;
	char **area;
};

static void map_spin_area(void *arg)
{
	char *p = mmap(NULL, (2 * SPIN_ROUNDS + 1) * SPIN_STEP, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	/*
	 * Its first page may have the page table of what is mapped before it.
	 */
	*(char **)arg = p == MAP_FAILED ? NULL : p + SPIN_STEP;
}

static void spinner_start(struct spinner *sp)
{
	sp->area = shared_alloc(sizeof(*sp->area));
	actor_start(&sp->actor, map_spin_area, sp->area);
	check(*sp->area);
}

/* A byte of a part that has no page table, from inside a system call. */
static void touch_part(struct spinner *sp, int thread, int part)
{
	actor_call(&sp->actor, thread, SYS_getrandom,
		   (long)(*sp->area + part * SPIN_STEP), 1, 0);
}

/*
 * Three spin, two of them in one mm, and the fourth processor is enough to
 * control them: also where the host has fewer, since a spinner counts its own
 * steps.
 */
static void three_spinners(void)
{
	int i, round, hits, s = race_session();
	struct spinner two, one;
	struct race_hit hit[3];
	unsigned int cpus;

	if (race_cpus() < 4) {
		check_skip = "needs 4 processors";
		close(s);
		return;
	}
	spinner_start(&two);
	spinner_start(&one);
	race_pin(0, 0);
	race_pin(two.actor.call[0].tid, 1);
	race_pin(two.actor.call[1].tid, 2);
	race_pin(one.actor.call[0].tid, 3);
	for (round = 0; round < SPIN_ROUNDS && check_ok; round++) {
		check(!race_command(s, "log begin"));
		check(!race_command(s, "arm " SPIN " mm=%d times=2 timeout=10000",
				    two.actor.pid));
		check(!race_command(s, "arm " SPIN2 " tid=%d timeout=10000",
				    one.actor.call[0].tid));
		touch_part(&two, 0, 2 * round);
		touch_part(&two, 1, 2 * round + 1);
		touch_part(&one, 0, 2 * round);
		check(!race_command(s, "wait " SPIN " held=2 timeout=%d",
				    race_time_left()));
		check(!race_command(s, "wait " SPIN2 " held=1 timeout=%d",
				    race_time_left()));
		check(actor_runs(&one.actor, 0));
		check(actor_runs(&two.actor, 0) && actor_runs(&two.actor, 1));
		check(race_field(s, SPIN, "held") == 2);
		check(race_field(s, SPIN2, "held") == 1);
		hits = race_log_hits(s, hit, ARRAY_SIZE(hit));
		check(hits == 3);
		for (cpus = 0, i = 0; hits == 3 && i < 3; i++)
			cpus |= 1U << hit[i].cpu;
		for (i = 1; i < 4; i++)
			check(cpus >> race_cpu(i) & 1);

		check(!race_command(s, "release " SPIN2));
		actor_done(&one.actor, 0);
		for (i = 0; i < 2; i++)
			check(!race_command(s, "release " SPIN " 1"));
		for (i = 0; i < 2; i++)
			actor_done(&two.actor, i);
		check(race_field(s, SPIN, "released") == 2);
		check(race_field(s, SPIN, "timeouts") == 0);
		check(race_field(s, SPIN2, "timeouts") == 0);
		check(!race_command(s, "disarm " SPIN));
		check(!race_command(s, "disarm " SPIN2));
	}
	actor_stop(&one.actor);
	actor_stop(&two.actor);
	close(s);
}

static struct touched {
	struct toucher writer, reader;
	uint64_t written, read;		/* the words */
	int err;
} *touched;

static void start_touchers(void *arg)
{
	(void)arg;
	touched->err = toucher_start(&touched->writer, &touched->written, true);
	if (!touched->err)
		touched->err = toucher_start(&touched->reader, &touched->read,
					     false);
}

static bool until_read(uint64_t value)
{
	while (toucher_value(&touched->reader) != value)
		if (!race_look_again())
			return false;
	return true;
}

static void touchers(void)
{
	struct actor a;
	uint64_t n;

	touched = shared_alloc(sizeof(*touched));
	actor_start(&a, start_touchers, NULL);
	check(!touched->err);
	/* The touchers must not share a processor with this task. */
	if (race_cpus() > 1) {
		race_pin(0, 0);
		race_pin(toucher_tid(&touched->writer), 1);
		race_pin(toucher_tid(&touched->reader), 1);
	}
	n = toucher_touches(&touched->writer);
	toucher_wait(&touched->writer, 1);
	check(toucher_touches(&touched->writer) > n + 1);
	check(__atomic_load_n(&touched->written, __ATOMIC_ACQUIRE) > n + 1);

	check(until_read(0));
	__atomic_store_n(&touched->read, 7, __ATOMIC_RELEASE);
	toucher_wait(&touched->reader, 1);
	check(toucher_value(&touched->reader) == 7);
	actor_stop(&a);
}

/*
 * Open the file as somebody else; the directory, and debugfs itself, are no
 * help.
 */
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
	/*
	 * Root without capabilities: the file mode permits it, the missing
	 * capability does not.
	 */
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

static const struct check_case cases[] = {
	{ "taints", taints },
	{ "commands", commands },
	{ "filters", filters },
	{ "tgid_scope", tgid_scope },
	{ "waits", waits },
	{ "spin_with_one_cpu", spin_with_one_cpu },
	{ "timeout_releases", timeout_releases },
	{ "killed_owner", killed_owner },
	{ "killed_owner_with_heir", killed_owner_with_heir },
	{ "killed_owner_of_held_heir", killed_owner_of_held_heir },
	{ "killed_owner_of_shared_files", killed_owner_of_shared_files },
	{ "closed_duplicate", closed_duplicate },
	{ "killed_while_held", killed_while_held },
	{ "until_hit", until_hit },
	{ "cpu_scope", cpu_scope },
	{ "file_scope", file_scope },
	{ "file_of_migration", file_of_migration },
	{ "bypass_of_one_mm", bypass_of_one_mm },
	{ "logs_hits", logs_hits },
	{ "several_guards", several_guards },
	{ "many_points", many_points },
	{ "peer_runs", peer_runs },
	{ "three_spinners", three_spinners },
	{ "touchers", touchers },
	{ "root_only", root_only },
};

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	race_points_require();
	return checks_run(cases, ARRAY_SIZE(cases), start, stop);
}
