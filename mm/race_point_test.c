// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/race_point.c.
 *
 * Each test arms points that only this file passes, from kernel threads or from
 * the test itself.  The tests wait for states and not for a length of time.
 * The deadline of a wait is far longer than any load can delay a state, so that
 * a slow machine does not fail a test.
 */
#define CREATE_RACE_POINTS

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/syscalls.h>

#include "race_point.h"

RACE_HOLD(kunit_hold, "for the KUnit tests of the race points");
RACE_HOLD(kunit_other, "a second hold point for them");
RACE_SPIN(kunit_spin, "a spin point for them");
RACE_COUNT(kunit_count, "a count point for them");
RACE_GUARD(kunit_guard, "a guard for them");

#define DEADLINE_MS	60000

/* A kernel thread that passes one point once. */
struct passer {
	void (*pass)(struct passer *p);
	struct mm_struct *mm;
	unsigned long addr;
	struct task_struct *task;
	struct completion go;
	struct completion done;
};

static void pass_hold(struct passer *p)
{
	race_hold(kunit_hold, p->mm, p->addr);
}

static void pass_spin(struct passer *p)
{
	unsigned long flags;

	local_irq_save(flags);
	race_spin(kunit_spin, p->mm, p->addr);
	local_irq_restore(flags);
}

static void pass_other(struct passer *p)
{
	race_hold(kunit_other, p->mm, p->addr);
}

static int passer_fn(void *data)
{
	struct passer *p = data;

	wait_for_completion(&p->go);
	p->pass(p);
	complete(&p->done);
	/* Stay alive, so that the pid is valid until passer_join(). */
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/*
 * No KUNIT_ASSERT_*() may be used while a passer exists: it would abandon the
 * stack frame that holds the passer.  If its task could not be created, which
 * fails the test, these functions do nothing.
 */
static void passer_create(struct kunit *test, struct passer *p,
			  void (*pass)(struct passer *p), int cpu)
{
	struct task_struct *task;

	p->pass = pass;
	init_completion(&p->go);
	init_completion(&p->done);
	task = kthread_create(passer_fn, p, "race_point_test");
	p->task = IS_ERR(task) ? NULL : task;
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	if (!p->task)
		return;
	if (cpu >= 0)
		kthread_bind(task, cpu);
	wake_up_process(task);
}

/* Returns a number that matches no task if there is no task. */
static int passer_pid(struct passer *p)
{
	return p->task ? task_pid_nr(p->task) : -1;
}

static bool passer_done(struct passer *p)
{
	return p->task &&
	       wait_for_completion_timeout(&p->done, msecs_to_jiffies(DEADLINE_MS));
}

static void passer_join(struct passer *p)
{
	if (p->task)
		kthread_stop(p->task);
}

static struct race_session *open_session(struct kunit *test)
{
	struct race_session *s = race_session_open();

	KUNIT_ASSERT_FALSE(test, IS_ERR(s));
	return s;
}

static __printf(2, 3) int command(struct race_session *s, const char *fmt, ...)
{
	char buf[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	return race_session_command(s, buf);
}

/*
 * Run on the first CPU until go_anywhere(), so that spinners use the others.
 * Where timers are broadcast they come from the first CPU, which must not spin.
 */
static int stay_here(void)
{
	int here = cpumask_first(cpu_online_mask);

	set_cpus_allowed_ptr(current, cpumask_of(here));
	return here;
}

static void go_anywhere(void)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* An interrupt that passes points, and what it saw. */
struct interrupt {
	struct irq_work work;
	struct mm_struct *mm;
	struct task_struct *victim;
	bool in_victim;
	bool bypassed;
	bool done;
};

static void interrupt_fn(struct irq_work *work)
{
	struct interrupt *i = container_of(work, struct interrupt, work);

	i->in_victim = current == i->victim && !in_task();
	race_count(kunit_count, i->mm, 0x1000);
	race_spin(kunit_spin, i->mm, 0x1000);
	i->bypassed = race_bypass(kunit_guard);
	/*
	 * Publishes the results.  Pairs with smp_load_acquire() in
	 * interrupt_here().
	 */
	smp_store_release(&i->done, true);
}

/* Interrupt the current task, with preemption off so that it stays here. */
static void interrupt_here(struct kunit *test, struct interrupt *i)
{
	i->victim = current;
	i->done = false;
	init_irq_work(&i->work, interrupt_fn);
	preempt_disable();
	irq_work_queue(&i->work);
	/* Pairs with smp_store_release() in interrupt_fn(). */
	while (!smp_load_acquire(&i->done))
		cpu_relax();
	preempt_enable();
	irq_work_sync(&i->work);
	KUNIT_EXPECT_TRUE(test, i->in_victim);
}

static bool until_held(struct race_point *rp, unsigned int nr)
{
	ktime_t end = ktime_add_ms(ktime_get(), DEADLINE_MS);

	/* Not by jiffies: the CPU that updates them may be spinning. */
	while (READ_ONCE(rp->held) != nr) {
		if (ktime_after(ktime_get(), end))
			return false;
		usleep_range(500, 1000);
	}
	return true;
}

static void race_point_arm_hold_release(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p = { .addr = 0x1000 };

	passer_create(test, &p, pass_hold, -1);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tid=%d timeout=60000",
				      passer_pid(&p)), 0);
	complete(&p.go);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_hold held=1 timeout=60000"),
			0);
	KUNIT_EXPECT_FALSE(test, completion_done(&p.done));
	KUNIT_EXPECT_EQ(test, rp->held, 1u);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);

	KUNIT_EXPECT_EQ(test, command(s, "release kunit_hold"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	KUNIT_EXPECT_EQ(test, rp->held, 0u);
	KUNIT_EXPECT_EQ(test, rp->released, 1u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);

	/* With times=0 a pass is counted and let through. */
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any times=0"), 0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	race_session_close(s);
	passer_join(&p);
}

static void race_point_release_one(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p[2] = { };
	int i;

	for (i = 0; i < 2; i++)
		passer_create(test, &p[i], pass_hold, -1);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any times=2 timeout=60000"),
			0);
	for (i = 0; i < 2; i++) {
		complete(&p[i].go);
		KUNIT_EXPECT_TRUE(test, until_held(rp, i + 1));
	}
	/* The first that came is released first. */
	KUNIT_EXPECT_EQ(test, command(s, "release kunit_hold 1"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p[0]));
	KUNIT_EXPECT_FALSE(test, completion_done(&p[1].done));
	KUNIT_EXPECT_EQ(test, rp->held, 1u);
	KUNIT_EXPECT_EQ(test, command(s, "release kunit_hold 1"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p[1]));
	KUNIT_EXPECT_EQ(test, rp->released, 2u);
	race_session_close(s);
	for (i = 0; i < 2; i++)
		passer_join(&p[i]);
}

static void race_point_skip(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any skip=2 timeout=60000"),
			0);
	pass_hold(&p);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 2);
	passer_create(test, &p, pass_hold, -1);
	complete(&p.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	race_session_close(s);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	passer_join(&p);
}

static void race_point_spin(struct kunit *test)
{
	struct race_point *rp = &race_spin_kunit_spin.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };
	int here, cpu;

	if (num_online_cpus() == 1) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin any"),
				-EOPNOTSUPP);
		race_session_close(s);
		return;
	}
	/* Spin on another CPU than that of the test, with interrupts off. */
	here = stay_here();
	cpu = cpumask_any_but(cpu_online_mask, here);

	passer_create(test, &p, pass_spin, cpu);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin tid=%d timeout=10000",
				      passer_pid(&p)), 0);
	complete(&p.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	KUNIT_EXPECT_FALSE(test, completion_done(&p.done));
	KUNIT_EXPECT_EQ(test, command(s, "release kunit_spin"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	KUNIT_EXPECT_EQ(test, rp->released, 1u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
	KUNIT_EXPECT_EQ(test, rp->held, 0u);

	go_anywhere();
	race_session_close(s);
	passer_join(&p);
}

static void race_point_spin_timeout(struct kunit *test)
{
	struct race_point *rp = &race_spin_kunit_spin.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };

	/* The time-out is counted in delay steps: no other task has to run. */
	if (num_online_cpus() > 1) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin any timeout=1"),
				0);
		pass_spin(&p);
		KUNIT_EXPECT_EQ(test, rp->timeouts, 1u);
		KUNIT_EXPECT_EQ(test, rp->held, 0u);
	}
	race_session_close(s);
}

static void race_point_hold_timeout(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any timeout=1"), 0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 1u);
	KUNIT_EXPECT_EQ(test, rp->released, 0u);
	KUNIT_EXPECT_EQ(test, rp->held, 0u);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_hold held=1 timeout=1"),
			-ETIMEDOUT);
	race_session_close(s);
}

static void race_point_timeout_limits(struct kunit *test)
{
	struct race_session *s = open_session(test);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any timeout=60001"),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin any timeout=10001"),
			-ERANGE);
	race_session_close(s);
}

static void race_point_count(struct kunit *test)
{
	struct race_point *rp = &race_count_kunit_count.rp;
	struct race_session *s = open_session(test);
	unsigned long flags;

	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any range=0x1000-0x3000"),
			0);
	local_irq_save(flags);
	race_count(kunit_count, NULL, 0xfff);
	race_count(kunit_count, NULL, 0x1000);
	race_count(kunit_count, NULL, 0x2fff);
	race_count(kunit_count, NULL, 0x3000);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 2);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_count"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_count hits=2"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_count hits=3 timeout=1"),
			-ETIMEDOUT);

	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);
	race_count(kunit_count, NULL, 0x1000);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 2);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_count hits=2"), -ENXIO);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any skip=1"), -EINVAL);
	race_session_close(s);
}

static void race_point_close_while_held(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };

	passer_create(test, &p, pass_hold, -1);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tid=%d timeout=60000",
				      passer_pid(&p)), 0);
	complete(&p.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));

	/* As ->flush does while another process still has the file open. */
	race_session_end(s);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	KUNIT_EXPECT_EQ(test, rp->held, 0u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
	KUNIT_EXPECT_PTR_EQ(test, rp->owner, (struct race_session *)NULL);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_hold held=1"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "release kunit_hold"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "restore kunit_guard"), -ESHUTDOWN);
	race_session_close(s);
	passer_join(&p);
}

static void race_point_bypass(struct kunit *test)
{
	struct race_point *rp = &race_guard_kunit_guard.rp;
	struct race_session *s = open_session(test);

	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard"), 0);
	KUNIT_EXPECT_TRUE(test, race_bypass(kunit_guard));
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "restore kunit_guard"), 0);
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));

	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard"), 0);
	race_session_end(s);
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
	race_session_close(s);
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
}

static void race_point_unknown_name(struct kunit *test)
{
	struct race_session *s = open_session(test);

	KUNIT_EXPECT_EQ(test, command(s, "arm no_such_point any"), -ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "bypass no_such_guard"), -ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "release no_such_point"), -ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "disarm no_such_point"), -ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "restore no_such_guard"), -ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "wait no_such_point"), -ENOENT);
	race_session_close(s);
}

static void race_point_bad_commands(struct kunit *test)
{
	static const char * const bad[] = {
		"", "arm", "arm kunit_hold", "arm kunit_hold some",
		"arm kunit_hold any=1", "arm kunit_hold any times=x",
		"arm kunit_hold any range=1", "arm kunit_hold any range=2-1",
		"arm kunit_hold any range=1-1", "arm kunit_hold tid=x",
		"arm kunit_guard any", "bypass kunit_hold", "bypass kunit_guard 1",
		"release kunit_guard", "restore kunit_hold", "stop kunit_hold",
		"release kunit_hold x", "wait kunit_hold held", "disarm kunit_hold 1",
		"arm kunit_hold tid=1 tid=1", "arm kunit_hold cpu=x",
		"arm kunit_hold cpu=0 cpu=0", "arm kunit_hold any until",
		"arm kunit_hold any until=", "arm kunit_hold any until=kunit_other:x",
		"arm kunit_hold any until=kunit_guard",
		"arm kunit_count any until=kunit_hold", "arm kunit_hold file=x",
		"arm kunit_hold file=-1", "arm kunit_hold index=1-2",
		"arm kunit_hold any index=1-2", "bypass kunit_guard tid=1",
		"bypass kunit_guard mm=x", "log", "log on", "log begin 1",
	};
	struct race_session *s = open_session(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int err = command(s, "%s", bad[i]);

		if (err != -EINVAL)
			KUNIT_FAIL(test, "\"%s\": %d", bad[i], err);
	}
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tid=2147483647"), -ESRCH);
	/* A kernel thread has no mm, and the filter must not become empty. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any mm=2"), -ESRCH);
	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard mm=2"), -ESRCH);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold cpu=%u", nr_cpu_ids),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_other:0"),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=no_such_point"),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold file=1048576"), -EBADF);
	KUNIT_EXPECT_PTR_EQ(test, race_hold_kunit_hold.rp.owner,
			    (struct race_session *)NULL);
	race_session_close(s);
}

static void race_point_two_owners(struct kunit *test)
{
	struct race_session *a = open_session(test);
	struct race_session *b = open_session(test);

	KUNIT_EXPECT_EQ(test, command(a, "arm kunit_hold any times=0"), 0);
	KUNIT_EXPECT_EQ(test, command(a, "arm kunit_hold any"), -EBUSY);
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_hold any"), -EBUSY);
	KUNIT_EXPECT_EQ(test, command(b, "release kunit_hold"), -EPERM);
	KUNIT_EXPECT_EQ(test, command(b, "disarm kunit_hold"), -EPERM);
	KUNIT_EXPECT_EQ(test, command(b, "wait kunit_hold"), -EPERM);
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_other any times=0"), 0);
	KUNIT_EXPECT_EQ(test, command(b, "bypass kunit_guard"), 0);
	KUNIT_EXPECT_EQ(test, command(a, "bypass kunit_guard"), -EBUSY);
	KUNIT_EXPECT_EQ(test, command(a, "restore kunit_guard"), -EPERM);

	/* A disarmed point still belongs to the session that armed it. */
	KUNIT_EXPECT_EQ(test, command(a, "disarm kunit_hold"), 0);
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_hold any"), -EBUSY);
	race_session_close(a);
	KUNIT_EXPECT_TRUE(test, race_bypass(kunit_guard));
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_hold any times=0"), 0);
	race_session_close(b);
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
}

static void race_point_filter_task(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer wanted = { }, other = { };

	passer_create(test, &wanted, pass_hold, -1);
	passer_create(test, &other, pass_hold, -1);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tid=%d timeout=60000",
				      passer_pid(&wanted)), 0);
	complete(&other.go);
	KUNIT_EXPECT_TRUE(test, passer_done(&other));
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	complete(&wanted.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&wanted));

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tgid=%d times=0",
				      passer_pid(&wanted)), 0);
	pass_hold(&other);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	race_session_close(s);
	passer_join(&wanted);
	passer_join(&other);
}

static void race_point_filter_mm(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct mm_struct *mm = mm_alloc();
	struct race_arm arm = {
		.filter = { .mm = mm, .start = 0x1000, .end = 0x2000 },
		.times = 1,
		.timeout = 60000,
	};
	struct passer p = { .mm = mm, .addr = 0x1800 };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm);
	mmgrab(mm);
	KUNIT_EXPECT_EQ(test, race_session_arm(s, "kunit_hold", &arm), 0);

	/* Another mm, no mm, and addresses out of the range do not match. */
	race_hold(kunit_hold, &init_mm, 0x1800);
	race_hold(kunit_hold, NULL, 0x1800);
	race_hold(kunit_hold, mm, 0x800);
	race_hold(kunit_hold, mm, 0x2000);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);

	/* A kernel thread that works on that mm does. */
	passer_create(test, &p, pass_hold, -1);
	complete(&p.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	race_session_close(s);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	passer_join(&p);
	mmput(mm);
}

static void race_point_filter_cpu(struct kunit *test)
{
	struct race_point *rp = &race_count_kunit_count.rp;
	struct race_session *s = open_session(test);
	int here = stay_here();
	int other = cpumask_any_but(cpu_online_mask, here);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count cpu=%d", here), 0);
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);
	if (other < nr_cpu_ids) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count cpu=%d", other),
				0);
		race_count(kunit_count, NULL, 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	}
	go_anywhere();
	race_session_close(s);
}

/* A pass in interrupt context is not one of the interrupted task. */
static void race_point_interrupt(struct kunit *test)
{
	struct race_point *rp = &race_count_kunit_count.rp;
	struct race_session *s = open_session(test);
	struct mm_struct *mm = mm_alloc();
	struct interrupt i = { .mm = mm };
	struct race_arm arm = { .filter = { .mm = mm } };
	int self = task_pid_nr(current), here = stay_here();
	int other = cpumask_any_but(cpu_online_mask, here);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count tid=%d", self), 0);
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	/* A pass of the task matches, also with bottom halves disabled. */
	local_bh_disable();
	race_count(kunit_count, NULL, 0);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count tgid=%d cpu=%d", self,
				      here), 0);
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count cpu=%d", here), 0);
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);

	if (other < nr_cpu_ids) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count cpu=%d", other),
				0);
		interrupt_here(test, &i);
		KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
		KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);
	}

	/* The mm that the interrupt says it works on is matched. */
	mmgrab(mm);
	KUNIT_EXPECT_EQ(test, race_session_arm(s, "kunit_count", &arm), 0);
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	i.mm = NULL;
	interrupt_here(test, &i);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);

	go_anywhere();
	race_session_close(s);
	mmput(mm);
}

/* The owner is let through, and an interrupt that hits the owner is not. */
static void race_point_interrupt_of_owner(struct kunit *test)
{
	struct race_point *rp = &race_spin_kunit_spin.rp;
	struct mm_struct *mm = mm_alloc();
	struct interrupt i = { };
	struct race_session *s;
	struct passer p = { };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm);
	kthread_use_mm(mm);
	s = race_session_open();
	KUNIT_EXPECT_FALSE(test, IS_ERR(s));
	if (!IS_ERR(s) && num_online_cpus() > 1) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin any times=0"),
				0);
		pass_spin(&p);
		KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
		interrupt_here(test, &i);
		KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
		/* It is let through if it works on the owner's mm. */
		i.mm = mm;
		interrupt_here(test, &i);
		KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	}
	kthread_unuse_mm(mm);
	if (!IS_ERR(s))
		race_session_close(s);
	mmput(mm);
}

static void race_point_filter_file(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct address_space *mapping, other = { };
	struct file *file;
	int fd;

	/* Use a file table of this thread alone; its exit closes the file. */
	KUNIT_ASSERT_EQ(test, ksys_unshare(CLONE_FILES), 0);
	file = shmem_kernel_file_setup("race_point_test", 8 * PAGE_SIZE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	fd = get_unused_fd_flags(0);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file);
	mapping = file->f_mapping;
	KUNIT_EXPECT_EQ(test, file_count(file), 1L);

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold file=%d range=0x1000-0x2000",
				      fd), -EINVAL);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold file=%d file=%d", fd, fd),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold file=%d index=2-4 times=0",
				      fd), 0);
	/* Another index, another file, no file, and memory do not match. */
	race_hold_file(kunit_hold, mapping, 1);
	race_hold_file(kunit_hold, mapping, 4);
	race_hold_file(kunit_hold, &other, 2);
	race_hold_file(kunit_hold, NULL, 2);
	race_hold(kunit_hold, NULL, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	race_hold_file(kunit_hold, mapping, 2);
	race_hold_file(kunit_hold, mapping, 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 2);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);

	/* Without index= every index matches. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold file=%d times=0", fd), 0);
	race_hold_file(kunit_hold, mapping, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);

	/* A range of addresses does not match an index. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any range=0-0x1000 times=0"),
			0);
	race_hold_file(kunit_hold, mapping, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	race_hold(kunit_hold, NULL, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 1);

	/* Count and spin points match in the same way. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count file=%d index=5-6", fd),
			0);
	race_count_file(kunit_count, mapping, 5);
	race_count_file(kunit_count, mapping, 6);
	KUNIT_EXPECT_EQ(test, atomic_read(&race_count_kunit_count.rp.hits), 1);
	if (num_online_cpus() > 1) {
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_spin file=%d index=5-6 times=0",
					      fd), 0);
		race_spin_file(kunit_spin, mapping, 5);
		race_spin_file(kunit_spin, mapping, 6);
		KUNIT_EXPECT_EQ(test, atomic_read(&race_spin_kunit_spin.rp.hits),
				1);
	}

	/* The session has one reference to the file until it is closed. */
	race_session_end(s);
	KUNIT_EXPECT_EQ(test, file_count(file), 2L);
	race_session_close(s);
	KUNIT_EXPECT_EQ(test, file_count(file), 1L);
}

/* The test passes the points itself: a pass returns when released or late. */
static void race_point_until(struct kunit *test)
{
	struct race_point *hold = &race_hold_kunit_hold.rp;
	struct race_point *spin = &race_spin_kunit_spin.rp;
	struct race_session *s = open_session(test);
	bool smp = num_online_cpus() > 1;
	struct passer p = { };

	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
	race_count(kunit_count, NULL, 0);

	/* With one hit too few the hold times out. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_count:2 timeout=1"),
			0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, hold->timeouts, 1u);
	KUNIT_EXPECT_EQ(test, hold->released, 0u);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);
	if (smp) {
		KUNIT_EXPECT_EQ(test,
				command(s, "arm kunit_spin any until=kunit_count:2 timeout=1"),
				0);
		pass_spin(&p);
		KUNIT_EXPECT_EQ(test, spin->timeouts, 1u);
		KUNIT_EXPECT_EQ(test, spin->released, 0u);
		KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_spin"), 0);
	}

	/* After the second hit a task does not wait. */
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_count:2 timeout=60000"),
			0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, hold->timeouts, 0u);
	KUNIT_EXPECT_EQ(test, hold->released, 1u);
	KUNIT_EXPECT_EQ(test, hold->held, 0u);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);
	if (smp) {
		KUNIT_EXPECT_EQ(test,
				command(s, "arm kunit_spin any until=kunit_count:2 timeout=10000"),
				0);
		pass_spin(&p);
		KUNIT_EXPECT_EQ(test, spin->timeouts, 0u);
		KUNIT_EXPECT_EQ(test, spin->released, 1u);
		KUNIT_EXPECT_EQ(test, spin->held, 0u);
	}

	/* Hits of an earlier arming do not count, neither after a new one. */
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_count"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_count times=2 timeout=1"),
			0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, hold->timeouts, 1u);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, hold->timeouts, 2u);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);

	/* An arming without until= does not keep that of the one before. */
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any timeout=1"), 0);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, hold->timeouts, 1u);
	race_session_close(s);
}

static void race_point_until_lets_go(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *s = open_session(test);
	struct passer p[3] = { };
	int i;

	for (i = 0; i < 3; i++)
		passer_create(test, &p[i], pass_hold, -1);

	/* Released by a hit of another point. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_count timeout=60000"),
			0);
	complete(&p[0].go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p[0]));
	KUNIT_EXPECT_EQ(test, rp->released, 1u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);

	/* Released by the second hit of the same point. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_hold:2 timeout=60000"),
			0);
	complete(&p[1].go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	pass_hold(&p[0]);
	KUNIT_EXPECT_TRUE(test, passer_done(&p[1]));
	KUNIT_EXPECT_EQ(test, rp->released, 1u);
	KUNIT_EXPECT_EQ(test, command(s, "disarm kunit_hold"), 0);

	/* Released by the controller before the other point is hit. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_other timeout=60000"),
			0);
	complete(&p[2].go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	KUNIT_EXPECT_EQ(test, command(s, "release kunit_hold"), 0);
	KUNIT_EXPECT_TRUE(test, passer_done(&p[2]));
	KUNIT_EXPECT_EQ(test, rp->released, 1u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
	race_session_close(s);
	for (i = 0; i < 3; i++)
		passer_join(&p[i]);
}

/* Two tasks wait for each other, without the controller. */
static void race_point_until_mutual(struct kunit *test)
{
	struct race_point *hold = &race_hold_kunit_hold.rp;
	struct race_point *other = &race_hold_kunit_other.rp;
	struct race_session *s = open_session(test);
	struct passer p[2] = { };
	int i;

	passer_create(test, &p[0], pass_hold, -1);
	passer_create(test, &p[1], pass_other, -1);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any until=kunit_other timeout=60000"),
			0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_other any until=kunit_hold timeout=60000"),
			0);
	for (i = 0; i < 2; i++)
		complete(&p[i].go);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, passer_done(&p[i]));
	KUNIT_EXPECT_EQ(test, hold->released, 1u);
	KUNIT_EXPECT_EQ(test, other->released, 1u);
	KUNIT_EXPECT_EQ(test, hold->timeouts + other->timeouts, 0u);
	race_session_close(s);
	for (i = 0; i < 2; i++)
		passer_join(&p[i]);
}

/* A task spins with interrupts off until a point is hit on another CPU. */
static void race_point_until_spin(struct kunit *test)
{
	struct race_point *rp = &race_spin_kunit_spin.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };
	int here = stay_here();
	int cpu = cpumask_any_but(cpu_online_mask, here);

	if (cpu < nr_cpu_ids) {
		passer_create(test, &p, pass_spin, cpu);
		KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
		KUNIT_EXPECT_EQ(test,
				command(s, "arm kunit_spin cpu=%d until=kunit_count timeout=10000",
					cpu), 0);
		complete(&p.go);
		KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
		race_count(kunit_count, NULL, 0);
		KUNIT_EXPECT_TRUE(test, passer_done(&p));
		KUNIT_EXPECT_EQ(test, rp->released, 1u);
		KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
		passer_join(&p);
	}
	go_anywhere();
	race_session_close(s);
}

static void race_point_until_two_owners(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	struct race_session *a = open_session(test);
	struct race_session *b = open_session(test);
	struct passer p = { };

	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_count any"), 0);
	KUNIT_EXPECT_EQ(test, command(a, "arm kunit_hold any until=kunit_count"),
			-EBUSY);
	/* Hits of a point that another session has armed later do not count. */
	KUNIT_EXPECT_EQ(test, command(a, "arm kunit_hold any until=kunit_other timeout=1"),
			0);
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_other any times=0"), 0);
	pass_other(&p);
	pass_hold(&p);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 1u);
	KUNIT_EXPECT_EQ(test, rp->released, 0u);
	race_session_close(a);
	race_session_close(b);
}

static void race_point_bypass_mm(struct kunit *test)
{
	struct race_point *rp = &race_guard_kunit_guard.rp;
	struct race_session *s = open_session(test);
	struct mm_struct *mm = mm_alloc();
	struct interrupt i = { };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm);
	mmgrab(mm);
	KUNIT_EXPECT_EQ(test, race_session_bypass(s, "kunit_hold", mm), -EINVAL);
	KUNIT_EXPECT_EQ(test, race_session_bypass(s, "kunit_guard", mm), 0);
	/* A kernel thread finds the guard in place unless it names that mm. */
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
	KUNIT_EXPECT_FALSE(test, race_bypass_mm(kunit_guard, NULL));
	KUNIT_EXPECT_FALSE(test, race_bypass_mm(kunit_guard, &init_mm));
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);
	KUNIT_EXPECT_TRUE(test, race_bypass_mm(kunit_guard, mm));

	kthread_use_mm(mm);
	KUNIT_EXPECT_TRUE(test, race_bypass(kunit_guard));
	interrupt_here(test, &i);
	KUNIT_EXPECT_FALSE(test, i.bypassed);
	kthread_unuse_mm(mm);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 2);

	/* A guard that is bypassed for all is so for an interrupt as well. */
	KUNIT_EXPECT_EQ(test, command(s, "restore kunit_guard"), 0);
	KUNIT_EXPECT_FALSE(test, race_bypass_mm(kunit_guard, mm));
	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard"), 0);
	KUNIT_EXPECT_TRUE(test, race_bypass_mm(kunit_guard, NULL));
	interrupt_here(test, &i);
	KUNIT_EXPECT_TRUE(test, i.bypassed);
	race_session_close(s);
	mmput(mm);
}

/* The output of the session from its log on. */
static const char *session_log(struct race_session *s, char *buf, size_t size)
{
	struct seq_file m = { .buf = buf, .size = size };

	race_session_show(s, &m);
	if (seq_has_overflowed(&m))
		return "too long";
	buf[m.count] = '\0';
	return strstr(buf, "log hits=") ?: "none";
}

static void race_point_log(struct kunit *test)
{
	struct race_session *s = open_session(test);
	size_t size = 64 * RACE_LOG_MAX + 1024;
	char *buf = kvmalloc(size, GFP_KERNEL);
	char *want = kunit_kzalloc(test, 512, GFP_KERNEL);
	struct interrupt in = { };
	int here = stay_here();
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, want);
	KUNIT_EXPECT_EQ(test, command(s, "log end"), -EPERM);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_count any"), 0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any range=0x2000-0x3000 times=0"),
			0);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_other any times=0"), 0);
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_STREQ(test, session_log(s, buf, size), "none");

	KUNIT_EXPECT_EQ(test, command(s, "log begin"), 0);
	KUNIT_EXPECT_STREQ(test, session_log(s, buf, size), "log hits=0 lost=0\n");
	race_hold(kunit_hold, NULL, 0x2fff);
	race_hold(kunit_hold, NULL, 0x3000);
	race_count(kunit_count, NULL, 0x1000);
	race_hold_file(kunit_other, NULL, 7);
	interrupt_here(test, &in);
	race_hold(kunit_hold, NULL, 0x2000);
	KUNIT_EXPECT_EQ(test, command(s, "log end"), 0);
	race_hold(kunit_hold, NULL, 0x2000);
	snprintf(want, 512, "log hits=5 lost=0\n"
		 "log 1 kunit_hold cpu=%d tid=%d addr=0x2fff\n"
		 "log 2 kunit_count cpu=%d tid=%d addr=0x1000\n"
		 "log 3 kunit_other cpu=%d tid=%d index=0x7\n"
		 "log 4 kunit_count cpu=%d tid=0 addr=0x1000\n"
		 "log 5 kunit_hold cpu=%d tid=%d addr=0x2000\n",
		 here, task_pid_nr(current), here, task_pid_nr(current), here,
		 task_pid_nr(current), here, here, task_pid_nr(current));
	KUNIT_EXPECT_STREQ(test, session_log(s, buf, size), want);

	/* "log begin" clears the log; hits beyond its end are lost. */
	KUNIT_EXPECT_EQ(test, command(s, "log begin"), 0);
	for (i = 0; i < RACE_LOG_MAX; i++)
		race_count(kunit_count, NULL, i);
	snprintf(want, 512, "log hits=%d lost=0\n", RACE_LOG_MAX);
	KUNIT_EXPECT_EQ(test, strncmp(session_log(s, buf, size), want,
				      strlen(want)), 0);
	for (i = 0; i < 3; i++)
		race_count(kunit_count, NULL, i);
	snprintf(want, 512, "log hits=%d lost=3\n", RACE_LOG_MAX);
	KUNIT_EXPECT_EQ(test, strncmp(session_log(s, buf, size), want,
				      strlen(want)), 0);
	go_anywhere();
	race_session_close(s);
	kvfree(buf);
}

static void race_point_log_two_owners(struct kunit *test)
{
	struct race_session *a = open_session(test);
	struct race_session *b = open_session(test);
	char buf[256];

	KUNIT_EXPECT_EQ(test, command(a, "log begin"), 0);
	KUNIT_EXPECT_EQ(test, command(b, "log begin"), -EBUSY);
	KUNIT_EXPECT_EQ(test, command(b, "log end"), -EPERM);
	KUNIT_EXPECT_EQ(test, command(b, "arm kunit_count any"), 0);
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_STREQ(test, session_log(a, buf, sizeof(buf)),
			   "log hits=0 lost=0\n");
	KUNIT_EXPECT_STREQ(test, session_log(b, buf, sizeof(buf)), "none");

	race_session_end(a);
	KUNIT_EXPECT_STREQ(test, session_log(a, buf, sizeof(buf)), "none");
	KUNIT_EXPECT_EQ(test, command(a, "log begin"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(b, "log begin"), 0);
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, strncmp(session_log(b, buf, sizeof(buf)),
				      "log hits=1 lost=0\n", 18), 0);
	race_session_close(a);
	race_session_close(b);
}

static void race_point_disabled(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	int total = atomic_read(&rp->total);
	struct passer p = { };

	/* Without a session nothing is held and nothing is counted. */
	pass_hold(&p);
	pass_spin(&p);
	race_count(kunit_count, NULL, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->total), total);
	KUNIT_EXPECT_FALSE(test, race_bypass(kunit_guard));
}

static struct kunit_case race_point_cases[] = {
	KUNIT_CASE(race_point_arm_hold_release),
	KUNIT_CASE(race_point_release_one),
	KUNIT_CASE(race_point_skip),
	KUNIT_CASE(race_point_spin),
	KUNIT_CASE(race_point_spin_timeout),
	KUNIT_CASE(race_point_hold_timeout),
	KUNIT_CASE(race_point_timeout_limits),
	KUNIT_CASE(race_point_count),
	KUNIT_CASE(race_point_close_while_held),
	KUNIT_CASE(race_point_bypass),
	KUNIT_CASE(race_point_unknown_name),
	KUNIT_CASE(race_point_bad_commands),
	KUNIT_CASE(race_point_two_owners),
	KUNIT_CASE(race_point_filter_task),
	KUNIT_CASE(race_point_filter_mm),
	KUNIT_CASE(race_point_filter_cpu),
	KUNIT_CASE(race_point_filter_file),
	KUNIT_CASE(race_point_interrupt),
	KUNIT_CASE(race_point_interrupt_of_owner),
	KUNIT_CASE(race_point_until),
	KUNIT_CASE(race_point_until_lets_go),
	KUNIT_CASE(race_point_until_mutual),
	KUNIT_CASE(race_point_until_spin),
	KUNIT_CASE(race_point_until_two_owners),
	KUNIT_CASE(race_point_bypass_mm),
	KUNIT_CASE(race_point_log),
	KUNIT_CASE(race_point_log_two_owners),
	KUNIT_CASE(race_point_disabled),
	{}
};

static struct kunit_suite race_point_suite = {
	.name = "race_point",
	.test_cases = race_point_cases,
};

kunit_test_suite(race_point_suite);
