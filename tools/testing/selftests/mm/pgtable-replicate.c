// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that hold nothing, since MADV_DONTNEED has removed what they
 * held, are not copied by fork() ("fork") or made again by mremap() to another
 * alignment ("mremap").  What they would cost is counted, and the huge pages
 * that they would keep out of the child; one page table holds a page and must
 * not be left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define TABLES	8

static size_t huge;

static void __noreturn no_memory(const char *what)
{
	race_broken("%s: %s", what, strerror(errno));
}

/* To be read while no new memory is touched. */
static long table_kb(pid_t pid)
{
	return status_kb(pid, "VmPTE");
}

/*
 * All page tables of the area, holding one page, in the first; what they take.
 */
static long make_tables(char *area, size_t len)
{
	long tables = table_kb(getpid());
	size_t at;

	if (madvise(area, len, MADV_NOHUGEPAGE))
		no_memory("MADV_NOHUGEPAGE");
	for (at = 0; at < len; at += huge)
		area[at + page_size()] = 0x5a;
	if (madvise(area + huge, len - huge, MADV_DONTNEED))
		no_memory("MADV_DONTNEED");
	tables = table_kb(getpid()) - tables;
	if (tables != (long)(TABLES * page_size() >> 10))
		race_broken("%ld kB of page tables in place of %zu", tables,
			    TABLES * page_size() >> 10);
	return tables;
}

static char hear(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&pfd, 1, race_time_left()) != 1 || read(fd, &byte, 1) != 1)
		race_broken("the child says nothing");
	return byte;
}

static const char *do_fork(char *area)
{
	size_t len = TABLES * huge, at;
	long tables, copied, left;
	int ready[2], go[2];
	char byte;
	pid_t pid;

	tables = make_tables(area, len);
	/* Not the first range: khugepaged could collapse its page. */
	if (madvise(area + huge, len - huge, MADV_HUGEPAGE))
		no_memory("MADV_HUGEPAGE");
	race_control_open();

	if (pipe(ready) || pipe(go))
		no_memory("pipe");
	pid = race_fork();
	if (!pid) {
		/*
		 * nothing but the area is touched in here that was not before
		 */
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		for (at = huge; at < len; at += huge)
			area[at] = 1;
		if (write(ready[1], area + page_size(), 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	left = table_kb(getpid());
	hear(ready[0]);
	copied = table_kb(pid);
	if (write(go[1], "", 1) != 1 || hear(ready[0]) != 0x5a)
		race_broken("the child lacks a page");
	at = smaps_kb(pid, area, len, "AnonHugePages") / (huge >> 10);
	left -= copied;
	ksft_print_msg("page tables: %ld kB in the area, %ld kB of all left behind\n",
		       tables, left);
	ksft_print_msg("huge pages: %zu of %d\n", at, TABLES - 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (at != (left < tables / 2 ? 0 : TABLES - 1))
		race_broken("%zu of %d huge pages", at, TABLES - 1);
	return at ? NULL : "empty-tables-copied";
}

static const char *do_mremap(char *from, char *to)
{
	size_t len = TABLES * huge;
	long before, tables, after;

	before = table_kb(getpid());
	tables = make_tables(from, len);
	race_control_open();
	to += page_size();
	if (mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		no_memory("mremap");
	after = table_kb(getpid()) - before;
	ksft_print_msg("page tables: %ld kB before, %ld kB after\n", tables, after);
	if (to[page_size()] != 0x5a)
		race_broken("a page was not moved");
	if (after == (long)(page_size() >> 10))
		return NULL;
	/* moved by half a page table, they share */
	if (after < tables)
		race_broken("%ld kB of page tables, neither one nor all", after);
	return "empty-tables-made-again";
}

static const struct variant {
	const char *arg, *name;
	bool forks;
} variants[] = {
	{ "fork", "pgtable-fork-empty", true },
	{ "mremap", "pgtable-mremap-empty", false },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage;
	char *area;

	race_begin("%s", v->name);
	huge = huge_size();
	if (v->forks)
		thp_require();
	/*
	 * one page table of the next level: it is there when its last page is
	 */
	huge_require(3 * TABLES * huge, HUGE_AREA);
	area = huge_area(HUGE_AREA, HUGE_AREA);
	if (!area || !map_at(area, 3 * TABLES * huge, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		no_memory("mmap");
	if (madvise(area, 3 * TABLES * huge, MADV_NOHUGEPAGE))
		no_memory("MADV_NOHUGEPAGE");
	area[3 * TABLES * huge - 1] = 1;
	damage = v->forks ? do_fork(area) : do_mremap(area, area + TABLES * huge);
	return race_end(damage);
}
