// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes and servers that die.  If this failed, a program would wait for ever,
 * or read zeros or old bytes where another one's data was.
 *
 * The lease is 1 s here: whoever is silent for longer is out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

#define REGION		(4 * MIB)
#define LEASE_TEXT	"1000"
#define NOTICED_NS	4000000000ull	/* the lease, and a busy machine */
#define STATUS_FATAL	125

struct stage {
	uint32_t ready;		/* the node has done its first part */
	uint32_t go;
};

static struct cluster cluster;
static struct stage *stage;
static sigjmp_buf jump;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static void wait_for(const uint32_t *word)
{
	const uint64_t until = now_ns() + 20000000000ull;

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
		CHECK(now_ns() < until);
		sched_yield();
	}
}

static void set(uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
}

static void start_cluster(void)
{
	static const char *const args[] = { "--node-lease", LEASE_TEXT, NULL };

	cluster_start(&cluster, 1, args);
	memset(stage, 0, sizeof(*stage));
}

/* Pages 0 to 4 are here to be read, 5 to 9 only here. */
static int victim(void *arg)
{
	struct node n;

	(void)arg;
	node_join(&cluster, 1, REGION, REGION, &n);
	for (uint64_t i = 0; i < 10; i++)
		stamp_put(n.at + i * PAGE, i, 1);
	set(&stage->ready);
	wait_for(&stage->go);
	for (uint64_t i = 5; i < 10; i++)
		stamp_put(n.at + i * PAGE, i, 2);
	stage->go = 0;
	for (;;)
		pause();
	return 0;
}

/* Is the page there, or an error?  Anything else fails the test. */
static bool touch(const uint8_t *page, uint64_t number, uint64_t version)
{
	if (sigsetjmp(jump, 1))
		return false;
	CHECK(stamp_is(page, number, version));
	return true;
}

static void look_at_remains(const struct node *n)
{
	const uint64_t begin = now_ns();

	signal(SIGBUS, on_sigbus);
	for (uint64_t i = 0; i < 5; i++)
		CHECK(touch(n->at + i * PAGE, i, 1));
	for (uint64_t i = 5; i < 10; i++)
		CHECK(!touch(n->at + i * PAGE, i, 2));
	/* And again: it stays so. */
	CHECK(!touch(n->at + 7 * PAGE, 7, 2));
	CHECK(now_ns() - begin < NOTICED_NS);
	/* What nobody had is still as good as new. */
	CHECK(is_zero(n->at + 20 * PAGE));
	n->at[21 * PAGE] = 1;
}

/* `giantvm region status` lists just those five pages. */
static void check_status(void)
{
	char command[512], text[4096] = "";
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command),
		 "%s region status test --servers %s --json",
		 getenv("GIANTVM"), cluster.list);
	f = popen(command, "r");
	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	CHECK(n > 0 && pclose(f) == 0);
	CHECK(strstr(text, "\"pages_lost\": 5,"));
}

/* A signal is only sent when kill() returns: the victim may answer yet. */
static void end_by(pid_t pid, int sig)
{
	siginfo_t info;

	CHECK(kill(pid, sig) == 0);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT) == 0);
}

/* sig: how the victim goes. */
static int survivor(void *arg)
{
	const int sig = *(int *)arg;
	pid_t pid = spawn(victim, NULL);
	struct node n;

	wait_for(&stage->ready);
	node_join(&cluster, 0, REGION, REGION, &n);
	for (uint64_t i = 0; i < 10; i++)
		CHECK(stamp_is(n.at + i * PAGE, i, 1));
	set(&stage->go);
	while (__atomic_load_n(&stage->go, __ATOMIC_ACQUIRE))
		sched_yield();
	end_by(pid, sig);
	look_at_remains(&n);
	check_status();
	if (sig == SIGSTOP) {
		/* Its lease is over: it is not there to come back. */
		CHECK(kill(pid, SIGCONT) == 0 || errno == ESRCH);
		CHECK(reap(pid) == 128 + SIGKILL);
	} else {
		CHECK(reap(pid) == 128 + sig);
	}
	node_leave(&n);
	return 0;
}

static void node_dies(int sig)
{
	start_cluster();
	CHECK(reap(spawn(survivor, &sig)) == 0);
	cluster_stop(&cluster);
}

/* Works until it is stopped. */
static int worker(void *arg)
{
	volatile uint64_t *word;
	struct node n;
	int fd = open(arg, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && dup2(fd, 2) == 2);
	node_join(&cluster, 3, REGION, REGION, &n);
	word = (void *)n.at;
	for (uint64_t i = 1;; i++) {
		word[i % 1024 * 512] = i;
		if (i == 1000)
			set(&stage->ready);
		if (i > 1000)
			sched_yield();
	}
	return 0;
}

static void check_message(const char *path, const char *what)
{
	char text[1024] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	unlink(path);
	printf("%s", text);
	CHECK(strstr(text, "giantvm: server 127.0.0.1"));
	CHECK(strstr(text, what));
}

/* The only server goes; comes back: with nothing of before. */
static void server_dies(bool comes_back)
{
	static const char *const args[] = { "--node-lease", LEASE_TEXT, NULL };
	char path[64];
	uint64_t begin;
	pid_t pid;
	int status;

	snprintf(path, sizeof(path), "/tmp/giantvm-death-%d", (int)getpid());
	start_cluster();
	pid = spawn(worker, path);
	wait_for(&stage->ready);
	kill(cluster.server[0].pid, SIGKILL);
	CHECK(waitpid(cluster.server[0].pid, &status, 0) > 0);
	begin = now_ns();
	if (comes_back)
		cluster.server[0] = server_start(cluster.server[0].port, args);
	CHECK(reap(pid) == STATUS_FATAL);
	CHECK(now_ns() - begin < NOTICED_NS);
	check_message(path, "stopping");
	if (comes_back)
		cluster_stop(&cluster);
}

/* A server that is away for less than the lease costs time, nothing else. */
static void server_pauses(void)
{
	struct timespec half = { 0, 400000000 };
	pid_t pid;

	start_cluster();
	pid = spawn(worker, (char *)(uintptr_t)"/dev/null");
	wait_for(&stage->ready);
	kill(cluster.server[0].pid, SIGSTOP);
	nanosleep(&half, NULL);		/* that long is what is tested */
	kill(cluster.server[0].pid, SIGCONT);
	half.tv_nsec = 999000000;
	nanosleep(&half, NULL);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	reap(pid);
	cluster_stop(&cluster);
}

int main(void)
{
	stage = common_map(sizeof(*stage));
	node_dies(SIGKILL);
	node_dies(SIGSTOP);
	server_dies(false);
	server_dies(true);
	server_pauses();
	return 0;
}
