// SPDX-License-Identifier: GPL-2.0
/*
 * What the bypass of uffd_read_copied needs: an event counts as read, and its
 * file as taken, whether or not the reader has got the message.
 */
#include <linux/fs.h>
#include <linux/uffd_event.h>
#include <linux/uffd_event_read.h>

#include <race_points/map_changing.h>

/**
 * race_uffd_event_taken() - the reader is done with an event
 * @event: an event that was copied to the reader, or not
 * @file: what the reader has brought along for it
 *
 * Context: event_wqh.lock is held.
 */
void race_uffd_event_taken(struct uffd_event *event,
			   struct uffd_event_file *file)
{
	if (event->child) {
		file->file->private_data = event->child;
		file->attached = true;
	}
	uffd_event_ack(event);
}
