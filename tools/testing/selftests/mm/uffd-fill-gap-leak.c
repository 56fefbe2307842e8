// SPDX-License-Identifier: GPL-2.0
/*
 * A UFFDIO_COPY that has allocated a page drops its locks in order to fault in
 * its source.  When it takes them again there is hugetlb memory in the place of
 * the small pages: the fill must free the page.
 *
 *	filler			target			monitor
 *	UFFDIO_COPY, 1 page
 *	  allocates it
 *	  source is not resident
 *	  drops its locks, held
 *				mmap(MAP_FIXED | MAP_HUGETLB)
 *							UFFDIO_REGISTER
 *	  released
 *	base: goes on as a fill of hugetlb, which turns down so short a range;
 *	nobody frees the page
 *	series: EAGAIN, the page is freed
 *
 * The monitor has not asked for events, so nothing counts these changes.
 *
 * A page that nobody knows of can be seen only by its absence: all pages that
 * are free, or that the kernel can say the use of, are counted before and after
 * MEASURED rounds.  A round gives back all that it takes, and those before have
 * brought in what the rounds need for good.  What remains is what the rest of
 * the machine does meanwhile with pages of its own.  That is not in step with
 * the rounds, and to look like the leak it would have to take a page in more
 * than two rounds out of three.  Below one in three nothing leaks; in between
 * the test is broken.  Slabs are among the known uses, since KASAN puts off the
 * freeing of objects: there they grow with every round.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "race_test.h"
#include "uffd_oracle.h"

#define WARM_UP		8
#define MEASURED	96

static struct monitored m;
static struct filler filler;

static long read_meminfo(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long value = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %ld", &value);
	if (f)
		fclose(f);
	return value;
}

/* The work is done on all processors when the write returns. */
static void vm_sysctl(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		race_broken("%s: %s", path, strerror(errno));
	close(fd);
}

/*
 * Of all zones.  "count:" is that of the free pages in the lists of a
 * processor.  A page that a fill has allocated is none of these: it is neither
 * mapped nor charged, and in no file.
 */
static const char * const known[] = {
	"nr_free_pages", "count:", "nr_slab_reclaimable", "nr_slab_unreclaimable",
	"nr_page_table_pages", "nr_anon_pages", "nr_file_pages",
};

static long known_pages(void)
{
	char line[128], key[64];
	long sum = 0, value;
	size_t i;
	FILE *f;

	/*
	 * Pages on their way to the LRU lists have a reference, even if they
	 * were freed.
	 */
	vm_sysctl("compact_memory");
	/* The counters of each processor. */
	vm_sysctl("stat_refresh");
	f = fopen("/proc/zoneinfo", "re");
	if (!f)
		race_broken("/proc/zoneinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %63s %ld", key, &value) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(key, known[i]))
				sum += value;
	}
	fclose(f);
	return sum;
}

static void map(char *place, size_t len, int flags)
{
	actor_call(&m.actor, 0, SYS_mmap, (long)place, len,
		   PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret != (long)place)
		race_broken("mmap: %s", strerror(m.actor.call[0].err));
	if (uffd_register(m.uffd, place, len))
		race_broken("UFFDIO_REGISTER: %s", strerror(errno));
}

/* Where the target can have a huge page. */
static char *find_place(size_t huge)
{
	actor_call(&m.actor, 0, SYS_mmap, 0, 3 * huge, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	actor_done(&m.actor, 0);
	if (m.actor.call[0].ret == -1)
		race_broken("mmap: %s", strerror(m.actor.call[0].err));
	return (char *)((m.actor.call[0].ret + 2 * huge - 1) / huge * huge);
}

static int play(char *place, size_t huge)
{
	map(place, huge, 0);
	actor_call(&filler.actor, 0, SYS_madvise, (long)filler.src, page_size(),
		   MADV_DONTNEED);
	actor_done(&filler.actor, 0);
	filler_copy(&filler, m.uffd, place, 0, 1);
	race_wait("uffd_fill_unlocked", "held=1");
	map(place, huge, MAP_HUGETLB);
	race_release("uffd_fill_unlocked");
	actor_done(&filler.actor, 0);
	if (page_exists(m.actor.pid, place))
		race_broken("the fill has filled hugetlb memory");
	return filler.actor.call[0].err;
}

int main(void)
{
	struct fill_leak o = { .rounds = MEASURED };
	size_t huge;
	char *place;
	int i, err;

	race_begin("uffd-fill-gap-leak");
	race_points_require();
	if (!read_meminfo("HugePages_Free"))
		race_skip("needs a huge page: write 1 to /proc/sys/vm/nr_hugepages");
	huge = read_meminfo("Hugepagesize") * 1024;
	monitored_start(&m, 1, 0);
	filler_start(&filler, 1, 1);
	place = find_place(huge);
	race_arm("uffd_fill_unlocked", "tid=%d times=%d timeout=" RACE_HOLD_MS,
		 filler.actor.call[0].tid, WARM_UP + MEASURED);

	for (i = 0; i < WARM_UP + MEASURED; i++) {
		if (i == WARM_UP)
			o.lost = known_pages();
		err = play(place, huge);
		if (i && err != o.err)
			race_broken("fill: %s after %s", strerror(err),
				    strerror(o.err));
		o.err = err;
	}
	o.lost -= known_pages();
	ksft_print_msg("fill: errno=%d, %ld pages lost in %ld rounds\n", o.err,
		       o.lost, o.rounds);
	if (!fill_leak_certain(&o))
		race_broken("%ld pages lost in %ld rounds: leaked or not?",
			    o.lost, o.rounds);
	actor_stop(&filler.actor);
	monitored_stop(&m);
	return race_end(fill_leak_damage(&o));
}
