// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * kernel_allocs: makes the kernel allocate and free objects of many caches by system calls whose frees are seen
 * one by one in a trace (no kfree_rcu(), no bulk frees), then keeps the rest. Prints `pid PID`, waits for a line
 * on stdin, works, prints `held SIZE COUNT` for the messages that it still has (SIZE as requested from kmalloc:
 * text and 48 bytes of struct msg_msg), `done`, and stays. --rounds N, a multiple of 4, has it do less.
 *
 * kernel_allocs --batches CPU SIZE: on that CPU, sends BATCH messages, waits BATCH_S seconds, again and again.
 *
 * kernel_allocs --trace: writes on stdout what every CPU's trace_pipe_raw holds: `cpu N LENGTH` lines, bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 160, MESSAGE_HEAD = 48, FDS = 8192, TRACE_MAX = 64 << 20, BATCH = 6, BATCH_S = 4 };
static const size_t message_sizes[] = {11, 45, 77, 141, 205, 461, 973, 1997};

enum { SIZES = sizeof(message_sizes) / sizeof(*message_sizes) };

static int rounds = ROUNDS;

static void must(int is_done, const char *what)
{
	if (is_done)
		return;
	perror(what);
	exit(4);
}

static void receive(int queue)
{
	static char message[8192];

	must(msgrcv(queue, message, sizeof(message) - 8, 0, IPC_NOWAIT) >= 0, "msgrcv");
}

// Two in, one out in turn, so that freed ones lie between held ones; then two more out of each queue, whose places
// nothing takes again.
static void work_messages(void)
{
	static struct {
		long type;
		char text[2048];
	} message = {1, "message"};
	int queues[SIZES][ROUNDS / 4 + 1], held[SIZES] = {0};

	for (int i = 0; i < rounds; i++) {
		for (size_t k = 0; k < SIZES; k++) {
			int *queue = &queues[k][i / 4];

			// A queue holds 16 KiB.
			if (i % 4 == 0)
				*queue = msgget(IPC_PRIVATE, 0600);
			must(!msgsnd(*queue, &message, message_sizes[k], IPC_NOWAIT), "msgsnd");
			must(!msgsnd(*queue, &message, message_sizes[k], IPC_NOWAIT), "msgsnd");
			held[k] += 2;
			if (i % 4 == 3)
				continue;
			receive(*queue);
			held[k]--;
		}
	}
	for (size_t k = 0; k < SIZES; k++) {
		for (int i = 0; i < rounds / 4; i++) {
			receive(queues[k][i]);
			receive(queues[k][i]);
			held[k] -= 2;
		}
		printf("held %zu %d\n", message_sizes[k] + MESSAGE_HEAD, held[k]);
	}
}

static void work_files(void)
{
	int fds[2];

	for (int i = 0; i < rounds; i++) {
		must(!pipe(fds) && write(fds[1], "hello", 5) == 5, "pipe");
		if (i % 2) {
			close(fds[0]);
			close(fds[1]);
		}
		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
		if (i % 3 == 0) {
			close(fds[0]);
			close(fds[1]);
		}
		fds[0] = eventfd(0, 0);
		fds[1] = epoll_create1(0);
		must(fds[0] >= 0 && fds[1] >= 0, "eventfd, epoll");
		// An eventpoll goes by kfree_rcu().
		if (i % 3 == 1)
			close(fds[0]);
	}
}

static void work_keys(void)
{
	char name[32];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "held-key-%d", i);
		must(syscall(SYS_add_key, "user", name, "payload-payload", 15, -4 /* the user's keyring */) > 0, "add_key");
	}
}

static int send_trace(void)
{
	char *trace = malloc(TRACE_MAX);
	char path[80];

	for (int cpu = 0; trace; cpu++) {
		size_t length = 0;
		ssize_t count;

		snprintf(path, sizeof(path), "/sys/kernel/tracing/per_cpu/cpu%d/trace_pipe_raw", cpu);
		int fd = open(path, O_RDONLY | O_NONBLOCK);

		if (fd < 0)
			break;
		while (length < TRACE_MAX - 65536 && (count = read(fd, trace + length, 65536)) > 0)
			length += (size_t)count;
		printf("cpu %d %zu\n", cpu, length);
		fwrite(trace, 1, length, stdout);
		close(fd);
	}
	return 0;
}

static void send_batches(int cpu, size_t size)
{
	static struct {
		long type;
		char text[2048];
	} message = {1, "message"};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	for (;;) {
		int queue = msgget(IPC_PRIVATE, 0600);

		for (int i = 0; i < BATCH; i++)
			must(!msgsnd(queue, &message, size - MESSAGE_HEAD, IPC_NOWAIT), "msgsnd");
		sleep(BATCH_S);
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit = {FDS + 1, FDS + 1};
	char byte;

	if (argc == 4 && !strcmp(argv[1], "--batches"))
		send_batches(atoi(argv[2]), strtoul(argv[3], NULL, 10));
	if (argc == 3 && !strcmp(argv[1], "--rounds"))
		rounds = atoi(argv[2]) > ROUNDS ? ROUNDS : atoi(argv[2]);
	else if (argc > 1)
		return strcmp(argv[1], "--trace") ? 2 : send_trace();
	setrlimit(RLIMIT_NOFILE, &limit);
	// Tables of descriptors that were outgrown would be freed in bulk.
	must(dup2(1, FDS) == FDS, "dup2");
	printf("pid %d\n", getpid());
	fflush(stdout);
	must(read(0, &byte, 1) == 1, "stdin");
	work_messages();
	work_files();
	work_keys();
	puts("done");
	fflush(stdout);
	for (;;)
		pause();
}
