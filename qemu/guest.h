/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which nodes run one guest, where they are, and who runs which vCPU.
 *
 * The text form is one word, so that it fits an option of QEMU and can be
 * compared byte by byte between the nodes:
 *
 *	ADDRESS:PORT/VCPUS+ADDRESS:PORT/VCPUS...
 *
 * in the order of the nodes; VCPUS is a list of numbers and ranges with colons
 * between them: "0-3:8-11".  Nothing here touches a socket or QEMU.
 */
#ifndef GVM_QEMU_GUEST_H
#define GVM_QEMU_GUEST_H

#include "gvm_port.h"

#define GVM_GUEST_NODES_MAX	64u
#define GVM_GUEST_VCPUS_MAX	254u	/* APIC ids 0-253, no x2APIC */
#define GVM_GUEST_TEXT_MAX	8192u	/* bytes of the text form */
#define GVM_GUEST_ADDRESS_MAX	64u

struct gvm_guest {
	u32	nodes_nr;
	u32	vcpus_nr;
	u32	me;
	u8	owner[GVM_GUEST_VCPUS_MAX];	/* vCPU -> node */
	char	host[GVM_GUEST_NODES_MAX][GVM_GUEST_ADDRESS_MAX];
	char	port[GVM_GUEST_NODES_MAX][8];
};

/*
 * Read the text form.  Every vCPU from 0 up belongs to exactly one node, vCPU 0
 * to node 0 (it starts the guest, and the devices are there), and every node
 * has one.  -EINVAL: *ret_why says what is wrong, as part of a sentence.
 */
int gvm_guest_parse(struct gvm_guest *guest, const char *text,
		    const char **ret_why);

#endif
