/* SPDX-License-Identifier: GPL-2.0 */
/*
 * map_changing in the yielding mode: MADV_DONTNEED does not wait for running
 * fills; instead each page is validated under its page-table lock.  The model
 * checks these properties:
 *
 *	stale		When MADV_DONTNEED and the fill have returned, no page
 *			is mapped whose fill was admitted before the monitor
 *			read the event.
 *	progress	A fill is refused only if a change was pending when it
 *			began, or has begun since.
 *	termination	No task waits for ever, no fill is refused for ever, and
 *			no change is pending at the end.
 *
 * A fill is admitted when it reads mmap_changing as 0.  If that is after the
 * monitor has read the event, its page may be zapped or may stay: two threads
 * of a monitor of which one is in read() and the other in UFFDIO_COPY, and
 * which do not synchronize, cannot tell which of them was first.
 *
 *	change()
 *	  changing++, generation++	map_changing_announce_removal(),
 *					map_changing_begin()
 *	  event = QUEUED		uffd_event_post(); release:
 *					event_wqh.lock
 *	  mb(), DONE? or killed		uffd_event_wait(); set_current_state()
 *	  pmd none?			zap_pmd_range(), takes no lock then
 *	  lock, clear pte, unlock	zap_pte_range()
 *
 *	reader()
 *	  QUEUED?			uffd_event_read()
 *	  changing--, event = DONE	uffd_event_ack(), wakes the task
 *
 *	fill()
 *	  sample, changing?		map_changing_fill_begin()
 *	  gap, moved?, changing?	map_changing_fill_pause(), and
 *					_begin() again
 *	  pmd = 1, lock			pte_install_map_lock()
 *	  mb(), generation == sample?	map_changing_fill_valid();
 *					smp_mb__after_spinlock()
 *	  pte = page, unlock		set_pte_at(), pte_unmap_unlock()
 *
 * There are two pages, so that the fill can be delayed before either.  A second
 * change, a fork that zaps nothing, begins and ends at any time.  mmap_lock is
 * left out, which only adds interleavings.  The pmd stands for any place that a
 * change reads without a lock, as the page cache for a hole punch.
 *
 * What the model does not cover:
 *
 *  - A third CPU installs the page table, by a page fault or by another fill.
 *    Here the table is there from the beginning, or the fill installs it.  If
 *    the fill finds a pmd that a third CPU has set, and reads the generation as
 *    unchanged, the zap must not read that pmd as none.  The barrier of the
 *    fill must order the store of the third CPU as well, that is, it must be
 *    cumulative.  smp_mb__after_spinlock() is so in the LKMM (the litmus test
 *    is RWC with two full barriers); stores in this model reach all other CPUs
 *    at the same time, so it could not show a barrier that is not.
 *  - A refused fill takes its page out of the page cache again.
 *
 * Memory model: a store goes to a buffer of its CPU, and from there to memory
 * in any order; a release leaves the buffer when all stores before it have
 * left, and later stores may overtake it.  A load looks into the buffer of its
 * own CPU first, and loads happen in program order.  Taking a lock is an
 * acquire and does not wait for the buffer: this is so with LL/SC, while on x86
 * it waits.  Fully ordered atomics and mb() wait for it; relaxed atomics are
 * stores.  This is weaker than TSO, but it is not the LKMM: loads are not
 * reordered, no store is visible to some CPUs earlier than to others, and there
 * is no compiler.  SAMPLE_LATE shows the effect of two loads in the wrong
 * order, that is without the smp_rmb() of map_changing_fill_admit().
 *
 * Variants are selected by -D.  With one of these the code is wrong, and
 * "stale" must fail:
 *	NO_BARRIER_FILL		no smp_mb__after_spinlock()
 *	NO_BARRIER_BEGIN	relaxed increments: the generation may be seen
 *				to move first
 *	WRONG_ORDER		generation++ before changing++
 *	SAMPLE_LATE		changing is tested before the generation is
 *				sampled
 *	NO_GENERATION		map_changing_fill_valid() is always true
 *	FLAG			changing is a flag, as in 5.10
 *	BEGIN_RELEASE and NO_BARRIER_WAIT
 *				no mb() between generation++ and the zap; this
 *				takes a task that is killed while it waits
 *	WAITING and NO_GAP_CHECK
 *				the default mode; after a gap only changing is
 *				tested
 * "progress" must fail:
 *	TASK_ENDS		changing-- is done by the woken task, as in
 *				5.10, and not by the reader
 * The fill never ends:
 *	LIVENESS and NO_ACK	changing-- is never done
 * The code is right, and the property is too strong:
 *	BEGUN_AT_SAMPLE		a fill is taken to be admitted when it samples:
 *				the monitor may read the event between that and
 *				the test of changing
 * All properties must hold with these:
 *	ONE_TABLE		the pages share a page table
 *	TABLES and NO_BARRIER_FILL
 *				the page tables are there: the zap takes the
 *				lock, which orders
 *	WAITING			the default mode: map_changing_lock, and no
 *				map_changing_fill_valid()
 *	NO_GAP_CHECK		map_changing_fill_valid() detects what the test
 *				after a gap would have detected
 *	NO_BARRIER_WAIT		the barriers of the beginning are sufficient
 *	BEGIN_RELEASE		changing++ is relaxed and generation++ a
 *				release: the barrier of set_current_state() is
 *				sufficient
 *	LIVENESS		the fill ends, and all processes end (one page;
 *				with weak fairness)
 */

#ifdef LIVENESS
#define NR_PAGES	1
#else
#define NR_PAGES	2
#endif

#ifdef ONE_TABLE
#define TABLE(k)	0
#else
#define TABLE(k)	k
#endif

/* CPUs */
#define REMOVE	0
#define FORK	1
#define FILL	2
#define NR_CPUS	3

/* Locations in memory */
#define CHANGING	0
#define GENERATION	1
#define EVENT		2	/* of REMOVE; 3: of FORK */
#define PMD		4	/* of page 0; 5: of page 1 */
#define PTL		6	/* likewise */
#define PTE		8	/* likewise */
#define NR_LOCS		10

#define QUEUED	1
#define DONE	2

#define STALE	1		/* pte: admitted before the event was read */
#define FRESH	2		/* pte: admitted after it was read */

byte mem[NR_LOCS];

/* The store buffers */

#define STORE	0
#define ADD	1		/* relaxed atomic: buffered like a store */
#define RELEASE	2		/* or'ed: leaves when it is the oldest */

#define NR_STORES 7
typedef store_buffer {
	byte nr;
	byte loc[NR_STORES];
	byte val[NR_STORES];
	byte how[NR_STORES]
};
store_buffer sb[NR_CPUS];

#define empty(cpu)	(sb[cpu].nr == 0)

inline store(cpu, where, what, mode)
{
	d_step {
		/* One store to each location: no order among them needed */
		i = 0;
		do
		:: i < sb[cpu].nr -> assert(sb[cpu].loc[i] != where); i++
		:: else -> break
		od;
		assert(i < NR_STORES);
		sb[cpu].loc[i] = where;
		sb[cpu].val[i] = what;
		sb[cpu].how[i] = mode;
		sb[cpu].nr++;
		i = 0
	}
}

inline load(cpu, where, v)
{
	d_step {
		v = mem[where];
		i = 0;
		do
		:: i < sb[cpu].nr && sb[cpu].loc[i] == where -> v = sb[cpu].val[i]; break
		:: i < sb[cpu].nr && sb[cpu].loc[i] != where -> i++
		:: else -> break
		od;
		i = 0
	}
}

/* Write the store at @k to memory, if there is one that may leave */
#define leave(k) \
	d_step { \
		k < sb[cpu].nr && (k == 0 || sb[cpu].how[k] < RELEASE) -> \
		i = k; \
		if \
		:: sb[cpu].how[i] & ADD -> \
			mem[sb[cpu].loc[i]] = mem[sb[cpu].loc[i]] + sb[cpu].val[i] \
		:: else -> mem[sb[cpu].loc[i]] = sb[cpu].val[i] \
		fi; \
		sb[cpu].nr--; \
		do \
		:: i < sb[cpu].nr -> \
			sb[cpu].loc[i] = sb[cpu].loc[i + 1]; \
			sb[cpu].val[i] = sb[cpu].val[i + 1]; \
			sb[cpu].how[i] = sb[cpu].how[i + 1]; \
			i++ \
		:: else -> break \
		od; \
		sb[cpu].loc[i] = 0; \
		sb[cpu].val[i] = 0; \
		sb[cpu].how[i] = 0; \
		i = 0 \
	}

proctype drain(byte cpu)
{
	byte i;
end:
	do
	:: leave(0)
	:: leave(1)
	:: leave(2)
	:: leave(3)
	:: leave(4)
	:: leave(5)
	:: leave(6)
	od
}

#define mb(cpu)			empty(cpu)
#define spin_lock(l)		atomic { mem[l] == 0 -> mem[l] = 1 }
#define spin_unlock(cpu, l)	store(cpu, l, 0, RELEASE)

/* For the assertions only */
byte begun;			/* number of changes that have begun */
byte acked;			/* number of events that were read */
bool remove_read;		/* the event of REMOVE was read */
byte finished;			/* number of processes that ended */

/* map_changing_lock, WAITING only */
byte readers;
bool writer;

#ifdef FLAG
#define UP	STORE
#define lowered	0
#else
#define UP	ADD
#define lowered	(mem[CHANGING] - 1)
#endif

/* atomic_inc(), and atomic_long_inc_return(), which is fully ordered */
#define raise_changing(cpu)	store(cpu, CHANGING, 1, UP)
#define bump_generation(cpu)	atomic { empty(cpu) -> mem[GENERATION] = mem[GENERATION] + 1 }

inline map_changing_begin(cpu)
{
#ifdef WAITING
	atomic { readers == 0 && !writer -> writer = true };
#endif
	begun++;
#if defined(NO_BARRIER_BEGIN)
	raise_changing(cpu);
	store(cpu, GENERATION, 1, ADD);
#elif defined(BEGIN_RELEASE)
	raise_changing(cpu);
	store(cpu, GENERATION, 1, ADD | RELEASE);
#elif defined(WRONG_ORDER)
	bump_generation(cpu);
	raise_changing(cpu);
#else
	raise_changing(cpu);
	bump_generation(cpu);
#endif
#ifdef WAITING
	atomic { empty(cpu) -> writer = false }
#endif
}

inline zap(k)
{
	if
	:: mem[PMD + TABLE(k)] == 0	/* no page table: takes no lock */
	:: else ->
		spin_lock(PTL + TABLE(k));
		atomic {
			if
			:: mem[PTE + k] -> store(REMOVE, PTE + k, 0, STORE)
			:: else
			fi;
			spin_unlock(REMOVE, PTL + TABLE(k))
		}
	fi
}

proctype change(byte cpu)
{
	byte i;

	map_changing_begin(cpu);
	store(cpu, EVENT + cpu, QUEUED, RELEASE);
#ifdef TASK_ENDS
	atomic { mem[EVENT + cpu] == DONE -> mem[CHANGING] = lowered };
#endif
	if
	:: cpu == FORK -> goto out
	:: else
	fi;
#ifndef NO_BARRIER_WAIT
	mb(cpu);
#endif
	if
	:: mem[EVENT + cpu] == DONE
	:: true			/* killed: goes on, event stays queued */
	fi;
	zap(0);
#if NR_PAGES > 1
	zap(1);
#endif
out:
	finished++
}

proctype reader()
{
	byte ev, nr;

	do
	:: nr < 2 ->
		if
		:: mem[EVENT + REMOVE] == QUEUED -> ev = REMOVE
		:: mem[EVENT + FORK] == QUEUED -> ev = FORK
		fi;
		/* uffd_event_ack(), fully ordered */
		atomic {
#if !defined(TASK_ENDS) && !defined(NO_ACK)
			mem[CHANGING] = lowered;
#endif
			acked++;
			remove_read = remove_read || ev == REMOVE
		}
		atomic {
			mem[EVENT + ev] = DONE;
			ev = 0;
			nr++
		}
	:: else -> break
	od;
	finished++
}

#if defined(NO_GENERATION) || defined(WAITING)
#define VALID	true
#else
#define VALID	(mem[GENERATION] == sample)
#endif

/* A fill returns -EAGAIN: a change must be the reason */
inline refuse()
{
	atomic {
		progress = pending || begun != begun_then;
#ifndef LIVENESS
		assert(progress);
#endif
		/* Reset, to have fewer states */
		progress = false;
		pending = false;
		begun_then = 0;
		sample = 0;
		page = 0;
		v = 0
	}
}

inline test_changing()
{
	atomic {
		v = mem[CHANGING];
#ifndef BEGUN_AT_SAMPLE
		page = (remove_read -> FRESH : STALE)
#endif
	}
}

inline sample_generation()
{
	atomic {
		sample = mem[GENERATION];
#ifdef BEGUN_AT_SAMPLE
		page = (remove_read -> FRESH : STALE)
#endif
	}
}

proctype fill()
{
	byte i, k, v, sample, page, begun_then;
	bool pending, progress;

begin:
	atomic { begun_then = begun; pending = begun != acked };
#ifdef WAITING
	atomic { !writer -> readers++ };
#endif
#ifdef SAMPLE_LATE
	test_changing();
	sample_generation();
#else
	sample_generation();
	test_changing();
#endif
	if
	:: v -> goto again
	:: else
	fi;

	do
	:: k < NR_PAGES ->
		if
		:: true
		:: true ->	/* a gap: the locks were dropped */
#ifdef WAITING
			atomic { empty(FILL) -> readers-- };
			atomic { !writer -> readers++ };
#endif
#ifndef NO_GAP_CHECK
			if
			:: mem[GENERATION] != sample -> goto again
			:: else
			fi;
#endif
			if
			:: mem[CHANGING] -> goto again
			:: else
			fi
		fi;

		atomic {
			load(FILL, PMD + TABLE(k), v);
			if
			:: v == 0 -> store(FILL, PMD + TABLE(k), 1, STORE)
			:: else
			fi;
			v = 0
		}
		spin_lock(PTL + TABLE(k));
#ifndef NO_BARRIER_FILL
		mb(FILL);
#endif
		atomic {
			if
			:: VALID ->
				store(FILL, PTE + k, page, STORE);
				spin_unlock(FILL, PTL + TABLE(k));
				k++
			:: else ->
				spin_unlock(FILL, PTL + TABLE(k));
				goto again
			fi
		}
	:: else -> break
	od;
#ifdef WAITING
	atomic { empty(FILL) -> readers-- };
#endif
	finished++;
	goto out;

again:
#ifdef WAITING
	atomic { empty(FILL) -> readers-- };
#endif
	refuse();
	goto begin;		/* for the rest: .copy has the progress */
out:
	/* Reset, to have fewer states */
	atomic { sample = 0; page = 0; begun_then = 0; pending = false }
}

init
{
	bool stale;

	atomic {
		/* Each page table may be there from the beginning */
		if
#ifndef TABLES
		:: true
#endif
		:: mem[PMD] = 1
		fi;
		if
#if !defined(TABLES) && NR_PAGES > 1
		:: true
#endif
		:: mem[PMD + 1] = 1
		fi;
		run drain(REMOVE);
		run drain(FORK);
		run drain(FILL);
		run change(REMOVE);
		run change(FORK);
		run fill();
		run reader()
	}
	atomic {
		finished == 4 && empty(REMOVE) && empty(FORK) && empty(FILL) ->
		stale = mem[PTE] == STALE || mem[PTE + 1] == STALE;
		assert(!stale);
		assert(mem[CHANGING] == 0)
	}
}

#ifdef LIVENESS
ltl all_end { <> (finished == 4) }
#endif
