// SPDX-License-Identifier: GPL-2.0
/* See ksm_test.h for the rules that this follows. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "ksm_test.h"

#define KSM_DIR			"/sys/kernel/mm/ksm/"
#define PAGEMAP_PRESENT		0x8000000000000000ULL
#define PAGEMAP_PFN		0x7fffffffffffffULL
#define KPAGEFLAGS_KSM		0x200000ULL

static struct {
	const char *name;
	long now;		/* in the tests: ksmd makes several passes a second */
	long was;
} numbers[] = {
	{ "pages_to_scan", 1000, -1 },
	{ "sleep_millisecs", 10, -1 },
	{ "run", KSM_STOP, -1 },
};

static void ksm_write(const char *name, long value)
{
	char path[64], text[24];
	int fd, len = snprintf(text, sizeof(text), "%ld", value);

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

static long ksm_read(const char *name)
{
	char path[64];
	long value;
	FILE *f;

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%ld", &value) != 1)
		race_broken("%s: %s", path, strerror(errno));
	fclose(f);
	return value;
}

static void restore(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].was >= 0)
			ksm_write(numbers[i].name, numbers[i].was);
}

/**
 * ksm_require() - skip the test where there is no KSM; make it quick, and stop it
 *
 * The end of the test puts its numbers back.
 */
void ksm_require(void)
{
	size_t i;

	if (access(KSM_DIR "run", W_OK))
		race_skip("no KSM: CONFIG_KSM=y and root are needed");
	if (access("/proc/kpageflags", R_OK))
		race_skip("no /proc/kpageflags: CONFIG_PROC_PAGE_MONITOR=y is needed");
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i].was = ksm_read(numbers[i].name);
	race_cleanup(restore);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		ksm_write(numbers[i].name, numbers[i].now);
}

/**
 * ksm_run() - write to "run"
 * @run: KSM_STOP, which returns when ksmd has nothing in hand any more,
 *	KSM_MERGE, or KSM_UNMERGE, which returns when everything is unmerged
 */
void ksm_run(enum ksm_run run)
{
	ksm_write("run", run);
}

static uint64_t entry_of(const char *path, uint64_t index)
{
	uint64_t entry;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), index * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return entry;
}

/**
 * ksm_pages() - how many pages of a process are KSM's?
 * @pid: the process
 * @start: of the first page
 * @pages: how many pages; all of them are mapped
 */
size_t ksm_pages(pid_t pid, const char *start, size_t pages)
{
	size_t i, merged = 0;
	uint64_t entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	for (i = 0; i < pages; i++) {
		entry = entry_of(path, (uintptr_t)start / page_size() + i);
		if (!(entry & PAGEMAP_PRESENT))
			race_broken("page %zu is not mapped", i);
		if (!(entry & PAGEMAP_PFN))
			race_skip("pagemap shows no page frames: needs root");
		if (entry_of("/proc/kpageflags", entry & PAGEMAP_PFN) &
		    KPAGEFLAGS_KSM)
			merged++;
	}
	return merged;
}

/**
 * ksm_wait_merged() - wait until all pages of a range are merged, and stop KSM
 * @pid: the process
 * @start: of the first page
 * @pages: how many pages
 */
void ksm_wait_merged(pid_t pid, const char *start, size_t pages)
{
	while (ksm_pages(pid, start, pages) < pages)
		if (!race_look_again())
			race_broken("only %zu of %zu pages were merged",
				    ksm_pages(pid, start, pages), pages);
	ksm_run(KSM_STOP);
	if (ksm_pages(pid, start, pages) != pages)
		race_broken("pages were merged and are not any more");
	race_control_open();
}
