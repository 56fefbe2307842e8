// SPDX-License-Identifier: GPL-2.0
/*
 * Named race points: hold a task at a named place until a test lets it go.
 *
 * A point is in one of these states, which change only under race_point.lock:
 *
 *	owner == NULL, seq even		free
 *	owner != NULL, seq even		disarmed; its counts can still be read
 *	owner != NULL, seq odd		armed; matching tasks wait on @waiters
 *
 * "arm" moves a point to the last state, "disarm" back to the second, and the
 * end of the session to the first.  Leaving the armed state releases every
 * waiter, so a task waits only at an armed point.
 *
 * A session is an open file and belongs to the process that opened it.  It ends
 * when that process closes the file or dies, in ->flush and not in ->release:
 * a held child may have inherited the descriptor, and ->release would not be
 * called until that child, which only the session can let go, has exited.  For
 * the same reason tasks in the thread group of the opener, and tasks that work
 * on its mm, are never held: a killed opener drops its mm before its files.
 * Where files are shared with another process by clone(CLONE_FILES), the last
 * of the two closes them, and the session lives until then.
 *
 * A pass in interrupt context is not attributed to the interrupted task,
 * neither by the filters nor by the exception for the opener.  It is matched by
 * its CPU and by the mm or the file that it says it works on.
 *
 * A waiter may be let go by the hits of another point ("until").  It polls
 * their number itself, since they may come from a context in which no task may
 * be woken.
 *
 * "W:" in the comments of fields names the lock under which they are written.
 *
 * Lock order: race_mutex -> race_point.lock.  The latter is a raw leaf lock: a
 * pass may come from any context but NMI.  Waking a waiter takes its pi_lock,
 * so no hold or spin point may be placed under a scheduler lock.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
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
 * The limit of a hold is below the time of the hung-task detector (120 s by
 * default), and that of a spin below the RCU stall detector's (21 s) unless
 * each delay step takes twice its nominal time.
 */
#define RACE_HOLD_MS		10000
#define RACE_HOLD_MS_MAX	60000
#define RACE_SPIN_MS		2000
#define RACE_SPIN_MS_MAX	10000
#define RACE_SPIN_US		10
#define RACE_WAIT_MS		10000
#define RACE_POLL_MS		1
#define RACE_COMMAND_MAX	256

struct race_session {
	struct pid *opener;	/* thread group that the session ends with */
	struct mm_struct *mm;	/* of the opener; NULL for a kernel thread */
	struct list_head files;	/* race_file; W: race_mutex, entries stay */
	bool ended;		/* W: race_mutex, once */
};

/*
 * A file that a filter was made for.  It is kept until the session is closed:
 * this may be the last reference, and tearing down a file waits for pages that
 * may be locked by a task which the session holds.
 */
struct race_file {
	struct list_head node;
	struct file *file;
};

/* The memory or the file that a pass works on, as its caller says. */
struct race_pass {
	const struct mm_struct *mm;
	const struct address_space *mapping;
	bool file;		/* @at is the index of a page, not an address */
	unsigned long at;
};

struct race_waiter {
	struct list_head node;	/* W: race_point.lock; queued until released */
	struct completion done;
	unsigned int timeout;
	struct race_point *until;
	unsigned int until_hits;
	struct race_session *owner;
	bool released;		/* set last by the releaser */
};

/* How a hold ends that is not ended by a release. */
enum race_end {
	RACE_END_REACHED,
	RACE_END_LATE,
	RACE_END_KILLED,
};

/*
 * The log of one session.  A pass claims an entry by @next and writes it with
 * interrupts off, so that clearing the log can wait for passes that still
 * write.
 */
struct race_log_entry {
	const struct race_point *rp;
	unsigned long at;
	bool file;
	int cpu;
	pid_t tid;		/* 0 in interrupt context */
	bool whole;		/* set last */
};

static struct {
	struct race_session *session;	/* that owns it.  W: race_mutex */
	struct race_session *active;	/* that logs hits now.  W: race_mutex */
	atomic_t writers;
	atomic_t next;
	atomic_t lost;
	struct race_log_entry entry[RACE_LOG_MAX];
} race_log;

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
 * @rp: a statically initialised point, which is never freed
 *
 * Called by the initcall that RACE_HOLD() and the other declarations expand to.
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

static bool race_match(const struct race_filter *f,
		       const struct race_pass *pass)
{
	/* Without the lock the test and the use must be of one value. */
	const struct cpumask *cpus = READ_ONCE(f->cpus);

	if ((f->tid || f->tgid) && !in_task())
		return false;
	if (f->tid && f->tid != task_pid(current))
		return false;
	if (f->tgid && f->tgid != task_tgid(current))
		return false;
	if (cpus && !cpumask_test_cpu(raw_smp_processor_id(), cpus))
		return false;
	if (f->mm && f->mm != pass->mm)
		return false;
	if (f->mapping && f->mapping != pass->mapping)
		return false;
	if (!f->end)
		return true;
	return pass->file == !!f->mapping && pass->at >= f->start &&
	       pass->at < f->end;
}

/*
 * The thread group of the owner, and tasks that work on its mm, are let
 * through: see the comment at the top of this file.
 */
static bool race_own(const struct race_point *rp, const struct race_pass *pass)
{
	/* The session of a kernel thread has no mm: no task is let through. */
	if (!rp->owner_mm)
		return false;
	if (pass->mm == rp->owner_mm)
		return true;
	return in_task() && (current->mm == rp->owner_mm ||
			     task_tgid(current) == rp->owner_tgid);
}

/* Callable from any context, NMI included. */
static void race_log_hit(const struct race_point *rp,
			 const struct race_session *owner,
			 const struct race_pass *pass)
{
	struct race_log_entry *e;
	unsigned long flags;
	unsigned int nr;

	if (READ_ONCE(race_log.active) != owner)
		return;

	local_irq_save(flags);
	atomic_inc(&race_log.writers);
	/* Pairs with smp_mb() in race_log_stop(). */
	smp_mb__after_atomic();
	if (READ_ONCE(race_log.active) != owner)
		goto out;
	/* @next exceeds the end by the number of CPUs at most: no overflow. */
	nr = atomic_read(&race_log.next);
	if (nr < RACE_LOG_MAX)
		nr = atomic_fetch_inc(&race_log.next);
	if (nr >= RACE_LOG_MAX) {
		atomic_inc(&race_log.lost);
		goto out;
	}
	e = &race_log.entry[nr];
	e->rp = rp;
	e->at = pass->at;
	e->file = pass->file;
	e->cpu = raw_smp_processor_id();
	e->tid = in_task() ? task_pid_nr(current) : 0;
	/* Pairs with smp_load_acquire() in race_log_show(). */
	smp_store_release(&e->whole, true);
out:
	/*
	 * The entry is written before the count drops.  Pairs with the acquire
	 * in race_log_stop().
	 */
	smp_mb__before_atomic();
	atomic_dec(&race_log.writers);
	local_irq_restore(flags);
}

/* The count goes up last, so that a hit that was counted is in the log. */
static void race_hit(struct race_point *rp, const struct race_session *owner,
		     const struct race_pass *pass)
{
	race_log_hit(rp, owner, pass);
	atomic_inc(&rp->total);
	/*
	 * Orders all that this task did before the hit.  Pairs with the acquire
	 * in race_reached().
	 */
	smp_mb__before_atomic();
	atomic_inc(&rp->hits);
}

/* Queue the current task at @rp if it has to be held there. */
static bool race_enter(struct race_point *rp, struct race_waiter *w,
		       const struct race_pass *pass)
{
	unsigned long flags;
	bool hold = false;

	if (!race_armed(rp) || WARN_ON_ONCE(in_nmi()))
		return false;

	init_completion(&w->done);
	w->released = false;

	raw_spin_lock_irqsave(&rp->lock, flags);
	if (race_armed(rp) && !race_own(rp, pass) &&
	    race_match(&rp->filter, pass)) {
		race_hit(rp, rp->owner, pass);
		if (rp->skip) {
			rp->skip--;
		} else if (rp->times) {
			rp->times--;
			rp->held++;
			w->timeout = rp->timeout;
			w->until = rp->until;
			w->until_hits = rp->until_hits;
			w->owner = rp->owner;
			list_add_tail(&w->node, &rp->waiters);
			hold = true;
		}
	}
	raw_spin_unlock_irqrestore(&rp->lock, flags);

	return hold;
}

/*
 * Takes the lock even after a release: the releaser may still be inside
 * complete(), which uses a completion on this task's stack, and holds the lock
 * until it has left it.
 */
static void race_leave(struct race_point *rp, struct race_waiter *w,
		       enum race_end end)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&rp->lock, flags);
	if (!w->released) {
		list_del(&w->node);
		rp->held--;
		switch (end) {
		case RACE_END_REACHED:
			rp->released++;
			break;
		case RACE_END_LATE:
			rp->timeouts++;
			atomic_inc(&rp->total_timeouts);
			break;
		case RACE_END_KILLED:
			rp->killed++;
			break;
		}
	}
	raw_spin_unlock_irqrestore(&rp->lock, flags);
}

/*
 * Whether the point that @w waits for has been hit often enough.  Its hits
 * count only while it is armed by the same session: before that they are those
 * of another arming.
 */
static bool race_reached(const struct race_waiter *w)
{
	const struct race_point *until = w->until;

	if (!until || READ_ONCE(until->owner) != w->owner)
		return false;
	/*
	 * Reads the hits of this arming and not of the one before.  Pairs with
	 * the release in race_publish().
	 */
	if (!(smp_load_acquire(&until->seq) & 1))
		return false;
	/* Pairs with the barrier in race_hit(). */
	return (unsigned int)atomic_read_acquire(&until->hits) >= w->until_hits;
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
		/* Pairs with smp_load_acquire() in race_let_go(). */
		smp_store_release(&w->released, true);
	}
}

static bool race_let_go(const struct race_waiter *w)
{
	/* Pairs with smp_store_release() in race_release(). */
	return smp_load_acquire(&w->released) || race_reached(w);
}

/*
 * A task that waits for the hits of another point polls them.  It sleeps by
 * hrtimer: jiffies stand still while a task spins with interrupts off on the
 * CPU that updates them.
 */
static enum race_end race_sleep_until(const struct race_waiter *w)
{
	ktime_t end = ktime_add_ms(ktime_get(), w->timeout);
	ktime_t pause = ms_to_ktime(RACE_POLL_MS);

	while (!race_let_go(w)) {
		if (fatal_signal_pending(current))
			return RACE_END_KILLED;
		if (ktime_after(ktime_get(), end))
			return RACE_END_LATE;
		set_current_state(TASK_KILLABLE);
		schedule_hrtimeout(&pause, HRTIMER_MODE_REL);
	}
	return RACE_END_REACHED;
}

static void race_pass_hold(struct race_point *rp, const struct race_pass *pass)
{
	struct race_waiter w;
	long left;

	if (!race_enter(rp, &w, pass))
		return;
	if (w.until) {
		race_leave(rp, &w, race_sleep_until(&w));
		return;
	}
	left = wait_for_completion_killable_timeout(&w.done,
						    msecs_to_jiffies(w.timeout));
	race_leave(rp, &w, left ? RACE_END_KILLED : RACE_END_LATE);
}

static void race_pass_spin(struct race_point *rp, const struct race_pass *pass)
{
	struct race_waiter w;
	unsigned long steps;

	if (!race_enter(rp, &w, pass))
		return;
	steps = w.timeout * (USEC_PER_MSEC / RACE_SPIN_US);
	while (!race_let_go(&w) && steps) {
		udelay(RACE_SPIN_US);
		touch_nmi_watchdog();
		steps--;
	}
	race_leave(rp, &w, steps ? RACE_END_REACHED : RACE_END_LATE);
}

/*
 * Whether @rp is armed for this pass, or bypassed for it, and by which session.
 * Called without the lock: unless all that was read belongs to one arming, the
 * answer is no.
 */
static bool race_armed_for(const struct race_point *rp,
			   const struct race_pass *pass,
			   const struct race_session **owner)
{
	/* Pairs with smp_store_release() in race_publish(). */
	unsigned int seq = smp_load_acquire(&rp->seq);
	bool match;

	if (!(seq & 1))
		return false;
	/* Races with arming and disarming; the result is then discarded. */
	*owner = data_race(rp->owner);
	/* Likewise. */
	match = data_race(race_match(&rp->filter, pass));
	/*
	 * Reads the filter before seq.  Pairs with smp_wmb() in race_disarm().
	 */
	smp_rmb();
	return match && READ_ONCE(rp->seq) == seq;
}

static void race_pass_count(struct race_point *rp, const struct race_pass *pass)
{
	const struct race_session *owner;

	if (race_armed_for(rp, pass, &owner))
		race_hit(rp, owner, pass);
}

static bool race_bypassed(struct race_point *rp, const struct mm_struct *mm)
{
	const struct race_pass pass = { .mm = mm };
	const struct race_session *owner;

	if (!race_armed_for(rp, &pass, &owner))
		return false;
	atomic_inc(&rp->hits);
	atomic_inc(&rp->total);
	return true;
}

/**
 * __race_hold() - a pass of an enabled hold point
 * @point: the point
 * @mm: the mm that the caller works on, NULL if none
 * @addr: the address in it
 *
 * If the point is armed for this pass, the task sleeps killably until it is
 * released or times out.
 *
 * Context: process context, may sleep.  The caller may hold any sleeping lock
 * but those that the controlling process takes to write to the session file.
 */
void __race_hold(struct race_hold *point, struct mm_struct *mm,
		 unsigned long addr)
{
	const struct race_pass pass = { .mm = mm, .at = addr };

	race_pass_hold(&point->rp, &pass);
}

/**
 * __race_hold_file() - a pass of an enabled hold point in work on a file
 * @point: the point
 * @mapping: the mapping of the file, NULL for a page that belongs to none
 * @index: the index of the page
 *
 * Context: as __race_hold().
 */
void __race_hold_file(struct race_hold *point, struct address_space *mapping,
		      unsigned long index)
{
	const struct race_pass pass = {
		.mapping = mapping, .file = true, .at = index,
	};

	race_pass_hold(&point->rp, &pass);
}

/**
 * __race_spin() - a pass of an enabled spin point
 * @point: the point
 * @mm: the mm that the caller works on, NULL if none
 * @addr: the address in it
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
	const struct race_pass pass = { .mm = mm, .at = addr };

	race_pass_spin(&point->rp, &pass);
}

/**
 * __race_spin_file() - a pass of an enabled spin point in work on a file
 * @point: the point
 * @mapping: the mapping of the file, NULL for a page that belongs to none
 * @index: the index of the page
 *
 * Context: as __race_spin().
 */
void __race_spin_file(struct race_spin *point, struct address_space *mapping,
		      unsigned long index)
{
	const struct race_pass pass = {
		.mapping = mapping, .file = true, .at = index,
	};

	race_pass_spin(&point->rp, &pass);
}

/**
 * __race_count() - a pass of an enabled count point
 * @point: the point
 * @mm: the mm that the caller works on, NULL if none
 * @addr: the address in it
 *
 * Takes no lock.  A pass is matched against the filter of one arming.  If it
 * races with a disarming, the count may go up after that.
 *
 * Context: any.
 */
void __race_count(struct race_count *point, struct mm_struct *mm,
		  unsigned long addr)
{
	const struct race_pass pass = { .mm = mm, .at = addr };

	race_pass_count(&point->rp, &pass);
}

/**
 * __race_count_file() - a pass of an enabled count point in work on a file
 * @point: the point
 * @mapping: the mapping of the file, NULL for a page that belongs to none
 * @index: the index of the page
 *
 * Context: any.
 */
void __race_count_file(struct race_count *point, struct address_space *mapping,
		       unsigned long index)
{
	const struct race_pass pass = {
		.mapping = mapping, .file = true, .at = index,
	};

	race_pass_count(&point->rp, &pass);
}

/**
 * __race_bypass() - whether a guard is switched off
 * @guard: the guard
 *
 * A guard is switched off until the session that bypasses it ends; a caller
 * that was told so before may still act on it afterwards.  A guard that is
 * bypassed for one mm is switched off for the tasks of that mm, and stays in
 * place for kernel threads and interrupts.
 *
 * Context: any.
 * Return: true if the caller shall do as if the guard did not exist.
 */
bool __race_bypass(struct race_guard *guard)
{
	return race_bypassed(&guard->rp, in_task() ? current->mm : NULL);
}

/**
 * __race_bypass_mm() - whether a guard is switched off for the memory of @mm
 * @guard: the guard
 * @mm: the mm that the caller works on, which need not be its own; NULL if none
 *
 * Context: any.
 * Return: as __race_bypass().
 */
bool __race_bypass_mm(struct race_guard *guard, struct mm_struct *mm)
{
	return race_bypassed(&guard->rp, mm);
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
	/*
	 * Writes seq before the filter.  Pairs with smp_rmb() in
	 * race_armed_for().
	 */
	smp_wmb();
	old = rp->filter;
	memset(&rp->filter, 0, sizeof(rp->filter));
	race_release(rp, UINT_MAX);
	raw_spin_unlock_irq(&rp->lock);

	race_filter_put(&old);
}

/* Take no more hits, and wait for those that are being written. */
static void race_log_stop(void)
{
	lockdep_assert_held(&race_mutex);
	WRITE_ONCE(race_log.active, NULL);
	/* Pairs with smp_mb__after_atomic() in race_log_hit(). */
	smp_mb();
	while (atomic_read_acquire(&race_log.writers))
		cpu_relax();
}

/* "log begin" clears the log and starts it.  "log end" stops and keeps it. */
static int race_command_log(struct race_session *s, const char *what)
{
	bool begin = !strcmp(what, "begin");
	int err = 0;

	if (!begin && strcmp(what, "end"))
		return -EINVAL;

	mutex_lock(&race_mutex);
	if (s->ended)
		err = -ESHUTDOWN;
	else if (begin && race_log.session && race_log.session != s)
		err = -EBUSY;
	else if (!begin && race_log.session != s)
		err = -EPERM;
	else
		race_log_stop();
	if (!err && begin) {
		atomic_set(&race_log.next, 0);
		atomic_set(&race_log.lost, 0);
		memset(race_log.entry, 0, sizeof(race_log.entry));
		race_log.session = s;
		/* Clear the log before the first hit is written. */
		smp_store_release(&race_log.active, s);
	}
	mutex_unlock(&race_mutex);
	return err;
}

/* Prints the hits up to the first one that is still being written. */
static void race_log_show(struct seq_file *m)
{
	unsigned int i, nr = atomic_read(&race_log.next);

	lockdep_assert_held(&race_mutex);
	for (i = 0; i < min_t(unsigned int, nr, RACE_LOG_MAX); i++)
		/* Pairs with smp_store_release() in race_log_hit(). */
		if (!smp_load_acquire(&race_log.entry[i].whole))
			break;
	nr = i;

	seq_printf(m, "log hits=%u lost=%d\n", nr, atomic_read(&race_log.lost));
	for (i = 0; i < nr; i++) {
		const struct race_log_entry *e = &race_log.entry[i];

		seq_printf(m, "log %u %s cpu=%d tid=%d %s=%#lx\n", i + 1,
			   e->rp->name, e->cpu, e->tid,
			   e->file ? "index" : "addr", e->at);
	}
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
 * Switches the static key on, so that all points look at each pass.  None is
 * armed yet.
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
	INIT_LIST_HEAD(&s->files);
	static_branch_inc(&race_points_key);
	return s;
}

/**
 * race_session_end() - disarm, release and restore all that a session owns
 * @s: the session; it stays allocated, and every later command fails
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
	if (race_log.session == s) {
		race_log_stop();
		race_log.session = NULL;
	}
	mutex_unlock(&race_mutex);
}

/**
 * race_session_close() - end a session and free it
 * @s: the session
 *
 * Context: process context, may sleep.  The caller has the last reference to
 * @s.
 */
void race_session_close(struct race_session *s)
{
	struct race_file *rf, *n;

	race_session_end(s);
	static_branch_dec(&race_points_key);
	list_for_each_entry_safe(rf, n, &s->files, node) {
		fput(rf->file);
		kfree(rf);
	}
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

/* Arm a point that is free or disarmed.  Consumes the references of @arm. */
static void race_publish(struct race_session *s, struct race_point *rp,
			 const struct race_arm *arm, struct race_point *until)
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
	rp->until = until;
	rp->until_hits = arm->until_hits;
	rp->released = 0;
	rp->timeouts = 0;
	rp->killed = 0;
	atomic_set(&rp->hits, 0);
	/*
	 * Writes all that before seq.  Pairs with the acquire in
	 * race_armed_for().
	 */
	smp_store_release(&rp->seq, rp->seq + 1);
	raw_spin_unlock_irq(&rp->lock);
}

/**
 * race_session_arm() - arm a point
 * @s: the session that will own it
 * @name: the name of a hold, spin or count point
 * @arm: which passes to hold, how often and for how long
 *
 * Context: process context, may sleep.
 * Return: 0, and the point owns the references in @arm->filter; otherwise they
 * stay the caller's, and
 * -ESHUTDOWN: the session has ended;
 * -ENOENT: there is no such point, or no such point to wait for;
 * -EINVAL: it is a guard; or the filter is empty, or can match no pass; or a
 *	count point was asked to skip or to wait; or the point to wait for is a
 *	guard;
 * -EBUSY: it is armed, or another session owns it or the point to wait for;
 * -ERANGE: the time-out is longer than the kind allows;
 * -EOPNOTSUPP: a spin point on a single CPU, where no task could release it.
 */
int race_session_arm(struct race_session *s, const char *name,
		     const struct race_arm *arm)
{
	const struct race_filter *f = &arm->filter;
	struct race_point *rp, *until = NULL;
	int err;

	if (!f->any && !f->tid && !f->tgid && !f->mm && !f->mapping && !f->cpus)
		return -EINVAL;
	if (f->mm && f->mapping)
		return -EINVAL;

	mutex_lock(&race_mutex);
	rp = race_find(name);
	err = race_take(s, rp);
	if (err)
		goto out;
	if (arm->until) {
		until = race_find(arm->until);
		if (!until)
			err = -ENOENT;
		else if (until->kind == RACE_KIND_GUARD)
			err = -EINVAL;
		else if (until->owner && until->owner != s)
			err = -EBUSY;
		if (err)
			goto out;
	}

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
		if (arm->skip || arm->until)
			err = -EINVAL;
		break;
	default:
		err = -EINVAL;
	}
	if (!err)
		race_publish(s, rp, arm, until);
out:
	mutex_unlock(&race_mutex);
	return err;
}

/*
 * Fill in @f from "tid=N", "tgid=N" or "mm=N", and refuse tasks of the mm
 * @never.  The numbers are of the caller's pid namespace.  Takes a reference by
 * mmgrab() and not by mmget(), so that this task never becomes the last user of
 * an mm: tearing that down may wait for a task that the session holds.
 */
static int race_filter_task(const struct mm_struct *never,
			    struct race_filter *f, const char *key,
			    const char *value)
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
	if (mm && mm == never) {
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

static const struct file_operations session_fops;

/* Fill in @f from "file=FD", where FD is a descriptor of the caller. */
static int race_filter_file(struct race_session *s, struct race_filter *f,
			    const char *value)
{
	struct race_file *rf, *old;
	struct file *file;
	int fd;

	if (f->mapping || kstrtoint(value, 0, &fd) || fd < 0)
		return -EINVAL;
	file = fget(fd);
	if (!file)
		return -EBADF;
	/*
	 * A session file that held a reference to a session file, or to itself,
	 * might never be closed.
	 */
	if (!S_ISREG(file_inode(file)->i_mode) ||
	    file->f_op == &session_fops) {
		fput(file);
		return -EINVAL;
	}
	rf = kmalloc(sizeof(*rf), GFP_KERNEL);
	if (!rf) {
		fput(file);
		return -ENOMEM;
	}
	rf->file = file;
	f->mapping = file->f_mapping;

	mutex_lock(&race_mutex);
	list_for_each_entry(old, &s->files, node) {
		if (old->file == file) {
			/* The session has a reference: this is not the last. */
			fput(file);
			kfree(rf);
			rf = NULL;
			break;
		}
	}
	if (rf)
		list_add(&rf->node, &s->files);
	mutex_unlock(&race_mutex);
	return 0;
}

static int race_filter_cpu(struct race_filter *f, const char *value)
{
	unsigned int cpu;

	if (f->cpus || kstrtouint(value, 0, &cpu))
		return -EINVAL;
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ERANGE;
	f->cpus = cpumask_of(cpu);
	return 0;
}

static int race_filter_range(struct race_filter *f, char *value)
{
	char *start = strsep(&value, "-");

	if (!value || kstrtoul(start, 0, &f->start) ||
	    kstrtoul(value, 0, &f->end) || f->start >= f->end)
		return -EINVAL;
	return 0;
}

/* "until=POINT" or "until=POINT:HITS" */
static int race_arm_until(struct race_arm *arm, char *value)
{
	arm->until = strsep(&value, ":");
	arm->until_hits = 1;
	if (!*arm->until || (value && kstrtouint(value, 0, &arm->until_hits)))
		return -EINVAL;
	if (!arm->until_hits || arm->until_hits > INT_MAX)
		return -ERANGE;
	return 0;
}

static int race_command_arm(struct race_session *s, const char *name,
			    char *args)
{
	bool range = false, index = false;
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
			err = race_filter_task(s->mm, &arm.filter, key, word);
		else if (!strcmp(key, "cpu"))
			err = race_filter_cpu(&arm.filter, word);
		else if (!strcmp(key, "file"))
			err = race_filter_file(s, &arm.filter, word);
		else if (!strcmp(key, "range") || !strcmp(key, "index"))
			err = race_filter_range(&arm.filter, word);
		else if (!strcmp(key, "until"))
			err = race_arm_until(&arm, word);
		else if (!strcmp(key, "skip"))
			err = kstrtouint(word, 0, &arm.skip);
		else if (!strcmp(key, "times"))
			err = kstrtouint(word, 0, &arm.times);
		else if (!strcmp(key, "timeout"))
			err = kstrtouint(word, 0, &arm.timeout);
		else
			err = -EINVAL;

		if (!strcmp(key, "range"))
			range = true;
		if (!strcmp(key, "index"))
			index = true;
	}
	/* "range" is of addresses in memory, "index" of pages in a file. */
	if (!err && (arm.filter.mapping ? range : index))
		err = -EINVAL;
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
 * Polls, since a count point may be passed in a context in which no task may be
 * woken.  Sleeps by hrtimer, since jiffies stand still while a task spins with
 * interrupts off on the CPU that updates them.
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

/**
 * race_session_bypass() - switch a guard off
 * @s: the session that will own it
 * @name: the name of the guard
 * @mm: the only mm to bypass it for, with a reference of mmgrab(); NULL for all
 *
 * Context: process context, may sleep.
 * Return: 0, and the guard owns the reference; otherwise it stays the caller's,
 * and -ESHUTDOWN, -ENOENT and -EBUSY as race_session_arm(), or -EINVAL for a
 * point.
 */
int race_session_bypass(struct race_session *s, const char *name,
			struct mm_struct *mm)
{
	const struct race_arm arm = { .filter = { .mm = mm } };
	struct race_point *rp;
	int err;

	mutex_lock(&race_mutex);
	rp = race_find(name);
	err = race_take(s, rp);
	if (!err && rp->kind != RACE_KIND_GUARD)
		err = -EINVAL;
	if (!err)
		race_publish(s, rp, &arm, NULL);
	mutex_unlock(&race_mutex);
	return err;
}

/* "bypass GUARD" or "bypass GUARD mm=PID"; PID may be the opener's. */
static int race_command_bypass(struct race_session *s, const char *name,
			       char *args)
{
	struct race_filter f = { };
	char *word;
	int err = 0;

	while (!err && (word = strsep(&args, " "))) {
		char *key = strsep(&word, "=");

		if (!*key)
			continue;
		if (!word || strcmp(key, "mm"))
			err = -EINVAL;
		else
			err = race_filter_task(NULL, &f, key, word);
	}
	if (!err)
		err = race_session_bypass(s, name, f.mm);
	if (err)
		race_filter_put(&f);
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
 * @cmd: the command; it is parsed in place
 *
 * The commands are described in Documentation/dev-tools/race-points.rst.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EINVAL if @cmd is not a command, -EPERM for a point of another
 * session, -ENXIO and -ETIMEDOUT for a wait, -EINTR, -ESRCH for a task that
 * does not exist, -EDEADLK for one that shares the opener's mm, -EBADF for a
 * descriptor that is not open, -ENOMEM, and the errors of race_session_arm().
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
		return race_command_bypass(s, name, cmd);
	if (!strcmp(verb, "log"))
		return cmd ? -EINVAL : race_command_log(s, name);
	if (!strcmp(verb, "release") || !strcmp(verb, "disarm") ||
	    !strcmp(verb, "restore"))
		return race_command_owned(s, verb, name, cmd);
	return -EINVAL;
}

/**
 * race_session_show() - print the points and guards of a session, then its log
 * @s: the session
 * @m: the file to print to
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
		seq_printf(m, "%s %s armed=%d held=%u hits=%d released=%u timeouts=%u killed=%u\n",
			   rp->name, race_kind_names[rp->kind], race_armed(rp),
			   READ_ONCE(rp->held), atomic_read(&rp->hits),
			   READ_ONCE(rp->released), READ_ONCE(rp->timeouts),
			   READ_ONCE(rp->killed));
	}
	if (race_log.session == s)
		race_log_show(m);
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

	/* The proxy of debugfs_create_file() does not forward ->flush. */
	debugfs_create_file_unsafe("session", 0600, dir, NULL, &session_fops);
	debugfs_create_file("list", 0400, dir, NULL, &list_fops);
	return 0;
}
late_initcall(race_points_init);
