// SPDX-License-Identifier: GPL-2.0
/*
 * A huge page of anonymous memory moves to another node.  Its pmd is a migration
 * entry meanwhile, which is what remembers the write protection.
 *
 *	thread 1		monitor			thread 0
 *				protects (1)
 *	move_pages()
 *	held: a migration entry
 *				protects (2)
 *				unprotects (3)
 *	released
 *							writes
 *
 * migration:	1		base: all writes go through
 * protect:	2		base: all writes go through
 * unprotect:	1 and 3		the writes must go through; base: they do, as
 *				the migration has lost what was protected
 */
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "wp_test.h"

static const struct variant {
	const char *arg, *name;
	bool before, during, unprotect;
} variants[] = {
	{ "migration", "wp-anon-thp-migration", .before = true },
	{ "protect", "wp-anon-thp-migrating", .during = true },
	{ "unprotect", "wp-anon-thp-unprotect", .before = true, .unprotect = true },
};

static struct wp *w;

static void change(int (*how)(int uffd, const void *start, size_t len))
{
	int err = how(w->uffd, w->area, w->len);

	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
}

/* Does a page still trap writes after it was unprotected? */
static bool stays(char *addr)
{
	enum wp_write rest = wp_write(w, 0, addr, 2);

	if (rest == WP_REFUSED)
		race_broken("a write: %s", strerror(w->actor.call[0].err));
	if (rest == WP_WRITTEN)
		return false;
	change(wp_unprotect);
	actor_done(&w->actor, 0);
	return true;
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage = NULL;
	struct migration *move;
	size_t lost, pages;

	race_begin("%s", v->name);
	race_points_require();
	thp_require();
	w = wp_new(huge_size());
	w->map = wp_map_huge;
	move = shared_alloc(sizeof(*move));
	wp_start(w, 0);
	wp_expect_huge(w, "at first");
	migration_prepare(move, &w->actor, 1, w->area);

	if (v->before)
		change(wp_protect);
	migration_begin(move, MPOL_MF_MOVE);
	if (v->during)
		change(wp_protect);
	if (v->unprotect)
		change(wp_unprotect);
	migration_end(move);
	wp_expect_huge(w, "after the migration");

	if (v->unprotect) {
		if (stays(w->area))
			damage = "protection-stays";
	} else {
		pages = w->len / page_size();
		lost = wp_lost_pages(w, w->area, pages);
		ksft_print_msg("writes that were not trapped: %zu of %zu pages\n",
			       lost, pages);
		if (lost)
			damage = "write-not-trapped";
	}
	wp_stop(w);
	return race_end(damage);
}
