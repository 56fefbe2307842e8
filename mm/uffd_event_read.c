// SPDX-License-Identifier: GPL-2.0
/*
 * How a monitor reads an event of a userfaultfd.
 *
 * An event counts as read when it is in the memory of the reader.  The message
 * is copied under event_wqh.lock, with page faults disabled, and only then
 * acknowledged.  An event that cannot be delivered, for want of memory or of a
 * file, keeps its place in the queue.
 *
 * The event of a fork brings a file for the context of the child.  A file
 * cannot be made under the lock: the reader makes one without a context
 * beforehand and asks again, and whichever fork is the oldest then gets it.  A
 * file that was not needed is put.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uffd_event.h>
#include <linux/uffd_event_read.h>
#include <linux/userfaultfd_ctx.h>

#include <race_points/map_changing.h>

static int uffd_event_deliver(struct uffd_event *event,
			      struct uffd_msg __user *to,
			      struct uffd_event_file *file)
{
	struct uffd_msg msg = event->msg;
	int err;

	if (event->child)
		msg.arg.fork.ufd = file->fd;
	err = copy_to_user_nofault(to, &msg, sizeof(msg));
	/* As if copying could not fail. */
	if (race_bypass(uffd_read_copied))
		return race_uffd_event_taken(event, file), err;
	if (err)
		return err;

	/* The reader has the message: it gets the file as well. */
	if (event->child) {
		file->file->private_data = event->child;
		file->attached = true;
	}
	uffd_event_ack(event);
	return 0;
}

/**
 * uffd_event_read() - deliver the oldest event
 * @ctx: the userfaultfd context
 * @to: where the reader wants it
 * @file: for an event that brings a file
 *
 * Context: interrupts are off, fd_wqh.lock may be held.  Does not fault.
 * Return: 0; -EAGAIN if there is no event; -EFAULT if the memory is not there,
 * at least not now; -ENFILE if the event brings a file: make one, or say in
 * @file why not, and ask again; or file->err.
 */
int uffd_event_read(struct userfaultfd_ctx *ctx, struct uffd_msg __user *to,
		    struct uffd_event_file *file)
{
	struct uffd_event *event;
	int err;

	lockdep_assert_irqs_disabled();
	spin_lock(&ctx->event_wqh.lock);
	event = uffd_event_oldest(ctx);
	if (!event) {
		err = -EAGAIN;
	} else if (event->child && !file->file) {
		/* As if the place of an event did not matter. */
		if (race_bypass(uffd_read_place))
			file->err ? list_move_tail(&event->queue, &ctx->events) : (void)0;
		err = file->err ?: -ENFILE;
	} else {
		err = uffd_event_deliver(event, to, file);
	}
	spin_unlock(&ctx->event_wqh.lock);
	return err;
}

/**
 * uffd_event_file_put() - install or free what was made for a fork
 * @file: the file, if any; empty afterwards
 *
 * Context: process context, sleeps.
 */
void uffd_event_file_put(struct uffd_event_file *file)
{
	if (file->attached) {
		fd_install(file->fd, file->file);
	} else if (file->file) {
		put_unused_fd(file->fd);
		fput(file->file);
	}
	memset(file, 0, sizeof(*file));
}
