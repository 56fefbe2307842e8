// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads that touch the same new huge page first must both find it mapped
 * as one, whoever comes first: no page table gets in its way.  Both are held at
 * the place where a fault asks whether it needs one, in each of many huge
 * pages, and then let go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define LEN	(128UL << 20)

static struct shared {
	int fd;
	char *area;
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	(void)arg;
	s->area = huge_area(LEN, huge_size());
	if (!s->area || !map_at(s->area, LEN, MAP_SHARED, s->fd))
		s->err = errno;
	/* Not before mmap(), which would register the mm with khugepaged. */
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

int main(void)
{
	size_t i, at, size;
	long kb;

	race_begin("pgtable-concurrent-first-touch");
	race_points_require();
	size = huge_size();
	huge_require(2 * size, LEN);
	s = shared_alloc(sizeof(*s));
	s->fd = tmpfs_file("huge=always", LEN);
	actor_start(&a, map_area, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));

	race_arm("pgtable_fault", "tgid=%d times=%zu timeout=" RACE_HOLD_MS, a.pid,
		 2 * LEN / size);
	for (i = 0, at = 0; at < LEN; i++, at += size) {
		/* two reads, two writes, or one of each */
		actor_touch(&a, 0, s->area + at + 4 * page_size(), i & 1);
		actor_touch(&a, 1, s->area + at + 9 * page_size(), i & 2);
		race_wait("pgtable_fault", "held=2");
		race_release("pgtable_fault");
		actor_done(&a, 0);
		actor_done(&a, 1);
	}
	kb = smaps_kb(a.pid, s->area, LEN, "ShmemPmdMapped");
	ksft_print_msg("mapped as huge pages: %ld of %lu kB\n", kb, LEN >> 10);
	if (!consists_of_huge(s->fd, LEN))
		race_broken("there are no huge pages to be had");
	if (kb && kb != (long)(LEN >> 10))
		race_broken("some, but not all");
	actor_stop(&a);
	return race_end(kb ? NULL : "no-huge-page-mapped");
}
