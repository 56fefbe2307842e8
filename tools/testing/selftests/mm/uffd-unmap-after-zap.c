// SPDX-License-Identifier: GPL-2.0
/*
 * Once a monitor has read UNMAP, the range is gone: nobody writes to it any
 * more, and the monitor may give the pages behind it to somebody else.
 *
 *	thread 0			thread 1	monitor
 *	munmap
 *	  begins its change, held
 *							reads UNMAP, if it can
 *					writes
 *	  released
 *	  unmaps the range
 *	  held before the flush: it cannot be read yet
 *	  released
 *	  UNMAP is queued
 *							reads UNMAP
 *					writes: EFAULT
 *
 * The monitor looks at the page in the file behind it, through a mapping of its
 * own.  The page is present all the time until it is unmapped, so that a write
 * needs no lock that munmap() holds.  munmap() removes the pages with mmap_lock
 * held for reading; "mmap", which puts another mapping in the place, has it for
 * writing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define PAGES	4
#define FILLED	0x5a	/* no letter that uname(2) begins with */

static struct monitored m = { .shmem = true };
static char *src;

static volatile const char *view(void)
{
	return m.file + (PAGES - 1) * page_size();
}

/* Return: 0 or an errno. */
static int write_page(char *page)
{
	actor_call(&m.actor, 1, SYS_uname, (long)page);
	actor_done(&m.actor, 1);
	return m.actor.call[1].err;
}

/*
 * The page is present, and whoever looks at the file sees what is written
 * there.
 */
static void fill_and_write(char *page)
{
	if (fill(m.uffd, page, src, page_size(), NULL))
		race_broken("fill: %s", strerror(errno));
	if (view()[0] != FILLED)
		race_broken("the fill is not in the file");
	if (write_page(page) || view()[0] == FILLED)
		race_broken("the page cannot be written to");
}

static const struct variant {
	const char *arg, *name;
	bool replaces;
} variants[] = {
	{ "munmap", "uffd-unmap-after-zap", false },
	{ "mmap", "uffd-unmap-after-zap-mmap", true },
};

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct unmapped o = { };
	struct uffd_msg msg;
	char *page;
	bool early;
	int err;

	race_begin("%s", v->name);
	race_points_require();
	src = shared_alloc(page_size());
	memset(src, FILLED, page_size());
	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_MISSING_SHMEM);
	page = m.area + (PAGES - 1) * page_size();
	fill_and_write(page);
	race_arm("uffd_unmap_begun", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);
	race_arm("uffd_unmap_zapped", "tid=%d timeout=" RACE_HOLD_MS,
		 m.actor.call[0].tid);

	if (!v->replaces)
		change_layout(&m, &m.actor, 0, UFFD_EVENT_UNMAP);
	else
		actor_call(&m.actor, 0, SYS_mmap, (long)page, page_size(),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	race_wait("uffd_unmap_begun", "held=1");
	/*
	 * The test must not take this mmap_lock from here on, as /proc would.
	 */
	early = event_readable(m.uffd, 0);
	if (!early) {
		race_release("uffd_unmap_begun");
		race_wait("uffd_unmap_zapped", "held=1");
		if (event_readable(m.uffd, 0))
			race_broken("UNMAP can be read before the flush");
		race_release("uffd_unmap_zapped");
	}
	event_read(m.uffd, UFFD_EVENT_UNMAP, &msg);
	if (msg.arg.remove.start != (uintptr_t)page ||
	    msg.arg.remove.end != (uintptr_t)page + page_size())
		race_broken("UNMAP of another range");

	/* The monitor makes something else of the page. */
	memset(m.file + (PAGES - 1) * page_size(), FILLED, page_size());
	err = write_page(page);
	o.written = view()[0] != FILLED;
	ksft_print_msg("UNMAP was read %s the unmapping; write: %s\n",
		       early ? "before" : "after", err ? strerror(err) : "done");
	if (early) {
		race_release("uffd_unmap_begun");
		race_wait("uffd_unmap_zapped", "held=1");
		race_release("uffd_unmap_zapped");
	}
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret == -1)
		race_broken("%s: %s", v->arg, strerror(m.actor.call[0].err));
	monitored_stop(&m);
	return race_end(unmapped_damage(&o));
}
