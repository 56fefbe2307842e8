// SPDX-License-Identifier: GPL-2.0
/* Creates the race points and guards of page tables and their installation. */
#define CREATE_RACE_POINTS
#include <race_points/pgtable_install.h>
