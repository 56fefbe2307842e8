// SPDX-License-Identifier: GPL-2.0
/*
 * KSM merges pages that were written since soft-dirty was cleared.  Whoever
 * saves what has been written since then must still find all of them.
 *
 * One page stays where it is and becomes the one that all of them share: its
 * bit is not lost on base either.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "ksm_test.h"

#define PAGES			16
#define PAGEMAP_SOFT_DIRTY	0x80000000000000ULL

static struct shared {
	char *area;
	int contents;		/* a file whose page N is full of N + 1 */
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	size_t len = PAGES * page_size();
	char page[page_size()];
	int i;

	(void)arg;
	s->contents = memfd_create("contents", 0);
	for (i = 0; i < 2; i++) {
		memset(page, i + 1, sizeof(page));
		if (write(s->contents, page, sizeof(page)) != (ssize_t)sizeof(page))
			goto fail;
	}
	s->area = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->area != MAP_FAILED && !madvise(s->area, len, MADV_NOHUGEPAGE) &&
	    !madvise(s->area, len, MADV_MERGEABLE))
		return;
fail:
	s->err = errno;
}

static void write_pages(int content)
{
	size_t page = page_size();
	int i;

	for (i = 0; i < PAGES; i++) {
		actor_call(&a, 0, SYS_pread64, s->contents,
			   (long)(s->area + i * page), page, content * page);
		actor_done(&a, 0);
		if (a.call[0].ret != (long)page)
			race_broken("pread: %s", strerror(a.call[0].err));
	}
}

static void clear_soft_dirty(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", a.pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "4", 1) != 1)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

static int soft_dirty_pages(void)
{
	uint64_t entry[PAGES];
	char path[64];
	int fd, i, n = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", a.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, entry, sizeof(entry), (uintptr_t)s->area /
			    page_size() * sizeof(*entry)) != sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	for (i = 0; i < PAGES; i++)
		n += !!(entry[i] & PAGEMAP_SOFT_DIRTY);
	return n;
}

int main(void)
{
	int found;

	race_begin("softdirty-ksm");
	ksm_require();
	s = shared_alloc(sizeof(*s));
	actor_start(&a, map_area, NULL);
	if (s->err)
		race_broken("no memory to merge: %s", strerror(s->err));
	write_pages(0);
	if (!soft_dirty_pages())
		race_skip("no soft-dirty: CONFIG_MEM_SOFT_DIRTY=y is needed");
	clear_soft_dirty();
	if (soft_dirty_pages())
		race_broken("soft-dirty is not cleared");
	write_pages(1);
	if (soft_dirty_pages() != PAGES)
		race_broken("pages that were written are not soft-dirty");

	ksm_run(KSM_MERGE);
	ksm_wait_merged(a.pid, s->area, PAGES);
	found = soft_dirty_pages();
	ksft_print_msg("soft-dirty: %d of %d\n", found, PAGES);
	actor_stop(&a);
	return race_end(found < PAGES ? "write-not-found" : NULL);
}
