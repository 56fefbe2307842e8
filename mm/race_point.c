// SPDX-License-Identifier: GPL-2.0
/*
 * Named race points: hold a task at a named place until a test lets it go.
 *
 * A point is in one of these states, changed only under race_point.lock:
 *
 *	owner == NULL, seq even		free
 *	owner != NULL, seq even		disarmed; its counts can still be read
 *	owner != NULL, seq odd		armed; matching tasks wait on @waiters
 *
 * and is moved to the last by "arm", back to the second by "disarm", and to the
 * first by the end of its session.  Leaving the armed state releases every waiter,
 * so a task waits only at an armed point.
 *
 * A session is an open file, and it belongs to the process that opened it.  It
 * ends when that process closes the file or dies, in ->flush and not in
 * ->release: a held child may have inherited the descriptor, and ->release would
 * then wait for the very task that the session holds.  For the same reason nobody
 * is held who is in the thread group of the opener or works on its mm: a killed
 * opener drops its mm before its files.  Files shared by clone(CLONE_FILES) with
 * another process are closed by the last of them: then the session lives as long.
 *
 * Lock order: race_mutex -> race_point.lock.  The latter is a raw leaf lock: a
 * pass may come from anywhere but NMI.  Waking a waiter takes its pi_lock, so no
 * hold or spin point may be placed under a scheduler lock.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/nmi.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "race_point.h"

/*
 * Holds stay below the hung-task detector (120 s by default), spins below the RCU
 * stall detector (21 s) unless each delay step takes twice its time.
 */
#define RACE_HOLD_MS		10000
#define RACE_HOLD_MS_MAX	60000
#define RACE_SPIN_MS		2000
#define RACE_SPIN_MS_MAX	10000
#define RACE_SPIN_US		10
#define RACE_WAIT_MS		10000
#define RACE_COMMAND_MAX	256

struct race_session {
	struct pid *opener;	/* thread group that the session ends with */
	struct mm_struct *mm;	/* of the opener; NULL for a kernel thread */
	bool ended;		/* W: race_mutex, once */
};

struct race_waiter {
	struct list_head node;	/* W: race_point.lock; queued until released */
	struct completion done;
	unsigned int timeout;
	bool released;		/* for a spinner, set last by the releaser */
};

DEFINE_STATIC_KEY_FALSE(race_points_key);

static DEFINE_MUTEX(race_mutex);
static LIST_HEAD(race_points);

static const char * const race_kind_names[] = {
	[RACE_KIND_HOLD] = "hold",
	[RACE_KIND_SPIN] = "spin",
	[RACE_KIND_COUNT] = "count",
	[RACE_KIND_GUARD] = "guard",
};

/**
 * race_point_register() - make a point known under its name
 * @rp: a statically initialised point; it stays for ever
 *
 * Called by the initcall that RACE_HOLD() and its like expand to.
 *
 * Context: boot, process context.
 */
void __init race_point_register(struct race_point *rp)
{
	mutex_lock(&race_mutex);
	list_add_tail(&rp->all, &race_points);
	mutex_unlock(&race_mutex);
}

static bool race_armed(const struct race_point *rp)
{
	return READ_ONCE(rp->seq) & 1;
}

static bool race_match(const struct race_filter *f, const struct mm_struct *mm,
		       unsigned long addr)
{
	if (f->tid && f->tid != task_pid(current))
		return false;
	if (f->tgid && f->tgid != task_tgid(current))
		return false;
	if (f->mm && f->mm != mm)
		return false;
	return !f->end || (addr >= f->start && addr < f->end);
}

/* The owner itself, and who works on its mm, is let through: see the top. */
static bool race_own(const struct race_point *rp, const struct mm_struct *mm)
{
	/* A kernel thread is nobody's own, but may work on the owner's mm. */
	if (!rp->owner_mm)
		return false;
	return mm == rp->owner_mm || current->mm == rp->owner_mm ||
	       task_tgid(current) == rp->owner_tgid;
}

/* Queue the current task at @rp, if it is to be held there. */
static bool race_enter(struct race_point *rp, struct race_waiter *w,
		       struct mm_struct *mm, unsigned long addr)
{
	unsigned long flags;
	bool hold = false;

	if (!race_armed(rp) || WARN_ON_ONCE(in_nmi()))
		return false;

	init_completion(&w->done);
	w->released = false;

	raw_spin_lock_irqsave(&rp->lock, flags);
	if (race_armed(rp) && !race_own(rp, mm) &&
	    race_match(&rp->filter, mm, addr)) {
		atomic_inc(&rp->hits);
		atomic_inc(&rp->total);
		if (rp->skip) {
			rp->skip--;
		} else if (rp->times) {
			rp->times--;
			rp->held++;
			w->timeout = rp->timeout;
			list_add_tail(&w->node, &rp->waiters);
			hold = true;
		}
	}
	raw_spin_unlock_irqrestore(&rp->lock, flags);

	return hold;
}

/*
 * Takes the lock even after a release: the releaser may still be inside
 * complete() on our stack, and it holds the lock until it is out.
 */
static void race_leave(struct race_point *rp, struct race_waiter *w,
		       bool timeout)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&rp->lock, flags);
	if (!w->released) {
		list_del(&w->node);
		rp->held--;
		if (timeout) {
			rp->timeouts++;
			atomic_inc(&rp->total_timeouts);
		}
	}
	raw_spin_unlock_irqrestore(&rp->lock, flags);
}

static void race_release(struct race_point *rp, unsigned int nr)
{
	struct race_waiter *w, *n;

	lockdep_assert_held(&rp->lock);
	list_for_each_entry_safe(w, n, &rp->waiters, node) {
		if (!nr--)
			break;
		list_del(&w->node);
		rp->held--;
		rp->released++;
		complete(&w->done);
		/* Pairs with smp_load_acquire() in __race_spin(). */
		smp_store_release(&w->released, true);
	}
}

/**
 * __race_hold() - a pass of an enabled hold point
 * @point: the point
 * @mm: what the caller works on, NULL if nothing
 * @addr: where
 *
 * Sleeps, killably, until released or timed out, if the point is armed for
 * this pass.
 *
 * Context: process context, may sleep; any sleeping lock may be held but those
 * that the controlling process needs to get at the session file.
 */
void __race_hold(struct race_hold *point, struct mm_struct *mm,
		 unsigned long addr)
{
	struct race_waiter w;
	long left;

	if (!race_enter(&point->rp, &w, mm, addr))
		return;
	left = wait_for_completion_killable_timeout(&w.done,
						    msecs_to_jiffies(w.timeout));
	race_leave(&point->rp, &w, !left);
}

/**
 * __race_spin() - a pass of an enabled spin point
 * @point: the point
 * @mm: what the caller works on, NULL if nothing
 * @addr: where
 *
 * Spins until released if the point is armed for this pass.  The time-out is
 * counted in udelay() steps: with interrupts off the clock of this CPU need not
 * run.
 *
 * Context: any but NMI, and not under a scheduler lock.
 */
void __race_spin(struct race_spin *point, struct mm_struct *mm,
		 unsigned long addr)
{
	struct race_waiter w;
	unsigned long steps;

	if (!race_enter(&point->rp, &w, mm, addr))
		return;
	steps = w.timeout * (USEC_PER_MSEC / RACE_SPIN_US);
	/* Pairs with smp_store_release() in race_release(). */
	while (!smp_load_acquire(&w.released) && steps) {
		udelay(RACE_SPIN_US);
		touch_nmi_watchdog();
		steps--;
	}
	race_leave(&point->rp, &w, !steps);
}

/**
 * __race_count() - a pass of an enabled count point
 * @point: the point
 * @mm: what the caller works on, NULL if nothing
 * @addr: where
 *
 * Takes no lock.  A pass is matched against the filter of one arming; when it is
 * overtaken by a disarming, its count may come late.
 *
 * Context: any.
 */
void __race_count(struct race_count *point, struct mm_struct *mm,
		  unsigned long addr)
{
	struct race_point *rp = &point->rp;
	/* Pairs with smp_store_release() in race_publish(). */
	unsigned int seq = smp_load_acquire(&rp->seq);
	bool match;

	if (!(seq & 1))
		return;
	/* Races with arming and disarming; what it says then is thrown away. */
	match = data_race(race_match(&rp->filter, mm, addr));
	/* The filter before seq.  Pairs with smp_wmb() in race_disarm(). */
	smp_rmb();
	if (!match || READ_ONCE(rp->seq) != seq)
		return;
	atomic_inc(&rp->hits);
	atomic_inc(&rp->total);
}

/**
 * __race_bypass() - is this guard switched off?
 * @guard: the guard
 *
 * Global while the session that bypasses it lives: kernel threads check guards
 * too.  Whoever was told so before the end of the session may still act on it.
 *
 * Context: any.
 * Return: true if the caller shall do as if the guard did not exist.
 */
bool __race_bypass(struct race_guard *guard)
{
	if (!race_armed(&guard->rp))
		return false;
	atomic_inc(&guard->rp.hits);
	atomic_inc(&guard->rp.total);
	return true;
}

static struct race_point *race_find(const char *name)
{
	struct race_point *rp;

	lockdep_assert_held(&race_mutex);
	list_for_each_entry(rp, &race_points, all)
		if (!strcmp(rp->name, name))
			return rp;
	return NULL;
}

static void race_filter_put(struct race_filter *f)
{
	put_pid(f->tid);
	put_pid(f->tgid);
	if (f->mm)
		mmdrop(f->mm);
	memset(f, 0, sizeof(*f));
}

static void race_disarm(struct race_point *rp)
{
	struct race_filter old;

	lockdep_assert_held(&race_mutex);
	raw_spin_lock_irq(&rp->lock);
	if (race_armed(rp))
		WRITE_ONCE(rp->seq, rp->seq + 1);
	/* seq before the filter.  Pairs with smp_rmb() in __race_count(). */
	smp_wmb();
	old = rp->filter;
	memset(&rp->filter, 0, sizeof(rp->filter));
	race_release(rp, UINT_MAX);
	raw_spin_unlock_irq(&rp->lock);

	race_filter_put(&old);
}

static void race_taint(void)
{
	static bool tainted;

	lockdep_assert_held(&race_mutex);
	if (tainted)
		return;
	tainted = true;
#ifdef TAINT_TEST
	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
#else
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
#endif
}

/**
 * race_session_open() - begin a session of the current process
 *
 * Enables the passes of all points; none is armed.
 *
 * Context: process context, may sleep.
 * Return: the session, or ERR_PTR(-ENOMEM).
 */
struct race_session *race_session_open(void)
{
	struct race_session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->opener = get_pid(task_tgid(current));
	s->mm = current->mm;
	if (s->mm)
		mmgrab(s->mm);
	static_branch_inc(&race_points_key);
	return s;
}

/**
 * race_session_end() - disarm, release and restore all that a session owns
 * @s: the session; it stays allocated, every later command fails
 *
 * Context: process context, may sleep.  May be called more than once.
 */
void race_session_end(struct race_session *s)
{
	struct race_point *rp;

	mutex_lock(&race_mutex);
	s->ended = true;
	list_for_each_entry(rp, &race_points, all) {
		if (rp->owner != s)
			continue;
		race_disarm(rp);
		raw_spin_lock_irq(&rp->lock);
		rp->owner = NULL;
		rp->owner_tgid = NULL;
		rp->owner_mm = NULL;
		raw_spin_unlock_irq(&rp->lock);
	}
	mutex_unlock(&race_mutex);
}

/**
 * race_session_close() - end a session and free it
 * @s: the session
 *
 * Context: process context, may sleep; nobody else uses @s any more.
 */
void race_session_close(struct race_session *s)
{
	race_session_end(s);
	static_branch_dec(&race_points_key);
	put_pid(s->opener);
	if (s->mm)
		mmdrop(s->mm);
	kfree(s);
}

static int race_take(struct race_session *s, struct race_point *rp)
{
	lockdep_assert_held(&race_mutex);
	if (s->ended)
		return -ESHUTDOWN;
	if (!rp)
		return -ENOENT;
	if (rp->owner != s && rp->owner)
		return -EBUSY;
	return race_armed(rp) ? -EBUSY : 0;
}

/* From free or disarmed to armed.  Consumes the references of @arm. */
static void race_publish(struct race_session *s, struct race_point *rp,
			 const struct race_arm *arm)
{
	unsigned int timeout = arm->timeout;

	if (!timeout)
		timeout = rp->kind == RACE_KIND_SPIN ? RACE_SPIN_MS :
						       RACE_HOLD_MS;
	race_taint();
	raw_spin_lock_irq(&rp->lock);
	rp->owner = s;
	rp->owner_tgid = s->opener;
	rp->owner_mm = s->mm;
	rp->filter = arm->filter;
	rp->skip = arm->skip;
	rp->times = arm->times;
	rp->timeout = timeout;
	rp->released = 0;
	rp->timeouts = 0;
	atomic_set(&rp->hits, 0);
	/* All of it before seq.  Pairs with the acquire in __race_count(). */
	smp_store_release(&rp->seq, rp->seq + 1);
	raw_spin_unlock_irq(&rp->lock);
}

/**
 * race_session_arm() - arm a point
 * @s: the session that will own it
 * @name: of a hold, spin or count point
 * @arm: what to hold, how often and how long
 *
 * Context: process context, may sleep.
 * Return: 0 and the references in @arm->filter are the point's; else they stay
 * the caller's, and
 * -ESHUTDOWN: the session has ended;
 * -ENOENT: no such point;
 * -EINVAL: it is a guard, or no scope was said, or a count point was asked to
 *	skip;
 * -EBUSY: it is armed, or another session owns it;
 * -ERANGE: the time-out is longer than the kind allows;
 * -EOPNOTSUPP: a spin point on a single CPU, where nobody could release it.
 */
int race_session_arm(struct race_session *s, const char *name,
		     const struct race_arm *arm)
{
	const struct race_filter *f = &arm->filter;
	struct race_point *rp;
	int err;

	if (!f->any && !f->tid && !f->tgid && !f->mm)
		return -EINVAL;

	mutex_lock(&race_mutex);
	rp = race_find(name);
	err = race_take(s, rp);
	if (err)
		goto out;

	switch (rp->kind) {
	case RACE_KIND_HOLD:
		if (arm->timeout > RACE_HOLD_MS_MAX)
			err = -ERANGE;
		break;
	case RACE_KIND_SPIN:
		if (arm->timeout > RACE_SPIN_MS_MAX)
			err = -ERANGE;
		else if (num_online_cpus() == 1)
			err = -EOPNOTSUPP;
		break;
	case RACE_KIND_COUNT:
		if (arm->skip)
			err = -EINVAL;
		break;
	default:
		err = -EINVAL;
	}
	if (!err)
		race_publish(s, rp, arm);
out:
	mutex_unlock(&race_mutex);
	return err;
}

/*
 * Fill in @f from "tid=N", "tgid=N" or "mm=N".  The numbers are of the caller's
 * pid namespace.  Takes no reference that could make this task the last user of an
 * mm: tearing it down may need what the session holds.
 */
static int race_filter_task(struct race_session *s, struct race_filter *f,
			    const char *key, const char *value)
{
	bool tgid = !strcmp(key, "tgid");
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;
	int nr, err = 0;

	if (kstrtoint(value, 0, &nr))
		return -EINVAL;
	pid = find_get_pid(nr);
	task = get_pid_task(pid, tgid ? PIDTYPE_TGID : PIDTYPE_PID);
	if (!task) {
		put_pid(pid);
		return -ESRCH;
	}

	task_lock(task);
	mm = task->mm;
	if (mm && mm == s->mm) {
		err = -EDEADLK;
	} else if (!strcmp(key, "mm")) {
		if (f->mm) {
			err = -EINVAL;
		} else if (!mm || (task->flags & PF_KTHREAD)) {
			err = -ESRCH;
		} else {
			mmgrab(mm);
			f->mm = mm;
		}
	} else if (tgid ? f->tgid : f->tid) {
		err = -EINVAL;
	} else if (tgid) {
		f->tgid = get_pid(pid);
	} else {
		f->tid = get_pid(pid);
	}
	task_unlock(task);
	put_task_struct(task);
	put_pid(pid);
	return err;
}

static int race_filter_range(struct race_filter *f, char *value)
{
	char *start = strsep(&value, "-");

	if (!value || kstrtoul(start, 0, &f->start) ||
	    kstrtoul(value, 0, &f->end) || f->start >= f->end)
		return -EINVAL;
	return 0;
}

static int race_command_arm(struct race_session *s, const char *name,
			    char *args)
{
	struct race_arm arm = { .times = 1 };
	char *word;
	int err = 0;

	while (!err && (word = strsep(&args, " "))) {
		char *key = strsep(&word, "=");

		if (!*key)
			continue;
		if (!strcmp(key, "any") && !word)
			arm.filter.any = true;
		else if (!word)
			err = -EINVAL;
		else if (!strcmp(key, "tid") || !strcmp(key, "tgid") ||
			 !strcmp(key, "mm"))
			err = race_filter_task(s, &arm.filter, key, word);
		else if (!strcmp(key, "range"))
			err = race_filter_range(&arm.filter, word);
		else if (!strcmp(key, "skip"))
			err = kstrtouint(word, 0, &arm.skip);
		else if (!strcmp(key, "times"))
			err = kstrtouint(word, 0, &arm.times);
		else if (!strcmp(key, "timeout"))
			err = kstrtouint(word, 0, &arm.timeout);
		else
			err = -EINVAL;
	}
	if (!err)
		err = race_session_arm(s, name, &arm);
	if (err)
		race_filter_put(&arm.filter);
	return err;
}

static bool race_arrived(const struct race_point *rp)
{
	if (rp->kind == RACE_KIND_COUNT)
		return atomic_read(&rp->hits);
	return READ_ONCE(rp->held);
}

/*
 * Polls: a count point is legal where nothing may be woken, and one way of
 * waiting serves all kinds.  By hrtimer: while a task spins with interrupts off on
 * the CPU that keeps jiffies, jiffies stand still.
 */
static int race_command_wait(struct race_session *s, const char *name,
			     char *args)
{
	unsigned int held = 0, hits = 0, timeout = RACE_WAIT_MS;
	ktime_t end, pause = ms_to_ktime(1);
	char *word;
	int err = 0;

	while (!err && (word = strsep(&args, " "))) {
		char *key = strsep(&word, "=");

		if (!*key)
			continue;
		if (!word)
			err = -EINVAL;
		else if (!strcmp(key, "held"))
			err = kstrtouint(word, 0, &held);
		else if (!strcmp(key, "hits"))
			err = kstrtouint(word, 0, &hits);
		else if (!strcmp(key, "timeout"))
			err = kstrtouint(word, 0, &timeout);
		else
			err = -EINVAL;
	}
	if (err)
		return err;
	end = ktime_add_ms(ktime_get(), timeout);
	for (;;) {
		struct race_point *rp;
		bool late = ktime_after(ktime_get(), end);

		mutex_lock(&race_mutex);
		rp = race_find(name);
		if (s->ended)
			err = -ESHUTDOWN;
		else if (!rp)
			err = -ENOENT;
		else if (rp->owner != s)
			err = -EPERM;
		else if (!race_armed(rp))
			err = -ENXIO;
		else if (!held && !hits && race_arrived(rp))
			err = 0;
		else if ((!held && !hits) || READ_ONCE(rp->held) < held ||
			 atomic_read(&rp->hits) < hits)
			err = -EAGAIN;
		else
			err = 0;
		mutex_unlock(&race_mutex);

		if (err != -EAGAIN)
			return err;
		if (late)
			return -ETIMEDOUT;
		if (signal_pending(current))
			return -EINTR;
		set_current_state(TASK_INTERRUPTIBLE);
		schedule_hrtimeout(&pause, HRTIMER_MODE_REL);
	}
}

static int race_command_bypass(struct race_session *s, const char *name)
{
	const struct race_arm arm = { };
	struct race_point *rp;
	int err;

	mutex_lock(&race_mutex);
	rp = race_find(name);
	err = race_take(s, rp);
	if (!err && rp->kind != RACE_KIND_GUARD)
		err = -EINVAL;
	if (!err)
		race_publish(s, rp, &arm);
	mutex_unlock(&race_mutex);
	return err;
}

/* "release NAME [N]", "disarm NAME" and, for a guard, "restore NAME" */
static int race_command_owned(struct race_session *s, const char *verb,
			      const char *name, char *args)
{
	struct race_point *rp;
	unsigned int nr = UINT_MAX;
	bool guard;
	int err = 0;

	if (args && (strcmp(verb, "release") || kstrtouint(args, 0, &nr)))
		return -EINVAL;

	mutex_lock(&race_mutex);
	rp = race_find(name);
	guard = rp && rp->kind == RACE_KIND_GUARD;
	if (s->ended)
		err = -ESHUTDOWN;
	else if (!rp)
		err = -ENOENT;
	else if (guard != !strcmp(verb, "restore"))
		err = -EINVAL;
	else if (rp->owner != s)
		err = -EPERM;
	else if (strcmp(verb, "release"))
		race_disarm(rp);

	if (!err && !strcmp(verb, "release")) {
		raw_spin_lock_irq(&rp->lock);
		race_release(rp, nr);
		raw_spin_unlock_irq(&rp->lock);
	}
	mutex_unlock(&race_mutex);
	return err;
}

/**
 * race_session_command() - carry out one command of the debugfs file
 * @s: the session
 * @cmd: the command, taken apart in place
 *
 * Documentation/dev-tools/race-points.rst has the commands.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL for what is no command, -EPERM for a point of another
 * session, -ENXIO and -ETIMEDOUT for a wait, -EINTR, -ESRCH for a task that does
 * not exist, -EDEADLK for one that shares the opener's mm, and the errors of
 * race_session_arm().
 */
int race_session_command(struct race_session *s, char *cmd)
{
	char *verb, *name;

	cmd = strim(cmd);
	verb = strsep(&cmd, " ");
	name = strsep(&cmd, " ");
	if (!name)
		return -EINVAL;
	if (!strcmp(verb, "arm"))
		return race_command_arm(s, name, cmd);
	if (!strcmp(verb, "wait"))
		return race_command_wait(s, name, cmd);
	if (!strcmp(verb, "bypass"))
		return cmd ? -EINVAL : race_command_bypass(s, name);
	if (!strcmp(verb, "release") || !strcmp(verb, "disarm") ||
	    !strcmp(verb, "restore"))
		return race_command_owned(s, verb, name, cmd);
	return -EINVAL;
}

/**
 * race_session_show() - print the points and guards of a session
 * @s: the session
 * @m: where to
 *
 * Context: process context, may sleep.
 */
void race_session_show(struct race_session *s, struct seq_file *m)
{
	struct race_point *rp;

	mutex_lock(&race_mutex);
	list_for_each_entry(rp, &race_points, all) {
		if (rp->owner != s)
			continue;
		seq_printf(m, "%s %s armed=%d held=%u hits=%d released=%u timeouts=%u\n",
			   rp->name, race_kind_names[rp->kind], race_armed(rp),
			   READ_ONCE(rp->held), atomic_read(&rp->hits),
			   READ_ONCE(rp->released), READ_ONCE(rp->timeouts));
	}
	mutex_unlock(&race_mutex);
}

static int session_show(struct seq_file *m, void *v)
{
	race_session_show(m->private, m);
	return 0;
}

static int session_open(struct inode *inode, struct file *file)
{
	struct race_session *s;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	s = race_session_open();
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = single_open(file, session_show, s);
	if (err)
		race_session_close(s);
	return err;
}

static struct race_session *session_of(struct file *file)
{
	struct seq_file *m = file->private_data;

	return m->private;
}

static int session_flush(struct file *file, fl_owner_t id)
{
	struct race_session *s = session_of(file);

	if (task_tgid(current) == s->opener)
		race_session_end(s);
	return 0;
}

static int session_release(struct inode *inode, struct file *file)
{
	race_session_close(session_of(file));
	return single_release(inode, file);
}

static ssize_t session_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *ppos)
{
	char *cmd;
	int err;

	if (count > RACE_COMMAND_MAX)
		return -E2BIG;
	cmd = memdup_user_nul(buf, count);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);
	err = race_session_command(session_of(file), cmd);
	kfree(cmd);
	return err ? err : count;
}

static const struct file_operations session_fops = {
	.open		= session_open,
	.read		= seq_read,
	.write		= session_write,
	.llseek		= seq_lseek,
	.flush		= session_flush,
	.release	= session_release,
};

static int list_show(struct seq_file *m, void *v)
{
	struct race_point *rp;

	mutex_lock(&race_mutex);
	list_for_each_entry(rp, &race_points, all)
		seq_printf(m, "%s %s armed=%d held=%u total=%d timeouts=%d  %s\n",
			   rp->name, race_kind_names[rp->kind], race_armed(rp),
			   READ_ONCE(rp->held), atomic_read(&rp->total),
			   atomic_read(&rp->total_timeouts), rp->doc);
	mutex_unlock(&race_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(list);

static int __init race_points_init(void)
{
	struct dentry *dir = debugfs_create_dir("race_points", NULL);

	/* The debugfs proxy of the safe variant forwards no ->flush. */
	debugfs_create_file_unsafe("session", 0600, dir, NULL, &session_fops);
	debugfs_create_file("list", 0400, dir, NULL, &list_fops);
	return 0;
}
late_initcall(race_points_init);
