/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `giantvm region` shows: regions and one region, in words and as JSON. */
#ifndef GVM_CLI_REGION_H
#define GVM_CLI_REGION_H

#include "server/query-region.h"

/* What one server said; error is set when it said nothing. */
struct gvm_region_answer {
	const char	*address;
	char		error[GVM_QUERY_WHY_MAX];
	bool		absent;		/* it does not have the region */
	struct gvm_region_info *list;	/* of `list` */
	uint32_t	list_nr;
	struct gvm_region_report report;	/* of `status` */
};

/* 0, or -1 if it cannot be printed. */
int gvm_region_show_list(const struct gvm_region_answer *a, unsigned nr,
			 int json);
int gvm_region_show_status(const char *name, const struct gvm_region_answer *a,
			   unsigned nr, int json);

#endif
