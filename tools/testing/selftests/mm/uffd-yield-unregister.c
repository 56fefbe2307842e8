// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_UNREGISTER and the yielding mode of a userfaultfd: a fill that has
 * dropped its locks must see that its range was unregistered.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/ioctl.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"
#include "uffd_yield.h"

static int unregister_other(void)
{
	struct uffdio_range range = {
		.start = (uintptr_t)m.other,
		.len = PAGES * page_size(),
	};

	return ioctl(m.uffd, UFFDIO_UNREGISTER, &range);
}

/* It counts as a change that has no event. */
static void unregister_counts(void)
{
	if (read_number("/proc/sys/vm/userfaultfd_yield") != 1) {
		check_skip = "vm.userfaultfd_yield is 0";
		return;
	}
	m.mode = &uffd_yielding;
	monitored_start(&m, PAGES, EVENTS);
	m.mode = NULL;
	check(!unregister_other());
	check(changing() == 0 && generation() == 1);
	check(!event_readable(m.uffd, 0) && !fill_page(1));
	monitored_stop(&m);
}

/* In the default mode no fill relies on that. */
static void unregister_by_default(void)
{
	monitored_start(&m, PAGES, EVENTS);
	check(!unregister_other());
	check(changing() == 0 && generation() == 0);
	monitored_stop(&m);
}

static const struct check_case cases[] = {
	{ "in yielding mode UFFDIO_UNREGISTER counts as a change", unregister_counts },
	{ "in the default mode it does not", unregister_by_default },
};

int main(void)
{
	return uffd_events_run("yield", cases, ARRAY_SIZE(cases));
}
