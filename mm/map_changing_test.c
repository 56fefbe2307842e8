// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/map_changing.c and mm/map_changing_event.c: the object alone,
 * on contexts that no file and no mm knows of.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/map_changing.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>
#include <linux/wait.h>

/* Far beyond any load: a slow machine does not fail, a lost wake-up does. */
#define DEADLINE	(60 * HZ)

static struct userfaultfd_ctx *new_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	init_waitqueue_head(&ctx->event_wqh);
	init_waitqueue_head(&ctx->fd_wqh);
	ctx->mm = kunit_kzalloc(test, sizeof(*ctx->mm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->mm);
	init_rwsem(&ctx->mm->mmap_lock);
	/* Somebody lives there. */
	atomic_set(&ctx->mm->mm_users, 1);
	ctx->features = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP;
	map_changing_init(ctx, NULL);
	KUNIT_EXPECT_FALSE(test, ctx->map_changing_yield);
	return ctx;
}

static struct userfaultfd_ctx *new_yielding_ctx(struct kunit *test)
{
	struct userfaultfd_ctx *parent = new_ctx(test), *ctx = new_ctx(test);

	parent->map_changing_yield = true;
	map_changing_init(ctx, parent);
	KUNIT_EXPECT_TRUE(test, ctx->map_changing_yield);
	return ctx;
}

static struct map_changing_fill new_fill(struct userfaultfd_ctx *ctx)
{
	struct map_changing_fill fill;

	/* Whatever the rest is. */
	memset(&fill, 0xa5, sizeof(fill));
	map_changing_fill_init(&fill, ctx);
	return fill;
}

/* A whole fill; what it was told. */
static int try_fill(struct userfaultfd_ctx *ctx)
{
	struct map_changing_fill fill = new_fill(ctx);
	int err = map_changing_fill_begin(&fill);

	if (!err)
		map_changing_fill_end(&fill);
	return err;
}

/* It drops its locks, and will want to go on. */
static void pause_fill(struct map_changing_fill *fill,
		       const struct vm_area_struct *vma)
{
	map_changing_fill_note(fill, vma);
	map_changing_fill_end(fill);
}

static int changes(struct userfaultfd_ctx *ctx)
{
	return atomic_read(&ctx->mmap_changing);
}

static void map_changing_admits_at_rest(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
}

static void map_changing_refuses_while_pending(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);

	map_changing_begin(ctx);
	KUNIT_EXPECT_TRUE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
	/* A refused fill holds nothing. */
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	map_changing_end(ctx);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

static void map_changing_counts(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	int i, n = 5;

	for (i = 0; i < n; i++) {
		if (i & 1)
			map_changing_begin(ctx);
		else
			KUNIT_EXPECT_EQ(test,
					map_changing_begin_removal(ctx, true),
					0);
	}
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
		map_changing_end(ctx);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

/* Drop the locks of a fill, let @between happen, and ask again. */
static int gap(struct map_changing_fill *fill,
	       void (*between)(struct userfaultfd_ctx *ctx))
{
	struct vm_area_struct vma = { .vm_userfaultfd_ctx.ctx = fill->ctx };
	int err;

	pause_fill(fill, &vma);
	between(fill->ctx);
	err = map_changing_fill_begin(fill);
	if (!err)
		map_changing_fill_end(fill);
	return err;
}

static void nothing(struct userfaultfd_ctx *ctx)
{
}

static void whole_change(struct userfaultfd_ctx *ctx)
{
	map_changing_begin(ctx);
	map_changing_end(ctx);
}

static void whole_removal(struct userfaultfd_ctx *ctx)
{
	if (!map_changing_begin_removal(ctx, true))
		map_changing_end(ctx);
}

static void map_changing_sees_whole_change(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));

	/* One before the fill begins does not matter. */
	whole_change(fill.ctx);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, nothing), 0);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, whole_change), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&fill.ctx->map_changing_lock));
	/* It stays refused, and the next fill is admitted. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), -EAGAIN);
	KUNIT_EXPECT_EQ(test, try_fill(fill.ctx), 0);
}

static void map_changing_sees_unregister(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));

	/* In the default mode such fills go on. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_FALSE(test, fill.yield);
	KUNIT_EXPECT_EQ(test, gap(&fill, map_changing_invalidate), 0);

	fill = new_fill(new_yielding_ctx(test));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_TRUE(test, fill.yield);
	KUNIT_EXPECT_EQ(test, gap(&fill, map_changing_invalidate), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
}

static void map_changing_validates_page(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_yielding_ctx(test));

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_valid(&fill));
	/* Does not wait for the fill, which finds out. */
	KUNIT_EXPECT_EQ(test, map_changing_begin_removal(fill.ctx, true), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_valid(&fill));
	map_changing_end(fill.ctx);
	/* Also after the event was read: the removal may be still to come. */
	KUNIT_EXPECT_FALSE(test, map_changing_fill_valid(&fill));
	map_changing_fill_end(&fill);
	KUNIT_EXPECT_EQ(test, try_fill(fill.ctx), 0);

	fill = new_fill(new_yielding_ctx(test));
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, gap(&fill, whole_removal), -EAGAIN);
}

/* May a fill that was in a mapping without flags go on in this one? */
static int goes_on(const struct map_changing_fill *fill, unsigned long flags,
		   const struct vm_operations_struct *ops,
		   struct userfaultfd_ctx *ctx)
{
	const struct vm_area_struct vma = {
		.vm_flags = flags,
		.vm_ops = ops,
		.vm_userfaultfd_ctx.ctx = ctx,
	};

	return map_changing_fill_vma(fill, &vma);
}

static void map_changing_knows_mapping(struct kunit *test)
{
	static const struct vm_operations_struct ops, other_ops;
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_fill fill = new_fill(ctx);
	const struct vm_area_struct vma = {
		.vm_ops = &ops,
		.vm_userfaultfd_ctx.ctx = ctx,
	};

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_EQ(test, map_changing_fill_vma(&fill, &vma), 0);
	pause_fill(&fill, &vma);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	KUNIT_EXPECT_EQ(test, map_changing_fill_vma(&fill, &vma), 0);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, 0, &ops, ctx), 0);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, VM_LOCKED, &ops, ctx), 0);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, VM_HUGETLB, &ops, ctx), -EAGAIN);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, VM_SHARED, &ops, ctx), -EAGAIN);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, 0, &other_ops, ctx), -EAGAIN);
	KUNIT_EXPECT_EQ(test, goes_on(&fill, 0, &ops, new_ctx(test)), -EAGAIN);
}

/* What a second task does. */
enum act { BEGIN, REMOVAL, REMOVAL_VALIDATED, MMAP_WRITE, FILL, WAIT };

struct second {
	struct userfaultfd_ctx *ctx;
	struct map_changing_event *event;
	struct task_struct *task;
	enum act act;
	bool killed;
	int err;
	struct completion done;
};

static void second_task(struct kunit *test, struct second *c, int (*fn)(void *))
{
	struct task_struct *task = kthread_create(fn, c, "map_changing_test");

	c->task = IS_ERR(task) ? NULL : task;
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
}

static int second_end(struct second *c)
{
	complete(&c->done);
	set_current_state(TASK_UNINTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_UNINTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int second_fn(void *data)
{
	struct second *c = data;

	allow_signal(SIGKILL);
	if (c->killed)
		send_sig(SIGKILL, current, 1);
	switch (c->act) {
	case BEGIN:
		map_changing_begin(c->ctx);
		c->err = 0;
		break;
	case REMOVAL:
		c->err = map_changing_begin_removal(c->ctx, false);
		break;
	case REMOVAL_VALIDATED:
		c->err = map_changing_begin_removal(c->ctx, true);
		break;
	case MMAP_WRITE:
		mmap_write_lock(c->ctx->mm);
		mmap_write_unlock(c->ctx->mm);
		c->err = 0;
		break;
	case FILL:
		c->err = try_fill(c->ctx);
		break;
	case WAIT:
		c->err = map_changing_wait(c->event) ? 0 : -ENOENT;
		break;
	}
	return second_end(c);
}

/*
 * There is no assertion while a second task exists: it would free, and unwind, what that
 * one uses.  Without a task, which is a failure, these do nothing.
 */
static void second_create(struct kunit *test, struct second *c,
			  struct userfaultfd_ctx *ctx, enum act act)
{
	c->ctx = ctx;
	c->act = act;
	c->killed = false;
	c->err = 1;
	init_completion(&c->done);
	second_task(test, c, second_fn);
}

static void second_wake(struct second *c)
{
	if (c->task)
		wake_up_process(c->task);
}

static void second_kill(struct second *c)
{
	if (c->task)
		send_sig(SIGKILL, c->task, 1);
}

static bool second_done(struct second *c)
{
	return c->task && wait_for_completion_timeout(&c->done, DEADLINE);
}

static void second_stop(struct second *c)
{
	if (c->task)
		kthread_stop(c->task);
}

static void map_changing_fills_share(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));
	struct second c;

	second_create(test, &c, fill.ctx, FILL);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	map_changing_fill_end(&fill);
	second_stop(&c);
}

/* Start the second task, and see it wait for map_changing_lock. */
static void second_waits(struct kunit *test, struct second *c)
{
	struct rw_semaphore *lock = &c->ctx->map_changing_lock;
	unsigned long end = jiffies + DEADLINE;

	second_wake(c);
	while (c->task && !rwsem_is_contended(lock) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, rwsem_is_contended(lock));
	KUNIT_EXPECT_FALSE(test, completion_done(&c->done));
}

/* Start a change while a fill runs, and see it wait. */
static void change_blocked(struct kunit *test, struct second *c,
			   struct map_changing_fill *fill, enum act act)
{
	second_create(test, c, fill->ctx, act);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(fill), 0);
	second_waits(test, c);
	/* Not yet: the fill was admitted by a map without changes. */
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill->ctx));
}

/* Start a fill while a change begins, and see it wait. */
static void fill_blocked(struct kunit *test, struct second *c,
			 struct userfaultfd_ctx *ctx)
{
	second_create(test, c, ctx, FILL);
	down_write(&ctx->map_changing_lock);
	second_waits(test, c);
}

/* A fill that waits for a change to begin is then refused, or admitted, or killed. */
static void map_changing_fill_waits(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct second c;

	fill_blocked(test, &c, ctx);
	atomic_inc(&ctx->mmap_changing);
	up_write(&ctx->map_changing_lock);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EAGAIN);
	second_stop(&c);
	map_changing_end(ctx);

	/* The change was given up. */
	fill_blocked(test, &c, ctx);
	up_write(&ctx->map_changing_lock);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	second_stop(&c);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));

	fill_blocked(test, &c, ctx);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	up_write(&ctx->map_changing_lock);
	second_stop(&c);
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
}

static void map_changing_waits_for_fill(struct kunit *test)
{
	/* In yielding mode only a removal of what is validated does not. */
	static const struct {
		bool yield;
		enum act act;
	} waits[] = {
		{ false, BEGIN },
		{ false, REMOVAL },
		{ false, REMOVAL_VALIDATED },
		{ true, BEGIN },
		{ true, REMOVAL },
	};
	struct userfaultfd_ctx *ctxs[] = { new_ctx(test),
					   new_yielding_ctx(test) };
	struct second c;
	int i;

	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		struct userfaultfd_ctx *ctx = ctxs[waits[i].yield];
		struct map_changing_fill fill = new_fill(ctx);

		change_blocked(test, &c, &fill, waits[i].act);
		map_changing_fill_end(&fill);
		KUNIT_EXPECT_TRUE(test, second_done(&c));
		KUNIT_EXPECT_EQ(test, c.err, 0);
		KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
		map_changing_end(ctx);
		second_stop(&c);
		KUNIT_EXPECT_FALSE(test, map_changing_pending(ctx));
	}
}

static void map_changing_killed_waiter(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));
	struct second c;

	change_blocked(test, &c, &fill, REMOVAL);
	second_kill(&c);
	/* It goes although the fill still runs, and leaves no trace. */
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	KUNIT_EXPECT_EQ(test, gap(&fill, nothing), 0);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&fill.ctx->map_changing_lock));
	second_stop(&c);

	/* One that is killed already does not begin anything. */
	second_create(test, &c, fill.ctx, REMOVAL);
	c.killed = true;
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -EINTR);
	KUNIT_EXPECT_FALSE(test, map_changing_pending(fill.ctx));
	second_stop(&c);
}

/* A fill that others wait for lets them in, where every change is seen. */
static void map_changing_contended(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_yielding_ctx(test));
	struct vm_area_struct vma = {
		.vm_mm = fill.ctx->mm,
		.vm_userfaultfd_ctx.ctx = fill.ctx,
	};
	struct userfaultfd_ctx *ctx = fill.ctx, *other = new_ctx(test);
	struct second c;

	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	pause_fill(&fill, &vma);
	change_blocked(test, &c, &fill, REMOVAL);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_contended(&fill, &vma));
	ctx->features = UFFD_FEATURE_EVENT_UNMAP;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	ctx->features |= UFFD_FEATURE_EVENT_REMAP;
	vma.vm_userfaultfd_ctx.ctx = other;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	vma.vm_userfaultfd_ctx.ctx = ctx;
	fill.yield = false;
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	pause_fill(&fill, &vma);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	/* And then it must not go on. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), -EAGAIN);
	map_changing_end(ctx);
	second_stop(&c);
}

static void map_changing_mmap_contended(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_yielding_ctx(test));
	struct vm_area_struct vma = {
		.vm_mm = fill.ctx->mm,
		.vm_userfaultfd_ctx.ctx = fill.ctx,
	};
	unsigned long end = jiffies + DEADLINE;
	struct second c;

	second_create(test, &c, fill.ctx, MMAP_WRITE);
	mmap_read_lock(fill.ctx->mm);
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_fill_contended(&fill, &vma));
	second_wake(&c);
	while (c.task && !map_changing_fill_contended(&fill, &vma) &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, map_changing_fill_contended(&fill, &vma));
	pause_fill(&fill, &vma);
	mmap_read_unlock(fill.ctx->mm);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	/* Nothing of ours has changed: it goes on. */
	KUNIT_EXPECT_EQ(test, map_changing_fill_begin(&fill), 0);
	map_changing_fill_end(&fill);
	second_stop(&c);
}

/* Events */

static void event_init(struct map_changing_event *event,
		       struct userfaultfd_ctx *ctx, __u8 type)
{
	*event = (struct map_changing_event){
		.ctx = ctx,
		.msg.event = type,
	};
	map_changing_begin(ctx);
}

/* What read() does when the copy succeeds; the type, 0 for none. */
static int read_event(struct userfaultfd_ctx *ctx)
{
	struct map_changing_event *event;
	int type = 0;

	spin_lock_irq(&ctx->event_wqh.lock);
	event = map_changing_oldest(ctx);
	if (event) {
		type = event->msg.event;
		map_changing_ack(event);
	}
	spin_unlock_irq(&ctx->event_wqh.lock);
	return type;
}

/* Let a task wait for an event, and see it wait. */
static void wait_begins(struct kunit *test, struct second *c,
			struct map_changing_event *event)
{
	unsigned long end = jiffies + DEADLINE;

	second_create(test, c, event->ctx, WAIT);
	c->event = event;
	second_wake(c);
	/* Asked again and again: needs no barrier. */
	while (c->task && !waitqueue_active(&event->ctx->event_wqh) &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	/* Nor here. */
	KUNIT_EXPECT_TRUE(test, waitqueue_active(&event->ctx->event_wqh));
	KUNIT_EXPECT_FALSE(test, completion_done(&c->done));
}

static void map_changing_order(struct kunit *test)
{
	static const __u8 types[] = { UFFD_EVENT_UNMAP, UFFD_EVENT_REMAP,
				      UFFD_EVENT_REMOVE };
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event events[ARRAY_SIZE(types)];
	int i;

	KUNIT_EXPECT_FALSE(test, map_changing_readable(ctx));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		event_init(&events[i], ctx, types[i]);
		map_changing_post(&events[i]);
	}
	/* Read in the order in which they were posted, waited for or not. */
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		KUNIT_EXPECT_TRUE(test, map_changing_readable(ctx));
		KUNIT_EXPECT_EQ(test, changes(ctx), (int)ARRAY_SIZE(types) - i);
		KUNIT_EXPECT_EQ(test, try_fill(ctx), -EAGAIN);
		KUNIT_EXPECT_EQ(test, read_event(ctx), (int)types[i]);
	}
	/* The last read has ended the last change: nobody has run since. */
	KUNIT_EXPECT_EQ(test, try_fill(ctx), 0);
	KUNIT_EXPECT_FALSE(test, map_changing_readable(ctx));
	KUNIT_EXPECT_EQ(test, read_event(ctx), 0);
	for (i = ARRAY_SIZE(types) - 1; i >= 0; i--)
		KUNIT_EXPECT_TRUE(test, map_changing_wait(&events[i]));
	/* Each change ends once. */
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
}

/* Before the lock is taken a fill is refused only if there is something to read. */
static void map_changing_early_test(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event event;

	KUNIT_EXPECT_FALSE(test, map_changing_refuses(ctx));
	event_init(&event, ctx, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, map_changing_refuses(ctx));
	map_changing_post(&event);
	KUNIT_EXPECT_TRUE(test, map_changing_refuses(ctx));
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_FALSE(test, map_changing_refuses(ctx));
	KUNIT_EXPECT_TRUE(test, map_changing_wait(&event));
}

/* As read() asks, with room for so many bytes of a message. */
static int read_into(struct userfaultfd_ctx *ctx, struct uffd_msg *msg, size_t room,
		     struct map_changing_file *file)
{
	struct kvec vec = { .iov_base = msg, .iov_len = room };
	struct iov_iter to;
	int err;

	iov_iter_kvec(&to, READ, &vec, 1, room);
	local_irq_disable();
	err = map_changing_read(ctx, &to, file);
	local_irq_enable();
	if (iov_iter_count(&to) != room - (err ? 0 : sizeof(*msg)))
		return -EIO;
	return err;
}

/* What cannot be delivered keeps its place, and so does the reader's. */
static void map_changing_undelivered(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event unmap, fork;
	struct map_changing_file file = { };
	struct uffd_msg msg;
	int i;

	event_init(&fork, ctx, UFFD_EVENT_FORK);
	fork.child = new_ctx(test);
	map_changing_post(&fork);
	event_init(&unmap, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&unmap);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file),
				-ENFILE);
	file.err = -EMFILE;
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file),
				-EMFILE);
	KUNIT_EXPECT_FALSE(test, file.attached);
	KUNIT_EXPECT_EQ(test, changes(ctx), 2);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_FORK);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg) - 1, &file),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);
	memset(&msg, 0, sizeof(msg));
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), 0);
	KUNIT_EXPECT_EQ(test, (int)msg.event, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, map_changing_wait(&fork));
	KUNIT_EXPECT_TRUE(test, map_changing_wait(&unmap));
}

static void map_changing_wakes_waiter(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event event;
	struct second c;

	event_init(&event, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&event);
	wait_begins(test, &c, &event);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	second_stop(&c);
}

/* Two contexts: whoever reads the second first does not wait for the first. */
static void map_changing_two_contexts(struct kunit *test)
{
	struct userfaultfd_ctx *a = new_ctx(test), *b = new_ctx(test);
	struct map_changing_event event_a, event_b;
	struct second c;

	event_init(&event_a, a, UFFD_EVENT_UNMAP);
	event_init(&event_b, b, UFFD_EVENT_UNMAP);
	map_changing_post(&event_a);
	map_changing_post(&event_b);
	wait_begins(test, &c, &event_a);
	KUNIT_EXPECT_EQ(test, read_event(b), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, try_fill(b), 0);
	KUNIT_EXPECT_EQ(test, try_fill(a), -EAGAIN);
	KUNIT_EXPECT_EQ(test, read_event(a), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_TRUE(test, map_changing_wait(&event_b));
	second_stop(&c);
}

/* A task that is killed leaves its event, in its place. */
static void map_changing_killed_leaves_event(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event first, second, third;
	struct second c;

	event_init(&first, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&first);
	event_init(&second, ctx, UFFD_EVENT_REMAP);
	map_changing_post(&second);
	event_init(&third, ctx, UFFD_EVENT_REMOVE);
	map_changing_post(&third);
	wait_begins(test, &c, &second);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	/* It was on that task's stack. */
	memset(&second, 0xff, sizeof(second));
	KUNIT_EXPECT_EQ(test, changes(ctx), 3);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMAP);
	KUNIT_EXPECT_EQ(test, read_event(ctx), UFFD_EVENT_REMOVE);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	map_changing_wait(&first);
	map_changing_wait(&third);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	second_stop(&c);
}

/* There will be no child: that event is withdrawn. */
static void map_changing_killed_fork(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event event;
	struct second c;

	event_init(&event, ctx, UFFD_EVENT_FORK);
	event.child = new_ctx(test);
	map_changing_post(&event);
	wait_begins(test, &c, &event);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_FALSE(test, map_changing_readable(ctx));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	second_stop(&c);
}

/*
 * A task makes a change of this range and is killed before it can wait; what it
 * says.
 */
static int change_and_die(struct kunit *test, struct userfaultfd_ctx *ctx,
			  __u8 type, __u64 start, __u64 end)
{
	struct map_changing_event event;
	struct second c;

	event_init(&event, ctx, type);
	event.msg.arg.remove.start = start;
	event.msg.arg.remove.end = end;
	map_changing_post(&event);
	second_create(test, &c, ctx, WAIT);
	c.event = &event;
	c.killed = true;
	second_wake(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	second_stop(&c);
	return c.err;
}

/* The next event is of this kind and range. */
static void expect_event(struct kunit *test, struct userfaultfd_ctx *ctx,
			 __u8 type, __u64 start, __u64 end)
{
	struct map_changing_event *event;
	struct uffd_msg msg = { };

	spin_lock_irq(&ctx->event_wqh.lock);
	event = map_changing_oldest(ctx);
	if (event) {
		msg = event->msg;
		map_changing_ack(event);
	}
	spin_unlock_irq(&ctx->event_wqh.lock);
	KUNIT_EXPECT_EQ(test, msg.event, type);
	KUNIT_EXPECT_EQ(test, msg.arg.remove.start, start);
	KUNIT_EXPECT_EQ(test, msg.arg.remove.end, end);
}

/*
 * Events of killed tasks become one where they touch, and nothing stands
 * between.
 */
static void map_changing_left_merge(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event alive;
	static const struct {
		__u8 type;
		__u64 start, end;
		int changes;	/* afterwards */
	} steps[] = {
		{ UFFD_EVENT_UNMAP, 20, 30, 1 },
		{ UFFD_EVENT_UNMAP, 30, 40, 1 },	/* behind it */
		{ UFFD_EVENT_UNMAP, 10, 20, 1 },	/* before it */
		{ UFFD_EVENT_UNMAP, 15, 25, 1 },	/* within it */
		{ UFFD_EVENT_UNMAP, 41, 50, 2 },	/* there is a gap */
		{ UFFD_EVENT_REMOVE, 50, 60, 3 },	/* another kind */
		{ UFFD_EVENT_REMOVE, 40, 60, 3 },	/* around it */
		{ UFFD_EVENT_REMAP, 60, 70, 4 },	/* not a range */
		{ UFFD_EVENT_REMAP, 60, 70, 5 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, steps[i].type,
					       steps[i].start, steps[i].end),
				0);
		KUNIT_EXPECT_EQ(test, changes(ctx), steps[i].changes);
		KUNIT_EXPECT_EQ(test, ctx->events_left,
				(unsigned int)steps[i].changes);
	}
	/* The event of one who waits is left alone, and is not passed by. */
	event_init(&alive, ctx, UFFD_EVENT_UNMAP);
	alive.msg.arg.remove.start = 80;
	alive.msg.arg.remove.end = 90;
	map_changing_post(&alive);
	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 90, 100);
	change_and_die(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	KUNIT_EXPECT_EQ(test, changes(ctx), 8);

	expect_event(test, ctx, UFFD_EVENT_UNMAP, 10, 40);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 41, 50);
	expect_event(test, ctx, UFFD_EVENT_REMOVE, 40, 60);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 80, 90);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 90, 100);
	expect_event(test, ctx, UFFD_EVENT_REMAP, 60, 70);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_left, 0U);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, 0UL);
	KUNIT_EXPECT_TRUE(test, map_changing_wait(&alive));
}

/* One that is killed before its successor: into the event behind it. */
static void map_changing_left_merge_next(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event first;
	struct second c;

	event_init(&first, ctx, UFFD_EVENT_UNMAP);
	first.msg.arg.remove.start = 10;
	first.msg.arg.remove.end = 20;
	map_changing_post(&first);
	wait_begins(test, &c, &first);
	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 20, 30);
	KUNIT_EXPECT_EQ(test, changes(ctx), 2);
	second_kill(&c);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 10, 30);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	second_stop(&c);
}

/*
 * There are never more of them than so many, and those that are lost are
 * counted.
 */
static void map_changing_left_bound(struct kunit *test)
{
	const int more = 3;
	struct userfaultfd_ctx *ctx = new_ctx(test);
	int i;

	for (i = 0; i < MAP_CHANGING_LEFT_MAX + more; i++) {
		bool kept = i < MAP_CHANGING_LEFT_MAX;

		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, UFFD_EVENT_UNMAP,
					       2 * i, 2 * i + 1),
				kept ? 0 : -ENOENT);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), MAP_CHANGING_LEFT_MAX);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more);
	/* What another event tells as well needs no room. */
	i = 2 * MAP_CHANGING_LEFT_MAX;
	KUNIT_EXPECT_EQ(test,
			change_and_die(test, ctx, UFFD_EVENT_UNMAP, i - 1, i),
			0);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more);
	/* A read makes room for one. */
	expect_event(test, ctx, UFFD_EVENT_UNMAP, 0, 1);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test,
				change_and_die(test, ctx, UFFD_EVENT_REMOVE,
					       4 * i, 4 * i + 1),
				i ? -ENOENT : 0);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, (unsigned long)more + 1);
	KUNIT_EXPECT_EQ(test, changes(ctx), MAP_CHANGING_LEFT_MAX);
	WRITE_ONCE(ctx->released, true);
	map_changing_release(ctx);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_left, 0U);
}

/* Nobody is told of what the dead have done, nor refused because of it. */
static void map_changing_dead_mm(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_file file = { };
	struct uffd_msg msg;

	change_and_die(test, ctx, UFFD_EVENT_UNMAP, 0, 1);
	change_and_die(test, ctx, UFFD_EVENT_REMAP, 0, 1);
	KUNIT_EXPECT_TRUE(test, map_changing_readable(ctx));
	KUNIT_EXPECT_TRUE(test, map_changing_refuses(ctx));
	atomic_set(&ctx->mm->mm_users, 0);
	KUNIT_EXPECT_FALSE(test, map_changing_readable(ctx));
	KUNIT_EXPECT_FALSE(test, map_changing_refuses(ctx));
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), -EAGAIN);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx->events_left, 0U);
	KUNIT_EXPECT_EQ(test, ctx->events_lost, 0UL);
	KUNIT_EXPECT_TRUE(test, list_empty(&ctx->events));
}

/* The mode is permitted by the sysctl, and fixed by the features. */
static void map_changing_mode(struct kunit *test)
{
	const int was = READ_ONCE(sysctl_userfaultfd_yield);
	struct userfaultfd_ctx *ctx = new_ctx(test);

	ctx->features = 0;
	WRITE_ONCE(sysctl_userfaultfd_yield, 0);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EPERM);
	KUNIT_EXPECT_FALSE(test, ctx->map_changing_yield);
	WRITE_ONCE(sysctl_userfaultfd_yield, 1);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), 0);
	KUNIT_EXPECT_TRUE(test, ctx->map_changing_yield);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), 0);
	ctx->features = UFFD_FEATURE_EVENT_UNMAP;
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EBUSY);
	KUNIT_EXPECT_TRUE(test, ctx->map_changing_yield);
	ctx = new_ctx(test);
	KUNIT_EXPECT_EQ(test, map_changing_set_yield(ctx), -EBUSY);
	KUNIT_EXPECT_FALSE(test, ctx->map_changing_yield);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&ctx->map_changing_lock));
	WRITE_ONCE(sysctl_userfaultfd_yield, was);
}

static void map_changing_closed(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_ctx(test);
	struct map_changing_event before, killed, after;
	struct second c, k;

	event_init(&killed, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&killed);
	wait_begins(test, &k, &killed);
	second_kill(&k);
	KUNIT_EXPECT_TRUE(test, second_done(&k));
	event_init(&before, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&before);
	wait_begins(test, &c, &before);
	WRITE_ONCE(ctx->released, true);
	map_changing_release(ctx);
	KUNIT_EXPECT_TRUE(test, second_done(&c));
	KUNIT_EXPECT_EQ(test, c.err, -ENOENT);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	/* Nobody waits for a reader that will not come. */
	event_init(&after, ctx, UFFD_EVENT_UNMAP);
	map_changing_post(&after);
	KUNIT_EXPECT_FALSE(test, map_changing_readable(ctx));
	KUNIT_EXPECT_FALSE(test, map_changing_wait(&after));
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	second_stop(&c);
	second_stop(&k);
}

/* Many changes, one reader, fills all the time: nothing is lost or left. */
#define STRESS_TASKS	4
#define STRESS_EVENTS	250

static int stress_fn(void *data)
{
	struct second *c = data;
	int i;

	for (i = 0; i < STRESS_EVENTS; i++) {
		struct map_changing_event event;

		event_init(&event, c->ctx, UFFD_EVENT_UNMAP);
		/* Per task, in order. */
		event.msg.arg.remove.start = c->act;
		event.msg.arg.remove.end = i;
		map_changing_post(&event);
		if (!map_changing_wait(&event))
			c->err = -ENOENT;
	}
	return second_end(c);
}

static void map_changing_stress(struct kunit *test)
{
	struct map_changing_fill fill = new_fill(new_ctx(test));
	struct userfaultfd_ctx *ctx = fill.ctx;
	unsigned long end = jiffies + DEADLINE;
	struct second c[STRESS_TASKS] = { };
	int next[STRESS_TASKS] = { };
	int i, want = 0, got = 0, misordered = 0, wrong = 0;

	for (i = 0; i < STRESS_TASKS; i++) {
		c[i].ctx = ctx;
		c[i].act = i;
		init_completion(&c[i].done);
		second_task(test, &c[i], stress_fn);
		second_wake(&c[i]);
		want += c[i].task ? STRESS_EVENTS : 0;
	}
	while (got < want && time_before(jiffies, end)) {
		struct map_changing_event *event;

		/* Events are queued after their changes have begun. */
		fill = new_fill(ctx);
		if (!map_changing_fill_begin(&fill)) {
			wrong += map_changing_readable(ctx);
			map_changing_fill_end(&fill);
		}
		spin_lock_irq(&ctx->event_wqh.lock);
		event = map_changing_oldest(ctx);
		if (event) {
			i = event->msg.arg.remove.start;
			misordered += event->msg.arg.remove.end != next[i]++;
			map_changing_ack(event);
			got++;
		}
		spin_unlock_irq(&ctx->event_wqh.lock);
		if (!event)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, got, STRESS_TASKS * STRESS_EVENTS);
	KUNIT_EXPECT_EQ(test, misordered, 0);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (i = 0; i < STRESS_TASKS; i++) {
		KUNIT_EXPECT_TRUE(test, second_done(&c[i]));
		KUNIT_EXPECT_EQ(test, c[i].err, 0);
		second_stop(&c[i]);
	}
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&ctx->map_changing_gen),
			(long)STRESS_TASKS * STRESS_EVENTS);
}

static struct kunit_case map_changing_cases[] = {
	KUNIT_CASE(map_changing_admits_at_rest),
	KUNIT_CASE(map_changing_refuses_while_pending),
	KUNIT_CASE(map_changing_counts),
	KUNIT_CASE(map_changing_sees_whole_change),
	KUNIT_CASE(map_changing_sees_unregister),
	KUNIT_CASE(map_changing_validates_page),
	KUNIT_CASE(map_changing_knows_mapping),
	KUNIT_CASE(map_changing_fills_share),
	KUNIT_CASE(map_changing_fill_waits),
	KUNIT_CASE(map_changing_waits_for_fill),
	KUNIT_CASE(map_changing_killed_waiter),
	KUNIT_CASE(map_changing_contended),
	KUNIT_CASE(map_changing_mmap_contended),
	KUNIT_CASE(map_changing_order),
	KUNIT_CASE(map_changing_early_test),
	KUNIT_CASE(map_changing_undelivered),
	KUNIT_CASE(map_changing_wakes_waiter),
	KUNIT_CASE(map_changing_two_contexts),
	KUNIT_CASE(map_changing_killed_leaves_event),
	KUNIT_CASE(map_changing_killed_fork),
	KUNIT_CASE(map_changing_left_merge),
	KUNIT_CASE(map_changing_left_merge_next),
	KUNIT_CASE(map_changing_left_bound),
	KUNIT_CASE(map_changing_dead_mm),
	KUNIT_CASE(map_changing_mode),
	KUNIT_CASE(map_changing_closed),
	KUNIT_CASE(map_changing_stress),
	{}
};

static struct kunit_suite map_changing_suite = {
	.name = "map_changing",
	.test_cases = map_changing_cases,
};

kunit_test_suite(map_changing_suite);
