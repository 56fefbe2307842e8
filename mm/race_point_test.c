// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/race_point.c.
 *
 * Each test arms points of its own, and passes them from kernel threads or from
 * itself.  Nothing here waits for a length of time: tests wait for a state, with
 * a deadline far beyond any load, so that a broken state fails and a slow
 * machine does not.
 */
#define CREATE_RACE_POINTS

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "race_point.h"

RACE_HOLD(kunit_hold, "for the KUnit tests of the race points");
RACE_HOLD(kunit_other, "a second hold point for them");
RACE_SPIN(kunit_spin, "a spin point for them");
RACE_COUNT(kunit_count, "a count point for them");
RACE_GUARD(kunit_guard, "a guard for them");

#define DEADLINE_MS	60000

/* A thread that passes one point once. */
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

static int passer_fn(void *data)
{
	struct passer *p = data;

	wait_for_completion(&p->go);
	p->pass(p);
	complete(&p->done);
	/* Stay, so that the pid and the task stay valid until passer_join(). */
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/*
 * There is no assertion while a passer exists: it would unwind the stack that the passer
 * is on.  Without a task, which is a failure, these do nothing.
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

/* Of no task, if there is none. */
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

static bool until_held(struct race_point *rp, unsigned int nr)
{
	ktime_t end = ktime_add_ms(ktime_get(), DEADLINE_MS);

	/* Not by jiffies: the CPU that keeps them may be the one that spins. */
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

	/* times=1: a second pass is counted and let through. */
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
	/* First come, first released. */
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
	/* On another CPU than the test, with interrupts off. */
	here = get_cpu();
	cpu = cpumask_any_but(cpu_online_mask, here);
	put_cpu();
	set_cpus_allowed_ptr(current, cpumask_of(here));

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

	set_cpus_allowed_ptr(current, cpu_possible_mask);
	race_session_close(s);
	passer_join(&p);
}

static void race_point_spin_timeout(struct kunit *test)
{
	struct race_point *rp = &race_spin_kunit_spin.rp;
	struct race_session *s = open_session(test);
	struct passer p = { };

	/* Counted, so that nobody has to run for it to pass: spin right here. */
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

	/* What ->flush does: the file may stay open in somebody else. */
	race_session_end(s);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	KUNIT_EXPECT_EQ(test, rp->held, 0u);
	KUNIT_EXPECT_EQ(test, rp->timeouts, 0u);
	KUNIT_EXPECT_PTR_EQ(test, rp->owner, (struct race_session *)NULL);
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "bypass kunit_guard"), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, command(s, "wait kunit_hold held=1"), -ESHUTDOWN);
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
		"arm kunit_hold tid=1 tid=1",
	};
	struct race_session *s = open_session(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int err = command(s, "%s", bad[i]);

		if (err != -EINVAL)
			KUNIT_FAIL(test, "\"%s\": %d", bad[i], err);
	}
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold tid=2147483647"), -ESRCH);
	/* A kernel thread has no mm: the filter must not get lost. */
	KUNIT_EXPECT_EQ(test, command(s, "arm kunit_hold any mm=2"), -ESRCH);
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

	/* Disarmed, its counts are still the owner's. */
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

	/* Other mm, no mm, other address: as from khugepaged for others. */
	race_hold(kunit_hold, &init_mm, 0x1800);
	race_hold(kunit_hold, NULL, 0x1800);
	race_hold(kunit_hold, mm, 0x800);
	race_hold(kunit_hold, mm, 0x2000);
	KUNIT_EXPECT_EQ(test, atomic_read(&rp->hits), 0);

	/* A kernel thread that works on that mm. */
	passer_create(test, &p, pass_hold, -1);
	complete(&p.go);
	KUNIT_EXPECT_TRUE(test, until_held(rp, 1));
	race_session_close(s);
	KUNIT_EXPECT_TRUE(test, passer_done(&p));
	passer_join(&p);
	mmput(mm);
}

static void race_point_disabled(struct kunit *test)
{
	struct race_point *rp = &race_hold_kunit_hold.rp;
	int total = atomic_read(&rp->total);
	struct passer p = { };

	/* No session: nothing is held, nothing counted. */
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
	KUNIT_CASE(race_point_disabled),
	{}
};

static struct kunit_suite race_point_suite = {
	.name = "race_point",
	.test_cases = race_point_cases,
};

kunit_test_suite(race_point_suite);
