// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/shmem_collapse_uffd.c, on mappings that no task has.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/mm.h>

#include "shmem_collapse_uffd.h"

#define START		(3 * HPAGE_PMD_NR)

struct fixture {
	struct address_space mapping;
	struct vm_area_struct vma;
};

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	address_space_init_once(&f->mapping);
	return 0;
}

/* Nobody holds i_mmap_rwsem. */
static bool unlocked(struct fixture *f)
{
	if (!down_write_trylock(&f->mapping.i_mmap_rwsem))
		return false;
	up_write(&f->mapping.i_mmap_rwsem);
	return true;
}

/* What is found with a mapping of @nr pages from @pgoff on. */
static bool missing_with(struct kunit *test, pgoff_t pgoff, unsigned long nr,
			 unsigned long flags)
{
	struct fixture *f = test->priv;
	struct vm_area_struct *vma = &f->vma;
	bool missing;

	vma->vm_start = PMD_SIZE;
	vma->vm_end = vma->vm_start + nr * PAGE_SIZE;
	vma->vm_pgoff = pgoff;
	vma->vm_flags = flags;
	vma_interval_tree_insert(vma, &f->mapping.i_mmap);
	missing = shmem_uffd_missing(&f->mapping, START);
	i_mmap_lock_read(&f->mapping);
	KUNIT_EXPECT_EQ(test, missing,
			shmem_uffd_missing_locked(&f->mapping, START));
	i_mmap_unlock_read(&f->mapping);
	vma_interval_tree_remove(vma, &f->mapping.i_mmap);
	KUNIT_EXPECT_TRUE(test, unlocked(f));
	return missing;
}

static void collapse_uffd_range(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, missing_with(test, 0, 5 * HPAGE_PMD_NR,
					     VM_UFFD_MISSING));
	KUNIT_EXPECT_TRUE(test, missing_with(test, START - 1, 2,
					     VM_UFFD_MISSING));
	KUNIT_EXPECT_TRUE(test, missing_with(test, START + HPAGE_PMD_NR - 1, 1,
					     VM_UFFD_MISSING));
}

static void collapse_uffd_out_of_range(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_FALSE(test, shmem_uffd_missing(&f->mapping, START));
	KUNIT_EXPECT_FALSE(test, missing_with(test, START - 1, 1,
					      VM_UFFD_MISSING));
	KUNIT_EXPECT_FALSE(test, missing_with(test, START + HPAGE_PMD_NR, 1,
					      VM_UFFD_MISSING));
}

static void collapse_uffd_other_modes(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, missing_with(test, START, HPAGE_PMD_NR, 0));
	KUNIT_EXPECT_FALSE(test, missing_with(test, START, HPAGE_PMD_NR,
					      VM_UFFD_WP));
	KUNIT_EXPECT_TRUE(test, missing_with(test, START, HPAGE_PMD_NR,
					     VM_UFFD_MISSING | VM_UFFD_WP));
}

static struct kunit_case shmem_collapse_uffd_cases[] = {
	KUNIT_CASE(collapse_uffd_range),
	KUNIT_CASE(collapse_uffd_out_of_range),
	KUNIT_CASE(collapse_uffd_other_modes),
	{ }
};

static struct kunit_suite shmem_collapse_uffd_suite = {
	.name = "shmem_collapse_uffd",
	.init = fixture_init,
	.test_cases = shmem_collapse_uffd_cases,
};

kunit_test_suite(shmem_collapse_uffd_suite);
