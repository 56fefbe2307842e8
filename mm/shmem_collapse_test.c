// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/shmem_collapse.c: the page cache of no file, and pages
 * that nobody else has.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "shmem_collapse.h"

/* Not the first range, so that the tree has a level above its leaves. */
#define START		(3 * HPAGE_PMD_NR)
#define NODES		((int)(HPAGE_PMD_NR / XA_CHUNK_SIZE))

struct fixture {
	struct address_space mapping;
	struct page *hpage;	/* in the place of the huge page */
	struct page *page;	/* of somebody else */
	int filled;		/* holes that were counted as pages */
};

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	address_space_init_once(&f->mapping);
	f->hpage = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->hpage);
	f->hpage->index = START;
	f->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->page);
	return 0;
}

static void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	xa_destroy(&f->mapping.i_pages);
	if (f->page)
		__free_page(f->page);
	if (!f->hpage)
		return;
	mod_lruvec_page_state(f->hpage, NR_FILE_PAGES, -f->filled);
	mod_lruvec_page_state(f->hpage, NR_SHMEM, -f->filled);
	__free_page(f->hpage);
}

/* All nodes of the range, as collapse_file() makes them. */
static void create_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;

	XA_STATE_ORDER(xas, &f->mapping.i_pages, START, HPAGE_PMD_ORDER);

	do {
		xas_lock_irq(&xas);
		xas_create_range(&xas);
		xas_unlock_irq(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, xas_error(&xas), 0);
}

static void put(struct kunit *test, unsigned int slot, struct page *page)
{
	struct fixture *f = test->priv;
	void *old = xa_store_irq(&f->mapping.i_pages, START + slot, page,
				 GFP_KERNEL);

	KUNIT_ASSERT_FALSE(test, xa_is_err(old));
}

static void *get(struct fixture *f, int slot)
{
	return xa_load(&f->mapping.i_pages, START + slot);
}

/* Is there a node for the slot, with something in it or not? */
static bool has_node(struct fixture *f, unsigned int slot)
{
	XA_STATE(xas, &f->mapping.i_pages, START + slot);
	bool node;

	xas_lock_irq(&xas);
	xas_load(&xas);
	node = xas_is_node(&xas) && !xas.xa_node->shift;
	xas_unlock_irq(&xas);
	return node;
}

static int nodes(struct fixture *f)
{
	unsigned int slot;
	int count = 0;

	for (slot = 0; slot < HPAGE_PMD_NR; slot += XA_CHUNK_SIZE)
		count += has_node(f, slot);
	return count;
}

static int slots_with(struct fixture *f, struct page *page)
{
	unsigned int slot;
	int count = 0;

	for (slot = 0; slot < HPAGE_PMD_NR; slot++)
		count += get(f, slot) == page;
	return count;
}

static bool fill(struct fixture *f, int holes)
{
	bool filled = shmem_collapse_fill_holes(&f->mapping, f->hpage, holes);

	if (filled)
		f->filled += holes;
	return filled;
}

static void free_nodes(struct fixture *f)
{
	XA_STATE(xas, &f->mapping.i_pages, START);

	xas_lock_irq(&xas);
	shmem_collapse_free_nodes(&xas, f->hpage);
	xas_unlock_irq(&xas);
}

static void collapse_fills_all(struct kunit *test)
{
	static const unsigned int slots[] = {
		0, XA_CHUNK_SIZE - 1, XA_CHUNK_SIZE, HPAGE_PMD_NR - 1,
	};
	struct fixture *f = test->priv;
	int i;

	create_nodes(test);
	for (i = 0; i < ARRAY_SIZE(slots); i++)
		put(test, slots[i], f->hpage);
	KUNIT_EXPECT_TRUE(test, fill(f, HPAGE_PMD_NR - ARRAY_SIZE(slots)));
	KUNIT_EXPECT_EQ(test, slots_with(f, f->hpage), HPAGE_PMD_NR);
	/* The slots on both sides are not its business. */
	KUNIT_EXPECT_TRUE(test, !get(f, -1));
	KUNIT_EXPECT_TRUE(test, !get(f, HPAGE_PMD_NR));
}

static void collapse_fills_none(struct kunit *test)
{
	struct fixture *f = test->priv;

	create_nodes(test);
	put(test, 7, f->hpage);
	put(test, 100, f->page);
	KUNIT_EXPECT_FALSE(test, fill(f, HPAGE_PMD_NR - 1));
	KUNIT_EXPECT_EQ(test, slots_with(f, f->hpage), 1);
	KUNIT_EXPECT_EQ(test, slots_with(f, NULL), HPAGE_PMD_NR - 2);
	KUNIT_EXPECT_PTR_EQ(test, get(f, 100), (void *)f->page);
}

/* Nodes that have gone meanwhile are made again. */
static void collapse_fills_without_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(test, HPAGE_PMD_NR - 1, f->hpage);
	KUNIT_EXPECT_EQ(test, nodes(f), 1);
	KUNIT_EXPECT_TRUE(test, fill(f, HPAGE_PMD_NR - 1));
	KUNIT_EXPECT_EQ(test, nodes(f), NODES);
	KUNIT_EXPECT_EQ(test, slots_with(f, f->hpage), HPAGE_PMD_NR);
}

/* What a rollback leaves: a page that was there, and nodes with nothing. */
static void collapse_frees_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;

	create_nodes(test);
	put(test, 7, f->page);
	KUNIT_EXPECT_EQ(test, nodes(f), NODES);
	free_nodes(f);
	KUNIT_EXPECT_EQ(test, nodes(f), 1);
	KUNIT_EXPECT_TRUE(test, has_node(f, 7));
	KUNIT_EXPECT_EQ(test, slots_with(f, f->page), 1);
	KUNIT_EXPECT_EQ(test, slots_with(f, NULL), HPAGE_PMD_NR - 1);

	/* There is nothing to be done any more, and nothing is done. */
	free_nodes(f);
	KUNIT_EXPECT_EQ(test, nodes(f), 1);
	KUNIT_EXPECT_PTR_EQ(test, get(f, 7), (void *)f->page);
}

/* With the last of them the nodes above go. */
static void collapse_frees_all_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;

	create_nodes(test);
	KUNIT_EXPECT_FALSE(test, xa_empty(&f->mapping.i_pages));
	free_nodes(f);
	KUNIT_EXPECT_EQ(test, nodes(f), 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&f->mapping.i_pages));
}

/* Some nodes were made when there was no memory for one more. */
static void collapse_frees_some_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int slot;

	create_nodes(test);
	put(test, 7, f->page);
	for (slot = XA_CHUNK_SIZE; slot < HPAGE_PMD_NR;
	     slot += 2 * XA_CHUNK_SIZE) {
		put(test, slot, f->page);
		put(test, slot, NULL);
	}
	KUNIT_EXPECT_EQ(test, nodes(f), NODES / 2);
	free_nodes(f);
	KUNIT_EXPECT_EQ(test, nodes(f), 1);
	KUNIT_EXPECT_PTR_EQ(test, get(f, 7), (void *)f->page);
}

static bool page_holds(struct page *page, int byte)
{
	char *p = kmap_atomic(page);
	bool holds = !memchr_inv(p, byte, PAGE_SIZE);

	kunmap_atomic(p);
	return holds;
}

static void fill_page(struct page *page, int byte)
{
	char *p = kmap_atomic(page);

	memset(p, byte, PAGE_SIZE);
	kunmap_atomic(p);
}

/* The pages of the range that are there are copied, the others are cleared. */
static void copies(struct kunit *test, const unsigned int *slots, int nr)
{
	struct page *hpage = alloc_pages(GFP_KERNEL | __GFP_NOWARN,
					 HPAGE_PMD_ORDER);
	struct page *pages[4] = { };
	LIST_HEAD(list);
	int i, wrong = 0;
	int next = 0;

	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, hpage);
	if (!hpage)
		return;
	hpage->index = START;
	for (i = 0; i < HPAGE_PMD_NR; i++)
		fill_page(hpage + i, 0xff);
	for (i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, pages[i]);
		if (!pages[i])
			goto out;
		fill_page(pages[i], i + 1);
		pages[i]->index = START + slots[i];
		list_add_tail(&pages[i]->lru, &list);
	}
	collapse_copy_pages(hpage, &list);
	for (i = 0; i < HPAGE_PMD_NR; i++)
		if (next < nr && slots[next] == i)
			wrong += !page_holds(hpage + i, ++next);
		else
			wrong += !page_holds(hpage + i, 0);
	KUNIT_EXPECT_EQ(test, wrong, 0);
out:
	for (i = 0; i < nr; i++)
		if (pages[i])
			__free_page(pages[i]);
	__free_pages(hpage, HPAGE_PMD_ORDER);
}

static void collapse_copies(struct kunit *test)
{
	static const unsigned int edges[] = { 0, 1, HPAGE_PMD_NR - 1 };
	static const unsigned int middle[] = { 1, 63, 64, HPAGE_PMD_NR - 2 };
	static const unsigned int last[] = { HPAGE_PMD_NR - 1 };

	copies(test, edges, ARRAY_SIZE(edges));
	copies(test, middle, ARRAY_SIZE(middle));
	copies(test, last, ARRAY_SIZE(last));
}

static struct kunit_case shmem_collapse_cases[] = {
	KUNIT_CASE(collapse_fills_all),
	KUNIT_CASE(collapse_fills_none),
	KUNIT_CASE(collapse_fills_without_nodes),
	KUNIT_CASE(collapse_frees_nodes),
	KUNIT_CASE(collapse_frees_all_nodes),
	KUNIT_CASE(collapse_frees_some_nodes),
	KUNIT_CASE(collapse_copies),
	{}
};

static struct kunit_suite shmem_collapse_suite = {
	.name = "shmem_collapse",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = shmem_collapse_cases,
};

kunit_test_suite(shmem_collapse_suite);
