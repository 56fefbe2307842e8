// SPDX-License-Identifier: GPL-2.0
/*
 * mremap() moves and grows a locked mapping, and waits for a page of the new
 * tail: the monitor can fill it.
 *
 *	thread 0				monitor
 *	mremap
 *	  moves
 *	  faults in the tail, waits
 *						read: a fault
 *						UFFDIO_COPY: EAGAIN, a change
 *						  is pending: which one?
 *	base: REMAP would be queued after
 *	the fault is served: never
 *
 *	series: queues REMAP as it moves,
 *	and waits until it is read		read: REMAP
 *	  faults in the tail, waits		read: a fault
 *						UFFDIO_COPY: 0
 *	  returns
 *
 * Either would do: an event that is queued before anybody waits for the tail,
 * or a tail that is populated after the event was read.
 */
#include "kselftest.h"
#include "race_test.h"
#include "uffd_mremap.h"

int main(void)
{
	struct grow_locked o = { };

	race_begin("uffd-mremap-mlocked");
	mremap_locked(&o);
	/* Another race: see uffd-mremap-populate.c. */
	o.tail_first = false;
	return race_end(grow_locked_damage(&o));
}
