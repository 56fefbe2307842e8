/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of page tables and huge pages share: files in a tmpfs of their own,
 * mappings that huge pages fit in, and what /proc says of both.
 */
#ifndef PGTABLE_TEST_H
#define PGTABLE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reserved at a time, with one page table of the next level. */
#define HUGE_AREA	(1024UL << 20)

struct actor;

size_t huge_size(void);
void touch_page(char *addr);
void actor_touch(struct actor *a, int thread, char *addr, bool write);
int tmpfs_file(const char *options, size_t len);
char *huge_area(size_t len, size_t align);
char *map_at(char *place, size_t len, int flags, int fd);
long status_kb(pid_t pid, const char *key);
long smaps_kb(pid_t pid, const void *start, size_t len, const char *key);
void make_huge(int fd, size_t len);
bool consists_of_huge(int fd, size_t len);

bool thp_never(void);
void thp_require(void);
bool shmem_huge_denied(void);
long khugepaged_get(const char *name);
void khugepaged_set(const char *name, long value);
void khugepaged_restore(void);
void khugepaged_passes(int passes);

#endif /* PGTABLE_TEST_H */
