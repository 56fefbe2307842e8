// SPDX-License-Identifier: GPL-2.0
/*
 * mremap of a huge page that is migrated meanwhile: see pgtable_shared.c.
 *
 * Who decides by three values of the pmd takes the huge page for a page table
 * and moves it as one.  A page table that was set aside for the huge page does
 * not move along: the kernel finds out when the page is removed, and does not
 * survive it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "pgtable_shared.h"
#include "pgtable_test.h"

/* Return: the damage, if any. */
static const char *after_mremap(struct shared_page *s)
{
	if (!shared_page_in(s->holder.pid, s->to))
		race_broken("the page was not moved");
	actor_call(&s->holder, 1, SYS_madvise, (long)s->to, huge_size(),
		   MADV_DONTNEED);
	if (actor_rests(&s->holder, 1) == ACTOR_GONE)
		return "remover-killed-by-kernel";
	actor_done(&s->holder, 1);
	if (page_exists(s->holder.pid, s->to))
		race_broken("the page was not removed");
	actor_stop(&s->holder);
	return NULL;
}

int main(void)
{
	struct shared_page s = { };

	race_begin("pgtable-mremap-vs-migration");
	shared_page_prepare(&s);
	actor_call(&s.holder, 0, SYS_mremap, (long)s.from, huge_size(), huge_size(),
		   MREMAP_MAYMOVE | MREMAP_FIXED, (long)s.to);
	shared_page_migrate(&s);
	return race_end(after_mremap(&s));
}
