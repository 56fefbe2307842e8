// SPDX-License-Identifier: GPL-2.0
/*
 * While a UFFDIO_COPY holds no lock, its range is unmapped, and mapped and
 * registered anew: the fill must not go on in the new mapping.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 8 pages
 *	  installs page 0
 *	  held before page 1
 *				munmap
 *				  waits for mmap_lock
 *	  released
 *	series: installs page 1,
 *	  yields, held
 *	base: goes on to page 4, whose
 *	  source is not resident;
 *	  drops its locks, held
 *				  UNMAP pending		reads it
 *				  returns
 *				mmap at the same place
 *							UFFDIO_REGISTER
 *	  released
 *	base: installs pages 4 to 7
 *	series: EAGAIN, .copy tells of 2 pages
 *
 * The context is the same, and so are the address and the kind of the mapping:
 * only the generation tells the one from the other.
 *
 * "unregister": the monitor first unregisters the range, so that munmap() sends
 * no event.  A second thread of the filler does that, and waits for mmap_lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"
#include "uffd_yield.h"

#define PAGES	8
#define MISSING	4

static struct monitored m;
static struct filler filler;

static const struct variant {
	const char *arg, *name;
	bool unregisters;
} variants[] = {
	{ "munmap", "uffd-fill-break-vma-swap", false },
	{ "unregister", "uffd-fill-break-unregister", true },
};

static char *page(int i)
{
	return m.area + i * page_size();
}

static size_t present(void)
{
	return monitored_pages_exist(&m, m.area, PAGES);
}

static void target_done(const char *what, long ret)
{
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret != ret)
		race_broken("%s: %s", what, strerror(m.actor.call[0].err));
}

static void unmap_begin(size_t len)
{
	actor_call(&m.actor, 0, SYS_munmap, (long)m.area, len);
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	/* The yield comes after the page that the fill was held before. */
	struct fill_vs_change o = {
		.replaced = true,
		.before = 2 * page_size(),
	};
	const size_t len = PAGES * page_size();
	struct uffdio_range *range = shared_alloc(sizeof(*range));
	struct actor *waiter;
	int thread;

	race_begin("%s", v->name);
	race_points_require();
	m.mode = &uffd_yielding;
	/* Both events: a fill yields only to changes that are counted. */
	monitored_start(&m, PAGES,
			UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP);
	filler_start(&filler, PAGES, 1 << MISSING);
	range->start = (uintptr_t)m.area;
	range->len = len;
	race_arm("uffd_fill_page", "tid=%d range=%#lx-%#lx timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, (long)page(1), (long)page(2));
	race_arm("uffd_fill_unlocked", "tid=%d timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid);

	filler_copy(&filler, m.uffd, m.area, 0, PAGES);
	race_wait("uffd_fill_page", "held=1");
	if (present() != 1)
		race_broken("the fill is not held before page 1");
	waiter = v->unregisters ? &filler.actor : &m.actor;
	thread = v->unregisters ? 1 : 0;
	if (v->unregisters)
		actor_call(waiter, thread, SYS_ioctl, m.uffd, UFFDIO_UNREGISTER,
			   (long)range);
	else
		unmap_begin(len);
	/* It waits for mmap_lock: until then there is no event. */
	if (!actor_blocked(waiter, thread) || event_readable(m.uffd, 0))
		race_broken("%s does not wait for the fill", v->arg);
	race_release("uffd_fill_page");
	race_wait("uffd_fill_unlocked", "held=1");

	if (v->unregisters) {
		actor_done(waiter, thread);
		if (waiter->call[thread].ret)
			race_broken("UFFDIO_UNREGISTER: %s",
				    strerror(waiter->call[thread].err));
		unmap_begin(len);
	} else {
		event_read(m.uffd, UFFD_EVENT_UNMAP, NULL);
	}
	target_done("munmap", 0);
	if (event_readable(m.uffd, 0))
		race_broken("there is another event");
	actor_call(&m.actor, 0, SYS_mmap, (long)m.area, len,
		   PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	target_done("mmap", (long)m.area);
	if (uffd_register(m.uffd, m.area, len))
		race_broken("UFFDIO_REGISTER: %s", strerror(errno));
	if (present())
		race_broken("the new mapping is not empty");
	race_release("uffd_fill_unlocked");

	o.err = filler_done(&filler);
	o.copied = filler.copy->copy;
	o.stale = present();
	ksft_print_msg("pages in the new mapping: %zu of %d\n", o.stale, PAGES);
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_vs_change_damage(&o));
}
