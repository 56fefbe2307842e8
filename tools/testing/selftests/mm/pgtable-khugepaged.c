// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged and a hole of a file in shmem whose fault a userfaultfd waits for.
 *
 * "before": the mapping is registered when khugepaged comes by.  Other files,
 * which nobody watches, show that it does fill holes, wherever they are, and
 * keeps the pages.
 *
 * "late":
 *	khugepaged		target			monitor
 *	has all other pages
 *	together, held
 *				registers the mapping
 *							sees the hole
 *	base: completes the
 *	huge page
 *	series: gives up
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *
 * "filled": the same, and the monitor fills the hole meanwhile.  It must not be
 * told that there is a page if that is not there in the end.
 *
 * "punched": the mapping is registered, and the file has no hole when
 * khugepaged looks.
 *	khugepaged		controller
 *	finds a page that is
 *	not up to date, held
 *				punches a hole there
 *	base: makes a page
 *	series: gives up
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *
 * "register":
 *	khugepaged		target			monitor
 *	has copied the pages
 *	of the file, held
 *				maps the file, registers
 *				and unregisters the
 *				mapping, forks: at once
 *	has looked for whoever
 *	waits for the hole and
 *	filled it, held before
 *	it marks the huge page
 *	as up to date
 *				registers the mapping
 *				base: at once
 *							sees the hole
 *				series: waits
 *	marks the huge page
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *	series: there was no hole to be seen when the registration was done
 *
 * "full": tmpfs has room for the hole and nothing else.
 *	khugepaged		target
 *	has charged tmpfs for
 *	the hole, held
 *				writes to the hole: base waits for the page lock
 *	completes the page
 *				has written; without the guard: ENOSPC
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

enum when { BEFORE, LATE, FILLED, PUNCHED, REGISTER, FULL };

static const struct {
	const char *arg, *name, *damage;
} variants[] = {
	[BEFORE] = { "before", "pgtable-khugepaged-missing-hole", "hole-filled-unasked" },
	[LATE] = { "late", "pgtable-khugepaged-missing-late", "hole-filled-unasked" },
	[FILLED] = { "filled", "pgtable-khugepaged-hole-filled", "page-denied-then-zero" },
	[PUNCHED] = { "punched", "pgtable-khugepaged-hole-punched", "hole-filled-unasked" },
	[REGISTER] = { "register", "pgtable-register-vs-collapse", "hole-filled-unasked" },
	[FULL] = { "full", "pgtable-full-vs-collapse", "room-for-a-hole-denied" },
};

/* The watched file, and others: which of their pages are holes. */
static const struct {
	unsigned int first, last;
} holes[] = {
	{ 7, 7 }, { 0, 0 }, { 1, 1 }, { 63, 64 }, { 511, 511 }, { 0, 510 }, { 1, 511 },
};

#define FILES	ARRAY_SIZE(holes)
#define HOLE	(holes[0].first * page_size())

static struct shared {
	int fd[FILES];
	char *area[FILES];
	int uffd;
	struct uffdio_register reg;
	char byte;
	int err;
} *s;

static struct actor a;
static char *view[FILES];	/* of the files, in this process */
static char src[0x10000];

static void map_areas(void *arg)
{
	size_t i, size = huge_size();
	char *p = huge_area(2 * FILES * size, size);

	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	s->uffd = uffd_open(0);
	if (!p || s->uffd < 0)
		goto fail;
	for (i = 0; i < FILES; i++) {
		s->area[i] = map_at(p + 2 * i * size, size, MAP_SHARED, s->fd[i]);
		if (!s->area[i])
			goto fail;
	}
	return;
fail:
	s->err = errno;
}

static bool is_hole(size_t i, size_t page)
{
	return page >= holes[i].first && page <= holes[i].last;
}

/*
 * No two pages next to each other, or in the same place of two nodes, are
 * alike.
 */
static char content(size_t page)
{
	return 1 + page % 127;
}

static void make_file(size_t i, bool full)
{
	size_t n, size = huge_size(), page = page_size();
	char options[64] = "huge=advise";

	if (full)
		snprintf(options, sizeof(options), "huge=advise,size=%zu", size);
	s->fd[i] = tmpfs_file(options, size);
	for (n = 0; n < size / page; n++) {
		memset(src, content(n), page);
		if (!is_hole(i, n) && pwrite(s->fd[i], src, page, n * page) != (ssize_t)page)
			race_broken("write: %s", strerror(errno));
	}
	view[i] = mmap(NULL, size, PROT_READ, MAP_SHARED, s->fd[i], 0);
	if (view[i] == MAP_FAILED || madvise(view[i], size, MADV_DONTFORK))
		race_broken("mmap: %s", strerror(errno));
}

/* All pages but the holes are unchanged.  read() maps none of them. */
static void check_file(size_t i)
{
	size_t n, page = page_size();
	char buf[0x10000];

	for (n = 0; n < huge_size() / page; n++) {
		if (is_hole(i, n))
			continue;
		if (pread(s->fd[i], buf, page, n * page) != (ssize_t)page)
			race_broken("read: %s", strerror(errno));
		if (buf[0] != content(n) || memcmp(buf, buf + 1, page - 1))
			race_broken("page %zu of file %zu is %d and not %d", n, i, buf[0],
				    content(n));
	}
}

/*
 * Is there a page?  The answer says nothing of pages that are not up to date.
 */
static bool there(size_t i, size_t offset)
{
	unsigned char in_core;

	if (mincore(view[i] + offset, page_size(), &in_core))
		race_broken("mincore: %s", strerror(errno));
	return in_core & 1;
}

static void do_call(long nr, long arg0, long arg1, long arg2)
{
	actor_call(&a, 0, nr, arg0, arg1, arg2);
	actor_done(&a, 0);
	if (a.call[0].ret)
		race_broken("system call %ld: %s", nr, strerror(a.call[0].err));
}

/*
 * The first call sets the flag by which the second tells khugepaged of this mm.
 */
static void eligible(size_t i)
{
	do_call(SYS_madvise, (long)s->area[i], huge_size(), MADV_HUGEPAGE);
	do_call(SYS_madvise, (long)s->area[i], huge_size(), MADV_HUGEPAGE);
}

static void begin_watch(void)
{
	s->reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	s->reg.range.start = (uintptr_t)s->area[0];
	s->reg.range.len = huge_size();
	actor_call(&a, 0, SYS_ioctl, s->uffd, UFFDIO_REGISTER, (long)&s->reg);
}

static void call_succeeded(const char *what)
{
	actor_done(&a, 0);
	if (a.call[0].ret == -1)
		race_broken("%s: %s", what, strerror(a.call[0].err));
}

static void watch(void)
{
	begin_watch();
	call_succeeded("UFFDIO_REGISTER");
}

/* Does a read of the hole ask the monitor? */
static bool asked(int uffd)
{
	char *addr = s->area[0] + HOLE;
	struct uffd_msg msg;

	actor_touch(&a, 0, addr, false);
	while (!event_readable(uffd, 0)) {
		if (actor_is_done(&a, 0))
			return false;
		if (!race_look_again())
			race_broken("a read of the hole neither ends nor asks");
	}
	event_read(uffd, UFFD_EVENT_PAGEFAULT, &msg);
	if (fill(uffd, addr, src, page_size(), NULL))
		race_broken("fill: %s", strerror(errno));
	actor_done(&a, 0);
	return true;
}

/* Return: which call that needs i_mmap_rwsem or mmap_lock does not return. */
static const char *held_up(void)
{
	actor_call(&a, 0, SYS_mmap, 0, huge_size(), PROT_READ, MAP_SHARED, s->fd[0], 0);
	if (actor_blocked(&a, 0))
		return "mmap";
	call_succeeded("mmap");
	begin_watch();
	if (actor_blocked(&a, 0))
		return "UFFDIO_REGISTER";
	call_succeeded("UFFDIO_REGISTER");
	actor_call(&a, 0, SYS_ioctl, s->uffd, UFFDIO_UNREGISTER, (long)&s->reg.range);
	if (actor_blocked(&a, 0))
		return "UFFDIO_UNREGISTER";
	call_succeeded("UFFDIO_UNREGISTER");
	actor_call(&a, 0, SYS_clone, SIGCHLD);
	if (actor_blocked(&a, 0))
		return "fork";
	call_succeeded("fork");
	return NULL;
}

/* As the monitor can see it: neither call waits for a page lock. */
static bool looks_like_hole(void)
{
	bool hole = lseek(s->fd[0], HOLE, SEEK_HOLE) == (off_t)HOLE;

	if (hole == there(0, HOLE))
		race_broken("mincore() and SEEK_HOLE do not agree");
	return hole;
}

/* Return: was the hole still to be seen when the mapping was registered? */
static bool register_before_mark(void)
{
	bool hole;

	race_wait("pgtable_collapse_mark", "held=1");
	begin_watch();
	if (actor_blocked(&a, 0)) {
		ksft_print_msg("the registration waits\n");
		race_release("pgtable_collapse_mark");
		call_succeeded("UFFDIO_REGISTER");
		return looks_like_hole();
	}
	call_succeeded("UFFDIO_REGISTER");
	hole = looks_like_hole();
	race_release("pgtable_collapse_mark");
	return hole;
}

/* Return: the damage, if any. */
static const char *register_variant(int uffd)
{
	const char *call;
	bool hole;

	race_arm("pgtable_collapse_copied", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
	race_arm("pgtable_collapse_mark", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
	eligible(0);
	race_wait("pgtable_collapse_copied", "held=1");
	call = held_up();
	race_release("pgtable_collapse_copied");
	if (call) {
		race_wait("pgtable_collapse_mark", "held=1");
		race_release("pgtable_collapse_mark");
		call_succeeded(call);
		ksft_print_msg("%s waits while a huge page is copied\n", call);
		return "held-up-by-the-copy";
	}
	hole = register_before_mark();
	khugepaged_passes(2);
	if (!there(0, HOLE))
		race_broken("khugepaged has not filled the hole");
	ksft_print_msg("registered: the hole is %s\n", hole ? "there" : "filled");
	if (asked(uffd))
		race_broken("the monitor was asked for a page that is there");
	if (first_byte(a.pid, s->area[0] + HOLE))
		race_broken("the page is not zero");
	return hole ? variants[REGISTER].damage : NULL;
}

/* Return: the damage, if any. */
static const char *full_variant(void)
{
	bool wait;
	int err;

	race_arm("pgtable_collapse", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
	eligible(0);
	race_wait("pgtable_collapse", "held=1");
	if (there(0, HOLE))
		race_broken("the hole is no hole any more");
	s->byte = 0x5a;
	actor_call(&a, 0, SYS_pwrite64, s->fd[0], (long)&s->byte, 1, HOLE);
	wait = actor_blocked(&a, 0);
	race_release("pgtable_collapse");
	actor_done(&a, 0);
	err = a.call[0].ret == 1 ? 0 : a.call[0].err;
	ksft_print_msg("a write to the hole %s: %s\n", wait ? "waits" : "does not wait",
		       err ? strerror(err) : "written");
	khugepaged_passes(2);
	if (err && err != ENOSPC)
		race_broken("write: %s", strerror(err));
	if (!err && view[0][HOLE] != 0x5a)
		race_broken("what was written is not there");
	return err ? variants[FULL].damage : NULL;
}

static void fill_all_others(void)
{
	size_t i;

	for (i = 0; i < FILES; i++)
		eligible(i);
	for (i = 1; i < FILES; i++) {
		while (!there(i, holes[i].first * page_size()))
			if (!race_look_again())
				race_broken("khugepaged does not fill hole %u",
					    holes[i].first);
		check_file(i);
	}
	race_control_open();
}

int main(int argc, char **argv)
{
	const enum when when = race_variant(argc, argv, variants) - variants;
	const char *damage;
	bool missed, zero;
	size_t i, files;
	int uffd, err = 0;

	race_begin("%s", variants[when].name);
	if (when != BEFORE)
		race_points_require();
	if (huge_size() != 512 * page_size() || page_size() > sizeof(src))
		race_skip("a huge page is not 512 pages");
	thp_require();
	s = shared_alloc(sizeof(*s));
	/* all are mapped, so that all have a file */
	files = when == BEFORE ? FILES : 1;
	for (i = 0; i < FILES; i++)
		make_file(i, when == FULL);
	if (when == PUNCHED && fallocate(s->fd[0], 0, HOLE, page_size()))
		race_broken("fallocate: %s", strerror(errno));
	khugepaged_set("scan_sleep_millisecs", 10);
	khugepaged_set("alloc_sleep_millisecs", 10);
	khugepaged_set("pages_to_scan", 1 << 16);
	khugepaged_set("max_ptes_none", 511);
	actor_start(&a, map_areas, NULL);
	uffd_require(s->err, 0);
	uffd = actor_fd(&a, s->uffd);
	memset(src, 0x5a, sizeof(src));

	if (when == REGISTER || when == FULL) {
		damage = when == REGISTER ? register_variant(uffd) : full_variant();
		check_file(0);
		actor_stop(&a);
		return race_end(damage);
	}
	switch (when) {
	case BEFORE:
		watch();
		fill_all_others();
		break;
	case LATE:
	case FILLED:
		race_arm("pgtable_collapse", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
		eligible(0);
		race_wait("pgtable_collapse", "held=1");
		watch();
		if (there(0, HOLE))
			race_broken("the hole is no hole any more");
		if (when == FILLED)
			err = fill(uffd, s->area[0] + HOLE, src, page_size(), NULL);
		race_release("pgtable_collapse");
		break;
	case PUNCHED:
		watch();
		race_arm("pgtable_collapse_page", "mm=%d timeout=" RACE_HOLD_MS, a.pid);
		eligible(0);
		race_wait("pgtable_collapse_page", "held=1");
		if (fallocate(s->fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HOLE,
			      page_size()))
			race_broken("fallocate: %s", strerror(errno));
		race_release("pgtable_collapse_page");
		break;
	default:
		break;
	}
	khugepaged_passes(2);

	if (when == FILLED) {
		zero = there(0, HOLE) && !view[0][HOLE];
		missed = !there(0, HOLE) || view[0][HOLE] != 0x5a;
		ksft_print_msg("fill: errno=%d, its page is %s\n", err,
			       zero ? "zero" : missed ? "not there" : "there");
		if (err != (missed ? EEXIST : 0))
			race_broken("fill: %s", strerror(err));
		if (missed && !zero)
			race_broken("a page that was denied is not there either");
	} else {
		ksft_print_msg("the hole is %s\n", there(0, HOLE) ? "filled" : "there");
		missed = !asked(uffd);
		if (missed != !first_byte(a.pid, s->area[0] + HOLE))
			race_broken("the page is neither the monitor's nor zero");
	}
	for (i = 0; i < files; i++)
		check_file(i);
	actor_stop(&a);
	return race_end(missed ? variants[when].damage : NULL);
}
