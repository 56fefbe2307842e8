// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY_MODE_WP fills a mapping that is read-only at the time, as that of
 * a garbage collector or of a process under restore can be:
 *
 *	thread 0		monitor
 *	mprotect(PROT_READ)
 *				UFFDIO_COPY, MODE_WP: the pages are protected
 *	mprotect(PROT_READ | PROT_WRITE)
 *	writes
 *	base: not trapped
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
#include "wp_test.h"

#define PAGES	8

static struct wp *w;

static void protect(int prot)
{
	struct call *call = &w->actor.call[0];

	actor_call(&w->actor, 0, SYS_mprotect, (long)w->area, w->len, prot);
	actor_done(&w->actor, 0);
	if (call->ret)
		race_broken("mprotect: %s", strerror(call->err));
}

static void copy(void)
{
	char *src = shared_alloc(w->len);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)w->area,
		.src = (uintptr_t)src,
		.len = w->len,
		.mode = UFFDIO_COPY_MODE_WP,
	};

	memset(src, 0x5a, w->len);
	if (ioctl(w->uffd, UFFDIO_COPY, &copy) || copy.copy != (int64_t)w->len)
		race_broken("UFFDIO_COPY: %s", strerror(errno));
}

int main(void)
{
	size_t lost;

	race_begin("wp-copy-readonly-vma");
	w = wp_new(PAGES * page_size());
	w->mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
	wp_start(w, 0);
	protect(PROT_READ);
	copy();
	protect(PROT_READ | PROT_WRITE);
	if (first_byte(w->actor.pid, w->area) != 0x5a)
		race_broken("the page is not what was copied");
	race_control_open();

	lost = wp_lost_pages(w, w->area, PAGES);
	ksft_print_msg("writes that were not trapped: %zu of %d pages\n", lost,
		       PAGES);
	wp_stop(w);
	return race_end(lost ? "write-not-trapped" : NULL);
}
