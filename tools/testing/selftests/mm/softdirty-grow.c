// SPDX-License-Identifier: GPL-2.0
/*
 * A mapping is unmapped, and mremap() grows another one over its place.
 *
 *	base: the new part is not soft-dirty, as if nothing had changed there
 *
 *	series: it is, like a part that mmap() or brk() adds
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "softdirty_test.h"

int main(void)
{
	size_t len = page_size();
	char *place;

	race_begin("softdirty-mremap-grow");
	softdirty_require();
	place = softdirty_place(2 * len);
	softdirty_map(place, len, PROT_READ | PROT_WRITE);
	softdirty_map(place + len, len, PROT_READ);
	touch_page(place);
	softdirty_clear(getpid());
	if (softdirty_pages(getpid(), place, 2))
		race_broken("pages are soft-dirty after the bits were cleared");
	if (munmap(place + len, len) || mremap(place, len, 2 * len, 0) != place)
		race_broken("mremap: %s", strerror(errno));
	if (!one_mapping(place, 2 * len))
		race_broken("the mapping has not grown");
	race_control_open();
	return race_end(softdirty(getpid(), place + len) ? NULL :
			"grown-mapping-not-soft-dirty");
}
