/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit tests of page tables share: an mm that no task runs on, with
 * room for one page table.
 */
#ifndef _MM_PGTABLE_INSTALL_TEST_H
#define _MM_PGTABLE_INSTALL_TEST_H

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <asm/pgalloc.h>

#define ADDR		(PMD_SIZE * 3)

/* An mm with the upper levels for one pmd, which is none. */
struct fixture {
	struct mm_struct *mm;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	struct page *page;
	pgtable_t prealloc;
};

static inline int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->mm = mm_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->mm);
	mmap_read_lock(f->mm);
	f->pgd = pgd_offset(f->mm, ADDR);
	f->p4d = p4d_alloc(f->mm, f->pgd, ADDR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->p4d);
	f->pud = pud_alloc(f->mm, f->p4d, ADDR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->pud);
	f->pmd = pmd_alloc(f->mm, f->pud, ADDR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->pmd);
	f->page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->page);
	return 0;
}

/* Takes the page table out again; the pmd is none. */
static inline void remove_table(struct fixture *f)
{
	pgtable_t table = pmd_pgtable(*f->pmd);

	pmd_clear(f->pmd);
	mm_dec_nr_ptes(f->mm);
	pte_free(f->mm, table);
}

static inline void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f || !f->mm)
		return;
	if (f->prealloc)
		pte_free(f->mm, f->prealloc);
	if (f->pmd && !pmd_none(*f->pmd))
		remove_table(f);
	if (f->pmd) {
		pmd_free(f->mm, pmd_offset(f->pud, 0));
		pud_clear(f->pud);
		mm_dec_nr_pmds(f->mm);
	}
#ifndef __PAGETABLE_PUD_FOLDED
	if (f->pud) {
		pud_free(f->mm, pud_offset(f->p4d, 0));
		p4d_clear(f->p4d);
		mm_dec_nr_puds(f->mm);
	}
#endif
#ifndef __PAGETABLE_P4D_FOLDED
	if (f->p4d && !mm_p4d_folded(f->mm)) {
		p4d_free(f->mm, p4d_offset(f->pgd, 0));
		pgd_clear(f->pgd);
	}
#endif
	mmap_read_unlock(f->mm);
	if (f->page)
		__free_page(f->page);
	mmput(f->mm);
}

static inline pgtable_t new_table(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->prealloc = pte_alloc_one(f->mm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->prealloc);
	return f->prealloc;
}

static inline unsigned long table_bytes(struct fixture *f)
{
	return mm_pgtables_bytes(f->mm);
}

#endif /* _MM_PGTABLE_INSTALL_TEST_H */
