// SPDX-License-Identifier: GPL-2.0
/*
 * What khugepaged charges a tmpfs for, and what its failures leave: checks in
 * which nothing races.
 *
 * Each file has one range of a huge page with holes, mapped by a process that
 * does nothing.  Blocks are counted exactly by tmpfs, pages of shmem by the
 * kernel after vm.stat_refresh.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define PAGE		4096
#define HUGE_PAGES	512	/* of them */
#define ROOM		(4 * HUGE_PAGES)
#define LAST		(HUGE_PAGES - 1)

/* All of the slots of one node of the page cache are holes. */
#define NODE_FIRST	64
#define NODE_LAST	127

static struct shared {
	int fd;
	int other_fd;		/* the same holes, more room; -1: none */
	char *area;
	char *other;
	int err;
} *s;

static struct actor a;
static char *view;		/* of the file, in this process */

struct count {
	long blocks;		/* of the file, in pages */
	long free;		/* of its tmpfs */
	long shmem;		/* of the machine */
	long huge;		/* of the machine, in huge pages */
};

static long counter_of(const char *key)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char name[64];
	long value;

	if (!f)
		race_broken("/proc/vmstat: %s", strerror(errno));
	while (fscanf(f, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, key)) {
			fclose(f);
			return value;
		}
	race_broken("/proc/vmstat has no %s", key);
}

static struct count count(void)
{
	struct count c;
	struct stat st;
	struct statfs fs;
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		race_broken("vm.stat_refresh: %s", strerror(errno));
	close(fd);
	if (fstat(s->fd, &st) || fstatfs(s->fd, &fs))
		race_broken("stat: %s", strerror(errno));
	c.blocks = st.st_blocks / (page_size() / 512);
	c.free = fs.f_bfree;
	c.shmem = counter_of("nr_shmem");
	c.huge = counter_of("nr_shmem_hugepages");
	return c;
}

/*
 * Since @was: so many pages of the file, of them so many in huge pages, more.
 */
static bool counts(const char *what, struct count was, long charged, long pages, long huge)
{
	struct count is = count();
	bool good = is.blocks == was.blocks + charged && is.free == was.free - charged &&
		    is.shmem == was.shmem + pages && is.huge == was.huge + huge;

	if (!good) {
		ksft_print_msg("%s: blocks %+ld free %+ld shmem %+ld huge %+ld\n", what,
			       is.blocks - was.blocks, is.free - was.free,
			       is.shmem - was.shmem, is.huge - was.huge);
		ksft_print_msg("not %+ld %+ld %+ld %+ld\n", charged, -charged, pages,
			       huge);
	}
	return good;
}

/* No two pages next to each other are alike. */
static char content(size_t n)
{
	return 1 + n % 127;
}

static int make_file(size_t room, size_t first, size_t last)
{
	char options[64], buf[PAGE];
	size_t n, page = page_size();
	int fd;

	snprintf(options, sizeof(options), "huge=advise,size=%zu", room * page);
	fd = tmpfs_file(options, 2 * huge_size());
	for (n = 0; n < HUGE_PAGES; n++) {
		memset(buf, content(n), page);
		if ((n < first || n > last) && pwrite(fd, buf, page, n * page) != (ssize_t)page)
			race_broken("write: %s", strerror(errno));
	}
	return fd;
}

/* Has the file all its pages, with what was written into them? */
static bool intact(size_t first, size_t last)
{
	size_t n, page = page_size();
	char buf[PAGE];

	for (n = 0; n < HUGE_PAGES; n++) {
		if (n >= first && n <= last)
			continue;
		if (pread(s->fd, buf, page, n * page) != (ssize_t)page)
			race_broken("read: %s", strerror(errno));
		if (buf[0] != content(n) || memcmp(buf, buf + 1, page - 1)) {
			ksft_print_msg("page %zu is %d\n", n, buf[0]);
			return false;
		}
	}
	return true;
}

static bool is_there(char *v, size_t n)
{
	unsigned char in_core;

	if (mincore(v + n * page_size(), page_size(), &in_core))
		race_broken("mincore: %s", strerror(errno));
	return in_core & 1;
}

static bool there(size_t n)
{
	return is_there(view, n);
}

static size_t pages_mapped(void)
{
	size_t n, mapped = 0;

	for (n = 0; n < HUGE_PAGES; n++)
		mapped += page_exists(a.pid, s->area + n * page_size());
	return mapped;
}

static void map_areas(void *arg)
{
	size_t size = huge_size(), n;
	char *p = huge_area(4 * size, size);

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	if (!p)
		goto fail;
	s->area = map_at(p, size, MAP_SHARED, s->fd);
	if (!s->area)
		goto fail;
	/* All but the first page, which may be a hole. */
	for (n = 1; n < HUGE_PAGES && s->other_fd >= 0; n++)
		(void)*(volatile char *)(s->area + n * page_size());
	if (s->other_fd >= 0) {
		s->other = map_at(p + 2 * size, size, MAP_SHARED, s->other_fd);
		if (!s->other)
			goto fail;
	}
	return;
fail:
	s->err = errno;
}

static void *map_view(int fd)
{
	void *v = mmap(NULL, huge_size(), PROT_READ, MAP_SHARED, fd, 0);

	if (v == MAP_FAILED || madvise(v, huge_size(), MADV_DONTFORK))
		race_broken("mmap: %s", strerror(errno));
	return v;
}

static void begin(size_t room, size_t first, size_t last)
{
	s->fd = make_file(room, first, last);
	view = map_view(s->fd);
	actor_start(&a, map_areas, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));
}

static void advise(char *area, int advice)
{
	actor_call(&a, 0, SYS_madvise, (long)area, huge_size(), advice);
	actor_done(&a, 0);
	if (a.call[0].ret)
		race_broken("madvise: %s", strerror(a.call[0].err));
}

/*
 * The first call sets the flag by which the second tells khugepaged of this mm.
 */
static void eligible(char *area)
{
	advise(area, MADV_HUGEPAGE);
	advise(area, MADV_HUGEPAGE);
}

static void wait_there(char *v, size_t n)
{
	while (!is_there(v, n))
		if (!race_look_again())
			race_broken("khugepaged does not fill a hole");
}

/* Until its end the range is not looked at again. */
static void hold_collapse(void)
{
	race_arm("pgtable_collapse", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
	eligible(s->area);
	race_wait("pgtable_collapse", "held=1");
	advise(s->area, MADV_NOHUGEPAGE);
}

static void release_collapse(void)
{
	race_release("pgtable_collapse");
	khugepaged_passes(2);
	check(race_point_field("pgtable_collapse", "timeouts") == 0);
	check(race_point_field("pgtable_collapse", "hits") == 1);
	race_disarm("pgtable_collapse");
}

/* Nothing is left when the file is empty. */
static void end(struct count empty)
{
	actor_stop(&a);
	munmap(view, huge_size());
	if (ftruncate(s->fd, 0))
		race_broken("ftruncate: %s", strerror(errno));
	check(counts("empty", empty, 0, 0, 0));
	close(s->fd);
}

/* The counts that the file would have without a page. */
static struct count without(struct count c, long pages)
{
	c.blocks -= pages;
	c.free += pages;
	c.shmem -= pages;
	return c;
}

/* Nothing is done to a page of a file whose tmpfs has no room for its hole. */
static void no_room(void)
{
	char byte = 1, *other_view;
	struct count full;

	s->other_fd = make_file(ROOM, 0, 0);
	other_view = map_view(s->other_fd);
	begin(HUGE_PAGES, 0, 0);
	/* This page is behind the range. */
	if (pwrite(s->fd, &byte, 1, huge_size()) != 1)
		race_broken("write: %s", strerror(errno));
	full = count();
	check(full.free == 0);
	check(pages_mapped() == LAST);

	eligible(s->area);
	eligible(s->other);
	wait_there(other_view, 0);
	khugepaged_passes(2);
	check(pages_mapped() == LAST);
	check(!there(0));
	check(counts("no room", full, 0, 1, 1));
	check(intact(0, 0));

	/* With room the range is collapsed. */
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, huge_size(),
		      page_size()))
		race_broken("fallocate: %s", strerror(errno));
	wait_there(view, 0);
	khugepaged_passes(2);
	check(counts("room", full, 0, 1, 2));
	check(intact(0, 0));
	munmap(other_view, huge_size());
	close(s->other_fd);
	s->other_fd = -1;
	actor_stop(&a);
	munmap(view, huge_size());
	close(s->fd);
}

/* Holes are charged when they are met, and filled last. */
static void success(void)
{
	struct count was;

	begin(ROOM, NODE_FIRST, NODE_LAST);
	was = count();
	hold_collapse();
	check(!there(NODE_FIRST));
	check(counts("held", was, 64, 0, 0));
	release_collapse();
	check(there(NODE_FIRST) && there(NODE_LAST));
	check(counts("collapsed", was, 64, 64, 1));
	check(intact(NODE_FIRST, NODE_LAST));
	end(without(was, HUGE_PAGES - 64));
}

/*
 * A hole that was filled meanwhile keeps its page, and its charge is given
 * back.
 */
static void filled_meanwhile(void)
{
	char byte = content(NODE_FIRST + 1);
	struct count was;

	begin(ROOM, NODE_FIRST, NODE_LAST);
	was = count();
	hold_collapse();
	if (pwrite(s->fd, &byte, 1, (NODE_FIRST + 1) * page_size()) != 1)
		race_broken("write: %s", strerror(errno));
	check(counts("filled", was, 65, 1, 0));
	release_collapse();
	check(!there(NODE_FIRST) && there(NODE_FIRST + 1) && !there(NODE_LAST));
	check(view[(NODE_FIRST + 1) * page_size()] == byte);
	check(counts("given up", was, 1, 1, 0));
	check(intact(NODE_FIRST, NODE_LAST));
	end(without(was, HUGE_PAGES - 64));
}

static void fill_and_punch(void)
{
	char byte = 1;

	if (pwrite(s->fd, &byte, 1, NODE_FIRST * page_size()) != 1 ||
	    fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      NODE_FIRST * page_size(), page_size()))
		race_broken("a hole: %s", strerror(errno));
}

/*
 * The page was punched again: khugepaged fills the hole as if nothing had
 * happened.
 */
static void hole_again(void)
{
	struct count was;

	begin(ROOM, NODE_FIRST, NODE_LAST);
	was = count();
	hold_collapse();
	fill_and_punch();
	check(counts("hole again", was, 64, 0, 0));
	release_collapse();
	check(there(NODE_FIRST) && there(NODE_LAST));
	check(!view[NODE_FIRST * page_size()]);
	check(counts("collapsed", was, 64, 64, 1));
	check(intact(NODE_FIRST, NODE_LAST));
	end(without(was, HUGE_PAGES - 64));
}

static pid_t khugepaged_pid(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], comm[32];
	pid_t pid = 0;
	FILE *f;

	if (!proc)
		race_broken("/proc: %s", strerror(errno));
	while (!pid && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = atoi(entry->d_name) ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strcmp(comm, "khugepaged\n"))
			pid = atoi(entry->d_name);
		fclose(f);
	}
	closedir(proc);
	if (!pid)
		race_broken("there is no khugepaged");
	return pid;
}

/*
 * As hole_again(), with no memory for the xarray node, which was freed with its
 * page.
 */
static void no_memory(void)
{
	pid_t pid = khugepaged_pid();
	int fd = fail_nth_open(pid, pid);
	struct count was;

	begin(ROOM, NODE_FIRST, NODE_LAST);
	was = count();
	hold_collapse();
	fill_and_punch();
	fail_nth_set(fd, 1);
	release_collapse();
	check(fail_nth_left(fd) == 0);
	fail_nth_set(fd, 0);
	check(!there(NODE_FIRST) && !there(NODE_LAST));
	check(counts("given up", was, 0, 0, 0));
	check(intact(NODE_FIRST, NODE_LAST));

	/* The next time there is memory. */
	eligible(s->area);
	wait_there(view, NODE_FIRST);
	khugepaged_passes(2);
	check(there(NODE_LAST));
	check(counts("collapsed", was, 64, 64, 1));
	check(intact(NODE_FIRST, NODE_LAST));
	end(without(was, HUGE_PAGES - 64));
	close(fd);
}

static const struct check_case cases[] = {
	{ "no page is touched where there is no room for a hole", no_room },
	{ "a hole is charged when it is met, filled last", success },
	{ "the charge for a hole that was filled meanwhile is given back", filled_meanwhile },
	{ "a hole that was filled and punched again is filled", hole_again },
	{ "without memory for a node all holes stay", no_memory },
};

int main(void)
{
	int code;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	race_points_require();
	if (huge_size() != HUGE_PAGES * page_size() || page_size() != PAGE)
		ksft_exit_skip("a huge page is not 512 pages of 4 kB\n");
	thp_require();
	if (shmem_huge_denied())
		ksft_exit_skip("tmpfs has no huge pages: transparent_hugepage/shmem_enabled\n");
	fail_nth_begin(false);
	s = shared_alloc(sizeof(*s));
	s->other_fd = -1;
	khugepaged_set("scan_sleep_millisecs", 10);
	khugepaged_set("alloc_sleep_millisecs", 10);
	khugepaged_set("pages_to_scan", 1 << 16);
	khugepaged_set("max_ptes_none", LAST);
	code = checks_run(cases, ARRAY_SIZE(cases), NULL, NULL);
	khugepaged_restore();
	return code;
}
