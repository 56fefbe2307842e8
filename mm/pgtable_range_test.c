// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/pgtable_range.c: a page table of an mm that no task runs
 * on.
 */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "internal.h"
#include "pgtable_install_test.h"
#include "pgtable_range.h"

#define END	(ADDR + PMD_SIZE)

static void install_table(struct kunit *test)
{
	struct fixture *f = test->priv;

	new_table(test);
	pmd_install(f->mm, f->pmd, &f->prealloc);
	KUNIT_ASSERT_TRUE(test, !f->prealloc);
}

static void set_entry(struct fixture *f, unsigned long addr, pte_t entry)
{
	spinlock_t *ptl;
	pte_t *pte;

	pte = pte_offset_map_lock(f->mm, f->pmd, addr, &ptl);
	set_pte_at(f->mm, addr, pte, entry);
	pte_unmap_unlock(pte, ptl);
}

static void clear_entry(struct fixture *f, unsigned long addr)
{
	spinlock_t *ptl;
	pte_t *pte;

	pte = pte_offset_map_lock(f->mm, f->pmd, addr, &ptl);
	pte_clear(f->mm, addr, pte);
	pte_unmap_unlock(pte, ptl);
}

/* An entry is found at any place, by ranges that include it and no other. */
static void pgtable_range_none(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long addrs[] = { ADDR, ADDR + 9 * PAGE_SIZE, END - PAGE_SIZE };
	pte_t entry = mk_pte(f->page, PAGE_READONLY);
	int i;

	install_table(test);
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), END);
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		unsigned long addr = addrs[i], next = addr + PAGE_SIZE;

		set_entry(f, addr, entry);
		KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, addr, next), addr);
		KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), addr);
		KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, addr, END), addr);
		if (addr != ADDR)
			KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, addr), addr);
		if (next != END)
			KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, next, END), END);
		clear_entry(f, addr);
		KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), END);
	}
}

/* The first of several entries is found. */
static void pgtable_range_first(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long first = ADDR + 9 * PAGE_SIZE, last = ADDR + 12 * PAGE_SIZE;
	pte_t entry = mk_pte(f->page, PAGE_READONLY);

	install_table(test);
	set_entry(f, first, entry);
	set_entry(f, last, entry);
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), first);
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, first + PAGE_SIZE, END), last);
	clear_entry(f, first);
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), last);
	clear_entry(f, last);
}

/* An entry that is not present counts as well. */
static void pgtable_range_not_present(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long addr = ADDR + 9 * PAGE_SIZE;

	install_table(test);
	set_entry(f, addr, swp_entry_to_pte(swp_entry(0, 1)));
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), addr);
	clear_entry(f, addr);
	KUNIT_EXPECT_EQ(test, pmd_skip_none(f->mm, f->pmd, ADDR, END), END);
}

static struct kunit_case pgtable_range_cases[] = {
	KUNIT_CASE(pgtable_range_none),
	KUNIT_CASE(pgtable_range_first),
	KUNIT_CASE(pgtable_range_not_present),
	{}
};

static struct kunit_suite pgtable_range_suite = {
	.name = "pgtable_range",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = pgtable_range_cases,
};

kunit_test_suite(pgtable_range_suite);
