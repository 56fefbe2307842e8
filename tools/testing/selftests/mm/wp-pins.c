// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are protected for a while, and who refers to them: devices, which
 * are to see what the process writes, and others, who are not.  Nothing races.
 *
 * Each check runs in a process of its own: it begins with no pin at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "pin_test.h"
#include "race_test.h"

#define KSM_DIR		"/sys/kernel/mm/ksm/"

/* Bits of /proc/kpageflags, and of /proc/PID/pagemap. */
#define KPF_KSM		21
#define PM_PFN_BITS	55
#define PM_SWAP		62
#define PM_PRESENT	63

static void put(char *addr, char value)
{
	__atomic_store_n(addr, value, __ATOMIC_RELAXED);
}

static char get(const char *addr)
{
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
}

/* What /proc says of a page of this process. */
static uint64_t entry_of(const char *file, uint64_t index)
{
	uint64_t entry;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), index * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", file, strerror(errno));
	close(fd);
	return entry;
}

static uint64_t page_entry(const char *addr)
{
	return entry_of("/proc/self/pagemap", (uintptr_t)addr / page_size());
}

static bool has(uint64_t entry, int bit)
{
	return entry >> bit & 1;
}

static bool is_ksm(const char *addr)
{
	uint64_t entry = page_entry(addr);

	if (!has(entry, PM_PRESENT))
		return false;
	entry <<= 64 - PM_PFN_BITS;
	return has(entry_of("/proc/kpageflags", entry >> (64 - PM_PFN_BITS)),
		   KPF_KSM);
}

/* A pin of another page, so that this process is one that has pinned. */
static void pin_another(struct pin *pin)
{
	struct area other;

	area_map(&other, BY_MPROTECT, 1);
	pin_buffer(pin, other.start, other.len);
}

/* How often, and in which parts, does not matter. */
static void there_and_back(void)
{
	struct area a;
	struct pin pin;
	int by;

	for (by = 0; by < NR_PROTECTORS; by++) {
		char *p;

		area_map(&a, by, 3);
		p = a.start + page_size();
		pin_buffer(&pin, a.start, a.len);
		/* Once, and again with what that has left. */
		area_protect(&a, a.start, a.len);
		area_unprotect(&a, a.start, a.len);
		put(p, 'B');
		check(pin_reads(&pin, p) == 'B');
		area_protect(&a, p, page_size());
		area_unprotect(&a, p, page_size());
		put(p, 'C');
		check(pin_reads(&pin, p) == 'C');
		/* Twice at a time. */
		area_protect(&a, p, page_size());
		area_protect(&a, a.start, a.len);
		area_unprotect(&a, p, page_size());
		area_unprotect(&a, a.start, a.len);
		put(p, 'D');
		check(pin_reads(&pin, p) == 'D');
		/* And if nothing was protected. */
		area_unprotect(&a, a.start, a.len);
		put(p, 'E');
		check(pin_reads(&pin, p) == 'E');
		/* Pages that were not written meanwhile. */
		put(a.start, 'F');
		check(pin_reads(&pin, a.start) == 'F');
	}
}

static void moved(void)
{
	struct area a;
	struct pin pin;
	char *to;

	area_map(&a, BY_MPROTECT, 1);
	pin_buffer(&pin, a.start, a.len);
	to = mmap(NULL, a.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area_protect(&a, a.start, a.len);
	check(mremap(a.start, a.len, a.len, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to) == to);
	area_unprotect(&a, to, a.len);
	put(to, 'B');
	check(pin_reads(&pin, a.start) == 'B');
}

/* A write by a debugger ends neither the protection nor the pin. */
static void forced(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct area a;
	struct pin pin;

	area_map(&a, BY_MPROTECT, 1);
	pin_buffer(&pin, a.start, a.len);
	area_protect(&a, a.start, a.len);
	check(pwrite(fd, "B", 1, (uintptr_t)a.start) == 1);
	check(pin_reads(&pin, a.start) == 'B');
	area_unprotect(&a, a.start, a.len);
	put(a.start, 'C');
	check(pin_reads(&pin, a.start) == 'C');
	close(fd);
}

static void huge(void)
{
	size_t page = page_size(), part = 8 * page;
	struct area a;
	struct pin pin;
	int by;

	for (by = 0; by < NR_PROTECTORS; by++) {
		/* As a whole, and then in parts. */
		area_map_huge(&a, by);
		pin_buffer(&pin, a.start, a.len);
		area_protect(&a, a.start, a.len);
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		check(pin_reads(&pin, a.start) == 'B');
		check(area_is_huge(&a));
		area_protect(&a, a.start, a.len);
		area_unprotect(&a, a.start, part);
		check(!area_is_huge(&a));
		put(a.start + page, 'C');
		check(pin_reads(&pin, a.start + page) == 'C');
		area_unprotect(&a, a.start, a.len);
		put(a.start + part, 'D');
		check(pin_reads(&pin, a.start + part) == 'D');
		munmap(a.start, a.len);

		/* In parts, and then as a whole. */
		area_map_huge(&a, by);
		pin_buffer(&pin, a.start, a.len);
		area_protect(&a, a.start + part, part);
		check(!area_is_huge(&a));
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		put(a.start + part, 'C');
		check(pin_reads(&pin, a.start) == 'B');
		check(pin_reads(&pin, a.start + part) == 'C');
		munmap(a.start, a.len);
	}
}

/* When the child is forked. */
static const char *const order_names[] = { "before", "while", "after" };

enum order { BEFORE, WHILE, AFTER, NR_ORDERS };

/*
 * A child has references to a page of both, and has unmapped it.  That they
 * look like a pin does not make the page the parent's.
 */
static void child_refers(enum reference by)
{
	struct sharer s;
	struct area a;
	struct pin pin;
	int order, how;

	pin_another(&pin);
	for (order = 0; order < NR_ORDERS; order++)
		for (how = 0; how < NR_PROTECTORS; how++) {
			/* Neither the child nor its reader could read it. */
			if (how == BY_PROT_NONE && order == WHILE)
				continue;
			area_map(&a, how, 1);
			if (order == BEFORE)
				sharer_fork(&s, by, a.start);
			area_protect(&a, a.start, a.len);
			if (order == WHILE)
				sharer_fork(&s, by, a.start);
			area_unprotect(&a, a.start, a.len);
			if (order == AFTER)
				sharer_fork(&s, by, a.start);
			sharer_unmap(&s, a.start, a.len);
			put(a.start, 'B');
			check(get(a.start) == 'B');
			if (sharer_reads(&s) != 'A') {
				ksft_print_msg("forked %s, protected by %d\n",
					       order_names[order], how);
				check_ok = false;
			}
			kill(s.pid, SIGKILL);
			waitpid(s.pid, NULL, 0);
		}
}

static void child_has_many(void)
{
	child_refers(BY_PIPE);
}

static void child_is_read(void)
{
	child_refers(BY_READER);
}

/* The same with a huge page, a part of which is unprotected. */
static void huge_child_is_read(void)
{
	struct sharer s;
	struct area a;
	struct pin pin;
	int how;

	pin_another(&pin);
	for (how = 0; how < BY_PROT_NONE; how++) {
		area_map_huge(&a, how);
		area_protect(&a, a.start, a.len);
		sharer_fork(&s, BY_READER, a.start);
		check(area_is_huge(&a));
		area_unprotect(&a, a.start, page_size());
		check(!area_is_huge(&a));
		sharer_unmap(&s, a.start, a.len);
		put(a.start, 'B');
		check(sharer_reads(&s) == 'A');
		kill(s.pid, SIGKILL);
		waitpid(s.pid, NULL, 0);
	}
}

/* What a pipe was given does not change: with no pin, and with some other. */
static void own_pipe(void)
{
	struct area a;
	struct pin pin;
	int pipe[2], pinned, how;

	for (pinned = 0; pinned < 2; pinned++) {
		for (how = 0; how < NR_PROTECTORS; how++) {
			area_map(&a, how, 1);
			references_make(pipe);
			references_add(pipe, a.start,
				       pinned ? 1 : MANY_REFERENCES);
			area_protect(&a, a.start, a.len);
			area_unprotect(&a, a.start, a.len);
			put(a.start, 'B');
			check(references_read(pipe) == 'A');
			close(pipe[0]);
			close(pipe[1]);
		}
		pin_another(&pin);
	}
}

/* A child gets a copy of a pinned page, and the pin stays with the parent. */
static void fork_pinned(void)
{
	struct area a;
	struct pin pin;
	int *seen = shared_alloc(2 * sizeof(*seen));
	int how, status;
	pid_t pid;

	for (how = 0; how < BY_PROT_NONE; how++) {
		memset(seen, 0, 2 * sizeof(*seen));
		area_map(&a, how, 1);
		pin_buffer(&pin, a.start, a.len);
		area_protect(&a, a.start, a.len);
		pid = race_fork();
		if (!pid) {
			while (!__atomic_load_n(&seen[0], __ATOMIC_ACQUIRE))
				race_look_again();
			seen[1] = get(a.start);
			/* The child's area is not registered. */
			if (a.by != BY_UFFD)
				area_unprotect(&a, a.start, a.len);
			put(a.start, 'C');
			_exit(0);
		}
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		check(pin_reads(&pin, a.start) == 'B');
		__atomic_store_n(&seen[0], 1, __ATOMIC_RELEASE);
		waitpid(pid, &status, 0);
		check(WIFEXITED(status));
		check(seen[1] == 'A');
		check(get(a.start) == 'B');
		put(a.start, 'D');
		check(pin_reads(&pin, a.start) == 'D');
	}
}

/* Without a pin they share it, until one of them writes. */
static void fork_unpinned(void)
{
	struct area a;
	struct pin pin;
	char *seen = shared_alloc(2);
	int how, status;
	pid_t pid;

	pin_another(&pin);
	for (how = 0; how < NR_PROTECTORS; how++) {
		memset(seen, 0, 2);
		area_map(&a, how, 2);
		area_protect(&a, a.start, a.len);
		pid = race_fork();
		if (!pid) {
			if (a.by != BY_UFFD)
				area_unprotect(&a, a.start, a.len);
			put(a.start + page_size(), 'C');
			__atomic_store_n(&seen[1], 1, __ATOMIC_RELEASE);
			while (__atomic_load_n(&seen[0], __ATOMIC_ACQUIRE) != 1)
				race_look_again();
			seen[0] = get(a.start);
			_exit(0);
		}
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		while (!__atomic_load_n(&seen[1], __ATOMIC_ACQUIRE))
			if (!race_look_again())
				race_broken("a child does not write");
		check(get(a.start + page_size()) == 'A');
		__atomic_store_n(&seen[0], 1, __ATOMIC_RELEASE);
		waitpid(pid, &status, 0);
		check(WIFEXITED(status) && seen[0] == 'A');
		put(a.start + page_size(), 'D');
		check(get(a.start + page_size()) == 'D');
	}
}

static long ksm_get(const char *name)
{
	char path[64];
	long value;
	FILE *f;

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%ld", &value) != 1)
		race_broken("%s: %s", path, strerror(errno));
	fclose(f);
	return value;
}

static void ksm_run(bool on)
{
	int fd = open(KSM_DIR "run", O_WRONLY | O_CLOEXEC);

	/* No KSM, or nobody has switched it on. */
	if (fd < 0 && !on)
		return;
	if (fd < 0 || write(fd, on ? "1" : "0", 1) != 1)
		race_broken(KSM_DIR "run: %s", strerror(errno));
	close(fd);
}

static void ksm_off(void)
{
	ksm_run(false);
}

/* Another process with an equal page. */
struct equal {
	int step;
	char seen;
	int pipe[2];
	pid_t pid;
};

static void equal_step(struct equal *e, int step)
{
	__atomic_store_n(&e->step, step, __ATOMIC_RELEASE);
}

static void equal_wait(struct equal *e, int step)
{
	while (__atomic_load_n(&e->step, __ATOMIC_ACQUIRE) < step)
		if (!race_look_again())
			race_broken("an equal page: step %d of %d", e->step, step);
}

static void __noreturn equal_main(struct equal *e)
{
	struct area a;

	equal_wait(e, 1);
	area_map(&a, BY_MPROTECT, 1);
	if (madvise(a.start, a.len, MADV_MERGEABLE))
		race_broken("MADV_MERGEABLE: %s", strerror(errno));
	equal_step(e, 2);
	equal_wait(e, 3);
	references_add(e->pipe, a.start, MANY_REFERENCES);
	equal_step(e, 4);
	equal_wait(e, 5);
	e->seen = get(a.start);
	equal_step(e, 6);
	for (;;)
		pause();
}

static struct equal *equal_fork(void)
{
	struct equal *e = shared_alloc(sizeof(*e));
	pid_t pid;

	references_make(e->pipe);
	pid = race_fork();
	if (!pid)
		equal_main(e);
	e->pid = pid;
	return e;
}

/* What is in its pipe is merged with as well, as long as it is there. */
static void equal_stop(struct equal *e)
{
	kill(e->pid, SIGKILL);
	waitpid(e->pid, NULL, 0);
	close(e->pipe[0]);
	close(e->pipe[1]);
}

/* @other_first: KSM meets the other page first, so that this one is kept. */
static void merge_once(enum protector how, bool other_first)
{
	struct equal *e = equal_fork();
	struct area a;
	struct pin pin;

	pin_another(&pin);
	if (other_first) {
		equal_step(e, 1);
		equal_wait(e, 2);
	}
	area_map(&a, how, 1);
	area_protect(&a, a.start, a.len);
	if (madvise(a.start, a.len, MADV_MERGEABLE))
		race_broken("MADV_MERGEABLE: %s", strerror(errno));
	if (!other_first) {
		equal_step(e, 1);
		equal_wait(e, 2);
	}
	ksm_run(true);
	while (!is_ksm(a.start))
		if (!race_look_again())
			race_broken("two pages are not merged");
	ksm_run(false);
	area_unprotect(&a, a.start, a.len);
	equal_step(e, 3);
	equal_wait(e, 4);
	put(a.start, 'B');
	equal_step(e, 5);
	equal_wait(e, 6);
	check(get(a.start) == 'B');
	check(e->seen == 'A');
	check(references_read(e->pipe) == 'A');
	equal_stop(e);
}

/*
 * A protected page is merged, and may itself become the one that all map: it
 * is nobody's alone then.  KSM scans processes in the order in which they have
 * asked for it, so each pair is a new one.
 */
static void equal_merged(void)
{
	int how, other_first, status;
	pid_t pid;

	if (access(KSM_DIR "run", W_OK)) {
		check_skip = "no KSM";
		return;
	}
	for (how = 0; how < BY_PROT_NONE; how++)
		for (other_first = 0; other_first < 2; other_first++) {
			fflush(stdout);
			pid = race_fork();
			if (!pid) {
				merge_once(how, other_first);
				fflush(stdout);
				_exit(!check_ok);
			}
			waitpid(pid, &status, 0);
			check(WIFEXITED(status) && !WEXITSTATUS(status));
		}
}

/* A pinned page is not merged, and the protection does not change that. */
static void pinned_not_merged(void)
{
	struct equal *e;
	struct area a;
	struct pin pin;
	long scans;
	int how;

	if (access(KSM_DIR "run", W_OK)) {
		check_skip = "no KSM";
		return;
	}
	for (how = 0; how < BY_PROT_NONE; how++) {
		e = equal_fork();
		equal_step(e, 1);
		equal_wait(e, 2);
		area_map(&a, how, 1);
		pin_buffer(&pin, a.start, a.len);
		area_protect(&a, a.start, a.len);
		if (madvise(a.start, a.len, MADV_MERGEABLE))
			race_broken("MADV_MERGEABLE: %s", strerror(errno));
		ksm_run(true);
		/* It takes two to know that neither changes. */
		scans = ksm_get("full_scans");
		while (ksm_get("full_scans") < scans + 4)
			if (!race_look_again())
				race_broken("KSM does not scan");
		ksm_run(false);
		check(!is_ksm(a.start));
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		check(pin_reads(&pin, a.start) == 'B');
		equal_stop(e);
		munmap(a.start, a.len);
	}
}

static bool swap_exists(void)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[256];
	int lines = 0;

	while (f && fgets(line, sizeof(line), f))
		lines++;
	if (f)
		fclose(f);
	return lines > 1;
}

/* A pinned page stays, and one that was in swap is nobody's alone. */
static void swapped(void)
{
	struct sharer s;
	struct area a;
	struct pin pin;
	int how;

	if (!swap_exists()) {
		check_skip = "no swap";
		return;
	}
	for (how = 0; how < BY_PROT_NONE; how++) {
		area_map(&a, how, 1);
		pin_buffer(&pin, a.start, a.len);
		area_protect(&a, a.start, a.len);
		check(!madvise(a.start, a.len, MADV_PAGEOUT));
		check(has(page_entry(a.start), PM_PRESENT));
		area_unprotect(&a, a.start, a.len);
		put(a.start, 'B');
		check(pin_reads(&pin, a.start) == 'B');

		area_map(&a, how, 1);
		area_protect(&a, a.start, a.len);
		while (!has(page_entry(a.start), PM_SWAP)) {
			check(!madvise(a.start, a.len, MADV_PAGEOUT));
			if (!race_look_again())
				race_broken("a page does not go to swap");
		}
		sharer_fork(&s, BY_PIPE, a.start);
		check(get(a.start) == 'A');
		area_unprotect(&a, a.start, a.len);
		sharer_unmap(&s, a.start, a.len);
		put(a.start, 'B');
		check(get(a.start) == 'B');
		check(sharer_reads(&s) == 'A');
		kill(s.pid, SIGKILL);
		waitpid(s.pid, NULL, 0);
	}
}

/* The node that a page is on. */
static int node_of(void *page)
{
	int status;

	if (syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0) || status < 0)
		race_broken("move_pages: %s, status %d", strerror(errno), status);
	return status;
}

/* A pinned page cannot be moved, and an attempt does not end the protection. */
static void migration_fails(struct area *a, char *page)
{
	struct pin pin;
	void *start = a->start;
	int node, status;

	pin_buffer(&pin, a->start, a->len);
	node = !node_of(a->start);
	area_protect(a, a->start, a->len);
	syscall(SYS_move_pages, 0, 1, &start, &node, &status, MPOL_MF_MOVE);
	check(node_of(a->start) != node);
	area_unprotect(a, page, page_size());
	put(page, 'B');
	check(pin_reads(&pin, page) == 'B');
}

static void not_migrated(void)
{
	struct area a;
	int how;

	if (access("/sys/devices/system/node/node1", F_OK)) {
		check_skip = "needs two nodes: boot with numa=fake=2";
		return;
	}
	for (how = 0; how < BY_PROT_NONE; how++) {
		area_map(&a, how, 1);
		migration_fails(&a, a.start);
		area_map_huge(&a, how);
		migration_fails(&a, a.start + page_size());
	}
}

static struct outcome {
	bool ok;
	char skip[128];
} *outcome;

static void alone(void (*run)(void))
{
	pid_t pid;
	int status;

	outcome->ok = false;
	*outcome->skip = '\0';
	fflush(stdout);
	pid = race_fork();
	if (!pid) {
		run();
		if (check_skip)
			snprintf(outcome->skip, sizeof(outcome->skip), "%s",
				 check_skip);
		outcome->ok = check_ok;
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ksm_off();
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		check_skip = "see above";
	else if (!WIFEXITED(status) || !outcome->ok)
		check_ok = false;
	if (*outcome->skip)
		check_skip = outcome->skip;
}

#define ALONE(name)							\
static void name##_alone(void)						\
{									\
	alone(name);							\
}

ALONE(there_and_back)
ALONE(moved)
ALONE(forced)
ALONE(huge)
ALONE(child_has_many)
ALONE(child_is_read)
ALONE(huge_child_is_read)
ALONE(own_pipe)
ALONE(fork_pinned)
ALONE(fork_unpinned)
ALONE(equal_merged)
ALONE(pinned_not_merged)
ALONE(swapped)
ALONE(not_migrated)

static const struct check_case cases[] = {
	{ "a device sees what is written after a protection",
	  there_and_back_alone },
	{ "the same where the page was moved meanwhile", moved_alone },
	{ "the same where a debugger has written meanwhile", forced_alone },
	{ "the same of huge pages, in whole and in part", huge_alone },
	{ "a child's pipes keep what they were given", child_has_many_alone },
	{ "a child's reader reads the page that it has pinned",
	  child_is_read_alone },
	{ "the same of a huge page", huge_child_is_read_alone },
	{ "the process's own pipes keep what they were given", own_pipe_alone },
	{ "fork copies a pinned page, protected or not", fork_pinned_alone },
	{ "fork shares a page that is not pinned", fork_unpinned_alone },
	{ "a page that was merged is not written", equal_merged_alone },
	{ "a pinned page is not merged", pinned_not_merged_alone },
	{ "swap", swapped_alone },
	{ "an attempt to move a pinned page", not_migrated_alone },
};

int main(void)
{
	struct area a;
	struct pin pin;

	ksft_print_header();
	outcome = shared_alloc(sizeof(*outcome));
	/* Skips all if there is nothing to protect by, or to pin. */
	area_map(&a, BY_UFFD, 1);
	pin_buffer(&pin, a.start, a.len);
	return checks_run(cases, ARRAY_SIZE(cases), NULL, NULL);
}
