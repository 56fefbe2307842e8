/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of killed tasks: see mm/uffd_event_orphan.c.
 */
#ifndef _LINUX_UFFD_EVENT_ORPHAN_H
#define _LINUX_UFFD_EVENT_ORPHAN_H

struct uffd_event;
struct userfaultfd_ctx;

/* Maximum number of unread orphans per context. */
#define UFFD_EVENT_ORPHANS_MAX	64

void uffd_event_wait_or_orphan(struct uffd_event *event);
void uffd_event_reap(struct userfaultfd_ctx *ctx);

#endif /* _LINUX_UFFD_EVENT_ORPHAN_H */
