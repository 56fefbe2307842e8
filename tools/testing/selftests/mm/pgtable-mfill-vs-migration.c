// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_ZEROPAGE where a huge page of anonymous memory is under migration:
 *
 *	filler			thread 1
 *				move_pages()
 *				held: the pmd is under migration
 *	base: takes it for the
 *	address of a page table
 *	series: EEXIST
 *				released
 *
 * It takes two nodes: numa=fake=2 makes them out of one.  What base does with
 * such an address depends on where the huge page is, so one is chosen where it
 * ends at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define CANDIDATES	64
#define FILL_LEN	(320UL << 20)
#define KPF_ANON	12

static struct shared {
	int uffd;
	char *area;
	size_t len;
	struct uffdio_zeropage zero;
	struct migration move;
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	size_t at;

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	s->area = huge_area(s->len, huge_size());
	if (!s->area || !map_at(s->area, s->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(s->area, s->len, MADV_HUGEPAGE))
		goto fail;
	for (at = 0; at < s->len; at += huge_size())
		touch_page(s->area + at);
	/* khugepaged is to leave this mm alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	s->uffd = uffd_open(0);
	if (s->uffd >= 0 && !uffd_register(s->uffd, s->area, s->len))
		return;
fail:
	s->err = errno;
}

static bool all_huge(void)
{
	return smaps_kb(a.pid, s->area, s->len, "AnonHugePages") == (long)(s->len >> 10);
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
 * On x86 an entry for the migration of page N, taken for a pmd, has its lock in
 * the struct page of page N / 8, and its page table at an address that is none.
 * The lock must be free for base to come to that address: as in anonymous
 * memory, of which there is plenty.
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

int main(void)
{
	char *huge;
	int err;

	race_begin("pgtable-mfill-vs-migration");
	race_points_require();
	thp_require();
	s = shared_alloc(sizeof(*s));
	s->len = CANDIDATES * huge_size();
	actor_start(&a, map_area, NULL);
	uffd_require(s->err, 0);
	if (!all_huge())
		race_broken("there are no huge pages to be had");
	huge = choose();
	migration_prepare(&s->move, &a, 1, huge);

	migration_begin(&s->move, MPOL_MF_MOVE);
	/* The page is there before, during and after the migration. */
	actor_zeropage(&a, 0, s->uffd, &s->zero, huge + 5 * page_size());
	if (actor_killed(&a, 0, &err))
		return race_end("filler-killed-by-kernel");
	migration_end(&s->move);
	if (err != EEXIST)
		race_broken("the fill was to find a page: %s", strerror(err));
	if (!all_huge() || first_byte(a.pid, huge) != 1)
		race_broken("the huge page is not what it was");
	actor_stop(&a);
	return race_end(NULL);
}
