// SPDX-License-Identifier: GPL-2.0
/*
 * Events of a userfaultfd: how a monitor is told of changes of the memory
 * layout.
 *
 * An event is made by the task that changes the layout, and lives in what that
 * task keeps of its change.  It is queued under the lock that makes the change,
 * at the time when the change is certain, and waited for after all locks were
 * dropped:
 *
 *	map_changing_begin()
 *	uffd_event_init()
 *	uffd_event_post()	queued: readers see it
 *	mmap_lock is dropped
 *	uffd_event_wait()	until it was read
 *
 * So events are in the order of the changes, whatever their tasks do
 * afterwards, and no reader depends on a task that waits for another reader.
 * Only the event of a removal announces the change, which is made after
 * uffd_event_wait().
 *
 *	NEW -- uffd_event_post() --> QUEUED
 *	NEW -- uffd_event_withdraw(): the change is given up --> DROPPED
 *	QUEUED -- uffd_event_ack(): a reader has it --> READ
 *	QUEUED -- the file is closed, or the task is killed --> DROPPED
 *
 * Under event_wqh.lock each event leaves the queue once, and whoever takes it
 * out ends its change: once read() has returned an event, no fill is refused
 * because of it, whether or not the task that waited for it has run.
 *
 * A monitor whose fill was refused because of a change waits for the event of
 * that change.  Where there will be none, the faults of the context are woken:
 * those that were not served are reported again, which wakes the monitor.
 *
 * Lock order: mmap_lock -> fd_wqh.lock -> event_wqh.lock.
 */
#include <linux/bug.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/map_changing.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uffd_event.h>
#include <linux/userfaultfd_ctx.h>
#include <linux/wait.h>

#include <race_points/map_changing.h>

/**
 * uffd_event_init() - an event that is not queued yet
 * @event: to be set up; the caller fills in what is in @msg besides the type
 * @ctx: its context
 * @type: UFFD_EVENT_FORK and so on
 *
 * Takes a reference on @ctx, which uffd_event_wait() and uffd_event_withdraw()
 * drop. The change of the event has begun: map_changing_begin().
 *
 * Context: any.
 */
void uffd_event_init(struct uffd_event *event, struct userfaultfd_ctx *ctx,
		     __u8 type)
{
	/* The padding of the message goes to user space. */
	memset(event, 0, sizeof(*event));
	userfaultfd_ctx_get(ctx);
	event->ctx = ctx;
	event->msg.event = type;
}

/**
 * uffd_event_withdraw() - the change is given up
 * @event: NEW; belongs to the caller alone afterwards
 *
 * Context: interrupts are on, no wait queue of @event's context is locked.  May
 * free that context.
 */
void uffd_event_withdraw(struct uffd_event *event)
{
	event->state = UFFD_STATE_DROPPED;
	map_changing_end(event->ctx);
	userfaultfd_wake_all(event->ctx);
	userfaultfd_ctx_put(event->ctx);
}

/**
 * uffd_event_post() - a change is certain: tell the monitor
 * @event: complete; not freed before uffd_event_wait()
 *
 * Does nothing if the event was posted before.
 *
 * Context: the lock that orders changes is held: mmap_lock for writing, also
 * downgraded by the task that has made the change, or for reading if the change
 * comes after uffd_event_wait().
 */
void uffd_event_post(struct uffd_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;

	/* As without a queue: in the order in which tasks get to wait. */
	if (race_bypass(map_changing_order))
		return;

	if (READ_ONCE(event->state) != UFFD_STATE_NEW)
		return;

	spin_lock_irq(&ctx->event_wqh.lock);
	event->state = UFFD_STATE_QUEUED;
	list_add_tail(&event->queue, &ctx->events);
	/* The last close() sets it, and then takes the lock to drop all. */
	if (READ_ONCE(ctx->released))
		uffd_event_dequeue(event, UFFD_STATE_DROPPED);
	spin_unlock_irq(&ctx->event_wqh.lock);
	wake_up_poll(&ctx->fd_wqh, EPOLLIN);
}

/**
 * uffd_event_wait_read() - wait until an event was read
 * @event: given to uffd_event_post()
 *
 * Or until it was dropped, or the task was killed.
 *
 * Context: process context, sleeps.  No lock is held that a monitor could need.
 * Return: false if the task was killed: the event may still be queued.
 */
bool uffd_event_wait_read(struct uffd_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;
	DECLARE_WAITQUEUE(wait, current);
	bool killed = false;

	/* As without a queue: the task that waits queues its event. */
	if (race_bypass(map_changing_order))
		race_uffd_event_queue(event);

	spin_lock_irq(&ctx->event_wqh.lock);
	__add_wait_queue(&ctx->event_wqh, &wait);
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (event->state != UFFD_STATE_QUEUED)
			break;
		/* SIGKILL does not wake an exiting task. */
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
	return !killed;
}

/**
 * uffd_event_finish() - the task has done with an event that has left the queue
 * @event: not queued; belongs to the caller alone afterwards
 *
 * Context: process context, interrupts are on.  May free the context of @event.
 * Return: false if nobody has read the event: what came with it belongs to the
 * caller again.
 */
bool uffd_event_finish(struct uffd_event *event)
{
	struct userfaultfd_ctx *ctx = event->ctx;
	bool dropped = event->state == UFFD_STATE_DROPPED;

	race_hold(uffd_event_waited, ctx->mm, 0);
	/* The reader has left it to the task that waits. */
	if (race_bypass(map_changing_ack))
		race_uffd_event_end(event);

	/* As if no fill had been refused. */
	if (race_bypass(uffd_withdraw_wakes))
		return userfaultfd_ctx_put(ctx), !dropped;

	if (dropped)
		userfaultfd_wake_all(ctx);
	userfaultfd_ctx_put(ctx);
	return !dropped;
}

/**
 * uffd_event_wait() - wait until the monitor has read the event
 * @event: given to uffd_event_post(); belongs to the caller alone afterwards
 *
 * Or until the file is closed, or the task is killed, which takes its event
 * back.
 *
 * Context: process context, sleeps.  No lock is held that a monitor could need.
 * May free the context of @event.
 * Return: false if nobody has read the event: what came with it belongs to the
 * caller again.
 */
bool uffd_event_wait(struct uffd_event *event)
{
	if (!uffd_event_wait_read(event)) {
		spin_lock_irq(&event->ctx->event_wqh.lock);
		if (event->state == UFFD_STATE_QUEUED)
			uffd_event_dequeue(event, UFFD_STATE_DROPPED);
		spin_unlock_irq(&event->ctx->event_wqh.lock);
	}
	return uffd_event_finish(event);
}

/**
 * uffd_event_oldest() - the event to be read next
 * @ctx: the userfaultfd context
 *
 * Context: event_wqh.lock is held.
 * Return: an event that is queued, or NULL.
 */
struct uffd_event *uffd_event_oldest(struct userfaultfd_ctx *ctx)
{
	lockdep_assert_held(&ctx->event_wqh.lock);
	return list_first_entry_or_null(&ctx->events, struct uffd_event, queue);
}

/**
 * uffd_event_dequeue() - an event leaves the queue, and its change ends
 * @event: QUEUED; not to be touched afterwards
 * @state: READ or DROPPED
 *
 * Context: event_wqh.lock is held.
 */
void uffd_event_dequeue(struct uffd_event *event, enum uffd_event_state state)
{
	struct userfaultfd_ctx *ctx = event->ctx;

	lockdep_assert_held(&ctx->event_wqh.lock);
	list_del(&event->queue);
	event->state = state;
	map_changing_end(ctx);
	if (event->free)
		event->free(event);
	else
		/* The task takes the lock before it lets go of the event. */
		wake_up_locked(&ctx->event_wqh);
}

/**
 * uffd_event_ack() - a reader has this event
 * @event: QUEUED; not to be touched afterwards
 *
 * Context: event_wqh.lock is held.
 */
void uffd_event_ack(struct uffd_event *event)
{
	/* As if the task that waits had to end the change. */
	if (race_bypass(map_changing_ack))
		race_uffd_event_hand_over(event);

	uffd_event_dequeue(event, UFFD_STATE_READ);
}

/**
 * uffd_event_drop_all() - nobody will read the events of this context
 * @ctx: a userfaultfd context, released or of no use to its monitor any more
 *
 * Context: interrupts are on, event_wqh.lock is not held.
 */
void uffd_event_drop_all(struct userfaultfd_ctx *ctx)
{
	struct uffd_event *event;

	lockdep_assert_irqs_enabled();
	spin_lock_irq(&ctx->event_wqh.lock);
	while ((event = uffd_event_oldest(ctx)))
		uffd_event_dequeue(event, UFFD_STATE_DROPPED);
	spin_unlock_irq(&ctx->event_wqh.lock);
}

/**
 * uffd_event_readable() - is there an event to be read?
 * @ctx: the userfaultfd context
 *
 * Context: any.  For poll(): after a barrier that follows its entry in fd_wqh.
 * Return: a hint.
 */
bool uffd_event_readable(struct userfaultfd_ctx *ctx)
{
	return !list_empty_careful(&ctx->events);
}

/**
 * uffd_event_wake_reader() - a message was read: is there another one?
 * @ctx: the userfaultfd context
 *
 * A reader that takes one message for each edge of epoll gets an edge for the
 * next event.  The task of that event has woken readers when it was queued, and
 * does not do so again.
 *
 * Context: fd_wqh.lock is held.
 */
void uffd_event_wake_reader(struct userfaultfd_ctx *ctx)
{
	/* As if each event were told of once. */
	if (race_bypass(uffd_read_edge))
		return;

	lockdep_assert_held(&ctx->fd_wqh.lock);
	if (uffd_event_readable(ctx))
		wake_up_locked_poll(&ctx->fd_wqh, EPOLLIN);
}
