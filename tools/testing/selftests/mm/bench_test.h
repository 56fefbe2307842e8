/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counts of instructions.
 *
 * Under QEMU's -icount shift=0 the guest's clock goes on by one nanosecond with
 * each instruction, and its time-stamp counter is that clock.  So a count is
 * exact, and on a machine that is alike the same again.  A string instruction
 * counts once for each of its repetitions, so on a processor with fast ones
 * (ERMS) the copying of a page alone is 4096.
 */
#ifndef BENCH_TEST_H
#define BENCH_TEST_H

#include <stdint.h>

#define BENCH_RUNS	200

void bench_begin(void);
void bench_row(const char *name, void (*prepare)(void), void (*run)(void));
void bench_report(const char *name, uint64_t instructions);

#endif /* BENCH_TEST_H */
