/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of page tables and huge pages share: files in a tmpfs of their
 * own, mappings that huge pages fit in, and what /proc says of both.
 */
#ifndef PGTABLE_TEST_H
#define PGTABLE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reserved at a time, with one page table of the next level. */
#define HUGE_AREA	(1024UL << 20)

/* Of move_pages(). */
#ifndef MPOL_MF_MOVE
#define MPOL_MF_MOVE		2
#define MPOL_MF_MOVE_ALL	4
#endif

struct actor;
struct uffdio_zeropage;

/*
 * A page that a thread moves to another node.  It may be held at
 * pgtable_migration meanwhile.
 */
struct migration {
	struct actor *actor;
	int thread;
	void *page;
	int node, status;
};

size_t huge_size(void);
void huge_require(size_t len, size_t room);
void touch_page(char *addr);
void actor_touch(struct actor *a, int thread, char *addr, bool write);
void actor_zeropage(struct actor *a, int thread, int uffd,
		    struct uffdio_zeropage *zero, char *addr);
bool actor_killed(struct actor *a, int thread, int *err);
int migration_find(struct migration *m, struct actor *a, int thread, void *page);
void migration_move(struct migration *m, int flags);
void migration_prepare(struct migration *m, struct actor *a, int thread,
		       void *page);
void migration_begin(struct migration *m, int flags);
void migration_end(struct migration *m);
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
