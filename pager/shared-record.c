// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes down which pages this node had to ask for, for `giantvm sim --load
 * trace`: lines of NODE PAGE r|w, appended to the file that $GIANTVM_RECORD
 * names.  Nodes on one machine may share a file: lines are whole, and only the
 * order of each node counts.
 *
 * Accesses to pages that are here make no fault, and are not in it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define RECORD_BYTES	65536u
#define LINE_MAX	48u

struct gvm_record {
	int	fd;
	u32	used;
	char	text[RECORD_BYTES];
};

static void begin(struct gvm_shared *r)
{
	struct gvm_record *rec = r->record;

	gvm_format(rec->text, sizeof(rec->text), "# region %s, node %u\n",
		   r->name, (unsigned int)r->id);
	while (rec->text[rec->used])
		rec->used++;
}

int gvm_record_init(struct gvm_shared *r)
{
	const char *path = getenv("GIANTVM_RECORD");
	long fd;

	if (!path || !*path)
		return 0;
	fd = gvm_sys(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND |
		     O_CLOEXEC, 0666);
	if (fd < 0) {
		gvm_format(r->why, sizeof(r->why), "cannot record to %s (error %u)",
			   path, (unsigned int)-fd);
		return (int)fd;
	}
	r->record = gvm_mem_map(sizeof(*r->record));
	if (!r->record) {
		gvm_sys(SYS_close, fd);
		return -ENOMEM;
	}
	r->record->fd = gvm_fd_high((int)fd);
	begin(r);
	return 0;
}

void gvm_record_flush(struct gvm_shared *r)
{
	struct gvm_record *rec = r->record;
	long n;

	if (!rec || !rec->used)
		return;
	n = gvm_sys(SYS_write, rec->fd, rec->text, rec->used);
	if (n != (long)rec->used)
		gvm_shared_fatal(r, "cannot write the record of region %s (is the disk full?); stopping",
				 r->name);
	rec->used = 0;
}

void gvm_record_fault(struct gvm_shared *r, u64 page, bool write)
{
	struct gvm_record *rec = r->record;

	if (!rec)
		return;
	if (rec->used + LINE_MAX > RECORD_BYTES)
		gvm_record_flush(r);
	gvm_format(rec->text + rec->used, LINE_MAX, "%u %llu %s\n",
		   (unsigned int)r->id, (unsigned long long)page,
		   write ? "w" : "r");
	while (rec->text[rec->used] != '\n')
		rec->used++;
	rec->used++;
}

void gvm_record_fini(struct gvm_shared *r)
{
	if (!r->record)
		return;
	gvm_record_flush(r);
	gvm_fd_mine(r->record->fd, false);
	gvm_sys(SYS_close, r->record->fd);
	gvm_mem_unmap(r->record, sizeof(*r->record));
	r->record = NULL;
}
