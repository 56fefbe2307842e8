// SPDX-License-Identifier: GPL-2.0
/*
 * fork of a process with a huge page that is migrated meanwhile: see
 * pgtable_shared.c.
 *
 * Who decides by three values of the pmd takes the huge page for a bad entry
 * and clears it, in the parent.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_shared.h"

/* Return: the damage, if any. */
static const char *after_fork(struct shared_page *s)
{
	pid_t child = s->holder.call[0].ret;
	bool parent_has = shared_page_in(s->holder.pid, s->from);

	/* fork() does not copy an entry that it has cleared in the parent. */
	if (shared_page_in(child, s->from) != parent_has)
		race_broken("parent and child do not agree");
	/*
	 * DEBUG_VM does not let it exit with the page table that was set aside.
	 */
	if (!parent_has)
		return "parent-lost-huge-page";
	actor_stop(&s->holder);
	return NULL;
}

int main(void)
{
	struct shared_page s = { };

	race_begin("pgtable-fork-vs-migration");
	shared_page_prepare(&s);
	actor_call(&s.holder, 0, SYS_clone, SIGCHLD);
	shared_page_migrate(&s);
	return race_end(after_fork(&s));
}
