// SPDX-License-Identifier: GPL-2.0
/*
 * The soft-dirty bits are cleared while a page is under migration:
 *
 *	thread 1		controller
 *	move_pages()
 *	held: the entry says that
 *	the page is writable
 *				clear_refs: clears the bit of the entry
 *				released
 *	base: maps the page
 *	writable: a write does not
 *	fault, and is not seen
 *	series: maps it read-only
 *
 * "thp": a huge page, with an entry in the pmd.
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
#include "pgtable_test.h"
#include "softdirty_test.h"

static struct shared {
	bool huge;
	char *area;
	struct migration move;
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	size_t len = s->huge ? huge_size() : page_size();

	(void)arg;
	s->area = huge_area(2 * len, len);
	if (!s->area || !map_at(s->area, len, MAP_PRIVATE | MAP_ANONYMOUS, -1)) {
		s->err = errno;
		return;
	}
	/* khugepaged is to leave this mm alone. */
	if (s->huge) {
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
		madvise(s->area, len, MADV_HUGEPAGE);
	}
	touch_page(s->area);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static void must_be_huge(void)
{
	if (s->huge && smaps_kb(a.pid, s->area, huge_size(), "AnonHugePages") !=
	    (long)(huge_size() >> 10))
		race_broken("the page is not huge");
}

static const struct variant {
	const char *name;
	bool huge;
} variants[] = {
	{ "page", false },
	{ "thp", true },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	bool lost;

	race_begin("softdirty-migration-%s", v->name);
	race_points_require();
	if (v->huge)
		thp_require();
	softdirty_require();
	s = shared_alloc(sizeof(*s));
	s->huge = v->huge;
	actor_start(&a, map_area, NULL);
	if (s->err)
		race_broken("mmap: %s", strerror(s->err));
	must_be_huge();
	migration_prepare(&s->move, &a, 1, s->area);

	migration_begin(&s->move, MPOL_MF_MOVE);
	if (!softdirty(a.pid, s->area))
		race_broken("the page is not soft-dirty though it was written");
	softdirty_clear(a.pid);
	if (softdirty(a.pid, s->area))
		race_broken("the bit of a page under migration is not cleared");
	migration_end(&s->move);
	must_be_huge();
	if (softdirty(a.pid, s->area))
		race_broken("migration makes a page soft-dirty");

	actor_touch(&a, 0, s->area, true);
	actor_done(&a, 0);
	if (a.call[0].ret != 1)
		race_broken("getrandom: %s", strerror(a.call[0].err));
	lost = !softdirty(a.pid, s->area);
	actor_stop(&a);
	return race_end(lost ? "write-after-migration-not-soft-dirty" : NULL);
}
