// SPDX-License-Identifier: GPL-2.0
/*
 * What a fill that is refused because of a change of the layout tells its
 * caller.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

#define POISON	0x5a5a

/*
 * .copy and .zeropage are written, and do not keep what the caller left there.
 */
static void refused_output(void)
{
	struct uffdio_zeropage zero = { };
	struct uffdio_copy copy = { };

	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	copy.dst = (uintptr_t)page(1);
	copy.src = (uintptr_t)src;
	copy.len = page_size();
	copy.copy = POISON;
	check(ioctl(m.uffd, UFFDIO_COPY, &copy) == -1 && errno == EAGAIN);
	check(copy.copy == -EAGAIN);
	zero.range.start = (uintptr_t)page(1);
	zero.range.len = page_size();
	zero.zeropage = POISON;
	check(ioctl(m.uffd, UFFDIO_ZEROPAGE, &zero) == -1 && errno == EAGAIN);
	check(zero.zeropage == -EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	returned(0);
	check(!fill_page(1));
	monitored_stop(&m);
}

static const struct check_case cases[] = {
	{ "a refused fill writes its output", refused_output },
};

int main(void)
{
	return uffd_events_run(NULL, cases, ARRAY_SIZE(cases));
}
