// SPDX-License-Identifier: GPL-2.0
/*
 * What the bypass of map_changing_ack needs: the task that waits for an event
 * ends the change, as it did before events were queued.
 */
#include <linux/map_changing.h>
#include <linux/uffd_event.h>
#include <linux/userfaultfd_ctx.h>

#include <race_points/map_changing.h>

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
