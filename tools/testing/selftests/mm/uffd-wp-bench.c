// SPDX-License-Identifier: GPL-2.0
/*
 * What write protection by userfaultfd costs, and what carries it along: fork,
 * mremap and KSM.  In instructions: see bench_test.h.
 *
 * A row of pages has those of one page table.  The counts of KSM are the CPU
 * time of ksmd, which is the number of its instructions there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_test.h"
#include "kselftest.h"
#include "pgtable_test.h"
#include "race_test.h"
#include "wp_test.h"

#define SIZE_4K		0x1000UL
#define SIZE_2M		0x200000UL
#define FORKED		(4 * SIZE_2M)
#define KSM_DIR		"/sys/kernel/mm/ksm/"
#define KSM_PAGES	128
#define KSM_SCANS	20
#define KSM_MERGES	5

static int uffd;
static char *pages, *huge, *forked;
static char *from, *to;		/* of mremap, each at the begin of its 4 MiB */
static size_t shift;		/* to is not aligned as from is */
static pid_t child;

static void need(bool cond, const char *what)
{
	if (!cond)
		race_broken("%s: %s", what, strerror(errno));
}

static void protect(char *start, size_t len)
{
	need(!wp_protect(uffd, start, len), "protect");
}

static void unprotect(char *start, size_t len)
{
	need(!wp_unprotect(uffd, start, len), "unprotect");
}

/* Gives them their write permission back, too. */
static void touch_all(char *start, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += SIZE_4K)
		touch_page(start + at);
}

/* UFFDIO_WRITEPROTECT */

static void writable_pages(void)
{
	unprotect(pages, SIZE_2M);
	touch_all(pages, SIZE_2M);
}

static void protected_pages(void)
{
	protect(pages, SIZE_2M);
}

static void protect_pages(void)
{
	protect(pages, SIZE_2M);
}

static void unprotect_pages(void)
{
	unprotect(pages, SIZE_2M);
}

static void protect_page(void)
{
	protect(pages, SIZE_4K);
}

static void writable_huge(void)
{
	unprotect(huge, SIZE_2M);
	touch_page(huge);
}

static void protected_huge(void)
{
	protect(huge, SIZE_2M);
}

static void protect_huge(void)
{
	protect(huge, SIZE_2M);
}

static void unprotect_huge(void)
{
	unprotect(huge, SIZE_2M);
}

/*
 * A fault, from the wake-up of a thread that writes to its next sleep.  There is
 * one processor, and it is never idle.
 */
static int turn;	/* odd: the writer's */

static void futex(int op, int value)
{
	syscall(SYS_futex, &turn, op, value, NULL, NULL, 0);
}

static void wait_while(int value)
{
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == value)
		futex(FUTEX_WAIT, value);
}

static void pass_turn(int next)
{
	__atomic_store_n(&turn, next, __ATOMIC_RELEASE);
	futex(FUTEX_WAKE, 1);
}

static void *writer(void *arg)
{
	(void)arg;
	for (;;) {
		wait_while(0);
		touch_page(pages);
		pass_turn(0);
	}
	return NULL;
}

static void wp_fault(void)
{
	struct uffd_msg msg;

	pass_turn(1);
	need(read(uffd, &msg, sizeof(msg)) == sizeof(msg), "read");
	unprotect(pages, SIZE_4K);
	wait_while(1);
}

/* fork */

static void end_child(void)
{
	if (child > 0)
		waitpid(child, NULL, 0);
	child = 0;
}

static void fork_child(void)
{
	child = fork();
	if (!child)
		_exit(0);
}

static void protected_to_fork(void)
{
	end_child();
	protect(forked, FORKED);
}

/* mremap */

static void map_from(void)
{
	need(map_at(from, SIZE_2M, MAP_PRIVATE | MAP_ANONYMOUS, -1) &&
	     !madvise(from, SIZE_2M, MADV_NOHUGEPAGE), "mmap");
}

static void reserve(char *start)
{
	need(mmap(start, 2 * SIZE_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_NORESERVE | MAP_FIXED, -1, 0) == start, "mmap");
}

static void to_move(size_t by)
{
	shift = by;
	reserve(from);
	reserve(to);
	map_from();
	touch_all(from, SIZE_2M);
}

static void plain_entries(void)
{
	to_move(SIZE_4K);
}

static void plain_table(void)
{
	to_move(0);
}

static void register_from(void)
{
	need(!wp_register(uffd, from, SIZE_2M, UFFDIO_REGISTER_MODE_WP),
	     "UFFDIO_REGISTER");
}

static void registered_entries(void)
{
	to_move(SIZE_4K);
	register_from();
}

static void registered_table(void)
{
	to_move(0);
	register_from();
}

static void protected_entries(void)
{
	registered_entries();
	protect(from, SIZE_2M);
}

static void move(void)
{
	need(mremap(from, SIZE_2M, SIZE_2M, MREMAP_MAYMOVE | MREMAP_FIXED,
		    to + shift) == to + shift, "mremap");
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} rows[] = {
	{ "wp-protect-page", writable_pages, protect_page },
	{ "wp-protect-pages", writable_pages, protect_pages },
	{ "wp-protect-again", protected_pages, protect_pages },
	{ "wp-unprotect-pages", protected_pages, unprotect_pages },
	{ "wp-unprotect-writable", writable_pages, unprotect_pages },
	{ "wp-protect-huge", writable_huge, protect_huge },
	{ "wp-unprotect-huge", protected_huge, unprotect_huge },
	{ "wp-fault", protected_pages, wp_fault },
	{ "fork-wp", protected_to_fork, fork_child },
	{ "mremap-entries", plain_entries, move },
	{ "mremap-table", plain_table, move },
	{ "mremap-registered-entries", registered_entries, move },
	{ "mremap-registered-table", registered_table, move },
	{ "mremap-wp-entries", protected_entries, move },
};

/* KSM */

static long ksm_get(const char *name)
{
	char path[64];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	f = fopen(path, "re");
	if (!f)
		race_skip("no KSM");
	if (fscanf(f, "%ld", &value) != 1)
		race_broken("%s", path);
	fclose(f);
	return value;
}

static void ksm_set(const char *name, long value)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	f = fopen(path, "we");
	need(f && fprintf(f, "%ld\n", value) > 0 && !fclose(f), path);
}

static clockid_t ksmd_clock(void)
{
	DIR *proc = opendir("/proc");
	char path[300], name[32];
	struct dirent *entry;
	clockid_t clock;
	bool found = false;
	FILE *f;

	need(proc, "/proc");
	while (!found && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		found = fscanf(f, "%31s", name) == 1 && !strcmp(name, "ksmd");
		fclose(f);
		if (found && clock_getcpuclockid(atoi(entry->d_name), &clock))
			race_broken("no clock of ksmd");
	}
	closedir(proc);
	if (!found)
		race_skip("no ksmd");
	return clock;
}

static uint64_t cpu_time(clockid_t clock)
{
	struct timespec ts;

	need(!clock_gettime(clock, &ts), "clock_gettime");
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Let ksmd go once through all that it has to; it sleeps when this returns. */
static void ksm_scan(void)
{
	long before = ksm_get("full_scans");

	while (ksm_get("full_scans") == before) {
		if (!race_look_again())
			race_broken("ksmd does not come to an end");
		usleep(1000);
	}
	usleep(1000);
}

static char *ksm_map(bool equal)
{
	char *area = mmap(NULL, KSM_PAGES * SIZE_4K, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	need(area != MAP_FAILED, "mmap");
	for (i = 0; i < KSM_PAGES; i++)
		memset(area + i * SIZE_4K, equal ? 0xff : i + 1, SIZE_4K);
	need(!madvise(area, KSM_PAGES * SIZE_4K, MADV_MERGEABLE), "madvise");
	return area;
}

static void ksm_unmap(char *area)
{
	ksm_set("run", 2);
	munmap(area, KSM_PAGES * SIZE_4K);
}

static void ksm_rows(void)
{
	clockid_t clock = ksmd_clock();
	uint64_t start, spent, least;
	char *area;
	int i;

	/* A scan, and then a long sleep. */
	ksm_set("pages_to_scan", 10 * KSM_PAGES);
	ksm_set("sleep_millisecs", 100);

	/* All pages differ, and are known from the scans before. */
	area = ksm_map(false);
	ksm_set("run", 1);
	ksm_scan();
	ksm_scan();
	for (i = 0, least = UINT64_MAX; i < KSM_SCANS; i++) {
		start = cpu_time(clock);
		ksm_scan();
		spent = cpu_time(clock) - start;
		if (spent < least)
			least = spent;
	}
	need(!ksm_get("pages_sharing"), "pages were merged");
	bench_report("ksm-scan", least);
	ksm_unmap(area);

	/* From the first scan of equal pages until all are merged. */
	for (i = 0, least = UINT64_MAX; i < KSM_MERGES; i++) {
		area = ksm_map(true);
		start = cpu_time(clock);
		ksm_set("run", 1);
		while (ksm_get("pages_sharing") != KSM_PAGES - 1)
			ksm_scan();
		spent = cpu_time(clock) - start;
		if (spent < least)
			least = spent;
		ksm_unmap(area);
	}
	bench_report("ksm-merge", least);
	ksm_set("run", 0);
}

static char *area_of(size_t len, int advice)
{
	char *area = huge_area(len, SIZE_2M);

	need(area && map_at(area, len, MAP_PRIVATE | MAP_ANONYMOUS, -1) &&
	     !madvise(area, len, advice), "mmap");
	touch_all(area, len);
	return area;
}

static void prepare_all(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	pthread_t thread;

	uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		race_skip("no write protection by userfaultfd");
	pages = area_of(SIZE_2M, MADV_NOHUGEPAGE);
	huge = area_of(SIZE_2M, MADV_HUGEPAGE);
	if (smaps_kb(getpid(), huge, SIZE_2M, "AnonHugePages") != SIZE_2M >> 10)
		race_broken("there are no huge pages to be had");
	forked = area_of(FORKED, MADV_NOHUGEPAGE);
	need(!wp_register(uffd, pages, SIZE_2M, UFFDIO_REGISTER_MODE_WP) &&
	     !wp_register(uffd, huge, SIZE_2M, UFFDIO_REGISTER_MODE_WP) &&
	     !wp_register(uffd, forked, FORKED, UFFDIO_REGISTER_MODE_WP),
	     "UFFDIO_REGISTER");
	from = huge_area(4 * SIZE_2M, SIZE_2M);
	need(from, "mmap");
	to = from + 2 * SIZE_2M;
	need(!pthread_create(&thread, NULL, writer, NULL), "pthread_create");
}

int main(void)
{
	size_t i;

	race_begin("uffd-wp-bench");
	if (page_size() != SIZE_4K || huge_size() != SIZE_2M)
		race_skip("pages are not of 4 KiB, or huge pages not of 2 MiB");
	prepare_all();
	bench_begin();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		bench_row(rows[i].name, rows[i].prepare, rows[i].run);
	end_child();
	ksm_rows();
	return race_end(NULL);
}
