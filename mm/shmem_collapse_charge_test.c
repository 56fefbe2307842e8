// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/shmem_collapse_charge.c, on files of the kernel's own
 * tmpfs.  khugepaged has nothing to collapse while they run.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>

#include "shmem_collapse_charge.h"

/* Far beyond any load: a slow machine does not fail, a lost wake-up does. */
#define DEADLINE	(60 * HZ)

struct fixture {
	struct file *file;
	struct file *other;
};

struct waiter {
	struct address_space *mapping;
	struct completion started;
	struct completion done;
};

static struct file *new_file(struct kunit *test)
{
	struct file *file = shmem_kernel_file_setup("shmem_collapse_charge",
						    PAGE_SIZE, VM_NORESERVE);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	return file;
}

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->file = new_file(test);
	f->other = new_file(test);
	return 0;
}

static void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	if (f->file)
		fput(f->file);
	if (f->other)
		fput(f->other);
}

static void charge(struct kunit *test, struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	bool charged;

	xa_lock_irq(&mapping->i_pages);
	charged = shmem_collapse_charge(mapping);
	xa_unlock_irq(&mapping->i_pages);
	KUNIT_EXPECT_TRUE(test, charged);
}

/* As a collapse that fails does it. */
static void uncharge(struct file *file)
{
	struct address_space *mapping = file->f_mapping;

	xa_lock_irq(&mapping->i_pages);
	shmem_uncharge(mapping->host, 1);
	mapping->nrpages--;
	xa_unlock_irq(&mapping->i_pages);
}

static int wait_for_collapse(void *data)
{
	struct waiter *w = data;

	complete(&w->started);
	shmem_collapse_wait(w->mapping);
	complete(&w->done);
	return 0;
}

static bool asleep(struct waiter *w, struct task_struct *task)
{
	unsigned long end = jiffies + DEADLINE;

	wait_for_completion(&w->started);
	while (!wait_task_inactive(task, TASK_KILLABLE)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return !completion_done(&w->done);
}

/* Without a collapse nobody waits: the test would not end. */
static void collapse_charge_without(struct kunit *test)
{
	struct fixture *f = test->priv;

	shmem_collapse_wait(f->file->f_mapping);
	charge(test, f->file);
	uncharge(f->file);
	shmem_collapse_settle();
	shmem_collapse_wait(f->file->f_mapping);
}

/* Nor for the collapse of another file. */
static void collapse_charge_of_other(struct kunit *test)
{
	struct fixture *f = test->priv;

	charge(test, f->file);
	shmem_collapse_wait(f->other->f_mapping);
	uncharge(f->file);
	shmem_collapse_settle();
}

/* Waits for one collapse, though the next one of that file begins at once. */
static void collapse_charge_waits(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct waiter w = { .mapping = f->file->f_mapping };
	struct task_struct *task;

	init_completion(&w.started);
	init_completion(&w.done);
	charge(test, f->file);
	task = kthread_create(wait_for_collapse, &w, "shmem_collapse");
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	if (!IS_ERR(task)) {
		get_task_struct(task);
		wake_up_process(task);
		KUNIT_EXPECT_TRUE(test, asleep(&w, task));
		shmem_collapse_settle();
		charge(test, f->file);
		KUNIT_EXPECT_NE(test,
				wait_for_completion_timeout(&w.done, DEADLINE),
				0UL);
		uncharge(f->file);
	}
	uncharge(f->file);
	shmem_collapse_settle();
	if (!IS_ERR(task)) {
		/* It is done with what is on this stack. */
		kthread_stop(task);
		put_task_struct(task);
	}
}

static struct kunit_case shmem_collapse_charge_cases[] = {
	KUNIT_CASE(collapse_charge_without),
	KUNIT_CASE(collapse_charge_of_other),
	KUNIT_CASE(collapse_charge_waits),
	{ }
};

static struct kunit_suite shmem_collapse_charge_suite = {
	.name = "shmem_collapse_charge",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = shmem_collapse_charge_cases,
};

kunit_test_suite(shmem_collapse_charge_suite);
