// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_ZEROPAGE that finds no page table, and something else by the time it uses
 * one.
 *
 * "zap":
 *	filler			thread 1
 *	the pmd is none
 *	held, with a page table
 *	at hand
 *				maps a huge page
 *	cannot install it
 *	held
 *				MADV_DONTNEED: the pmd is none
 *	base: BUG_ON(pmd_none())
 *	series: installs it
 *
 * The mapping is private and its file has huge pages, so that a read maps one though
 * the mapping is registered for missing pages.
 *
 * "migration":
 *	filler			thread 1
 *				move_pages(), a huge page of anonymous memory
 *				held: the pmd is under migration
 *	base: takes it for the
 *	address of a page table
 *	series: EEXIST
 *				released
 *
 * It takes two nodes: numa=fake=2 makes them out of one.  What base does with such an
 * address depends on where the huge page is, so one is chosen where it ends at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define MPOL_MF_MOVE	2
#define CANDIDATES	64
#define FILL_LEN	(320UL << 20)
#define KPF_ANON	12

static struct shared {
	int fd;			/* -1: anonymous memory */
	int uffd;
	char *area;
	size_t len;
	struct uffdio_zeropage zero;
	void *page;		/* of move_pages() */
	int node, status;
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	int flags = s->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
	size_t at;

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	s->area = huge_area(s->len, huge_size());
	if (!s->area || !map_at(s->area, s->len, flags, s->fd))
		goto fail;
	if (s->fd < 0) {
		if (madvise(s->area, s->len, MADV_HUGEPAGE))
			goto fail;
		for (at = 0; at < s->len; at += huge_size())
			touch_page(s->area + at);
	}
	/* khugepaged is to leave this mm alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	s->uffd = uffd_open(0);
	if (s->uffd >= 0 && !uffd_register(s->uffd, s->area, s->len))
		return;
fail:
	s->err = errno;
}

static void zeropage(char *addr)
{
	s->zero.range.start = (uintptr_t)addr;
	s->zero.range.len = page_size();
	actor_call(&a, 0, SYS_ioctl, s->uffd, UFFDIO_ZEROPAGE, (long)&s->zero);
}

/* EEXIST and its like; true if the kernel has killed who made the call. */
static bool zeropage_killed(int *err)
{
	enum actor_rest rest;

	do
		rest = actor_rests(&a, 0);
	while (rest == ACTOR_BLOCKED && race_look_again());
	if (rest == ACTOR_BLOCKED)
		race_broken("the fill blocks for ever");
	if (rest == ACTOR_GONE)
		return true;
	*err = a.call[0].ret ? a.call[0].err : 0;
	ksft_print_msg("fill: errno=%d\n", *err);
	return false;
}

static bool zap(void)
{
	char *addr = s->area + 5 * page_size();
	int err;

	race_keep_apart(a.call[0].tid, a.call[1].tid);
	race_arm("pgtable_install", "tid=%d timeout=10000", a.call[0].tid);
	race_arm("pgtable_installed", "tid=%d timeout=10000", a.call[0].tid);
	zeropage(addr);
	race_wait("pgtable_install", "held=1");
	actor_touch(&a, 1, s->area, false);
	actor_done(&a, 1);
	if (!smaps_kb(a.pid, s->area, s->len, "ShmemPmdMapped"))
		race_broken("the other thread has not mapped a huge page");
	race_release("pgtable_install");
	race_wait("pgtable_installed", "held=1");
	actor_call(&a, 1, SYS_madvise, (long)s->area, s->len, MADV_DONTNEED);
	actor_done(&a, 1);
	if (smaps_kb(a.pid, s->area, s->len, "ShmemPmdMapped"))
		race_broken("the huge page is still mapped");
	race_release("pgtable_installed");
	if (zeropage_killed(&err))
		return true;
	if (err || !page_exists(a.pid, addr))
		race_broken("the fill has filled nothing: %s", strerror(err));
	return false;
}

/* A word of one of /proc's files of pages. */
static uint64_t page_word(const char *path, uint64_t nr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t word;

	if (fd < 0 || pread(fd, &word, sizeof(word), nr * sizeof(word)) != sizeof(word))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return word;
}

/*
 * On x86 an entry for the migration of page N, taken for a pmd, has its lock in the
 * struct page of page N / 8, and its page table at an address that is none.  The lock
 * must be free for base to come to that address: as in anonymous memory, of which there
 * is plenty.
 */
static char *choose(void)
{
#ifndef __x86_64__
	return s->area;
#else
	char path[64], *fill;
	uint64_t pfn;
	size_t at;

	fill = mmap(NULL, FILL_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fill == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	for (at = 0; at < FILL_LEN; at += page_size())
		fill[at] = 1;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", a.pid);
	for (at = 0; at < s->len; at += huge_size()) {
		pfn = page_word(path, (uintptr_t)(s->area + at) / page_size());
		pfn &= (1ULL << 55) - 1;
		if (!pfn)
			race_broken("%s tells no page numbers", path);
		if (page_word("/proc/kpageflags", pfn / 8) & (1ULL << KPF_ANON))
			return s->area + at;
	}
	race_skip("no huge page is where base would end at once; needs a small machine");
#endif
}

static bool migration(void)
{
	char *huge;
	int err;

	if (smaps_kb(a.pid, s->area, s->len, "AnonHugePages") != (long)(s->len >> 10))
		race_broken("there are no huge pages to be had");
	huge = choose();
	s->page = huge;
	actor_call(&a, 1, SYS_move_pages, 0, 1, (long)&s->page, 0, (long)&s->status, 0);
	actor_done(&a, 1);
	if (a.call[1].ret && a.call[1].err == ENOSYS)
		race_skip("no move_pages: CONFIG_NUMA=y is needed");
	if (a.call[1].ret || s->status < 0)
		race_broken("move_pages: %s", strerror(a.call[1].err));
	s->node = !s->status;

	race_arm("pgtable_migration", "tid=%d timeout=" RACE_HOLD_MS, a.call[1].tid);
	actor_call(&a, 1, SYS_move_pages, 0, 1, (long)&s->page, (long)&s->node,
		   (long)&s->status, MPOL_MF_MOVE);
	do {
		if (actor_is_done(&a, 1) && a.call[1].err == ENODEV)
			race_skip("needs two nodes: boot with numa=fake=2");
		if (actor_is_done(&a, 1) || !race_look_again())
			race_broken("move_pages: %s, status %d",
				    strerror(a.call[1].err), s->status);
	} while (race_point_field("pgtable_migration", "held") != 1);

	/* There is a page, whatever becomes of the migration. */
	zeropage(huge + 5 * page_size());
	if (zeropage_killed(&err))
		return true;
	race_release("pgtable_migration");
	actor_done(&a, 1);
	if (a.call[1].ret || s->status != s->node)
		race_broken("move_pages: %s, status %d", strerror(a.call[1].err),
			    s->status);
	if (err != EEXIST)
		race_broken("the fill was to find a page: %s", strerror(err));
	if (smaps_kb(a.pid, s->area, s->len, "AnonHugePages") != (long)(s->len >> 10) ||
	    first_byte(a.pid, huge) != 1)
		race_broken("the huge page is not what it was");
	return false;
}

int main(int argc, char **argv)
{
	bool moves = argc == 2 && !strcmp(argv[1], "migration"), killed;

	if (!moves && (argc != 2 || strcmp(argv[1], "zap")))
		race_broken("usage: %s zap|migration", argv[0]);
	race_begin(moves ? "pgtable-mfill-vs-migration" : "pgtable-mfill-vs-zap");
	if (!race_points_exist())
		race_skip("no race points: CONFIG_RACE_POINTS=y and debugfs are needed");
	if (!moves && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		race_skip("needs two processors");
	if (moves)
		thp_require();
	s = shared_alloc(sizeof(*s));
	s->fd = -1;
	s->len = moves ? CANDIDATES * huge_size() : huge_size();
	if (!moves) {
		s->fd = tmpfs_file("huge=always", huge_size());
		make_huge(s->fd, huge_size());
	}
	actor_start(&a, map_area, NULL);
	uffd_require(s->err, 0);

	killed = moves ? migration() : zap();
	if (!killed)
		actor_stop(&a);
	return race_end(killed ? "filler-killed-by-kernel" : NULL);
}
