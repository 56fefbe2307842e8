// SPDX-License-Identifier: GPL-2.0
/* Creates the race points and guards of write tracking. */
#define CREATE_RACE_POINTS
#include <race_points/write_tracking.h>
