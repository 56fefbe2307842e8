/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of soft-dirty tracking share.
 *
 * The oracle: when the bits of a process have been cleared, a page that is
 * written to, or whose place in the address space is renewed, is soft-dirty
 * until they are cleared again.  A kernel that reports more pages is right.
 */
#ifndef SOFTDIRTY_TEST_H
#define SOFTDIRTY_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void softdirty_require(void);
void softdirty_clear(pid_t pid);
bool softdirty(pid_t pid, const void *addr);
size_t softdirty_pages(pid_t pid, const char *start, size_t pages);
char *softdirty_place(size_t len);
void softdirty_map(char *at, size_t len, int prot);
bool one_mapping(const void *start, size_t len);

#endif /* SOFTDIRTY_TEST_H */
