/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a monitor reads an event of a userfaultfd: see mm/uffd_event_read.c.
 */
#ifndef _LINUX_UFFD_EVENT_READ_H
#define _LINUX_UFFD_EVENT_READ_H

#include <linux/compiler_types.h>
#include <linux/types.h>

struct file;
struct uffd_msg;
struct userfaultfd_ctx;

/**
 * struct uffd_event_file - what a reader brings along for a fork
 * @file: a file without a context, NULL for none
 * @fd: a number that is reserved for it
 * @err: why there can be no file
 * @attached: the file has got its context, and must be installed
 */
struct uffd_event_file {
	struct file *file;
	int fd;
	int err;
	bool attached;
};

int uffd_event_read(struct userfaultfd_ctx *ctx, struct uffd_msg __user *to,
		    struct uffd_event_file *file);
void uffd_event_file_put(struct uffd_event_file *file);

#endif /* _LINUX_UFFD_EVENT_READ_H */
