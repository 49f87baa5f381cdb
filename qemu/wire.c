// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages become bytes and bytes become judged messages.
 */
#include "arbiter.h"
#include "wire.h"

enum way { ANY, FROM_0, TO_0 };
enum whose { NO_CPU, MINE, THEIRS };

struct rule {
	const char	*name;
	enum way	way;
	enum whose	whose;
	u32		arg_min, arg_max;
	u32		body_max;
};

/* Registers of a local APIC: id, LDR, DFR, SVR, LINT1. */
#define MIRRORED	(1ull << 0x02 | 7ull << 0x0d | 1ull << 0x36)

#define EXACTLY(n)	(n), (n)

/* A hole is a message that nobody may send. */
static const struct rule rules[GVM_WIRE_NR] = {
	[GVM_WIRE_HELLO]  = { "HELLO", ANY, NO_CPU, 0, ~0u, GVM_WIRE_BODY_MAX },
	[GVM_WIRE_REFUSE] = { "REFUSE", ANY, NO_CPU, EXACTLY(0), 1024 },
	[GVM_WIRE_READY]  = { "READY", ANY, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_PING]   = { "PING", ANY, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_PONG]   = { "PONG", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_IRQ]    = { "IRQ", ANY, MINE, 0, 255 },
	[GVM_WIRE_INIT]   = { "INIT", ANY, MINE, EXACTLY(0) },
	[GVM_WIRE_SIPI]   = { "SIPI", ANY, MINE, 0, 255 },
	[GVM_WIRE_NMI]    = { "NMI", ANY, MINE, EXACTLY(0) },
	[GVM_WIRE_SMI]    = { "SMI", ANY, MINE, EXACTLY(0) },
	[GVM_WIRE_APIC]   = { "APIC", ANY, THEIRS, 0, 0x3f },
	[GVM_WIRE_EOI]    = { "EOI", TO_0, THEIRS, 0, 255 },
	[GVM_WIRE_READ]   = { "READ", TO_0, THEIRS, 1, 8 },
	[GVM_WIRE_WRITE]  = { "WRITE", TO_0, THEIRS, 1, 63 },
	[GVM_WIRE_REPLY]  = { "REPLY", FROM_0, MINE, 0, ~0u },
	[GVM_WIRE_PAUSE]  = { "PAUSE", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_PAUSED] = { "PAUSED", TO_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_RESUME] = { "RESUME", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_RESET]  = { "RESET", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_ASK]    = { "ASK", TO_0, NO_CPU, 0, GVM_ASK_NR - 1 },
	[GVM_WIRE_TSC]    = { "TSC", FROM_0, NO_CPU, 1, ~0u },
	[GVM_WIRE_BYE]    = { "BYE", ANY, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_LOST]   = { "LOST", ANY, NO_CPU, 0, GVM_GUEST_NODES_MAX - 1 },
	[GVM_WIRE_LOCK]   = { "LOCK", TO_0, THEIRS, EXACTLY(0) },
	[GVM_WIRE_FREEZE] = { "FREEZE", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_FROZEN] = { "FROZEN", TO_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_LOCKED] = { "LOCKED", FROM_0, MINE, EXACTLY(0) },
	[GVM_WIRE_UNLOCK] = { "UNLOCK", TO_0, THEIRS, EXACTLY(0) },
	[GVM_WIRE_THAW]   = { "THAW", FROM_0, NO_CPU, EXACTLY(0) },
	[GVM_WIRE_COUNTER] = { "COUNTER", ANY, NO_CPU, 0,
			       GVM_WIRE_COUNTERS - 1 },
	[GVM_WIRE_HOTPAGE] = { "HOTPAGE", ANY, NO_CPU, 0, GVM_WIRE_HOT - 1 },
	[GVM_WIRE_AREA]   = { "AREA", ANY, THEIRS, EXACTLY(0) },
	[GVM_WIRE_TURNASK] = { "TURNASK", TO_0, NO_CPU, 0, GVM_TURN_ASKS - 1 },
	[GVM_WIRE_TURN]   = { "TURN", FROM_0, NO_CPU, 0, GVM_TURN_WORDS - 1 },
};

static void put(u8 *at, u64 value, unsigned bytes)
{
	while (bytes--) {
		*at++ = (u8)value;
		value >>= 8;
	}
}

static u64 get(const u8 *at, unsigned bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

void gvm_wire_encode(const struct gvm_wire *msg, u8 out[GVM_WIRE_BYTES])
{
	put(out, msg->type, 2);
	put(out + 2, msg->cpu, 2);
	put(out + 4, msg->epoch, 4);
	put(out + 8, msg->body_len, 4);
	put(out + 12, msg->arg, 4);
	put(out + 16, msg->addr, 8);
	put(out + 24, msg->val, 8);
}

void gvm_wire_decode(struct gvm_wire *msg, const u8 in[GVM_WIRE_BYTES])
{
	msg->type = (u16)get(in, 2);
	msg->cpu = (u16)get(in + 2, 2);
	msg->epoch = (u32)get(in + 4, 4);
	msg->body_len = (u32)get(in + 8, 4);
	msg->arg = (u32)get(in + 12, 4);
	msg->addr = get(in + 16, 8);
	msg->val = get(in + 24, 8);
}

static bool is_width(u32 bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

const char *gvm_wire_judge(const struct gvm_guest *guest, u32 from,
			   const struct gvm_wire *msg)
{
	const struct rule *rule;
	u32 owner;

	if (msg->type >= GVM_WIRE_NR || !rules[msg->type].name)
		return "of an unknown type";
	rule = &rules[msg->type];
	if ((rule->way == FROM_0 && from != 0) ||
	    (rule->way == TO_0 && guest->me != 0))
		return "that this node may not send";
	if (msg->body_len > rule->body_max)
		return "that is too long";
	if (msg->arg < rule->arg_min || msg->arg > rule->arg_max)
		return "with a bad argument";
	if (msg->type == GVM_WIRE_LOST &&
	    (msg->arg >= guest->nodes_nr || msg->arg == from))
		return "about a node that cannot be lost";
	if (rule->whose == NO_CPU)
		return msg->cpu ? "with a vCPU where none belongs" : NULL;
	if (msg->cpu >= guest->vcpus_nr)
		return "with a vCPU that does not exist";
	owner = guest->owner[msg->cpu];
	if (owner != (rule->whose == MINE ? guest->me : from))
		return "with a vCPU of another node";
	if ((msg->type == GVM_WIRE_READ && !is_width(msg->arg)) ||
	    (msg->type == GVM_WIRE_WRITE &&
	     !is_width(msg->arg & GVM_WIRE_WIDTH)))
		return "with a bad width";
	if (msg->type == GVM_WIRE_APIC && !(MIRRORED >> msg->arg & 1))
		return "with a register that is not mirrored";
	return NULL;
}

const char *gvm_wire_name(u32 type)
{
	return type < GVM_WIRE_NR && rules[type].name ? rules[type].name : "?";
}
