/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of docs/PROTOCOL.md for one page: a home and NODES nodes on a
 * network that loses, repeats and reorders, with nodes that die and come back.
 *
 * It is written from the text, not from the C: what both get wrong in the same
 * way is found by reading, what one gets wrong is found here or by
 * tests/explore/.  Time does not exist.  A party asks again when nothing is
 * under way (for nothing), or earlier (RETRIES times).
 *
 * Checked after every step: one writer or many readers; whoever can read has
 * the latest write; a page is lost only after a death.  At the end: nobody
 * waits, and it took no more than QUIET_MAX rounds of asking again.
 *
 * Size:	NODES OPS (faults and evictions of all nodes together)
 * What may go wrong:	LOSSES DUPS RETRIES CRASHES JOINS
 * Parts:	CLOSED (no open grants)
 *		CARRY (home does not rely on messages between nodes when it drives)
 *		EVICT REFER_ON RELAY (nodes 1.. share, 0 writes; slots of RANGE nodes)
 * Mistakes that must be found: BAD_*, listed in ./run
 */
#ifndef NODES
#define NODES 3
#endif
#ifndef OPS
#define OPS 3
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef DUPS
#define DUPS 0
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef JOINS
#define JOINS 0
#endif
#ifndef RANGE
#define RANGE 2		/* sharers of a slot */
#endif
#define NET_MAX		24
#define QUIET_MAX	8
#define WRITES_MAX	3	/* what M_VAL can tell apart */
#define SLOTS		6

#define H		6	/* the home, as an address */
#define NONE		7
#define BIT(n)		(1 << (n))

/* Messages, packed into 32 bits. */
#define GET_SHARED	0
#define GET_EXCLUSIVE	1
#define GRANT		2
#define DONE		3
#define DECLINE		4
#define INVALIDATE	5
#define INVALIDATED	6
#define RECALL		7
#define RETURN		8
#define PUT		9
#define CONFIRM		10
#define REFER		11
#define CANCEL		12
#define LOST		13

/* Flags; which of a pair is meant follows from the type. */
#define EXCL		1	/* GRANT RECALL CANCEL; INVALIDATE, INVALIDATED: it
				 * is an open grant, too */
#define HAVE		1	/* GET_EXCLUSIVE */
#define GAVE		1	/* RETURN */
#define BYTES		2	/* GRANT */
#define DIRECT		2	/* GET_SHARED */

/*
 * The slot of INVALIDATE and INVALIDATED lies where others have the txn, unless
 * they are EXCL: then it is slot 0.  A GRANT is open if its req is OPEN.  A RECALL
 * of what was granted open has that grant's txn in its mask, and OF_OPEN.
 */
#define OPEN		1
#define OF_OPEN		16
#define PACK(type, to, from, req, seq, txn, mask, val, fl, ep) \
	((type) | ((to) << 4) | ((from) << 7) | ((req) << 10) | \
	 ((seq) << 13) | ((txn) << 17) | ((mask) << 21) | ((val) << 27) | \
	 ((fl) << 29) | ((ep) << 31))
#define M_TYPE		(m & 15)
#define M_TO		((m >> 4) & 7)
#define M_FROM		((m >> 7) & 7)
#define M_REQ		((m >> 10) & 7)
#define M_SEQ		((m >> 13) & 15)
#define M_TXN		((m >> 17) & 15)
#define M_MASK		((m >> 21) & 63)
#define M_VAL		((m >> 27) & 3)
#define M_FL		((m >> 29) & 3)
#define M_EP		((m >> 31) & 1)

/* States of a node. */
#define INVALID		0
#define WANT_SHARED	1
#define WANT_EXCL	2
#define UPGRADE		3
#define GRANTED		4
#define GRANTED_UP	5
#define SHARED		6
#define MODIFIED	7
#define WAIT_SHARED	8
#define WAIT_EXCL	9
#define DEAD		10
#define READABLE(n)	(st[n] == SHARED || st[n] == UPGRADE || \
			 st[n] == GRANTED_UP || st[n] == MODIFIED)
#define ASKS(n)		(st[n] >= WANT_SHARED && st[n] <= GRANTED_UP)
#define ASKS_EXCL(n)	(st[n] >= WANT_EXCL && st[n] <= GRANTED_UP)

/* What a home is busy with. */
#define IDLE		0
#define INVALIDATING	1
#define MOVING		2
#define SHARING		3
#define FETCHING	4
#define ASKING		5	/* who moved */
#define ASKING_SHARED	6

/* A node.  epoch | counter << 1 is a txn. */
byte st[NODES];
byte cseq[NODES];	/* of the copy or grant */
byte val[NODES];
byte txn[NODES];	/* the latest want's, even when over */
byte stale[NODES];
byte got[NODES];	/* slots that came, for gotseq */
byte gotseq[NODES];
byte need[NODES];
byte giver[NODES];
bit  nopen[NODES];	/* the grant needs no DONE */
int  held[NODES];	/* a RECALL that waits for an open grant; 0: none */
bit  nohave[NODES];	/* this want said that it has no bytes */
bit  ep[NODES];
/* Its given record: what, to whom, for which want. */
byte gkind[NODES];	/* 0, GRANT, RETURN, PUT */
byte gseq[NODES];
byte gto[NODES];
byte gtxn[NODES];
byte gval[NODES];
bit  ggave[NODES];
#ifdef REFER_ON
int  guest[NODES];	/* a REFER that waits for our copy; 0: none */
byte taken[NODES];	/* who took our copy: its number */
#endif
#ifdef RELAY
byte rseq[NODES];	/* 0: none */
byte rfrom[NODES];
byte rslot[NODES];
byte rmask[NODES];	/* the list, echoed in the answer */
byte rmiss[NODES];	/* children that have not answered */
#endif

/* The home. */
byte hseq = 1;
byte howner = NONE;
byte hmem;
byte hsh;
byte member;
bit  hlost;
byte hkind;
byte hr;
byte ht;
bit  hhave;
bit  hdead;		/* FETCHING since the requester died */
bit  hexcl;		/* ASKING for */
bit  hvain;		/* sharers answer home */
byte hneed;		/* slots not known to be answered */
byte hslot[SLOTS];	/* nodes of a slot */
byte hslots;
byte qn;
int  q[NODES];		/* the requests themselves */
bit  hep[NODES];	/* epoch of each member */
bit  hopen;		/* howner was granted hmem and has said nothing yet */
byte hoseq;
byte hocount;		/* of its txn; the rest is the owner's epoch */
byte hother = NONE;	/* whom it must hear from first */
#ifdef REFER_ON
byte hserver;		/* mask: whom home has sent the page itself */
#endif

int  net[NET_MAX];
byte nr;

byte latest;		/* number of the latest write */
#if OPS > WRITES_MAX
byte writes;		/* asked for; a message has room for so many numbers */
#define MAY_WRITE	writes < WRITES_MAX
#define COUNT_WRITE	writes++
#else
#define MAY_WRITE	true
#define COUNT_WRITE	skip
#endif
byte ops;
byte losses;
byte dups;
byte retries;
byte crashes;
byte joins;
byte quiet;
byte pick;		/* while choosing */

hidden int m;
hidden int out[40];
hidden byte on;
hidden byte i;
hidden byte j;
hidden byte n;
hidden byte x;
hidden byte y;
hidden byte drive;

#define SEND(type, to, from, req, seq, t, mask, v, fl, e) \
	out[on] = PACK(type, to, from, req, seq, t, mask, v, fl, e); on++

/* For people: what happens, when a trail is replayed. */
#ifdef STORY
#define TELL(what, who)	printf(what, who)
inline story()
{
	if
	:: M_TYPE == GET_SHARED -> printf("GET_SHARED")
	:: M_TYPE == GET_EXCLUSIVE -> printf("GET_EXCLUSIVE")
	:: M_TYPE == GRANT -> printf("GRANT")
	:: M_TYPE == DONE -> printf("DONE")
	:: M_TYPE == DECLINE -> printf("DECLINE")
	:: M_TYPE == INVALIDATE -> printf("INVALIDATE")
	:: M_TYPE == INVALIDATED -> printf("INVALIDATED")
	:: M_TYPE == RECALL -> printf("RECALL")
	:: M_TYPE == RETURN -> printf("RETURN")
	:: M_TYPE == PUT -> printf("PUT")
	:: M_TYPE == CONFIRM -> printf("CONFIRM")
	:: M_TYPE == REFER -> printf("REFER")
	:: M_TYPE == CANCEL -> printf("CANCEL")
	:: M_TYPE == LOST -> printf("LOST")
	:: else -> skip
	fi;
	printf(" from %d requester/giver %d seq %d", M_FROM, M_REQ, M_SEQ);
	printf(" txn/slot %d mask %d val %d flags %d\n", M_TXN, M_MASK,
	       M_VAL, M_FL)
}
#else
#define TELL(what, who)	skip
#define story()		skip
#endif

/* Into the network: a sorted bag, in which equal messages are one. */
inline flush()
{
	i = 0;
	do
	:: i < on ->
		j = 0;
		do
		:: j < nr && net[j] < out[i] -> j++
		:: else -> break
		od;
		if
		:: j < nr && net[j] == out[i] -> skip
		:: else ->
			assert(nr < NET_MAX);
			x = nr;
			do
			:: x > j -> net[x] = net[x - 1]; x--
			:: else -> break
			od;
			net[j] = out[i];
			nr++
		fi;
		i++
	:: else -> break
	od;
	on = 0
}

inline unnet(k)
{
	j = k;
	nr--;
	do
	:: j < nr -> net[j] = net[j + 1]; j++
	:: else -> break
	od;
	net[nr] = 0
}

/* ---- a node ---- */

inline ask(w)
{
	if
	:: st[w] == WANT_SHARED ->
		SEND(GET_SHARED, H, w, w, 0, txn[w], 0, 0, 0, ep[w])
	:: else ->
		SEND(GET_EXCLUSIVE, H, w, w, gotseq[w], txn[w], got[w], 0,
		     ((st[w] == UPGRADE || st[w] == GRANTED_UP) &&
		      !nohave[w] -> HAVE : 0), ep[w])
	fi
}

inline want(w, state)
{
	txn[w] = txn[w] + 2;
	assert(txn[w] < 16);
	st[w] = state;
	stale[w] = 0;
	got[w] = 0;
	gotseq[w] = 0;
	nohave[w] = 0;
	ask(w)
}

/* Who was referred to us and not served goes back, unless a writer took both. */
inline guest_leaves(w, upto)
{
#ifdef REFER_ON
	if
	:: guest[w] != 0 && ((guest[w] >> 13) & 15) >= upto ->
		SEND(GET_SHARED, H, w, (guest[w] >> 10) & 7, 0,
		     (guest[w] >> 17) & 15, 0, 0, DIRECT, ep[w])
	:: else -> skip
	fi;
	guest[w] = 0
#else
	skip
#endif
}

inline over(w)
{
	stale[w] = 0;
	got[w] = 0;
	gotseq[w] = 0;
	need[w] = 0;
	nohave[w] = 0;
	nopen[w] = 0;
	quiet = 0
}

/* The writer has its grant: may it write? */
inline complete(w)
{
	if
#ifdef BAD_NEED
	:: true ->
#else
#ifdef BAD_OLD_ACKS
	:: (need[w] & ~got[w]) == 0 ->
#else
	:: (need[w] & ~(gotseq[w] == cseq[w] -> got[w] : 0)) == 0 ->
#endif
#endif
		st[w] = MODIFIED;
#ifdef REFER_ON
		taken[w] = cseq[w];
#endif
		assert(val[w] == latest);	/* part of a page is written */
		latest++;
		assert(latest <= WRITES_MAX);
		val[w] = latest;
		if
		:: nopen[w] -> skip
		:: else -> SEND(DONE, H, w, giver[w], cseq[w], 0, 0, 0, 0, ep[w])
		fi;
		over(w);
		giver[w] = 0
	:: else -> skip
	fi
}

inline forget(w)
{
	gkind[w] = 0;
	gseq[w] = 0;
	gto[w] = 0;
	gtxn[w] = 0;
	gval[w] = 0;
	ggave[w] = 0
}

/* What the given record says, once or again. */
inline tell(w, again)
{
	if
	:: gkind[w] == GRANT ->
		SEND(GRANT, gto[w], w, 0, gseq[w], gtxn[w], 0, gval[w],
		     EXCL + BYTES, 0);
		if
		:: again == 2 -> SEND(RETURN, H, w, gto[w], gseq[w], 0, 0, gval[w],
				 GAVE, ep[w])
		:: else -> skip
		fi
	:: gkind[w] == RETURN ->
		if
		:: gto[w] != H && again != 2 ->
			SEND(GRANT, gto[w], w, 0, gseq[w], gtxn[w], 0,
			     gval[w], BYTES, 0)
		:: else -> skip
		fi;
		SEND(RETURN, H, w, gto[w], gseq[w], 0, 0, gval[w], ggave[w],
		     ep[w])
	:: gkind[w] == PUT ->
		SEND(PUT, H, w, 0, gseq[w], 0, 0, gval[w], 0, ep[w])
	:: else -> skip
	fi
}

inline give(w, kind, to, seq, t, v, gave)
{
	gkind[w] = kind;
	gto[w] = to;
	gseq[w] = seq;
	gtxn[w] = t;
	gval[w] = v;
	ggave[w] = gave
}

inline node_grant(w)
{
	if
	:: (M_FL & EXCL) && txn[w] == M_TXN && ASKS_EXCL(w) ->
		if
		:: M_SEQ < stale[w] ->
			SEND(DECLINE, H, w, M_FROM, M_SEQ, M_TXN, 0, 0, 0, ep[w])
		:: else ->
			if
#ifndef BAD_NO_BYTES
			:: st[w] == WANT_EXCL && !(M_FL & BYTES) ->
				nohave[w] = 1;
				ask(w)
#endif
			:: else ->
				if
				:: (st[w] == GRANTED || st[w] == GRANTED_UP) &&
				   cseq[w] == M_SEQ ->
					skip
				:: else ->
					if
					:: M_FL & BYTES ->
						val[w] = M_VAL
					:: else -> skip
					fi;
					st[w] = (st[w] == UPGRADE ||
						 st[w] == GRANTED_UP ->
						 GRANTED_UP : GRANTED);
					cseq[w] = M_SEQ;
					nopen[w] = (M_FROM == H &&
						    M_REQ == OPEN -> 1 : 0);
					giver[w] = M_FROM
				fi;
				need[w] = M_MASK;
				complete(w)
			fi
		fi
	:: (M_FL & EXCL) && !(txn[w] == M_TXN && ASKS_EXCL(w)) ->
		if
#ifdef BAD_DONE
		:: true ->
#else
		:: (st[w] == MODIFIED && cseq[w] == M_SEQ) ||
		   (gkind[w] == PUT && gseq[w] == M_SEQ) ->
#endif
			if
			:: M_FROM == H && M_REQ == OPEN -> skip
			:: else ->
				SEND(DONE, H, w, M_FROM, M_SEQ, 0, 0, 0, 0,
				     ep[w])
			fi
		:: else ->
			SEND(DECLINE, H, w, M_FROM, M_SEQ, M_TXN, 0, 0, 0, ep[w])
		fi
	:: !(M_FL & EXCL) && st[w] == WANT_SHARED && txn[w] == M_TXN ->
		if
#ifndef BAD_STALE
		:: M_SEQ < stale[w] -> skip	/* has asked again since */
#endif
		:: else ->
			st[w] = SHARED;
			cseq[w] = M_SEQ;
			val[w] = M_VAL;
#ifdef REFER_ON
			if
			:: guest[w] != 0 &&
			   ((guest[w] >> 13) & 15) >= cseq[w] ->
				SEND(GRANT, (guest[w] >> 10) & 7, w, 0,
				     (guest[w] >> 13) & 15,
				     (guest[w] >> 17) & 15, 0, val[w], BYTES, 0)
			:: else -> skip
			fi;
			guest[w] = 0;
#endif
			over(w)
		fi
	:: else -> skip
	fi
}

inline drop(w)
{
	cseq[w] = 0;
	val[w] = 0
}

inline node_invalidate(w)
{
	if
	:: ASKS(w) && M_SEQ > stale[w] &&
	   !((st[w] == GRANTED || st[w] == GRANTED_UP) && M_SEQ <= cseq[w]) ->
		stale[w] = M_SEQ;
		if
		:: st[w] == WANT_SHARED -> guest_leaves(w, M_SEQ); ask(w)
		:: else -> skip
		fi
	:: else -> skip
	fi;
	if
#ifdef BAD_EARLY_ACK
	:: w == 1 -> skip
#endif
	:: (st[w] == SHARED || st[w] == UPGRADE) && M_SEQ > cseq[w] ->
		st[w] = (st[w] == SHARED -> INVALID : WANT_EXCL);
#ifdef REFER_ON
		taken[w] = M_SEQ;
#endif
		drop(w)
	:: else -> assert(!(st[w] == GRANTED || st[w] == GRANTED_UP ||
			    st[w] == MODIFIED) || M_SEQ <= cseq[w])
	fi;
#ifdef RELAY
	/* List: myself and others, of whom the first leads the rest. */
	x = M_MASK & ~BIT(w);
	if
	:: x == 0 ->
		SEND(INVALIDATED, M_REQ, w, w, M_SEQ, M_TXN, M_MASK, 0, M_FL,
		     ep[w])
	:: else ->
		if
		:: rseq[w] == M_SEQ && rmask[w] == M_MASK &&
		   rfrom[w] == M_REQ && rslot[w] == M_TXN -> skip
		:: else ->
			rseq[w] = M_SEQ;
			rmask[w] = M_MASK;
			rfrom[w] = M_REQ;
			rslot[w] = M_TXN;
			rmiss[w] = x
		fi;
		i = 0;
		y = 0;
		do
		:: i < NODES ->
			if
			:: rmiss[w] & BIT(i) ->
				SEND(INVALIDATE, i, w, w, M_SEQ, y, BIT(i),
				     0, 0, ep[i])
			:: else -> skip
			fi;
			y = y + ((x & BIT(i)) != 0 -> 1 : 0);
			i++
		:: else -> break
		od;
#ifdef BAD_RELAY_EARLY
		SEND(INVALIDATED, M_REQ, w, w, M_SEQ, M_TXN, M_MASK, 0, 0, 0)
#endif
	fi
#else
	SEND(INVALIDATED, M_REQ, w, w, M_SEQ, M_TXN, M_MASK, 0, M_FL,
		     ep[w])
#endif
}

/* The only other sharer has dropped it, and says that it is ours. */
inline granted_by_sharer(w)
{
	if
	:: M_SEQ > gotseq[w] -> got[w] = 0
	:: else -> skip
	fi;
	gotseq[w] = M_SEQ;
	got[w] = got[w] | 1;
	if
#ifndef BAD_OPEN_BARE
	:: st[w] == WANT_EXCL ->
		nohave[w] = 1;
		ask(w)
#endif
	:: else ->
		if
		:: (st[w] == GRANTED || st[w] == GRANTED_UP) &&
		   cseq[w] == M_SEQ -> skip
		:: else ->
			st[w] = GRANTED_UP;
			cseq[w] = M_SEQ;
			giver[w] = H;
			nopen[w] = 1
		fi;
		need[w] = 1;
		complete(w)
	fi
}

inline node_invalidated(w)
{
	if
#ifdef RELAY
	:: rseq[w] != 0 && rseq[w] == M_SEQ && M_FROM != H && !(M_FL & EXCL) ->
		rmiss[w] = rmiss[w] & ~M_MASK;
		if
		:: rmiss[w] == 0 ->
			SEND(INVALIDATED, rfrom[w], w, w, rseq[w], rslot[w],
			     rmask[w], 0, 0, 0);
			rseq[w] = 0;
			rfrom[w] = 0;
			rslot[w] = 0;
			rmask[w] = 0
		:: else -> skip
		fi
#endif
	:: (M_FL & EXCL) && ASKS_EXCL(w) && txn[w] == M_TXN &&
	   M_SEQ >= gotseq[w] && M_SEQ >= stale[w] ->
		granted_by_sharer(w)
	:: !(M_FL & EXCL) && ASKS_EXCL(w) && M_SEQ >= gotseq[w] ->
		if
		:: M_SEQ > gotseq[w] -> got[w] = 0
		:: else -> skip
		fi;
		gotseq[w] = M_SEQ;
		got[w] = got[w] | BIT(M_TXN);
		if
		:: st[w] == GRANTED || st[w] == GRANTED_UP -> complete(w)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* Was an open grant taken?  It may be on its way, or not wanted any more. */
inline nothing_here(w)
{
	if
	:: !(M_MASK & OF_OPEN) || (READABLE(w) && cseq[w] >= M_SEQ) -> skip
#ifndef BAD_OPEN_DECLINE
	:: (M_MASK & OF_OPEN) && !(READABLE(w) && cseq[w] >= M_SEQ) &&
	   ASKS_EXCL(w) && txn[w] == (M_MASK & 15) ->
		if
		:: ((held[w] >> 13) & 15) < M_SEQ -> held[w] = m
		:: else -> skip
		fi
#endif
	:: else ->
		SEND(DECLINE, H, w, NONE, M_SEQ, M_TXN, 0, 0, 0, ep[w])
	fi
}

inline node_recall(w)
{
	if
	:: st[w] == MODIFIED && cseq[w] < M_SEQ ->
		if
		:: M_FL & EXCL ->
			if
			:: M_REQ == H ->
				give(w, RETURN, H, M_SEQ, 0, val[w], 0)
			:: else ->
				give(w, GRANT, M_REQ, M_SEQ, M_TXN, val[w], 0)
			fi;
#ifdef BAD_UNMAP_LATE
			skip
#else
			st[w] = INVALID;
			drop(w)
#endif
		:: else ->
			give(w, RETURN, M_REQ, M_SEQ, M_TXN, val[w], 0);
			st[w] = SHARED;
			cseq[w] = M_SEQ
		fi;
		tell(w, 0)
	:: else ->
		if
		:: gkind[w] != 0 && gkind[w] != PUT && gseq[w] == M_SEQ ->
			tell(w, 1)
		/* Not one of before: its bytes are old. */
		:: gkind[w] == PUT &&
		   (gseq[w] + 1 == M_SEQ ||
		    (M_REQ == H && gseq[w] + 2 == M_SEQ)) ->
			x = gval[w];
			if
			:: M_REQ == H || !(M_FL & EXCL) ->
				give(w, RETURN, M_REQ, M_SEQ, M_TXN, x, 0)
			:: else ->
				give(w, GRANT, M_REQ, M_SEQ, M_TXN, x, 0)
			fi;
			tell(w, 0)
		:: gkind[w] == GRANT && gseq[w] < M_SEQ && M_REQ == H ->
			x = gval[w];
			give(w, RETURN, H, M_SEQ, 0, x, GAVE);
			tell(w, 0)
		:: else -> nothing_here(w)
		fi
	fi;
#ifdef BAD_FORGET
	forget(w)
#endif
}

inline node_confirm(w)
{
	if
	:: gkind[w] != 0 && gseq[w] == M_SEQ ->
		forget(w);
		quiet = 0;
		if
		:: st[w] == WAIT_SHARED -> want(w, WANT_SHARED)
		:: st[w] == WAIT_EXCL -> want(w, WANT_EXCL)
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline node_refer(w)
{
#ifdef REFER_ON
	if
	:: (READABLE(w) && cseq[w] > M_SEQ) || taken[w] > M_SEQ ||
	   (ASKS(w) && stale[w] > M_SEQ) ->
		skip		/* the reader was invalidated with us */
	:: !((READABLE(w) && cseq[w] > M_SEQ) || taken[w] > M_SEQ ||
	     (ASKS(w) && stale[w] > M_SEQ)) && READABLE(w) &&
	   st[w] != MODIFIED ->
#ifdef BAD_REFER_SEQ
		SEND(GRANT, M_REQ, w, 0, cseq[w] + 4, M_TXN, 0, val[w], BYTES, 0)
#else
		SEND(GRANT, M_REQ, w, 0, M_SEQ, M_TXN, 0, val[w], BYTES, 0)
#endif
	:: else ->
		if
		:: st[w] == WANT_SHARED && stale[w] <= M_SEQ &&
		   taken[w] <= M_SEQ && (guest[w] == 0 || guest[w] == m) ->
			guest[w] = m
		:: else ->
#ifdef BAD_NO_BACK
			skip
#else
			SEND(GET_SHARED, H, w, M_REQ, 0, M_TXN, 0, 0, DIRECT,
			     ep[w])
#endif
		fi
	fi
#else
	skip
#endif
}

inline node_cancel(w)
{
	if
	:: (M_FL & EXCL) && ((st[w] == MODIFIED && cseq[w] == M_SEQ) ||
			     (gkind[w] == PUT && gseq[w] == M_SEQ)) ->
		SEND(DONE, H, w, H, M_SEQ, 0, 0, 0, 0, ep[w])
	:: !(M_FL & EXCL) && READABLE(w) && cseq[w] == M_SEQ ->
		give(w, RETURN, H, M_SEQ, 0, val[w], 0);
		tell(w, 0)
	:: !(M_FL & EXCL) && gkind[w] == RETURN && gseq[w] == M_SEQ ->
		tell(w, 0)
	:: else ->
#ifndef BAD_CANCEL
		if
		:: ASKS(w) && stale[w] <= M_SEQ -> stale[w] = M_SEQ + 1
		:: else -> skip
		fi;
#endif
		SEND(DECLINE, H, w, H, M_SEQ, 0, 0, 0, 0, ep[w])
	fi
}

inline node_recv(w)
{
	if
	:: st[w] == DEAD -> skip
#ifndef BAD_OLD_EPOCH
	:: st[w] != DEAD && M_FROM == H && M_EP != ep[w] -> skip
#endif
	:: else ->
		if
		:: M_TYPE == GRANT -> node_grant(w)
		:: M_TYPE == INVALIDATE -> node_invalidate(w)
		:: M_TYPE == INVALIDATED -> node_invalidated(w)
		:: M_TYPE == RECALL -> node_recall(w)
		:: M_TYPE == CONFIRM -> node_confirm(w)
		:: M_TYPE == REFER -> node_refer(w)
		:: M_TYPE == CANCEL -> node_cancel(w)
		:: M_TYPE == LOST && ASKS(w) && txn[w] == M_TXN ->
			st[w] = INVALID;
			guest_leaves(w, 0);
			drop(w);
			over(w)
		:: else -> skip
		fi;
		if
		:: held[w] != 0 && !(ASKS_EXCL(w) &&
				     txn[w] == ((held[w] >> 21) & 15)) ->
			m = held[w];
			held[w] = 0;
			node_recall(w)
		:: else -> skip
		fi
	fi
}

/* ---- the home ---- */

#define HOTXN		(hocount * 2 + hep[howner])

inline home_recall()
{
	SEND(RECALL, howner, H, (hkind == FETCHING -> H : hr), hseq, ht,
	     (hopen -> OF_OPEN + HOTXN : 0), 0,
	     (hkind == SHARING -> 0 : EXCL), hep[howner])
}

inline home_close()
{
	hopen = 0;
	hoseq = 0;
	hocount = 0;
	hother = NONE
}

/* The owner never took it: home's copy is the latest, and was all the time. */
inline home_undo()
{
#ifdef BAD_UNDO
	hsh = BIT(howner) & member;
#else
	hsh = (BIT(howner) | (hother == NONE -> 0 : BIT(hother))) & member;
#endif
	howner = NONE;
	home_close()
}

/* With no sharer but one, nobody waits for a DONE. */
inline home_open()
{
	x = hsh & member & ~BIT(M_REQ);
	y = ((M_FL & HAVE) && (hsh & BIT(M_REQ)) -> 1 : 0);
	hseq++;
	assert(hseq < 16);
	howner = M_REQ;
	hopen = 1;
	hoseq = hseq;
	hocount = M_TXN >> 1;
	hother = NONE;
	hsh = 0;
	i = 0;
	do
	:: i < NODES ->
		if
		:: x & BIT(i) -> hother = i
		:: else -> skip
		fi;
		i++
	:: else -> break
	od;
	home_send_open(y, 0, (y && hother != NONE -> 0 : 1))
}

inline home_send_open(have, acked, grant)
{
	if
	:: hother != NONE && (member & BIT(hother)) && !(acked) ->
		SEND(INVALIDATE, hother, H, howner, hoseq, (have -> HOTXN : 0),
		     BIT(hother), 0, (have -> EXCL : 0), hep[hother])
	:: else -> skip
	fi;
	if
	:: grant ->
		SEND(GRANT, howner, H, OPEN, hoseq, HOTXN,
		     (hother != NONE && (member & BIT(hother)) -> 1 : 0),
		     (have -> 0 : hmem), (have -> EXCL : EXCL + BYTES),
		     hep[howner])
	:: else -> skip
	fi
}

/* The owner asks: for the same once more, for nothing, or anew (then M_TXN is). */
inline home_open_again()
{
	if
	:: M_TYPE == GET_EXCLUSIVE && M_TXN == HOTXN ->
		y = ((M_FL & HAVE) -> 1 : 0);
		x = (M_SEQ == hoseq && (M_MASK & 1) -> 1 : 0);
		home_send_open(y, x, 1)
	:: else -> skip
	fi
}

inline first_slots()
{
	x = hsh & member & ~BIT(hr);
#ifdef BAD_SKIP
	x = x & ~BIT(1);
#endif
#ifdef BAD_CLEAR
	hsh = 0;
#endif
	hslots = 0;
	hneed = 0;
	i = 0;
	j = 0;
	y = 0;
	do
	:: i < NODES ->
		if
		:: x & BIT(i) ->
#ifdef RELAY
			y = y | BIT(i);
			j++;
			if
			:: j == RANGE || !(x >> (i + 1)) ->
				j = 0;
				hslot[hslots] = y;
				hneed = hneed | BIT(hslots);
				hslots++;
				y = 0
			:: else -> skip
			fi
#else
			hslot[hslots] = BIT(i);
			hneed = hneed | BIT(hslots);
			hslots++
#endif
		:: else -> skip
		fi;
		i++
	:: else -> break
	od
}

/* What does not answer is cut in two, with new numbers while there are some. */
inline cut()
{
	i = 0;
	y = hslots;
	do
	:: i < y ->
		x = hslot[i];
		if
#ifdef BAD_OLD_SLOT
		:: (hneed & BIT(i)) && (x & (x - 1)) && hslots < SLOTS ->
			hslot[i] = x & ~(x & (x - 1));
			hslot[hslots] = x & (x - 1);
			hneed = hneed | BIT(hslots);
			hslots = hslots + 1
#else
		:: (hneed & BIT(i)) && (x & (x - 1)) && hslots + 1 < SLOTS ->
			hslot[hslots] = x & ~(x & (x - 1));
			hslot[hslots + 1] = x & (x - 1);
			hslot[i] = 0;
			hneed = (hneed & ~BIT(i)) | BIT(hslots) |
				BIT(hslots + 1);
			hslots = hslots + 2
#endif
		:: else -> skip
		fi;
		i++
	:: else -> break
	od
}

inline home_invalidate()
{
	i = 0;
	do
	:: i < hslots ->
		if
		:: hneed & BIT(i) ->
			/* To the first node of it. */
			x = 0;
			do
			:: !(hslot[i] & BIT(x)) -> x++
			:: else -> break
			od;
			SEND(INVALIDATE, x, H, (hvain -> H : hr), hseq, i,
			     hslot[i], 0, 0, hep[x])
		:: else -> skip
		fi;
		i++
	:: else -> break
	od;
	SEND(GRANT, hr, H, 0, hseq, ht, hneed, (hhave -> 0 : hmem),
	     (hhave -> EXCL : EXCL + BYTES), hep[hr])
}

inline home_drive()
{
	if
	:: hkind == INVALIDATING ->
#ifdef RELAY
		cut();
#endif
#ifdef CARRY
		hvain = 1;
#endif
		home_invalidate();
		hvain = 0
	:: hkind == MOVING || hkind == SHARING || hkind == FETCHING ->
		home_recall();
#ifdef CARRY
		if
		:: hkind == MOVING ->
			SEND(CANCEL, hr, H, 0, hseq, ht, 0, 0, EXCL, hep[hr])
		:: else -> skip
		fi
#endif
	:: hkind == ASKING || hkind == ASKING_SHARED ->
		SEND(CANCEL, hr, H, 0, hseq, ht, 0, 0,
		     (hkind == ASKING -> EXCL : 0), hep[hr])
	:: else -> skip
	fi
}

#define OTHERS	(hsh & member & ~BIT(M_REQ))
/* With so few nodes, what many sharers need is seldom seen: CLOSED is for that. */
#ifdef CLOSED
#define MAY_OPEN	false
#else
#define MAY_OPEN	true
#endif

/* m is a request whose turn it is. */
inline home_start()
{
	if
	:: !(member & BIT(M_REQ)) || (M_TXN & 1) != hep[M_REQ] -> skip
	:: else ->
		if
		:: hopen && howner == M_REQ && M_TXN > HOTXN ->
			/* It wants something else, so it never took that. */
			home_undo()
		:: else -> skip
		fi;
		if
		:: hlost -> SEND(LOST, M_REQ, H, 0, 0, M_TXN, 0, 0, 0, hep[M_REQ])
		:: !hlost && howner == M_REQ ->	/* late: it has it */
			if
			:: hopen -> home_open_again()
			:: else -> skip
			fi
		:: !hlost && howner == NONE && M_TYPE == GET_SHARED ->
			x = hsh & ~BIT(M_REQ);
			hsh = hsh | BIT(M_REQ);
#ifdef REFER_ON
			x = x & hserver & member;
			if
			:: x && !(M_FL & DIRECT) ->
				y = 0;
				do
				:: !(x & BIT(y)) -> y++
				:: else -> break
				od;
				SEND(REFER, y, H, M_REQ, hseq, M_TXN, 0, 0, 0,
				     hep[y])
			:: else ->
				hserver = BIT(M_REQ);
#endif
			SEND(GRANT, M_REQ, H, 0, hseq, M_TXN, 0, hmem, BYTES,
			     hep[M_REQ])
#ifdef REFER_ON
			fi
#endif
		:: !hlost && howner == NONE && M_TYPE == GET_EXCLUSIVE &&
		   MAY_OPEN && !(OTHERS & (OTHERS - 1)) ->
#ifdef REFER_ON
			hserver = 0;
#endif
			home_open()
		:: else ->
			hr = M_REQ;
			ht = M_TXN;
			hseq++;
			assert(hseq < 16);
#ifdef REFER_ON
			hserver = 0;
#endif
			if
			:: howner == NONE ->
				hkind = INVALIDATING;
				hhave = ((M_FL & HAVE) && (hsh & BIT(hr)) ->
					 1 : 0);
				first_slots();
				home_invalidate()
			:: else ->
				hkind = (M_TYPE == GET_SHARED -> SHARING :
					 MOVING);
				home_recall()
			fi
		fi
	fi
}

/* The page is free: whoever waits is next. */
inline home_next()
{
	do
	:: hkind == IDLE && qn > 0 ->
		m = q[0];
		qn--;
		n = 0;
		do
		:: n < qn -> q[n] = q[n + 1]; n++
		:: else -> break
		od;
		q[qn] = 0;
		home_start()
	:: else -> break
	od
}

inline home_finish()
{
	hkind = IDLE;
	hr = 0;
	ht = 0;
	hhave = 0;
	hdead = 0;
	hneed = 0;
	i = 0;
	do
	:: i < hslots -> hslot[i] = 0; i++
	:: else -> break
	od;
	hslots = 0
}

inline home_lost()
{
	assert(crashes < CRASHES);
	if
	:: hkind != IDLE && (member & BIT(hr)) ->
		SEND(LOST, hr, H, 0, 0, ht, 0, 0, 0, hep[hr])
	:: else -> skip
	fi;
	hlost = 1;
	hsh = 0;
	howner = NONE;
	home_close();
	home_finish()
}

inline home_confirm(to, seq)
{
	if
	:: to < NODES && (member & BIT(to)) ->
		SEND(CONFIRM, to, H, 0, seq, 0, 0, 0, 0, hep[to])
	:: else -> skip
	fi
}

inline home_get()
{
	if
	:: hkind == IDLE -> home_start()
	:: hkind != IDLE && hr == M_REQ && ht == M_TXN ->
		if
		:: M_TYPE == GET_EXCLUSIVE && M_SEQ == hseq ->
			hneed = hneed & ~M_MASK
		:: else -> skip
		fi;
		if
		:: M_TYPE == GET_EXCLUSIVE && !(M_FL & HAVE) -> hhave = 0
		:: else -> skip
		fi;
		home_drive()
	:: hkind != IDLE && !(hr == M_REQ && ht == M_TXN) && hopen &&
	   howner == M_REQ && (M_TXN & 1) == hep[M_REQ] && M_TXN <= HOTXN ->
		home_open_again()
	:: else ->
		if
		:: !(member & BIT(M_REQ)) || (M_TXN & 1) != hep[M_REQ] -> skip
		:: else ->
			/* One entry a node; the newest want of it. */
			n = 0;
			do
			:: n < qn && ((q[n] >> 10) & 7) != M_REQ -> n++
			:: else -> break
			od;
			if
			:: n == qn -> q[n] = m; qn++
			:: n < qn && ((q[n] >> 17) & 15) < M_TXN -> q[n] = m
			:: else -> skip
			fi
		fi
	fi
}

inline home_done()
{
	if
	:: (hkind == INVALIDATING || hkind == MOVING || hkind == ASKING) &&
	   hr == M_FROM && hseq == M_SEQ ->
		home_confirm(howner, hseq);
		howner = hr;
		hsh = 0;
		home_close();
#ifdef BAD_OWNER
		if
		:: hkind == MOVING && M_REQ != H -> howner = M_REQ
		:: else -> skip
		fi;
#endif
		home_finish()
	:: else -> home_confirm(M_REQ, M_SEQ)
	fi
}

/* The RECALL goes on as if home's copy had been the latest from the start. */
inline owner_declined()
{
	home_undo();
	if
	:: hkind == MOVING ->
		hkind = INVALIDATING;
		hhave = 0;
		first_slots();
		home_invalidate()
	:: hkind == SHARING ->
		if
		:: (member & BIT(hr)) && (ht & 1) == hep[hr] ->
			hsh = hsh | BIT(hr);
			SEND(GRANT, hr, H, 0, hseq, ht, 0, hmem, BYTES, hep[hr])
		:: else -> skip
		fi;
		home_finish()
	:: else -> home_finish()
	fi
}

inline home_decline()
{
	if
	:: hkind == IDLE && hopen && howner == M_FROM && hseq == M_SEQ &&
	   HOTXN == M_TXN ->
		home_undo()
	:: hkind != IDLE && hopen && howner == M_FROM && hseq == M_SEQ ->
		owner_declined()
	:: hkind != IDLE && hr == M_FROM && hseq == M_SEQ ->
		if
		:: hkind == INVALIDATING -> home_finish()
		:: hkind == MOVING ->
			hkind = FETCHING;
			hseq++;
			assert(hseq < 16);
			home_recall()
		:: hkind == ASKING || hkind == ASKING_SHARED -> home_lost()
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline home_return()
{
	if
	:: M_SEQ == hseq && hkind == SHARING && M_FROM == howner ->
		hmem = M_VAL;
		hsh = (BIT(howner) | BIT(hr)) & member;
		howner = NONE;
		home_close();
		home_confirm(M_FROM, M_SEQ);
		home_finish()
	:: M_SEQ == hseq && hkind == FETCHING && M_FROM == howner ->
		if
#ifndef BAD_GAVE
		:: (M_FL & GAVE) && hdead -> home_lost()
#endif
		:: else ->
			hmem = M_VAL;
			hsh = 0;
			howner = NONE;
			home_close();
			home_finish()
		fi;
		home_confirm(M_FROM, M_SEQ)
	:: M_SEQ == hseq && hkind == ASKING_SHARED && M_FROM == hr ->
		hmem = M_VAL;
		hsh = BIT(hr);
		howner = NONE;
		home_close();
		home_confirm(M_FROM, M_SEQ);
		home_finish()
	:: M_SEQ == hseq && hkind == MOVING && M_FROM == howner ->
		home_recall()	/* reminded: it goes on */
#ifndef BAD_CONFIRM
	:: M_SEQ != hseq && hkind == FETCHING && M_FROM == howner ->
		home_recall()	/* reminded: that RECALL was lost */
	:: M_SEQ != hseq && hkind != IDLE && hkind != FETCHING &&
	   M_FROM == howner ->
		skip		/* the RECALL under way wants those bytes */
#endif
	:: else -> home_confirm(M_FROM, M_SEQ)
	fi
}

inline home_put()
{
	if
	:: hkind == IDLE && howner == M_FROM &&
#ifndef BAD_OLD_PUT
	   hseq == M_SEQ &&
#endif
	   true ->
		hmem = M_VAL;
		howner = NONE;
		hsh = 0;
		home_close();
		home_confirm(M_FROM, M_SEQ)
	:: (hkind == INVALIDATING || hkind == MOVING || hkind == ASKING) &&
	   hr == M_FROM && hseq == M_SEQ ->
		/* It has written, so it is done too. */
		home_confirm(M_FROM, M_SEQ);
		home_confirm(howner, hseq);
		hmem = M_VAL;
		howner = NONE;
		hsh = 0;
		home_close();
		home_finish()
#ifdef BAD_PUT_WAITS
	:: hkind != IDLE && howner == M_FROM -> skip
#else
	:: hkind != IDLE && howner == M_FROM && quiet == 0 ->
		skip		/* the RECALL makes an answer of it */
	:: hkind != IDLE && howner == M_FROM && quiet > 0 ->
		home_drive()	/* that was lost, and perhaps nobody else asks */
#endif
	:: else -> home_confirm(M_FROM, M_SEQ)
	fi
}

inline home_invalidated()
{
	if
	:: hkind == INVALIDATING && hseq == M_SEQ && (hneed & BIT(M_TXN)) ->
		hneed = hneed & ~BIT(M_TXN);
		SEND(GRANT, hr, H, 0, hseq, ht, hneed, (hhave -> 0 : hmem),
		     (hhave -> EXCL : EXCL + BYTES), hep[hr])
	:: else -> skip
	fi
}

inline home_recv()
{
	if
	:: !(member & BIT(M_FROM)) -> skip
#ifndef BAD_OLD_EPOCH
	:: (member & BIT(M_FROM)) && M_EP != hep[M_FROM] -> skip
#endif
	:: else ->
		if
		:: M_TYPE == GET_SHARED || M_TYPE == GET_EXCLUSIVE ->
			home_get()
		:: M_TYPE == DONE -> home_done()
		:: M_TYPE == DECLINE -> home_decline()
		:: M_TYPE == RETURN -> home_return()
		:: M_TYPE == PUT -> home_put()
		:: M_TYPE == INVALIDATED -> home_invalidated()
		:: else -> assert(false)
		fi;
		home_next()
	fi
}

/* Node d is dead: what it had, and what waits for it. */
inline home_dead(d)
{
	member = member & ~BIT(d);
	hsh = hsh & ~BIT(d);
	n = 0;
	x = 0;
	do
	:: n < qn ->
		if
		:: ((q[n] >> 10) & 7) == d -> skip
		:: else -> q[x] = q[n]; x++
		fi;
		n++
	:: else -> break
	od;
	do
	:: qn > x -> qn--; q[qn] = 0
	:: else -> break
	od;
	if
	:: hkind == IDLE && howner == d -> home_lost()
	:: hkind == INVALIDATING && hr == d -> home_lost()
	:: hkind == INVALIDATING && hr != d ->
		i = 0;
		do
		:: i < hslots ->
			hslot[i] = hslot[i] & ~BIT(d);
			if
			:: hslot[i] == 0 -> hneed = hneed & ~BIT(i)
			:: else -> skip
			fi;
			i++
		:: else -> break
		od;
		home_drive()
	:: hkind == MOVING && howner == d ->
		hkind = ASKING;
#ifndef BAD_OPEN_ID
		home_close();
#endif
		home_drive()
	:: hkind == MOVING && hr == d ->
		hkind = FETCHING;
		hdead = 1;
		hseq++;
		assert(hseq < 16);
		home_recall()
	:: hkind == SHARING && howner == d ->
		if
		:: hr == d || !(member & BIT(hr)) -> home_lost()
		:: else ->
			hkind = ASKING_SHARED;
#ifndef BAD_OPEN_ID
			home_close();
#endif
			home_drive()
		fi
	:: hkind == FETCHING && howner == d -> home_lost()
	:: (hkind == ASKING || hkind == ASKING_SHARED) && hr == d ->
		home_lost()
	:: else -> skip
	fi;
	home_next()
}

/* ---- the world ---- */

inline judge()
{
	n = 0;
	x = 0;
	y = 0;
	do
	:: n < NODES ->
		if
		:: READABLE(n) ->
			assert(val[n] == latest);	/* reads the latest write */
			x++;
			y = (st[n] == MODIFIED -> 1 : y)
		:: else -> skip
		fi;
		n++
	:: else -> break
	od;
	assert(!y || x == 1);			/* one writer or many readers */
	assert(!y || !hlost)			/* what is lost stays lost */
}

/* Somebody waits, or has bytes that home has not confirmed. */
#define PENDING(n)	(ASKS(n) || st[n] == WAIT_SHARED || \
			 st[n] == WAIT_EXCL || gkind[n] != 0)

inline again(w)
{
	if
	:: ASKS(w) -> ask(w)
	:: else -> skip
	fi;
	if
	:: gkind[w] != 0 -> tell(w, 2)
	:: else -> skip
	fi;
	/* They have waited long enough. */
	guest_leaves(w, 0)
}

inline start_shared(first)
{
	n = first;
	do
	:: n < NODES ->
		st[n] = SHARED;
		cseq[n] = 1;
		hsh = hsh | BIT(n);
		n++
	:: else -> break
	od
}

#define CRASHED(n)	(st[n] == DEAD && (member & BIT(n)))

#if NODES == 5
#define ANY(what)	(what(0) || what(1) || what(2) || what(3) || what(4))
#elif NODES == 4
#define ANY(what)	(what(0) || what(1) || what(2) || what(3))
#else
#define ANY(what)	(what(0) || what(1) || what(2))
#endif

active proctype world()
{
	d_step {
		ops = OPS;
		losses = LOSSES;
		dups = DUPS;
		retries = RETRIES;
		crashes = CRASHES;
		joins = JOINS;
		member = BIT(NODES) - 1;
	}
	/* How it begins. */
	if
#ifdef RELAY
	:: d_step { start_shared(1); skip }
#elif defined(FROM_HOME)
	:: skip			/* nobody has it */
#elif defined(FROM_PAIR)
	:: d_step { start_shared(NODES - 2); skip }
#else
#ifndef FROM_OWNED
	:: d_step { start_shared(0); skip }
#endif
#ifndef FROM_SHARED
	:: d_step { st[0] = MODIFIED; cseq[0] = 1; howner = 0 }
#endif
#endif
	fi;
end:
	do
	/* A message arrives; it may stay, as its own repetition. */
	:: nr > 0 ->
		atomic {
			do
			:: pick + 1 < nr -> pick++
			:: break
			od;
			if
			:: true -> d_step { m = net[pick]; unnet(pick) }
			:: dups > 0 -> d_step { m = net[pick]; dups-- }
			fi;
			d_step {
				pick = 0;
				n = M_TO;
				TELL("-> %d: ", M_TO);
				story();
				if
				:: n == H -> home_recv()
				:: else -> node_recv(M_TO)
				fi;
				flush();
				judge();
				skip
			}
		}
	/* Or it does not. */
	:: nr > 0 && losses > 0 ->
		atomic {
			do
			:: pick + 1 < nr -> pick++
			:: break
			od;
			d_step {
				m = net[pick];
				TELL("lost: ", 0);
				story();
				unnet(pick);
				pick = 0;
				losses--
			}
		}
	/* A thread faults, or a page must go. */
	:: ops > 0 ->
		atomic {
#ifdef RELAY
			pick = 0;
#else
			do
			:: pick + 1 < NODES -> pick++
			:: break
			od;
#endif
			ops--;
			quiet = 0;
			TELL("fault or evict: %d\n", pick);
			if
#ifndef RELAY
			:: st[pick] == INVALID ->
				d_step {
					if
					:: gkind[pick] == PUT ->
						st[pick] = WAIT_SHARED
					:: else -> want(pick, WANT_SHARED)
					fi
				}
#endif
			:: st[pick] == INVALID && MAY_WRITE ->
				d_step {
					COUNT_WRITE;
					if
					:: gkind[pick] == PUT ->
						st[pick] = WAIT_EXCL
					:: else -> want(pick, WANT_EXCL)
					fi
				}
			:: st[pick] == SHARED && MAY_WRITE ->
				d_step { COUNT_WRITE; want(pick, UPGRADE) }
#ifdef EVICT
			:: st[pick] == SHARED ->
				d_step { st[pick] = INVALID; drop(pick) }
			:: st[pick] == MODIFIED && gkind[pick] == 0 ->
				d_step {
					give(pick, PUT, H, cseq[pick], 0,
					     val[pick], 0);
					st[pick] = INVALID;
					drop(pick);
					tell(pick, 0)
				}
#endif
			fi;
			d_step { pick = 0; flush(); judge(); skip }
		}
	/* Somebody is impatient. */
	:: nr > 0 && retries > 0 ->
		atomic {
			do
			:: pick + 1 < NODES -> pick++
			:: break
			od;
			(ASKS(pick) || gkind[pick] != 0);
			d_step {
				retries--;
				TELL("impatient: %d\n", pick);
				again(pick);
				pick = 0;
				flush();
				skip
			}
		}
	/* Nothing is under way and somebody waits: everybody asks again. */
	:: nr == 0 && ANY(PENDING) && !ANY(CRASHED) ->
		d_step {
			quiet++;
			TELL("all ask again (%d)\n", quiet);
			assert(quiet < QUIET_MAX);	/* it goes on */
			n = 0;
			do
			:: n < NODES -> again(n); n++
			:: else -> break
			od;
			if
			:: hkind != IDLE && qn > 0 -> home_drive()
			:: else -> skip
			fi;
			flush();
			skip
		}
#if CRASHES
	:: crashes > 0 ->
		atomic {
			do
			:: pick + 1 < NODES -> pick++
			:: break
			od;
			st[pick] != DEAD;
			d_step {
				crashes--;
				quiet = 0;
				TELL("dies: %d\n", pick);
				st[pick] = DEAD;
				drop(pick);
				over(pick);
				giver[pick] = 0;
				held[pick] = 0;
				forget(pick);
#ifdef REFER_ON
				guest[pick] = 0;
				taken[pick] = 0;
#endif
#ifdef RELAY
				rseq[pick] = 0;
				rfrom[pick] = 0;
				rslot[pick] = 0;
				rmask[pick] = 0;
				rmiss[pick] = 0;
#endif
				pick = 0
			}
		}
	:: ANY(CRASHED) ->
		d_step {
			pick = 0;
			do
			:: !CRASHED(pick) -> pick++
			:: else -> break
			od;
			TELL("declared dead: %d\n", pick);
			home_dead(pick);
			pick = 0;
			flush();
			judge();
			skip
		}
#if JOINS
	/* The same id again, in a new epoch. */
	:: joins > 0 && crashes < CRASHES ->
		atomic {
			do
			:: pick + 1 < NODES -> pick++
			:: break
			od;
			(st[pick] == DEAD && !(member & BIT(pick)));
			d_step {
				joins--;
				TELL("joins again: %d\n", pick);
				st[pick] = INVALID;
				ep[pick] = 1 - ep[pick];
				hep[pick] = ep[pick];
				txn[pick] = ep[pick];
				member = member | BIT(pick);
				pick = 0
			}
		}
#endif
#endif
	od
}
