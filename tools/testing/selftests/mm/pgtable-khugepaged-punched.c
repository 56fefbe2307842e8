// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged and a page that is punched out while it is brought in.  The
 * mapping is registered, and the file has no hole when khugepaged looks.
 *
 *	khugepaged		controller
 *	finds a page that is
 *	not up to date, held
 *				punches a hole there
 *	base: makes a page
 *	series: gives up
 *				reads the hole
 *	base: gets zeroes, nobody is asked
 *
 * khugepaged fills no holes here but that one: max_ptes_none is 0, so that it
 * does not come back to the range.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "khugepaged_test.h"

int main(void)
{
	struct hole_file *f;
	bool missed;
	int uffd;

	race_begin("pgtable-khugepaged-hole-punched");
	race_points_require();
	hole_files_alloc();
	hole_file_add(7, 7, "huge=advise", huge_size());
	f = &k->file[0];
	if (fallocate(f->fd, 0, hole(0), page_size()))
		race_broken("fallocate: %s", strerror(errno));
	uffd = hole_files_start(0);
	watch();
	race_arm("pgtable_collapse_page", "mm=%d timeout=" RACE_HOLD_MS, target.pid);
	eligible(0);
	race_wait("pgtable_collapse_page", "held=1");
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole(0),
		      page_size()))
		race_broken("fallocate: %s", strerror(errno));
	race_release("pgtable_collapse_page");
	khugepaged_passes(2);

	ksft_print_msg("the hole is %s\n", there(0, hole(0)) ? "filled" : "there");
	missed = !asked(uffd);
	if (missed != !first_byte(target.pid, f->area + hole(0)))
		race_broken("the page is neither the monitor's nor zero");
	check_file(0);
	actor_stop(&target);
	return race_end(missed ? "hole-filled-unasked" : NULL);
}
