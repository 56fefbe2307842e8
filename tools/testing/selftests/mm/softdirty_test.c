// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "softdirty_test.h"

#define PAGEMAP_SOFT_DIRTY	(UINT64_C(1) << 55)

/**
 * softdirty_clear() - clear the soft-dirty bits of a process
 * @pid: which process
 */
void softdirty_clear(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "4", 1) != 1)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/**
 * softdirty() - is a page reported as soft-dirty?
 * @pid: of which process
 * @addr: an address in the page, which need not be present
 */
bool softdirty(pid_t pid, const void *addr)
{
	uint64_t entry;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)addr / page_size() * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return entry & PAGEMAP_SOFT_DIRTY;
}

/**
 * softdirty_pages() - how many pages are reported as soft-dirty?
 * @pid: of which process
 * @start: of the first page
 * @pages: how many pages to look at
 */
size_t softdirty_pages(pid_t pid, const char *start, size_t pages)
{
	size_t i, nr = 0;

	for (i = 0; i < pages; i++)
		nr += softdirty(pid, start + i * page_size());
	return nr;
}

/**
 * softdirty_require() - skip the test where there is no soft-dirty tracking
 */
void softdirty_require(void)
{
	char *page = softdirty_place(page_size());
	bool set, cleared;

	softdirty_map(page, page_size(), PROT_READ | PROT_WRITE);
	touch_page(page);
	set = softdirty(getpid(), page);
	softdirty_clear(getpid());
	cleared = !softdirty(getpid(), page);
	munmap(page, page_size());
	if (!set)
		race_skip("no soft-dirty bits: CONFIG_MEM_SOFT_DIRTY=y is needed");
	if (!cleared)
		race_broken("soft-dirty bits cannot be cleared");
}

/**
 * softdirty_place() - addresses that what is mapped there does not share
 * @len: how many, whole pages
 *
 * Return: where.  No mapping can merge with what is before and behind.
 */
char *softdirty_place(size_t len)
{
	char *p = mmap(NULL, len + 2 * page_size(), PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	return p + page_size();
}

/**
 * softdirty_map() - map private memory, never huge
 * @at: where, in the place of what is there
 * @len: how much
 * @prot: PROT_*
 */
void softdirty_map(char *at, size_t len, int prot)
{
	if (mmap(at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		race_broken("mmap: %s", strerror(errno));
}

/**
 * one_mapping() - is a range in one mapping of this process?
 * @start: of the range
 * @len: of the range
 */
bool one_mapping(const void *start, size_t len)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512];
	bool one = false;

	while (f && !one && fgets(line, sizeof(line), f))
		one = sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		      from <= (uintptr_t)start && to >= (uintptr_t)start + len;
	if (!f)
		race_broken("/proc/self/maps: %s", strerror(errno));
	fclose(f);
	return one;
}
