/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared regions that programs on this machine have mapped. */
#ifndef GVM_CLI_STAT_SHARED_H
#define GVM_CLI_STAT_SHARED_H

#include <stdbool.h>
#include <giantvm/giantvm.h>

#define GVM_REGIONS_MAX	256

/* gvm_shared_list(), fit for a terminal; how many, none if it failed. */
int gvm_regions_read(struct gvm_shared_stats *ret);

/* Print them; quiet: nothing where there are none.  An exit status. */
int gvm_stat_shared(bool json, bool quiet);

#endif
