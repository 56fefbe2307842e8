// SPDX-License-Identifier: GPL-2.0
/*
 * A forced write to a mapping that is read-only, and a monitor that protects
 * the page while get_user_pages() is between its fault and its second look:
 *
 *	writer			monitor
 *	pwrite(/proc/PID/mem)
 *	  faults, the page is
 *	  its own and dirty;
 *	  held
 *				UFFDIO_WRITEPROTECT
 *				saves the page
 *	base: takes the page, and
 *	writes to it
 *	series: faults again; it
 *	cannot wait, and fails
 *
 * "page" is a page, and "huge" a huge page that is protected as a whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_test.h"
#include "wp_test.h"

#define OLD	0x11
#define NEW	0x22

struct variant {
	const char *arg;
	const char *race;
	bool huge;
};

static const struct variant variants[] = {
	{ "page", "wp-foll-force", false },
	{ "huge", "wp-foll-force-huge", true },
};

static struct wp *w;
static struct shared {
	int mem;		/* the process's own /proc/self/mem */
	char byte;		/* to be written */
} *s;

static char *map_area(struct wp *wp)
{
	char *area;

	s->mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (s->mem < 0)
		return NULL;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	area = huge_area(huge_size(), huge_size());
	if (!area || mmap(area, wp->len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
		return NULL;
	if (madvise(area, wp->len, wp->data ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return NULL;
	__atomic_store_n(area, OLD, __ATOMIC_RELAXED);
	/* khugepaged is to leave this mm alone. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return mprotect(area, wp->len, PROT_READ) ? NULL : area;
}

static void force_begin(void)
{
	s->byte = NEW;
	actor_call(&w->actor, 0, SYS_pwrite64, s->mem, (long)&s->byte, 1,
		   (long)w->area);
}

static bool force_done(void)
{
	struct call *call = &w->actor.call[0];

	actor_done(&w->actor, 0);
	if (call->ret != 1 && call->err != EIO)
		race_broken("/proc/PID/mem: %s", strerror(call->err));
	return call->ret == 1;
}

static bool is_huge(void)
{
	return smaps_kb(w->actor.pid, w->area, w->len, "AnonHugePages");
}

int main(int argc, char **argv)
{
	const struct variant *v = race_variant(argc, argv, variants);
	bool written, changed;
	int err;

	race_begin("%s", v->race);
	race_points_require();
	if (v->huge)
		thp_require();
	s = shared_alloc(sizeof(*s));
	w = wp_new(v->huge ? huge_size() : page_size());
	w->map = map_area;
	w->data = v->huge ? w : NULL;
	wp_start(w, 0);
	if (is_huge() != v->huge)
		race_broken("the page is %shuge", v->huge ? "not " : "");

	race_arm("wp_gup_faulted", "mm=%d timeout=" RACE_HOLD_MS, w->actor.pid);
	force_begin();
	race_wait("wp_gup_faulted", "held=1");
	err = wp_protect(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	if (first_byte(w->actor.pid, w->area) != OLD)
		race_broken("the page was written too early");
	if (is_huge() != v->huge)
		race_broken("the huge page was split");
	race_release("wp_gup_faulted");
	written = force_done();
	changed = first_byte(w->actor.pid, w->area) != OLD;
	ksft_print_msg("written %d, changed %d\n", written, changed);
	if (written != changed)
		race_broken("the call and the page do not agree");

	err = wp_unprotect(w->uffd, w->area, w->len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
	force_begin();
	if (!force_done() || first_byte(w->actor.pid, w->area) != NEW)
		race_broken("a page that is not protected is not written");
	wp_stop(w);
	return race_end(changed ? "write-not-trapped" : NULL);
}
