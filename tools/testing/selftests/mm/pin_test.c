// SPDX-License-Identifier: GPL-2.0
/* See pin_test.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest.h"
#include "pgtable_test.h"
#include "pin_test.h"
#include "race_test.h"
#include "wp_test.h"

#ifndef UIO_MAXIOV
#define UIO_MAXIOV	1024
#endif

static void *ring_map(struct pin *pin, size_t len, off_t offset)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, pin->ring, offset);

	if (p == MAP_FAILED)
		race_broken("mmap of a ring: %s", strerror(errno));
	return p;
}

/**
 * pin_buffer() - let a device pin memory of this process
 * @pin: filled in
 * @buf: the memory, which is mapped writable
 * @len: of the memory
 *
 * Skips the test where there is no io_uring.
 */
void pin_buffer(struct pin *pin, char *buf, size_t len)
{
	struct io_uring_params *p = &pin->params;
	struct iovec iov = { buf, len };

	memset(pin, 0, sizeof(*pin));
	pin->buf = buf;
	pin->ring = syscall(SYS_io_uring_setup, 1, p);
	if (pin->ring < 0)
		race_skip("no io_uring: %s", strerror(errno));
	pin->sq = ring_map(pin, p->sq_off.array + p->sq_entries * sizeof(__u32),
			   IORING_OFF_SQ_RING);
	pin->cq = ring_map(pin, p->cq_off.cqes +
			   p->cq_entries * sizeof(struct io_uring_cqe),
			   IORING_OFF_CQ_RING);
	pin->sqe = ring_map(pin, p->sq_entries * sizeof(*pin->sqe),
			    IORING_OFF_SQES);
	if (syscall(SYS_io_uring_register, pin->ring, IORING_REGISTER_BUFFERS,
		    &iov, 1))
		race_broken("IORING_REGISTER_BUFFERS: %s", strerror(errno));
	pin->file = memfd_create("device", MFD_CLOEXEC);
	if (pin->file < 0)
		race_broken("memfd_create: %s", strerror(errno));
}

/**
 * pin_reads() - what the device reads from memory that it has pinned
 * @pin: the device
 * @addr: where that memory was mapped when it was pinned
 * Return: a byte.
 */
int pin_reads(struct pin *pin, const char *addr)
{
	struct io_uring_params *p = &pin->params;
	__u32 *tail = (__u32 *)(pin->sq + p->sq_off.tail);
	__u32 *head = (__u32 *)(pin->cq + p->cq_off.head);
	__u32 *done = (__u32 *)(pin->cq + p->cq_off.tail);
	__u32 mask = *(__u32 *)(pin->cq + p->cq_off.ring_mask);
	struct io_uring_cqe *cqe = (void *)(pin->cq + p->cq_off.cqes);
	unsigned char byte;

	memset(pin->sqe, 0, sizeof(*pin->sqe));
	pin->sqe->opcode = IORING_OP_WRITE_FIXED;
	pin->sqe->fd = pin->file;
	pin->sqe->addr = (uintptr_t)addr;
	pin->sqe->len = 1;
	/* There is one entry, at index 0, and the array says so from the start. */
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, pin->ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		race_broken("io_uring_enter: %s", strerror(errno));
	while (__atomic_load_n(done, __ATOMIC_ACQUIRE) == *head)
		if (!race_look_again())
			race_broken("the device does not answer");
	if (cqe[*head & mask].res != 1)
		race_broken("the device: %s", strerror(-cqe[*head & mask].res));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (pread(pin->file, &byte, 1, 0) != 1)
		race_broken("what the device has read is not there");
	return byte;
}

static void area_register(struct area *a)
{
	int err = 0;

	if (a->by != BY_UFFD)
		return;
	a->uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (a->uffd < 0)
		err = errno;
	else
		err = wp_register(a->uffd, a->start, a->len,
				  UFFDIO_REGISTER_MODE_WP);
	uffd_require(err, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
}

/**
 * area_map() - small pages, each filled with its first letter
 * @a: filled in
 * @by: what is to protect it
 * @pages: how many
 *
 * Skips the test if there is nothing to protect it by.
 */
void area_map(struct area *a, enum protector by, size_t pages)
{
	size_t page = page_size();

	a->by = by;
	a->len = pages * page;
	/* Not merged with its neighbours, and never huge. */
	a->start = mmap(NULL, a->len + 2 * page, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->start != MAP_FAILED)
		a->start = map_at(a->start + page, a->len,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!a->start || a->start == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	madvise(a->start, a->len, MADV_NOHUGEPAGE);
	memset(a->start, 'A', a->len);
	area_register(a);
}

/**
 * area_map_huge() - one huge page, filled as well
 * @a: filled in
 * @by: what is to protect it
 *
 * Skips the test if there are no huge pages, or there is nothing to protect
 * it by.
 */
void area_map_huge(struct area *a, enum protector by)
{
	a->by = by;
	a->len = huge_size();
	thp_require();
	a->start = huge_area(a->len, a->len);
	if (a->start)
		a->start = map_at(a->start, a->len, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1);
	if (!a->start)
		race_broken("mmap: %s", strerror(errno));
	madvise(a->start, a->len, MADV_HUGEPAGE);
	memset(a->start, 'A', a->len);
	if (!area_is_huge(a))
		race_broken("there is no huge page");
	area_register(a);
}

/**
 * area_is_huge() - is it mapped by one entry?
 * @a: from area_map_huge()
 */
bool area_is_huge(const struct area *a)
{
	return smaps_kb(getpid(), a->start, a->len, "AnonHugePages") ==
	       (long)a->len >> 10;
}

static void area_mprotect(char *start, size_t len, int prot)
{
	if (mprotect(start, len, prot))
		race_broken("mprotect: %s", strerror(errno));
}

/**
 * area_protect() - take the write permission away
 * @a: the area
 * @start: of a range in it
 * @len: of the range
 */
void area_protect(struct area *a, char *start, size_t len)
{
	int err;

	if (a->by != BY_UFFD) {
		area_mprotect(start, len,
			      a->by == BY_PROT_NONE ? PROT_NONE : PROT_READ);
		return;
	}
	err = wp_protect(a->uffd, start, len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
}

/**
 * area_unprotect() - give it back
 * @a: the area
 * @start: of a range in it
 * @len: of the range
 */
void area_unprotect(struct area *a, char *start, size_t len)
{
	int err;

	if (a->by != BY_UFFD) {
		area_mprotect(start, len, PROT_READ | PROT_WRITE);
		return;
	}
	err = wp_unprotect(a->uffd, start, len);
	if (err)
		race_broken("UFFDIO_WRITEPROTECT: %s", strerror(err));
}

/**
 * references_make() - a pipe that takes MANY_REFERENCES
 * @pipe: filled in
 */
void references_make(int pipe[2])
{
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		race_broken("pipe: %s", strerror(errno));
	if (fcntl(pipe[0], F_SETPIPE_SZ, MANY_REFERENCES * page_size()) < 0)
		race_skip("no large pipe: %s", strerror(errno));
}

/**
 * references_add() - give a page to a pipe, without a copy
 * @pipe: from references_make()
 * @page: the page
 * @nr: how often
 */
void references_add(int pipe[2], char *page, int nr)
{
	struct iovec iov[UIO_MAXIOV];
	ssize_t len;
	int i, some;

	for (i = 0; i < UIO_MAXIOV; i++)
		iov[i] = (struct iovec){ page, page_size() };
	for (; nr > 0; nr -= some) {
		some = nr < UIO_MAXIOV ? nr : UIO_MAXIOV;
		len = vmsplice(pipe[1], iov, some, 0);
		if (len != (ssize_t)(some * page_size()))
			race_broken("vmsplice: %zd, %s", len, strerror(errno));
	}
}

/**
 * references_read() - what a pipe holds
 * @pipe: from references_make(), with a page that was added
 * Return: its next byte.
 */
int references_read(int pipe[2])
{
	unsigned char byte;

	if (read(pipe[0], &byte, 1) != 1)
		race_broken("the pipe is empty");
	return byte;
}

/* What the child has done, or is to do. */
enum sharer_step { STARTS, REFERS, UNMAP, UNMAPPED };

struct sharer_state {
	enum sharer_step step;
	char *start;		/* of what it unmaps */
	size_t len;
};

static void step_set(struct sharer *s, enum sharer_step step)
{
	__atomic_store_n(&s->state->step, step, __ATOMIC_RELEASE);
}

static void step_wait(struct sharer *s, enum sharer_step step)
{
	while (__atomic_load_n(&s->state->step, __ATOMIC_ACQUIRE) != step)
		if (!race_look_again())
			race_broken("a child does not come to step %d", step);
}

/* In the child. */
static void __noreturn sharer_main(struct sharer *s)
{
	if (s->by == BY_PIPE)
		references_add(s->pipe, s->page, MANY_REFERENCES);
	step_set(s, REFERS);
	step_wait(s, UNMAP);
	if (munmap(s->state->start, s->state->len))
		race_broken("munmap: %s", strerror(errno));
	step_set(s, UNMAPPED);
	for (;;)
		pause();
}

static void *read_page(void *arg)
{
	struct sharer *s = arg;
	struct iovec to = { s->copy, page_size() };
	struct iovec from = { s->page, page_size() };

	s->copied = process_vm_readv(s->pid, &to, 1, &from, 1, 0);
	return NULL;
}

/*
 * The page is pinned for reading, through the mapping of the child, while the
 * reader waits for a place to copy it to.
 */
static void reader_start(struct sharer *s)
{
	struct uffd_msg msg;
	int err;

	s->uffd = uffd_open(0);
	uffd_require(s->uffd < 0 ? errno : 0, 0);
	s->copy = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->copy == MAP_FAILED)
		race_broken("mmap: %s", strerror(errno));
	err = wp_register(s->uffd, s->copy, page_size(),
			  UFFDIO_REGISTER_MODE_MISSING);
	if (!err)
		err = pthread_create(&s->reader, NULL, read_page, s);
	if (err)
		race_broken("a reader: %s", strerror(err));
	event_read(s->uffd, UFFD_EVENT_PAGEFAULT, &msg);
}

/**
 * sharer_fork() - fork a child that refers to a page of both
 * @s: filled in
 * @by: how: MANY_REFERENCES of a pipe, or a pin for reading
 * @page: the page
 */
void sharer_fork(struct sharer *s, enum reference by, char *page)
{
	memset(s, 0, sizeof(*s));
	s->by = by;
	s->page = page;
	s->state = shared_alloc(sizeof(*s->state));
	if (by == BY_PIPE)
		references_make(s->pipe);
	s->pid = race_fork();
	if (!s->pid)
		sharer_main(s);
	step_wait(s, REFERS);
	if (by == BY_READER)
		reader_start(s);
}

/**
 * sharer_unmap() - let the child unmap the page, and keep its reference
 * @s: the child
 * @start: of what it unmaps
 * @len: of what it unmaps
 */
void sharer_unmap(struct sharer *s, char *start, size_t len)
{
	s->state->start = start;
	s->state->len = len;
	step_set(s, UNMAP);
	step_wait(s, UNMAPPED);
}

/**
 * sharer_reads() - what the child's reference reads
 * @s: the child, to be called once
 * Return: the first byte of the page.
 */
int sharer_reads(struct sharer *s)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)s->copy, .len = page_size() },
	};

	if (s->by == BY_PIPE)
		return references_read(s->pipe);
	if (ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero))
		race_broken("UFFDIO_ZEROPAGE: %s", strerror(errno));
	pthread_join(s->reader, NULL);
	if (s->copied != (ssize_t)page_size())
		race_broken("process_vm_readv: %zd", s->copied);
	return (unsigned char)*s->copy;
}
