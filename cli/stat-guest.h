/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests on several nodes, as the QEMU processes of this machine tell of them. */
#ifndef GVM_CLI_STAT_GUEST_H
#define GVM_CLI_STAT_GUEST_H

#include <stdbool.h>
#include <giantvm/guest.h>

#define GVM_GUESTS_MAX	64

/* gvm_guest_list(), fit for a terminal; how many, none if it failed. */
int gvm_guests_read(struct gvm_guest_stats *ret);

/* `giantvm stat --guest`; an exit status. */
int gvm_stat_guest(bool json);

#endif
