// SPDX-License-Identifier: GPL-2.0
/*
 * A device has pinned a page, the page is protected and unprotected, and the
 * process writes to it.  Both must go on to mean the same page.
 *
 *	process			device
 *	writes A
 *				pins the page
 *	protects it
 *	unprotects it
 *	writes B
 *				base: reads A, from a page that is mapped no more
 *				series: reads B
 *
 * uffd, mprotect: one page, and what protects it.
 * thp: a huge page is protected, and a part of it unprotected.
 * shared: what is not to be taken for that.  A child has references to the page
 * that look like a pin, and has unmapped it: what they refer to must not change.
 * The kernel has remembered that the page was the parent's alone, and fork must
 * make it forget.
 */
#include <stdbool.h>
#include <stddef.h>

#include "kselftest.h"
#include "pin_test.h"
#include "race_test.h"

static const struct variant {
	const char *name;
	enum protector by;
	bool huge;
	bool shared;
} variants[] = {
	{ .name = "uffd", .by = BY_UFFD },
	{ .name = "mprotect", .by = BY_MPROTECT },
	{ .name = "thp", .by = BY_UFFD, .huge = true },
	{ .name = "shared", .by = BY_UFFD, .shared = true },
};

static void expect(int byte, int a, int b, const char *who)
{
	ksft_print_msg("%s reads %c\n", who, byte);
	if (byte != a && byte != b)
		race_broken("%s reads %#x", who, byte);
}

/* Return: what the device reads in the end. */
static int pinned(const struct variant *v)
{
	struct area a;
	struct pin pin;
	char *page;
	int byte;

	if (v->huge)
		area_map_huge(&a, v->by);
	else
		area_map(&a, v->by, 2);
	page = a.start + page_size();
	pin_buffer(&pin, a.start, a.len);
	expect(pin_reads(&pin, page), 'A', 'A', "before, the device");
	area_protect(&a, a.start, a.len);
	if (v->huge && !area_is_huge(&a))
		race_broken("a huge page is protected in parts");
	area_unprotect(&a, page, page_size());
	if (v->huge && area_is_huge(&a))
		race_broken("a part of a huge page is unprotected as a whole");
	race_control_open();
	__atomic_store_n(page, 'B', __ATOMIC_RELAXED);
	byte = pin_reads(&pin, page);
	expect(byte, 'A', 'B', "the device");
	return byte;
}

/* Return: what the child's pipe holds in the end. */
static int shared(const struct variant *v)
{
	struct area a, other;
	struct sharer s;
	struct pin pin;
	int byte;

	/* A pin in this process, of another page. */
	area_map(&other, BY_MPROTECT, 1);
	pin_buffer(&pin, other.start, other.len);
	area_map(&a, v->by, 1);
	area_protect(&a, a.start, a.len);
	sharer_fork(&s, BY_PIPE, a.start);
	area_unprotect(&a, a.start, a.len);
	sharer_unmap(&s, a.start, a.len);
	race_control_open();
	__atomic_store_n(a.start, 'B', __ATOMIC_RELAXED);
	byte = sharer_reads(&s);
	expect(byte, 'A', 'B', "the child's pipe");
	return byte;
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);

	race_begin("wp-pinned-page %s", v->name);
	if (v->shared)
		return race_end(shared(v) == 'A' ? NULL : "shared-page-written");
	return race_end(pinned(v) == 'B' ? NULL : "stale-write");
}
