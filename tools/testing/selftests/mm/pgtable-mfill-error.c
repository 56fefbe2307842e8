// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_COPY or UFFDIO_ZEROPAGE that fails leaves no page table behind.
 *
 * Each kind of failure is made in an area of its own, once for each page table
 * that could be there.  The page tables of the process are counted before and
 * after, when it does nothing else.  A file whose fills have failed must get
 * huge pages afterwards.
 *
 *	efault		the source cannot be read
 *	eexist		the file has the page
 *	isize		the page is behind the end of the file
 *	full		tmpfs has no room for the page
 *	changing	the layout changes while the fill faults in its source: held at
 *			a race point until the change is pending
 *	private		efault and isize in a private mapping of a file, and isize of
 *			UFFDIO_ZEROPAGE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

#define TABLES	4

enum area { EFAULT_, EEXIST_, ISIZE, FULL, CHANGING, PRIVATE, NR_AREAS };

static const char * const names[NR_AREAS] = {
	"efault", "eexist", "isize", "full", "changing", "private",
};

static struct shared {
	size_t len;		/* of each area */
	int fd[NR_AREAS];
	char *area[NR_AREAS];
	int uffd;
	int uffd_events;	/* the same for CHANGING, with events */
	struct uffdio_range range;
	int err;
} *s;

static struct actor a;
static int uffd, uffd_events;
static char *src, *unreadable;

static void map_areas(void *arg)
{
	char *area = huge_area(HUGE_AREA, HUGE_AREA);
	int i, flags;

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	s->uffd = uffd_open(0);
	s->uffd_events = uffd_open(UFFD_FEATURE_EVENT_REMOVE);
	if (!area || s->uffd < 0 || s->uffd_events < 0)
		goto fail;
	for (i = 0; i < NR_AREAS; i++) {
		flags = MAP_SHARED;
		if (i == CHANGING)
			flags = MAP_PRIVATE | MAP_ANONYMOUS;
		else if (i == PRIVATE)
			flags = MAP_PRIVATE;
		s->area[i] = map_at(area, s->len, flags, s->fd[i]);
		if (!s->area[i] ||
		    uffd_register(i == CHANGING ? s->uffd_events : s->uffd, area, s->len))
			goto fail;
		area += s->len;
	}
	/* Brings in the tables of the higher levels. */
	if (!map_at(area, page_size(), MAP_PRIVATE | MAP_ANONYMOUS, -1))
		goto fail;
	touch_page(area);
	return;
fail:
	s->err = errno;
}

/* Where the n-th failure of an area is to be: one in each page table. */
static char *place(enum area i, int n)
{
	return s->area[i] + n * huge_size() + (n + 3) * page_size();
}

static void expect(enum area i, int err, int wanted)
{
	if (err != wanted)
		race_broken("%s: %s, not %s", names[i], strerror(err), strerror(wanted));
}

static int zeropage(char *addr)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)addr, .len = page_size() },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
}

/*
 * One after another, since the next fill is refused while an event is pending.
 */
static void fail_changing(struct filler *f, int n)
{
	int err;

	filler_copy(f, uffd_events, place(CHANGING, n), n, 1);
	race_wait("uffd_fill_unlocked", "held=1");
	actor_call(&a, 0, SYS_madvise, (long)s->area[CHANGING], page_size(), MADV_DONTNEED);
	if (!event_readable(uffd_events, race_time_left()))
		race_broken("MADV_DONTNEED has no event");
	race_release("uffd_fill_unlocked");
	err = filler_done(f);
	event_read(uffd_events, UFFD_EVENT_REMOVE, NULL);
	actor_done(&a, 0);
	expect(CHANGING, err, EAGAIN);
}

static void fail(enum area i, struct filler *f, int n)
{
	size_t page = page_size();

	switch (i) {
	case EFAULT_:
		expect(i, fill(uffd, place(i, n), unreadable, page, NULL), EFAULT);
		break;
	case EEXIST_:
		expect(i, fill(uffd, place(i, n), src, page, NULL), EEXIST);
		break;
	case ISIZE:
		expect(i, fill(uffd, place(i, n), src, page, NULL), EFAULT);
		break;
	case FULL:
		expect(i, fill(uffd, place(i, n), src, page, NULL), ENOMEM);
		break;
	case CHANGING:
		fail_changing(f, n);
		break;
	default:
		/*
		 * the last page table is within the file, the others behind it
		 */
		if (n == TABLES - 1)
			expect(i, fill(uffd, s->area[i] + page, unreadable, page, NULL), EFAULT);
		else if (n & 1)
			expect(i, fill(uffd, place(i, n + 1), src, page, NULL), EFAULT);
		else
			expect(i, zeropage(place(i, n + 1)), EFAULT);
	}
}

static void files(void)
{
	size_t at, page = page_size();
	int i;

	for (i = 0; i < NR_AREAS; i++)
		if (i == CHANGING)
			s->fd[i] = -1;
		else if (i == FULL)
			s->fd[i] = tmpfs_file("huge=never,size=64k", s->len);
		else
			s->fd[i] = tmpfs_file(i == EEXIST_ ? "huge=never" : "huge=always", s->len);
	for (i = 0; i < TABLES; i++) {
		at = i * huge_size() + (i + 3) * page;
		if (pwrite(s->fd[EEXIST_], src, page, at) != (ssize_t)page)
			race_broken("write: %s", strerror(errno));
	}
	for (at = 0; pwrite(s->fd[FULL], src, page, at) == (ssize_t)page; )
		at += page;
	if (errno != ENOSPC)
		race_broken("write: %s", strerror(errno));
}

/* What a huge page fits in must get one. */
static long huge_kb(enum area i)
{
	int n;

	s->range.start = (uintptr_t)s->area[i];
	s->range.len = s->len;
	actor_call(&a, 0, SYS_ioctl, s->uffd, UFFDIO_UNREGISTER, (long)&s->range);
	actor_done(&a, 0);
	for (n = 0; n < TABLES; n++) {
		actor_touch(&a, 0, place(i, n), true);
		actor_done(&a, 0);
		if (a.call[0].ret != 1)
			race_broken("touch: %s", strerror(a.call[0].err));
	}
	return smaps_kb(a.pid, s->area[i], s->len, "ShmemPmdMapped");
}

int main(void)
{
	char signature[96] = "";
	struct filler filler;
	long before, left, kb;
	int i, n;

	race_begin("pgtable-mfill-error-leaves-nothing");
	race_points_require();
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	unreadable = mmap(NULL, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s = shared_alloc(sizeof(*s));
	s->len = TABLES * huge_size();
	huge_require(NR_AREAS * s->len + page_size(), HUGE_AREA);
	files();
	actor_start(&a, map_areas, NULL);
	uffd_require(s->err, UFFD_FEATURE_EVENT_REMOVE);
	uffd = actor_fd(&a, s->uffd);
	uffd_events = actor_fd(&a, s->uffd_events);
	filler_start(&filler, TABLES, ~0ULL);
	race_arm("uffd_fill_unlocked", "tid=%d times=%d timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, TABLES);
	/* the last table of PRIVATE is its first: see fail() */
	if (ftruncate(s->fd[ISIZE], 0) || ftruncate(s->fd[PRIVATE], 2 * page_size()))
		race_broken("ftruncate: %s", strerror(errno));

	for (i = 0; i < NR_AREAS; i++) {
		before = status_kb(a.pid, "VmPTE");
		for (n = 0; n < TABLES; n++)
			fail(i, &filler, n);
		left = status_kb(a.pid, "VmPTE") - before;
		ksft_print_msg("%s: %ld kB of page tables left by %d failures\n",
			       names[i], left, TABLES);
		if (left && left != (long)(TABLES * page_size() >> 10))
			race_broken("not one page table for each failure");
		if (left)
			sprintf(signature + strlen(signature), "%s%s",
				*signature ? "," : "left-by-", names[i]);
	}

	kb = huge_kb(EFAULT_);
	ksft_print_msg("mapped by huge pages afterwards: %ld of %zu kB\n", kb, s->len >> 10);
	if (!consists_of_huge(s->fd[EFAULT_], s->len))
		race_broken("there are no huge pages to be had");
	if (kb && kb != (long)(s->len >> 10))
		race_broken("some huge pages were not to be had");
	if (!kb)
		strcat(signature, ",no-huge-page");
	actor_stop(&filler.actor);
	actor_stop(&a);
	return race_end(*signature ? signature : NULL);
}
