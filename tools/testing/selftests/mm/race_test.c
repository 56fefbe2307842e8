// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <linux/unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define RACE_DIR	"/sys/kernel/debug/race_points/"
#define DEBUGFS		"/sys/kernel/debug/"

#define NO_POINTS	"no race points: CONFIG_RACE_POINTS=y and debugfs are needed"

bool check_ok = true;
const char *check_skip;

static char test_name[64];	/* empty before race_begin() */
static char **guards;		/* that are bypassed */
static int nr_guards;
static const char **points;
static int nr_points;
static int session = -1;
static long long deadline;
static void (*cleanup)(void);
static pid_t cleanup_pid;

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/**
 * race_time_left() - until the deadline of this test
 * Return: milliseconds, 0 at least.
 */
int race_time_left(void)
{
	const char *env = getenv("RACE_DEADLINE_MS");
	long long left;

	if (!deadline)
		deadline = now_ms() + (env ? atoi(env) : RACE_DEADLINE_MS);
	left = deadline - now_ms();
	return left > 0 ? left : 0;
}

/**
 * race_look_again() - for a loop that looks at a state
 * Return: false once the deadline is over.
 */
bool race_look_again(void)
{
	usleep(500);
	return race_time_left();
}

/**
 * race_fork() - fork a process that does not outlive this one
 * Return: 0 in the child, its pid in the parent.
 */
pid_t race_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		race_broken("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/* What the points and the guards have seen; false if that proves nothing. */
static bool report_points(void)
{
	int i, hits, timeouts;
	bool good = true;

	for (i = 0; i < nr_points; i++) {
		hits = race_field(session, points[i], "hits");
		timeouts = race_field(session, points[i], "timeouts");
		ksft_print_msg("race_point: %s hits=%d timeouts=%d\n", points[i],
			       hits, timeouts);
		good = good && hits > 0 && !timeouts;
	}
	for (i = 0; i < nr_guards; i++) {
		hits = race_field(session, guards[i], "hits");
		ksft_print_msg("guard: %s hits=%d\n", guards[i], hits);
		good = good && hits > 0;
	}
	return good;
}

/*
 * "one" or "one,two": each is switched off, and each must then have been asked.
 */
static void bypass_guards(const char *names)
{
	char *guard, *save = NULL, *list = strdup(names);

	if (!list)
		race_broken("strdup: %s", strerror(errno));
	for (guard = strtok_r(list, ",", &save); guard;
	     guard = strtok_r(NULL, ",", &save)) {
		if (session < 0)
			session = race_session();
		if (race_command(session, "bypass %s", guard))
			race_broken("cannot bypass %s: %s", guard,
				    strerror(errno));
		guards = realloc(guards, (nr_guards + 1) * sizeof(*guards));
		if (!guards)
			race_broken("realloc: %s", strerror(errno));
		guards[nr_guards++] = guard;
	}
}

/**
 * race_begin() - print the header and switch off the guards that are to be bypassed
 * @fmt: name of the race
 *
 * The names of the guards are in the environment, RACE_BYPASS, with commas
 * between them.
 */
void race_begin(const char *fmt, ...)
{
	const char *bypass;
	va_list args;

	va_start(args, fmt);
	vsnprintf(test_name, sizeof(test_name), fmt, args);
	va_end(args);
	race_time_left();
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(1);

	bypass = getenv("RACE_BYPASS");
	if (bypass)
		bypass_guards(bypass);
}

/**
 * race_cleanup() - what the end of this test has to put back
 * @put_back: called once, by this process alone, whatever the verdict
 */
void race_cleanup(void (*put_back)(void))
{
	cleanup = put_back;
	cleanup_pid = getpid();
}

static void clean_up(void)
{
	void (*put_back)(void) = cleanup;

	cleanup = NULL;
	if (put_back && cleanup_pid == getpid())
		put_back();
}

/**
 * race_end() - print the verdict
 * @signature: the damage that was seen, one word; NULL for none
 *
 * A point that was not passed or timed out, or a bypassed guard that nobody
 * asked, make the test broken whatever it saw.
 *
 * Return: the exit code.
 */
int race_end(const char *signature)
{
	if (!report_points())
		race_broken("a point or a guard was not reached, or timed out");
	clean_up();
	if (signature) {
		ksft_print_msg("signature: %s\n", signature);
		ksft_test_result_fail("%s\n", test_name);
		return KSFT_FAIL;
	}
	ksft_test_result_pass("%s\n", test_name);
	return KSFT_PASS;
}

/**
 * race_control_open() - the window was seen to be open
 *
 * For a race without points: says that the interleaving did happen.
 */
void race_control_open(void)
{
	ksft_print_msg("control: open\n");
}

/**
 * race_broken() - the test could not be carried out: no verdict
 * @fmt: why
 */
void race_broken(const char *fmt, ...)
{
	va_list args;
	char why[256];

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	clean_up();
	ksft_print_msg("broken: %s\n", why);
	if (*test_name)
		ksft_test_result_fail("%s\n", test_name);
	else
		printf("Bail out! %s\n", why);
	fflush(stdout);
	_exit(KSFT_FAIL);
}

/**
 * race_skip() - the kernel lacks what the test needs
 * @fmt: what it lacks
 */
void race_skip(const char *fmt, ...)
{
	va_list args;
	char why[256];

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	clean_up();
	if (ksft_get_fail_cnt()) {
		ksft_print_msg("%s, but a test before this one has failed\n", why);
		fflush(stdout);
		_exit(KSFT_FAIL);
	}
	if (*test_name)
		ksft_test_result_skip("%s: %s\n", test_name, why);
	else
		printf("1..0 # SKIP %s\n", why);
	fflush(stdout);
	_exit(KSFT_SKIP);
}

/**
 * race_find_variant() - see race_variant()
 * @argc: of main()
 * @argv: of main()
 * @variants: an array
 * @size: of each element
 * @all: of the array
 *
 * The test is broken if no variant has that name.
 */
const void *race_find_variant(int argc, char **argv, const void *variants,
			      size_t size, size_t all)
{
	const char *element, *name;
	char usage[128] = "";
	size_t at;

	for (at = 0; at < all; at += size) {
		element = (const char *)variants + at;
		name = *(const char *const *)element;
		if (argc == 2 && !strcmp(argv[1], name))
			return element;
		snprintf(usage + strlen(usage), sizeof(usage) - strlen(usage),
			 "%s%s", at ? "|" : "", name);
	}
	race_broken("usage: %s %s", argv[0], usage);
}

/**
 * checks_run() - run the tests of a program one after the other
 * @cases: the tests
 * @nr: how many there are
 * @start: called before each of them; NULL for nothing
 * @stop: the same, after each
 *
 * The caller has printed the header.
 *
 * Return: the exit code.
 */
int checks_run(const struct check_case *cases, size_t nr, void (*start)(void),
	       void (*stop)(void))
{
	size_t i;

	ksft_set_plan(nr);
	for (i = 0; i < nr; i++) {
		check_ok = true;
		check_skip = NULL;
		if (start)
			start();
		cases[i].run();
		if (stop)
			stop();
		if (!check_ok) {
			ksft_test_result_fail("%s\n", cases[i].name);
		} else if (check_skip) {
			ksft_print_msg("%s:\n", cases[i].name);
			ksft_test_result_skip("%s\n", check_skip);
		} else {
			ksft_test_result_pass("%s\n", cases[i].name);
		}
	}
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}

/* Race points */

/**
 * race_points_exist() - can this process use them?
 *
 * Skips the test if it is not allowed to look.
 */
bool race_points_exist(void)
{
	if (!access(RACE_DIR "session", F_OK))
		return true;
	if (errno == EACCES || errno == EPERM)
		race_skip("needs root");
	return false;
}

/**
 * race_points_require() - skip the test where there are none
 */
void race_points_require(void)
{
	if (!race_points_exist())
		race_skip(NO_POINTS);
}

/**
 * race_session() - open a session of the race points
 * Return: its descriptor; it ends when this process closes it or dies.
 */
int race_session(void)
{
	int fd = open(RACE_DIR "session", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		race_skip(NO_POINTS);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		race_skip("needs root");
	if (fd < 0)
		race_broken("race_points/session: %s", strerror(errno));
	return fd;
}

/**
 * race_command() - one command
 * @fd: the session
 * @fmt: the command
 * Return: 0, or -1 with errno.
 */
int race_command(int fd, const char *fmt, ...)
{
	va_list args;
	char cmd[512];
	int len;

	va_start(args, fmt);
	len = vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(cmd)) {
		errno = E2BIG;
		return -1;
	}
	return write(fd, cmd, len) == len ? 0 : -1;
}

/* Find "field=" on the line of @point. */
static int parse_field(char *text, const char *point, const char *field)
{
	char *line, *save = NULL, key[64];
	size_t len = strlen(point);

	snprintf(key, sizeof(key), " %s=", field);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *found;

		if (strncmp(line, point, len) || line[len] != ' ')
			continue;
		found = strstr(line, key);
		if (found)
			return atoi(found + strlen(key));
	}
	return -1;
}

/* All that a session prints, in one read: of one moment. */
static char *session_text(int fd)
{
	size_t size = 256 << 10;
	char *text = malloc(size);
	ssize_t len;

	if (!text)
		return NULL;
	len = pread(fd, text, size - 1, 0);
	if (len < 0) {
		free(text);
		return NULL;
	}
	text[len] = 0;
	return text;
}

/**
 * race_field() - a number of the session's line for a point
 * @fd: the session
 * @point: point or guard
 * @field: armed, held, hits, released, timeouts or killed
 * Return: the number, -1 if there is none.
 */
int race_field(int fd, const char *point, const char *field)
{
	char *text = session_text(fd);
	int value = text ? parse_field(text, point, field) : -1;

	free(text);
	return value;
}

/**
 * race_list_field() - a number of a point since boot
 * @point: point or guard
 * @field: armed, held, total or timeouts
 * Return: the number, -1 if there is none.
 */
int race_list_field(const char *point, const char *field)
{
	char text[65536];
	ssize_t len, got = 0;
	int fd = open(RACE_DIR "list", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while ((len = read(fd, text + got, sizeof(text) - 1 - got)) > 0)
		got += len;
	close(fd);
	text[got] = 0;
	return parse_field(text, point, field);
}

void race_arm(const char *point, const char *fmt, ...)
{
	va_list args;
	char scope[256];
	int len;

	va_start(args, fmt);
	len = vsnprintf(scope, sizeof(scope), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(scope))
		race_broken("arm %s %s...: too long", point, scope);

	if (session < 0)
		session = race_session();
	if (race_command(session, "arm %s %s", point, scope))
		race_broken("arm %s %s: %s", point, scope, strerror(errno));
	points = realloc(points, (nr_points + 1) * sizeof(*points));
	if (!points)
		race_broken("realloc: %s", strerror(errno));
	points[nr_points++] = point;
}

void race_wait(const char *point, const char *what)
{
	if (race_command(session, "wait %s %s timeout=%d", point, what,
			 race_time_left()))
		race_broken("wait %s %s: %s", point, what, strerror(errno));
}

void race_release(const char *point)
{
	if (race_command(session, "release %s", point))
		race_broken("release %s: %s", point, strerror(errno));
}

/**
 * race_disarm() - release all, and hold nobody any more
 * @point: its counts stay
 */
void race_disarm(const char *point)
{
	if (race_command(session, "disarm %s", point))
		race_broken("disarm %s: %s", point, strerror(errno));
}

int race_point_field(const char *point, const char *field)
{
	return race_field(session, point, field);
}

/**
 * race_bypass_only() - the guards of this race are bypassed for one process alone
 * @pid: the process; whoever shares its mm is meant as well
 *
 * Does nothing if none is bypassed. Who asks a guard for another mm, or asks it
 * from a kernel thread without saying for whom, finds it in place.
 */
void race_bypass_only(pid_t pid)
{
	int i;

	for (i = 0; i < nr_guards; i++)
		if (race_command(session, "restore %s", guards[i]) ||
		    race_command(session, "bypass %s mm=%d", guards[i], pid))
			race_broken("cannot bypass %s for %d: %s", guards[i], pid,
				    strerror(errno));
}

/**
 * race_log_begin() - from now on, note the hits of all points in their order
 */
void race_log_begin(void)
{
	if (session < 0)
		session = race_session();
	if (race_command(session, "log begin"))
		race_broken("log begin: %s", strerror(errno));
}

/**
 * race_log_hits() - the hits that a session has noted
 * @fd: the session
 * @hits: filled in, in their order
 * @max: so many at most; those that come later are left out
 * Return: how many there are, which may be more; -1 if there is no log, or if
 * it was too short for all hits.
 */
int race_log_hits(int fd, struct race_hit *hits, size_t max)
{
	char *line, *save = NULL, *text = session_text(fd);
	int count = -1, lost = 0, found = 0;
	struct race_hit hit;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "log hits=%d lost=%d", &count, &lost) == 2)
			continue;
		if (sscanf(line, "log %*u %47s cpu=%d tid=%d %*[a-z]=%lx",
			   hit.point, &hit.cpu, &hit.tid, &hit.at) != 4)
			continue;
		if ((size_t)found < max)
			hits[found] = hit;
		found++;
	}
	free(text);
	return count != found || lost ? -1 : count;
}

/**
 * race_log() - the hits since race_log_begin()
 * @hits: filled in, in their order
 * @max: so many at most
 * Return: how many there are, @max at most.
 */
int race_log(struct race_hit *hits, size_t max)
{
	int count = race_log_hits(session, hits, max);

	if (count < 0)
		race_broken("the log of the hits is incomplete");
	return (size_t)count < max ? count : (int)max;
}

/* Actors */

enum { CALL_IDLE, CALL_GO, CALL_RUNNING, CALL_DONE };

static void futex_wake(int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_wait(int *word, int value)
{
	struct timespec ts = { .tv_sec = 1 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0);
}

/*
 * The child of a clone() that is under test: only system calls, until killed.
 */
static void __noreturn clone_child(pid_t parent)
{
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (syscall(SYS_getppid) == parent)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	for (;;)
		syscall(SYS_exit_group, 1);
}

static void *call_thread(void *arg)
{
	struct call *c = arg;
	pid_t self = getpid();

	__atomic_store_n(&c->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;) {
		int state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
		long nr, ret;

		if (state != CALL_GO) {
			futex_wait(&c->state, state);
			continue;
		}
		__atomic_store_n(&c->state, CALL_RUNNING, __ATOMIC_RELEASE);
		nr = c->nr;
		ret = syscall(nr, c->arg[0], c->arg[1], c->arg[2],
			      c->arg[3], c->arg[4], c->arg[5]);
		/*
		 * The child shares @c, which can hold the next call by now: it
		 * neither reads nor writes a word there.
		 */
		if (nr == SYS_clone && !ret)
			clone_child(self);
		c->ret = ret;
		c->err = ret == -1 ? errno : 0;
		__atomic_store_n(&c->state, CALL_DONE, __ATOMIC_RELEASE);
	}
	return NULL;
}

void *shared_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	return p;
}

/*
 * All threads exist and have made a call when this returns, so that the code of
 * the loop is mapped.
 */
static void actor_came_up(struct actor *a, int threads)
{
	int i;

	for (i = 0; i < threads; i++)
		while (!__atomic_load_n(&a->call[i].tid, __ATOMIC_ACQUIRE))
			if (waitpid(a->pid, NULL, WNOHANG) > 0 ||
			    !race_look_again())
				race_broken("an actor did not come up");
	for (i = 0; i < threads; i++) {
		actor_call(a, i, SYS_gettid);
		actor_done(a, i);
	}
}

/**
 * actor_start() - fork a process whose threads wait for calls
 * @a: filled in
 * @init: called in the new process first; may be NULL
 * @arg: for @init
 *
 * All threads exist and have run when this returns: nothing has to be mapped or
 * faulted in once a point holds the mmap_lock of this process.
 */
void actor_start(struct actor *a, void (*init)(void *arg), void *arg)
{
	pid_t pid;
	int i;

	a->call = shared_alloc(sizeof(*a->call) * ACTOR_THREADS);
	/* @a may be in memory that the two share: only this one writes to it. */
	pid = race_fork();
	if (!pid) {
		pthread_t thread;

		/*
		 * khugepaged would queue for the mmap_lock that a point holds.
		 */
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		if (init)
			init(arg);
		for (i = 0; i < ACTOR_THREADS; i++)
			if (pthread_create(&thread, NULL, call_thread,
					   &a->call[i]))
				_exit(1);
		for (;;)
			pause();
	}
	a->pid = pid;
	actor_came_up(a, ACTOR_THREADS);
}

void actor_stop(struct actor *a)
{
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
}

/**
 * actor_call_args() - let a thread make a system call
 * @a: the actor
 * @thread: which thread, idle or done
 * @nr: number of the call
 * @arg: its arguments
 *
 * Called through actor_call(), which makes the array.
 */
void actor_call_args(struct actor *a, int thread, long nr, const long arg[6])
{
	struct call *c = &a->call[thread];

	memcpy(c->arg, arg, sizeof(c->arg));
	c->nr = nr;
	__atomic_store_n(&c->state, CALL_GO, __ATOMIC_RELEASE);
	futex_wake(&c->state);
}

/**
 * actor_fd() - a descriptor of an actor becomes one of this process too
 * @a: the actor
 * @fd: its number there
 * Return: its number here.
 */
int actor_fd(const struct actor *a, int fd)
{
	int pidfd = syscall(__NR_pidfd_open, a->pid, 0);
	int own = pidfd < 0 ? -1 : syscall(__NR_pidfd_getfd, pidfd, fd, 0);

	if (own < 0)
		race_broken("pidfd_getfd: %s", strerror(errno));
	close(pidfd);
	return own;
}

bool actor_is_done(struct actor *a, int thread)
{
	return __atomic_load_n(&a->call[thread].state, __ATOMIC_ACQUIRE) ==
	       CALL_DONE;
}

void actor_done(struct actor *a, int thread)
{
	while (!actor_is_done(a, thread))
		if (!race_look_again())
			race_broken("system call %ld of an actor does not return",
				    a->call[thread].nr);
}

static bool read_proc(const struct actor *a, int thread, const char *file,
		      char *text, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", a->pid,
		 a->call[thread].tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	if (len <= 0)
		return false;
	text[len] = 0;
	return true;
}

/*
 * As /proc has it; 'X' once it is not there any more, '?' if that cannot be
 * told.
 */
static char actor_state(struct actor *a, int thread)
{
	char text[512], *p;

	errno = 0;
	if (!read_proc(a, thread, "stat", text, sizeof(text)))
		return errno == ENOENT || errno == ESRCH ? 'X' : '?';
	p = strrchr(text, ')');
	return p && p[1] == ' ' ? p[2] : '?';
}

static bool actor_in_call(struct actor *a, int thread)
{
	char text[512];

	return read_proc(a, thread, "syscall", text, sizeof(text)) &&
	       text[0] != 'r' && atol(text) == a->call[thread].nr;
}

static bool actor_in_state(struct actor *a, int thread, char state)
{
	do {
		if (actor_is_done(a, thread))
			return false;
		if (actor_state(a, thread) == state && actor_in_call(a, thread))
			return true;
	} while (race_look_again());
	race_broken("system call %ld of an actor neither blocks nor returns",
		    a->call[thread].nr);
}

/**
 * actor_blocked() - wait until a call blocks or returns
 * @a: the actor
 * @thread: which thread
 *
 * Blocked is: asleep, not interruptibly, inside that very system call.  What it
 * waits for is for the caller to find out, by what can be seen only then: a
 * sleep for another reason must make the test broken, and not change its
 * verdict.
 *
 * Return: true if it blocks, false if it is done.
 */
bool actor_blocked(struct actor *a, int thread)
{
	return actor_in_state(a, thread, 'D');
}

/**
 * actor_sleeps() - wait until a call sleeps, interruptibly, or returns
 * @a: the actor
 * @thread: which thread
 * Return: true if it sleeps, false if it is done.
 */
bool actor_sleeps(struct actor *a, int thread)
{
	return actor_in_state(a, thread, 'S');
}

/**
 * actor_rests() - wait until a call returns or blocks, or its thread has died of it
 * @a: the actor
 * @thread: which thread
 *
 * As actor_blocked(), for a kernel that may kill who makes this call: that one
 * thread. A signal would have killed them all.
 */
enum actor_rest actor_rests(struct actor *a, int thread)
{
	char state;

	do {
		if (actor_is_done(a, thread))
			return ACTOR_DONE;
		state = actor_state(a, thread);
		if ((state == 'X' || state == 'Z') && waitpid(a->pid, NULL, WNOHANG))
			race_broken("an actor is dead");
		if (state == 'X' || state == 'Z')
			return ACTOR_GONE;
		if (state == 'D' && actor_in_call(a, thread))
			return ACTOR_BLOCKED;
	} while (race_look_again());
	race_broken("system call %ld of an actor neither ends nor blocks",
		    a->call[thread].nr);
}

/* The processor time that a process has used, up to this moment. */
static long long process_time_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		race_broken("no clock of process %d", pid);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/**
 * actor_runs() - wait until a call runs, on and on, or returns
 * @a: the actor; its other threads sleep
 * @thread: which thread
 *
 * For who waits without sleeping: for a spinlock, say, or at a spin point.
 * State R is also that of who waits for a processor, so two looks must find the
 * call unfinished and its process to have used one in between. Whether it
 * waits, and for what, is for the caller to find out: by a point right before,
 * say, that it has passed.
 *
 * Return: true if it runs, false if it is done.
 */
bool actor_runs(struct actor *a, int thread)
{
	struct call *c = &a->call[thread];
	long long before = -1, now;

	do {
		if (actor_is_done(a, thread))
			return false;
		now = process_time_ns(a->pid);
		if (__atomic_load_n(&c->state, __ATOMIC_ACQUIRE) != CALL_RUNNING ||
		    actor_state(a, thread) != 'R')
			before = -1;
		else if (before >= 0 && now > before)
			return true;
		else if (before < 0)
			before = now;
	} while (race_look_again());
	race_broken("system call %ld of an actor neither runs nor returns", c->nr);
}

/* Processors */

/* Those that this process had before it was bound to one of them. */
static const cpu_set_t *all_cpus(void)
{
	static cpu_set_t all;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		race_broken("sched_getaffinity: %s", strerror(errno));
	return &all;
}

/**
 * race_cpus() - how many processors does this process have?
 */
int race_cpus(void)
{
	return CPU_COUNT(all_cpus());
}

/**
 * race_cpu() - the kernel's number of one of them, for cpu= of a point
 * @nth: from 0
 *
 * Skips the test if there are not so many.
 */
int race_cpu(int nth)
{
	int cpu, left = nth;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, all_cpus()) && !left--)
			return cpu;
	race_skip("needs %d processors", nth + 1);
}

/**
 * race_pin() - bind a thread to a processor
 * @tid: the thread; 0 for this one, and for what it starts later
 * @nth: processor, from 0. The first is for who controls: on some machines it keeps
 *	the time of all, which a spinner with interrupts off would stop.
 *
 * Skips the test if there are not so many.
 */
void race_pin(pid_t tid, int nth)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(race_cpu(nth), &one);
	if (sched_setaffinity(tid, sizeof(one), &one))
		race_broken("sched_setaffinity: %s", strerror(errno));
}

/**
 * race_keep_apart() - give a thread that spins a processor of its own
 * @spinner: in the kernel or in user mode; nobody else of the test waits there to run
 * @other: a thread that goes with this process
 *
 * What is started later goes with this process as well.
 */
void race_keep_apart(pid_t spinner, pid_t other)
{
	race_pin(0, 0);
	race_pin(other, 0);
	race_pin(spinner, 1);
}

/* Touchers */

static void *touch(void *arg)
{
	struct toucher *t = arg;
	uint64_t n = 0;

	__atomic_store_n(&t->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;) {
		n++;
		if (t->writes)
			__atomic_store_n(t->word, n, __ATOMIC_RELEASE);
		else
			__atomic_store_n(&t->value,
					 __atomic_load_n(t->word, __ATOMIC_ACQUIRE),
					 __ATOMIC_RELEASE);
		__atomic_store_n(&t->touches, n, __ATOMIC_RELEASE);
	}
	return NULL;
}

/**
 * toucher_start() - let a thread touch a word for ever
 * @t: in memory that is shared with the controller
 * @word: of this process, 8 bytes aligned
 * @writes: it writes 1, 2 and so on; else it reads
 *
 * To be called in an actor, from the init function. The thread never enters the
 * kernel by itself, but for a fault of @word: its processor keeps what its TLB
 * has until it is told otherwise. For that it needs a processor of its own: see
 * race_pin().
 *
 * Return: 0 or an errno.
 */
int toucher_start(struct toucher *t, uint64_t *word, bool writes)
{
	pthread_t thread;

	t->word = word;
	t->writes = writes;
	return pthread_create(&thread, NULL, touch, t);
}

/**
 * toucher_tid() - wait until a toucher exists
 * @t: the toucher
 * Return: its thread.
 */
pid_t toucher_tid(const struct toucher *t)
{
	pid_t tid;

	while (!(tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)))
		if (!race_look_again())
			race_broken("a toucher did not come up");
	return tid;
}

/**
 * toucher_touches() - how often has it touched its word?
 * @t: the toucher
 *
 * A writer has written this number, and may have written the next.
 */
uint64_t toucher_touches(const struct toucher *t)
{
	return __atomic_load_n(&t->touches, __ATOMIC_ACQUIRE);
}

/**
 * toucher_value() - what has it read last?
 * @t: the toucher
 */
uint64_t toucher_value(const struct toucher *t)
{
	return __atomic_load_n(&t->value, __ATOMIC_ACQUIRE);
}

/**
 * toucher_wait() - wait until it has touched its word again
 * @t: the toucher
 * @more: so many touches that began after this call, 1 at least
 */
void toucher_wait(const struct toucher *t, uint64_t more)
{
	/* One may be under way. */
	uint64_t end = toucher_touches(t) + 1 + more;

	while (toucher_touches(t) < end)
		if (!race_look_again())
			race_broken("a toucher does not go on");
}

/* Memory */

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/**
 * page_exists() - has another process a page there: mapped, swapped, migrating?
 * @pid: the process
 * @addr: an address in it
 */
bool page_exists(pid_t pid, const void *addr)
{
	uint64_t entry;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)addr / page_size() * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return entry & (3ULL << 62);
}

/**
 * range_mapped() - is a range of another process mapped from end to end?
 * @pid: the process
 * @addr: where it begins
 * @len: its length
 */
bool range_mapped(pid_t pid, const void *addr, size_t len)
{
	uintptr_t at = (uintptr_t)addr, end = at + len;
	unsigned long start, stop;
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		race_broken("%s: %s", path, strerror(errno));
	while (at < end && getline(&line, &size, f) > 0)
		if (sscanf(line, "%lx-%lx", &start, &stop) == 2 &&
		    start <= at && at < stop)
			at = stop;
	free(line);
	fclose(f);
	return at >= end;
}

/**
 * first_byte() - of a page of another process
 * @pid: the process
 * @addr: address of the page, which must be present
 */
unsigned char first_byte(pid_t pid, const void *addr)
{
	unsigned char byte;
	struct iovec here = { .iov_base = &byte, .iov_len = 1 };
	struct iovec there = { .iov_base = (void *)addr, .iov_len = 1 };

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) != 1)
		race_broken("process_vm_readv: %s", strerror(errno));
	return byte;
}

/**
 * open_descriptors() - how many does this process have?
 */
size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	if (!dir)
		race_broken("/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Failing allocations */

static void fault_injection_set(const char *name, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		race_skip("no %s: fault injection is needed", path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		race_skip("needs root");
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/**
 * fail_nth_begin() - say which allocations count
 * @pages: those of whole pages as well as those of slab objects
 *
 * Also those that may sleep, in both cases.
 */
void fail_nth_begin(bool pages)
{
	/*
	 * Each failure would print a stack, which looks like a broken kernel.
	 */
	fault_injection_set("failslab/verbose", "0");
	fault_injection_set("fail_page_alloc/verbose", "0");
	fault_injection_set("failslab/ignore-gfp-wait", "N");
	fault_injection_set("fail_page_alloc/ignore-gfp-wait", "N");
	/* No allocation has an order as high as that. */
	fault_injection_set("fail_page_alloc/min-order", pages ? "0" : "64");
}

/**
 * fail_nth_open() - a thread whose allocations are to fail
 * @pid: its process; 0 for the caller's
 * @tid: the thread
 *
 * To be opened before the first failure is asked for: open() allocates.
 *
 * Return: a descriptor for fail_nth_set() and fail_nth_left().
 */
int fail_nth_open(pid_t pid, pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fail-nth",
		 pid ? pid : getpid(), tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		race_broken("%s: %s", path, strerror(errno));
	return fd;
}

/**
 * fail_nth_set() - let the n-th allocation from now on fail
 * @fd: of fail_nth_open()
 * @n: 1 for the next, 0 for none
 *
 * A thread of an actor that waits for its call allocates nothing: there the
 * count begins with that call.
 */
void fail_nth_set(int fd, unsigned int n)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%u", n);

	if (pwrite(fd, value, len, 0) != len)
		race_broken("fail-nth: %s", strerror(errno));
}

/**
 * fail_nth_left() - how many allocations are still to go
 * @fd: of fail_nth_open()
 * Return: 0 when one has failed.
 */
unsigned int fail_nth_left(int fd)
{
	char value[16] = "";

	if (pread(fd, value, sizeof(value) - 1, 0) <= 0)
		race_broken("fail-nth: %s", strerror(errno));
	return strtoul(value, NULL, 10);
}

/* userfaultfd */

/**
 * uffd_register() - for missing pages
 * @uffd: the userfaultfd
 * @start: page aligned
 * @len: page aligned
 * Return: 0, -1 with errno.
 */
int uffd_register(int uffd, const void *start, size_t len)
{
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range = { .start = (uintptr_t)start, .len = len },
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg);
}

/**
 * uffd_require() - the actor must have been able to set up its memory
 * @err: 0, or the errno of the call that failed
 * @features: that it asked for
 */
void uffd_require(int err, uint64_t features)
{
	if (err == EPERM)
		race_skip("needs root");
	if (err == ENOSYS)
		race_skip("no userfaultfd: CONFIG_USERFAULTFD=y is needed");
	if (err == EINVAL)
		race_skip("userfaultfd lacks the features %llx",
			  (unsigned long long)features);
	if (err)
		race_broken("userfaultfd: %s", strerror(err));
}

struct monitored_shared {
	uint64_t features;
	size_t pages;
	int memfd;
	const struct uffd_mode *mode;
	int uffd;
	char *area;
	char *other;
	size_t twins;
	struct call *twin_call;	/* one for each */
	pid_t twin[TWINS_MAX];
	int mode_err;
	int err;
};

/**
 * uffd_open() - a userfaultfd for the calling process, in the default mode
 * @features: UFFD_FEATURE_*
 * Return: its descriptor, -1 with errno.
 */
int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Of the file, or anonymous if that is -1. */
static char *registered_area(int uffd, size_t len, int memfd, off_t offset)
{
	int flags = memfd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *area;

	/* Not merged with its neighbours, and never huge. */
	area = mmap(NULL, len + 2 * page_size(), PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	area = mmap(area + page_size(), len, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED, memfd, offset);
	if (area == MAP_FAILED)
		return NULL;
	madvise(area, len, MADV_NOHUGEPAGE);
	return uffd_register(uffd, area, len) ? NULL : area;
}

/*
 * It has the thread-local storage of its maker, which does nothing but pause().
 */
static int twin_main(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	call_thread(arg);
	return 0;
}

/* As after vfork(), but the parent goes on. */
static pid_t twin_start(struct call *call)
{
	size_t size = 64 << 10;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	return clone(twin_main, stack + size, CLONE_VM | CLONE_FILES | SIGCHLD,
		     call);
}

/**
 * uffd_area() - map memory of this process and register it
 * @uffd: the userfaultfd
 * @len: how much
 * Return: where it is; NULL with errno if there is none.
 */
char *uffd_area(int uffd, size_t len)
{
	return registered_area(uffd, len, -1, 0);
}

static void monitored_init(void *arg)
{
	struct monitored_shared *s = arg;
	struct uffdio_api api = { .api = UFFD_API, .features = s->features };
	size_t len = s->pages * page_size();
	size_t i;

	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (s->uffd >= 0 && s->mode) {
		s->mode_err = s->mode->set(s->uffd);
		if (s->mode_err)
			return;
	}
	if (s->uffd < 0 || ioctl(s->uffd, UFFDIO_API, &api)) {
		s->err = errno;
		return;
	}
	s->area = registered_area(s->uffd, len, s->memfd, 0);
	s->other = registered_area(s->uffd, len, s->memfd, len);
	if (!s->area || !s->other)
		s->err = errno;
	for (i = 0; i < s->twins && !s->err; i++) {
		s->twin[i] = twin_start(&s->twin_call[i]);
		if (s->twin[i] < 0)
			s->err = errno;
	}
}

/* The file of both areas, and the controller's own view of it. */
static int shmem_file(struct monitored *m, size_t len)
{
	int fd = memfd_create("race", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, len))
		race_broken("memfd: %s", strerror(errno));
	m->file = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m->file == MAP_FAILED || madvise(m->file, len, MADV_DONTFORK))
		race_broken("mmap: %s", strerror(errno));
	return fd;
}

/* Those that monitored_init() has started. */
static void twins_came_up(struct monitored *m, const struct monitored_shared *s)
{
	size_t i;

	m->twins = calloc(s->twins + 1, sizeof(*m->twins));
	if (!m->twins)
		race_broken("no memory");
	for (i = 0; i < s->twins; i++) {
		m->twins[i].pid = s->twin[i];
		m->twins[i].call = &s->twin_call[i];
		actor_came_up(&m->twins[i], 1);
	}
	m->nr_twins = s->twins;
	m->next_twin = 0;
	m->twin.pid = 0;
	if (s->twins)
		twin_next(m);
}

/**
 * monitored_start_twins() - the same, with more processes that share its mm
 * @m: filled in, with m->twin
 * @pages: of each of its two registered areas; none is present
 * @features: UFFD_FEATURE_*
 * @twins: how many, TWINS_MAX at most
 *
 * What a twin does to the mm outlives it.  twin_next() turns to the next one.
 */
void monitored_start_twins(struct monitored *m, size_t pages, uint64_t features,
			   size_t twins)
{
	struct monitored_shared *s = shared_alloc(sizeof(*s));

	if (twins > TWINS_MAX)
		race_broken("%zu twins are too many", twins);
	s->twins = twins;
	s->twin_call = shared_alloc((twins + 1) * sizeof(*s->twin_call));
	s->features = features;
	s->pages = pages;
	s->mode = m->mode;
	s->memfd = m->shmem ? shmem_file(m, 2 * pages * page_size()) : -1;
	actor_start(&m->actor, monitored_init, s);
	if (s->memfd >= 0)
		close(s->memfd);
	if (s->mode_err)
		s->mode->verify(m, s->mode_err);
	uffd_require(s->err, features);

	m->uffd = actor_fd(&m->actor, s->uffd);
	m->own_uffd = s->uffd;
	if (m->mode)
		m->mode->verify(m, 0);
	m->pages = pages;
	m->area = s->area;
	m->other = s->other;
	twins_came_up(m, s);
}

/**
 * monitored_start() - start a process with memory that this one monitors
 * @m: filled in, but for @m->shmem and @m->mode, which the caller has set
 * @pages: of each of its two registered areas; none is present
 * @features: UFFD_FEATURE_*
 */
void monitored_start(struct monitored *m, size_t pages, uint64_t features)
{
	monitored_start_twins(m, pages, features, 0);
}

/**
 * monitored_start_twin() - the same, with a second process that shares its mm
 * @m: filled in, with m->twin
 * @pages: of each of its two registered areas; none is present
 * @features: UFFD_FEATURE_*
 *
 * What the twin does to the mm outlives it.
 */
void monitored_start_twin(struct monitored *m, size_t pages, uint64_t features)
{
	monitored_start_twins(m, pages, features, 1);
}

/**
 * twin_next() - m->twin becomes the next of them
 * @m: started with monitored_start_twins()
 *
 * The one before may still be there: the caller has kept it, or
 * monitored_stop() kills it.
 */
void twin_next(struct monitored *m)
{
	if (m->next_twin == m->nr_twins)
		race_broken("there are no more than %zu twins", m->nr_twins);
	m->twin = m->twins[m->next_twin++];
}

/**
 * twin_kill() - SIGKILL for the twin; it has left its mm when this returns
 * @m: started with monitored_start_twin() or monitored_start_twins()
 */
void twin_kill(struct monitored *m)
{
	struct pollfd pfd = { .events = POLLIN };
	size_t i;

	pfd.fd = syscall(__NR_pidfd_open, m->twin.pid, 0);
	if (pfd.fd < 0 || kill(m->twin.pid, SIGKILL))
		race_broken("kill: %s", strerror(errno));
	if (poll(&pfd, 1, race_time_left()) != 1)
		race_broken("a killed task does not die");
	close(pfd.fd);
	for (i = 0; i < m->nr_twins; i++)
		if (m->twins[i].pid == m->twin.pid)
			m->twins[i].pid = 0;
	m->twin.pid = 0;
}

void monitored_stop(struct monitored *m)
{
	size_t i;

	if (m->uffd >= 0)
		close(m->uffd);
	for (i = 0; i < m->nr_twins; i++) {
		m->twin = m->twins[i];
		if (m->twin.pid)
			twin_kill(m);
	}
	free(m->twins);
	m->twins = NULL;
	m->nr_twins = 0;
	actor_stop(&m->actor);
}

/**
 * monitored_page_exists() - has a monitored process a page there?
 * @m: the process
 * @addr: an address in one of its areas
 *
 * In its page tables, or, mapped or not, in the file behind the area: there it
 * would be found by the next access.
 */
bool monitored_page_exists(const struct monitored *m, const char *addr)
{
	size_t len = m->pages * page_size();
	unsigned char in_file = 0;
	char *view = NULL;

	if (m->shmem && addr >= m->area && addr < m->area + len)
		view = m->file + (addr - m->area);
	if (m->shmem && addr >= m->other && addr < m->other + len)
		view = m->file + len + (addr - m->other);
	if (view && mincore(view, page_size(), &in_file))
		race_broken("mincore: %s", strerror(errno));
	return (in_file & 1) || page_exists(m->actor.pid, addr);
}

/**
 * monitored_pages_exist() - how many pages of a range has a monitored process?
 * @m: the process
 * @start: of the range, in one of its areas
 * @pages: of the range
 */
size_t monitored_pages_exist(const struct monitored *m, const char *start,
			     size_t pages)
{
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += monitored_page_exists(m, start + i * page_size());
	return n;
}

/**
 * change_layout() - let a thread change the layout of the monitored memory
 * @m: the monitored process
 * @who: m->actor or m->twin
 * @thread: which thread, idle or done
 * @event: what the monitor is told:
 *	UFFD_EVENT_REMOVE	page 0 of m->area is removed
 *	UFFD_EVENT_UNMAP	its last page is unmapped
 *	UFFD_EVENT_REMAP	page 0 of m->other is moved on its last page (which
 *				is one more UNMAP or two if that is monitored)
 *	UFFD_EVENT_FORK		the process forks
 *
 * All leave pages 1 to m->pages - 2 of m->area alone.
 */
void change_layout(struct monitored *m, struct actor *who, int thread,
		   unsigned int event)
{
	size_t page = page_size();
	char *last = m->area + (m->pages - 1) * page;

	switch (event) {
	case UFFD_EVENT_REMOVE:
		actor_call(who, thread, SYS_madvise, (long)m->area, page,
			   MADV_DONTNEED);
		break;
	case UFFD_EVENT_UNMAP:
		actor_call(who, thread, SYS_munmap, (long)last, page);
		break;
	case UFFD_EVENT_REMAP:
		actor_call(who, thread, SYS_mremap, (long)m->other, page, page,
			   MREMAP_MAYMOVE | MREMAP_FIXED, (long)last);
		break;
	case UFFD_EVENT_FORK:
		actor_call(who, thread, SYS_clone, SIGCHLD);
		break;
	default:
		race_broken("no such change: %#x", event);
	}
}

bool event_readable(int uffd, int timeout_ms)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & POLLIN);
}

/**
 * event_read() - read the next event, which must be of this kind
 * @uffd: the userfaultfd
 * @event: UFFD_EVENT_*
 * @msg: filled in; may be NULL
 */
void event_read(int uffd, unsigned int event, struct uffd_msg *msg)
{
	struct uffd_msg m;

	if (!event_readable(uffd, race_time_left()))
		race_broken("no event %#x", event);
	if (read(uffd, &m, sizeof(m)) != sizeof(m))
		race_broken("read of event %#x: %s", event, strerror(errno));
	if (m.event != event)
		race_broken("event %#x in place of %#x", m.event, event);
	if (msg)
		*msg = m;
}

/**
 * fill() - UFFDIO_COPY by this process
 * @uffd: the userfaultfd
 * @dst: where, in the monitored process
 * @src: from where, in this one
 * @len: how much
 * @copied: .copy as the kernel wrote it; may be NULL
 * Return: 0 or an errno.
 */
int fill(int uffd, void *dst, const void *src, size_t len, int64_t *copied)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = len,
	};
	int err = ioctl(uffd, UFFDIO_COPY, &copy) ? errno : 0;

	if (copied)
		*copied = copy.copy;
	return err;
}

/* In the filler: what is not to be missing is resident. */
static void touch_source(void *arg)
{
	struct filler *f = arg;
	size_t i;

	for (i = 0; i < f->pages; i++)
		if (i >= 64 || !(f->missing & (1ULL << i)))
			memset(f->src + i * page_size(), 0x5a, page_size());
}

/**
 * filler_start() - start a process that fills
 * @f: filled in
 * @pages: of its source
 * @missing: bit n: page n is not resident, so that the first fill from it drops
 *	its locks in order to fault it in
 *
 * After monitored_start(), whose descriptor it inherits.
 */
void filler_start(struct filler *f, size_t pages, uint64_t missing)
{
	f->pages = pages;
	f->missing = missing;
	f->copy = shared_alloc(sizeof(*f->copy));
	/*
	 * Private, so that the pages of one process are not those of another.
	 */
	f->src = mmap(NULL, pages * page_size(), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->src == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	actor_start(&f->actor, touch_source, f);
}

/**
 * filler_copy() - let a filler begin a UFFDIO_COPY
 * @f: the filler; no other fill of it is running
 * @uffd: the userfaultfd
 * @dst: where, in the monitored process
 * @first: page of the source
 * @pages: how many
 */
void filler_copy(struct filler *f, int uffd, void *dst, size_t first, size_t pages)
{
	memset(f->copy, 0, sizeof(*f->copy));
	f->copy->dst = (uintptr_t)dst;
	f->copy->src = (uintptr_t)(f->src + first * page_size());
	f->copy->len = pages * page_size();
	actor_call(&f->actor, 0, SYS_ioctl, uffd, UFFDIO_COPY, (long)f->copy);
}

/**
 * filler_done() - wait for the end of a fill
 * @f: the filler; .copy of the fill is in @f->copy
 * Return: 0 or an errno.
 */
int filler_done(struct filler *f)
{
	actor_done(&f->actor, 0);
	ksft_print_msg("fill: errno=%d copied=%lld\n", f->actor.call[0].err,
		       (long long)f->copy->copy);
	return f->actor.call[0].err;
}

/**
 * fill_or_event() - fill one page, again and again while that is refused
 * @uffd: the userfaultfd
 * @dst: where, in the monitored process
 * @src: from where, in this one
 *
 * Return: 0 or an errno; EAGAIN if there is an event to be read first, or if
 * there is none and REFUSED_FOR_EVER fills have been refused.
 */
int fill_or_event(int uffd, void *dst, const void *src)
{
	int i, err = EAGAIN;

	for (i = 0; i < REFUSED_FOR_EVER && err == EAGAIN; i++) {
		if (event_readable(uffd, 0))
			break;
		err = fill(uffd, dst, src, page_size(), NULL);
	}
	return err;
}

/**
 * uffd_fdinfo() - what the kernel says of a userfaultfd
 * @uffd: the userfaultfd
 * @field: changing, generation or yield
 * Return: the number, -1 if this kernel does not tell.
 */
long uffd_fdinfo(int uffd, const char *field)
{
	char path[64], *line = NULL;
	size_t size = 0, len = strlen(field);
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uffd);
	f = fopen(path, "re");
	if (!f)
		race_broken("%s: %s", path, strerror(errno));
	while (getline(&line, &size, f) > 0)
		if (!strncmp(line, field, len) && line[len] == ':')
			value = atol(line + len + 1);
	free(line);
	fclose(f);
	return value;
}
