// SPDX-License-Identifier: GPL-2.0
/* See wp_test.h for the rules that this follows. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

/**
 * wp_new() - a process to be started, in memory that it shares with this one
 * @len: of its area
 */
struct wp *wp_new(size_t len)
{
	struct wp *w = shared_alloc(sizeof(*w));

	w->len = len;
	return w;
}

static char *map_private(struct wp *w)
{
	size_t page = page_size();
	char *area;

	/* Not merged with its neighbours, and never huge. */
	area = mmap(NULL, w->len + 2 * page, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	area = mmap(area + page, w->len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	madvise(area, w->len, MADV_NOHUGEPAGE);
	return area;
}

/**
 * wp_map_huge() - for struct wp: private memory that consists of huge pages
 * @w: the process; the length is a multiple of huge_size()
 *
 * khugepaged leaves the process alone.
 *
 * Return: the area, or NULL with errno.
 */
char *wp_map_huge(struct wp *w)
{
	char *area = huge_area(w->len, huge_size());
	size_t at;

	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	if (!area || !map_at(area, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, w->len, MADV_HUGEPAGE))
		return NULL;
	for (at = 0; at < w->len; at += huge_size())
		touch_page(area + at);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return area;
}

/**
 * wp_expect_huge() - the test is broken if the area is not made of huge pages
 * @w: started with wp_map_huge()
 * @when: for the message
 */
void wp_expect_huge(struct wp *w, const char *when)
{
	long kb = smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages");

	if (kb != (long)(w->len >> 10))
		race_broken("%s: %ld of %zu kB are huge pages", when, kb,
			    w->len >> 10);
}

struct start {
	struct wp *w;
	uint64_t features;
};

static void start_actor(void *arg)
{
	struct start *s = arg;
	struct wp *w = s->w;
	unsigned char value[256];
	size_t i;

	for (i = 0; i < sizeof(value); i++)
		value[i] = i;
	w->values = memfd_create("values", 0);
	if (w->values < 0 || write(w->values, value, sizeof(value)) != sizeof(value))
		goto fail;
	w->area = w->map ? w->map(w) : map_private(w);
	if (!w->area)
		goto fail;
	w->own_uffd = uffd_open(s->features);
	if (w->own_uffd < 0)
		goto fail;
	w->err = wp_register(w->own_uffd, w->area, w->len, w->mode);
	return;
fail:
	w->err = errno;
}

/**
 * wp_start() - start a process that this one monitors
 * @w: from wp_new()
 * @features: UFFD_FEATURE_*; PAGEFAULT_FLAG_WP is added
 *
 * Skips the test where there is no write protection.  Nothing is protected yet.
 */
void wp_start(struct wp *w, uint64_t features)
{
	struct start s = {
		.w = w,
		.features = features | UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct actor a;

	if (!w->mode)
		w->mode = UFFDIO_REGISTER_MODE_WP;
	/* Not in memory that is shared: fork() has two results. */
	actor_start(&a, start_actor, &s);
	w->actor = a;
	uffd_require(w->err, s.features);
	w->uffd = actor_fd(&w->actor, w->own_uffd);
}

/**
 * wp_stop() - end it
 * @w: the process
 */
void wp_stop(struct wp *w)
{
	close(w->uffd);
	actor_stop(&w->actor);
}

/**
 * wp_reopen() - the last close of the userfaultfd, and another one in its place
 * @w: the process; thread 0 is used
 * @features: UFFD_FEATURE_*; PAGEFAULT_FLAG_WP is added
 *
 * Nothing is registered then.
 */
void wp_reopen(struct wp *w, uint64_t features)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = features | UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct call *call = &w->actor.call[0];

	close(w->uffd);
	actor_call(&w->actor, 0, SYS_close, w->own_uffd);
	actor_done(&w->actor, 0);
	if (call->ret)
		race_broken("close: %s", strerror(call->err));
	actor_call(&w->actor, 0, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	actor_done(&w->actor, 0);
	if (call->ret < 0)
		race_broken("userfaultfd: %s", strerror(call->err));
	w->own_uffd = call->ret;
	w->uffd = actor_fd(&w->actor, w->own_uffd);
	if (ioctl(w->uffd, UFFDIO_API, &api))
		race_broken("UFFDIO_API: %s", strerror(errno));
}

/**
 * wp_register() - UFFDIO_REGISTER
 * @uffd: the userfaultfd, in any process
 * @start: of the range
 * @len: of the range
 * @mode: UFFDIO_REGISTER_MODE_*
 * Return: 0 or an errno.
 */
int wp_register(int uffd, const void *start, size_t len, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)start, .len = len },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg) ? errno : 0;
}

/**
 * wp_unregister() - UFFDIO_UNREGISTER, which works on the mm of the context
 * @uffd: the userfaultfd
 * @start: of the range
 * @len: of the range
 * Return: 0 or an errno.
 */
int wp_unregister(int uffd, const void *start, size_t len)
{
	struct uffdio_range range = { .start = (uintptr_t)start, .len = len };

	return ioctl(uffd, UFFDIO_UNREGISTER, &range) ? errno : 0;
}

static int writeprotect(int uffd, const void *start, size_t len, uint64_t mode)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)start, .len = len },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

/**
 * wp_protect() - UFFDIO_WRITEPROTECT
 * @uffd: the userfaultfd
 * @start: of the range
 * @len: of the range
 * Return: 0 or an errno.
 */
int wp_protect(int uffd, const void *start, size_t len)
{
	return writeprotect(uffd, start, len, UFFDIO_WRITEPROTECT_MODE_WP);
}

/**
 * wp_unprotect() - the end of a write protection; who waits is woken
 * @uffd: the userfaultfd
 * @start: of the range
 * @len: of the range
 * Return: 0 or an errno.
 */
int wp_unprotect(int uffd, const void *start, size_t len)
{
	return writeprotect(uffd, start, len, 0);
}

/**
 * wp_write_begin() - let a thread write one byte, in a system call
 * @w: the process
 * @thread: which thread, idle or done
 * @addr: where
 * @value: 0 to 255
 */
void wp_write_begin(struct wp *w, int thread, char *addr, int value)
{
	actor_call(&w->actor, thread, SYS_pread64, w->values, (long)addr, 1,
		   value);
}

/**
 * wp_write() - let a thread write one byte, and see what becomes of that
 * @w: the process
 * @thread: which thread, idle or done
 * @addr: where
 * @value: 0 to 255
 *
 * Return: WP_TRAPPED if the monitor has been told of it: the thread waits.
 * WP_REFUSED if the call failed, with its errno in the actor's call.
 */
enum wp_write wp_write(struct wp *w, int thread, char *addr, int value)
{
	uintptr_t page = (uintptr_t)addr & ~(page_size() - 1);
	struct uffd_msg msg;

	wp_write_begin(w, thread, addr, value);
	while (!event_readable(w->uffd, 0)) {
		if (actor_is_done(&w->actor, thread))
			return w->actor.call[thread].ret == 1 ? WP_WRITTEN :
								WP_REFUSED;
		if (!race_look_again())
			race_broken("a write to %p neither ends nor traps", addr);
	}
	event_read(w->uffd, UFFD_EVENT_PAGEFAULT, &msg);
	if (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) ||
	    (msg.arg.pagefault.address & ~(page_size() - 1)) != page)
		race_broken("a write to %p was told as flags %#llx at %#llx",
			    addr, (unsigned long long)msg.arg.pagefault.flags,
			    (unsigned long long)msg.arg.pagefault.address);
	return WP_TRAPPED;
}

/**
 * wp_populate() - let the process write a byte to each page of its area
 * @w: the process; nothing is protected
 * @value: 0 to 255
 */
void wp_populate(struct wp *w, int value)
{
	char *addr;

	for (addr = w->area; addr < w->area + w->len; addr += page_size())
		if (wp_write(w, 0, addr, value) != WP_WRITTEN)
			race_broken("a page cannot be populated");
}

/**
 * wp_lost() - is the protection of a page lost?
 * @w: the process
 * @thread: which thread, idle or done
 * @addr: an address in the page, which the monitor has protected
 *
 * A write finds it out, and is then let through.
 *
 * Return: true if the write was not trapped.
 */
bool wp_lost(struct wp *w, int thread, char *addr)
{
	unsigned char before = first_byte(w->actor.pid, addr), value = ~before;
	char *page = (char *)((uintptr_t)addr & ~(page_size() - 1));
	bool changed;
	int err;

	switch (wp_write(w, thread, addr, value)) {
	case WP_WRITTEN:
		return true;
	case WP_REFUSED:
		race_broken("a write to %p: %s", addr,
			    strerror(w->actor.call[thread].err));
	case WP_TRAPPED:
		break;
	}
	changed = first_byte(w->actor.pid, addr) != before;
	err = wp_unprotect(w->uffd, page, page_size());
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	actor_done(&w->actor, thread);
	if (w->actor.call[thread].ret != 1 ||
	    first_byte(w->actor.pid, addr) != value)
		race_broken("a write to %p is not there after it was let through",
			    addr);
	return changed;
}

/**
 * wp_lost_pages() - of how many pages is the protection lost?
 * @w: the process; thread 0 is used
 * @start: of the first page
 * @pages: how many pages; the monitor has protected all of them
 */
size_t wp_lost_pages(struct wp *w, char *start, size_t pages)
{
	size_t i, lost = 0;

	for (i = 0; i < pages; i++)
		lost += wp_lost(w, 0, start + i * page_size());
	return lost;
}

/**
 * wp_stale_pages() - at how many pages is a write trapped without a reason?
 * @w: the process; thread 0 is used
 * @start: of the first page
 * @pages: how many pages; they are registered, and none has been protected
 *	since
 */
size_t wp_stale_pages(struct wp *w, char *start, size_t pages)
{
	size_t i, stale = 0;

	for (i = 0; i < pages; i++) {
		char *page = start + i * page_size();

		switch (wp_write(w, 0, page, 0x2a)) {
		case WP_WRITTEN:
			continue;
		case WP_REFUSED:
			race_broken("a write to %p: %s", page,
				    strerror(w->actor.call[0].err));
		case WP_TRAPPED:
			break;
		}
		stale++;
		if (wp_unprotect(w->uffd, page, page_size()))
			race_broken("UFFDIO_WRITEPROTECT: %s", strerror(errno));
		actor_done(&w->actor, 0);
	}
	return stale;
}

/**
 * wp_pagemap() - what pagemap says of a page
 * @w: the process
 * @addr: an address in the page
 * Return: WP_PM_* and more.
 */
uint64_t wp_pagemap(struct wp *w, const char *addr)
{
	uint64_t entry;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", w->actor.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)addr / page_size() * sizeof(entry)) !=
	    sizeof(entry))
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
	return entry;
}

/**
 * wp_pagemap_bit() - what pagemap says of the protection of a page
 * @w: the process
 * @addr: an address in the page
 * Return: 1 or 0; 0 on kernels which do not show it.
 */
int wp_pagemap_bit(struct wp *w, const char *addr)
{
	return !!(wp_pagemap(w, addr) & WP_PM_UFFD_WP);
}

/**
 * wp_pageout() - let the process bring pages to the swap
 * @w: the process; thread 0 is used, idle or done
 * @start: of the first page
 * @pages: how many pages, each of which nobody else uses
 *
 * Skips the test where there is no swap.
 */
void wp_pageout(struct wp *w, char *start, size_t pages)
{
	struct call *call = &w->actor.call[0];
	size_t i = 0;

	if (!swap_file(NULL, 0))
		race_skip("needs swap, of one device");
	while (i < pages) {
		uint64_t entry = wp_pagemap(w, start + i * page_size());

		if (entry & WP_PM_SWAP) {
			i++;
			continue;
		}
		/* A page that another processor has not put on a list is left. */
		actor_call(&w->actor, 0, SYS_madvise, (long)start,
			   pages * page_size(), MADV_PAGEOUT);
		actor_done(&w->actor, 0);
		if (call->ret)
			race_broken("MADV_PAGEOUT: %s", strerror(call->err));
		if (!race_look_again())
			race_broken("page %zu is not swapped", i);
	}
}

/**
 * swap_file() - what is swapped to
 * @path: where its path is stored, or NULL
 * @size: of that memory
 * Return: false if it is nothing, or more than one thing.
 */
bool swap_file(char *path, size_t size)
{
	char line[256], name[128] = "";
	FILE *f = fopen("/proc/swaps", "re");
	int devices = 0;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (line[0] == '/' && sscanf(line, "%127s", name) == 1)
			devices++;
	fclose(f);
	if (path)
		snprintf(path, size, "%s", name);
	return devices == 1;
}
