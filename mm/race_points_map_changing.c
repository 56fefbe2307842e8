// SPDX-License-Identifier: GPL-2.0
/* Creates the race points and guards of map_changing. */
#define CREATE_RACE_POINTS
#include <race_points/map_changing.h>
