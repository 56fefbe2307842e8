/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of pinned pages share: a device that has pinned memory of this
 * process, ways to protect that memory for a while, and a child that refers to
 * a page which fork has made common.
 */
#ifndef PIN_TEST_H
#define PIN_TEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/io_uring.h>

/* As many references to a page as the kernel takes for a pin, and more. */
#define MANY_REFERENCES	1100

/* The device: a ring of io_uring with a registered buffer. */
struct pin {
	char *buf;
	int ring;
	int file;		/* where it writes what it has read */
	char *sq, *cq;
	struct io_uring_sqe *sqe;
	struct io_uring_params params;
};

void pin_buffer(struct pin *pin, char *buf, size_t len);
int pin_reads(struct pin *pin, const char *addr);

enum protector { BY_UFFD, BY_MPROTECT, BY_PROT_NONE, NR_PROTECTORS };

/* Memory that this process protects and unprotects. */
struct area {
	enum protector by;
	char *start;
	size_t len;
	int uffd;
};

void area_map(struct area *a, enum protector by, size_t pages);
void area_map_huge(struct area *a, enum protector by);
bool area_is_huge(const struct area *a);
void area_protect(struct area *a, char *start, size_t len);
void area_unprotect(struct area *a, char *start, size_t len);

/* How a child refers to the page, after it has unmapped it. */
enum reference { BY_PIPE, BY_READER };

struct sharer {
	enum reference by;
	char *page;
	pid_t pid;
	struct sharer_state *state;
	int pipe[2];
	pthread_t reader;
	int uffd;
	char *copy;
	ssize_t copied;
};

void sharer_fork(struct sharer *s, enum reference by, char *page);
void sharer_unmap(struct sharer *s, char *start, size_t len);
int sharer_reads(struct sharer *s);

void references_make(int pipe[2]);
void references_add(int pipe[2], char *page, int nr);
int references_read(int pipe[2]);

#endif /* PIN_TEST_H */
