/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worlds that are explored. */
#ifndef GVM_EXPLORE_WORLDS_H
#define GVM_EXPLORE_WORLDS_H

#include "world.h"

extern const struct config worlds[];
extern const u32 worlds_nr;

#endif
