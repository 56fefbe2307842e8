// SPDX-License-Identifier: GPL-2.0
/*
 * mremap() moves and grows a locked mapping: the monitor hears of the move
 * before it meets a fault in the new tail.
 *
 *	thread 0				monitor
 *	mremap
 *	  moves
 *	  faults in the tail, waits
 *						read: a fault, in a place that
 *						it has not heard of
 *
 *	series: waits until REMAP is read	read: REMAP
 *	  faults in the tail, waits		read: a fault
 *						UFFDIO_COPY: 0
 *	  returns
 *
 * Whether that fault can be served is another race, which is not judged here.
 */
#include "kselftest.h"
#include "race_test.h"
#include "uffd_mremap.h"

int main(void)
{
	struct grow_locked o = { };

	race_begin("uffd-mremap-populate");
	mremap_locked(&o);
	o.refused = false;
	return race_end(grow_locked_damage(&o));
}
