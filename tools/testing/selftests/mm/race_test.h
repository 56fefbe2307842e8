/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the race tests share.  A test is made of three kinds of process:
 *
 *	controller	main(): arms race points, reads events, judges.  Nothing
 *			that is held shares its mm.
 *	actors		processes whose threads make one system call each, when
 *			told to: the monitored process, a process that fills
 *
 * The controller waits for states (held at a point, blocked in a system call,
 * event readable), never for a length of time.  One deadline for the whole test
 * only ends a hang, and then the test is broken, not failed.
 *
 * A test that fails names the damage it saw with a signature: a test that stops
 * for any other reason has none and counts as broken.
 */
#ifndef RACE_TEST_H
#define RACE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/userfaultfd.h>

/*
 * In this order: the test gives up before the point does, and that before init.
 */
#define RACE_DEADLINE_MS	40000	/* environment: RACE_DEADLINE_MS */
#define RACE_HOLD_MS		"60000"
#define ACTOR_THREADS		2
#define TWINS_MAX		128

/* A hang, in counts: so many refusals while there is no event to read. */
#define REFUSED_FOR_EVER	1000

#ifndef __printf
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#endif
#ifndef __noreturn
#define __noreturn		__attribute__((noreturn))
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(x)		(sizeof(x) / sizeof((x)[0]))
#endif

/* Verdicts and reasons. */
void race_begin(const char *fmt, ...) __printf(1, 2);
int race_end(const char *signature);
void race_cleanup(void (*put_back)(void));
void race_control_open(void);
int race_time_left(void);
bool race_look_again(void);
pid_t race_fork(void);
void race_keep_apart(pid_t spinner, pid_t other);
void __noreturn race_broken(const char *fmt, ...) __printf(1, 2);
void __noreturn race_skip(const char *fmt, ...) __printf(1, 2);

/*
 * The variant that the command line asks for: that element of an array whose
 * first member, a string, is the only argument.
 */
#define race_variant(argc, argv, variants)				\
	((const __typeof__((variants)[0]) *)race_find_variant(argc,	\
		argv, variants, sizeof((variants)[0]), sizeof(variants)))

const void *race_find_variant(int argc, char **argv, const void *variants,
			      size_t size, size_t all);

/*
 * A program of many small tests.  One that cannot be made says why in
 * check_skip.
 */
struct check_case {
	const char *name;
	void (*run)(void);
};

extern bool check_ok;
extern const char *check_skip;

int checks_run(const struct check_case *cases, size_t nr, void (*start)(void),
	       void (*stop)(void));

/* One check, which names itself when it fails. */
#define check(cond)							\
do {									\
	if (!(cond)) {							\
		ksft_print_msg("%s:%d: %s (errno %d)\n", __func__,	\
			       __LINE__, #cond, errno);			\
		check_ok = false;					\
	}								\
} while (0)

/* Race points.  Each of them is broken() if the kernel says no. */
bool race_points_exist(void);
void race_points_require(void);
void race_arm(const char *point, const char *fmt, ...) __printf(2, 3);
void race_wait(const char *point, const char *what);
void race_release(const char *point);
void race_disarm(const char *point);
int race_point_field(const char *point, const char *field);
void race_bypass_only(pid_t pid);

/* One line of the log: @at is an address, or the index of a page in a file. */
struct race_hit {
	char point[48];
	int cpu;
	pid_t tid;		/* 0: an interrupt */
	unsigned long at;
};

void race_log_begin(void);
int race_log(struct race_hit *hits, size_t max);

/* The session file by itself, for the tests of the race points. */
int race_session(void);
int race_command(int session, const char *fmt, ...) __printf(2, 3);
int race_field(int session, const char *point, const char *field);
int race_list_field(const char *point, const char *field);
int race_log_hits(int session, struct race_hit *hits, size_t max);

/*
 * One system call of an actor's thread.  Lives in memory that the controller
 * and all actors share.
 */
struct call {
	int state;
	pid_t tid;
	long nr;
	long arg[6];
	long ret;
	int err;
};

struct actor {
	pid_t pid;
	struct call *call;	/* ACTOR_THREADS of them */
};

void *shared_alloc(size_t size);
void actor_start(struct actor *a, void (*init)(void *arg), void *arg);
void actor_stop(struct actor *a);
void actor_call_args(struct actor *a, int thread, long nr, const long arg[6]);
#define actor_call(a, thread, nr, ...) \
	actor_call_args(a, thread, nr, (const long[6]) { __VA_ARGS__ })
int actor_fd(const struct actor *a, int fd);
void actor_done(struct actor *a, int thread);
bool actor_is_done(struct actor *a, int thread);
bool actor_blocked(struct actor *a, int thread);
bool actor_sleeps(struct actor *a, int thread);

enum actor_rest { ACTOR_DONE, ACTOR_BLOCKED, ACTOR_GONE };

enum actor_rest actor_rests(struct actor *a, int thread);
bool actor_runs(struct actor *a, int thread);

/* Processors, counted from 0 among those that the test has. */
int race_cpus(void);
int race_cpu(int nth);
void race_pin(pid_t tid, int nth);

/* A thread of an actor that touches a word in user mode, for ever. */
struct toucher {
	uint64_t *word;
	bool writes;
	pid_t tid;
	uint64_t touches;
	uint64_t value;		/* what it has read last */
};

int toucher_start(struct toucher *t, uint64_t *word, bool writes);
pid_t toucher_tid(const struct toucher *t);
uint64_t toucher_touches(const struct toucher *t);
uint64_t toucher_value(const struct toucher *t);
void toucher_wait(const struct toucher *t, uint64_t more);

/* The memory of another process. */
size_t page_size(void);
bool page_exists(pid_t pid, const void *addr);
size_t open_descriptors(void);
bool range_mapped(pid_t pid, const void *addr, size_t len);
unsigned char first_byte(pid_t pid, const void *addr);

/* A failing allocation of one thread: see fail-nth.c. */
void fail_nth_begin(bool pages);
int fail_nth_open(pid_t pid, pid_t tid);
void fail_nth_set(int fd, unsigned int n);
unsigned int fail_nth_left(int fd);

/* userfaultfd of an actor, as its monitor sees it. */
struct monitored;

/* What a context is switched to before UFFDIO_API. */
struct uffd_mode {
	int (*set)(int uffd);	/* in the actor; returns 0 or an errno, which goes to: */
	void (*verify)(const struct monitored *m, int err);
};

struct monitored {
	bool shmem;		/* set before the start: areas of a file in shmem */
	const struct uffd_mode *mode;	/* the same: NULL for the default one */
	struct actor actor;
	struct actor twin;	/* another process, the same mm; one thread */
	struct actor *twins;	/* all of them, each to be killed once */
	size_t nr_twins, next_twin;
	int uffd;		/* the controller's descriptor of it */
	int own_uffd;		/* the actor's own, and its number there */
	size_t pages;		/* of each area */
	char *area;		/* registered for missing pages */
	char *other;		/* a second mapping, registered too */
	char *file;		/* shmem: the controller's view of both */
};

/* A process that fills, from a source of its own. */
struct filler {
	struct actor actor;
	struct uffdio_copy *copy;	/* of its last fill */
	char *src;
	size_t pages;
	uint64_t missing;
};

void monitored_start(struct monitored *m, size_t pages, uint64_t features);
void monitored_start_twin(struct monitored *m, size_t pages, uint64_t features);
void monitored_start_twins(struct monitored *m, size_t pages, uint64_t features,
			   size_t twins);
void monitored_stop(struct monitored *m);
bool monitored_page_exists(const struct monitored *m, const char *addr);
size_t monitored_pages_exist(const struct monitored *m, const char *start,
			     size_t pages);
void twin_kill(struct monitored *m);
void twin_next(struct monitored *m);
void change_layout(struct monitored *m, struct actor *who, int thread,
		   unsigned int event);
char *uffd_area(int uffd, size_t len);
/*
 * Its parts, for processes with another layout: the first two run in the actor.
 */
int uffd_open(uint64_t features);
int uffd_register(int uffd, const void *start, size_t len);
void uffd_require(int err, uint64_t features);

bool event_readable(int uffd, int timeout_ms);
void event_read(int uffd, unsigned int event, struct uffd_msg *msg);
int fill(int uffd, void *dst, const void *src, size_t len, int64_t *copied);
void filler_start(struct filler *f, size_t pages, uint64_t missing);
void filler_copy(struct filler *f, int uffd, void *dst, size_t first, size_t pages);
int filler_done(struct filler *f);
int fill_or_event(int uffd, void *dst, const void *src);
long uffd_fdinfo(int uffd, const char *field);

#endif /* RACE_TEST_H */
