/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mode in which fills of a userfaultfd and removals do not wait for each
 * other: see mm/map_changing_yield.c.
 */
#ifndef _LINUX_MAP_CHANGING_YIELD_H
#define _LINUX_MAP_CHANGING_YIELD_H

#include <linux/compiler.h>
#include <linux/types.h>

struct map_changing_fill;
struct userfaultfd_ctx;

#ifdef CONFIG_USERFAULTFD

extern int sysctl_userfaultfd_yield;

int map_changing_set_yield(struct userfaultfd_ctx *ctx);
int map_changing_announce_removal(struct userfaultfd_ctx *ctx, bool validated);

bool __map_changing_fill_valid(const struct map_changing_fill *fill);

/**
 * map_changing_fill_valid() - may this page be installed?
 * @fill: a fill in yielding mode, or NULL
 *
 * In the default mode, where a fill holds map_changing_lock, nothing changes.
 *
 * Context: the lock of the page table that gets the page was taken just before,
 * and after the page table, and the page in the page cache, were visible to
 * others.
 * Return: true, or false if the fill has to end with -EAGAIN.
 */
static inline bool map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return likely(!fill) || __map_changing_fill_valid(fill);
}

#else /* !CONFIG_USERFAULTFD */

static inline bool map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return true;
}

#endif /* CONFIG_USERFAULTFD */

#endif /* _LINUX_MAP_CHANGING_YIELD_H */
