// SPDX-License-Identifier: GPL-2.0
/*
 * A mapping that is new since the soft-dirty bits were cleared is soft-dirty,
 * whether its pages were touched or not.  It merges with a neighbour that is
 * not, because one of them gets the flags of the other:
 *
 *	base: the mapping that survives keeps its own VM_SOFTDIRTY, or gets that
 *	of the one whose flags are set: the new memory is not soft-dirty
 *
 *	series: what has merged is soft-dirty
 *
 * The old mapping is page 0, and page 1 in one of the variants; the new one is
 * behind it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "softdirty_test.h"
#include "wp_test.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT	1
#endif
#define MPOL_PREFERRED	1
#define RW		(PROT_READ | PROT_WRITE)

static char *place;
static int uffd = -1;

static char *page(size_t nr)
{
	return place + nr * page_size();
}

static void map(size_t nr, int prot)
{
	softdirty_map(page(nr), page_size(), prot);
}

static void done(long ret, const char *what)
{
	if (ret)
		race_broken("%s: %s", what, strerror(errno));
}

static void protect(size_t nr, int prot)
{
	done(mprotect(page(nr), page_size(), prot), "mprotect");
}

/* mprotect(), and the next mapping survives. */
static void old_readable(void)
{
	map(0, PROT_READ);
}

static void new_writable(void)
{
	map(1, RW);
}

static void protect_old(void)
{
	protect(0, RW);
}

/* mprotect() of what is between two mappings: they merge, and the first survives. */
static void old_two(void)
{
	map(0, RW);
	map(1, PROT_READ);
}

static void new_third(void)
{
	map(2, RW);
}

static void protect_middle(void)
{
	protect(1, RW);
}

/* mlock2(), and the next mapping survives; munlock(), and the first does. */
static void old_writable(void)
{
	map(0, RW);
}

static void lock(size_t nr)
{
	/* No page is touched. */
	done(syscall(SYS_mlock2, page(nr), page_size(), MLOCK_ONFAULT), "mlock2");
}

static void new_locked(void)
{
	map(1, PROT_READ);
	lock(1);
	protect(1, RW);
}

static void lock_old(void)
{
	lock(0);
}

static void unlock_new(void)
{
	done(munlock(page(1), page_size()), "munlock");
}

/* madvise(), and the next mapping survives. */
static void new_advised(void)
{
	map(1, PROT_READ);
	done(madvise(page(1), page_size(), MADV_DONTFORK), "madvise");
	protect(1, RW);
}

static void advise_old(void)
{
	done(madvise(page(0), page_size(), MADV_DONTFORK), "madvise");
}

/* mbind(), and the first mapping survives. */
static void bind_page(size_t nr)
{
	unsigned long node0 = 1;
	long ret = syscall(SYS_mbind, page(nr), page_size(), MPOL_PREFERRED,
			   &node0, 8 * sizeof(node0), 0);

	if (ret && errno == ENOSYS)
		race_skip("no mbind: CONFIG_NUMA=y is needed");
	done(ret, "mbind");
}

static void old_bound(void)
{
	map(0, RW);
	bind_page(0);
}

static void bind_new(void)
{
	bind_page(1);
}

/* A registration that begins or ends, and the next mapping survives. */
static void old_registered(void)
{
	map(0, RW);
	uffd = uffd_open(0);
	if (uffd < 0 || uffd_register(uffd, page(0), page_size()))
		uffd_require(errno, 0);
}

static void unregister_old(void)
{
	int err = wp_unregister(uffd, page(0), page_size());

	if (err)
		race_broken("UFFDIO_UNREGISTER: %s", strerror(err));
}

static void close_uffd(void)
{
	close(uffd);
}

static void new_registered(void)
{
	map(1, PROT_READ);
	uffd = uffd_open(0);
	if (uffd < 0 || uffd_register(uffd, page(1), page_size()))
		uffd_require(errno, 0);
	protect(1, RW);
}

static void register_old(void)
{
	done(uffd_register(uffd, page(0), page_size()), "UFFDIO_REGISTER");
}

static const struct variant {
	const char *name;
	void (*old)(void);
	void (*new)(void);
	void (*merge)(void);
	size_t fresh;		/* the page of the new mapping */
} variants[] = {
	{ "next", old_readable, new_writable, protect_old, 1 },
	{ "both", old_two, new_third, protect_middle, 2 },
	{ "mlock", old_writable, new_locked, lock_old, 1 },
	{ "munlock", old_writable, new_locked, unlock_new, 1 },
	{ "madvise", old_writable, new_advised, advise_old, 1 },
	{ "mbind", old_bound, new_writable, bind_new, 1 },
	{ "uffd", old_registered, new_writable, unregister_old, 1 },
	{ "uffd-register", old_writable, new_registered, register_old, 1 },
	{ "uffd-close", old_registered, new_writable, close_uffd, 1 },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	const pid_t me = getpid();
	bool lost;
	size_t i;

	race_begin("softdirty-merge-%s", v->name);
	softdirty_require();
	place = softdirty_place(3 * page_size());
	v->old();
	softdirty_clear(me);
	v->new();
	for (i = 0; i <= v->fresh; i++) {
		bool fresh = i == v->fresh;

		if (softdirty(me, page(i)) != fresh)
			race_broken("page %zu: soft-dirty and new are not the same", i);
	}
	if (one_mapping(page(v->fresh - 1), 2 * page_size()))
		race_broken("the mappings are merged too early");

	v->merge();
	if (!one_mapping(page(0), (v->fresh + 1) * page_size()))
		race_broken("the mappings are not merged");
	race_control_open();
	lost = !softdirty(me, page(v->fresh));

	/* What the merge has marked can be cleared again. */
	softdirty_clear(me);
	if (softdirty_pages(me, page(0), v->fresh + 1))
		race_broken("the mark of a merge outlives the next clear_refs");
	return race_end(lost ? "new-mapping-not-soft-dirty" : NULL);
}
