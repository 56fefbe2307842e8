// SPDX-License-Identifier: GPL-2.0
/*
 * An attempt at the deadlock that Hugh Dickins met in 2016: who allocates a
 * page table under a page lock waits for the OOM killer, whose victim waits for
 * that page lock in munlock_vma_pages_all() and so frees nothing.
 *
 *	allocator			victim			controller
 *	fault, asks whether it needs a page table: not with this huge page
 *	held before ->fault()
 *							punches a hole: the huge page
 *							is split, the pmd is none
 *					mlock() of the small page
 *							the memory cgroup of both is full
 *	->fault() locks the page
 *	base: allocates a page table,
 *	the OOM killer chooses
 *					is killed, munlock:
 *					waits for the page
 *	series: faults again, and
 *	allocates before ->fault()
 *
 * This is no race with a verdict: who is killed second, and whether anybody has
 * to be, is for the OOM killer to say.  It prints what was seen, and fails if
 * anybody hangs.  It wants a machine of its own: it makes the kernel print a
 * stack.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define CGROUP		"/sys/fs/cgroup/"
#define GROUP		CGROUP "race"
#define LOCKED		64	/* pages of the victim */

static struct shared {
	int fd;
	char *area;
	int err;
} *s;

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static void put_number(const char *path, long number)
{
	char text[24];
	int err;

	snprintf(text, sizeof(text), "%ld", number);
	err = put(path, text);
	if (err)
		race_broken("%s: %s", path, strerror(err));
}

static long get(const char *path, const char *key)
{
	char word[64];
	long value = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		race_broken("%s: %s", path, strerror(errno));
	if (!key && fscanf(f, "%ld", &value) != 1)
		value = -1;
	while (key && fscanf(f, "%63s %ld", word, &value) == 2)
		if (!strcmp(word, key))
			break;
	fclose(f);
	return value;
}

static void map_area(void *arg)
{
	(void)arg;
	s->area = huge_area(huge_size(), huge_size());
	if (!s->area || !map_at(s->area, huge_size(), MAP_SHARED, s->fd))
		s->err = errno;
}

static void cgroup_make(void)
{
	if (access(CGROUP "cgroup.controllers", R_OK))
		race_skip("no cgroup2 on " CGROUP);
	if (put(CGROUP "cgroup.subtree_control", "+memory"))
		race_skip("no memory controller in cgroup2");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		race_broken(GROUP ": %s", strerror(errno));
}

static void cgroup_enter(struct actor *a, int oom_score_adj)
{
	char path[64];

	put_number(GROUP "/cgroup.procs", a->pid);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", a->pid);
	put_number(path, oom_score_adj);
}

/*
 * Leave no room for another page, nor for one that a processor has charged in
 * advance.
 */
static void cgroup_full(void)
{
	long now = get(GROUP "/memory.current", NULL), before;

	put_number(GROUP "/memory.high", now - (long)page_size());
	do {
		before = now;
		usleep(50000);
		now = get(GROUP "/memory.current", NULL);
	} while (now != before);
	put_number(GROUP "/memory.max", now);
	put(GROUP "/memory.high", "max");
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* How long a process takes to die; -1 if it does not within a time. */
static long died(pid_t pid, long long start, long patience)
{
	do {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return now_ms() - start;
		usleep(500);
	} while (now_ms() - start < patience);
	return -1;
}

int main(void)
{
	struct actor allocator, victim;
	long long start;
	long victim_ms, kills;
	size_t size = huge_size(), page = page_size();
	bool done;

	race_begin("pgtable-oom-munlock");
	race_points_require();
	cgroup_make();
	s = shared_alloc(sizeof(*s));
	s->fd = tmpfs_file("huge=always", size);
	make_huge(s->fd, size);
	actor_start(&victim, map_area, NULL);
	actor_start(&allocator, map_area, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));
	cgroup_enter(&victim, 1000);
	cgroup_enter(&allocator, 0);

	/*
	 * Locked memory of the cgroup, which only the exit of the victim frees.
	 */
	actor_call(&victim, 0, SYS_mmap, 0, LOCKED * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	actor_done(&victim, 0);
	if (victim.call[0].ret == -1)
		race_broken("mmap: %s", strerror(victim.call[0].err));

	race_arm("pgtable_fault", "tid=%d timeout=" RACE_HOLD_MS, allocator.call[0].tid);
	race_arm("pgtable_fault_asked", "tid=%d timeout=" RACE_HOLD_MS, allocator.call[0].tid);
	actor_touch(&allocator, 0, s->area, true);
	race_wait("pgtable_fault", "held=1");
	actor_touch(&allocator, 1, s->area + size / 2, false);
	actor_done(&allocator, 1);
	race_release("pgtable_fault");
	race_wait("pgtable_fault_asked", "held=1");
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size - page, page))
		race_broken("fallocate: %s", strerror(errno));
	actor_call(&victim, 0, SYS_mlock, (long)s->area, page);
	actor_done(&victim, 0);
	if (victim.call[0].ret || !page_exists(victim.pid, s->area))
		race_broken("mlock: %s", strerror(victim.call[0].err));
	cgroup_full();
	if (get(GROUP "/memory.events", "oom_kill"))
		race_broken("the OOM killer was too early");

	start = now_ms();
	race_release("pgtable_fault_asked");
	victim_ms = died(victim.pid, start, 20000);
	while (!actor_is_done(&allocator, 0) && died(allocator.pid, start, 1) < 0 &&
	       now_ms() - start < 20000)
		;
	done = actor_is_done(&allocator, 0);
	kills = get(GROUP "/memory.events", "oom_kill");
	ksft_print_msg("OOM kills: %ld; the victim %s (%ld ms), the allocator %s (%s)\n", kills,
		       victim_ms < 0 ? "hangs" : "is dead", victim_ms,
		       done ? "has returned" : "is dead or hangs",
		       done ? strerror(allocator.call[0].err) : "-");
	put(GROUP "/memory.max", "max");
	if (victim_ms >= 0 && done)
		actor_stop(&allocator);
	rmdir(GROUP);
	return race_end(victim_ms < 0 ? "victim-hangs" : NULL);
}
