// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Code that changes under a CPU of another node.
 *
 * A node that translates guest code must forget a translation when another node
 * writes the page that it was made from.  Nothing else finds out: kernels tell
 * each other about changed code by interrupts, programs that use locks write
 * data.  So here one CPU writes a function and another one runs it, in turns
 * that are handed over by plain memory: it must return the number that was
 * written last.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smp.h"

#define PLACES_NR	4

static long rounds;
static long writer, runner;
static long wrong;
static unsigned char *code;	/* two pages */
static long *turn;		/* on a page of its own */

/* Within a page; with its number on two pages; with its number on the second. */
static const long places[PLACES_NR] = { 0, 2048, SMP_PAGE - 3, SMP_PAGE - 1 };

static void await(long what)
{
	struct smp_patience patience = { 0 };

	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != what)
		smp_wait(&patience, "code");
}

static void hand_over(void)
{
	__atomic_fetch_add(turn, 1, __ATOMIC_ACQ_REL);
}

/* mov $i, %eax; ret */
static void write_function(unsigned char *at, int i)
{
	at[0] = 0xb8;
	memcpy(at + 1, &i, sizeof(i));
	at[5] = 0xc3;
}

static void *change(void *arg)
{
	long runs = (long)arg;

	smp_pin(runs ? runner : writer);
	for (long i = 0; i < rounds; i++) {
		unsigned char *at = code + places[i % PLACES_NR];
		int (*function)(void) = (int (*)(void))(void *)at;

		await(2 * i + runs);
		if (runs) {
			smp_serialize();
			wrong += function() != (int)i;
		} else {
			write_function(at, (int)i);
		}
		hand_over();
	}
	return NULL;
}

int smp_code(long n)
{
	long pairs = smp_cpus > 1 ? smp_cpus : 0;

	rounds = n;
	code = smp_pages(2, PROT_READ | PROT_WRITE | PROT_EXEC);
	turn = smp_pages(1, PROT_READ | PROT_WRITE);
	for (writer = 0; writer < pairs; writer++) {
		runner = (writer + 1) % smp_cpus;
		*turn = 0;
		smp_run(change, 2);
	}
	printf("smp: code was old %ld times of %ld\n", wrong, rounds * pairs);
	return wrong != 0 || !pairs;
}

/* A filter that accepts packets of one length only: the kernel compiles it. */
static int attach(int fd, unsigned int bytes)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bytes, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { 4, text };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

/* A filter runs where the sender does, before the packet is queued. */
static int filter_pair[2];

static bool takes(size_t bytes)
{
	char packet[64] = "";

	send(filter_pair[1], packet, bytes, 0);
	return recv(filter_pair[0], packet, sizeof(packet), MSG_DONTWAIT) ==
	       (ssize_t)bytes;
}

static void *filter(void *arg)
{
	long sends = (long)arg;

	smp_pin(sends ? runner : writer);
	for (long i = 0; i < rounds; i++) {
		unsigned int right = 16 + (unsigned int)(i % 16);

		await(2 * i + sends);
		if (!sends && attach(filter_pair[0], right)) {
			perror("smp: filter");
			exit(1);
		}
		if (sends)
			wrong += takes(5) || !takes(right);
		hand_over();
	}
	return NULL;
}

int smp_filter(long n)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, filter_pair)) {
		perror("smp: socketpair");
		return 1;
	}
	rounds = n;
	turn = smp_pages(1, PROT_READ | PROT_WRITE);
	for (writer = 0; writer < smp_cpus; writer++) {
		runner = (writer + 1) % smp_cpus;
		*turn = 0;
		smp_run(filter, 2);
	}
	printf("smp: filters were wrong %ld times of %ld\n", wrong,
	       rounds * smp_cpus);
	return wrong != 0;
}
