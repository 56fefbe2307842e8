// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define THP_DIR	"/sys/kernel/mm/transparent_hugepage/"

/**
 * huge_size() - of the huge page that one page table can be replaced by
 *
 * Skips the test if there are none.
 */
size_t huge_size(void)
{
	static size_t size;
	FILE *f;

	if (size)
		return size;
	f = fopen(THP_DIR "hpage_pmd_size", "re");
	if (!f || fscanf(f, "%zu", &size) != 1)
		race_skip("no huge pages: CONFIG_TRANSPARENT_HUGEPAGE=y is needed");
	fclose(f);
	return size;
}

/**
 * huge_require() - skip the test if huge pages are too large for it
 * @len: of the memory that it takes with them
 * @room: the most that it can have
 */
void huge_require(size_t len, size_t room)
{
	if (len > room)
		race_skip("huge pages of %zu kB are too large", huge_size() >> 10);
}

/**
 * touch_page() - write to a page
 * @addr: an address in it
 */
void touch_page(char *addr)
{
	__atomic_store_n(addr, 1, __ATOMIC_RELAXED);
}

/**
 * actor_touch() - let a thread touch a page, from inside a system call
 * @a: the actor
 * @thread: which thread, idle or done
 * @addr: an address in the page
 * @write: a byte; or read what is taken for the name of the thread
 *
 * Both calls return 0 or more if they can.
 */
void actor_touch(struct actor *a, int thread, char *addr, bool write)
{
	if (write)
		actor_call(a, thread, SYS_getrandom, (long)addr, 1, 0);
	else
		actor_call(a, thread, SYS_prctl, PR_SET_NAME, (long)addr);
}

/**
 * actor_zeropage() - let a thread fill a page with zeros
 * @a: the actor
 * @thread: which thread, idle or done
 * @uffd: the actor's own userfaultfd
 * @zero: memory of the actor, for the ioctl
 * @addr: of the page
 */
void actor_zeropage(struct actor *a, int thread, int uffd,
		    struct uffdio_zeropage *zero, char *addr)
{
	zero->range.start = (uintptr_t)addr;
	zero->range.len = page_size();
	actor_call(a, thread, SYS_ioctl, uffd, UFFDIO_ZEROPAGE, (long)zero);
}

/**
 * actor_killed() - has the kernel killed a thread in its system call?
 * @a: the actor
 * @thread: which thread
 * @err: set to the errno of the call, 0 for none, if it has returned
 */
bool actor_killed(struct actor *a, int thread, int *err)
{
	enum actor_rest rest;

	do
		rest = actor_rests(a, thread);
	while (rest == ACTOR_BLOCKED && race_look_again());
	if (rest == ACTOR_BLOCKED)
		race_broken("the fill blocks for ever");
	if (rest == ACTOR_GONE)
		return true;
	*err = a->call[thread].ret ? a->call[thread].err : 0;
	ksft_print_msg("fill: errno=%d\n", *err);
	return false;
}

/* Migration */

#define NEEDS_NODES	"needs two nodes: boot with numa=fake=2"

static void move_to(struct migration *m, const int *node, int flags)
{
	actor_call(m->actor, m->thread, SYS_move_pages, 0, 1, (long)&m->page,
		   (long)node, (long)&m->status, flags);
}

static void __noreturn no_move(struct migration *m)
{
	race_broken("move_pages: %s, status %d",
		    strerror(m->actor->call[m->thread].err), m->status);
}

static void moved(struct migration *m)
{
	actor_done(m->actor, m->thread);
	if (m->actor->call[m->thread].ret || m->status < 0)
		no_move(m);
}

/**
 * migration_find() - where is the page, and where is it to be moved?
 * @m: filled in; in memory that the actor shares
 * @a: the actor
 * @thread: which thread, idle or done
 * @page: its page that is to be moved
 *
 * Skips the test where there is no move_pages().
 *
 * Return: the node that it is on; the other one of two is in @m.
 */
int migration_find(struct migration *m, struct actor *a, int thread, void *page)
{
	struct call *call = &a->call[thread];

	m->actor = a;
	m->thread = thread;
	m->page = page;
	move_to(m, NULL, 0);
	actor_done(a, thread);
	if (call->ret && call->err == ENOSYS)
		race_skip("no move_pages: CONFIG_NUMA=y is needed");
	moved(m);
	m->node = !m->status;
	return m->status;
}

/**
 * migration_prepare() - find the two nodes, and arm pgtable_migration
 * @m: filled in; in memory that the actor shares
 * @a: the actor
 * @thread: which thread, idle or done
 * @page: its page that is to be moved
 *
 * Skips the test where there is no move_pages().
 */
void migration_prepare(struct migration *m, struct actor *a, int thread,
		       void *page)
{
	migration_find(m, a, thread, page);
	race_arm("pgtable_migration", "tid=%d timeout=" RACE_HOLD_MS,
		 a->call[thread].tid);
}

/* There is no other node. */
static bool one_node(struct migration *m)
{
	struct call *call = &m->actor->call[m->thread];

	return call->ret && call->err == ENODEV;
}

/**
 * migration_begin() - let the thread move the page, up to pgtable_migration
 * @m: prepared
 * @flags: MPOL_MF_*
 *
 * Skips the test where there is one node.
 */
void migration_begin(struct migration *m, int flags)
{
	move_to(m, &m->node, flags);
	do {
		bool done = actor_is_done(m->actor, m->thread);

		if (done && one_node(m))
			race_skip(NEEDS_NODES);
		if (done || !race_look_again())
			no_move(m);
	} while (race_point_field("pgtable_migration", "held") != 1);
}

/**
 * migration_end() - let the thread go on, and see that the page was moved
 * @m: begun
 */
void migration_end(struct migration *m)
{
	race_release("pgtable_migration");
	moved(m);
	if (m->status != m->node)
		no_move(m);
}

/**
 * migration_move() - let the thread move the page, and see that it was moved
 * @m: found; no point is armed for the thread
 * @flags: MPOL_MF_*
 *
 * Skips the test where there is one node.
 */
void migration_move(struct migration *m, int flags)
{
	move_to(m, &m->node, flags);
	actor_done(m->actor, m->thread);
	if (one_node(m))
		race_skip(NEEDS_NODES);
	moved(m);
	if (m->status != m->node)
		no_move(m);
}

/* Which of the words of a file in sysfs is chosen? */
static bool thp_setting(const char *name, const char *word)
{
	char path[96], text[96] = "", chosen[32];
	FILE *f;

	snprintf(path, sizeof(path), THP_DIR "%s", name);
	snprintf(chosen, sizeof(chosen), "[%s]", word);
	f = fopen(path, "re");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	return strstr(text, chosen);
}

/**
 * thp_never() - are huge pages of anonymous memory, and khugepaged, switched off?
 */
bool thp_never(void)
{
	return thp_setting("enabled", "never");
}

/**
 * thp_require() - skip the test where there are none, nor khugepaged
 */
void thp_require(void)
{
	if (thp_never())
		race_skip("huge pages are switched off: transparent_hugepage/enabled");
}

/**
 * shmem_huge_denied() - has no tmpfs huge pages, whatever its options are?
 */
bool shmem_huge_denied(void)
{
	return thp_setting("shmem_enabled", "deny");
}

/**
 * tmpfs_file() - a file in a tmpfs that nobody else has
 * @options: of the mount
 * @len: size of the file, which is one hole
 *
 * Skips the test if it asks for huge pages and none are to be had.
 *
 * Return: its descriptor.  The tmpfs goes with its last use.
 */
int tmpfs_file(const char *options, size_t len)
{
	char dir[] = "/tmp/race-XXXXXX", path[64];
	static bool alone;
	int fd;

	if (strstr(options, "huge=") && !strstr(options, "huge=never") && shmem_huge_denied())
		race_skip("tmpfs has no huge pages: transparent_hugepage/shmem_enabled");
	if (!alone && (unshare(CLONE_NEWNS) ||
		       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))) {
		if (errno == EPERM)
			race_skip("needs root");
		race_broken("unshare: %s", strerror(errno));
	}
	alone = true;
	if (!mkdtemp(dir))
		race_broken("%s: %s", dir, strerror(errno));
	if (mount("race", dir, "tmpfs", 0, options)) {
		rmdir(dir);
		if (errno == EINVAL)
			race_skip("tmpfs takes no %s", options);
		race_broken("tmpfs: %s", strerror(errno));
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (umount2(dir, MNT_DETACH) || rmdir(dir))
		race_broken("%s: %s", dir, strerror(errno));
	if (fd < 0 || ftruncate(fd, len))
		race_broken("a file in tmpfs: %s", strerror(errno));
	return fd;
}

/**
 * consists_of_huge() - does a file consist of huge pages, mapped or not?
 * @fd: the file, in a tmpfs with huge=always, of which one page in each is in use
 * @len: its size
 */
bool consists_of_huge(int fd, size_t len)
{
	struct stat st;

	if (fstat(fd, &st))
		race_broken("fstat: %s", strerror(errno));
	return (size_t)st.st_blocks * 512 == len;
}

/**
 * huge_area() - reserve addresses
 * @len: how many
 * @align: a power of two
 * Return: where; nothing is mapped there.  NULL with errno if there is no room.
 */
char *huge_area(size_t len, size_t align)
{
	char *p = mmap(NULL, len + align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	return p + (-(uintptr_t)p & (align - 1));
}

/**
 * map_at() - map something in the place of what is there
 * @place: where
 * @len: how much
 * @flags: MAP_*; MAP_FIXED is added
 * @fd: the file, or -1
 * Return: @place; NULL with errno if it cannot be.
 */
char *map_at(char *place, size_t len, int flags, int fd)
{
	void *p = mmap(place, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Of a file like smaps: sum up a key of the mappings that touch a range. */
static long sum_kb(pid_t pid, const char *file, uintptr_t start, uintptr_t end,
		   const char *key)
{
	char path[64], *line = NULL;
	size_t size = 0, len = strlen(key);
	unsigned long from, to;
	long value, sum = 0;
	bool within = !end, found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (!f)
		race_broken("%s: %s", path, strerror(errno));
	while (getline(&line, &size, f) > 0) {
		if (end && sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			within = from < end && start < to;
		} else if (within && !strncmp(line, key, len) &&
			   sscanf(line + len, ": %ld kB", &value) == 1) {
			sum += value;
			found = true;
		}
	}
	free(line);
	fclose(f);
	if (!found)
		race_broken("%s has no %s", path, key);
	return sum;
}

/**
 * status_kb() - what a process has
 * @pid: the process
 * @key: VmPTE, say: the page tables of all levels
 */
long status_kb(pid_t pid, const char *key)
{
	return sum_kb(pid, "status", 0, 0, key);
}

/**
 * smaps_kb() - what the mappings in a range have
 * @pid: the process
 * @start: of the range
 * @len: of the range
 * @key: ShmemPmdMapped, say
 */
long smaps_kb(pid_t pid, const void *start, size_t len, const char *key)
{
	return sum_kb(pid, "smaps", (uintptr_t)start, (uintptr_t)start + len, key);
}

/**
 * make_huge() - let a file consist of huge pages
 * @fd: the file, in a tmpfs with huge=always
 * @len: its size
 *
 * They are not mapped by anybody when this returns.
 */
void make_huge(int fd, size_t len)
{
	char *p = huge_area(len, huge_size());
	size_t i;

	if (!p || !map_at(p, len, MAP_SHARED, fd))
		race_broken("mmap: %s", strerror(errno));
	for (i = 0; i < len; i += huge_size())
		touch_page(p + i);
	if (smaps_kb(getpid(), p, len, "ShmemPmdMapped") != (long)(len >> 10))
		race_broken("there are no huge pages to be had");
	munmap(p, len);
}

/* khugepaged */

/**
 * khugepaged_get() - a number of its directory in sysfs
 * @name: of the file
 */
long khugepaged_get(const char *name)
{
	char path[96];
	long value;
	FILE *f;

	snprintf(path, sizeof(path), THP_DIR "khugepaged/%s", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%ld", &value) != 1)
		race_broken("%s: %s", path, strerror(errno));
	fclose(f);
	return value;
}

static struct {
	const char *name;
	long value;
} khugepaged_was[4];

static void khugepaged_write(const char *name, long value)
{
	char path[96], text[24];
	int fd, len = snprintf(text, sizeof(text), "%ld", value);

	snprintf(path, sizeof(path), THP_DIR "khugepaged/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/**
 * khugepaged_restore() - put all numbers back
 *
 * race_end() does that too, for a program that is one test.
 */
void khugepaged_restore(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(khugepaged_was); i++)
		if (khugepaged_was[i].name)
			khugepaged_write(khugepaged_was[i].name,
					 khugepaged_was[i].value);
}

/**
 * khugepaged_set() - change a number; it is put back at the end of the test
 * @name: of the file
 * @value: for now
 */
void khugepaged_set(const char *name, long value)
{
	size_t i;

	for (i = 0; khugepaged_was[i].name; i++)
		if (i + 1 == ARRAY_SIZE(khugepaged_was))
			race_broken("khugepaged has too many numbers");
	if (!i)
		race_cleanup(khugepaged_restore);
	khugepaged_was[i].value = khugepaged_get(name);
	khugepaged_was[i].name = name;
	khugepaged_write(name, value);
}

/**
 * khugepaged_passes() - wait until it has been through all memory
 * @passes: so many times, from the beginning of the next
 */
void khugepaged_passes(int passes)
{
	long end = khugepaged_get("full_scans") + passes + 1;

	while (khugepaged_get("full_scans") < end)
		if (!race_look_again())
			race_broken("khugepaged does not run");
}
