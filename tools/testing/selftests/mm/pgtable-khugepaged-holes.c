// SPDX-License-Identifier: GPL-2.0
/*
 * A hole of a file in shmem is needed while khugepaged collapses its range.
 *
 * "filled": whoever fills the hole must not be told that there is a page if
 * that is not there in the end.
 *	khugepaged		target			monitor
 *	has all other pages
 *	together, held
 *				registers the mapping
 *							fills the hole
 *							base: EEXIST
 *	base: completes the
 *	huge page: zeroes
 *	series: gives up
 *
 * "full": the tmpfs has room for the hole and nothing else.
 *	khugepaged		target
 *	has charged the tmpfs
 *	for the hole, held
 *				writes to the hole: base waits for the page lock
 *	completes the page
 *				has written; without the guard: ENOSPC
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "khugepaged_test.h"

#define BYTE	0x5a

static const struct variant {
	const char *arg, *name;
	bool full;
} variants[] = {
	{ "filled", "pgtable-khugepaged-hole-filled", false },
	{ "full", "pgtable-full-vs-collapse", true },
};

/* Return: was a page denied? */
static bool filled(int uffd)
{
	const char *view = k->file[0].view + hole(0);
	bool missed, zero;
	int err;

	watch();
	if (there(0, hole(0)))
		race_broken("the hole is no hole any more");
	err = fill(uffd, k->file[0].area + hole(0), hole_src, page_size(), NULL);
	race_release("pgtable_collapse");
	khugepaged_passes(2);

	zero = there(0, hole(0)) && !*view;
	missed = !there(0, hole(0)) || *view != hole_src[0];
	ksft_print_msg("fill: errno=%d, its page is %s\n", err,
		       zero ? "zero" : missed ? "not there" : "there");
	if (err != (missed ? EEXIST : 0))
		race_broken("fill: %s", strerror(err));
	if (missed && !zero)
		race_broken("a page that was denied is not there either");
	return missed;
}

/* Return: was room denied? */
static bool full(void)
{
	bool waits;
	int err;

	if (there(0, hole(0)))
		race_broken("the hole is no hole any more");
	k->byte = BYTE;
	actor_call(&target, 0, SYS_pwrite64, k->file[0].fd, (long)&k->byte, 1, hole(0));
	waits = actor_blocked(&target, 0);
	race_release("pgtable_collapse");
	actor_done(&target, 0);
	err = target.call[0].ret == 1 ? 0 : target.call[0].err;
	ksft_print_msg("a write to the hole %s: %s\n", waits ? "waits" : "does not wait",
		       err ? strerror(err) : "written");
	khugepaged_passes(2);
	if (err && err != ENOSPC)
		race_broken("write: %s", strerror(err));
	if (!err && k->file[0].view[hole(0)] != BYTE)
		race_broken("what was written is not there");
	return err;
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	char options[64] = "huge=advise";
	const char *damage;
	int uffd;

	race_begin("%s", v->name);
	race_points_require();
	hole_files_alloc();
	if (v->full)
		snprintf(options, sizeof(options), "huge=advise,size=%zu", huge_size());
	hole_file_add(7, 7, options, huge_size());
	uffd = hole_files_start(511);
	race_arm("pgtable_collapse", "mm=%d timeout=" RACE_HOLD_MS, target.pid);
	eligible(0);
	race_wait("pgtable_collapse", "held=1");
	if (v->full)
		damage = full() ? "room-for-a-hole-denied" : NULL;
	else
		damage = filled(uffd) ? "page-denied-then-zero" : NULL;
	check_file(0);
	actor_stop(&target);
	return race_end(damage);
}
