/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the QEMU processes of one guest say to each other.
 *
 * Little endian, a fixed header of 32 bytes; only HELLO and REFUSE have bytes
 * behind it.  A message that the table does not allow is refused, and nothing
 * is done about it.  TCP keeps the order between two nodes, and the guest's
 * correctness needs that: a REPLY after the interrupts that went before it, a
 * RESET before the SIPI of the next start.
 *
 *	type	from, to	cpu	meaning
 *	HELLO	any, any	-	who I am; strings to compare
 *	REFUSE	any, any	-	why not; the guest does not start
 *	READY	any, any	-	machine built, messages are served now; val is
 *					equal where its processors are
 *	PING	any, any	-	alive; val is the sender's clock
 *	PONG	0, other	-	val of the PING; addr is node 0's clock
 *	TSC	0, other	-	vCPU 0's counter is val when node 0's clock
 *					is addr; it has arg kHz (KVM only)
 *	IRQ	any, owner	target	vector arg, level triggered if addr
 *	INIT, NMI, SMI		target
 *	SIPI	any, owner	target	page arg
 *	APIC	owner, all	source	register arg (id, LDR, DFR, SVR, LINT1) is
 *					val
 *	EOI	other, 0	source	of level vector arg
 *	READ	other, 0	source	arg bytes at addr; a port if val is 1
 *	WRITE	other, 0	source	arg & 15 bytes; a port if arg & 16;
 *					no REPLY is wanted if arg & 32
 *	REPLY	0, other	target	val that was read; arg is a MemTxResult
 *	PAUSE	0, other	-	stop your vCPUs ...
 *	PAUSED	other, 0	-	... they are
 *	RESUME	0, other	-	run; val is node 0's guest clock minus host clock
 *	RESET	0, other	-	reset your vCPUs; epoch is the new one
 *	ASK	other, 0	-	please do arg (enum gvm_wire_ask)
 *	BYE	any, any	-	I end; the guest is over
 *	LOST	any, any	-	I end because node arg is lost
 *	LOCK	other, 0	source	needs all vCPUs stopped for an operation (lock.c)
 *	FREEZE	0, other	-	stop your vCPUs, for a moment ...
 *	FROZEN	other, 0	-	... they are
 *	LOCKED	0, other	target	go on with it
 *	UNLOCK	other, 0	source	done
 *	THAW	0, other	-	run your vCPUs again
 *	COUNTER	any, any	-	arg (enum gvm_guest_counter) of mine is val
 *	HOTPAGE	any, any	-	the arg-th page that moves most: addr, gives
 *					and gets in val
 *	AREA	any, any	source	its kernel has its own data at val
 *	TURNASK	other, 0	-	arg (enum gvm_turn_ask) about turns
 *	TURN	0, other	-	arg (enum gvm_turn_word) about turns
 */
#ifndef GVM_QEMU_WIRE_H
#define GVM_QEMU_WIRE_H

#include "guest.h"

#define GVM_WIRE_MAGIC		0x70637667u	/* "gvcp" */
#define GVM_WIRE_VERSION	5u
#define GVM_WIRE_BODY_MAX	65536u
#define GVM_WIRE_BYTES		32u

enum gvm_wire_type {
	GVM_WIRE_HELLO = 1,
	GVM_WIRE_REFUSE,
	GVM_WIRE_READY,
	GVM_WIRE_PING,
	GVM_WIRE_PONG,
	GVM_WIRE_IRQ,
	GVM_WIRE_INIT,
	GVM_WIRE_SIPI,
	GVM_WIRE_NMI,
	GVM_WIRE_SMI,
	GVM_WIRE_APIC,
	GVM_WIRE_EOI,
	GVM_WIRE_READ,
	GVM_WIRE_WRITE,
	GVM_WIRE_REPLY,
	GVM_WIRE_PAUSE,
	GVM_WIRE_PAUSED,
	GVM_WIRE_RESUME,
	GVM_WIRE_RESET,
	GVM_WIRE_ASK,
	GVM_WIRE_BYE,
	GVM_WIRE_LOCK,
	GVM_WIRE_FREEZE,
	GVM_WIRE_FROZEN,
	GVM_WIRE_LOCKED,
	GVM_WIRE_UNLOCK,
	GVM_WIRE_THAW,
	GVM_WIRE_COUNTER,
	GVM_WIRE_HOTPAGE,
	GVM_WIRE_AREA,
	GVM_WIRE_TSC,
	GVM_WIRE_LOST,
	GVM_WIRE_TURNASK,
	GVM_WIRE_TURN,
	GVM_WIRE_NR
};

enum gvm_wire_ask {
	GVM_ASK_RESET,
	GVM_ASK_PAUSE,
	GVM_ASK_RESUME,
	GVM_ASK_NR
};

#define GVM_WIRE_WIDTH		15u	/* in arg of WRITE */
#define GVM_WIRE_PORT_IO	16u
#define GVM_WIRE_POSTED		32u

#define GVM_WIRE_COUNTERS	64u	/* arg of COUNTER is below */
#define GVM_WIRE_HOT		64u	/* arg of HOTPAGE is below */

struct gvm_wire {
	u16	type;
	u16	cpu;
	u32	epoch;		/* resets of the guest so far */
	u32	body_len;
	u32	arg;
	u64	addr;
	u64	val;
};

void gvm_wire_encode(const struct gvm_wire *msg, u8 out[GVM_WIRE_BYTES]);
void gvm_wire_decode(struct gvm_wire *msg, const u8 in[GVM_WIRE_BYTES]);

/*
 * May node `from` say this to guest->me?  NULL if so, else why not, as part
 * of a sentence.
 */
const char *gvm_wire_judge(const struct gvm_guest *guest, u32 from,
			   const struct gvm_wire *msg);

const char *gvm_wire_name(u32 type);

#endif
