// SPDX-License-Identifier: GPL-2.0
/*
 * What the bypasses of map_changing_order and map_changing_ack need: the task
 * that waits for an event queues it, and ends the change, as it did before
 * events were queued by those who make the change.
 */
#include <linux/list.h>
#include <linux/map_changing.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/uffd_event.h>
#include <linux/userfaultfd_ctx.h>
#include <linux/wait.h>

#include <race_points/map_changing.h>

/**
 * race_uffd_event_queue() - queue an event when its task gets to wait for it
 * @event: complete; does nothing if it was posted before the bypass
 *
 * Context: process context, interrupts are on.
 */
void race_uffd_event_queue(struct uffd_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;

	if (READ_ONCE(event->state) != UFFD_STATE_NEW)
		return;

	spin_lock_irq(&ctx->event_wqh.lock);
	event->state = UFFD_STATE_QUEUED;
	list_add_tail(&event->queue, &ctx->events);
	if (READ_ONCE(ctx->released))
		uffd_event_dequeue(event, UFFD_STATE_DROPPED);
	spin_unlock_irq(&ctx->event_wqh.lock);
	wake_up_poll(&ctx->fd_wqh, EPOLLIN);
}

/**
 * race_uffd_event_hand_over() - leave the end of a change to its task
 * @event: an event that is about to be acknowledged
 *
 * As before the reader ended it.  The message was copied, so that its type can
 * be the mark: zero, as there was.
 *
 * Context: event_wqh.lock is held.
 */
void race_uffd_event_hand_over(struct uffd_event *event)
{
	if (event->free)
		return;
	atomic_inc(&event->ctx->mmap_changing);
	event->msg.event = 0;
}

/**
 * race_uffd_event_end() - the task that has waited ends the change
 * @event: an event that has left the queue
 *
 * Context: process context.
 */
void race_uffd_event_end(struct uffd_event *event)
{
	if (event->state == UFFD_STATE_READ && !event->msg.event)
		map_changing_end(event->ctx);
}
