// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nodes of a guest are read right, and nonsense is refused: otherwise two
 * nodes could run the same vCPU.
 */
#include <string.h>

#include "../check.h"
#include "guest.h"

static const char *bad(const char *text)
{
	static struct gvm_guest guest;
	const char *why = NULL;

	guest.vcpus_nr = 77;
	CHECK(gvm_guest_parse(&guest, text, &why) == -EINVAL);
	CHECK(guest.vcpus_nr == 77);
	CHECK(why && *why);
	return why;
}

int main(void)
{
	static struct gvm_guest guest;
	static char many[8192];
	const char *why;

	guest.me = 1;
	CHECK(gvm_guest_parse(&guest, "10.0.0.1:7000/0-1:4+[fe80::1]:8/2-3",
			      &why) == 0);
	CHECK(guest.me == 1);
	CHECK(guest.nodes_nr == 2 && guest.vcpus_nr == 5);
	CHECK(memcmp(guest.owner, (u8[]){ 0, 0, 1, 1, 0 }, 5) == 0);
	CHECK(strcmp(guest.host[0], "10.0.0.1") == 0);
	CHECK(strcmp(guest.port[0], "7000") == 0);
	CHECK(strcmp(guest.host[1], "fe80::1") == 0);
	CHECK(strcmp(guest.port[1], "8") == 0);

	CHECK(strstr(bad("a:1/0+b:1/0"), "twice"));
	CHECK(strstr(bad("a:1/0+b:1/2"), "missing"));
	CHECK(strstr(bad("a:1/1+b:1/0"), "vCPU 0"));
	CHECK(strstr(bad("a:1/0+b:1/254"), "253"));
	CHECK(strstr(bad("a:1/0+b:1/99999999999999"), "253"));
	CHECK(strstr(bad("a:1/0,b:1/1"), "between"));
	CHECK(strstr(bad("a:/0"), "port"));
	CHECK(strstr(bad("a:x/0"), "port"));
	CHECK(strstr(bad(":1/0"), "address"));
	CHECK(strstr(bad("a:1"), "VCPUS"));
	bad("");
	bad("a:1/");
	bad("a:1/0-");
	bad("a:1/1-0");
	bad("a:1/0+");

	for (int i = 0; i < 65; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
			 "%sa:1/%d", i ? "+" : "", i);
	CHECK(strstr(bad(many), "64 nodes"));
	return 0;
}
