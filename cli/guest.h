/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `giantvm run --cluster FILE --id N -- qemu-system-x86_64 ...`: one guest over
 * many hosts.  guest.c reads what was asked for, guest-line.c makes QEMU's
 * command line of it (with guest-accel.c and guest-devices.c), guest-ram.c looks
 * after its RAM and starts it.
 */
#ifndef GVM_CLI_GUEST_H
#define GVM_CLI_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct gvm_conf;
struct gvm_conf_node;
struct gvm_conf_region;

struct gvm_guest_run {
	struct gvm_conf	*conf;
	const char	*plugin;	/* path of giantvm-vcpu.so */
	const char	*nodes;		/* qemu/guest.h: the nodes as text */
	unsigned	index;		/* of this node in it */
	const struct gvm_conf_node *node;	/* this one */
	const struct gvm_conf_region *region;	/* RAM; NULL: a file */
	char		*servers;	/* of the region, numeric */
	char		*listen;	/* where nodes get pages from us */
	char		*served;	/* where a server in this node listens; NULL */
	uint64_t	wait_ms;	/* for the other nodes; 0: the default */
	bool		any_latency;	/* idle CPUs may sleep as deeply as they like */
	bool		stats;
	char		**argv;		/* QEMU and its arguments, as typed */
};

/* Was `giantvm run` asked for a guest?  Looks only at options of ours. */
bool gvm_guest_wanted(int argc, char **argv);

/* All of it; returns the exit status, or does not return: it becomes QEMU. */
int gvm_guest_run(int argc, char **argv);

/* Where the RAM is: a region of the cluster file, or "file".  Complains. */
bool gvm_guest_ram_open(struct gvm_guest_run *run, const char *name);

/* Become QEMU, or on node 0 run it; returns the exit status. */
int gvm_guest_ram_execute(const struct gvm_guest_run *run, char **line);

/*
 * The command line of this node, ending with NULL.  Complains and returns NULL
 * if QEMU was told something that cannot be.  Words are not to be freed.
 */
char **gvm_guest_line(const struct gvm_guest_run *run);

/*
 * Tables that tell the guest where its memory lies, as files for QEMU's -acpitable
 * data=; false: it need not, or cannot, know.
 */
bool gvm_guest_numa(const struct gvm_guest_run *run, int *ret_srat,
		    int *ret_slit);

/*
 * How many vCPUs of one node a socket can have.  Those of a socket share a cache,
 * to the guest's kernel, which none of different nodes do.
 */
unsigned gvm_guest_socket(const struct gvm_conf *conf);

/*
 * guest-words.c: what to add to a kernel command line that says this; NULL: no
 * memory.  To be freed.
 */
char *gvm_guest_kernel_words(const struct gvm_conf *conf, const char *said);

/*
 * guest-accel.c: words that QEMU needs besides for its accelerator, or NULL.
 * The other two complain: of what was typed, and if the host has no KVM.
 */
const char *const *gvm_guest_accel_words(const struct gvm_guest_run *run);
bool gvm_guest_accel_judge(const struct gvm_guest_run *run);
bool gvm_guest_accel_there(const struct gvm_guest_run *run);

/* guest-devices.c: what would break the guest's memory; complains. */
bool gvm_guest_devices_judge(const struct gvm_guest_run *run);

/* What must be the same on all nodes, as one line.  To be freed. */
char *gvm_guest_command(const struct gvm_guest_run *run);

#endif
