/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of a userfaultfd, from the change of the memory layout to the read():
 * see mm/uffd_event.c.
 */
#ifndef _LINUX_UFFD_EVENT_H
#define _LINUX_UFFD_EVENT_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

struct userfaultfd_ctx;

/**
 * enum uffd_event_state - where an event is on its way to the monitor
 * @UFFD_STATE_NEW: not in a queue yet
 * @UFFD_STATE_QUEUED: in the events of its context
 * @UFFD_STATE_READ: the monitor has it, or need not get it from its task
 * @UFFD_STATE_DROPPED: nobody will read it
 */
enum uffd_event_state {
	UFFD_STATE_NEW,
	UFFD_STATE_QUEUED,
	UFFD_STATE_READ,
	UFFD_STATE_DROPPED,
};

/**
 * struct uffd_event - what a monitor is told of one change
 * @ctx: its context; the event has a reference while a task waits for it
 * @child: the new context of a fork, NULL for other events
 * @queue: in the events of @ctx.  W: event_wqh.lock of @ctx
 * @msg: for the reader.  W: its maker until it is queued, then event_wqh.lock
 * @state: see there.  W: as @msg
 * @free: frees an event that no task waits for, called under event_wqh.lock
 *	when it has left the queue; NULL if a task waits
 */
struct uffd_event {
	struct userfaultfd_ctx *ctx;
	struct userfaultfd_ctx *child;
	struct list_head queue;
	struct uffd_msg msg;
	enum uffd_event_state state;
	void (*free)(struct uffd_event *event);
};

void uffd_event_init(struct uffd_event *event, struct userfaultfd_ctx *ctx,
		     __u8 type);
void uffd_event_withdraw(struct uffd_event *event);
void uffd_event_post(struct uffd_event *event);
bool uffd_event_wait_read(struct uffd_event *event);
bool uffd_event_finish(struct uffd_event *event);
bool uffd_event_wait(struct uffd_event *event);

struct uffd_event *uffd_event_oldest(struct userfaultfd_ctx *ctx);
void uffd_event_dequeue(struct uffd_event *event, enum uffd_event_state state);
void uffd_event_ack(struct uffd_event *event);
void uffd_event_drop_all(struct userfaultfd_ctx *ctx);
bool uffd_event_readable(struct userfaultfd_ctx *ctx);
void uffd_event_wake_reader(struct userfaultfd_ctx *ctx);

#endif /* _LINUX_UFFD_EVENT_H */
