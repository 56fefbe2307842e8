// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/uffd_event_read.c: how events get to the memory of a
 * reader.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uffd_event.h>
#include <linux/uffd_event_read.h>
#include <linux/uio.h>
#include <linux/userfaultfd_ctx.h>

#include "map_changing_test.h"
#include "uffd_event_test.h"

/*
 * As read() asks, with room for so many bytes of a message.  Return: as
 * uffd_event_read(), or -EIO if @to was not advanced by a message, or by
 * nothing.
 */
static int read_into(struct userfaultfd_ctx *ctx, struct uffd_msg *msg, size_t room,
		     struct uffd_event_file *file)
{
	struct kvec vec = { .iov_base = msg, .iov_len = room };
	struct iov_iter to;
	int err;

	iov_iter_kvec(&to, READ, &vec, 1, room);
	spin_lock_irq(&ctx->fd_wqh.lock);
	err = uffd_event_read(ctx, &to, file);
	spin_unlock_irq(&ctx->fd_wqh.lock);
	if (iov_iter_count(&to) != room - (err ? 0 : sizeof(*msg)))
		return -EIO;
	return err;
}

static void event_post_fork(struct uffd_event *event, struct userfaultfd_ctx *ctx,
			    struct userfaultfd_ctx *child)
{
	event_begin(event, ctx, UFFD_EVENT_FORK);
	event->child = child;
	uffd_event_post(event);
}

/* The reader gets what the event says, and nothing else. */
static void uffd_event_read_message(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event_file file = { };
	struct uffd_msg msg, want = { };
	struct uffd_event event;

	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), -EAGAIN);
	/* The memory of the event is not clean before. */
	memset(&event, 0xa5, sizeof(event));
	memset(&msg, 0xa5, sizeof(msg));
	event_post_range(&event, ctx, UFFD_EVENT_REMOVE, 0x1000, 0x3000);
	want.event = UFFD_EVENT_REMOVE;
	want.arg.remove.start = 0x1000;
	want.arg.remove.end = 0x3000;
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&msg, &want, sizeof(msg)), 0);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&event));
}

/*
 * An event that cannot be delivered keeps its place, and the iterator of the
 * reader is where it was.
 */
static void uffd_event_read_undelivered(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct uffd_event_file file = { };
	struct uffd_event fork, unmap;
	struct uffd_msg msg;
	int i;

	event_post_fork(&fork, ctx, new_event_ctx(test));
	event_post(&unmap, ctx, UFFD_EVENT_UNMAP);
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
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg) - 1, &file), -EFAULT);
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);
	memset(&msg, 0, sizeof(msg));
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), 0);
	KUNIT_EXPECT_EQ(test, (int)msg.event, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&fork));
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&unmap));
}

/*
 * A file gets the context of the child when the reader has the message, and by
 * no other event.
 */
static void uffd_event_read_fork(struct kunit *test)
{
	struct userfaultfd_ctx *ctx = new_event_ctx(test);
	struct userfaultfd_ctx *child = new_event_ctx(test);
	struct file *made = kunit_kzalloc(test, sizeof(*made), GFP_KERNEL);
	struct uffd_event_file file = { .file = made, .fd = 7 };
	struct uffd_msg msg, want = { };
	struct uffd_event unmap, fork;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, made);
	event_post(&unmap, ctx, UFFD_EVENT_UNMAP);
	event_post_fork(&fork, ctx, child);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), 0);
	KUNIT_EXPECT_EQ(test, (int)msg.event, UFFD_EVENT_UNMAP);
	KUNIT_EXPECT_FALSE(test, file.attached);
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg) - 1, &file), -EFAULT);
	KUNIT_EXPECT_FALSE(test, file.attached);
	KUNIT_EXPECT_TRUE(test, !made->private_data);
	KUNIT_EXPECT_EQ(test, changes(ctx), 1);

	memset(&msg, 0xa5, sizeof(msg));
	want.event = UFFD_EVENT_FORK;
	want.arg.fork.ufd = 7;
	KUNIT_EXPECT_EQ(test, read_into(ctx, &msg, sizeof(msg), &file), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&msg, &want, sizeof(msg)), 0);
	KUNIT_EXPECT_TRUE(test, file.attached);
	KUNIT_EXPECT_PTR_EQ(test, made->private_data, (void *)child);
	KUNIT_EXPECT_EQ(test, changes(ctx), 0);
	/* The file takes over the reference that the task had. */
	KUNIT_EXPECT_EQ(test, refs(child), 0);
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&unmap));
	KUNIT_EXPECT_TRUE(test, uffd_event_wait(&fork));
}

static struct kunit_case uffd_event_read_cases[] = {
	KUNIT_CASE(uffd_event_read_message),
	KUNIT_CASE(uffd_event_read_undelivered),
	KUNIT_CASE(uffd_event_read_fork),
	{}
};

static struct kunit_suite uffd_event_read_suite = {
	.name = "uffd_event_read",
	.test_cases = uffd_event_read_cases,
};

kunit_test_suite(uffd_event_read_suite);
