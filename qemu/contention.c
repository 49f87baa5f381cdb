// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes whose kernels contend take turns (arbiter.c).
 *
 * When programs start and end on two nodes, the kernel's locks, lists and
 * counters go to and fro: each system call needs dozens of pages, each of which
 * the other node takes away again before the call is done.  If one node has them
 * all for a part of a second and then the other one, hundreds of calls are done
 * for one journey of each page.
 *
 * Only misses of the kernel count, and only they wait: programs that share
 * memory talk to each other through it, and who waits for an answer of another
 * node would wait for the end of a turn.  A kernel that waits for another vCPU
 * shows it: it halts, or spins with PAUSE.  A node passes its turn on then, and
 * when its vCPUs are busy with programs for a while, or need no pages after a few:
 * that is how a program looks that waits for another one with sched_yield().
 *
 * Nothing depends on any of this but speed: a request is as good late as early,
 * and one that has waited for all other nodes' turns twice, or for five seconds,
 * waits no more.
 *
 * What a vCPU does is read from its thread while it runs: a guess, which may be
 * old.  The vCPU that waits for a page stands still.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include "arbiter.h"
#include "vcpu.h"

#define MS		1000000ull
#define TURN_NS		(200 * MS)	/* of two nodes */
#define TURN_MIN_NS	(20 * MS)
#define ON_NS		(2000 * MS)	/* then contention must show again */
#define WINDOW_NS	(20 * MS)
#define WINDOW_MISSES	60u		/* a tick of a busy vCPU is five, 4 ms apart */
#define WINDOWS		3u		/* in a row */
#define LOOK_NS		100000u		/* between looks at our vCPUs */
#define REST_NS		(3 * MS)	/* without the kernel */
#define SATED_NS	(4 * MS)	/* without a miss, in a turn with ... */
#define SATED_MISSES	40u		/* ... fewer than these */
#define PATIENCE_MOST_NS (5000 * MS)
#define SPINS		40u
#define SPIN_NS		100000u		/* from PAUSE to PAUSE */
#define SPIN_BYTES	64u		/* of code around it */

static struct {
	QemuMutex	lock;		/* arbiter; before `me_lock` */
	struct gvm_arbiter arbiter;	/* node 0's */
	QemuMutex	me_lock;
	struct gvm_turn_node me;
	u64		had;		/* turns that were ours; atomic */
	bool		contends;	/* atomic */
	int		kick;		/* the keeper's eventfd */
	u64		patience_ns;
	u64		missed_ns;	/* in our turn, or it began; atomic */
	u32		missed;		/* so often in this turn; atomic */
	/* Of the thread that serves pages. */
	u64		window_ns;	/* when it began */
	u32		misses;		/* in it */
	u32		windows;	/* with many, in a row until now */
	u64		waits_ns;	/* since when; 0: nobody does */
	/* Of the keeper. */
	u64		kernel_ns;	/* a vCPU was last seen in the kernel */
	u64		program_ns;	/* or in a program */
	/* Of each vCPU's thread; the keeper looks at them. */
	struct spin {
		u64	ip, ns;		/* of the last PAUSE */
		u32	nr;
	} spin[GVM_GUEST_VCPUS_MAX];
} turns;

static u64 now(void)
{
	return (u64)gvm_bus_now_ns();
}

static bool in_program(CPUState *cpu)
{
	return (X86_CPU(cpu)->env.hflags & HF_CPL_MASK) == 3;
}

static void kick(void)
{
	if (eventfd_write(turns.kick, 1))
		gvm_die("cannot wake who keeps the turns: %s", strerror(errno));
}

static CPUState *vcpu_of(u32 thread)
{
	CPUState *cpu;

	CPU_FOREACH(cpu)
		if (gvm_mine(cpu) && (u32)cpu->thread_id == thread)
			return cpu;
	return NULL;
}

static void count(u64 now_ns)
{
	const u64 age_ns = now_ns - turns.window_ns;

	if (age_ns > WINDOW_NS) {
		if (turns.misses < WINDOW_MISSES || age_ns > 2 * WINDOW_NS)
			turns.windows = 0;
		turns.window_ns = now_ns;
		turns.misses = 0;
	}
	if (++turns.misses == WINDOW_MISSES && ++turns.windows >= WINDOWS) {
		qatomic_set(&turns.contends, true);
		kick();
	}
}

/* In the thread that serves pages. */
u64 gvm_contention_wait(void *arg, u32 thread)
{
	CPUState *cpu = vcpu_of(thread);
	u64 now_ns;

	/* A device's access, or a program's. */
	if (!cpu || in_program(cpu))
		return 0;
	now_ns = now();
	if (!qatomic_read(&turns.me.on)) {
		count(now_ns);
		turns.waits_ns = 0;
		return 0;
	}
	if (qatomic_read(&turns.me.mine)) {
		qatomic_set(&turns.missed_ns, now_ns);
		qatomic_set(&turns.missed, turns.missed + 1);
		turns.waits_ns = 0;
		return 0;
	}
	if (!turns.waits_ns)
		turns.waits_ns = now_ns;
	if (now_ns - turns.waits_ns > turns.patience_ns)
		return 0;
	if (!qatomic_xchg(&turns.me.want, true))
		kick();
	return LOOK_NS;
}

/*
 * In a vCPU's thread, each time that it leaves translated code: PAUSE does that,
 * so that other threads may run.  A kick does, too, but seldom.
 */
void gvm_contention_left(CPUState *cpu, int why)
{
	struct spin *s = &turns.spin[cpu->cpu_index];
	u64 ip, now_ns;

	if (why != EXCP_INTERRUPT || !qatomic_read(&turns.me.on))
		return;
	ip = X86_CPU(cpu)->env.eip;
	now_ns = now();
	if (in_program(cpu) || ip - s->ip + SPIN_BYTES > 2 * SPIN_BYTES ||
	    now_ns - s->ns > SPIN_NS)
		qatomic_set(&s->nr, 0);
	else
		qatomic_set(&s->nr, s->nr + 1);
	s->ip = ip;
	qatomic_set(&s->ns, now_ns);
}

static bool spins(CPUState *cpu, u64 now_ns)
{
	const struct spin *s = &turns.spin[cpu->cpu_index];

	return qatomic_read(&s->nr) >= SPINS &&
		now_ns - qatomic_read(&s->ns) < SPIN_NS;
}

/* Does any vCPU of ours get on with something that needs the turn? */
static bool needed(u64 now_ns)
{
	CPUState *cpu;

	if (qatomic_read(&turns.missed) < SATED_MISSES &&
	    now_ns - qatomic_read(&turns.missed_ns) > SATED_NS)
		return false;
	CPU_FOREACH(cpu) {
		if (!gvm_mine(cpu) || !qatomic_read(&cpu->running))
			continue;
		if (in_program(cpu))
			turns.program_ns = now_ns;
		else if (!spins(cpu, now_ns))
			turns.kernel_ns = now_ns;
	}
	/* A look may meet a vCPU on its way from one to the other. */
	if (now_ns - turns.program_ns < 2 * LOOK_NS)
		return now_ns - turns.kernel_ns < REST_NS;
	return now_ns - turns.kernel_ns < 2 * LOOK_NS;
}

static void ask(enum gvm_turn_ask what)
{
	const struct gvm_wire msg = { .type = GVM_WIRE_TURNASK, .arg = what };

	if (!gvm_has_devices()) {
		gvm_bus_send(&gvm_bus, 0, &msg);
		return;
	}
	qemu_mutex_lock(&turns.lock);
	gvm_arbiter_hear(&turns.arbiter, 0, what, now());
	qemu_mutex_unlock(&turns.lock);
}

static void hear(enum gvm_turn_word word)
{
	qemu_mutex_lock(&turns.me_lock);
	if (word == GVM_TURN_YOURS && !turns.me.mine) {
		qatomic_set(&turns.had, turns.had + 1);
		qatomic_set(&turns.missed_ns, now());
		qatomic_set(&turns.missed, 0);
	}
	gvm_turn_node_hear(&turns.me, word);
	qemu_mutex_unlock(&turns.me_lock);
	kick();
}

static void tell(void *arg, u32 node, enum gvm_turn_word word)
{
	const struct gvm_wire msg = { .type = GVM_WIRE_TURN, .arg = word };

	if (node == gvm_bus.guest.me)
		hear(word);
	else
		gvm_bus_send(&gvm_bus, node, &msg);
}

/* In the thread that receives from that node. */
void gvm_contention_take(u32 from, const struct gvm_wire *msg)
{
	/* We were told to have no turns, as all nodes were. */
	if (!turns.arbiter.tell)
		return;
	if (msg->type == GVM_WIRE_TURN) {
		hear((enum gvm_turn_word)msg->arg);
		return;
	}
	qemu_mutex_lock(&turns.lock);
	gvm_arbiter_hear(&turns.arbiter, from, (enum gvm_turn_ask)msg->arg,
			 now());
	qemu_mutex_unlock(&turns.lock);
	/* It may have to end a turn sooner than it thought. */
	kick();
}

/* What we have to say, or -1, and whether our turn is to be watched. */
static int look(u64 now_ns, bool *ret_watch)
{
	struct gvm_turn_node *me = &turns.me;
	int say;

	qemu_mutex_lock(&turns.me_lock);
	say = gvm_turn_node_say(me, me->mine && me->wanted && needed(now_ns));
	*ret_watch = me->mine && me->wanted;
	qemu_mutex_unlock(&turns.me_lock);
	return say;
}

static void sleep_until(u64 end_ns)
{
	struct pollfd fd = { .fd = turns.kick, .events = POLLIN };
	u64 now_ns = now();
	u64 ns = end_ns > now_ns ? end_ns - now_ns : 0;
	struct timespec ts = {
		(time_t)(ns / 1000000000), (long)(ns % 1000000000),
	};
	eventfd_t kicks;

	if (ppoll(&fd, 1, end_ns == ~0ull ? NULL : &ts, NULL) == 1)
		eventfd_read(turns.kick, &kicks);
}

static void *keep(void *arg)
{
	u64 next_ns, now_ns;
	bool watch;
	int say;

	rcu_register_thread();
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	for (;;) {
		if (qatomic_xchg(&turns.contends, false))
			ask(GVM_TURN_CONTEND);
		next_ns = ~0ull;
		now_ns = now();
		if (gvm_has_devices()) {
			qemu_mutex_lock(&turns.lock);
			next_ns = gvm_arbiter_tick(&turns.arbiter, now_ns);
			qemu_mutex_unlock(&turns.lock);
		}
		rcu_read_lock();
		say = look(now_ns, &watch);
		rcu_read_unlock();
		if (say >= 0) {
			ask((enum gvm_turn_ask)say);
			continue;
		}
		if (watch)
			next_ns = MIN(next_ns, now_ns + LOOK_NS);
		sleep_until(next_ns);
	}
	return NULL;
}

u64 gvm_contention_turns(void)
{
	return qatomic_read(&turns.had);
}

void gvm_contention_start(u64 turn_ns)
{
	const u32 nodes = gvm_bus.guest.nodes_nr;
	static QemuThread thread;

	if (!turn_ns)
		turn_ns = MAX(TURN_NS * 2 / nodes, TURN_MIN_NS);
	qemu_mutex_init(&turns.lock);
	qemu_mutex_init(&turns.me_lock);
	turns.arbiter = (struct gvm_arbiter){
		.nodes_nr = nodes, .turn_ns = turn_ns, .on_ns = ON_NS,
		.tell = tell,
	};
	turns.patience_ns = MIN(2 * nodes * turn_ns, PATIENCE_MOST_NS);
	turns.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (turns.kick < 0)
		gvm_die("eventfd: %s", strerror(errno));
	qemu_thread_create(&thread, "giantvm turns", keep, NULL,
			   QEMU_THREAD_DETACHED);
}
