/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A system call that holds mmap_lock for writing and decides what a pmd is,
 * while another process migrates the huge page that it holds.
 */
#ifndef PGTABLE_SHARED_H
#define PGTABLE_SHARED_H

#include <stdbool.h>
#include <sys/types.h>

#include "race_test.h"

struct shared_page {
	struct actor holder;	/* whose call is held at pgtable_decide */
	char *from;		/* the huge page, in both processes */
	char *to;		/* below a page table of the next level of its own */
};

void shared_page_prepare(struct shared_page *s);
void shared_page_migrate(struct shared_page *s);
bool shared_page_in(pid_t pid, const char *area);

#endif /* PGTABLE_SHARED_H */
