/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fill of a userfaultfd drops its locks if they are contended: see
 * mm/map_changing_contended.c.
 */
#ifndef _LINUX_MAP_CHANGING_CONTENDED_H
#define _LINUX_MAP_CHANGING_CONTENDED_H

#include <linux/compiler.h>
#include <linux/types.h>

struct map_changing_fill;
struct userfaultfd_ctx;
struct vm_area_struct;

void map_changing_invalidate(struct userfaultfd_ctx *ctx);
bool __map_changing_fill_contended(const struct map_changing_fill *fill,
				   const struct vm_area_struct *vma);

/**
 * map_changing_fill_contended() - shall this fill drop its locks?
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

#endif /* _LINUX_MAP_CHANGING_CONTENDED_H */
