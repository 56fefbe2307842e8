// SPDX-License-Identifier: GPL-2.0
/*
 * fork ("fork") or mremap ("mremap") of a huge page, while another process
 * migrates it: one that maps it too, since it takes the mmap_lock of the
 * mapping to get at a page, and that is held for writing here.  What is decided
 * by three values of the pmd goes wrong:
 *
 *	holder				mover			controller
 *	fork, mremap
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
 *	fork: a bad entry, cleared
 *	mremap: a page table,
 *	moved as one
 *
 * With one value of it the holder is held once, and meets a huge page under
 * migration.
 *
 * A page table that was set aside for the huge page does not move along with
 * what is taken for a page table: the kernel finds out when the page is
 * removed, and does not survive it.
 *
 * It takes two nodes: numa=fake=2 makes them out of one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define CONTENT	0x5a

static struct migration *move;	/* shared with the actors */
static struct actor holder, mover;
static char *from, *to;

/* Shared with all that are forked from here on. */
static void map_areas(void)
{
	char *area;

	huge_require(2 * huge_size(), HUGE_AREA);
	/* Below two page tables of the next level, which have a lock each. */
	area = huge_area(2 * HUGE_AREA, HUGE_AREA);
	if (!area || !map_at(area, huge_size(), MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, huge_size(), MADV_HUGEPAGE))
		race_broken("mmap: %s", strerror(errno));
	from = area;
	to = area + HUGE_AREA;
	memset(from, CONTENT, huge_size());
	if (!smaps_kb(getpid(), from, huge_size(), "AnonHugePages"))
		race_broken("there are no huge pages to be had");
	/* khugepaged is to leave these mms alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Return: false if the call has ended. */
static bool held_again(void)
{
	do {
		if (actor_is_done(&holder, 0))
			return false;
		if (race_point_field("pgtable_decide", "hits") == 2 &&
		    race_point_field("pgtable_decide", "held") == 1)
			return true;
	} while (race_look_again());
	race_broken("the call neither looks again nor ends");
}

static bool has_content(pid_t pid, const char *area)
{
	return first_byte(pid, area) == CONTENT &&
	       first_byte(pid, area + huge_size() - page_size()) == CONTENT;
}

static const char *after_fork(void)
{
	pid_t child = holder.call[0].ret;
	bool parent_has = has_content(holder.pid, from);

	/* fork() does not copy an entry that it has cleared in the parent. */
	if (has_content(child, from) != parent_has)
		race_broken("parent and child do not agree");
	/*
	 * DEBUG_VM does not let it exit with the page table that was set aside.
	 */
	if (!parent_has)
		return "parent-lost-huge-page";
	actor_stop(&holder);
	return NULL;
}

static const char *after_mremap(void)
{
	if (!has_content(holder.pid, to))
		race_broken("the page was not moved");
	actor_call(&holder, 1, SYS_madvise, (long)to, huge_size(), MADV_DONTNEED);
	if (actor_rests(&holder, 1) == ACTOR_GONE)
		return "remover-killed-by-kernel";
	actor_done(&holder, 1);
	if (page_exists(holder.pid, to))
		race_broken("the page was not removed");
	actor_stop(&holder);
	return NULL;
}

static const struct variant {
	const char *arg, *name;
	bool forks;
} variants[] = {
	{ "fork", "pgtable-fork-vs-migration", true },
	{ "mremap", "pgtable-mremap-vs-migration", false },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage;

	race_begin("%s", v->name);
	race_points_require();
	move = shared_alloc(sizeof(*move));
	map_areas();
	actor_start(&holder, NULL, NULL);
	actor_start(&mover, NULL, NULL);
	migration_prepare(move, &mover, 0, from);

	race_arm("pgtable_decide", "tid=%d range=%#lx-%#lx times=2 timeout=" RACE_HOLD_MS,
		 holder.call[0].tid, (long)from, (long)(from + huge_size()));
	if (v->forks)
		actor_call(&holder, 0, SYS_clone, SIGCHLD);
	else
		actor_call(&holder, 0, SYS_mremap, (long)from, huge_size(), huge_size(),
			   MREMAP_MAYMOVE | MREMAP_FIXED, (long)to);
	race_wait("pgtable_decide", "held=1");
	migration_begin(move, MPOL_MF_MOVE_ALL);
	race_release("pgtable_decide");
	if (held_again()) {
		migration_end(move);
		race_release("pgtable_decide");
		actor_done(&holder, 0);
	} else {
		migration_end(move);
	}
	if (holder.call[0].ret == -1)
		race_broken("%s: %s", v->arg, strerror(holder.call[0].err));
	actor_stop(&mover);
	damage = v->forks ? after_fork() : after_mremap();
	return race_end(damage);
}
