// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * slab_calls: has the kernel call its slab allocator as it is told, for tests that trace so little that each call
 * counts. Stays on one CPU, where an object that is released is the next to be had. Prints `pid PID`; then for each of these words on stdin, a line each, does it, and prints `did WORD`:
 *
 *   few      some dozens of allocations and releases of several caches
 *   send     one message, of TEXT bytes and 48 of struct msg_msg, is put into a queue
 *   receive  … and taken out of it
 *   pause    nothing, for PAUSE_S seconds
 *   uring    REQUESTS operations of a new io_uring in one go, for which it allocates in bulk; it is kept
 *   close    the io_uring is closed: the kernel releases its requests, somewhat later
 *   maps     pieces of a mapping are protected and unmapped, which changes the tree of mappings
 *   udp      a datagram is sent to itself in fragments, if lo's MTU is small, and received
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT = 205, REQUESTS = 20, PAUSE_S = 5, ENTRIES = 32, PAGE = 4096, PAGES = 20, DATAGRAM = 20000 };

static int queue, uring = -1;

static void must(int is_done, const char *what)
{
	if (is_done)
		return;
	perror(what);
	exit(4);
}

static void send_message(size_t size)
{
	static struct {
		long type;
		char text[2048];
	} message = {1, "message"};

	must(!msgsnd(queue, &message, size, IPC_NOWAIT), "msgsnd");
}

static void receive_message(void)
{
	static char message[4096];

	must(msgrcv(queue, message, sizeof(message) - 8, 0, IPC_NOWAIT) >= 0, "msgrcv");
}

static void work_few(void)
{
	static const size_t sizes[] = {11, 45, 77, 141, TEXT, 461, 973, 1997};
	int fds[2];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		send_message(sizes[i]);
		receive_message();
	}
	must(!pipe(fds), "pipe");
	close(fds[0]);
	close(fds[1]);
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	close(fds[0]);
	close(fds[1]);
	close(eventfd(0, 0));
}

static void work_uring(void)
{
	struct io_uring_params params = {0};
	struct io_uring_sqe *entries;
	unsigned *places;
	char *ring;

	uring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
	must(uring >= 0, "io_uring_setup");
	entries = mmap(NULL, params.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, uring,
		       IORING_OFF_SQES);
	ring = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(*places), PROT_READ | PROT_WRITE, MAP_SHARED,
		    uring, IORING_OFF_SQ_RING);
	must(entries != MAP_FAILED && ring != MAP_FAILED, "mmap");
	places = (unsigned *)(ring + params.sq_off.array);
	for (unsigned i = 0; i < REQUESTS; i++) {
		entries[i] = (struct io_uring_sqe){.opcode = IORING_OP_NOP};
		places[i] = i;
	}
	__atomic_store_n((unsigned *)(ring + params.sq_off.tail), REQUESTS, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, uring, REQUESTS, 0, 0, NULL, 0) == REQUESTS, "io_uring_enter");
	munmap(entries, params.sq_entries * sizeof(*entries));
	munmap(ring, params.sq_off.array + params.sq_entries * sizeof(*places));
}

static void work_maps(void)
{
	char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(area != MAP_FAILED, "mmap");
	for (int i = 1; i < PAGES; i += 2)
		must(!mprotect(area + i * PAGE, PAGE, PROT_READ), "mprotect");
	must(!munmap(area + 3 * PAGE, (PAGES - 8) * PAGE), "munmap");
	must(!munmap(area, PAGES * PAGE), "munmap");
}

static void work_udp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static char data[DATAGRAM];
	socklen_t size = sizeof(address);
	int one = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);

	must(one >= 0 && other >= 0 && !bind(one, (struct sockaddr *)&address, size) &&
	     !getsockname(one, (struct sockaddr *)&address, &size), "socket");
	must(sendto(other, data, DATAGRAM, 0, (struct sockaddr *)&address, size) == DATAGRAM, "sendto");
	must(recv(one, data, DATAGRAM, 0) == DATAGRAM, "recv");
	close(one);
	close(other);
}

static void work(const char *word)
{
	if (!strcmp(word, "few"))
		work_few();
	else if (!strcmp(word, "send"))
		send_message(TEXT);
	else if (!strcmp(word, "receive"))
		receive_message();
	else if (!strcmp(word, "pause"))
		sleep(PAUSE_S);
	else if (!strcmp(word, "uring"))
		work_uring();
	else if (!strcmp(word, "close"))
		must(!close(uring), "close");
	else if (!strcmp(word, "maps"))
		work_maps();
	else if (!strcmp(word, "udp"))
		work_udp();
	else
		exit(2);
}

int main(void)
{
	char line[64];
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	must(!sched_setaffinity(0, sizeof(first), &first), "sched_setaffinity");
	queue = msgget(IPC_PRIVATE, 0600);
	must(queue >= 0, "msgget");
	printf("pid %d\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		work(line);
		printf("did %s\n", line);
		fflush(stdout);
	}
	return 0;
}
