/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of write protection by userfaultfd share.
 *
 * The oracle: a page that the monitor has protected does not change until the
 * monitor unprotects it, whoever writes there and whatever happens to the page
 * meanwhile.  A kernel that traps more writes than it must is right.  5.10 does
 * not show the bit, so a page is judged by a write to it.
 */
#ifndef WP_TEST_H
#define WP_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "race_test.h"

/* A process whose memory is write-protected.  Its monitor is the controller. */
struct wp {
	/* Set before the start. */
	size_t len;		/* of the area */
	uint64_t mode;		/* of the registration: 0 is UFFDIO_REGISTER_MODE_WP */
	char *(*map)(struct wp *w);	/* in the actor; NULL: private, never huge */
	void *data;		/* for map() */

	struct actor actor;
	int uffd;		/* the controller's descriptor */
	int own_uffd;		/* the actor's own, and its number there */
	int values;		/* the actor's file whose byte N is N */
	char *area;
	int err;		/* of the actor's part of the start */
};

/* Bits of pagemap. */
#define WP_PM_SOFT_DIRTY	(UINT64_C(1) << 55)
#define WP_PM_UFFD_WP		(UINT64_C(1) << 57)
#define WP_PM_SWAP		(UINT64_C(1) << 62)
#define WP_PM_PRESENT		(UINT64_C(1) << 63)

/* What became of a write. */
enum wp_write { WP_TRAPPED, WP_WRITTEN, WP_REFUSED };

struct wp *wp_new(size_t len);
char *wp_map_huge(struct wp *w);
void wp_expect_huge(struct wp *w, const char *when);
void wp_start(struct wp *w, uint64_t features);
void wp_stop(struct wp *w);
void wp_reopen(struct wp *w, uint64_t features);
int wp_register(int uffd, const void *start, size_t len, uint64_t mode);
int wp_unregister(int uffd, const void *start, size_t len);
int wp_protect(int uffd, const void *start, size_t len);
int wp_unprotect(int uffd, const void *start, size_t len);
void wp_populate(struct wp *w, int value);
void wp_write_begin(struct wp *w, int thread, char *addr, int value);
enum wp_write wp_write(struct wp *w, int thread, char *addr, int value);
bool wp_lost(struct wp *w, int thread, char *addr);
size_t wp_lost_pages(struct wp *w, char *start, size_t pages);
uint64_t wp_pagemap(struct wp *w, const char *addr);
size_t wp_stale_pages(struct wp *w, char *start, size_t pages);
int wp_pagemap_bit(struct wp *w, const char *addr);
void wp_pageout(struct wp *w, char *start, size_t pages);
bool swap_file(char *path, size_t size);

#endif /* WP_TEST_H */
