/* SPDX-License-Identifier: GPL-2.0 */
/* The yielding mode of userfaultfd, for the tests of it. */
#ifndef UFFD_YIELD_H
#define UFFD_YIELD_H

#include "race_test.h"

/* A mode for struct monitored. */
extern const struct uffd_mode uffd_yielding;

#endif /* UFFD_YIELD_H */
