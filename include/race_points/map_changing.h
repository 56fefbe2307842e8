/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points and guards of map_changing: fills of a userfaultfd against
 * changes of the memory layout.  Created in fs/userfaultfd.c.
 */
#ifndef _RACE_POINTS_MAP_CHANGING_H
#define _RACE_POINTS_MAP_CHANGING_H

#include <linux/race_point.h>

RACE_HOLD(uffd_fill_page,
	  "a fill was admitted and tries to install the page at addr");
RACE_COUNT(uffd_remove_begin,
	   "MADV_DONTNEED or its like is about to announce a removal at addr");
RACE_GUARD(map_changing_count,
	   "mmap_changing counts: one event that ends leaves the others pending");
RACE_GUARD(map_changing_lock,
	   "a layout change waits for the fills that were admitted before it");

#endif /* _RACE_POINTS_MAP_CHANGING_H */
