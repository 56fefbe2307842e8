// SPDX-License-Identifier: GPL-2.0
/*
 * What a read() of a userfaultfd returns, and what stays when it fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

#define ROUNDS	50

/* As many as there is room for, the oldest first. */
static void read_several(void)
{
	struct uffd_msg msg[3];

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	pend(&m.actor, 1, UFFD_EVENT_REMOVE);
	check(read(m.uffd, msg, sizeof(msg[0]) - 1) == -1 && errno == EINVAL);
	check(changing() == 2);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(is_range(&msg[0], UFFD_EVENT_UNMAP, page(PAGES - 1),
		       page_size()));
	check(is_range(&msg[1], UFFD_EVENT_REMOVE, page(0), page_size()));
	check(changing() == 0);
	check(read_one(&msg[0]) == -1 && errno == EAGAIN);
	returned(0);
	returned(1);
	monitored_stop(&m);
}

/* An event goes to one of those who read at the same time. */
static void read_by_two(void)
{
	struct uffd_msg *msg = shared_alloc(2 * sizeof(*msg));
	struct actor reader[2];
	int i, round, got;

	monitored_start(&m, PAGES, EVENTS);
	for (i = 0; i < 2; i++)
		actor_start(&reader[i], NULL, NULL);
	for (round = 0; round < ROUNDS && check_ok; round++) {
		bool forks = round % 5 == 4;

		pend(&m.actor, 0, forks ? UFFD_EVENT_FORK : UFFD_EVENT_REMOVE);
		for (i = 0; i < 2; i++)
			actor_call(&reader[i], 0, SYS_read, m.uffd,
				   (long)&msg[i], sizeof(*msg));
		for (got = 0, i = 0; i < 2; i++) {
			struct call *call = &reader[i].call[0];

			actor_done(&reader[i], 0);
			check(call->ret == sizeof(*msg) ||
			      (call->ret == -1 && call->err == EAGAIN));
			got += call->ret == sizeof(*msg);
		}
		check(got == 1);
		check(changing() == 0 && !event_readable(m.uffd, 0));
		if (forks)
			kill(returned(0), SIGKILL);
		else
			returned(0);
	}
	for (i = 0; i < 2; i++)
		actor_stop(&reader[i]);
	monitored_stop(&m);
}

/*
 * Without a free descriptor the event of a fork and all behind it stay queued.
 */
static void fork_without_room(void)
{
	struct rlimit old, none;
	struct uffd_msg msg[3];
	size_t descriptors;

	monitored_start(&m, PAGES, EVENTS);
	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	pend(&m.actor, 1, UFFD_EVENT_FORK);
	descriptors = open_descriptors();
	check(!getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 0;
	check(!setrlimit(RLIMIT_NOFILE, &none));
	check(read(m.uffd, msg, sizeof(msg)) == sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_REMOVE);
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(!setrlimit(RLIMIT_NOFILE, &old));
	returned(0);
	check(changing() == 1 && fill_page(1) == EAGAIN);
	check(open_descriptors() == descriptors);

	pend(&m.actor, 0, UFFD_EVENT_UNMAP);
	check(!setrlimit(RLIMIT_NOFILE, &none));
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(read(m.uffd, msg, sizeof(msg)) == -1 && errno == EMFILE);
	check(!setrlimit(RLIMIT_NOFILE, &old));
	check(changing() == 2 && open_descriptors() == descriptors);
	check(read(m.uffd, msg, sizeof(msg)) == 2 * sizeof(msg[0]));
	check(msg[0].event == UFFD_EVENT_FORK);
	check(msg[1].event == UFFD_EVENT_UNMAP);
	check(open_descriptors() == descriptors + 1);
	close(msg[0].arg.fork.ufd);
	returned(0);
	kill(returned(1), SIGKILL);
	monitored_stop(&m);
}

/* A fault whose message could not be copied to the monitor is read again. */
static void fault_is_kept(void)
{
	char *bad = mmap(NULL, page_size(), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffd_msg msg;

	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_getrandom, (long)page(1), 1, 0);
	if (!event_readable(m.uffd, race_time_left()))
		race_broken("no page fault");
	check(read_one((void *)bad) == -1 && errno == EFAULT);
	check(event_readable(m.uffd, 0));
	check(read_one(&msg) == sizeof(msg));
	check(msg.event == UFFD_EVENT_PAGEFAULT);
	check(msg.arg.pagefault.address == (uintptr_t)page(1));
	check(read_one(&msg) == -1 && errno == EAGAIN);
	check(!fill_page(1));
	check(returned(0) == 1);
	monitored_stop(&m);
	munmap(bad, page_size());
}

/* A process that reads into memory that a userfaultfd of its own monitors. */
struct reader {
	int uffd;
	char *buf;
	int err;
};

static void reader_init(void *arg)
{
	struct reader *r = arg;

	r->uffd = uffd_open(0);
	r->buf = r->uffd < 0 ? NULL : uffd_area(r->uffd, page_size());
	r->err = r->buf ? 0 : errno;
}

/* The lowest descriptor that is free in an actor. */
static long lowest_free(struct actor *a)
{
	long fd;

	actor_call(a, 1, SYS_dup, 0);
	actor_done(a, 1);
	fd = a->call[1].ret;
	check(fd >= 0);
	actor_call(a, 1, SYS_close, fd);
	actor_done(a, 1);
	return fd;
}

/*
 * A reader that sleeps must give up the descriptor for a fork that was killed.
 */
static void fork_file_is_dropped(void)
{
	struct reader *r = shared_alloc(sizeof(*r));
	int flags, served, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct actor reader;
	long lowest;

	/* Descriptor 0 must be open in all actors. */
	if (null < 0 || dup2(null, 0))
		race_broken("/dev/null: %s", strerror(errno));
	close(null);
	monitored_start_twin(&m, PAGES, EVENTS);
	actor_start(&reader, reader_init, r);
	if (r->err)
		race_broken("userfaultfd: %s", strerror(r->err));
	served = actor_fd(&reader, r->uffd);
	lowest = lowest_free(&reader);
	pend(&m.twin, 0, UFFD_EVENT_FORK);
	flags = fcntl(m.uffd, F_GETFL);
	check(!fcntl(m.uffd, F_SETFL, flags & ~O_NONBLOCK));

	actor_call(&reader, 0, SYS_read, m.uffd, (long)r->buf,
		   sizeof(struct uffd_msg));
	event_read(served, UFFD_EVENT_PAGEFAULT, NULL);
	/* It sleeps in the fault of its buffer. */
	check(lowest_free(&reader) == lowest);
	twin_kill(&m);
	check(!fill(served, r->buf, src, page_size(), NULL));
	/*
	 * The fill has woken it, and now it sleeps in read(), since there is no
	 * event.
	 */
	if (!actor_sleeps(&reader, 0))
		race_broken("read: %s", strerror(reader.call[0].err));
	check(lowest_free(&reader) == lowest);

	change_layout(&m, &m.actor, 0, UFFD_EVENT_UNMAP);
	actor_done(&reader, 0);
	check(reader.call[0].ret == sizeof(struct uffd_msg));
	check(first_byte(reader.pid, r->buf) == UFFD_EVENT_UNMAP);
	check(lowest_free(&reader) == lowest);
	returned(0);
	check(!fcntl(m.uffd, F_SETFL, flags));
	actor_stop(&reader);
	close(served);
	monitored_stop(&m);
}

static const struct check_case cases[] = {
	{ "one read, several events", read_several },
	{ "two reads, one event", read_by_two },
	{ "a fork without room keeps its place", fork_without_room },
	{ "a fault that was not told is told again", fault_is_kept },
	{ "a reader that sleeps keeps no file for a fork", fork_file_is_dropped },
};

int main(void)
{
	return uffd_events_run("changing", cases, ARRAY_SIZE(cases));
}
