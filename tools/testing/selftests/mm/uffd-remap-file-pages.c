// SPDX-License-Identifier: GPL-2.0
/*
 * remap_file_pages() unmaps memory that is registered, and sends UNMAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

/* It replaces a part of the mapping with another, which is not registered. */
static void remap_file_pages_unmaps(void)
{
	char *shared = shared_alloc(PAGES * page_size());

	monitored_start(&m, PAGES, EVENTS);
	check(!register_range(shared, PAGES * page_size()));
	actor_call(&m.actor, 0, SYS_remap_file_pages,
		   (long)(shared + page_size()), page_size(), 0, 3, 0);
	unmap_is_told(shared + page_size(), page_size());
	check(!returned(0));
	check(changing_is(0) && !fill_page(1));
	monitored_stop(&m);
	munmap(shared, PAGES * page_size());
}

static const struct check_case cases[] = {
	{ "remap_file_pages sends UNMAP", remap_file_pages_unmaps },
};

int main(void)
{
	return uffd_events_run(NULL, cases, ARRAY_SIZE(cases));
}
