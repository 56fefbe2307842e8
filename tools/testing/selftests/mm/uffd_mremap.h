/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share of an mremap() that moves and grows a locked mapping.
 */
#ifndef UFFD_MREMAP_H
#define UFFD_MREMAP_H

#include "uffd_oracle.h"

void mremap_locked(struct grow_locked *o);

#endif /* UFFD_MREMAP_H */
