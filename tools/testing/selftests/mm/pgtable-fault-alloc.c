// SPDX-License-Identifier: GPL-2.0
/*
 * A fault asks whether it needs a page table, and is wrong by the time it uses
 * one: then it must not allocate it under the page lock ("locked", a write) or
 * in the RCU section of ->map_pages() ("around", a read).
 *
 *	thread 0			thread 1	controller
 *	fault, the pmd is none
 *	held before it asks
 *					maps the huge
 *					page
 *	asks: the pmd is not none
 *	held before ->fault() or
 *	->map_pages()
 *							punches a hole into
 *							the file: the huge page
 *							is split, the pmd none
 *	finds a small page
 *	base: allocates a page table
 *	series: maps nothing; "around"
 *	goes on to ->fault(), which asks
 *	again, and "locked" faults again
 *
 * pgtable_alloc counts the page tables that a task allocates in order to
 * install them at once.  Those that a fault allocates before it asks for its
 * page do not count, and that those of anonymous memory do is shown first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

static const struct variant {
	const char *arg, *name, *ask, *asked, *damage;
	bool write;
} variants[] = {
	{ "around", "pgtable-faultaround-no-prealloc", "pgtable_fault_around",
	  "pgtable_map_pages", "table-allocated-in-rcu-section", false },
	{ "locked", "pgtable-fault-alloc-under-lock", "pgtable_fault",
	  "pgtable_fault_asked", "table-allocated-under-page-lock", true },
};

static struct shared {
	int fd;
	char *area;	/* of the file */
	char *fresh;	/* anonymous, without a page table */
	int err;
} *s;

static void map_areas(void *arg)
{
	size_t size = huge_size();

	(void)arg;
	s->area = huge_area(size, size);
	s->fresh = huge_area(size, size);
	if (!s->area || !s->fresh || !map_at(s->area, size, MAP_SHARED, s->fd) ||
	    !map_at(s->fresh, size, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		s->err = errno;
}

static void touched(struct actor *a, int thread)
{
	actor_done(a, thread);
	if (a->call[thread].ret < 0)
		race_broken("touch: %s", strerror(a->call[thread].err));
}

/*
 * Shows that pgtable_alloc counts the page tables that a fault itself
 * allocates.
 */
static void count_tables(struct actor *a)
{
	race_arm("pgtable_alloc", "tid=%d", a->call[0].tid);
	actor_touch(a, 0, s->fresh, true);
	touched(a, 0);
	if (race_point_field("pgtable_alloc", "hits") != 1)
		race_broken("a page table that is allocated is not counted once");
}

static void punch_hole(struct actor *a, size_t size)
{
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      size - page_size(), page_size()))
		race_broken("fallocate: %s", strerror(errno));
	if (smaps_kb(a->pid, s->area, size, "ShmemPmdMapped") ||
	    page_exists(a->pid, s->area))
		race_broken("the huge page is still mapped");
	/*
	 * If the huge page was only zeroed and not split, the file has no hole.
	 */
	if (lseek(s->fd, 0, SEEK_HOLE) != (off_t)(size - page_size()))
		race_broken("the huge page was not split");
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct actor a;
	size_t size;
	int hits;

	race_begin("%s", v->name);
	race_points_require();
	size = huge_size();
	s = shared_alloc(sizeof(*s));
	s->fd = tmpfs_file("huge=always", size);
	make_huge(s->fd, size);
	actor_start(&a, map_areas, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));

	count_tables(&a);
	race_arm(v->ask, "tid=%d timeout=" RACE_HOLD_MS, a.call[0].tid);
	race_arm(v->asked, "tid=%d timeout=" RACE_HOLD_MS, a.call[0].tid);
	actor_touch(&a, 0, s->area, v->write);
	race_wait(v->ask, "held=1");
	actor_touch(&a, 1, s->area + size / 2, false);
	touched(&a, 1);
	if (!smaps_kb(a.pid, s->area, size, "ShmemPmdMapped"))
		race_broken("the other thread has not mapped the huge page");
	race_release(v->ask);
	race_wait(v->asked, "held=1");
	punch_hole(&a, size);
	race_release(v->asked);
	touched(&a, 0);

	if (!page_exists(a.pid, s->area))
		race_broken("the fault has mapped nothing");
	if (smaps_kb(a.pid, s->area, size, "ShmemPmdMapped"))
		race_broken("the fault has mapped the huge page");
	hits = race_point_field("pgtable_alloc", "hits");
	ksft_print_msg("page tables allocated: %d by the fault\n", hits - 1);
	actor_stop(&a);
	return race_end(hits > 1 ? v->damage : NULL);
}
