/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared regions that programs on this machine have mapped. */
#ifndef GVM_CLI_STAT_SHARED_H
#define GVM_CLI_STAT_SHARED_H

#include <stdbool.h>
#include <giantvm/giantvm.h>

/* Print them; quiet: nothing where there are none.  An exit status. */
int gvm_stat_shared(bool json, bool quiet);

#endif
