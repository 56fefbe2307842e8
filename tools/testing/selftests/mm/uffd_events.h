/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of userfaultfd's events share that need no race: each has a
 * process that is monitored, changes its layout, reads the event and looks at
 * fdinfo.
 */
#ifndef UFFD_EVENTS_H
#define UFFD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/userfaultfd.h>

#include "race_test.h"

#define PAGES	8	/* of each area, where a test does not need more */

/* All events but that of a fault. */
#define EVENTS	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | \
		 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

/* The same, one by one. */
struct event_kind {
	unsigned int event;
	uint64_t feature;
};

#define NR_KINDS	4

extern const struct event_kind event_kinds[NR_KINDS];

extern struct monitored m;	/* of the test that runs */
extern char *src;		/* one page, which fills have for their source */

char *page(int i);
int fill_page(int i);
int zero_page(int i);
int write_protect_page(int i);
int register_range(const char *start, size_t len);
int register_area(uint64_t mode);

long changing(void);
bool changing_is(long nr);
long generation(void);

void pend(struct actor *who, int thread, unsigned int event);
long returned(int thread);
void close_own(void);
void close_uffd(void);
ssize_t read_one(struct uffd_msg *msg);
bool is_range(const struct uffd_msg *msg, unsigned int event,
	      const char *start, size_t len);
void unmap_is_told(const char *start, size_t len);

int write_text(const char *path, const char *text);
long read_number(const char *path);
long contexts(void);
void nothing_leaks(long before);

/* Tests of both modes: they set up @m, in the mode that it has. */
void huge_fills(void);
void write_protect(void);

int uffd_events_run(const char *field, const struct check_case *cases, size_t nr);

#endif /* UFFD_EVENTS_H */
