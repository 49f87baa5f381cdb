// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A message between the QEMU processes of a guest is carried out only if its
 * sender may send it, about a vCPU that is its own or the receiver's: else one
 * wrong node could reset the others, or index where no vCPU is.
 */
#include <string.h>

#include "../check.h"
#include "wire.h"

static struct gvm_guest guest;

static bool ok(u32 me, u32 from, struct gvm_wire msg)
{
	guest.me = me;
	return !gvm_wire_judge(&guest, from, &msg);
}

static void bytes_and_back(void)
{
	const struct gvm_wire out = { 0x1234, 0x5678, 0x9abcdef0, 0x11223344,
		0x55667788, 0x0102030405060708, 0xf1f2f3f4f5f6f7f8 };
	struct gvm_wire in;
	u8 raw[GVM_WIRE_BYTES];

	gvm_wire_encode(&out, raw);
	CHECK(raw[0] == 0x34 && raw[1] == 0x12 && raw[24] == 0xf8);
	gvm_wire_decode(&in, raw);
	CHECK(memcmp(&in, &out, sizeof(in)) == 0);
}

/* Whatever the bytes are: an answer, and no vCPU that does not exist. */
static void noise(void)
{
	u64 x = 88172645463325252ull;

	for (int i = 0; i < 1000000; i++) {
		struct gvm_wire msg;
		u8 raw[GVM_WIRE_BYTES];

		for (unsigned j = 0; j < sizeof(raw); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			raw[j] = x & 1 ? (u8)(x >> 9) : (u8)(x >> 13 & 3);
		}
		gvm_wire_decode(&msg, raw);
		if (ok((u32)i & 1, ~(u32)i & 1, msg))
			CHECK(msg.cpu < guest.vcpus_nr &&
			      msg.type < GVM_WIRE_NR);
	}
}

#define M(...) ((struct gvm_wire){ __VA_ARGS__ })

int main(void)
{
	const char *why;

	CHECK(gvm_guest_parse(&guest, "a:1/0+b:1/1-2", &why) == 0);
	bytes_and_back();

	/* An interrupt goes to a vCPU of the receiver's. */
	CHECK(ok(1, 0, M(.type = GVM_WIRE_IRQ, .cpu = 2, .arg = 255)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_IRQ, .cpu = 2, .arg = 256)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_IRQ, .cpu = 0)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_INIT, .cpu = 3)));
	/* What is said about a local APIC comes from its owner. */
	CHECK(ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 1, .arg = 13)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 1, .arg = 3)));
	CHECK(ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 1, .arg = 0x36)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 1, .arg = 0x35)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 1, .arg = 0x42)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_APIC, .cpu = 0, .arg = 13)));
	/* Devices are node 0's, and only it decides. */
	CHECK(ok(0, 1, M(.type = GVM_WIRE_READ, .cpu = 1, .arg = 4)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_READ, .cpu = 1, .arg = 3)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_READ, .cpu = 0, .arg = 4)));
	CHECK(ok(0, 1, M(.type = GVM_WIRE_WRITE, .cpu = 1, .arg = 17)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_WRITE, .cpu = 1, .arg = 16)));
	CHECK(ok(0, 1, M(.type = GVM_WIRE_WRITE, .cpu = 1, .arg = 52)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_WRITE, .cpu = 1, .arg = 64)));
	CHECK(ok(1, 0, M(.type = GVM_WIRE_RESET)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_RESET)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_PAUSE)));
	CHECK(ok(1, 0, M(.type = GVM_WIRE_TSC, .arg = 2300000)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_TSC)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_TSC, .arg = 2300000)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_REPLY, .cpu = 0)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_ASK)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_ASK, .arg = GVM_ASK_NR)));
	/* Node 0 says who may stop all vCPUs, and who has to. */
	CHECK(ok(0, 1, M(.type = GVM_WIRE_LOCK, .cpu = 2)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_LOCK, .cpu = 0)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_LOCK, .cpu = 0)));
	CHECK(ok(1, 0, M(.type = GVM_WIRE_LOCKED, .cpu = 2)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_LOCKED, .cpu = 0)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_UNLOCK, .cpu = 0)));
	CHECK(ok(1, 0, M(.type = GVM_WIRE_FREEZE)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_FREEZE)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_THAW)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_FROZEN)));
	/* Of three nodes one may say that another one is lost, or the receiver. */
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_LOST, .arg = 1)));
	CHECK(ok(0, 1, M(.type = GVM_WIRE_LOST, .arg = 0)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_LOST, .arg = 2)));
	/* What a node counts is its own. */
	CHECK(ok(1, 0, M(.type = GVM_WIRE_COUNTER, .arg = 63)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_COUNTER, .arg = 64)));
	CHECK(!ok(1, 0, M(.type = GVM_WIRE_HOTPAGE, .arg = 64)));
	CHECK(ok(0, 1, M(.type = GVM_WIRE_AREA, .cpu = 1)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_AREA, .cpu = 0)));
	/* Nothing else, and nothing behind it. */
	CHECK(!ok(0, 1, M(.type = 0)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_NR)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_PING, .body_len = 1)));
	CHECK(!ok(0, 1, M(.type = GVM_WIRE_PING, .cpu = 1)));
	noise();
	return 0;
}
