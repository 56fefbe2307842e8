// SPDX-License-Identifier: GPL-2.0
/*
 * The yielding mode of a userfaultfd: who may switch a context to it, who
 * inherits it, and what a fill does in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd_yield.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"
#include "uffd_yield.h"

#define YIELD	"/proc/sys/vm/userfaultfd_yield"

static char yield_before[2];

static void restore_yield(void)
{
	write_text(YIELD, yield_before);
}

/* Return: 0 or an errno. */
static int switch_to_yield(int uffd)
{
	return ioctl(uffd, USERFAULTFD_YIELD) ? errno : 0;
}

static int uffd_api(int uffd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = EVENTS };

	return ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
}

static int uffd_new(void)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0)
		race_broken("userfaultfd: %s", strerror(errno));
	return uffd;
}

/* Which contexts may be switched, and when. */
static void yield_permitted(void)
{
	int uffd, other;

	uffd = uffd_new();
	check(!write_text(YIELD, "0"));
	check(read_number(YIELD) == 0);
	check(switch_to_yield(uffd) == EPERM);
	check(uffd_fdinfo(uffd, "yield") == 0);
	check(write_text(YIELD, "2") == EINVAL);
	check(write_text(YIELD, "-1") == EINVAL);
	check(read_number(YIELD) == 0);

	/* The sysctl permits the mode, and switches no context by itself. */
	check(!write_text(YIELD, "1"));
	check(read_number(YIELD) == 1);
	check(uffd_fdinfo(uffd, "yield") == 0);
	other = uffd_new();
	check(uffd_fdinfo(other, "yield") == 0);
	check(!switch_to_yield(uffd));
	check(uffd_fdinfo(uffd, "yield") == 1);
	check(!switch_to_yield(uffd));
	check(!uffd_api(uffd));
	check(switch_to_yield(uffd) == EBUSY);
	check(uffd_fdinfo(uffd, "yield") == 1);
	check(!uffd_api(other));
	check(switch_to_yield(other) == EBUSY);
	check(uffd_fdinfo(other, "yield") == 0);

	/* A context that was switched stays so. */
	check(!write_text(YIELD, "0"));
	check(uffd_fdinfo(uffd, "yield") == 1);
	close(uffd);
	close(other);
}

/* The context of a child has the mode of its parent's. */
static void yield_inherited(void)
{
	struct uffd_msg msg;

	check(!write_text(YIELD, "1"));
	m.mode = &uffd_yielding;
	monitored_start(&m, PAGES, EVENTS);
	m.mode = NULL;
	check(uffd_fdinfo(m.uffd, "yield") == 1);
	/* The child's does not depend on the sysctl. */
	check(!write_text(YIELD, "0"));
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(uffd_fdinfo(msg.arg.fork.ufd, "yield") == 1);
	check(switch_to_yield(msg.arg.fork.ufd) == EPERM);
	check(!write_text(YIELD, "1"));
	check(switch_to_yield(msg.arg.fork.ufd) == EBUSY);
	kill(returned(0), SIGKILL);

	pend(&m.actor, 0, UFFD_EVENT_REMOVE);
	check(changing() == 1 && generation() == 2);
	check(fill_page(1) == EAGAIN);
	event_read(m.uffd, UFFD_EVENT_REMOVE, NULL);
	check(changing() == 0 && !fill_page(1));
	returned(0);
	monitored_stop(&m);
	close(msg.arg.fork.ufd);

	/* A context in the default mode, and that of its child. */
	monitored_start(&m, PAGES, EVENTS);
	check(uffd_fdinfo(m.uffd, "yield") == 0);
	pend(&m.actor, 0, UFFD_EVENT_FORK);
	event_read(m.uffd, UFFD_EVENT_FORK, &msg);
	check(uffd_fdinfo(msg.arg.fork.ufd, "yield") == 0);
	close(msg.arg.fork.ufd);
	kill(returned(0), SIGKILL);
	monitored_stop(&m);
}

/* This test changes vm.userfaultfd_yield, and puts it back. */
static void yield_mode(void)
{
	const long was = read_number(YIELD);

	check(was == 0 || was == 1);
	yield_before[0] = was ? '1' : '0';
	race_cleanup(restore_yield);
	yield_permitted();
	yield_inherited();
	race_cleanup(NULL);
	restore_yield();
	check(read_number(YIELD) == was);
}

/* May a context be switched to yielding mode? */
static bool may_yield(void)
{
	if (read_number(YIELD) == 1)
		return true;
	check_skip = "vm.userfaultfd_yield is 0";
	return false;
}

static void in_yielding_mode(void (*run)(void))
{
	if (!may_yield())
		return;
	m.mode = &uffd_yielding;
	run();
	m.mode = NULL;
}

static void huge_fills_yielding(void)
{
	in_yielding_mode(huge_fills);
}

static void write_protect_yielding(void)
{
	in_yielding_mode(write_protect);
}

static const struct check_case cases[] = {
	{ "the mode is one context's, and fixed by UFFDIO_API", yield_mode },
	{ "fills of huge pages end in order, in yielding mode", huge_fills_yielding },
	{ "write protection ends in order, in yielding mode", write_protect_yielding },
};

int main(void)
{
	return uffd_events_run("yield", cases, ARRAY_SIZE(cases));
}
