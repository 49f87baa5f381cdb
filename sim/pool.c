// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages under way.  A list of nodes keeps only the words that cover its
 * range, in pools by powers of two: the lists of a tree's lower levels are one
 * or two words, and there are thousands of them.
 */
#include <stdlib.h>

#include "cluster.h"

#define MSGS_FIRST	1024u
#define LISTS_FIRST	64u

bool gvm_sim_pool_init(struct sim_pool *p)
{
	memset(p, 0, sizeof(*p));
	p->free = SIM_NO_MSG;
	for (u32 c = 0; c < SIM_CLASSES; c++)
		p->words[c].free = SIM_NO_MSG;
	return true;
}

void gvm_sim_pool_free(struct sim_pool *p)
{
	free(p->msg);
	for (u32 c = 0; c < SIM_CLASSES; c++)
		free(p->words[c].word);
}

static bool grow(struct sim_pool *p)
{
	u32 max = p->max ? p->max * 2 : MSGS_FIRST;
	struct sim_msg *msg = realloc(p->msg, max * sizeof(*msg));

	if (!msg)
		return false;
	for (u32 i = max; i-- > p->max; ) {
		msg[i].next = p->free;
		p->free = i;
	}
	p->msg = msg;
	p->max = max;
	return true;
}

u32 gvm_sim_msg_new(struct sim_pool *p)
{
	u32 m = p->free;

	if (m == SIM_NO_MSG) {
		if (!grow(p))
			return SIM_NO_MSG;
		m = p->free;
	}
	p->free = p->msg[m].next;
	p->msg[m].next = SIM_NO_MSG;
	p->msg[m].list_class = SIM_NO_LIST;
	p->msg[m].job = 0;
	p->msg[m].hops = 0;
	p->msg[m].level = 0;
	p->used++;
	return m;
}

void gvm_sim_msg_free(struct sim_pool *p, u32 m)
{
	struct sim_msg *msg = &p->msg[m];

	if (msg->list_class != SIM_NO_LIST) {
		struct sim_words *w = &p->words[msg->list_class];

		w->word[(size_t)msg->list << msg->list_class] = w->free;
		w->free = msg->list;
	}
	msg->next = p->free;
	p->free = m;
	p->used--;
}

static bool grow_words(struct sim_words *w, u32 class)
{
	u32 max = w->max ? w->max * 2 : LISTS_FIRST;
	u64 *word = realloc(w->word, ((size_t)max << class) * sizeof(*word));

	if (!word)
		return false;
	for (u32 i = max; i-- > w->max; ) {
		word[(size_t)i << class] = w->free;
		w->free = i;
	}
	w->word = word;
	w->max = max;
	return true;
}

static u32 first_word(const struct sim_msg *m)
{
	return m->co.lo / GVM_GROUP_NODES;
}

u32 gvm_sim_list_words(const struct sim_msg *m)
{
	if (m->co.lo >= m->co.hi)
		return 0;
	return (m->co.hi - 1u) / GVM_GROUP_NODES - first_word(m) + 1;
}

/* Room for the words of m's range. */
static u64 *list_new(struct sim_pool *p, struct sim_msg *m)
{
	u32 words = gvm_sim_list_words(m);
	u32 class = words > 1 ? 32u - (u32)__builtin_clz(words - 1) : 0;
	struct sim_words *w = &p->words[class];
	u64 *word;

	if (w->free == SIM_NO_MSG && !grow_words(w, class))
		return NULL;
	m->list = w->free;
	m->list_class = (u8)class;
	word = &w->word[(size_t)m->list << class];
	w->free = (u32)word[0];
	return word;
}

bool gvm_sim_list_pack(struct sim_pool *p, struct sim_msg *m,
		       const struct gvm_sharers *s)
{
	u64 *word = list_new(p, m);

	if (!word)
		return false;
	memcpy(word, &s->word[first_word(m)],
	       gvm_sim_list_words(m) * sizeof(*word));
	return true;
}

bool gvm_sim_list_copy(struct sim_pool *p, struct sim_msg *to,
		       const struct sim_msg *from)
{
	u64 *word = list_new(p, to);

	if (!word)
		return false;
	/* The pool may have moved. */
	memcpy(word, &p->words[to->list_class].word[(size_t)from->list <<
						    from->list_class],
	       gvm_sim_list_words(from) * sizeof(*word));
	return true;
}

void gvm_sim_list_unpack(struct sim_pool *p, struct sim_msg *m)
{
	u32 words = gvm_sim_list_words(m);
	u32 first = first_word(m);
	const u64 *word;

	if (m->list_class == SIM_NO_LIST)
		return;
	word = &p->words[m->list_class].word[(size_t)m->list << m->list_class];
	for (u32 i = 0; i < words; i++) {
		u32 g = first + i;

		p->scratch.word[g] = word[i];
		if (word[i])
			p->scratch.summary[g / 64] |= 1ull << g % 64;
	}
	m->co.list = &p->scratch;
}

void gvm_sim_list_wipe(struct sim_pool *p, const struct sim_msg *m)
{
	if (m->list_class == SIM_NO_LIST)
		return;
	memset(p->scratch.summary, 0, sizeof(p->scratch.summary));
	memset(&p->scratch.word[first_word(m)], 0,
	       gvm_sim_list_words(m) * sizeof(u64));
}
