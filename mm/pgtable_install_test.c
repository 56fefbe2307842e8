// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/pgtable_install.c: page tables of an mm that no task runs
 * on.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include <asm/pgalloc.h>

#include "internal.h"
#include "pgtable_install.h"
#include "pgtable_install_test.h"

/* Far beyond any load: a slow machine does not fail, a lost wake-up does. */
#define DEADLINE	(60 * HZ)
#define ROUNDS		200

/* Does the page table hold nothing? */
static bool table_is_empty(struct fixture *f)
{
	bool empty = true;
	spinlock_t *ptl;
	pte_t *pte;
	int i;

	pte = pte_offset_map_lock(f->mm, f->pmd, ADDR, &ptl);
	for (i = 0; i < PTRS_PER_PTE; i++)
		empty = empty && pte_none(ptep_get(pte + i));
	pte_unmap_unlock(pte, ptl);
	return empty;
}

static enum pmd_state install(struct fixture *f, unsigned long addr, pte_t **pte,
			      spinlock_t **ptl)
{
	return pte_install_map_lock(f->mm, f->pmd, addr, &f->prealloc, pte, ptl);
}

/* What keeps a page table out: each is tried with a table at hand. */
static void refused(struct kunit *test, pmd_t pmd, enum pmd_state state)
{
	struct fixture *f = test->priv;
	unsigned long bytes = table_bytes(f);
	pgtable_t table = new_table(test);
	spinlock_t *ptl;
	pte_t *pte;

	set_pmd(f->pmd, pmd);
	KUNIT_EXPECT_EQ(test, pmd_state(pmd), state);
	KUNIT_EXPECT_EQ(test, install(f, ADDR, &pte, &ptl), state);
	KUNIT_EXPECT_PTR_EQ(test, f->prealloc, table);
	/* As if it had come after a look that saw nothing. */
	pmd_install(f->mm, f->pmd, &f->prealloc);
	KUNIT_EXPECT_PTR_EQ(test, f->prealloc, table);
	KUNIT_EXPECT_EQ(test, pmd_val(*f->pmd), pmd_val(pmd));
	KUNIT_EXPECT_EQ(test, table_bytes(f), bytes);
	pmd_clear(f->pmd);

	/* It is as clean as it was: it can be installed now. */
	KUNIT_ASSERT_TRUE(test, install(f, ADDR, &pte, &ptl) == PMD_STATE_TABLE);
	__acquire(ptl);
	KUNIT_EXPECT_TRUE(test, pte_none(ptep_get(pte)));
	pte_unmap_unlock(pte, ptl);
	KUNIT_EXPECT_TRUE(test, table_is_empty(f));
}

static void pgtable_install_on_none(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long bytes = table_bytes(f);

	new_table(test);
	pmd_install(f->mm, f->pmd, &f->prealloc);
	KUNIT_EXPECT_TRUE(test, !f->prealloc);
	KUNIT_EXPECT_TRUE(test, pmd_state(*f->pmd) == PMD_STATE_TABLE);
	KUNIT_EXPECT_EQ(test, table_bytes(f) - bytes, PTRS_PER_PTE * sizeof(pte_t));
	KUNIT_EXPECT_TRUE(test, table_is_empty(f));
}

static void pgtable_install_on_table(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long bytes;
	pgtable_t second;
	spinlock_t *ptl;
	pte_t *pte;
	pmd_t pmd;

	new_table(test);
	pmd_install(f->mm, f->pmd, &f->prealloc);
	pmd = *f->pmd;
	bytes = table_bytes(f);
	second = new_table(test);
	pmd_install(f->mm, f->pmd, &f->prealloc);
	KUNIT_EXPECT_PTR_EQ(test, f->prealloc, second);
	KUNIT_ASSERT_TRUE(test, install(f, ADDR + PAGE_SIZE, &pte, &ptl) == PMD_STATE_TABLE);
	__acquire(ptl);
	KUNIT_EXPECT_PTR_EQ(test, f->prealloc, second);
	lockdep_assert_held(ptl);
	KUNIT_EXPECT_PTR_EQ(test, pte, pte_offset_map(f->pmd, ADDR + PAGE_SIZE));
	pte_unmap(pte);
	pte_unmap_unlock(pte, ptl);
	KUNIT_EXPECT_EQ(test, pmd_val(*f->pmd), pmd_val(pmd));
	KUNIT_EXPECT_EQ(test, table_bytes(f), bytes);
}

static void pgtable_install_without_table(struct kunit *test)
{
	struct fixture *f = test->priv;
	spinlock_t *ptl;
	pte_t *pte;

	KUNIT_EXPECT_TRUE(test, pmd_state(*f->pmd) == PMD_STATE_NONE);
	KUNIT_EXPECT_TRUE(test, install(f, ADDR, &pte, &ptl) == PMD_STATE_NONE);
	KUNIT_EXPECT_TRUE(test, pmd_none(*f->pmd));
}

/*
 * With an entry: a page table is there and locked, and is not empty for long.
 */
static void pgtable_install_with_entry(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long addr = ADDR + 7 * PAGE_SIZE;
	spinlock_t *ptl;
	pte_t *pte, entry = mk_pte(f->page, PAGE_READONLY);

	new_table(test);
	KUNIT_ASSERT_TRUE(test, install(f, addr, &pte, &ptl) == PMD_STATE_TABLE);
	__acquire(ptl);
	KUNIT_EXPECT_TRUE(test, !f->prealloc);
	KUNIT_EXPECT_TRUE(test, pte_none(ptep_get(pte)));
	set_pte_at(f->mm, addr, pte, entry);
	pte_unmap_unlock(pte, ptl);
	KUNIT_ASSERT_TRUE(test, install(f, addr, &pte, &ptl) == PMD_STATE_TABLE);
	__acquire(ptl);
	KUNIT_EXPECT_TRUE(test, pte_same(ptep_get(pte), entry));
	pte_clear(f->mm, addr, pte);
	pte_unmap_unlock(pte, ptl);
}

#ifdef CONFIG_X86
static void pgtable_install_bad(struct kunit *test)
{
	struct fixture *f = test->priv;

	/*
	 * Present, and neither huge nor a page table. arm64 has no such pmd:
	 * one bit tells the two apart.
	 */
	refused(test, pfn_pmd(page_to_pfn(f->page), PAGE_READONLY), PMD_STATE_BAD);
}
#endif

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static void pgtable_install_huge(struct kunit *test)
{
	struct fixture *f = test->priv;

	refused(test, pmd_mkhuge(pfn_pmd(page_to_pfn(f->page), PAGE_READONLY)),
		PMD_STATE_HUGE);
}
#endif

/* The option has another name in later kernels. */
#if IS_ENABLED(CONFIG_ARCH_ENABLE_THP_MIGRATION) || \
	IS_ENABLED(CONFIG_ARCH_HAS_PMD_SOFTLEAVES)
#define PMD_MIGRATION
static void pgtable_install_migrating(struct kunit *test)
{
	struct fixture *f = test->priv;
	swp_entry_t entry;

	entry = swp_entry(SWP_MIGRATION_READ, page_to_pfn(f->page));
	refused(test, swp_entry_to_pmd(entry), PMD_STATE_HUGE);
	remove_table(f);
	entry = swp_entry(SWP_MIGRATION_WRITE, page_to_pfn(f->page));
	refused(test, swp_entry_to_pmd(entry), PMD_STATE_HUGE);
}
#endif

/* One of two tasks that install a page table and an entry each, many times. */
struct installer {
	struct fixture *f;
	struct task_struct *task;
	unsigned long addr;
	struct completion go;
	struct completion done;
	pgtable_t table;
	enum pmd_state state;
	bool installed;
	bool stop;
};

static int installer_thread(void *arg)
{
	struct installer *w = arg;
	spinlock_t *ptl;
	pte_t *pte;

	for (;;) {
		wait_for_completion(&w->go);
		if (w->stop)
			break;
		w->state = pte_install_map_lock(w->f->mm, w->f->pmd, w->addr,
						&w->table, &pte, &ptl);
		w->installed = !w->table;
		if (w->state == PMD_STATE_TABLE) {
			__acquire(ptl);
			set_pte_at(w->f->mm, w->addr, pte,
				   mk_pte(w->f->page, PAGE_READONLY));
			pte_unmap_unlock(pte, ptl);
		}
		complete(&w->done);
	}
	return 0;
}

/*
 * No assertion in here: it would leave two tasks behind that use what it frees.
 */
static bool installers_start(struct kunit *test, struct installer *w)
{
	struct task_struct *task;
	int i;

	for (i = 0; i < 2; i++) {
		w[i].f = test->priv;
		w[i].addr = ADDR + i * (PMD_SIZE - PAGE_SIZE);
		init_completion(&w[i].go);
		init_completion(&w[i].done);
		task = kthread_create(installer_thread, &w[i], "installer%d", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no task: %ld", PTR_ERR(task));
			return false;
		}
		get_task_struct(task);
		w[i].task = task;
		wake_up_process(task);
	}
	return true;
}

static void installers_stop(struct installer *w)
{
	int i;

	for (i = 0; i < 2 && w[i].task; i++) {
		w[i].stop = true;
		complete(&w[i].go);
		kthread_stop(w[i].task);
		put_task_struct(w[i].task);
	}
}

/* Nor here.  Return: false if there is no sense in another round. */
static bool installers_round(struct kunit *test, struct installer *w, int first)
{
	struct fixture *f = test->priv;
	unsigned long bytes = table_bytes(f);
	bool good = true;
	spinlock_t *ptl;
	pte_t *pte;
	int i;

	for (i = 0; i < 2; i++) {
		w[i].table = pte_alloc_one(f->mm);
		good = good && w[i].table;
	}
	KUNIT_EXPECT_TRUE(test, good);
	if (!good)
		goto free;
	complete(&w[first].go);
	complete(&w[!first].go);
	for (i = 0; i < 2; i++)
		good = wait_for_completion_timeout(&w[i].done, DEADLINE) && good;
	KUNIT_EXPECT_TRUE(test, good);
	/* Who has not come back may still use its table. */
	if (!good)
		return false;

	/* One of them has installed its table, and both are in it. */
	KUNIT_EXPECT_TRUE(test, w[0].state == PMD_STATE_TABLE);
	KUNIT_EXPECT_TRUE(test, w[1].state == PMD_STATE_TABLE);
	KUNIT_EXPECT_NE(test, w[0].installed, w[1].installed);
	KUNIT_EXPECT_EQ(test, table_bytes(f) - bytes, PTRS_PER_PTE * sizeof(pte_t));
	good = pmd_state(*f->pmd) == PMD_STATE_TABLE;
	KUNIT_EXPECT_TRUE(test, good);
	if (!good)
		goto free;
	for (i = 0; i < 2; i++) {
		pte = pte_offset_map_lock(f->mm, f->pmd, w[i].addr, &ptl);
		KUNIT_EXPECT_FALSE(test, pte_none(ptep_get(pte)));
		pte_clear(f->mm, w[i].addr, pte);
		pte_unmap_unlock(pte, ptl);
	}
	/* The other's is as clean as it was, and so is this one now. */
	KUNIT_EXPECT_TRUE(test, table_is_empty(f));
	remove_table(f);
free:
	for (i = 0; i < 2; i++)
		if (w[i].table)
			pte_free(f->mm, w[i].table);
	return good;
}

static void pgtable_install_two_installers(struct kunit *test)
{
	struct installer *w = kunit_kzalloc(test, 2 * sizeof(*w), GFP_KERNEL);
	int round;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	if (installers_start(test, w))
		for (round = 0; round < ROUNDS; round++)
			if (!installers_round(test, w, round & 1))
				break;
	installers_stop(w);
}

static struct kunit_case pgtable_install_cases[] = {
	KUNIT_CASE(pgtable_install_on_none),
	KUNIT_CASE(pgtable_install_on_table),
	KUNIT_CASE(pgtable_install_without_table),
	KUNIT_CASE(pgtable_install_with_entry),
#ifdef CONFIG_X86
	KUNIT_CASE(pgtable_install_bad),
#endif
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	KUNIT_CASE(pgtable_install_huge),
#endif
#ifdef PMD_MIGRATION
	KUNIT_CASE(pgtable_install_migrating),
#endif
	KUNIT_CASE(pgtable_install_two_installers),
	{ }
};

static struct kunit_suite pgtable_install_suite = {
	.name = "pgtable_install",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = pgtable_install_cases,
};

kunit_test_suite(pgtable_install_suite);
