/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MAP_CHANGING_H
#define _LINUX_MAP_CHANGING_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>
#include <linux/userfaultfd_k.h>

struct file;
struct iov_iter;
struct seq_file;

#ifdef CONFIG_USERFAULTFD

/**
 * enum map_changing_state - where an event is on its way to the monitor
 * @MAP_CHANGING_NEW: not queued yet
 * @MAP_CHANGING_QUEUED: in the events of its context
 * @MAP_CHANGING_READ: the monitor has it
 * @MAP_CHANGING_LEFT: its task was killed, a copy or a longer event is queued
 * @MAP_CHANGING_DROPPED: nobody will read it
 */
enum map_changing_state {
	MAP_CHANGING_NEW,
	MAP_CHANGING_QUEUED,
	MAP_CHANGING_READ,
	MAP_CHANGING_LEFT,
	MAP_CHANGING_DROPPED,
};

/**
 * struct map_changing_event - what a monitor is told of one change
 * @ctx: its context; whoever made the event has a reference
 * @child: context that comes with a fork; NULL for other events
 * @queue: in the events of @ctx while queued
 * @msg: for the reader; once queued, W: event_wqh.lock of @ctx
 * @state: see above.  W: event_wqh.lock of @ctx, once queued
 * @ended: the reader has ended the change
 * @left: belongs to @ctx: whoever takes it out of the queue frees it
 */
struct map_changing_event {
	struct userfaultfd_ctx *ctx;
	struct userfaultfd_ctx *child;
	struct list_head queue;
	struct uffd_msg msg;
	enum map_changing_state state;
	bool ended;
	bool left;
};

/* So many events of killed tasks wait to be read, in each context. */
#define MAP_CHANGING_LEFT_MAX	64

/**
 * struct map_changing_file - what a reader brings along for a fork
 * @file: a file without a context, NULL for none
 * @fd: a number that is reserved for it
 * @err: why there can be no file
 * @attached: the file has got its context, and must be installed
 */
struct map_changing_file {
	struct file *file;
	int fd;
	int err;
	bool attached;
};

/**
 * struct map_changing_fill - one fill, from its first page to its last
 * @ctx: context of the monitor that fills
 * @paused: the fill has dropped its locks at least once
 * @yield: map_changing_yield of @ctx, once the fill was admitted
 * @gen: map_changing_gen when it was
 * @vma_ctx: once paused: context of the mapping that is filled
 * @vm_ops: with @vm_flags: the kind of that mapping
 * @vm_flags: some of which make up the kind
 */
struct map_changing_fill {
	struct userfaultfd_ctx *ctx;
	bool paused;
	bool yield;
	unsigned long gen;
	struct userfaultfd_ctx *vma_ctx;
	const void *vm_ops;
	unsigned long vm_flags;
};

extern int sysctl_userfaultfd_yield;

void map_changing_init(struct userfaultfd_ctx *ctx,
		       const struct userfaultfd_ctx *parent);
int map_changing_set_yield(struct userfaultfd_ctx *ctx);
void map_changing_begin(struct userfaultfd_ctx *ctx);
int map_changing_begin_removal(struct userfaultfd_ctx *ctx, bool validated);
void map_changing_end(struct userfaultfd_ctx *ctx);
void map_changing_destroy(struct userfaultfd_ctx *ctx);
void map_changing_invalidate(struct userfaultfd_ctx *ctx);

int __map_changing_fill_begin(struct map_changing_fill *fill);
int __map_changing_fill_vma(const struct map_changing_fill *fill,
			    const struct vm_area_struct *vma);
bool __map_changing_fill_valid(const struct map_changing_fill *fill);
bool __map_changing_fill_contended(const struct map_changing_fill *fill,
				   const struct vm_area_struct *vma);
void map_changing_fill_note(struct map_changing_fill *fill,
			    const struct vm_area_struct *vma);

void map_changing_post(struct map_changing_event *event);
bool map_changing_wait(struct map_changing_event *event);
struct map_changing_event *map_changing_oldest(struct userfaultfd_ctx *ctx);
void map_changing_ack(struct map_changing_event *event);
int map_changing_read(struct userfaultfd_ctx *ctx, struct iov_iter *to,
		      struct map_changing_file *file);
bool map_changing_readable(struct userfaultfd_ctx *ctx);
bool __map_changing_refuses(struct userfaultfd_ctx *ctx);
void map_changing_release(struct userfaultfd_ctx *ctx);
void map_changing_show(struct seq_file *m, struct userfaultfd_ctx *ctx);

/**
 * map_changing_pending() - has a change begun of which the monitor has not read?
 * @ctx: the userfaultfd context
 *
 * Context: any.
 * Return: an answer that is no more than a hint, unless map_changing_lock is held:
 * then none begins, but for removals in yielding mode.
 */
static inline bool map_changing_pending(const struct userfaultfd_ctx *ctx)
{
	return atomic_read(&ctx->mmap_changing);
}

/**
 * map_changing_refuses() - will a fill be refused, so that it need not try?
 * @ctx: the userfaultfd context
 *
 * From the beginning of a change, though its event may not be readable yet: the task
 * that makes it can hold mmap_lock for long, and a monitor is not to wait for that.
 *
 * Context: any.
 * Return: true if a fill that comes now fails with -EAGAIN; false also if it fails
 * with -ESRCH, since the mm has no users any more.
 */
static inline bool map_changing_refuses(struct userfaultfd_ctx *ctx)
{
	return unlikely(map_changing_pending(ctx)) &&
	       __map_changing_refuses(ctx);
}

/**
 * map_changing_fill_init() - a fill that has not begun
 * @fill: to be set up; only what is read before the fill is admitted or paused
 * @ctx: context of the monitor that fills
 */
static inline void map_changing_fill_init(struct map_changing_fill *fill,
					  struct userfaultfd_ctx *ctx)
{
	fill->ctx = ctx;
	fill->paused = false;
}

/* map_changing_lock is held for reading, and this is the first time. */
static inline bool map_changing_fill_admit(struct map_changing_fill *fill)
{
	struct userfaultfd_ctx *ctx = fill->ctx;

	fill->yield = ctx->map_changing_yield;
	fill->gen = atomic_long_read(&ctx->map_changing_gen);
	/* [F1] before [F2] in mm/map_changing.c.  Pairs with map_changing_raise(). */
	smp_rmb();
	return !map_changing_pending(ctx);
}

/**
 * map_changing_fill_begin() - may pages be installed now?
 * @fill: the fill: at its begin, and again after each gap in it
 *
 * A page is filled in some two thousand instructions, so the usual case is inline:
 * no change holds the lock or waits for it, and it is the first time.
 *
 * Context: process context, sleeps.  The mmap_lock of fill->ctx->mm is held for
 * reading and stays so until map_changing_fill_end().
 * Return: 0 and map_changing_lock is held for reading; or it is not, and
 * -EAGAIN: a change is pending, or came between: the monitor has to read its
 * events first; -EINTR: killed while waiting for a change to begin.
 */
static inline int map_changing_fill_begin(struct map_changing_fill *fill)
{
	struct rw_semaphore *lock = &fill->ctx->map_changing_lock;

	/* A trylock alone would hide the order of the locks from lockdep. */
	might_lock_read(lock);
	if (unlikely(fill->paused) || unlikely(!down_read_trylock(lock)))
		return __map_changing_fill_begin(fill);
	if (likely(map_changing_fill_admit(fill)))
		return 0;
	up_read(lock);
	return -EAGAIN;
}

/**
 * map_changing_fill_end() - no more pages
 * @fill: a fill for which map_changing_fill_begin() returned 0
 *
 * Context: process context.
 */
static inline void map_changing_fill_end(const struct map_changing_fill *fill)
{
	up_read(&fill->ctx->map_changing_lock);
}

/**
 * map_changing_fill_vma() - is this still the mapping that was filled before?
 * @fill: a fill, admitted
 * @vma: where it goes on
 *
 * A monitor without events is not told that a mapping was replaced.  A fill does not
 * go on in one of another context, or of another kind: the page that it brings along
 * would not fit.
 *
 * Context: the mmap_lock of @vma is held.
 * Return: 0, or -EAGAIN.
 */
static inline int map_changing_fill_vma(const struct map_changing_fill *fill,
					const struct vm_area_struct *vma)
{
	return unlikely(fill->paused) ? __map_changing_fill_vma(fill, vma) : 0;
}

/**
 * map_changing_fill_valid() - may this page be installed?
 * @fill: a fill, admitted
 *
 * For the yielding mode.  In the default mode nothing can have changed, since the
 * fill holds map_changing_lock.
 *
 * Context: any, but the answer counts only if the lock of the page table that gets
 * the page is held, and was taken after the page table, and the page in the page cache,
 * were visible to others.
 * Return: true, or false if the fill has to end with -EAGAIN.
 */
static inline bool
map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return !fill->yield || __map_changing_fill_valid(fill);
}

/**
 * map_changing_fill_contended() - shall this fill let others in?
 * @fill: a fill, admitted, that has installed at least one page since
 * @vma: the mapping that is filled
 *
 * If so it calls map_changing_fill_note(), drops its locks and begins again.
 *
 * Context: the locks of the fill are held.
 * Return: true if somebody waits for one of them, in yielding mode, and the fill will
 * see it if another mapping takes the place of this one.
 */
static inline bool
map_changing_fill_contended(const struct map_changing_fill *fill,
			    const struct vm_area_struct *vma)
{
	return fill->yield && __map_changing_fill_contended(fill, vma);
}

#else /* !CONFIG_USERFAULTFD */

/* So that a caller can have one on its stack. */
struct map_changing_event { };
struct map_changing_fill;

static inline bool
map_changing_fill_valid(const struct map_changing_fill *fill)
{
	return true;
}

#endif /* CONFIG_USERFAULTFD */

#endif /* _LINUX_MAP_CHANGING_H */
