// SPDX-License-Identifier: GPL-2.0
/*
 * When a monitor has read FORK, no thread of the parent writes to a page that
 * the child shares.
 *
 *	thread 0		toucher			monitor
 *	fork
 *	  write-protects the	writes to the page,
 *	  page for both		by an old entry of
 *	  held before the flush	its TLB
 *							is FORK readable?
 *	released
 *	  flushes
 *				takes a page of its own
 *
 * A monitor that reads FORK before the flush takes the parent's pages for the
 * child's, and the child's go on changing.  5.10 tells the monitor after all
 * that and is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"

#define FORKS	50

static struct shared {
	int uffd;
	uint64_t *word;		/* private memory, registered */
	pid_t toucher;
	uint64_t written;	/* by the toucher, to the word */
	int err;
} *s;

static struct actor a;

/*
 * The toucher never enters the kernel, so that its processor keeps its TLB
 * entries.
 */
static void *touch(void *arg)
{
	volatile uint64_t *word = s->word, *written = &s->written;
	uint64_t n = 0;

	(void)arg;
	__atomic_store_n(&s->toucher, syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;) {
		*word = ++n;
		*written = n;
	}
	return NULL;
}

static void start(void *arg)
{
	pthread_t thread;

	(void)arg;
	s->uffd = uffd_open(UFFD_FEATURE_EVENT_FORK);
	if (s->uffd >= 0) {
		s->word = (uint64_t *)uffd_area(s->uffd, page_size());
		if (s->word) {
			s->err = pthread_create(&thread, NULL, touch, NULL);
			return;
		}
	}
	s->err = errno;
}

static uint64_t written(void)
{
	return __atomic_load_n(&s->written, __ATOMIC_ACQUIRE);
}

static uint64_t word_of(pid_t pid)
{
	char path[32];
	uint64_t word;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &word, sizeof(word), (uintptr_t)s->word) != sizeof(word))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return word;
}

/*
 * The first fault is the monitor's; then the page is there and is written to.
 */
static void let_it_write(int uffd)
{
	char *page = shared_alloc(page_size());
	uint64_t n;

	event_read(uffd, UFFD_EVENT_PAGEFAULT, NULL);
	if (fill(uffd, s->word, page, page_size(), NULL))
		race_broken("fill: %s", strerror(errno));
	for (n = written(); written() == n;)
		if (!race_look_again())
			race_broken("the toucher does not write");
}

/*
 * Asleep: its store has found no entry and waits for the mmap_lock of the fork.
 */
static bool toucher_faults(void)
{
	char path[64], text[512], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", a.pid, s->toucher);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		race_broken("%s: %s", path, strerror(errno));
	fclose(f);
	p = strrchr(text, ')');
	return p && p[2] == 'D';
}

enum outcome { AFTER, BEFORE, BEFORE_AND_WRITTEN };

/* Has FORK been read before the flush, and has the toucher written since? */
static enum outcome fork_once(int uffd)
{
	enum outcome outcome = AFTER;
	struct uffd_msg msg;
	uint64_t then = 0;
	pid_t child;

	race_arm("uffd_fork_copied", "tid=%d timeout=" RACE_HOLD_MS, a.call[0].tid);
	actor_call(&a, 0, SYS_clone, SIGCHLD);
	while (!event_readable(uffd, 0) &&
	       race_point_field("uffd_fork_copied", "held") != 1)
		if (!race_look_again())
			race_broken("the fork is neither held nor pending");
	if (event_readable(uffd, 0)) {
		event_read(uffd, UFFD_EVENT_FORK, &msg);
		then = written();
		race_wait("uffd_fork_copied", "held=1");
		outcome = BEFORE_AND_WRITTEN;
		while (written() < then + 2 && outcome != BEFORE)
			if (toucher_faults())
				outcome = BEFORE;
			else if (!race_look_again())
				race_broken("the toucher neither writes nor faults");
	}
	race_release("uffd_fork_copied");
	if (outcome == AFTER)
		event_read(uffd, UFFD_EVENT_FORK, &msg);
	actor_done(&a, 0);
	race_disarm("uffd_fork_copied");
	child = a.call[0].ret;
	if (child < 0)
		race_broken("fork: %s", strerror(a.call[0].err));
	if (outcome == BEFORE_AND_WRITTEN && word_of(child) <= then + 1)
		race_broken("the child has not got what was written");
	close(msg.arg.fork.ufd);
	kill(child, SIGKILL);
	return outcome;
}

int main(void)
{
	enum outcome outcome;
	int uffd, forks = 0;

	race_begin("uffd-fork-after-flush");
	race_points_require();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		race_skip("needs two processors");
	s = shared_alloc(sizeof(*s));
	actor_start(&a, start, NULL);
	uffd_require(s->err, UFFD_FEATURE_EVENT_FORK);
	uffd = actor_fd(&a, s->uffd);
	let_it_write(uffd);
	race_keep_apart(s->toucher, a.call[0].tid);

	/* An interrupt can evict the entry from the TLB: try again. */
	do
		outcome = fork_once(uffd);
	while (outcome == BEFORE && ++forks < FORKS);
	if (outcome == BEFORE)
		race_broken("the toucher's TLB has lost its entry %d times", FORKS);
	ksft_print_msg("FORK was read %s the flush\n",
		       outcome == AFTER ? "after" : "before");
	close(uffd);
	actor_stop(&a);
	return race_end(outcome == AFTER ? NULL : "parent-writes-to-child");
}
