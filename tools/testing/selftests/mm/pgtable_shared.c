// SPDX-License-Identifier: GPL-2.0
/*
 * The process that migrates the huge page is one that maps it too: it takes the
 * mmap_lock of the mapping to get at a page, and that of the holder is held for
 * writing.  What is decided by three values of the pmd goes wrong:
 *
 *	holder				mover			controller
 *	the call
 *	is_swap_pmd(*pmd)? no
 *	held
 *					move_pages()
 *					held: the pmd is
 *					under migration
 *	released
 *	pmd_trans_huge(*pmd)? no
 *	held
 *					released, ends
 *	released
 *	pmd_devmap(*pmd)? no
 *	takes a huge page for a
 *	page table
 *
 * With one value of it the holder is held once, and meets a huge page under
 * migration.
 *
 * It takes two nodes: numa=fake=2 makes them out of one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_shared.h"
#include "pgtable_test.h"

#define CONTENT	0x5a

static struct migration *move;	/* shared with the actors */
static struct actor mover;

/* Shared with all that are forked from here on. */
static void map_areas(struct shared_page *s)
{
	char *area;

	huge_require(2 * huge_size(), HUGE_AREA);
	/* Below two page tables of the next level, which have a lock each. */
	area = huge_area(2 * HUGE_AREA, HUGE_AREA);
	if (!area || !map_at(area, huge_size(), MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, huge_size(), MADV_HUGEPAGE))
		race_broken("mmap: %s", strerror(errno));
	s->from = area;
	s->to = area + HUGE_AREA;
	memset(s->from, CONTENT, huge_size());
	if (!smaps_kb(getpid(), s->from, huge_size(), "AnonHugePages"))
		race_broken("there are no huge pages to be had");
	/* khugepaged is to leave these mms alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Return: false if the call has ended. */
static bool held_again(struct shared_page *s)
{
	do {
		if (actor_is_done(&s->holder, 0))
			return false;
		if (race_point_field("pgtable_decide", "hits") == 2 &&
		    race_point_field("pgtable_decide", "held") == 1)
			return true;
	} while (race_look_again());
	race_broken("the call neither looks again nor ends");
}

/**
 * shared_page_prepare() - a huge page of two processes, and pgtable_decide armed
 * @s: filled in
 *
 * The test lets thread 0 of the holder make its call next.
 */
void shared_page_prepare(struct shared_page *s)
{
	race_points_require();
	move = shared_alloc(sizeof(*move));
	map_areas(s);
	actor_start(&s->holder, NULL, NULL);
	actor_start(&mover, NULL, NULL);
	migration_prepare(move, &mover, 0, s->from);
	race_arm("pgtable_decide", "tid=%d range=%#lx-%#lx times=2 timeout=" RACE_HOLD_MS,
		 s->holder.call[0].tid, (long)s->from,
		 (long)(s->from + huge_size()));
}

/**
 * shared_page_migrate() - migrate the page while the call is held
 * @s: prepared, and its holder was told to make the call
 *
 * The call has ended when this returns, and has not failed.
 */
void shared_page_migrate(struct shared_page *s)
{
	race_wait("pgtable_decide", "held=1");
	migration_begin(move, MPOL_MF_MOVE_ALL);
	race_release("pgtable_decide");
	if (held_again(s)) {
		migration_end(move);
		race_release("pgtable_decide");
		actor_done(&s->holder, 0);
	} else {
		migration_end(move);
	}
	if (s->holder.call[0].ret == -1)
		race_broken("the call: %s", strerror(s->holder.call[0].err));
	actor_stop(&mover);
}

/**
 * shared_page_in() - is the page there with its content?
 * @pid: a process
 * @area: address of the page in it
 */
bool shared_page_in(pid_t pid, const char *area)
{
	return first_byte(pid, area) == CONTENT &&
	       first_byte(pid, area + huge_size() - page_size()) == CONTENT;
}
