/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MAP_CHANGING_H
#define _LINUX_MAP_CHANGING_H

#include <linux/atomic.h>
#include <linux/userfaultfd_k.h>

#ifdef CONFIG_USERFAULTFD

void map_changing_init(struct userfaultfd_ctx *ctx);
void map_changing_begin(struct userfaultfd_ctx *ctx);
int map_changing_begin_killable(struct userfaultfd_ctx *ctx);
void map_changing_end(struct userfaultfd_ctx *ctx);
int map_changing_fill_begin(struct userfaultfd_ctx *ctx);
void map_changing_fill_end(struct userfaultfd_ctx *ctx);

/**
 * map_changing_pending() - has a change begun and not ended?
 * @ctx: the userfaultfd context
 *
 * Context: any.
 * Return: an answer that is no more than a hint, unless map_changing_lock is held:
 * then no change begins.
 */
static inline bool map_changing_pending(struct userfaultfd_ctx *ctx)
{
	return atomic_read(&ctx->mmap_changing);
}

#endif /* CONFIG_USERFAULTFD */

#endif /* _LINUX_MAP_CHANGING_H */
