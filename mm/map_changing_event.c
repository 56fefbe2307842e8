// SPDX-License-Identifier: GPL-2.0
/*
 * map_changing: how a monitor learns of changes.  See map_changing.c.
 *
 * An event is made by the task that changes the layout, and lives in what that task
 * keeps of its change.  It is queued under the lock that makes the change, at the time
 * when the change is certain, and waited for after all locks were dropped:
 *
 *	map_changing_begin()
 *	map_changing_post()	queued: readers see it
 *	the mmap_lock is dropped
 *	map_changing_wait()	until it was read
 *
 * So events are in the order of the changes, whatever their tasks do afterwards, and
 * no reader has to wait for a task that waits for another reader.  A removal is the
 * exception: its event announces it, and it comes after map_changing_wait(), if at all.
 *
 *	NEW -- map_changing_post() --> QUEUED
 *	QUEUED -- the reader has it in its memory --> READ
 *	QUEUED -- the file is closed --> DROPPED
 *	QUEUED -- a killed fork takes its event back --> DROPPED
 *	QUEUED -- another killed task leaves a copy in its place --> LEFT
 *	QUEUED -- or takes it back, if there are too many --> DROPPED
 *
 * Under event_wqh.lock each event leaves QUEUED once, and whoever takes it out of the
 * queue ends its change: once read() has returned an event, no fill is refused
 * because of it, whether or not the task that waited for it gets to run.
 *
 * Others may share the mm of a killed task, and what it changed stays changed: the
 * monitor has to hear of that.  A fork is the exception, since its child will not
 * run.  The copies are accounted to the tasks, and a context has MAP_CHANGING_LEFT_MAX
 * of them at most: a copy that follows another one extends it where their ranges
 * touch, and beyond that bound the event is taken back and counted, and the monitor
 * does not hear of the change, as if there were no copies.
 *
 * When the last task of an mm has gone, nobody is left whom its events concern: they
 * cannot be read any more, and fills fail with -ESRCH.
 *
 * Lock order: mmap_lock -> fd_wqh.lock -> event_wqh.lock.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/map_changing.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>
#include <linux/wait.h>

#include <race_points/map_changing.h>

static void map_changing_queue(struct map_changing_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;

	spin_lock_irq(&ctx->event_wqh.lock);
	/* Set before map_changing_release() takes the lock. */
	if (READ_ONCE(ctx->released)) {
		event->state = MAP_CHANGING_DROPPED;
		map_changing_end(ctx);
	} else {
		event->state = MAP_CHANGING_QUEUED;
		list_add_tail(&event->queue, &ctx->events);
	}
	spin_unlock_irq(&ctx->event_wqh.lock);
	wake_up_poll(&ctx->fd_wqh, EPOLLIN);
}

/**
 * map_changing_post() - a change is certain: tell the monitor
 * @event: NEW, complete, its change begun; not freed before map_changing_wait()
 *
 * Context: the lock that orders changes is held: mmap_lock for writing, or for reading
 * if the change comes after map_changing_wait().
 */
void map_changing_post(struct map_changing_event *event)
{
	/* As without a queue: in the order in which tasks get to wait. */
	if (race_bypass(map_changing_order))
		return;

	map_changing_queue(event);
}

/* A copy that the caller has taken out of the queue, and whose change has ended. */
static void map_changing_free(struct map_changing_event *left)
{
	left->ctx->events_left--;
	kfree(left);
}

/* Nobody will read any of the events. */
static void map_changing_drop(struct userfaultfd_ctx *ctx)
{
	struct map_changing_event *event, *next;

	lockdep_assert_held(&ctx->event_wqh.lock);
	list_for_each_entry_safe(event, next, &ctx->events, queue) {
		list_del(&event->queue);
		event->state = MAP_CHANGING_DROPPED;
		map_changing_end(ctx);
		if (event->left)
			map_changing_free(event);
	}
	wake_up_locked(&ctx->event_wqh);
}

/*
 * A task that waits for an event keeps its mm.  So all that is queued for an mm
 * without users was left there, and mm_users never comes back from zero.
 */
static bool map_changing_dead(const struct userfaultfd_ctx *ctx)
{
	return !atomic_read(&ctx->mm->mm_users);
}

/* Does @left, next to @event in the queue, tell of it as well from now on? */
static bool map_changing_extend(struct map_changing_event *left,
				const struct map_changing_event *event)
{
	struct uffd_msg *msg = &left->msg;
	__u64 start = event->msg.arg.remove.start;
	__u64 end = event->msg.arg.remove.end;

	if (!left->left || msg->event != event->msg.event)
		return false;
	/* Both have the same argument: a range. */
	if (msg->event != UFFD_EVENT_REMOVE && msg->event != UFFD_EVENT_UNMAP)
		return false;
	if (start > msg->arg.remove.end || end < msg->arg.remove.start)
		return false;
	msg->arg.remove.start = min(msg->arg.remove.start, start);
	msg->arg.remove.end = max(msg->arg.remove.end, end);
	return true;
}

/*
 * A monitor that reads one of two neighbours has read the other one right before or
 * after it, so one event with both ranges says the same.
 */
static bool map_changing_merge(struct map_changing_event *event)
{
	struct list_head *events = &event->ctx->events;

	if (!list_is_first(&event->queue, events) &&
	    map_changing_extend(list_prev_entry(event, queue), event))
		return true;
	return !list_is_last(&event->queue, events) &&
	       map_changing_extend(list_next_entry(event, queue), event);
}

/* The task of this event was killed. */
static void map_changing_leave(struct map_changing_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;
	struct map_changing_event *left = NULL;
	bool stays = !event->child;

	/* As if nobody cared. */
	if (race_bypass(map_changing_killed))
		stays = false;
	if (stays)
		left = kmalloc(sizeof(*left), GFP_KERNEL_ACCOUNT);

	spin_lock_irq(&ctx->event_wqh.lock);
	if (event->state != MAP_CHANGING_QUEUED)
		goto out;
	if (stays && map_changing_merge(event)) {
		list_del(&event->queue);
		event->state = MAP_CHANGING_LEFT;
		map_changing_end(ctx);
	} else if (left && ctx->events_left < MAP_CHANGING_LEFT_MAX) {
		*left = *event;
		left->left = true;
		list_replace(&event->queue, &left->queue);
		ctx->events_left++;
		event->state = MAP_CHANGING_LEFT;
		left = NULL;
	} else {
		list_del(&event->queue);
		event->state = MAP_CHANGING_DROPPED;
		map_changing_end(ctx);
		ctx->events_lost += stays;
	}
out:
	spin_unlock_irq(&ctx->event_wqh.lock);
	kfree(left);
}

/**
 * map_changing_wait() - wait until the monitor has read the event
 * @event: given to map_changing_post()
 *
 * Or until the task is killed, or the file closed.  Afterwards the event belongs to
 * the caller alone.
 *
 * Context: process context, sleeps; no lock is held that a monitor could need.
 * Return: false if nobody has read the event and nobody will: what came with it
 * belongs to the caller again.
 */
bool map_changing_wait(struct map_changing_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;
	DECLARE_WAITQUEUE(wait, current);
	bool killed = false;

	if (event->state == MAP_CHANGING_NEW)
		map_changing_queue(event);

	spin_lock_irq(&ctx->event_wqh.lock);
	__add_wait_queue(&ctx->event_wqh, &wait);
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (event->state != MAP_CHANGING_QUEUED)
			break;
		/* A task that exits cannot be killed: as if it had been. */
		killed = fatal_signal_pending(current) ||
			 WARN_ON_ONCE(current->flags & PF_EXITING);
		if (killed)
			break;
		spin_unlock_irq(&ctx->event_wqh.lock);
		schedule();
		spin_lock_irq(&ctx->event_wqh.lock);
	}
	__set_current_state(TASK_RUNNING);
	__remove_wait_queue(&ctx->event_wqh, &wait);
	spin_unlock_irq(&ctx->event_wqh.lock);

	if (killed)
		map_changing_leave(event);
	race_hold(uffd_event_waited, ctx->mm, 0);
	if (event->state == MAP_CHANGING_READ && !event->ended)
		map_changing_end(ctx);
	return event->state != MAP_CHANGING_DROPPED;
}

/**
 * map_changing_oldest() - the event to be read next
 * @ctx: the userfaultfd context
 *
 * Context: event_wqh.lock is held.
 * Return: an event that is queued, or NULL.
 */
struct map_changing_event *map_changing_oldest(struct userfaultfd_ctx *ctx)
{
	lockdep_assert_held(&ctx->event_wqh.lock);
	return list_first_entry_or_null(&ctx->events, struct map_changing_event,
					queue);
}

/**
 * map_changing_ack() - the monitor has read this event
 * @event: queued; not to be touched afterwards
 *
 * Context: event_wqh.lock is held.
 */
void map_changing_ack(struct map_changing_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;

	lockdep_assert_held(&ctx->event_wqh.lock);
	list_del(&event->queue);
	if (event->left) {
		map_changing_end(ctx);
		map_changing_free(event);
		return;
	}
	event->state = MAP_CHANGING_READ;
	event->ended = true;
	/* As if the task that waits had to do it. */
	if (race_bypass(map_changing_ack))
		event->ended = false;
	if (event->ended)
		map_changing_end(ctx);
	/* It takes event_wqh.lock before it lets go of the event. */
	wake_up_locked(&ctx->event_wqh);
}

/* The oldest event needs a file that the reader has not got. */
static int map_changing_no_file(struct map_changing_event *event,
				const struct map_changing_file *file)
{
	if (!file->err)
		return -ENFILE;
	/* As if its place did not matter. */
	if (race_bypass(uffd_read_place))
		list_move_tail(&event->queue, &event->ctx->events);

	return file->err;
}

/* All of it, or nothing.  Does not fault. */
static int map_changing_copy(const struct uffd_msg *msg, struct iov_iter *to)
{
	size_t copied;

	pagefault_disable();
	copied = copy_to_iter(msg, sizeof(*msg), to);
	pagefault_enable();
	if (copied == sizeof(*msg))
		return 0;
	iov_iter_revert(to, copied);
	return -EFAULT;
}

/**
 * map_changing_read() - deliver the oldest event
 * @ctx: the userfaultfd context
 * @to: where the reader wants it; goes on by a struct uffd_msg for each one that it
 *	gets
 * @file: for an event that brings a file
 *
 * An event counts as read when it is in the reader's memory.  Until then it keeps its
 * place.
 *
 * Context: interrupts are off, fd_wqh.lock may be held.  Does not fault.
 * Return: 0; -EAGAIN: there is no event; -EFAULT: the memory is not there, at least
 * not now; -ENFILE: the event brings a file: make one, or say in @file why not, and
 * ask again; or file->err.
 */
int map_changing_read(struct userfaultfd_ctx *ctx, struct iov_iter *to,
		      struct map_changing_file *file)
{
	struct map_changing_event *event;
	struct uffd_msg msg;
	bool has_it;
	int err;

	spin_lock(&ctx->event_wqh.lock);
	if (unlikely(map_changing_dead(ctx)))
		map_changing_drop(ctx);
	event = map_changing_oldest(ctx);
	err = -EAGAIN;
	if (!event)
		goto out;
	if (event->child && !file->file) {
		err = map_changing_no_file(event, file);
		goto out;
	}
	msg = event->msg;
	if (event->child)
		msg.arg.fork.ufd = file->fd;
	err = map_changing_copy(&msg, to);
	has_it = !err;
	/* As if copying could not fail. */
	if (race_bypass(uffd_read_copied))
		has_it = true;
	if (has_it) {
		if (event->child) {
			file->file->private_data = event->child;
			file->attached = true;
		}
		map_changing_ack(event);
	}
out:
	spin_unlock(&ctx->event_wqh.lock);
	return err;
}

/**
 * map_changing_readable() - is there an event to be read?
 * @ctx: the userfaultfd context
 *
 * Context: any.  For poll: after a barrier that follows its entry in fd_wqh.
 * Return: a hint.
 */
bool map_changing_readable(struct userfaultfd_ctx *ctx)
{
	return !list_empty_careful(&ctx->events) && !map_changing_dead(ctx);
}

/**
 * __map_changing_refuses() - is a change that is pending one of an mm in use?
 * @ctx: the userfaultfd context
 *
 * Context: any.
 * Return: see map_changing_refuses().
 */
bool __map_changing_refuses(struct userfaultfd_ctx *ctx)
{
	/* As if whoever is refused had to have something to read. */
	if (race_bypass(map_changing_at_once))
		return map_changing_readable(ctx);

	return !map_changing_dead(ctx);
}

/**
 * map_changing_release() - nobody will read events any more
 * @ctx: a userfaultfd context that is marked as released
 *
 * Context: process context, no lock of @ctx is held.
 */
void map_changing_release(struct userfaultfd_ctx *ctx)
{
	spin_lock_irq(&ctx->event_wqh.lock);
	map_changing_drop(ctx);
	spin_unlock_irq(&ctx->event_wqh.lock);
}
