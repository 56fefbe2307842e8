// SPDX-License-Identifier: GPL-2.0
/*
 * A child inherits no write protection that nobody asks for.  Where a monitor
 * is told of forks, the pages of the child stay protected; if it never reads of
 * this one, there is nobody to end that.
 *
 *	parent			child			monitor
 *							protects all pages
 *	fork
 *	  waits for the monitor
 *							closes
 *	  returns
 *				REGISTER with WP
 *				writes
 *				base:   is trapped
 *
 * The child is its own monitor, with UFFD_FEATURE_SIGBUS: a write that is
 * trapped fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "wp_test.h"

#define PAGES	8

static const struct variant {
	const char *name, *test;
	uint64_t features;
} variants[] = {
	{ "unread", "wp-stale-after-fork", UFFD_FEATURE_EVENT_FORK },
	{ "untold", "wp-fork-without-event", 0 },
};

static struct shared {
	int uffd;
	char *area;
	int go;			/* the parent may fork */
	int done;		/* the child has written all it can */
	size_t written, trapped;
	const char *what;	/* a call that has failed */
	int err;
} *s;

static void __noreturn failed(const char *what)
{
	s->err = errno;
	__atomic_store_n(&s->what, what, __ATOMIC_RELEASE);
	_exit(1);
}

static void __noreturn run_child(int zero)
{
	size_t i;
	int uffd;

	uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_SIGBUS);
	if (uffd < 0)
		failed("userfaultfd of the child");
	errno = wp_register(uffd, s->area, PAGES * page_size(),
			    UFFDIO_REGISTER_MODE_WP);
	if (errno)
		failed("UFFDIO_REGISTER of the child");
	for (i = 0; i < PAGES; i++) {
		if (read(zero, s->area + i * page_size(), 1) == 1)
			s->written++;
		else if (errno == EFAULT)
			s->trapped++;
		else
			failed("a write of the child");
	}
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	_exit(0);
}

static void __noreturn run_parent(uint64_t features)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	size_t len = PAGES * page_size();
	pid_t pid;

	s->area = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (zero < 0 || s->area == MAP_FAILED)
		failed("mmap");
	memset(s->area, 1, len);
	s->uffd = uffd_open(features | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (s->uffd < 0)
		failed("userfaultfd");
	errno = wp_register(s->uffd, s->area, len, UFFDIO_REGISTER_MODE_WP);
	if (errno)
		failed("UFFDIO_REGISTER");
	errno = wp_protect(s->uffd, s->area, len);
	if (errno)
		failed("UFFDIO_WRITEPROTECT");
	__atomic_store_n(&s->go, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->go, __ATOMIC_ACQUIRE) != 2)
		usleep(1000);
	/* The monitor has the last one. */
	close(s->uffd);
	pid = fork();
	if (!pid)
		run_child(zero);
	if (pid < 0)
		failed("fork");
	waitpid(pid, NULL, 0);
	_exit(0);
}

static void wait_for(const int *state, int value)
{
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != value) {
		const char *what = __atomic_load_n(&s->what, __ATOMIC_ACQUIRE);

		if (what && (s->err == EINVAL || s->err == EPERM) && !s->go)
			uffd_require(s->err, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
		if (what)
			race_broken("%s: %s", what, strerror(s->err));
		if (!race_look_again())
			race_broken("parent and child do not come to an end");
	}
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	struct actor a = { };
	int uffd;

	race_begin("%s", v->test);
	s = shared_alloc(sizeof(*s));
	a.pid = race_fork();
	if (!a.pid)
		run_parent(v->features);
	wait_for(&s->go, 1);
	uffd = actor_fd(&a, s->uffd);
	__atomic_store_n(&s->go, 2, __ATOMIC_RELEASE);
	/* FORK is there to be read; it never is. */
	if (v->features && !event_readable(uffd, race_time_left()))
		race_broken("no event");
	if (v->features && s->done)
		race_broken("fork has not waited for its monitor");
	race_control_open();
	close(uffd);
	wait_for(&s->done, 1);
	waitpid(a.pid, NULL, 0);
	if (s->written + s->trapped != PAGES)
		race_broken("%zu of %d writes are missing",
			    PAGES - s->written - s->trapped, PAGES);
	ksft_print_msg("%zu of %d pages trap a write that nobody asked for\n",
		       s->trapped, PAGES);
	return race_end(s->trapped ? "stale-trap" : NULL);
}
