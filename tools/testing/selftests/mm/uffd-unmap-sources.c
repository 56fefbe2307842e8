// SPDX-License-Identifier: GPL-2.0
/*
 * System V shared memory: which calls unmap memory that is registered, and send
 * UNMAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_events.h"

/* SHM_REMAP unmaps the registered memory that is in its place. */
static void shm_remap(void)
{
	int id = shmget(IPC_PRIVATE, 2 * page_size(), 0600);

	if (id < 0) {
		check_skip = "no System V shared memory";
		return;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, id, (long)page(2), SHM_REMAP);
	unmap_is_told(page(2), 2 * page_size());
	check(returned(0) == (long)page(2));
	check(changing_is(0) && !fill_page(1));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

/*
 * A new segment, attached by a task that is monitored.  NULL if there can be
 * none: then the case is skipped for the reason in @missing.
 */
static char *attach(int *id, size_t size, int flags, const char *missing)
{
	*id = shmget(IPC_PRIVATE, size, flags | 0600);
	if (*id < 0) {
		check_skip = missing;
		return NULL;
	}
	monitored_start(&m, PAGES, EVENTS);
	actor_call(&m.actor, 0, SYS_shmat, *id, 0, 0);
	return (char *)returned(0);
}

/* A segment of small pages cannot be registered: shmdt() is no change. */
static void shm_detach(void)
{
	char *at;
	int id;

	at = attach(&id, 2 * page_size(), 0, "no System V shared memory");
	if (!at)
		return;
	check(register_range(at, 2 * page_size()) == EINVAL);
	actor_call(&m.actor, 0, SYS_shmdt, (long)at);
	check(!returned(0));
	/* 0, or -1 where fdinfo does not say. */
	check(generation() <= 0 && !event_readable(m.uffd, 0));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

/*
 * A segment of hugetlb can be registered.  A part of it that is registered
 * becomes a mapping of its own, and shmdt() unmaps all of them.
 */
static void shm_detach_huge_part(int first, int pages)
{
	const size_t huge = 2 << 20;
	char *at;
	int id;

	at = attach(&id, 2 * huge, SHM_HUGETLB,
		    "no huge pages for System V shared memory");
	if (!at)
		return;
	check(!register_range(at + first * huge, pages * huge));
	actor_call(&m.actor, 0, SYS_shmdt, (long)at);
	unmap_is_told(at + first * huge, pages * huge);
	check(!returned(0));
	check(!range_mapped(m.actor.pid, at, 1));
	check(!range_mapped(m.actor.pid, at + huge, 1));
	check(changing_is(0) && !fill_page(1));
	shmctl(id, IPC_RMID, NULL);
	monitored_stop(&m);
}

static void shm_detach_huge(void)
{
	shm_detach_huge_part(0, 2);
	shm_detach_huge_part(0, 1);
	shm_detach_huge_part(1, 1);
}

static const struct check_case cases[] = {
	{ "SHM_REMAP sends UNMAP", shm_remap },
	{ "shmdt of small pages concerns nobody", shm_detach },
	{ "shmdt of huge pages sends UNMAP", shm_detach_huge },
};

int main(void)
{
	return uffd_events_run(NULL, cases, ARRAY_SIZE(cases));
}
