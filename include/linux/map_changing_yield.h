/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mode in which fills of a userfaultfd and removals do not wait for each
 * other: see mm/map_changing_yield.c.
 */
#ifndef _LINUX_MAP_CHANGING_YIELD_H
#define _LINUX_MAP_CHANGING_YIELD_H

#include <linux/types.h>

struct map_changing_fill;
struct userfaultfd_ctx;
struct vm_area_struct;

#ifdef CONFIG_USERFAULTFD

extern int sysctl_userfaultfd_yield;

int map_changing_set_yield(struct userfaultfd_ctx *ctx);
int map_changing_announce_removal(struct userfaultfd_ctx *ctx, bool validated);
void map_changing_invalidate(struct userfaultfd_ctx *ctx);
bool map_changing_fill_hint(const struct map_changing_fill *fill);
bool map_changing_fill_valid(const struct map_changing_fill *fill);
bool map_changing_fill_contended(const struct map_changing_fill *fill,
				 const struct vm_area_struct *vma);

#else /* !CONFIG_USERFAULTFD */

static inline bool
map_changing_fill_hint(const struct map_changing_fill *fill)
{
	return true;
}

static inline bool
map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return true;
}

#endif /* CONFIG_USERFAULTFD */

#endif /* _LINUX_MAP_CHANGING_YIELD_H */
