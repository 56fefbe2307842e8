/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * USERFAULTFD_YIELD: a userfaultfd whose fills and removals do not wait for
 * each other.  See Documentation/admin-guide/mm/userfaultfd-yield.rst.
 */
#ifndef _UAPI_LINUX_USERFAULTFD_YIELD_H
#define _UAPI_LINUX_USERFAULTFD_YIELD_H

#include <linux/ioctl.h>

/*
 * Before UFFDIO_API, without an argument; contexts that come with
 * UFFD_EVENT_FORK have the mode of their parent.  EPERM: vm.userfaultfd_yield
 * is 0.  EBUSY: UFFDIO_API was called.  EINVAL: the kernel has no such mode.
 */
#define USERFAULTFD_YIELD	_IO(0xD5, 0x00)

#endif /* _UAPI_LINUX_USERFAULTFD_YIELD_H */
