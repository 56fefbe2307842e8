// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_mremap.h"

#define PAGES	4
#define GROWN	8

static struct monitored m;

static bool take(struct uffd_msg *msg)
{
	if (!event_readable(m.uffd, 0))
		return false;
	if (read(m.uffd, msg, sizeof(*msg)) == sizeof(*msg))
		return true;
	/* A fault may be gone by the time of the read. */
	if (errno != EAGAIN)
		race_broken("read: %s", strerror(errno));
	return false;
}

static void prepare(const char *src)
{
	int i, err;

	/* All pages are present, so mlock() does not wait for the monitor. */
	for (i = 0; i < PAGES; i++) {
		err = fill(m.uffd, m.area + i * page_size(), src, page_size(),
			   NULL);
		if (err)
			race_broken("fill: %s", strerror(err));
	}
	actor_call(&m.actor, 0, SYS_mlock, (long)m.area, PAGES * page_size());
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret)
		race_broken("mlock: %s", strerror(m.actor.call[0].err));
}

/* The mapping has moved, as the monitor was told, and is complete. */
static void check_moved(const struct call *call, const struct uffd_msg *remap)
{
	size_t len = PAGES * page_size(), i;

	if (call->ret == -1 || call->ret == (long)m.area)
		race_broken("mremap did not move: %s", strerror(call->err));
	if (remap->event != UFFD_EVENT_REMAP ||
	    remap->arg.remap.to != (uint64_t)call->ret ||
	    remap->arg.remap.len != len)
		race_broken("mremap moved without the right event");
	for (i = 0; i < GROWN; i++)
		if (!page_exists(m.actor.pid, (char *)call->ret +
				 i * page_size()))
			race_broken("page %zu of a locked mapping is missing", i);
}

/**
 * mremap_locked() - move and grow a locked mapping, and serve its new tail
 * @o: filled in with what its monitor has seen
 *
 * Pure user space: a mapping behind the locked one makes it move.
 */
void mremap_locked(struct grow_locked *o)
{
	struct uffd_msg msg, remap = { }, fault = { };
	struct call *call;
	char *src, *at;
	int err;

	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	monitored_start(&m, PAGES, UFFD_FEATURE_EVENT_REMAP);
	prepare(src);

	call = &m.actor.call[0];
	actor_call(&m.actor, 0, SYS_mremap, (long)m.area, PAGES * page_size(),
		   GROWN * page_size(), MREMAP_MAYMOVE);
	if (!actor_blocked(&m.actor, 0))
		race_broken("mremap waits for nobody");
	race_control_open();
	do {
		while (take(&msg)) {
			if (msg.event == UFFD_EVENT_REMAP) {
				remap = msg;
			} else if (msg.event == UFFD_EVENT_PAGEFAULT) {
				fault = msg;
				o->tail_first |= !remap.event;
			} else {
				race_broken("event %#x", msg.event);
			}
		}
		if (!fault.event)
			continue;
		at = (char *)(uintptr_t)fault.arg.pagefault.address;
		err = fill_or_event(m.uffd, at, src);
		if (!err)
			fault.event = 0;
		else if (err != EAGAIN)
			race_broken("fill of the tail: %s", strerror(err));
		else
			o->refused = !event_readable(m.uffd, 0);
	} while (!o->refused && !actor_is_done(&m.actor, 0) && race_look_again());

	if (!o->refused) {
		actor_done(&m.actor, 0);
		check_moved(call, &remap);
	}
	monitored_stop(&m);
	ksft_print_msg("fault of the tail before REMAP: %d, refused for ever: %d\n",
		       o->tail_first, o->refused);
}
