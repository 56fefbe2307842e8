// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>

#include "uffd_oracle.h"

/**
 * fill_while_pending_damage() - a fill while an event is pending must be refused
 * @o: what was observed
 *
 * The monitor has not read that event: it cannot know where the page belongs, or
 * who else needs it.  Reported success is damage in itself; the signature says
 * what has become of the page.
 */
const char *fill_while_pending_damage(const struct fill_while_pending *o)
{
	if (o->refused)
		return NULL;
	if (o->moved && o->present && !o->present_moved)
		return "fill-admitted,page-at-old-address";
	if (o->forked && o->present && !o->present_child)
		return "fill-admitted,child-lacks-page";
	if (!o->present)
		return "fill-admitted,page-lost";
	return "fill-admitted";
}

/**
 * fill_vs_remove_damage() - no page may outlive its removal
 * @o: what was observed
 */
const char *fill_vs_remove_damage(const struct fill_vs_remove *o)
{
	return o->stale ? "stale-page-after-removal" : NULL;
}
