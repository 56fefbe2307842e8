// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection by userfaultfd under random load: wp-random STEPS SEED KIND
 *
 * A target process writes to its pages and does to them most of what takes an
 * entry of a page table away and makes it again.  This process is its monitor: it
 * protects pages, looks whether they change, lets writes through, and disturbs
 * from outside.  All threads together make STEPS steps.
 *
 * The model has, for each page, whether it is protected and what it held when
 * that began.  The oracle:
 *
 *  - A protected page, read through /proc/PID/mem, holds that until the monitor
 *    unprotects it.
 *  - A page holds what its owner has written last, whatever became of its entry.
 *  - A write that traps goes on when its page is unprotected.
 *
 * A trap that nobody asked for is answered and not reported: see wp-stale.c.
 *
 * Each page has one owner, a thread of the target, which alone writes its first
 * word.  The second word is written from outside, by force.  A page is given up
 * where its content is: by MADV_DONTNEED, or by a move to where nothing is
 * registered.  Then its epoch, or that of its block, is odd, and different
 * afterwards, and whatever was known of it before is void.
 *
 * A kind of memory is what struct kind says, which is all that another one has
 * to bring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "wp_test.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define OWNERS		2
#define BLOCKS		4		/* two of each owner */
#define MAX_PAGES	512		/* of a block */
#define VALUES		3		/* few, so that pages are equal and merge */
#define HANGS		20000		/* ms without a step */

/* What threads of the target may do to the memory of a kind. */
enum may {
	MAY_DROP	= 1 << 0,	/* MADV_DONTNEED */
	MAY_MOVE	= 1 << 1,	/* mremap() */
	MAY_MERGE	= 1 << 2,	/* KSM */
	MAY_FORCE	= 1 << 3,	/* writes through /proc/PID/mem */
};

struct kind {
	const char *name;
	size_t pages;		/* of a block */
	size_t align;		/* of a block, in pages */
	uint64_t mode;		/* of the registration */
	uint64_t features;
	int advice;		/* for madvise(), -1 for none */
	unsigned int may;
};

static const struct kind kinds[] = {
	{ "anon", 24, 1, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING,
	  UFFD_FEATURE_EVENT_REMAP, MADV_NOHUGEPAGE,
	  MAY_DROP | MAY_MOVE | MAY_MERGE | MAY_FORCE },
	{ "anon-no-events", 24, 1, UFFDIO_REGISTER_MODE_WP, 0, MADV_NOHUGEPAGE,
	  MAY_DROP | MAY_MOVE | MAY_MERGE | MAY_FORCE },
	{ "anon-thp", MAX_PAGES, MAX_PAGES, UFFDIO_REGISTER_MODE_WP,
	  UFFD_FEATURE_EVENT_REMAP, MADV_HUGEPAGE,
	  MAY_DROP | MAY_MOVE | MAY_FORCE },
};

/* Written by the target, read by the monitor. */
struct block {
	char *slot[2];		/* a block is in one of two places */
	int at;			/* which of them */
	unsigned int moves;	/* odd while it is being moved */
	unsigned int epoch;
	unsigned int page_epoch[MAX_PAGES];
	uint64_t value[MAX_PAGES];	/* what its owner has written last */
	bool known[MAX_PAGES];		/* it is still there */
};

static struct shared {
	struct block block[BLOCKS];
	long steps;		/* that are left */
	int uffd;
	int err;
	int ready, go;
	int done;		/* threads of the target that have ended */
	long protects, looks, traps, fills, forced, migrated, moves, forks, swapped,
	     swapoffs;
	bool merged;
	char damage[32];	/* the first one */
} *s;

/* Of the monitor. */
static struct model {
	pthread_mutex_t lock;
	bool registered;	/* unless it was moved */
	struct {
		bool protected;
		unsigned int epoch, page_epoch;
		uint64_t word[2];
	} page[MAX_PAGES];
} model[BLOCKS];

static const struct kind *kind;
static unsigned long seed;
static pid_t target;
static int uffd, mem, pagemap;
static char swap_path[128];

static void count(long *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* The first one counts, and ends the test. */
static void __printf(2, 3) damage(const char *what, const char *fmt, ...)
{
	char none = 0, text[96];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (__atomic_compare_exchange_n(&s->damage[0], &none, what[0], false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		ksft_print_msg("%s: %s\n", what, text);
		strncpy(s->damage, what, sizeof(s->damage) - 1);
	}
	__atomic_store_n(&s->steps, 0, __ATOMIC_RELAXED);
}

/* Numbers of one thread. */
static __thread uint64_t state;

static unsigned int pick(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static void seed_thread(unsigned int thread)
{
	int i;

	state = (seed + 1) * 0x9e3779b97f4a7c15ULL + thread * 0xbf58476d1ce4e5b9ULL;
	for (i = 0; i < 8; i++)
		pick(2);
}

static bool step(void)
{
	return __atomic_sub_fetch(&s->steps, 1, __ATOMIC_RELAXED) >= 0;
}

static unsigned int load(const unsigned int *epoch)
{
	return __atomic_load_n(epoch, __ATOMIC_SEQ_CST);
}

static void pass(unsigned int *epoch)
{
	__atomic_add_fetch(epoch, 1, __ATOMIC_SEQ_CST);
}

/* Of a huge page some pages are written and watched, and those one by one. */
static size_t pick_page(void)
{
	size_t stride = kind->align > 1 ? 16 : 1;

	return pick(kind->pages / stride) * stride;
}

static bool watched(size_t i)
{
	return kind->align == 1 || !(i % 16);
}

/* What does not treat a huge page as a whole splits it, so most steps do. */
static bool whole(void)
{
	return kind->align > 1 && pick(4);
}

static char *block_at(const struct block *b)
{
	return b->slot[__atomic_load_n(&b->at, __ATOMIC_SEQ_CST)];
}

static char *page_at(const struct block *b, size_t i)
{
	return block_at(b) + i * page_size();
}

/*
 * The target
 */

static uint64_t read_word(struct block *b, size_t i)
{
	return *(volatile uint64_t *)page_at(b, i);
}

static void look_at_page(struct block *b, size_t i)
{
	uint64_t value;

	/* A huge page of zeroes would be split by the next write. */
	if (kind->align > 1 && !b->known[i])
		return;
	value = read_word(b, i);
	if (b->known[i] && value != b->value[i])
		damage("write-lost", "page %zu of block %td holds %#llx in place of %#llx",
		       i, b - s->block, (unsigned long long)value,
		       (unsigned long long)b->value[i]);
	b->value[i] = value;
	b->known[i] = true;
}

static void write_page(struct block *b, size_t i)
{
	uint64_t value;

	look_at_page(b, i);
	/* Another one than before, that other pages have as well. */
	value = 1 + (b->value[i] + pick(VALUES - 1)) % VALUES;
	if (value == b->value[i])
		value = 1 + value % VALUES;
	*(volatile uint64_t *)page_at(b, i) = value;
	b->value[i] = value;
	b->known[i] = true;
}

static void drop_pages(struct block *b)
{
	size_t n = whole() || !pick(4) ? kind->pages : 1;
	size_t i = n == 1 ? pick_page() : 0, j;

	for (j = i; j < i + n; j++) {
		pass(&b->page_epoch[j]);
		b->known[j] = false;
	}
	if (madvise(page_at(b, i), n * page_size(), MADV_DONTNEED))
		damage("broken", "MADV_DONTNEED: %s", strerror(errno));
	for (j = i; j < i + n; j++)
		pass(&b->page_epoch[j]);
}

/* With an event the pages take their protection along. */
static void move_block(struct block *b)
{
	bool keeps = kind->features & UFFD_FEATURE_EVENT_REMAP;
	size_t len = kind->pages * page_size();
	char *from = block_at(b), *to = b->slot[!b->at];

	pass(&b->moves);
	if (!keeps)
		pass(&b->epoch);
	if (mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to ||
	    mmap(from, len, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != from)
		damage("broken", "mremap: %s", strerror(errno));
	__atomic_store_n(&b->at, !b->at, __ATOMIC_SEQ_CST);
	if (!keeps)
		pass(&b->epoch);
	pass(&b->moves);
	count(&s->moves);
}

static void owner_step(struct block *b)
{
	size_t len = kind->pages * page_size();

	switch (pick(24)) {
	case 0:
		if (kind->may & MAY_DROP)
			drop_pages(b);
		break;
	case 1:
		if (kind->may & MAY_MOVE)
			move_block(b);
		break;
	case 2:
		mprotect(block_at(b), len, PROT_READ);
		look_at_page(b, pick_page());
		mprotect(block_at(b), len, PROT_READ | PROT_WRITE);
		break;
	case 3:
		if (kind->may & MAY_MERGE) {
			madvise(block_at(b), len, MADV_UNMERGEABLE);
			madvise(block_at(b), len, MADV_MERGEABLE);
		}
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		look_at_page(b, pick_page());
		break;
	default:
		write_page(b, pick_page());
	}
}

static void *own(void *arg)
{
	unsigned int me = (uintptr_t)arg;

	seed_thread(me);
	while (step()) {
		owner_step(&s->block[me + OWNERS * pick(BLOCKS / OWNERS)]);
		/* Others sleep by their nature, and are to have their share. */
		usleep(pick(200));
	}
	__atomic_add_fetch(&s->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/*
 * Nothing of the child is registered, and nothing that it writes is the parent's.
 * A block that was just moved away is not there, which is no damage.
 */
static void fork_and_write(void)
{
	struct block *b = &s->block[pick(BLOCKS)];
	pid_t pid = fork();
	int i;

	if (pid < 0)
		return;
	if (!pid) {
		/* By the kernel, which says so where it cannot. */
		for (i = 0; i < 4; i++)
			syscall(SYS_getrandom, page_at(b, pick_page()), 1, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	count(&s->forks);
}

static void move_pages_of(struct block *b)
{
	size_t n = 1 + pick(kind->pages), first = pick(kind->pages), i;
	void *page[MAX_PAGES];
	int node[MAX_PAGES], before[MAX_PAGES], status[MAX_PAGES];

	if (first + n > kind->pages)
		n = kind->pages - first;
	for (i = 0; i < n; i++) {
		page[i] = page_at(b, first + i);
		node[i] = pick(2);
	}
	for (i = 1; kind->align > 1 && i < n; i++)
		node[i] = node[0];
	if (kind->align > 1)
		n = 1;
	if (syscall(SYS_move_pages, 0, n, page, NULL, before, 0) ||
	    syscall(SYS_move_pages, 0, n, page, node, status, MPOL_MF_MOVE))
		return;
	for (i = 0; i < n; i++)
		if (before[i] >= 0 && before[i] != node[i] && status[i] == node[i])
			count(&s->migrated);
}

static void *trouble(void *arg)
{
	struct block *b;
	size_t first, n;

	seed_thread(16 + (uintptr_t)arg);
	while (step()) {
		b = &s->block[pick(BLOCKS)];
		first = pick(kind->pages);
		n = 1 + pick(kind->pages - first);
		/* Reclaim and a child that writes split a huge page. */
		switch (whole() ? 1 : pick(6)) {
		case 0:
			fork_and_write();
			break;
		case 1:
		case 2:
			move_pages_of(b);
			break;
		default:
			madvise(page_at(b, first), n * page_size(), MADV_PAGEOUT);
		}
		usleep(pick(200));
	}
	__atomic_add_fetch(&s->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static char *map_block(char *at)
{
	size_t len = kind->pages * page_size();

	if (mmap(at, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return NULL;
	if (kind->advice >= 0)
		madvise(at, len, kind->advice);
	if (kind->may & MAY_MERGE)
		madvise(at, len, MADV_MERGEABLE);
	return at;
}

/* A gap behind each place, so that no two blocks merge, and nothing else comes there. */
static int map_blocks(void)
{
	size_t align = kind->align * page_size();
	size_t len = kind->pages * page_size();
	size_t room = (len + page_size() + align - 1) / align * align;
	char *at = mmap(NULL, (2 * BLOCKS + 1) * room, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int i, j;

	if (at == MAP_FAILED)
		return errno;
	at = (char *)(((uintptr_t)at + align - 1) / align * align);
	for (i = 0; i < BLOCKS; i++) {
		for (j = 0; j < 2; j++, at += room)
			s->block[i].slot[j] = at;
		if (!map_block(s->block[i].slot[0]))
			return errno;
	}
	return 0;
}

static void target_main(void)
{
	size_t len = kind->pages * page_size();
	pthread_t thread;
	uintptr_t i;
	size_t j;

	s->err = map_blocks();
	if (!s->err) {
		s->uffd = uffd_open(kind->features | UFFD_FEATURE_PAGEFAULT_FLAG_WP);
		if (s->uffd < 0)
			s->err = errno;
	}
	for (i = 0; !s->err && i < BLOCKS; i++) {
		for (j = 0; j < kind->pages; j++)
			if (watched(j))
				write_page(&s->block[i], j);
		s->err = wp_register(s->uffd, s->block[i].slot[0], len, kind->mode);
	}
	__atomic_store_n(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->go, __ATOMIC_SEQ_CST))
		usleep(1000);
	for (i = 0; !s->err && i < OWNERS; i++)
		if (pthread_create(&thread, NULL, own, (void *)i) ||
		    pthread_create(&thread, NULL, trouble, (void *)i))
			_exit(1);
	for (;;)
		pause();
}

/*
 * The monitor
 */

/* The first two words of a page, unless its block is moved meanwhile. */
static bool peek(const struct block *b, size_t i, uint64_t word[2])
{
	unsigned int moves = load(&b->moves);
	size_t len = 2 * sizeof(*word);

	return !(moves & 1) &&
	       pread(mem, word, len, (uintptr_t)page_at(b, i)) == (ssize_t)len &&
	       load(&b->moves) == moves;
}

/* Since then nobody has given up its content. */
static bool same_epochs(int nr, size_t i)
{
	const struct block *b = &s->block[nr];

	return load(&b->epoch) == model[nr].page[i].epoch &&
	       load(&b->page_epoch[i]) == model[nr].page[i].page_epoch &&
	       !(model[nr].page[i].epoch & 1) &&
	       !(model[nr].page[i].page_epoch & 1);
}

static void begin_epochs(int nr, size_t i)
{
	model[nr].page[i].epoch = load(&s->block[nr].epoch);
	model[nr].page[i].page_epoch = load(&s->block[nr].page_epoch[i]);
}

/* The oracle; the block's model is locked, as in all that follows. */
static void look(int nr, size_t i)
{
	uint64_t word[2];
	bool read;

	if (!watched(i) || !model[nr].page[i].protected)
		return;
	read = peek(&s->block[nr], i, word);
	if (!same_epochs(nr, i)) {
		model[nr].page[i].protected = false;
		return;
	}
	if (read)
		count(&s->looks);
	if (read && memcmp(word, model[nr].page[i].word, sizeof(word)))
		damage("protected-page-changed",
		       "page %zu of block %d had %#llx %#llx and has %#llx %#llx",
		       i, nr, (unsigned long long)model[nr].page[i].word[0],
		       (unsigned long long)model[nr].page[i].word[1],
		       (unsigned long long)word[0], (unsigned long long)word[1]);
}

/* pagemap sets PM_SWAP for migration entries too: their type is not 0. */
static bool exists(const char *addr, bool protected)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry),
		  (uintptr_t)addr / page_size() * sizeof(entry)) != sizeof(entry))
		return false;
	if (protected && entry & WP_PM_SWAP && !(entry & 0x1f))
		count(&s->swapped);
	return entry & (WP_PM_SWAP | WP_PM_PRESENT);
}

/* If it is moved meanwhile, what is registered there is not the block. */
static void register_at(int nr, char *at, unsigned int moves)
{
	int err = wp_register(uffd, at, kind->pages * page_size(), kind->mode);

	model[nr].registered = !err && !(moves & 1) &&
			       load(&s->block[nr].moves) == moves;
}

/* What is not there cannot be protected: in anonymous memory no entry tells of it. */
static void protect(int nr, size_t first, size_t n)
{
	struct block *b = &s->block[nr];
	unsigned int moves = load(&b->moves);
	char *at = block_at(b);
	bool was[MAX_PAGES];
	size_t i;
	int err;

	if (moves & 1)
		return;
	for (i = first; i < first + n; i++) {
		was[i] = false;
		if (!watched(i))
			continue;
		if (!model[nr].page[i].protected)
			begin_epochs(nr, i);
		/* Before a look, which brings it in from swap. */
		was[i] = exists(at + i * page_size(),
				model[nr].page[i].protected);
		look(nr, i);
	}
	err = wp_protect(uffd, at + first * page_size(), n * page_size());
	if (err == ENOENT) {
		if (kind->features & UFFD_FEATURE_EVENT_REMAP &&
		    model[nr].registered && load(&b->moves) == moves)
			damage("registration-lost", "of block %d", nr);
		/* It was moved to where nothing is registered. */
		for (i = 0; i < kind->pages; i++)
			model[nr].page[i].protected = false;
		register_at(nr, at, moves);
	}
	if (err)
		return;
	count(&s->protects);
	for (i = first; i < first + n; i++) {
		if (model[nr].page[i].protected || !was[i])
			continue;
		model[nr].page[i].protected =
			peek(b, i, model[nr].page[i].word) &&
			same_epochs(nr, i) && load(&b->moves) == moves;
	}
}

static void unprotect(int nr, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++) {
		look(nr, i);
		model[nr].page[i].protected = false;
	}
	/* If this is refused, writes trap that need not. */
	wp_unprotect(uffd, page_at(&s->block[nr], first), n * page_size());
}

static void register_again(int nr)
{
	unsigned int moves = load(&s->block[nr].moves);
	char *at = block_at(&s->block[nr]);
	size_t len = kind->pages * page_size(), i;

	for (i = 0; i < kind->pages; i++) {
		look(nr, i);
		model[nr].page[i].protected = false;
	}
	wp_unregister(uffd, at, len);
	register_at(nr, at, moves);
}

static void *guard(void *arg)
{
	size_t first, n, i;
	int nr;

	seed_thread(32 + (uintptr_t)arg);
	while (step()) {
		nr = pick(BLOCKS);
		first = pick(kind->pages);
		n = pick(2) ? 1 : 1 + pick(kind->pages - first);
		if (whole() || !pick(8)) {
			first = 0;
			n = kind->pages;
		}
		pthread_mutex_lock(&model[nr].lock);
		switch (pick(16)) {
		case 0:
			register_again(nr);
			break;
		case 1:
		case 2:
		case 3:
			unprotect(nr, first, n);
			break;
		case 4:
		case 5:
		case 6:
		case 7:
		case 8:
			protect(nr, first, n);
			break;
		default:
			for (i = first; i < first + n; i++) {
				exists(page_at(&s->block[nr], i),
				       watched(i) && model[nr].page[i].protected);
				look(nr, i);
			}
		}
		pthread_mutex_unlock(&model[nr].lock);
	}
	return NULL;
}

/*
 * With the model locked: whoever had got hold of the page before it was protected
 * could still write there.
 */
static void *force(void *arg)
{
	uint64_t value;
	int nr;
	size_t i;

	seed_thread(33 + (uintptr_t)arg);
	while (step()) {
		nr = pick(BLOCKS);
		i = pick_page();
		value = pick(VALUES);
		pthread_mutex_lock(&model[nr].lock);
		if (pwrite(mem, &value, sizeof(value),
			   (uintptr_t)page_at(&s->block[nr], i) + sizeof(value)) > 0)
			count(&s->forced);
		look(nr, i);
		pthread_mutex_unlock(&model[nr].lock);
		usleep(500);
	}
	return NULL;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0 && errno == EBADF)
		damage("broken", "%s: %s", path, strerror(errno));
	close(fd);
}

static long number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

#define KSM	"/sys/kernel/mm/ksm/"
#define NUMA	"/proc/sys/kernel/numa_balancing"

static void *disturb(void *arg)
{
	char path[64];

	seed_thread(34 + (uintptr_t)arg);
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", target);
	while (step()) {
		s->merged = s->merged || number(KSM "pages_sharing") > 0;
		switch (pick(40)) {
		case 0:
			if (!swapoff(swap_path)) {
				count(&s->swapoffs);
				swapon(swap_path, 0);
			}
			break;
		case 1:
		case 2:
			put("/proc/sys/vm/compact_memory", "1");
			break;
		case 3:
			put(NUMA, pick(2) ? "1" : "0");
			break;
		case 4:
		case 5:
			put(path, "4");
			break;
		default:
			break;
		}
		usleep(1000);
	}
	return NULL;
}

/*
 * Faults
 */

static int block_of(const char *addr, size_t *i)
{
	size_t len = kind->pages * page_size();
	int nr, slot;

	for (nr = 0; nr < BLOCKS; nr++) {
		for (slot = 0; slot < 2; slot++) {
			char *at = s->block[nr].slot[slot];

			if (addr < at || addr >= at + len)
				continue;
			*i = (addr - at) / page_size();
			return nr;
		}
	}
	race_broken("a fault at %p, where nothing is", addr);
}

static int wake(char *page)
{
	struct uffdio_range range = { .start = (uintptr_t)page, .len = page_size() };

	return ioctl(uffd, UFFDIO_WAKE, &range);
}

static int fill_one(int nr, size_t i, char *page)
{
	static uint64_t *src;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.len = page_size(),
		.mode = pick(2) ? UFFDIO_COPY_MODE_WP : 0,
	};

	if (!src)
		src = shared_alloc(page_size());
	src[0] = 1 + pick(VALUES);
	copy.src = (uintptr_t)src;
	begin_epochs(nr, i);
	if (ioctl(uffd, UFFDIO_COPY, &copy))
		return errno;
	count(&s->fills);
	model[nr].page[i].word[0] = src[0];
	model[nr].page[i].word[1] = 0;
	model[nr].page[i].protected = copy.mode && same_epochs(nr, i);
	return 0;
}

/* Return: false if it is to be tried again, when the event was read. */
static bool serve(char *page, bool wp)
{
	int nr, err;
	size_t i;

	nr = block_of(page, &i);
	pthread_mutex_lock(&model[nr].lock);
	if (wp && whole())
		unprotect(nr, 0, kind->pages);
	look(nr, i);
	model[nr].page[i].protected = false;
	err = wp ? wp_unprotect(uffd, page, page_size()) : fill_one(nr, i, page);
	pthread_mutex_unlock(&model[nr].lock);
	if (err == EAGAIN)
		return false;
	count(&s->traps);
	/* Whoever waits looks again, and finds the page, or no registration. */
	if (err)
		wake(page);
	return true;
}

struct parked {
	char *page;
	bool wp;
};

static void *answer(void *arg)
{
	struct parked parked[4 * OWNERS];
	char *page;
	struct uffd_msg msg;
	size_t n = 0, i;

	(void)arg;
	seed_thread(35);
	while (__atomic_load_n(&s->done, __ATOMIC_SEQ_CST) < 2 * OWNERS) {
		event_readable(uffd, n ? 1 : 20);
		while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
			if (msg.event != UFFD_EVENT_PAGEFAULT)
				continue;
			page = (char *)(uintptr_t)(msg.arg.pagefault.address &
						   ~(page_size() - 1));
			/* A thread may have been woken, and fault once more. */
			for (i = 0; i < n && parked[i].page != page; i++)
				;
			if (i == ARRAY_SIZE(parked))
				race_broken("more faults than threads");
			n = i == n ? n + 1 : n;
			parked[i].page = page;
			parked[i].wp = msg.arg.pagefault.flags &
				       UFFD_PAGEFAULT_FLAG_WP;
		}
		for (i = 0; i < n;)
			if (serve(parked[i].page, parked[i].wp))
				parked[i] = parked[--n];
			else
				i++;
	}
	return NULL;
}

static char ksm_before[3][24], numa_before[24];

static void put_back(void)
{
	swapon(swap_path, 0);
	put(KSM "run", "2");
	put(KSM "run", ksm_before[0]);
	put(KSM "pages_to_scan", ksm_before[1]);
	put(KSM "sleep_millisecs", ksm_before[2]);
	if (*numa_before)
		put(NUMA, numa_before);
}

static void remember(const char *path, char *text)
{
	long n = number(path);

	if (n >= 0)
		sprintf(text, "%ld", n);
}

static int target_file(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", target, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		race_broken("%s: %s", path, strerror(errno));
	return fd;
}

/* A test in which something never happened has not been one. */
static void happened(const char *what, bool may, long n)
{
	ksft_print_msg("%s: %ld\n", what, n);
	if (may && !n)
		race_broken("%s: never", what);
}

/*
 * A write that nobody lets through keeps its thread, and then the others end, so
 * that nothing goes on any more.  As long as something does, the machine is slow.
 */
static bool all_end(void)
{
	long steps, before = -1;
	int done, idle = 0;

	while ((done = __atomic_load_n(&s->done, __ATOMIC_SEQ_CST)) < 2 * OWNERS) {
		usleep(100000);
		steps = __atomic_load_n(&s->steps, __ATOMIC_RELAXED);
		idle = steps > 0 && steps != before ? 0 : idle + 1;
		before = steps;
		if (idle < HANGS / 100)
			continue;
		damage("write-waits-for-ever", "%d of %d threads have ended, %ld steps are left",
		       done, 2 * OWNERS, steps);
		return false;
	}
	return true;
}

static void run(void)
{
	void *(*const threads[])(void *) = { answer, guard, force, disturb };
	pthread_t thread[ARRAY_SIZE(threads)];
	struct actor a = { .pid = target };
	uintptr_t i;
	size_t j;

	while (!__atomic_load_n(&s->ready, __ATOMIC_SEQ_CST))
		if (!race_look_again())
			race_broken("the target does not come up");
	uffd_require(s->err, kind->features);
	uffd = actor_fd(&a, s->uffd);
	mem = target_file("mem");
	pagemap = target_file("pagemap");
	for (i = 0; i < BLOCKS; i++) {
		pthread_mutex_init(&model[i].lock, NULL);
		model[i].registered = true;
	}
	__atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		if (i == 2 && !(kind->may & MAY_FORCE))
			continue;
		if (pthread_create(&thread[i], NULL, threads[i], (void *)i))
			race_broken("pthread_create");
	}
	if (!all_end())
		return;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		if (i != 2 || kind->may & MAY_FORCE)
			pthread_join(thread[i], NULL);
	for (i = 0; i < BLOCKS; i++)
		for (j = 0; j < kind->pages; j++)
			look(i, j);
}

int main(int argc, char **argv)
{
	long steps = argc == 4 ? atol(argv[1]) : 0;
	size_t i;

	for (i = 0; argc == 4 && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(argv[3], kinds[i].name))
			kind = &kinds[i];
	if (!kind || steps <= 0) {
		fprintf(stderr, "usage: wp-random STEPS SEED anon|anon-no-events|anon-thp\n");
		return KSFT_FAIL;
	}
	seed = strtoul(argv[2], NULL, 0);
	race_begin("wp-random-%s", kind->name);
	ksft_print_msg("SEED=%lu, %ld steps\n", seed, steps);
	if (geteuid())
		race_skip("needs root");
	if (kind->may & MAY_MERGE && number(KSM "run") < 0)
		race_skip("no KSM: CONFIG_KSM=y is needed");
	if (!swap_file(swap_path, sizeof(swap_path)))
		race_skip("needs swap, of one device");
	remember(KSM "run", ksm_before[0]);
	remember(KSM "pages_to_scan", ksm_before[1]);
	remember(KSM "sleep_millisecs", ksm_before[2]);
	remember(NUMA, numa_before);
	race_cleanup(put_back);
	put(KSM "pages_to_scan", "1000");
	put(KSM "sleep_millisecs", "5");
	put(KSM "run", "1");

	s = shared_alloc(sizeof(*s));
	s->steps = steps;
	target = race_fork();
	if (!target)
		target_main();
	run();
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);

	if (!strcmp(s->damage, "broken"))
		race_broken("see above");
	if (!s->damage[0]) {
		happened("protections", true, s->protects);
		happened("looks at protected pages", true, s->looks);
		happened("traps", true, s->traps);
		happened("fills", kind->mode & UFFDIO_REGISTER_MODE_MISSING, s->fills);
		happened("moves", kind->may & MAY_MOVE, s->moves);
		happened("forced writes", kind->may & MAY_FORCE, s->forced);
		happened("forks", true, s->forks);
		happened("merged pages", kind->may & MAY_MERGE, s->merged);
		happened("pages moved to another node", true, s->migrated);
		happened("protected pages found in swap", true, s->swapped);
		happened("swapoff", true, s->swapoffs);
	}
	return race_end(s->damage[0] ? s->damage : NULL);
}
