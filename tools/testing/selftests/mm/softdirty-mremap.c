// SPDX-License-Identifier: GPL-2.0
/*
 * What mremap() moves is soft-dirty at its new address, where there was
 * something else before or nothing.
 *
 * "table": a whole page table is moved, with the entry that points to it.
 *	base: each page is soft-dirty if it was so at its old address
 * "hole": pages that were never touched are moved.
 *	base: no page, no bit
 * "merged": a new mapping that was never touched is moved next to one that is
 *	not soft-dirty, and they merge.
 *	base: as the other one
 *
 * series: the mapping at the new address is soft-dirty as a whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "softdirty_test.h"

#define RW	(PROT_READ | PROT_WRITE)
#define HOLES	4

static void move(char *from, size_t len, char *to)
{
	if (mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		race_broken("mremap: %s", strerror(errno));
}

static void clear(const char *start, size_t pages)
{
	softdirty_clear(getpid());
	if (softdirty_pages(getpid(), start, pages))
		race_broken("pages are soft-dirty after the bits were cleared");
}

/* A table of pages, aligned as it must be to be moved as one. */
static size_t move_table(void)
{
	size_t len = huge_size(), pages = len / page_size(), i, nr;
	char *from, *to;

	huge_require(len, 64UL << 20);
	from = huge_area(2 * len, len);
	to = huge_area(2 * len, len);
	if (!from || !to)
		race_broken("mmap: %s", strerror(errno));
	softdirty_map(from, len, RW);
	madvise(from, len, MADV_NOHUGEPAGE);
	for (i = 0; i < pages; i++)
		touch_page(from + i * page_size());
	clear(from, pages);
	move(from, len, to);
	nr = softdirty_pages(getpid(), to, pages);
	ksft_print_msg("%zu of %zu moved pages are soft-dirty\n", nr, pages);
	if (nr && nr != pages)
		race_broken("some pages are soft-dirty, and some are not");
	return pages - nr;
}

static size_t move_holes(void)
{
	size_t len = HOLES * page_size();
	char *from = softdirty_place(len), *to = softdirty_place(len);

	softdirty_map(from, len, RW);
	clear(from, HOLES);
	move(from, len, to);
	return HOLES - softdirty_pages(getpid(), to, HOLES);
}

static size_t move_beside(void)
{
	size_t len = page_size();
	char *old = softdirty_place(2 * len), *from = softdirty_place(len);

	softdirty_map(old, len, RW);
	clear(old, 1);
	softdirty_map(from, len, RW);
	if (!softdirty(getpid(), from))
		race_broken("a new mapping is not soft-dirty");
	move(from, len, old + len);
	if (!one_mapping(old, 2 * len))
		race_broken("the mappings are not merged");
	return !softdirty(getpid(), old + len);
}

static const struct variant {
	const char *name;
	size_t (*lost)(void);
	const char *damage;
} variants[] = {
	{ "table", move_table, "moved-table-not-soft-dirty" },
	{ "hole", move_holes, "moved-hole-not-soft-dirty" },
	{ "merged", move_beside, "moved-mapping-not-soft-dirty" },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	size_t lost;

	race_begin("softdirty-mremap-%s", v->name);
	softdirty_require();
	lost = v->lost();
	race_control_open();
	return race_end(lost ? v->damage : NULL);
}
