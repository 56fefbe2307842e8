// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA balancing moves a huge page of anonymous memory to the node on which it
 * is read:
 *
 *	toucher			monitor			thread 1
 *	reads, for ever
 *							binds the page, so that
 *							  balancing leaves it
 *							moves it away
 *				protects it
 *							unbinds it
 *	the scan makes the pmd
 *	  inaccessible
 *	faults: moves the page
 *				sees the page at home
 *							thread 0 writes
 *				base: all writes go through
 *
 * The scan comes with the ticks of a thread that runs.  Nothing depends on when:
 * the test waits until the page has moved, which nobody else does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "wp_test.h"

#define BALANCING	"/proc/sys/kernel/numa_balancing"

/* Of the pages that one pmd maps. */
#define JUDGED		64

#ifndef MPOL_BIND
#define MPOL_DEFAULT	0
#define MPOL_BIND	2
#endif

static struct shared {
	struct toucher reader;
	struct migration move;
	unsigned int node;
	unsigned long mask;
} *s;

static struct wp *w;
static char balancing;	/* what it was */

static void set_balancing(char to)
{
	int fd = open(BALANCING, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, &to, 1) != 1)
		race_broken(BALANCING ": %s", strerror(errno));
	close(fd);
}

static void restore(void)
{
	set_balancing(balancing);
}

/* Kernels without CONFIG_SCHED_DEBUG have the parameter alone. */
static bool on_command_line(void)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "re");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	return strstr(line, "numa_balancing=enable");
}

static void balancing_require(void)
{
	int fd = open(BALANCING, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		if (on_command_line())
			return;
		race_skip("needs NUMA balancing: boot with numa_balancing=enable");
	}
	if (read(fd, &balancing, 1) != 1)
		race_broken(BALANCING ": %s", strerror(errno));
	close(fd);
	race_cleanup(restore);
	set_balancing('1');
}

/* Huge pages, which a thread reads for ever. */
static char *map(struct wp *w)
{
	char *area = wp_map_huge(w);

	if (area)
		errno = toucher_start(&s->reader, (uint64_t *)(area + page_size()), false);
	return area && !errno ? area : NULL;
}

/* The node of the processor that the toucher is bound to. */
static int home(void)
{
	struct call *call = &w->actor.call[1];

	race_pin(toucher_tid(&s->reader), 1);
	race_pin(call->tid, 1);
	actor_call(&w->actor, 1, SYS_getcpu, 0, (long)&s->node, 0);
	actor_done(&w->actor, 1);
	if (call->ret)
		race_broken("getcpu: %s", strerror(call->err));
	/* All others leave that processor to the toucher. */
	race_pin(call->tid, 0);
	race_pin(w->actor.call[0].tid, 0);
	race_pin(getpid(), 0);
	return s->node;
}

static int node(void)
{
	return migration_find(&s->move, &w->actor, 1, w->area);
}

/* Balancing moves what has the default policy. */
static void policy(int mode, int node)
{
	struct call *call = &w->actor.call[1];

	s->mask = 1UL << node;
	actor_call(&w->actor, 1, SYS_mbind, (long)w->area, w->len, mode,
		   mode == MPOL_DEFAULT ? 0 : (long)&s->mask,
		   mode == MPOL_DEFAULT ? 0 : 8 * sizeof(s->mask), 0);
	actor_done(&w->actor, 1);
	if (call->ret)
		race_broken("mbind: %s", strerror(call->err));
}

int main(void)
{
	size_t lost;
	int at, err;

	race_begin("wp-anon-thp-numa");
	thp_require();
	balancing_require();
	s = shared_alloc(sizeof(*s));
	w = wp_new(huge_size());
	w->map = map;
	wp_start(w, 0);
	at = home();
	policy(MPOL_BIND, at);
	if (node() == at)
		migration_move(&s->move, MPOL_MF_MOVE);
	wp_expect_huge(w, "at first");
	err = wp_protect(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	if (node() == at)
		race_broken("the page is at home already");

	policy(MPOL_DEFAULT, 0);
	while (node() != at)
		if (!race_look_again())
			race_broken("NUMA balancing moves no page");
	/* Moved in one piece, not split first. */
	wp_expect_huge(w, "after the balancing");
	race_control_open();

	lost = wp_lost_pages(w, w->area, JUDGED);
	ksft_print_msg("writes that were not trapped: %zu of %d pages\n", lost,
		       JUDGED);
	wp_stop(w);
	return race_end(lost ? "write-not-trapped" : NULL);
}
