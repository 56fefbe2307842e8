// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_ZEROPAGE that finds no page table, and then neither can install one
 * nor finds what was there instead:
 *
 *	filler			thread 1
 *	the pmd is none
 *	held, with a page table
 *	at hand
 *				maps a huge page
 *	cannot install it
 *	held
 *				MADV_DONTNEED: the pmd is none
 *	base: BUG_ON(pmd_none())
 *	series: installs it
 *
 * A fill that neither ends so nor looks again says EEXIST, and to its monitor
 * that means that there is a page.
 *
 * The mapping is private and its file has huge pages, so that a read maps one
 * though the mapping is registered for missing pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"

static struct shared {
	int fd;
	int uffd;
	char *area;		/* one huge page */
	struct uffdio_zeropage zero;
	int err;
} *s;

static struct actor a;

static void map_area(void *arg)
{
	(void)arg;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	s->area = huge_area(huge_size(), huge_size());
	if (!s->area || !map_at(s->area, huge_size(), MAP_PRIVATE, s->fd))
		goto fail;
	/* khugepaged is to leave this mm alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	s->uffd = uffd_open(0);
	if (s->uffd >= 0 && !uffd_register(s->uffd, s->area, huge_size()))
		return;
fail:
	s->err = errno;
}

/* Return: the damage, if any. */
static const char *zap(void)
{
	char *addr = s->area + 5 * page_size();
	bool exists;
	int err;

	race_keep_apart(a.call[0].tid, a.call[1].tid);
	race_arm("pgtable_install", "tid=%d timeout=10000", a.call[0].tid);
	race_arm("pgtable_installed", "tid=%d timeout=10000", a.call[0].tid);
	actor_zeropage(&a, 0, s->uffd, &s->zero, addr);
	race_wait("pgtable_install", "held=1");
	actor_touch(&a, 1, s->area, false);
	actor_done(&a, 1);
	if (!smaps_kb(a.pid, s->area, huge_size(), "ShmemPmdMapped"))
		race_broken("the other thread has not mapped a huge page");
	race_release("pgtable_install");
	race_wait("pgtable_installed", "held=1");
	actor_call(&a, 1, SYS_madvise, (long)s->area, huge_size(), MADV_DONTNEED);
	actor_done(&a, 1);
	if (smaps_kb(a.pid, s->area, huge_size(), "ShmemPmdMapped"))
		race_broken("the huge page is still mapped");
	race_release("pgtable_installed");
	if (actor_killed(&a, 0, &err))
		return "filler-killed-by-kernel";
	/* The huge page is gone: what is there now the fill has brought. */
	exists = page_exists(a.pid, addr);
	actor_stop(&a);
	if (err == EEXIST && !exists)
		return "eexist-without-page";
	if (err || !exists)
		race_broken("the fill has filled nothing: %s", strerror(err));
	return NULL;
}

int main(void)
{
	race_begin("pgtable-mfill-vs-zap");
	race_points_require();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		race_skip("needs two processors");
	s = shared_alloc(sizeof(*s));
	s->fd = tmpfs_file("huge=always", huge_size());
	make_huge(s->fd, huge_size());
	actor_start(&a, map_area, NULL);
	uffd_require(s->err, 0);
	return race_end(zap());
}
