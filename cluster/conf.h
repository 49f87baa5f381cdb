/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cluster.conf: which servers, nodes and regions make up a cluster.  The same
 * file lies on every machine; gvm_conf_read() either returns a description that
 * is whole and free of contradictions, or one line that says what to mend.
 * giantvm-cluster.conf(5) is its format.
 *
 * For the start of a program, in its own thread: it allocates and reads files.
 * Nothing here resolves a name or opens a connection.  What it returns is not
 * changed afterwards and may be read by any thread.
 */
#ifndef GVM_CLUSTER_CONF_H
#define GVM_CLUSTER_CONF_H

#include <stddef.h>
#include <stdint.h>

#define GVM_CONF_NODES_MAX	10240u	/* ids are below it */
#define GVM_CONF_SERVERS_MAX	10240u
#define GVM_CONF_REGIONS_MAX	1024u
#define GVM_CONF_VCPUS_MAX	65536u
#define GVM_CONF_NODE_NONE	UINT32_MAX
#define GVM_CONF_LABEL_MAX	48u	/* characters of a name */
#define GVM_CONF_BYTES_MAX	(1ull << 50)	/* of memory, anywhere */
#define GVM_CONF_SLICE_MIN	(2ull << 20)
#define GVM_CONF_SLICE		(1ull << 30)	/* unless the file says else */
#define GVM_CONF_LEASE_MS	5000u		/* unless the file says else */
#define GVM_CONF_LEASE_MS_MIN	500u
#define GVM_CONF_LEASE_MS_MAX	60000u
#define GVM_CONF_TURN_US_MAX	1000000u
#define GVM_CONF_TURN_NONE	0xffffffffu	/* turn_us: no turns */
#define GVM_CONF_LOCAL_MIN	(1ull << 20)
#define GVM_CONF_FILE_MAX	(16u << 20)	/* bytes of a file */
#define GVM_CONF_FINGERPRINT	16u		/* bytes */
#define GVM_CONF_WHY_MAX	640u		/* bytes of a complaint */

/* Labels are [A-Za-z0-9._-], and unique among their kind. */
struct gvm_conf_server {
	char		name[GVM_CONF_LABEL_MAX + 1];
	const char	*address;	/* HOST:PORT as written */
	uint64_t	memory_bytes;	/* what its operator noted; 0: nothing */
	uint32_t	node;		/* in whose guest process it is; or NONE */
	unsigned	line;
};

/* first to last, both included */
struct gvm_conf_vcpus {
	uint32_t	first;
	uint32_t	last;
};

struct gvm_conf_node {
	uint32_t	id;
	const char	*address;	/* HOST:PORT, where its peers reach it */
	const char	*host;		/* for people; NULL: not said */
	uint64_t	local_bytes;	/* limit; 0: none */
	struct gvm_conf_vcpus *vcpus;	/* as written, or NULL */
	unsigned	vcpus_nr;	/* entries of it, not vCPUs */
	unsigned	line;
};

struct gvm_conf_region {
	char		name[GVM_CONF_LABEL_MAX + 1];
	uint64_t	size_bytes;
	uint64_t	slice_bytes;	/* a power of two */
	uint32_t	*servers;	/* indices, in the order of the slices */
	unsigned	servers_nr;
	unsigned	line;
};

struct gvm_conf {
	char		name[GVM_CONF_LABEL_MAX + 1];
	uint32_t	lease_ms;	/* a node silent for longer is given up */
	uint32_t	turn_us;	/* longest turn; 0: as needed */
	struct gvm_conf_server *servers;	/* as in the file */
	unsigned	servers_nr;		/* at least 1 */
	struct gvm_conf_node *nodes;		/* by ascending id */
	unsigned	nodes_nr;		/* at least 1 */
	struct gvm_conf_region *regions;	/* as in the file */
	unsigned	regions_nr;
	uint16_t	*vcpu_node;		/* id of the node, for each vCPU */
	unsigned	vcpus_nr;		/* they are 0 to this, less one */
	uint8_t		fingerprint[GVM_CONF_FINGERPRINT];
};

/*
 * Read a file.  -EINVAL: it is not a good one; another -errno: it could not be
 * read.  why (GVM_CONF_WHY_MAX bytes) then holds "FILE:LINE: what, and what to
 * do", without a newline.  To be let go by gvm_conf_free().
 */
int gvm_conf_read(const char *path, struct gvm_conf **ret, char *why);

/* The same of text in memory; `file` is only its name in complaints. */
int gvm_conf_parse(const char *file, const char *text, size_t len,
		   struct gvm_conf **ret, char *why);

void gvm_conf_free(struct gvm_conf *conf);	/* NULL is nothing */

/* NULL where the file has no such one. */
const struct gvm_conf_node *gvm_conf_node(const struct gvm_conf *conf,
					  uint32_t id);
const struct gvm_conf_server *gvm_conf_server(const struct gvm_conf *conf,
					      const char *name);
const struct gvm_conf_region *gvm_conf_region(const struct gvm_conf *conf,
					      const char *name);

/* How many vCPUs a node has. */
unsigned gvm_conf_node_vcpus(const struct gvm_conf_node *node);

/* Slices go round the servers in their order; the last one may be short. */
static inline uint64_t gvm_conf_slices(const struct gvm_conf_region *r)
{
	return (r->size_bytes + r->slice_bytes - 1) / r->slice_bytes;
}

/* Index in conf->servers of the home of a slice. */
static inline uint32_t gvm_conf_slice_server(const struct gvm_conf_region *r,
					     uint64_t slice)
{
	return r->servers[slice % r->servers_nr];
}

/* Index in conf->servers of the home of a byte below size_bytes. */
static inline uint32_t gvm_conf_home(const struct gvm_conf_region *r,
				     uint64_t offset)
{
	return gvm_conf_slice_server(r, offset / r->slice_bytes);
}

/* Bytes of a region whose home is servers[at]. */
uint64_t gvm_conf_share(const struct gvm_conf_region *r, unsigned at);

/*
 * conf->fingerprint covers what must be the same on every node: name, lease,
 * servers with addresses and nodes, nodes with addresses and vCPUs, regions with slices
 * and homes, all in their order.  It leaves out what is one machine's own or
 * for people: local, memory, host, comments, layout.  It finds files that
 * differ by mistake; it is no protection against somebody who means harm.
 * ret: room for 2 * GVM_CONF_FINGERPRINT + 1.
 */
void gvm_conf_fingerprint_print(const struct gvm_conf *conf, char *ret);

#endif
