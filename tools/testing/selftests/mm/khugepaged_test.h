/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of khugepaged share: files of a huge page with holes, each in
 * a tmpfs of its own and mapped by a process that does as it is told.
 */
#ifndef KHUGEPAGED_TEST_H
#define KHUGEPAGED_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/userfaultfd.h>

#include "race_test.h"

#define HOLE_FILES	8	/* at most */

struct hole_file {
	unsigned int first, last;	/* of its pages, holes to begin with */
	int fd;
	char *area;		/* in the target */
	char *view;		/* in this process */
};

/* In memory that the target shares. */
struct hole_files {
	size_t nr;
	struct hole_file file[HOLE_FILES];
	int uffd;		/* of the target, in the target */
	struct uffdio_register reg;
	char byte;
	int err;
};

extern struct hole_files *k;
extern struct actor target;
extern char hole_src[];		/* a page that fills have for their source */

void hole_files_alloc(void);
void hole_file_add(unsigned int first, unsigned int last, const char *options,
		   size_t len);
int hole_files_start(long max_ptes_none);
size_t hole(size_t i);
void check_file(size_t i);
bool there(size_t i, size_t offset);
void eligible(size_t i);
void begin_watch(void);
void call_succeeded(const char *what);
void watch(void);
bool asked(int uffd);

#endif /* KHUGEPAGED_TEST_H */
