/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Named race points: places at which a selftest can hold a task, in order to
 * drive two tasks through one chosen interleaving.
 *
 * A system declares its points and guards in include/race_points/<system>.h:
 *
 *	RACE_HOLD(name, "doc");		the task sleeps; process context only
 *	RACE_SPIN(name, "doc");		the task spins; any context but NMI
 *	RACE_COUNT(name, "doc");	the task does not wait; any context
 *	RACE_GUARD(name, "doc");	a check that a test can bypass
 *
 * One .c file creates them: it defines CREATE_RACE_POINTS before its first
 * #include, as is done for trace points.  They are used as
 *
 *	race_hold(name, mm, addr);
 *	race_spin(name, mm, addr);
 *	race_count(name, mm, addr);
 *	if (race_bypass(name))
 *
 * mm and addr are those of the memory that the caller works on, so that a point
 * which is also passed by kernel threads can be armed for one mm and one range.
 * Code that works on the pages of a file, as reclaim and migration do, has no
 * mm and passes the mapping and the index of the page:
 *
 *	race_hold_file(name, mapping, index);
 *	race_spin_file(name, mapping, index);
 *	race_count_file(name, mapping, index);
 *
 * A guard can be bypassed for one mm.  race_bypass() compares that with the mm
 * of the current task, so that the guard stays in place for kernel threads and
 * interrupts.  Code that works on the memory of another task passes the mm:
 *
 *	if (race_bypass_mm(name, mm))
 *
 * Each use can be removed without changing the code around it: a point is a
 * statement, and a bypass is an if with one statement.
 *
 * Without CONFIG_RACE_POINTS all of this compiles to nothing.
 */
#ifndef _LINUX_RACE_POINT_H
#define _LINUX_RACE_POINT_H

#include <linux/types.h>

struct address_space;
struct cpumask;
struct mm_struct;
struct pid;
struct race_session;

#ifdef CONFIG_RACE_POINTS

#include <linux/atomic.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/spinlock.h>

enum race_kind {
	RACE_KIND_HOLD,
	RACE_KIND_SPIN,
	RACE_KIND_COUNT,
	RACE_KIND_GUARD,
};

/**
 * struct race_filter - the passes of a point that an arming matches
 * @tid: only this task, or NULL; does not match a pass in interrupt context
 * @tgid: only tasks of this thread group, or NULL; likewise
 * @mm: only passes that work on this mm, or NULL
 * @mapping: only passes that work on this file, or NULL.  Compared, never
 *	dereferenced; the session has a reference to the file
 * @cpus: only passes on these CPUs, or NULL.  Points to a mask that is never
 *	freed
 * @start: with @end: only passes in [start, end).  These are addresses, or with
 *	@mapping indexes of pages
 * @end: 0 for every address and index
 * @any: set if none of @tid, @tgid, @mm, @mapping and @cpus is
 */
struct race_filter {
	struct pid *tid;
	struct pid *tgid;
	struct mm_struct *mm;
	struct address_space *mapping;
	const struct cpumask *cpus;
	unsigned long start;
	unsigned long end;
	bool any;
};

/**
 * struct race_point - one named point or guard
 * @name: unique among all points and guards
 * @doc: the place or the check that it marks, in one line
 * @kind: which verbs may be used with it
 * @all: entry in the list of all points.  W: race_mutex, at boot
 * @total: number of passes that matched an arming since boot
 * @total_timeouts: number of holds since boot that ended by their time-out
 * @seq: odd while armed (a guard: while bypassed).  W: @lock
 * @hits: number of passes that matched since the last arming
 * @lock: protects the fields that follow; a leaf, taken with interrupts off
 * @owner: session that owns the point, NULL for none
 * @owner_tgid: thread group of the owner, which is never held
 * @owner_mm: mm of the owner; tasks that work on it are never held.  Compared,
 *	never dereferenced
 * @filter: W: @lock and @seq even, so that a pass without @lock (RACE_COUNT)
 *	which reads the same odd @seq before and after has read one filter
 * @skip: number of matching passes still to be let through
 * @times: number of tasks still to be held
 * @timeout: time-out of a hold, in ms
 * @until: point whose hits release the held tasks, or NULL
 * @until_hits: number of its hits that do
 * @waiters: tasks held now
 * @held: number of @waiters
 * @released: number of holds that ended by a release, or by the hits of @until
 * @timeouts: number of holds that ended by their time-out
 * @killed: number of holds that ended because the task was killed
 *
 * "W:" names what a field is written under.
 */
struct race_point {
	const char *name;
	const char *doc;
	enum race_kind kind;
	struct list_head all;
	atomic_t total;
	atomic_t total_timeouts;
	unsigned int seq;
	atomic_t hits;

	raw_spinlock_t lock;
	struct race_session *owner;
	struct pid *owner_tgid;
	struct mm_struct *owner_mm;
	struct race_filter filter;
	unsigned int skip;
	unsigned int times;
	unsigned int timeout;
	struct race_point *until;
	unsigned int until_hits;
	struct list_head waiters;
	unsigned int held;
	unsigned int released;
	unsigned int timeouts;
	unsigned int killed;
};

/* One type for each kind, so that a verb of another kind does not compile. */
struct race_hold { struct race_point rp; };
struct race_spin { struct race_point rp; };
struct race_count { struct race_point rp; };
struct race_guard { struct race_point rp; };

/*
 * One key for all points and guards.  The first open of the session file
 * switches it on, before any point can be armed, and the last close switches it
 * off, when none is armed any more: so it is never switched while a task spins
 * at a point with interrupts off.  Patching of other code waits for such a
 * task, at most until its time-out.
 */
DECLARE_STATIC_KEY_FALSE(race_points_key);

void __race_hold(struct race_hold *point, struct mm_struct *mm,
		 unsigned long addr);
void __race_spin(struct race_spin *point, struct mm_struct *mm,
		 unsigned long addr);
void __race_count(struct race_count *point, struct mm_struct *mm,
		  unsigned long addr);
void __race_hold_file(struct race_hold *point, struct address_space *mapping,
		      unsigned long index);
void __race_spin_file(struct race_spin *point, struct address_space *mapping,
		      unsigned long index);
void __race_count_file(struct race_count *point, struct address_space *mapping,
		       unsigned long index);
bool __race_bypass(struct race_guard *guard);
bool __race_bypass_mm(struct race_guard *guard, struct mm_struct *mm);
void race_point_register(struct race_point *rp);

/*
 * Checks every pass, armed or not.  Without CONFIG_DEBUG_ATOMIC_SLEEP
 * might_sleep() checks nothing and may reschedule, so it is left out.
 */
#ifdef CONFIG_DEBUG_ATOMIC_SLEEP
#define __race_might_sleep()	might_sleep()
#else
#define __race_might_sleep()	do { } while (0)
#endif

#define race_hold(_name, _mm, _addr)					\
do {									\
	__race_might_sleep();						\
	if (static_branch_unlikely(&race_points_key))			\
		__race_hold(&race_hold_##_name, _mm, _addr);		\
} while (0)

#define race_spin(_name, _mm, _addr)					\
do {									\
	if (static_branch_unlikely(&race_points_key))			\
		__race_spin(&race_spin_##_name, _mm, _addr);		\
} while (0)

#define race_count(_name, _mm, _addr)					\
do {									\
	if (static_branch_unlikely(&race_points_key))			\
		__race_count(&race_count_##_name, _mm, _addr);		\
} while (0)

#define race_hold_file(_name, _mapping, _index)				\
do {									\
	__race_might_sleep();						\
	if (static_branch_unlikely(&race_points_key))			\
		__race_hold_file(&race_hold_##_name, _mapping, _index);	\
} while (0)

#define race_spin_file(_name, _mapping, _index)				\
do {									\
	if (static_branch_unlikely(&race_points_key))			\
		__race_spin_file(&race_spin_##_name, _mapping, _index);	\
} while (0)

#define race_count_file(_name, _mapping, _index)			\
do {									\
	if (static_branch_unlikely(&race_points_key))			\
		__race_count_file(&race_count_##_name, _mapping, _index); \
} while (0)

#define race_bypass(_name)						\
	(static_branch_unlikely(&race_points_key) &&			\
	 __race_bypass(&race_guard_##_name))

#define race_bypass_mm(_name, _mm)					\
	(static_branch_unlikely(&race_points_key) &&			\
	 __race_bypass_mm(&race_guard_##_name, _mm))

#ifdef CREATE_RACE_POINTS
#define __RACE_POINT(_type, _kind, _name, _doc)				\
	extern struct _type _type##_##_name;				\
	struct _type _type##_##_name = { .rp = {			\
		.name = #_name,						\
		.doc = _doc,						\
		.kind = _kind,						\
		.lock = __RAW_SPIN_LOCK_UNLOCKED(_type##_##_name.rp.lock), \
		.waiters = LIST_HEAD_INIT(_type##_##_name.rp.waiters),	\
	} };								\
	static int __init _type##_##_name##_init(void)			\
	{								\
		race_point_register(&_type##_##_name.rp);		\
		return 0;						\
	}								\
	core_initcall(_type##_##_name##_init)
#else
#define __RACE_POINT(_type, _kind, _name, _doc)				\
	extern struct _type _type##_##_name
#endif

#else /* !CONFIG_RACE_POINTS */

#define race_hold(_name, _mm, _addr)	do { } while (0)
#define race_spin(_name, _mm, _addr)	do { } while (0)
#define race_count(_name, _mm, _addr)	do { } while (0)
#define race_hold_file(_name, _mapping, _index)		do { } while (0)
#define race_spin_file(_name, _mapping, _index)		do { } while (0)
#define race_count_file(_name, _mapping, _index)	do { } while (0)
#define race_bypass(_name)		false
#define race_bypass_mm(_name, _mm)	false
#define __RACE_POINT(_type, _kind, _name, _doc) struct _type

#endif /* CONFIG_RACE_POINTS */

#define RACE_HOLD(_name, _doc)						\
	__RACE_POINT(race_hold, RACE_KIND_HOLD, _name, _doc)
#define RACE_SPIN(_name, _doc)						\
	__RACE_POINT(race_spin, RACE_KIND_SPIN, _name, _doc)
#define RACE_COUNT(_name, _doc)						\
	__RACE_POINT(race_count, RACE_KIND_COUNT, _name, _doc)
#define RACE_GUARD(_name, _doc)						\
	__RACE_POINT(race_guard, RACE_KIND_GUARD, _name, _doc)

#endif /* _LINUX_RACE_POINT_H */
