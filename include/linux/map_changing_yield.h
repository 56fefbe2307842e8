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
struct vm_area_struct;

#ifdef CONFIG_USERFAULTFD

extern int sysctl_userfaultfd_yield;

int map_changing_set_yield(struct userfaultfd_ctx *ctx);
int map_changing_announce_removal(struct userfaultfd_ctx *ctx, bool validated);
void map_changing_invalidate(struct userfaultfd_ctx *ctx);

/*
 * In the default mode nothing can change, since a fill holds map_changing_lock.
 * The functions that follow are given a fill in yielding mode, or NULL.
 */
bool __map_changing_fill_hint(const struct map_changing_fill *fill);
bool __map_changing_fill_valid(const struct map_changing_fill *fill);
bool __map_changing_fill_contended(const struct map_changing_fill *fill,
				   const struct vm_area_struct *vma);

/**
 * map_changing_fill_hint() - need this fill not even try?
 * @fill: a fill in yielding mode, or NULL
 *
 * Context: any.
 * Return: false if map_changing_fill_valid() will be false.
 */
static inline bool map_changing_fill_hint(const struct map_changing_fill *fill)
{
	return likely(!fill) || __map_changing_fill_hint(fill);
}

/**
 * map_changing_fill_valid() - may this page be installed?
 * @fill: a fill in yielding mode, or NULL
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

/**
 * map_changing_fill_contended() - shall this fill let others in?
 * @fill: a fill in yielding mode that has installed a page since it was
 *	admitted, or NULL
 * @vma: the mapping that is filled
 *
 * If so it calls map_changing_fill_pause(), drops its locks and begins again.
 *
 * Context: the locks of the fill are held.
 * Return: true if somebody waits for one of the locks, and the fill will see it
 * when another mapping takes the place of this one.
 */
static inline bool
map_changing_fill_contended(const struct map_changing_fill *fill,
			    const struct vm_area_struct *vma)
{
	return unlikely(fill) && __map_changing_fill_contended(fill, vma);
}

#else /* !CONFIG_USERFAULTFD */

static inline bool map_changing_fill_hint(const struct map_changing_fill *fill)
{
	return true;
}

static inline bool map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return true;
}

#endif /* CONFIG_USERFAULTFD */

#endif /* _LINUX_MAP_CHANGING_YIELD_H */
