/* SPDX-License-Identifier: GPL-2.0 */
/* Holes that a userfaultfd is registered for: mm/shmem_collapse_uffd.c */
#ifndef _MM_SHMEM_COLLAPSE_UFFD_H
#define _MM_SHMEM_COLLAPSE_UFFD_H

#include <linux/types.h>

struct address_space;

bool shmem_uffd_missing(struct address_space *mapping, pgoff_t start);
bool shmem_uffd_missing_locked(struct address_space *mapping, pgoff_t start);

#endif /* _MM_SHMEM_COLLAPSE_UFFD_H */
