/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of KSM share: ksmd is started, watched by the pages of one
 * process, and put back at the end of the test.
 */
#ifndef KSM_TEST_H
#define KSM_TEST_H

#include <stddef.h>
#include <sys/types.h>

/* Of "run". */
enum ksm_run { KSM_STOP, KSM_MERGE, KSM_UNMERGE };

void ksm_require(void);
void ksm_run(enum ksm_run run);
size_t ksm_pages(pid_t pid, const char *start, size_t pages);
void ksm_wait_merged(pid_t pid, const char *start, size_t pages);

#endif /* KSM_TEST_H */
