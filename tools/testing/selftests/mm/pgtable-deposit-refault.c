// SPDX-License-Identifier: GPL-2.0
/*
 * A fault asks whether it needs a page table, is told that it does not, and
 * then maps a huge page, which takes one on some architectures: it must not
 * allocate that under the page lock.
 *
 *	thread 0			thread 1
 *	fault, the pmd is none
 *	held before it asks
 *					maps the huge
 *					page
 *	asks: the pmd is not none
 *	held before ->fault()
 *					MADV_DONTNEED:
 *					the pmd is none
 *	finds the huge page
 *	base: allocates a page table,
 *	maps it
 *	series: does the fault again
 *
 * Whether this is such an architecture shows in what is left when the page is
 * not mapped any more.  A fault that asks once only, was told that it needs
 * none, and maps the page, has allocated one under the page lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

static struct shared {
	int fd;
	char *area;	/* of the file */
	int err;
} *s;

static void map_area(void *arg)
{
	size_t size = huge_size();

	(void)arg;
	s->area = huge_area(size, size);
	if (!s->area || !map_at(s->area, size, MAP_SHARED, s->fd))
		s->err = errno;
}

static void done(struct actor *a, int thread)
{
	actor_done(a, thread);
	if (a->call[thread].ret < 0)
		race_broken("a call: %s", strerror(a->call[thread].err));
}

static void unmap_huge(struct actor *a, size_t size)
{
	long kb = status_kb(a->pid, "VmPTE");

	actor_call(a, 1, SYS_madvise, (long)s->area, size, MADV_DONTNEED);
	done(a, 1);
	if (smaps_kb(a->pid, s->area, size, "ShmemPmdMapped") ||
	    page_exists(a->pid, s->area))
		race_broken("the huge page is still mapped");
	kb -= status_kb(a->pid, "VmPTE");
	if (!kb)
		race_skip("a huge page takes no page table here, as it does on ppc64");
	if (kb != (long)page_size() >> 10)
		race_broken("%ld kB of page tables went with the huge page", kb);
}

int main(void)
{
	struct actor a;
	size_t size;
	int hits;

	race_begin("pgtable-deposit-refault");
	race_points_require();
	size = huge_size();
	s = shared_alloc(sizeof(*s));
	s->fd = tmpfs_file("huge=always", size);
	make_huge(s->fd, size);
	actor_start(&a, map_area, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));

	race_arm("pgtable_fault", "tid=%d timeout=" RACE_HOLD_MS, a.call[0].tid);
	race_arm("pgtable_fault_asked", "tid=%d timeout=" RACE_HOLD_MS,
		 a.call[0].tid);
	actor_touch(&a, 0, s->area, true);
	race_wait("pgtable_fault", "held=1");
	actor_touch(&a, 1, s->area + size / 2, false);
	done(&a, 1);
	if (!smaps_kb(a.pid, s->area, size, "ShmemPmdMapped"))
		race_broken("the other thread has not mapped the huge page");
	race_release("pgtable_fault");
	race_wait("pgtable_fault_asked", "held=1");
	unmap_huge(&a, size);
	race_release("pgtable_fault_asked");
	done(&a, 0);

	if (!smaps_kb(a.pid, s->area, size, "ShmemPmdMapped"))
		race_broken("the fault has not mapped the huge page");
	hits = race_point_field("pgtable_fault", "hits");
	ksft_print_msg("the fault has asked %d times\n", hits);
	actor_stop(&a);
	return race_end(hits == 1 ? "deposit-allocated-under-page-lock" : NULL);
}
