// SPDX-License-Identifier: GPL-2.0
/*
 * What a userfaultfd fill, a page fault and a fork cost, in instructions: see
 * bench_test.h.
 *
 * Each operation is done on a page that is absent, with its page table, its
 * source and its page cache there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_test.h"
#include "race_test.h"

#define SIZE_4K		0x1000UL
#define SIZE_64K	0x10000UL
#define SIZE_2M		0x200000UL
#define FORKED		(4 * SIZE_2M)

static int uffd;
static char *fill_dst, *fill_src, *anon, *shmem, *forked;
static pid_t child;

static void drop(void *addr, size_t len)
{
	if (madvise(addr, len, MADV_DONTNEED))
		race_broken("MADV_DONTNEED: %s", strerror(errno));
}

static void drop_fill(void)
{
	drop(fill_dst, SIZE_2M);
}

static void drop_anon(void)
{
	drop(anon, SIZE_4K);
}

static void drop_shmem(void)
{
	drop(shmem, SIZE_4K);
}

static void copy(size_t len)
{
	struct uffdio_copy arg = {
		.dst = (unsigned long)fill_dst,
		.src = (unsigned long)fill_src,
		.len = len,
	};

	if (ioctl(uffd, UFFDIO_COPY, &arg))
		race_broken("UFFDIO_COPY: %s", strerror(errno));
}

static void copy_4k(void)
{
	copy(SIZE_4K);
}

static void copy_64k(void)
{
	copy(SIZE_64K);
}

static void copy_2m(void)
{
	copy(SIZE_2M);
}

static void zero_4k(void)
{
	struct uffdio_zeropage arg = {
		.range = { .start = (unsigned long)fill_dst, .len = SIZE_4K },
	};

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &arg))
		race_broken("UFFDIO_ZEROPAGE: %s", strerror(errno));
}

static void read_anon(void)
{
	__atomic_load_n(anon, __ATOMIC_RELAXED);
}

static void write_anon(void)
{
	__atomic_store_n(anon, 1, __ATOMIC_RELAXED);
}

static void read_shmem(void)
{
	__atomic_load_n(shmem, __ATOMIC_RELAXED);
}

static void write_shmem(void)
{
	__atomic_store_n(shmem, 1, __ATOMIC_RELAXED);
}

static void end_child(void)
{
	if (child > 0)
		waitpid(child, NULL, 0);
	child = 0;
}

static void fork_child(void)
{
	child = fork();
	if (!child)
		_exit(0);
}

/* A child's memory is that of this program, and in addition: */
static void prepare_fork(size_t len)
{
	end_child();
	drop(forked, FORKED);
	memset(forked, 1, len);
}

/* nothing; */
static void fork_none(void)
{
	prepare_fork(0);
}

/* page tables that are full; */
static void fork_full(void)
{
	prepare_fork(FORKED);
}

/* page tables whose last entry is in use, the slowest to be seen. */
static void fork_last(void)
{
	size_t at;

	prepare_fork(0);
	for (at = SIZE_2M; at <= FORKED; at += SIZE_2M)
		forked[at - 1] = 1;
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} rows[] = {
	{ "copy-4k", drop_fill, copy_4k },
	{ "copy-64k", drop_fill, copy_64k },
	{ "copy-2m", drop_fill, copy_2m },
	{ "zeropage-4k", drop_fill, zero_4k },
	{ "read-fault-anon", drop_anon, read_anon },
	{ "write-fault-anon", drop_anon, write_anon },
	{ "read-fault-shmem", drop_shmem, read_shmem },
	{ "write-fault-shmem", drop_shmem, write_shmem },
	{ "fork-none", fork_none, fork_child },
	{ "fork-full", fork_full, fork_child },
	{ "fork-last", fork_last, fork_child },
};

static char *map(size_t len, int flags, int fd)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	return p;
}

/* A mapping whose first @len bytes are whole page tables. */
static char *map_tables(size_t len)
{
	char *p = map(len + SIZE_2M, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	return p + (-(uintptr_t)p & (SIZE_2M - 1));
}

static void prepare_all(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd;

	forked = map_tables(FORKED);
	if (madvise(forked, FORKED, MADV_NOHUGEPAGE))
		race_broken("MADV_NOHUGEPAGE: %s", strerror(errno));
	fill_src = map_tables(SIZE_2M);
	memset(fill_src, 0x5a, SIZE_2M);
	fill_dst = map_tables(SIZE_2M);
	anon = map_tables(SIZE_2M);
	/* one page, so that a read fault maps no others around it */
	fd = memfd_create("bench", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, SIZE_4K))
		race_broken("memfd: %s", strerror(errno));
	shmem = map(SIZE_4K, MAP_SHARED, fd);
	*shmem = 1;

	uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		race_broken("userfaultfd: %s", strerror(errno));
	reg.range.start = (unsigned long)fill_dst;
	reg.range.len = SIZE_2M;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		race_broken("UFFDIO_REGISTER: %s", strerror(errno));
}

int main(void)
{
	size_t i;

	race_begin("uffd-fill-bench");
	if (page_size() != SIZE_4K)
		race_skip("pages are not of 4 KiB");
	prepare_all();
	bench_begin();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		bench_row(rows[i].name, rows[i].prepare, rows[i].run);
	return race_end(NULL);
}
