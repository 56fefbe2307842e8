// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged charges a tmpfs for the holes of a range that it then does not
 * collapse.  Here it takes the last block, and a page is pinned meanwhile.
 *
 *	khugepaged		target			controller
 *	charges for the hole
 *	brings in a page that
 *	is not up to date, held
 *				writes behind the range
 *				base: ENOSPC
 *				series: waits
 *							pins a page of the
 *							range
 *	gives up, and gives
 *	back the block
 *				series: has written
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "khugepaged_test.h"

#define PINNED	300	/* behind the holes */
#define BYTE	0x5a

/* The pages of a range are pinned as long as they are in a pipe. */
static void pin(char *page)
{
	struct iovec v = { .iov_base = page, .iov_len = page_size() };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) || vmsplice(fds[1], &v, 1, 0) != (ssize_t)page_size())
		race_broken("vmsplice: %s", strerror(errno));
}

int main(void)
{
	struct hole_file *f;
	char options[64];
	bool waits;
	int err;

	race_begin("pgtable-full-vs-failing-collapse");
	race_points_require();
	hole_files_alloc();
	snprintf(options, sizeof(options), "huge=advise,size=%zu", huge_size());
	/* Page 7 is the hole, page 8 is not up to date. */
	hole_file_add(7, 8, options, 2 * huge_size());
	f = &k->file[0];
	if (fallocate(f->fd, 0, 8 * page_size(), page_size()))
		race_broken("fallocate: %s", strerror(errno));
	hole_files_start(511);
	race_arm("pgtable_collapse_page", "mm=%d timeout=" RACE_HOLD_MS, target.pid);
	eligible(0);
	race_wait("pgtable_collapse_page", "held=1");

	k->byte = BYTE;
	actor_call(&target, 0, SYS_pwrite64, f->fd, (long)&k->byte, 1, huge_size());
	waits = actor_blocked(&target, 0);
	pin(f->view + PINNED * page_size());
	race_release("pgtable_collapse_page");
	actor_done(&target, 0);
	err = target.call[0].ret == 1 ? 0 : target.call[0].err;
	ksft_print_msg("a write behind the range %s: %s\n", waits ? "waits" : "does not wait",
		       err ? strerror(err) : "written");
	khugepaged_passes(2);
	if (there(0, hole(0)))
		race_broken("the collapse has not failed");
	if (err && err != ENOSPC)
		race_broken("write: %s", strerror(err));
	/* There is room, now that khugepaged has given it back. */
	if (pwrite(f->fd, &k->byte, 1, huge_size()) != 1)
		race_broken("write: %s", strerror(errno));
	check_file(0);
	actor_stop(&target);
	return race_end(err ? "room-given-back-denied" : NULL);
}
