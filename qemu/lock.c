// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A locked operation on memory that is not aligned, or on a device, is a load
 * and a store to TCG, with all other vCPUs of its process stopped meanwhile.
 * Here those of the other nodes are stopped, too: what a processor calls a bus
 * lock.  So it is exclusive against everything that vCPUs do, plain stores
 * included, whatever pages it touches, as it is in one process.
 *
 * One at a time; node 0 says whose turn it is:
 *
 *	vCPU's node	LOCK to node 0, and the vCPU waits
 *	node 0		FREEZE to all nodes but that one ...
 *	they		... answer FROZEN when none of their vCPUs runs
 *	node 0		LOCKED to the vCPU, when all have
 *	vCPU's node	UNLOCK, after the operation
 *	node 0		THAW to all that were frozen; the next one's turn
 *
 * The other vCPUs of the vCPU's node are stopped by QEMU, in the operation.
 *
 * Nobody waits for ever.  Who freezes a node is a thread that holds nothing and
 * is no vCPU; pages are served and devices answer in threads that do not stop,
 * so a vCPU comes to an end of what it does, and can be frozen.  A vCPU that
 * waits for its turn is not running.  It has not `stopped` either: so a pause or
 * a reset finds no lock asked for or held.  A node that has ended is frozen.
 */
#include "vcpu.h"

#define NOBODY	(-1)

/* Node 0's; all under the mutex. */
static struct {
	QemuMutex	mutex;
	u16		queue[GVM_GUEST_VCPUS_MAX];	/* vCPUs, a ring */
	u32		first, nr;
	bool		asked[GVM_GUEST_VCPUS_MAX];	/* queued, or holder */
	int		holder;
	u32		melting;		/* nodes to be FROZEN yet */
	bool		melts[GVM_GUEST_NODES_MAX];	/* which */
	bool		left[GVM_GUEST_NODES_MAX];
} turns;

static QemuSemaphore granted[GVM_GUEST_VCPUS_MAX];
static QemuSemaphore freeze, thaw;
static bool over;		/* node 0 has ended, and the guest will */
static u64 locks;

static void tell(u32 to, u32 type, int cpu)
{
	const struct gvm_wire msg = { .type = (u16)type, .cpu = (u16)cpu };

	gvm_bus_send(&gvm_bus, to, &msg);
}

static void grant(void)
{
	u32 owner = gvm_bus.guest.owner[turns.holder];

	if (owner == 0)
		qemu_sem_post(&granted[turns.holder]);
	else
		tell(owner, GVM_WIRE_LOCKED, turns.holder);
}

static bool to_freeze(u32 node)
{
	return node != gvm_bus.guest.owner[turns.holder] && !turns.left[node];
}

static void freeze_all(void)
{
	for (u32 i = 0; i < gvm_bus.guest.nodes_nr; i++) {
		if (!to_freeze(i))
			continue;
		turns.melts[i] = true;
		turns.melting++;
		if (i == 0)
			qemu_sem_post(&freeze);
		else
			tell(i, GVM_WIRE_FREEZE, 0);
	}
}

static void thaw_all(void)
{
	for (u32 i = 0; i < gvm_bus.guest.nodes_nr; i++) {
		if (!to_freeze(i))
			continue;
		if (i == 0)
			qemu_sem_post(&thaw);
		else
			tell(i, GVM_WIRE_THAW, 0);
	}
}

static void next(void)
{
	while (turns.holder == NOBODY && turns.nr) {
		u32 cpu = turns.queue[turns.first];

		turns.first = (turns.first + 1) % GVM_GUEST_VCPUS_MAX;
		turns.nr--;
		if (turns.left[gvm_bus.guest.owner[cpu]])
			continue;
		turns.holder = (int)cpu;
		freeze_all();
		if (!turns.melting)
			grant();
	}
}

static void ask(u32 cpu)
{
	u32 end = (turns.first + turns.nr) % GVM_GUEST_VCPUS_MAX;

	if (turns.asked[cpu])
		return;
	turns.asked[cpu] = true;
	turns.queue[end] = (u16)cpu;
	turns.nr++;
	next();
}

static void unlock(int cpu)
{
	if (turns.holder != cpu || turns.melting)
		return;
	thaw_all();
	turns.asked[cpu] = false;
	turns.holder = NOBODY;
	next();
}

static void frozen(u32 node)
{
	if (!turns.melts[node])
		return;
	turns.melts[node] = false;
	if (--turns.melting)
		return;
	if (turns.left[gvm_bus.guest.owner[turns.holder]])
		unlock(turns.holder);
	else
		grant();
}

void gvm_lock_take(CPUState *cpu)
{
	int index = cpu->cpu_index;

	qatomic_inc(&locks);
	if (gvm_bus.guest.nodes_nr == 1)
		return;
	if (gvm_has_devices()) {
		qemu_mutex_lock(&turns.mutex);
		ask((u32)index);
		qemu_mutex_unlock(&turns.mutex);
	} else {
		tell(0, GVM_WIRE_LOCK, index);
	}
	/* Its last message to us may have been BYE. */
	if (!qatomic_load_acquire(&over))
		qemu_sem_wait(&granted[index]);
}

void gvm_lock_give(CPUState *cpu)
{
	if (gvm_bus.guest.nodes_nr == 1)
		return;
	if (!gvm_has_devices()) {
		tell(0, GVM_WIRE_UNLOCK, cpu->cpu_index);
		return;
	}
	qemu_mutex_lock(&turns.mutex);
	unlock(cpu->cpu_index);
	qemu_mutex_unlock(&turns.mutex);
}

u64 gvm_lock_count(void)
{
	return qatomic_read(&locks);
}

/*
 * QEMU keeps in the vCPU of the calling thread that the world has stopped; ours
 * has none, and gets one that is nobody's.
 */
static void *freezer(void *arg)
{
	static CPUState nobody;

	rcu_register_thread();
	current_cpu = &nobody;
	for (;;) {
		qemu_sem_wait(&freeze);
		start_exclusive();
		if (gvm_has_devices()) {
			qemu_mutex_lock(&turns.mutex);
			frozen(0);
			qemu_mutex_unlock(&turns.mutex);
		} else {
			tell(0, GVM_WIRE_FROZEN, 0);
		}
		qemu_sem_wait(&thaw);
		end_exclusive();
	}
	return NULL;
}

/* In the thread that receives from that node, without the BQL. */
void gvm_lock_take_message(u32 from, const struct gvm_wire *msg)
{
	switch (msg->type) {
	case GVM_WIRE_FREEZE:
		qemu_sem_post(&freeze);
		return;
	case GVM_WIRE_THAW:
		qemu_sem_post(&thaw);
		return;
	case GVM_WIRE_LOCKED:
		qemu_sem_post(&granted[msg->cpu]);
		return;
	}
	qemu_mutex_lock(&turns.mutex);
	if (msg->type == GVM_WIRE_LOCK)
		ask(msg->cpu);
	else if (msg->type == GVM_WIRE_UNLOCK)
		unlock(msg->cpu);
	else
		frozen(from);
	qemu_mutex_unlock(&turns.mutex);
}

/* That node has ended, and so will the guest: nobody may wait for it. */
void gvm_lock_left(u32 node)
{
	if (!gvm_has_devices()) {
		if (node != 0)
			return;
		qatomic_store_release(&over, true);
		for (u32 i = 0; i < gvm_bus.guest.vcpus_nr; i++)
			qemu_sem_post(&granted[i]);
		qemu_sem_post(&thaw);
		return;
	}
	qemu_mutex_lock(&turns.mutex);
	turns.left[node] = true;
	frozen(node);
	if (turns.holder != NOBODY &&
	    gvm_bus.guest.owner[turns.holder] == node)
		unlock(turns.holder);
	qemu_mutex_unlock(&turns.mutex);
}

void gvm_lock_start(void)
{
	static QemuThread thread;

	turns.holder = NOBODY;
	qemu_mutex_init(&turns.mutex);
	qemu_sem_init(&freeze, 0);
	qemu_sem_init(&thaw, 0);
	for (u32 i = 0; i < GVM_GUEST_VCPUS_MAX; i++)
		qemu_sem_init(&granted[i], 0);
	qemu_thread_create(&thread, "giantvm freezer", freezer, NULL,
			   QEMU_THREAD_DETACHED);
}
