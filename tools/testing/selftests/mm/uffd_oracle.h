/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Oracles: from what was observed to the damage, with nothing else in between,
 * so that a checker for kernels without race points can ask them too.
 *
 * Each returns a signature, or NULL if what was observed is right.
 */
#ifndef UFFD_ORACLE_H
#define UFFD_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* Of a fill while one event was taken and another was not. */
struct fill_while_pending {
	bool refused;		/* with EAGAIN; else it reported success */
	bool present;		/* the page, when both changes are done */
	bool moved;		/* the change moved that page elsewhere */
	bool present_moved;	/* it is present there */
	bool forked;		/* the change forked a child */
	bool present_child;	/* it is present in the child */
};

/* Of a fill against a removal of the same range. */
struct fill_vs_remove {
	size_t stale;		/* pages present after both have returned */
};

const char *fill_while_pending_damage(const struct fill_while_pending *o);
const char *fill_vs_remove_damage(const struct fill_vs_remove *o);

#endif /* UFFD_ORACLE_H */
