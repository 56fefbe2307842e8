// SPDX-License-Identifier: GPL-2.0
/*
 * A monitor ends the write protection of a range.  A page in it was never
 * protected, and is pinned: a buffer registered with io_uring.  The process
 * writes there, and lets io_uring write the buffer to a file.
 *
 *	process				monitor
 *	registers a buffer
 *					UFFDIO_WRITEPROTECT, mode 0
 *	writes to the buffer
 *	  base: the page is copied
 *	writes the buffer to a file
 *	  base: what it had before
 *
 * page: it is of 4 KiB.  huge-part: it is in a huge page, of which the range has
 * a part; the huge page is to stay whole.  huge: the range has all of it.  Then
 * base reuses the page if it is still huge at the time of the write, so the
 * process gives another part of it back first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/io_uring.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

#define PAGES	4
#define PINNED	1	/* number of the page */
#define BEFORE	0x11
#define AFTER	0x22

static const struct variant {
	const char *name;
	bool huge, part;
} variants[] = {
	{ "page", false, false },
	{ "huge", true, false },
	{ "huge-part", true, true },
};

static struct shared {
	const struct variant *v;
	int out;		/* the file that io_uring writes to */
	int ring;
} *s;

static char *pinned_page(struct wp *w)
{
	return w->area + PINNED * page_size();
}

static char *map_pages(struct wp *w)
{
	char *area = mmap(NULL, w->len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || madvise(area, w->len, MADV_NOHUGEPAGE))
		return NULL;
	return area;
}

static char *map_huge(struct wp *w)
{
	char *area = huge_area(w->len, huge_size());

	if (!area || !map_at(area, w->len, MAP_PRIVATE | MAP_ANONYMOUS, -1) ||
	    madvise(area, w->len, MADV_HUGEPAGE))
		return NULL;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	touch_page(area);
	/* khugepaged is to leave this mm alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return area;
}

/* Two requests to write the page at @buf to the file, to be submitted singly. */
static int ring_with(char *buf)
{
	struct io_uring_params p = { };
	struct iovec iov = { .iov_base = buf, .iov_len = page_size() };
	struct io_uring_sqe *sqe;
	int fd = syscall(__NR_io_uring_setup, 2, &p);
	unsigned int *array;
	char *sq;
	int i;

	if (fd < 0 || syscall(__NR_io_uring_register, fd,
			      IORING_REGISTER_BUFFERS, &iov, 1))
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(*array),
		  PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE,
		   MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	array = (unsigned int *)(sq + p.sq_off.array);
	for (i = 0; i < 2; i++) {
		sqe[i].opcode = IORING_OP_WRITE_FIXED;
		sqe[i].fd = s->out;
		sqe[i].addr = (uintptr_t)buf;
		sqe[i].len = page_size();
		array[i] = i;
	}
	__atomic_store_n((unsigned int *)(sq + p.sq_off.tail), 2,
			 __ATOMIC_RELEASE);
	return fd;
}

static char *map_and_pin(struct wp *w)
{
	char *area = s->v->huge ? map_huge(w) : map_pages(w);

	if (!area)
		return NULL;
	memset(area, BEFORE, w->len);
	s->ring = ring_with(area + PINNED * page_size());
	return area;
}

/* The first byte of what is behind the pin. */
static unsigned char behind_pin(struct wp *w)
{
	static int written;
	unsigned char byte;

	/* A write that fails leaves nothing to be read. */
	if (ftruncate(s->out, 0))
		race_broken("ftruncate: %s", strerror(errno));
	/* Nobody takes the completions: wait for one more each time. */
	actor_call(&w->actor, 1, __NR_io_uring_enter, s->ring, 1, ++written,
		   IORING_ENTER_GETEVENTS, 0, 0);
	actor_done(&w->actor, 1);
	if (w->actor.call[1].ret != 1 || pread(s->out, &byte, 1, 0) != 1)
		race_broken("io_uring has not written: %s",
			    strerror(w->actor.call[1].err));
	return byte;
}

static bool whole(struct wp *w)
{
	return smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages") ==
	       (long)(w->len >> 10);
}

/* Of a huge page: the last page, which nobody has pinned. */
static void give_back(struct wp *w)
{
	actor_call(&w->actor, 0, SYS_madvise,
		   (long)(w->area + w->len - page_size()), page_size(),
		   MADV_DONTNEED);
	actor_done(&w->actor, 0);
	if (w->actor.call[0].ret || whole(w))
		race_broken("the huge page is still whole");
}

static void must_write(struct wp *w, char *addr)
{
	if (wp_write(w, 0, addr, AFTER) != WP_WRITTEN)
		race_broken("a page is still protected");
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const char *damage = NULL;
	struct wp *w;
	bool split;
	size_t len;

	race_begin("wp-unprotect-only-%s", v->name);
	if (v->huge) {
		thp_require();
		huge_require(2 * huge_size(), 64UL << 20);
	}
	s = shared_alloc(sizeof(*s));
	s->v = v;
	s->out = memfd_create("out", MFD_CLOEXEC);
	if (s->out < 0)
		race_broken("memfd: %s", strerror(errno));
	w = wp_new(v->huge ? huge_size() : PAGES * page_size());
	w->map = map_and_pin;
	wp_start(w, 0);
	if (s->ring < 0)
		race_skip("no io_uring");
	if (v->huge && !whole(w))
		race_broken("there is no huge page");
	if (!v->huge && wp_protect(w->uffd, w->area, page_size()))
		race_broken("a page cannot be protected");
	if (behind_pin(w) != BEFORE)
		race_broken("the buffer is not what is registered");

	len = v->part ? w->len / 2 : w->len;
	if (wp_unprotect(w->uffd, w->area, len))
		race_broken("UFFDIO_WRITEPROTECT fails");
	race_control_open();
	split = v->huge && !whole(w);
	if (v->huge && !v->part)
		give_back(w);

	/* What was protected is so no more, and what was not, is written. */
	must_write(w, w->area);
	must_write(w, pinned_page(w));
	if (behind_pin(w) != AFTER)
		damage = "pin-left-behind";
	else if (split)
		damage = "huge-page-split";
	wp_stop(w);
	return race_end(damage);
}
