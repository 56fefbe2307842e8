// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_WRITEPROTECT of a range that has several mappings: which of them are
 * protected, what it returns, and whom it wakes.  And what the end of a
 * protection leaves alone.
 *
 * The area has three parts.  The one in the middle becomes something else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

static struct wp *w;
static char *low, *middle, *high;	/* a page of each part */
static size_t part;			/* length of each */

static char *map_aligned(struct wp *w)
{
	char *area = huge_area(4 * part, part);

	/* The last part stays reserved: nothing merges with the area. */
	if (!area || !map_at(area, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, w->len, MADV_NOHUGEPAGE))
		return NULL;
	return area;
}

static void start_parts(size_t len, uint64_t features)
{
	part = len;
	w = wp_new(3 * part);
	w->map = map_aligned;
	wp_start(w, features);
	low = w->area;
	middle = low + part;
	high = middle + part;
	if (wp_write(w, 0, low, 1) != WP_WRITTEN ||
	    wp_write(w, 0, middle, 1) != WP_WRITTEN ||
	    wp_write(w, 0, high, 1) != WP_WRITTEN)
		race_broken("a page cannot be populated");
}

static void start(void)
{
	start_parts(2 * page_size(), 0);
}

static long do_call(long nr, const long arg[6])
{
	actor_call_args(&w->actor, 0, nr, arg);
	actor_done(&w->actor, 0);
	errno = w->actor.call[0].err;
	return w->actor.call[0].ret;
}

#define call(nr, ...)	do_call(nr, (const long[6]) { __VA_ARGS__ })

static void map_middle(int flags, int fd)
{
	check(call(SYS_mmap, (long)middle, part, PROT_READ | PROT_WRITE,
		   flags | MAP_FIXED, fd, 0) == (long)middle);
}

static int protect_all(void)
{
	return wp_protect(w->uffd, w->area, w->len);
}

static int unprotect_all(void)
{
	return wp_unprotect(w->uffd, w->area, w->len);
}

/* One look: the page is not protected afterwards. */
static bool was_protected(char *addr)
{
	return !wp_lost(w, 0, addr);
}

/* Of one registered mapping madvise() has made three. */
static void several(void)
{
	start();
	check(!call(SYS_madvise, (long)middle, part, MADV_DONTDUMP));
	check(!protect_all());
	check(was_protected(low) && was_protected(middle) && was_protected(high));

	check(!protect_all() && !protect_all());
	check(!unprotect_all());
	check(!was_protected(low) && !was_protected(middle) && !was_protected(high));

	/* Bounds within mappings. */
	check(!wp_protect(w->uffd, middle - page_size(), part + page_size()));
	check(!was_protected(low) && was_protected(middle) && !was_protected(high));
}

static void read_only(void)
{
	start();
	check(!call(SYS_mprotect, (long)middle, part, PROT_READ));
	check(!protect_all());
	check(!call(SYS_mprotect, (long)middle, part, PROT_READ | PROT_WRITE));
	check(was_protected(low) && was_protected(middle) && was_protected(high));
}

static void holes(void)
{
	start();
	check(!call(SYS_munmap, (long)middle, part));
	check(!protect_all());
	check(was_protected(low) && was_protected(high));
	check(!wp_protect(w->uffd, low, 2 * part) && was_protected(low));
	check(!wp_protect(w->uffd, middle, 2 * part) && was_protected(high));
	check(wp_protect(w->uffd, middle, part) == ENOENT);
	/* Behind the last one, too. */
	check(!call(SYS_munmap, (long)high + part, part));
	check(!wp_protect(w->uffd, high, 2 * part) && was_protected(high));
}

/* The middle cannot be protected: what is before it is, and no more. */
static void ends_there(void)
{
	check(protect_all() == ENOENT);
	check(was_protected(low) && !was_protected(high));

	check(!wp_protect(w->uffd, low, part) && !wp_protect(w->uffd, high, part));
	check(unprotect_all() == ENOENT);
	check(!was_protected(low) && was_protected(high));

	check(wp_protect(w->uffd, middle, 2 * part) == ENOENT);
	check(!was_protected(high));
}

static void unregistered(void)
{
	start();
	check(!wp_unregister(w->uffd, middle, part));
	ends_there();
}

static void missing_only(void)
{
	start();
	check(!wp_register(w->uffd, middle, part, UFFDIO_REGISTER_MODE_MISSING));
	ends_there();
}

static int file_of(size_t len)
{
	int fd = call(SYS_memfd_create, (long)"", 0);

	check(fd >= 0 && !call(SYS_ftruncate, fd, len));
	return fd;
}

static void file(int flags)
{
	start();
	map_middle(flags, file_of(part));
	ends_there();
	check(!wp_register(w->uffd, middle, part, UFFDIO_REGISTER_MODE_MISSING));
	ends_there();
}

static void file_shared(void)
{
	file(MAP_SHARED);
}

static void file_private(void)
{
	file(MAP_PRIVATE);
}

static void hugetlb(void)
{
	start_parts(huge_size(), 0);
	if (call(SYS_mmap, (long)middle, part, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) !=
	    (long)middle) {
		check_skip = "no pages of hugetlbfs";
		return;
	}
	ends_there();
	check(!wp_register(w->uffd, middle, part, UFFDIO_REGISTER_MODE_MISSING));
	ends_there();
}

static void other_context(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffd_msg msg;
	int other;

	start();
	check(!wp_unregister(w->uffd, middle, part));
	other = actor_fd(&w->actor, call(SYS_userfaultfd, O_NONBLOCK));
	check(!ioctl(other, UFFDIO_API, &api));
	check(!wp_register(other, middle, part, UFFDIO_REGISTER_MODE_WP));

	check(!protect_all());
	check(was_protected(low) && was_protected(high));
	wp_write_begin(w, 0, middle, 2);
	check(event_readable(other, race_time_left()));
	event_read(other, UFFD_EVENT_PAGEFAULT, &msg);
	check(msg.arg.pagefault.address == (uintptr_t)middle);
	check(!event_readable(w->uffd, 0));
	check(!wp_unprotect(other, middle, part));
	actor_done(&w->actor, 0);
	close(other);
}

static void wakes(void)
{
	start();
	check(!call(SYS_madvise, (long)middle, part, MADV_DONTDUMP));
	check(!protect_all());
	check(wp_write(w, 0, low, 2) == WP_TRAPPED);
	check(wp_write(w, 1, high, 2) == WP_TRAPPED);
	check(!unprotect_all());
	actor_done(&w->actor, 0);
	actor_done(&w->actor, 1);
}

static void wakes_before_the_error(void)
{
	start();
	check(!protect_all());
	check(!wp_unregister(w->uffd, middle, part));
	check(wp_write(w, 0, low, 2) == WP_TRAPPED);
	check(wp_write(w, 1, high, 2) == WP_TRAPPED);
	check(unprotect_all() == ENOENT);
	actor_done(&w->actor, 0);
	check(actor_sleeps(&w->actor, 1) && first_byte(w->actor.pid, high) == 1);
	check(!wp_unprotect(w->uffd, high, part));
	actor_done(&w->actor, 1);
}

static void pending_event(void)
{
	start_parts(2 * page_size(), UFFD_FEATURE_EVENT_REMOVE);
	actor_call(&w->actor, 1, SYS_madvise, (long)high, part, MADV_DONTNEED);
	check(event_readable(w->uffd, race_time_left()));
	check(protect_all() == EAGAIN);
	event_read(w->uffd, UFFD_EVENT_REMOVE, NULL);
	actor_done(&w->actor, 1);
	check(!was_protected(low));
}

/*
 * Another owner of the userfaultfd is killed as it unprotects: who waits in what
 * it has unprotected is woken, and the rest is protected as before.
 */
static void killed(void)
{
	struct uffdio_writeprotect *arg = shared_alloc(sizeof(*arg));
	struct actor monitor;

	if (!race_points_exist()) {
		check_skip = "needs race points";
		return;
	}
	start();
	check(!call(SYS_madvise, (long)middle, part, MADV_DONTDUMP));
	check(!protect_all());
	check(wp_write(w, 0, low, 2) == WP_TRAPPED);
	check(wp_write(w, 1, high, 2) == WP_TRAPPED);

	actor_start(&monitor, NULL, NULL);
	arg->range.start = (uintptr_t)w->area;
	arg->range.len = w->len;
	race_arm("wp_range", "tid=%d skip=1", monitor.call[0].tid);
	actor_call(&monitor, 0, SYS_ioctl, w->uffd, UFFDIO_WRITEPROTECT,
		   (long)arg);
	race_wait("wp_range", "held=1");
	check(actor_sleeps(&w->actor, 0));
	actor_stop(&monitor);
	race_disarm("wp_range");

	actor_done(&w->actor, 0);
	check(actor_sleeps(&w->actor, 1));
	check(!wp_unprotect(w->uffd, high, part));
	actor_done(&w->actor, 1);
	check(!was_protected(middle));
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

static void touch_pages(char *area, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += page_size())
		touch_page(area + at);
}

/* Pages that are not protected are written without a fault. */
static void no_fault(void)
{
	size_t len = 64 * page_size();
	long before;
	char *area;
	int uffd;

	uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	area = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(area != MAP_FAILED && !madvise(area, len, MADV_NOHUGEPAGE));
	check(!wp_register(uffd, area, len, UFFDIO_REGISTER_MODE_WP));
	touch_pages(area, len);
	minor_faults();
	check(!wp_protect(uffd, area, page_size()));
	check(!wp_unprotect(uffd, area, len));

	before = minor_faults();
	touch_pages(area, len);
	/* One, if the page that was protected gets its permission by a fault. */
	check(minor_faults() - before <= 1);
	munmap(area, len);
	close(uffd);
}

/* A huge page that is protected is split for a part of it. */
static char *map_huge(struct wp *w)
{
	char *area = huge_area(w->len, huge_size());

	if (!area || !map_at(area, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, w->len, MADV_HUGEPAGE))
		return NULL;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	touch_page(area);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return area;
}

static long huge_kb(void)
{
	return smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages");
}

static void part_of_huge(void)
{
	if (thp_never()) {
		check_skip = "huge pages are switched off";
		return;
	}
	w = wp_new(huge_size());
	w->map = map_huge;
	wp_start(w, 0);
	check(huge_kb() == (long)(w->len >> 10));
	/* Nothing is protected, and nothing is split. */
	check(!wp_unprotect(w->uffd, w->area + page_size(), w->len / 2));
	check(huge_kb() == (long)(w->len >> 10));
	check(!protect_all());
	check(huge_kb() == (long)(w->len >> 10));
	check(!wp_unprotect(w->uffd, w->area, w->len / 2));
	check(!huge_kb());
	check(!was_protected(w->area));
	check(was_protected(w->area + w->len / 2));
}

static void stop(void)
{
	if (w)
		wp_stop(w);
	w = NULL;
}

static const struct check_case cases[] = {
	{ "several mappings", several },
	{ "one that is read-only", read_only },
	{ "holes", holes },
	{ "a mapping that is not registered", unregistered },
	{ "a mapping registered for missing pages", missing_only },
	{ "a shared mapping of a file", file_shared },
	{ "a private mapping of a file", file_private },
	{ "hugetlbfs", hugetlb },
	{ "a mapping of another userfaultfd", other_context },
	{ "who waits in several mappings is woken", wakes },
	{ "so is who waits before the error", wakes_before_the_error },
	{ "an event is pending", pending_event },
	{ "the monitor is killed", killed },
	{ "no fault after the end of a protection that there was not", no_fault },
	{ "a part of a huge page", part_of_huge },
};

int main(void)
{
	int uffd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (uffd < 0)
		ksft_exit_skip("no write protection by userfaultfd: %s\n",
			       strerror(errno));
	close(uffd);
	if (geteuid())
		ksft_exit_skip("needs root\n");
	return checks_run(cases, ARRAY_SIZE(cases), NULL, stop);
}
