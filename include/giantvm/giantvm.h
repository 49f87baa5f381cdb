/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libgiantvm: let a process use the memory of other machines.
 *
 * A program (a VMM, a database) hands its large memory to the library; the
 * library keeps at most a local limit of it resident and pages the rest to
 * memory servers (`giantvm serve`) with userfaultfd.  The program reads and
 * writes its memory as before.
 *
 * All functions return 0 or a negative errno unless they say otherwise;
 * outputs are named ret_... and are untouched on failure.  Addresses and
 * lengths are in bytes and multiples of 4096 unless they say otherwise.
 * Functions may be called from any thread, also at the same time, except
 * gvm_init() and gvm_fini().  None of them uses malloc, so they may be called
 * from inside an allocator.
 *
 * When paging cannot go on (a server is gone for longer than wait_ms, a page
 * arrives damaged) the process is stopped with a message on standard error:
 * it never sees a wrong byte.
 */
#ifndef GIANTVM_H
#define GIANTVM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GVM_VERSION_MAJOR 0
#define GVM_VERSION_MINOR 1

struct gvm;

enum gvm_engine {
	GVM_ENGINE_AUTO		= 0,	/* kernel module if loaded, else uffd */
	GVM_ENGINE_UFFD		= 1,
	GVM_ENGINE_KERNEL	= 2,
};

/* How a page is taken away from a running program. */
enum gvm_evict {
	GVM_EVICT_AUTO		= 0,	/* MOVE where the kernel has it */
	GVM_EVICT_MOVE		= 1,	/* UFFDIO_MOVE, Linux 6.8 and later */
	GVM_EVICT_COPY		= 2,	/* write-protect, copy, drop, wake */
};

struct gvm_config {
	uint32_t	size;		/* sizeof(struct gvm_config) */
	uint32_t	prefetch_pages;	/* window, 0..512; 32 is a good value */
	const char	*servers;	/* "host:port,host:port"; IPv6: "[::1]:9999" */
	uint64_t	local_bytes;	/* resident limit, >= 1 MiB */
	uint32_t	shards;		/* fault threads; 0: by the CPUs */
	uint32_t	wait_ms;	/* longest wait for a server; 0: 30000 */
	enum gvm_engine	engine;
	enum gvm_evict	evict;
	const char	*name;		/* shown to operators; NULL: program name */
	/*
	 * Called, if not NULL, instead of the default when paging cannot go
	 * on.  From a thread of the library, which has no thread-local storage
	 * of libc: only async-signal-safe work.  Must not return.
	 */
	void		(*fatal)(const char *message, void *arg);
	void		*fatal_arg;
};

/*
 * Open the engine.  The servers are contacted here, so that an unreachable
 * one is found now and not in the first fault.  Errors: -EINVAL (bad
 * configuration), -EPERM (no permission for userfaultfd), -ENOSYS (kernel
 * lacks it), -EHOSTUNREACH, -EPROTONOSUPPORT (server version), -EBUSY (lease
 * held), -EMFILE.  *ret_why (if not NULL) receives one line for people, valid
 * until the next call in this thread.
 */
int gvm_init(const struct gvm_config *config, struct gvm **ret_gvm,
	     const char **ret_why);

/*
 * Close the engine; the servers drop all pages.  Copy out what is needed, and
 * unregister, before: memory that is still registered becomes inaccessible
 * (SIGSEGV), because its content is gone.
 */
void gvm_fini(struct gvm *gvm);

/* One line: which engine and eviction path were chosen, and why. */
const char *gvm_engine_line(const struct gvm *gvm);

/* Memory that is not plain private anonymous memory. */
struct gvm_backing {
	int		fd;		/* memfd or tmpfs file; the library dups it */
	int		shared;		/* mapped MAP_SHARED */
	uint64_t	offset;		/* of addr in the file, bytes */
};

/*
 * Page [addr, addr + len).  The range must be mapped readable and writable,
 * and must not be registered already.  Pages that are already populated count
 * as resident; all others must be unwritten (zero).  backing is NULL for
 * private anonymous memory.  Sets MADV_DONTFORK (see gvm_fork_prepare).
 * Errors: -EINVAL, -EEXIST, -ENOMEM, -EBUSY (armed by another userfaultfd).
 */
int gvm_register(struct gvm *gvm, void *addr, uint64_t len,
		 const struct gvm_backing *backing);

/*
 * Forget [addr, addr + len): to be called before munmap().  The content is
 * lost.  Parts that are not registered are skipped.  Waits for faults in
 * flight.
 */
int gvm_unregister(struct gvm *gvm, void *addr, uint64_t len);

/*
 * The next read of any page in the range is zero: does what
 * madvise(MADV_DONTNEED) (or punching a hole, if shared) does, here and on the
 * servers.  Parts that are not registered are left alone.
 */
int gvm_discard(struct gvm *gvm, void *addr, uint64_t len);

/*
 * Move registered memory as mremap() does: [from, from + from_len) becomes
 * [to, to + to_len), content kept.  `to` is a mapping of PROT_NONE that is
 * replaced.  The library calls mremap(from, from_len, to_len,
 * MREMAP_MAYMOVE | MREMAP_FIXED, to) itself.  Private anonymous memory only.
 */
int gvm_move(struct gvm *gvm, void *from, uint64_t from_len, void *to,
	     uint64_t to_len);

/*
 * What the program told the kernel about registered memory, so that the
 * library can honour it: MADV_HUGEPAGE and MADV_NOHUGEPAGE (huge pages while
 * there is room), MADV_DONTFORK and MADV_DOFORK (whether a forked child
 * inherits the range; the library has set MADV_DONTFORK itself, so do not
 * pass MADV_DOFORK to the kernel).  -EINVAL: other advice.  -ENOMEM.
 */
int gvm_advise(struct gvm *gvm, const void *addr, uint64_t len, int advice);

/*
 * Hold [addr, addr + len): no page of it is taken away until the release.
 * For memory that something accesses behind the page table (direct I/O,
 * device DMA).  populate: also make every page resident and writable first;
 * -ENOMEM if that would exceed the local limit.  Holds nest.
 */
int gvm_hold(struct gvm *gvm, const void *addr, uint64_t len, int populate);
int gvm_release(struct gvm *gvm, const void *addr, uint64_t len);

/* Is any byte of the range registered?  Lock-free, for filters. */
int gvm_covers(const struct gvm *gvm, const void *addr, uint64_t len);

/* Does eviction need gvm_hold() for this range to be safe against DMA? */
int gvm_needs_hold(const struct gvm *gvm, const void *addr, uint64_t len);

/* Change the local limit while running, bytes. */
int gvm_set_local(struct gvm *gvm, uint64_t local_bytes);

/*
 * fork().  Call prepare before, and one of the others after, in the thread
 * that forks; then parent and child diverge correctly, pages on the servers
 * included.  Without these calls a child does not inherit registered memory
 * (touching it is SIGSEGV).  prepare waits for the write-back queue, and has
 * the servers make a copy-on-write copy; if it fails, fork() may still be
 * called, but the child does not inherit the memory.
 */
int gvm_fork_prepare(struct gvm *gvm);
int gvm_fork_parent(struct gvm *gvm);
int gvm_fork_child(struct gvm *gvm);

#define GVM_STATS_VERSION	1
#define GVM_STATS_SERVERS	64	/* servers beyond are summed in the last */
#define GVM_STATS_HIST		320

/* Latency histogram: bucket i < 8 is i ns; above, 8 buckets per power of two. */
struct gvm_stats_hist {
	uint64_t	n[GVM_STATS_HIST];
};

struct gvm_stats_server {
	char		address[56];
	uint64_t	pages_read;
	uint64_t	pages_written;
	uint64_t	bytes_in;
	uint64_t	bytes_out;
	uint64_t	pages_free;	/* as last told by the server */
	uint32_t	connected;	/* 1: yes */
	uint32_t	reconnects;
};

/* Counters only grow; gauges are marked.  Pages are 4 KiB. */
struct gvm_stats {
	uint32_t	version;
	uint32_t	pid;
	uint64_t	start_ns;	/* CLOCK_MONOTONIC when the engine opened */
	char		name[64];
	char		engine[192];	/* gvm_engine_line() */
	uint64_t	local_bytes;	/* gauge: limit */
	uint64_t	registered_pages;	/* gauge */
	uint64_t	resident_pages;	/* gauge: mapped */
	uint64_t	staged_pages;	/* gauge: unmapped but still local */
	uint64_t	remote_pages;	/* gauge: only on servers */
	uint64_t	held_pages;	/* gauge */
	uint64_t	queue_pages;	/* gauge: waiting for write-back */
	uint64_t	faults;		/* all userfaultfd messages */
	uint64_t	faults_zero;	/* first touches, no network */
	uint64_t	faults_remote;	/* waited for a server */
	uint64_t	faults_steal;	/* taken back from staging */
	uint64_t	faults_protect;	/* first write to a clean page */
	uint64_t	faults_race;	/* page was there already */
	uint64_t	prefetched;	/* pages fetched unasked */
	uint64_t	prefetch_hits;	/* sampled: touched before leaving */
	uint64_t	prefetch_misses;/* sampled: left untouched */
	uint64_t	evicted_clean;
	uint64_t	evicted_dirty;
	uint64_t	evicted_zero;
	uint64_t	evict_busy;	/* pinned: kept */
	uint64_t	written;	/* pages acknowledged by servers */
	uint64_t	discarded;
	uint64_t	huge;		/* 2 MiB pages given */
	uint64_t	forks;
	uint64_t	cpu_ns;		/* of the library's threads */
	uint64_t	servers_nr;	/* gauge */
	struct gvm_stats_hist	latency_remote;	/* fault read to page mapped */
	struct gvm_stats_hist	latency_local;	/* zero, steal, protect */
	struct gvm_stats_server	server[GVM_STATS_SERVERS];
};

/* Statistics of this process. */
int gvm_stats(struct gvm *gvm, struct gvm_stats *ret_stats);

/* Value below which permille of the samples lie, ns; 0 if there are none. */
uint64_t gvm_stats_percentile(const struct gvm_stats_hist *hist,
			      unsigned permille);

/*
 * Other processes of this user (all, for root): their pids, their statistics,
 * and a change of their limit, which takes effect within a second.  -ESRCH:
 * no such process under giantvm.  gvm_pids returns how many there are, and
 * fills at most max.
 */
int gvm_pids(pid_t *ret_pids, int max);
int gvm_stats_of(pid_t pid, struct gvm_stats *ret_stats);
int gvm_set_local_of(pid_t pid, uint64_t local_bytes);

/*
 * Shared regions: memory that processes on several machines (nodes) map and
 * use like threads of one process use theirs.  Sequentially consistent: all
 * nodes see all writes in one order, atomic instructions work as always.
 *
 * A page is at one node to be written, or at any number to be read; touching
 * it elsewhere waits until it has come.  Servers (`giantvm serve`) keep the
 * region and know who has what; nodes talk to each other directly.
 *
 * A node that cannot reach a server for three quarters of its lease stops
 * (message, status 125), because the server may take it for dead and give its
 * pages to others.  A page whose only copy was at a node that died is lost:
 * touching it is SIGBUS, everywhere, until the region is removed.
 */
struct gvm_shared;
struct gvm_pipe;

enum gvm_shared_flags {
	GVM_SHARED_MEMFD	= 1,	/* a memfd: may be mapped more than once */
	GVM_SHARED_EXISTING	= 2,	/* do not make the region, take it as it is */
	GVM_SHARED_WAIT		= 4,	/* id taken by a dead process: wait for it */
	GVM_SHARED_LINUX_6_1	= 8,	/* use nothing that came after Linux 6.1 */
	/*
	 * If nobody has touched the region yet, take all of it: first touches
	 * of fresh memory need no server then.  For the node that fills it.
	 */
	GVM_SHARED_CLAIM	= 16,
	GVM_SHARED_LATE		= 32,	/* a server is not there yet: wait for it */
	/*
	 * Keep this host's CPUs out of sleep that is slow to wake from while
	 * pages move (/dev/cpu_dma_latency, for root; else ignored).  Misses are
	 * faster, the host takes more power.
	 */
	GVM_SHARED_PROMPT	= 64,
};

#define GVM_THREAD_ANY	0u	/* as a thread's id: which one, nobody knows */

struct gvm_shared_config {
	uint32_t	size;		/* sizeof(struct gvm_shared_config) */
	uint32_t	node;		/* our id: 0..10239, one process each */
	/*
	 * Where the region lies: "HOST:PORT,...", the same list in the same
	 * order at every node.  Slices of the region go round it.
	 */
	const char	*servers;
	/*
	 * Where peers reach us: "HOST:PORT" (port 0: any).  NULL: the address
	 * that leads to the first server, any port.
	 */
	const char	*listen;
	uint64_t	local_bytes;	/* resident limit, >= 1 MiB */
	uint64_t	slice_bytes;	/* a power of two >= 2 MiB; 0: 1 GiB */
	uint32_t	wait_ms;	/* longest wait to open, to leave; 0: 30000 */
	uint32_t	flags;		/* GVM_SHARED_* */
	/*
	 * A page stays for at least so long, although others want it.  0: twice
	 * the time that it takes to fetch one, which is right nearly always.
	 */
	uint32_t	hold_us;
	uint32_t	retry_ms;	/* ask again after silence; 0: 100 */
	/* Fingerprint of the cluster file, checked by the servers; zero: none. */
	uint8_t		cluster[16];
	/*
	 * Called when a page goes away, before another node may write it, by
	 * a program that translates code in it (QEMU).  From a thread of the
	 * library, without thread-local storage of libc; must not touch the
	 * region.  NULL: nothing.
	 */
	void		(*flush_code)(void *addr, uint64_t len, void *arg);
	void		(*fatal)(const char *message, void *arg);	/* as above */
	/*
	 * Make a thread that calls run(region) and ends when that returns; 0 or
	 * -errno.  For a program whose flush_code needs a thread that it made
	 * itself.  NULL: the library makes one, by a bare clone.
	 */
	int		(*start)(void (*run)(void *region), void *region,
				 void *arg);
	/*
	 * A server in this process, which the region's thread drives besides:
	 * neither of them then waits for the other to be woken.  Called with
	 * readable = 1 when own_fd is, and again as long as it returns 1, and
	 * some times a second; must not wait.  NULL: there is none.
	 */
	int		(*own_server)(int readable, void *arg);
	int		own_fd;
	uint32_t	own_at;		/* which of `servers` it is */
	struct gvm_pipe	*own_pipe;	/* to it (net/pipe.h); NULL: by socket */
	/*
	 * Called before a page is asked for: how many ns to wait with it; 0: none.
	 * For nodes that take turns, because their threads need several pages at
	 * once and would take them from each other one by one.  thread: the one
	 * that waits for the page, as gettid(2) says.  Who waits may be asked about
	 * again and again.  As flush_code.  NULL: ask at once.
	 */
	uint64_t	(*turn)(void *arg, uint32_t thread);
	void		*arg;		/* of all these, and those below */
	/*
	 * Memory of the program that is to become the region: as large, private,
	 * anonymous, never touched.  NULL: the library maps some.  Not with
	 * GVM_SHARED_MEMFD.  gvm_unmap_shared() unmaps it.
	 */
	void		*memory;
	/*
	 * Who makes the region says how long a node may be silent before it is
	 * out.  0: the server's.
	 */
	uint32_t	lease_ms;
	/*
	 * For a program that translates code, as flush_code; both or none.  A
	 * thread waits with a store to addr, as gettid(2) names it
	 * (GVM_THREAD_ANY: some may, unseen); and who waits with a store to
	 * [addr, addr + len), whole pages, goes on, called before it does.
	 * Between the two other threads may have translated the bytes as they
	 * were, and until the store is done they still can.  NULL: nothing.
	 */
	void		(*store_waits)(void *addr, uint32_t thread, void *arg);
	void		(*store_goes_on)(void *addr, uint64_t len, void *arg);
};

/*
 * Join a region and map it.  bytes: its size; every node says the same; 0 with
 * GVM_SHARED_EXISTING: as it is.  A name is 1 to 47 letters, digits, '.', '_'
 * or '-'.  Fresh regions are zero.
 *
 * *ret_addr: the memory, ordinary but for this: a child of fork() does not
 * have it (MADV_DONTFORK); it cannot be locked or pinned (mlock, VFIO,
 * registered io_uring buffers, O_DIRECT reads into it); and madvise(),
 * mremap() and munmap() must leave it alone.  With GVM_SHARED_MEMFD *ret_addr
 * is NULL: see gvm_shared_map().
 *
 * Errors: -EINVAL, -EPERM, -ENOSYS (see gvm_init), -EHOSTUNREACH, -EBUSY (the
 * id is taken), -ENOENT (no such region), -ENOMEM, -ETIMEDOUT.  *ret_why (if
 * not NULL) is one line for people, valid until the next call.
 */
int gvm_map_shared(const char *name, uint64_t bytes,
		   const struct gvm_shared_config *config,
		   struct gvm_shared **ret_region, void **ret_addr,
		   const char **ret_why);

/*
 * Give everything back to the servers, leave, and unmap.  No thread may touch
 * the memory meanwhile.  A process that ends without it looks like one that
 * died: what it wrote last is lost.  -ETIMEDOUT: servers did not answer for
 * wait_ms; the region is unmapped all the same.
 */
int gvm_unmap_shared(struct gvm_shared *region);

/*
 * The first half of that, for a process that is about to end: give everything
 * back and leave, but leave the memory where it is.  A thread that touches it
 * waits for ever.
 */
int gvm_leave_shared(struct gvm_shared *region);

/* Size of the region, bytes. */
uint64_t gvm_shared_bytes(const struct gvm_shared *region);

/*
 * With GVM_SHARED_MEMFD: map [offset, offset + len) of the region once more.
 * addr NULL: anywhere; else exactly there, in place of what is there.  prot as
 * of mmap().  All mappings of one process show the same.  *ret_addr: where.
 */
int gvm_shared_map(struct gvm_shared *region, void *addr, uint64_t len,
		   int prot, uint64_t offset, void **ret_addr);
/*
 * To be called before munmap() of such a mapping, or of a part of it, and
 * before another one takes its place.  Parts that are not mapped are skipped.
 */
int gvm_shared_forget(struct gvm_shared *region, void *addr, uint64_t len);

enum gvm_shared_miss {
	GVM_MISS_READ,			/* page not here, to be read */
	GVM_MISS_WRITE,			/* page not here, to be written */
	GVM_MISS_UPGRADE,		/* here to be read, to be written */
	GVM_MISS_NR
};

#define GVM_SHARED_HOT	16u

struct gvm_shared_hot {
	uint64_t	page;		/* offset in the region / 4096 */
	uint32_t	gives;		/* lately, to other nodes */
	uint32_t	gets;
};

#define GVM_SHARED_LINKS	64u
#define GVM_SHARED_OTHERS	16383u	/* node: what has no room of its own */

/* What went over connections to a server, or to another node. */
struct gvm_shared_link {
	char		address[56];	/* of a server; empty: a node */
	uint32_t	node;
	uint32_t	connected;	/* gauge: 1: yes */
	uint64_t	bytes_in;
	uint64_t	bytes_out;
};

#define GVM_SHARED_STATS_VERSION	4

/* Counters only grow; gauges are marked. */
struct gvm_shared_stats {
	uint32_t	version;
	uint32_t	pid;
	char		name[48];	/* of the region */
	char		servers[128];	/* cut to fit */
	uint32_t	node;
	uint32_t	reserved;
	uint64_t	start_ns;	/* CLOCK_MONOTONIC */
	uint64_t	bytes;		/* of the region */
	uint64_t	local_bytes;	/* gauge: limit */
	uint64_t	resident_pages;	/* gauge */
	uint64_t	wants;		/* gauge: pages being waited for */
	uint64_t	peers;		/* gauge: connections */
	uint64_t	faults;		/* userfaultfd messages */
	uint64_t	misses[GVM_MISS_NR];
	uint64_t	foreseen;	/* reads fetched to be written as well */
	uint64_t	installed;	/* pages that came */
	uint64_t	given;		/* pages given to other nodes */
	uint64_t	served;		/* reads of others answered from here */
	uint64_t	invalidated;	/* copies dropped for a writer */
	uint64_t	relayed;	/* invalidations passed on */
	uint64_t	evicted_dirty;
	uint64_t	evicted_clean;
	uint64_t	stale;		/* grants overtaken, asked for again */
	uint64_t	retries;	/* messages sent again */
	uint64_t	held;		/* demands that waited for the hold */
	uint64_t	parked;		/* faults that waited for room */
	uint64_t	lost;		/* pages whose only copy is gone */
	uint64_t	sent;		/* messages */
	uint64_t	received;
	uint64_t	pages_sent;	/* of them with a page */
	uint64_t	refused;	/* messages that made no sense */
	uint64_t	reconnects;
	uint64_t	cpu_ns;		/* of the library's thread */
	struct gvm_stats_hist	latency[GVM_MISS_NR];	/* fault to mapped */
	uint32_t	hot_nr;		/* gauge */
	uint32_t	reserved2;
	struct gvm_shared_hot	hot[GVM_SHARED_HOT];	/* most moved first */
	/*
	 * CLOCK_BOOTTIME: if no server has answered by then, the kernel kills the
	 * process, because its pages may be others' by then.  0: it does not.
	 */
	uint64_t	lease_end_ns;
	uint32_t	links_nr;	/* gauge */
	uint32_t	reserved3;
	/* Servers first. */
	struct gvm_shared_link	link[GVM_SHARED_LINKS];
};

/* Statistics of this process's region. */
int gvm_shared_stats(const struct gvm_shared *region,
		     struct gvm_shared_stats *ret_stats);

/*
 * Statistics of the regions that processes of this user (all, for root) have
 * mapped on this machine.  Returns how many there are, and fills at most max.
 */
int gvm_shared_list(struct gvm_shared_stats *ret_stats, int max);

#ifdef __cplusplus
}
#endif
#endif
