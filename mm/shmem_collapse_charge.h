/* SPDX-License-Identifier: GPL-2.0 */
/* What a collapse has charged a tmpfs for: mm/shmem_collapse_charge.c */
#ifndef _MM_SHMEM_COLLAPSE_CHARGE_H
#define _MM_SHMEM_COLLAPSE_CHARGE_H

#include <linux/types.h>

struct address_space;

bool shmem_collapse_charge(struct address_space *mapping);
void shmem_collapse_settle(void);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
void shmem_collapse_wait(struct address_space *mapping);
#else
static inline void shmem_collapse_wait(struct address_space *mapping)
{
}
#endif

#endif /* _MM_SHMEM_COLLAPSE_CHARGE_H */
