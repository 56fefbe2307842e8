// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged and a hole of a file in shmem whose fault a userfaultfd waits for.
 *
 * "before": the mapping is registered when khugepaged comes by.  Other files,
 * which nobody watches, show that it does fill holes, wherever they are, and
 * keeps the pages.
 *
 * "late":
 *	khugepaged		target			monitor
 *	has all other pages
 *	together, held
 *				registers the mapping
 *							sees the hole
 *	base: completes the
 *	huge page
 *	series: gives up
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *
 * "register":
 *	khugepaged		target			monitor
 *	has looked for whoever
 *	waits for the hole and
 *	filled it, held before
 *	it marks the huge page
 *	as up to date
 *				registers the mapping
 *				base: at once
 *							sees the hole
 *				series: waits
 *	marks the huge page
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *	series: there was no hole to be seen when the registration was done
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "khugepaged_test.h"

enum when { BEFORE, LATE, REGISTER };

static const struct {
	const char *arg, *name;
} variants[] = {
	[BEFORE] = { "before", "pgtable-khugepaged-missing-hole" },
	[LATE] = { "late", "pgtable-khugepaged-missing-late" },
	[REGISTER] = { "register", "pgtable-register-vs-collapse" },
};

/* The watched file, and others: which of their pages are holes. */
static const struct {
	unsigned int first, last;
} holes[] = {
	{ 7, 7 }, { 0, 0 }, { 1, 1 }, { 63, 64 }, { 511, 511 }, { 0, 510 }, { 1, 511 },
};

/* As the monitor can see it: neither call waits for a page lock. */
static bool looks_like_hole(void)
{
	bool is_hole = lseek(k->file[0].fd, hole(0), SEEK_HOLE) == (off_t)hole(0);

	if (is_hole == there(0, hole(0)))
		race_broken("mincore() and SEEK_HOLE do not agree");
	return is_hole;
}

/* Return: was the hole still to be seen when the mapping was registered? */
static bool register_before_mark(void)
{
	bool is_hole;

	race_wait("pgtable_collapse_mark", "held=1");
	begin_watch();
	if (actor_blocked(&target, 0)) {
		ksft_print_msg("the registration waits\n");
		race_release("pgtable_collapse_mark");
		call_succeeded("UFFDIO_REGISTER");
		return looks_like_hole();
	}
	call_succeeded("UFFDIO_REGISTER");
	is_hole = looks_like_hole();
	race_release("pgtable_collapse_mark");
	return is_hole;
}

/* Return: was the hole filled unasked? */
static bool register_variant(int uffd)
{
	bool is_hole;

	race_arm("pgtable_collapse_mark", "mm=%d timeout=" RACE_HOLD_MS, target.pid);
	eligible(0);
	is_hole = register_before_mark();
	khugepaged_passes(2);
	if (!there(0, hole(0)))
		race_broken("khugepaged has not filled the hole");
	ksft_print_msg("registered: the hole is %s\n", is_hole ? "there" : "filled");
	if (asked(uffd))
		race_broken("the monitor was asked for a page that is there");
	if (first_byte(target.pid, k->file[0].area + hole(0)))
		race_broken("the page is not zero");
	return is_hole;
}

/* The same of a hole that is not filled by the series. */
static bool filled_unasked(int uffd)
{
	bool missed;

	khugepaged_passes(2);
	ksft_print_msg("the hole is %s\n", there(0, hole(0)) ? "filled" : "there");
	missed = !asked(uffd);
	if (missed != !first_byte(target.pid, k->file[0].area + hole(0)))
		race_broken("the page is neither the monitor's nor zero");
	return missed;
}

static void late(void)
{
	race_arm("pgtable_collapse", "mm=%d timeout=" RACE_HOLD_MS, target.pid);
	eligible(0);
	race_wait("pgtable_collapse", "held=1");
	watch();
	if (there(0, hole(0)))
		race_broken("the hole is no hole any more");
	race_release("pgtable_collapse");
}

static void fill_all_others(void)
{
	size_t i;

	for (i = 0; i < k->nr; i++)
		eligible(i);
	for (i = 1; i < k->nr; i++) {
		while (!there(i, hole(i)))
			if (!race_look_again())
				race_broken("khugepaged does not fill hole %u",
					    k->file[i].first);
		check_file(i);
	}
	race_control_open();
}

int main(int argc, char **argv)
{
	const enum when when = race_variant(argc, argv, variants) - variants;
	bool unasked;
	size_t i;
	int uffd;

	race_begin("%s", variants[when].name);
	if (when != BEFORE)
		race_points_require();
	hole_files_alloc();
	for (i = 0; i < (when == BEFORE ? ARRAY_SIZE(holes) : 1); i++)
		hole_file_add(holes[i].first, holes[i].last, "huge=advise", huge_size());
	uffd = hole_files_start(511);
	if (when == REGISTER) {
		unasked = register_variant(uffd);
	} else {
		if (when == BEFORE) {
			watch();
			fill_all_others();
		} else {
			late();
		}
		unasked = filled_unasked(uffd);
	}
	for (i = 0; i < k->nr; i++)
		check_file(i);
	actor_stop(&target);
	return race_end(unasked ? "hole-filled-unasked" : NULL);
}
