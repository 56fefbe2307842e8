// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdint.h>

#include "kselftest.h"
#include "bench_test.h"
#include "race_test.h"

#define LOOPS		100000

static uint64_t empty;

#ifdef __x86_64__
static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Two instructions a round. */
static void loop(unsigned long rounds)
{
	asm volatile("1: dec %0; jnz 1b" : "+r" (rounds) : : "cc");
}
#else
static uint64_t ticks(void)
{
	race_skip("no counter of this architecture is known to count instructions");
}

static void loop(unsigned long rounds)
{
}
#endif

static void nothing(void)
{
}

static void loop_once(void)
{
	loop(LOOPS);
}

static void loop_twice(void)
{
	loop(2 * LOOPS);
}

/*
 * The smallest count of @run, the call and the two readings of the counter
 * included.
 */
static uint64_t count(void (*prepare)(void), void (*run)(void))
{
	uint64_t start, spent, least = UINT64_MAX;
	int i;

	for (i = 0; i < BENCH_RUNS; i++) {
		prepare();
		start = ticks();
		run();
		spent = ticks() - start;
		if (spent < least)
			least = spent;
	}
	return least;
}

/**
 * bench_begin() - make sure that instructions are counted
 *
 * Counts a loop whose length is known, and skips the test where that comes out
 * wrong.
 */
void bench_begin(void)
{
	uint64_t once = count(nothing, loop_once);
	uint64_t twice = count(nothing, loop_twice);

	ksft_print_msg("calibration: %d instructions, %lld ticks\n", 2 * LOOPS,
		       (long long)(twice - once));
	if (twice - once != 2 * LOOPS)
		race_skip("the counter counts no instructions; use QEMU's -icount shift=0");
	empty = count(nothing, nothing);
}

/**
 * bench_report() - a row of the table
 * @name: as vm/bench has it
 * @instructions: how many
 */
void bench_report(const char *name, uint64_t instructions)
{
	ksft_print_msg("bench: %s %llu\n", name, (unsigned long long)instructions);
}

/**
 * bench_row() - count an operation and report it
 * @name: of the row
 * @prepare: called before each run
 * @run: the operation
 *
 * It is done BENCH_RUNS times.  The smallest count is reported: the others also
 * have a timer tick in them, or the refill of a per-CPU list.
 */
void bench_row(const char *name, void (*prepare)(void), void (*run)(void))
{
	bench_report(name, count(prepare, run) - empty);
}
