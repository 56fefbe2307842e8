// SPDX-License-Identifier: GPL-2.0
/*
 * A userfaultfd with UFFD_USER_MODE_ONLY is told of page faults in user mode, and
 * the kernel does not wait for its monitor; and who may open one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "wp_test.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define KNOB	"/proc/sys/vm/unprivileged_userfaultfd"
#define PAGES	8
#define TOUCHED	1

/* A process with such a context; a thread of it writes to one page, for ever. */
static struct user {
	struct toucher writer;
	char *area;
	int own_uffd, err;
} *s;

static struct actor a;
static int uffd;
static char *src;

static char *page(int i)
{
	return s->area + i * page_size();
}

static int open_flags(int flags)
{
	int fd = syscall(SYS_userfaultfd, flags);

	return fd < 0 ? -errno : fd;
}

static void start_actor(void *arg)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_EVENT_FORK,
	};
	size_t len = PAGES * page_size();

	(void)arg;
	s->own_uffd = open_flags(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (s->own_uffd < 0) {
		s->err = -s->own_uffd;
		return;
	}
	s->area = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ioctl(s->own_uffd, UFFDIO_API, &api) || s->area == MAP_FAILED) {
		s->err = errno;
		return;
	}
	madvise(s->area, len, MADV_NOHUGEPAGE);
	s->err = wp_register(s->own_uffd, s->area, len,
			     UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	if (!s->err)
		s->err = toucher_start(&s->writer, (uint64_t *)page(TOUCHED), true);
}

/* The fault of the writer is read; it waits for the page. */
static void start(unsigned long long *flags)
{
	struct uffd_msg msg;

	s = shared_alloc(sizeof(*s));
	actor_start(&a, start_actor, NULL);
	uffd_require(s->err, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_EVENT_FORK);
	uffd = actor_fd(&a, s->own_uffd);
	event_read(uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check((char *)(uintptr_t)msg.arg.pagefault.address == page(TOUCHED));
	if (flags)
		*flags = msg.arg.pagefault.flags;
}

static void stop(void)
{
	close(uffd);
	actor_stop(&a);
}

static int fill_protected(char *addr)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)addr,
		.src = (uintptr_t)src,
		.len = page_size(),
		.mode = UFFDIO_COPY_MODE_WP,
	};

	return ioctl(uffd, UFFDIO_COPY, &copy) ? errno : 0;
}

static void user_mode(void)
{
	unsigned long long flags;
	struct uffd_msg msg;

	start(&flags);
	check(!(flags & UFFD_PAGEFAULT_FLAG_WP));
	check(!fill_protected(page(TOUCHED)));
	event_read(uffd, UFFD_EVENT_PAGEFAULT, &msg);
	check((char *)(uintptr_t)msg.arg.pagefault.address == page(TOUCHED));
	check(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	check(!wp_unprotect(uffd, page(TOUCHED), page_size()));
	toucher_wait(&s->writer, 1);
	stop();
}

/* A call that writes to a page of the area: it is to fail, and not to wait. */
static bool kernel_refused(char *addr)
{
	struct call *call = &a.call[0];

	actor_call(&a, 0, SYS_getrandom, (long)addr, 1, 0);
	actor_done(&a, 0);
	return call->ret == -1 && call->err == EFAULT && !event_readable(uffd, 0);
}

static void kernel_mode(void)
{
	start(NULL);
	check(kernel_refused(page(2)));
	check(!page_exists(a.pid, page(2)));
	/* A page that is present is accessed as without a userfaultfd. */
	check(!fill(uffd, page(2), src, page_size(), NULL));
	actor_call(&a, 0, SYS_getrandom, (long)page(2), 1, 0);
	actor_done(&a, 0);
	check(a.call[0].ret == 1);

	check(!fill_protected(page(3)));
	check(kernel_refused(page(3)));
	check(first_byte(a.pid, page(3)) == 0x5a);
	check(!wp_unprotect(uffd, page(3), page_size()));
	actor_call(&a, 0, SYS_getrandom, (long)page(3), 1, 0);
	actor_done(&a, 0);
	check(a.call[0].ret == 1);
	stop();
}

/* get_user_pages() is no fault of user mode, whoever calls it. */
static bool gup_refused(pid_t pid, char *addr, bool write)
{
	char byte = 1;
	struct iovec here = { &byte, 1 }, there = { addr, 1 };
	ssize_t ret;

	ret = write ? process_vm_writev(pid, &here, 1, &there, 1, 0) :
		      process_vm_readv(pid, &here, 1, &there, 1, 0);
	return ret == -1 && errno == EFAULT;
}

static void gup(void)
{
	start(NULL);
	check(gup_refused(a.pid, page(2), false));
	check(gup_refused(a.pid, page(2), true));
	check(!fill_protected(page(2)));
	check(!gup_refused(a.pid, page(2), false));
	check(gup_refused(a.pid, page(2), true));
	check(!event_readable(uffd, 0));
	stop();
}

static void inherited(void)
{
	struct uffd_msg msg;
	pid_t child;
	int of_child;

	start(NULL);
	actor_call(&a, 0, SYS_clone, SIGCHLD);
	event_read(uffd, UFFD_EVENT_FORK, &msg);
	of_child = msg.arg.fork.ufd;
	actor_done(&a, 0);
	child = a.call[0].ret;
	check(child > 0);
	check(gup_refused(child, page(2), false));
	check(!event_readable(of_child, 0));
	check(!fill(of_child, page(2), src, page_size(), NULL));
	check(!gup_refused(child, page(2), false));
	close(of_child);
	stop();
}

/* 0, or the errno, of userfaultfd(2) in a process that has that user. */
static int opens(uid_t uid, int flags)
{
	pid_t pid = race_fork();
	int status;

	if (!pid) {
		int fd;

		if (uid && setresuid(uid, uid, uid))
			_exit(255);
		fd = open_flags(flags);
		_exit(fd < 0 ? -fd : 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		race_broken("a child does not exit");
	return WEXITSTATUS(status);
}

static void knob(char value)
{
	int fd = open(KNOB, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, &value, 1) != 1)
		race_broken(KNOB ": %s", strerror(errno));
	close(fd);
}

static void who(void)
{
	const uid_t root = 0, user = 1000;
	char was;
	int fd = open(KNOB, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &was, 1) != 1)
		race_broken(KNOB ": %s", strerror(errno));
	close(fd);
	knob('1');
	check(opens(root, O_CLOEXEC) == 0);
	check(opens(root, UFFD_USER_MODE_ONLY) == 0);
	check(opens(user, O_CLOEXEC) == 0);
	check(opens(user, UFFD_USER_MODE_ONLY) == 0);
	knob('0');
	check(opens(root, O_CLOEXEC) == 0);
	check(opens(root, UFFD_USER_MODE_ONLY) == 0);
	check(opens(user, O_CLOEXEC) == EPERM);
	check(opens(user, UFFD_USER_MODE_ONLY) == 0);
	check(opens(user, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY) == 0);
	check(opens(user, UFFD_USER_MODE_ONLY | 2) == EINVAL);
	knob(was);
	check(opens(root, 2) == EINVAL);
}

static const struct check_case cases[] = {
	{ "page faults of user mode are told", user_mode },
	{ "an access by the kernel fails", kernel_mode },
	{ "get_user_pages() fails", gup },
	{ "the context of a forked child has the flag", inherited },
	{ "who may open one", who },
};

int main(void)
{
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	fd = open_flags(UFFD_USER_MODE_ONLY);
	if (fd == -EINVAL)
		ksft_exit_skip("the kernel has no UFFD_USER_MODE_ONLY\n");
	uffd_require(fd < 0 ? -fd : 0, 0);
	close(fd);
	src = shared_alloc(page_size());
	memset(src, 0x5a, page_size());
	return checks_run(cases, ARRAY_SIZE(cases), NULL, NULL);
}
