// SPDX-License-Identifier: GPL-2.0-or-later
/* What happens to one page, a line for each thing, for people to read. */
#include <stdarg.h>
#include <stdio.h>

#include "cluster.h"

#define LINE_BYTES	400u

static const char *const names[GVM_CO_TYPE_NR] = {
	[GVM_CO_GET_SHARED] = "GET_SHARED",
	[GVM_CO_GET_EXCLUSIVE] = "GET_EXCLUSIVE",
	[GVM_CO_GRANT] = "GRANT",
	[GVM_CO_DONE] = "DONE",
	[GVM_CO_DECLINE] = "DECLINE",
	[GVM_CO_INVALIDATE] = "INVALIDATE",
	[GVM_CO_INVALIDATED] = "INVALIDATED",
	[GVM_CO_RECALL] = "RECALL",
	[GVM_CO_RETURN] = "RETURN",
	[GVM_CO_PUT] = "PUT",
	[GVM_CO_CONFIRM] = "CONFIRM",
	[GVM_CO_REFER] = "REFER",
	[GVM_CO_CANCEL] = "CANCEL",
	[GVM_CO_LOST] = "LOST",
};

static const char *const flags[] = {
	"exclusive", "have", "direct", "gave", "bytes", "zero",
};

bool gvm_sim_told(const struct sim *s, u64 page)
{
	return page == s->cfg.story_page ||
	       s->cfg.story_page == GVM_SIM_STORY_ALL;
}

static void put(struct sim *s, u64 page, const char *text)
{
	char which[32] = "", line[LINE_BYTES + 80];

	if (s->cfg.story_page == GVM_SIM_STORY_ALL && page != ~0ull)
		snprintf(which, sizeof(which), "page %llu: ",
			 (unsigned long long)page);
	snprintf(line, sizeof(line), "%10llu.%03llu us  %s%s",
		 (unsigned long long)s->clock / 1000,
		 (unsigned long long)s->clock % 1000, which, text);
	s->watch->line(s->watch->arg, line);
}

void gvm_sim_tell(struct sim *s, u64 page, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put(s, page, text);
}

const char *gvm_sim_actor_name(const struct sim *s, u32 actor, char *buf,
			       size_t len)
{
	if (!gvm_sim_is_home(s, actor))
		snprintf(buf, len, "node %u", actor);
	else if (s->cfg.homes == 1)
		snprintf(buf, len, "home");
	else
		snprintf(buf, len, "home %u", actor - s->cfg.nodes);
	return buf;
}

/* Ids that say something in this type of message. */
static int put_ids(char *text, size_t len, const struct sim_msg *m)
{
	const struct gvm_co_msg *co = &m->co;
	int n = 0;

	switch (co->type) {
	case GVM_CO_INVALIDATE:
		n = snprintf(text, len, " for %u slot %u", co->requester,
			     co->slot);
		if (co->lo < co->hi)
			n += snprintf(text + n, len - (size_t)n,
				      " and nodes %u..%u", co->lo, co->hi - 1u);
		return n;
	case GVM_CO_INVALIDATED:
		return snprintf(text, len, " slot %u", co->slot);
	case GVM_CO_RECALL:
	case GVM_CO_REFER:
		if (co->requester == GVM_NODE_HOME)
			return snprintf(text, len, " for home");
		return snprintf(text, len, " for %u", co->requester);
	case GVM_CO_DONE:
	case GVM_CO_DECLINE:
		if (co->giver >= GVM_NODE_HOME)
			return 0;
		return snprintf(text, len, " giver %u", co->giver);
	default:
		return 0;
	}
}

void gvm_sim_tell_msg(struct sim *s, const char *what, u32 from, u32 to,
		      const struct sim_msg *m)
{
	char a[24], b[24], text[LINE_BYTES];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s %s %s: %s seq %llu txn %llx",
			     gvm_sim_actor_name(s, from, a, sizeof(a)), what,
			     gvm_sim_actor_name(s, to, b, sizeof(b)),
			     names[m->co.type] ? names[m->co.type] : "?",
			     (unsigned long long)m->co.seq,
			     (unsigned long long)m->co.txn);
	for (u32 i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (m->co.flags >> i & 1)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
					      flags[i]);
	}
	n += (size_t)put_ids(text + n, sizeof(text) - n, m);
	if (m->co.need)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " need %llx",
				      (unsigned long long)m->co.need);
	if (m->co.flags & GVM_CO_BYTES)
		snprintf(text + n, sizeof(text) - n, " (write %llu)",
			 (unsigned long long)m->value);
	put(s, m->co.page, text);
}
