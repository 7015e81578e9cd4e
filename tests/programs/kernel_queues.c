// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * kernel_queues CPU OTHER HELD MORE: has the kernel allocate objects of one cache that nobody else uses, and that is
 * never merged: inodes of message queues (mq_open(3)).
 *
 * On CPU it makes HELD queues, then removes two of three, one of them on the CPU OTHER. Prints `kept N`, waits for a line on
 * stdin, makes MORE on CPU, prints `done` and stays. The kernel frees a removed one after a grace period.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void must(int is_done, const char *what)
{
	if (is_done)
		return;
	perror(what);
	exit(4);
}

static void stand_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	must(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
}

static void make(int number)
{
	struct mq_attr least = {.mq_maxmsg = 1, .mq_msgsize = 1};
	char name[32];
	mqd_t queue;

	snprintf(name, sizeof(name), "/queue-%d", number);
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &least);
	must(queue >= 0, "mq_open");
	mq_close(queue);
}

static void end(int number)
{
	char name[32];

	snprintf(name, sizeof(name), "/queue-%d", number);
	must(!mq_unlink(name), "mq_unlink");
}

int main(int argc, char **argv)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int cpu = argc == 5 ? atoi(argv[1]) : -1, held = argc == 5 ? atoi(argv[3]) : 0;

	must(cpu >= 0, "usage: kernel_queues CPU OTHER HELD MORE");
	must(!setrlimit(RLIMIT_MSGQUEUE, &unlimited), "RLIMIT_MSGQUEUE");
	stand_on(cpu);
	for (int i = 0; i < held; i++)
		make(i);
	for (int i = 0; i < held; i += 3)
		end(i);
	stand_on(atoi(argv[2]));
	for (int i = 1; i < held; i += 3)
		end(i);
	stand_on(cpu);
	printf("kept %d\n", held / 3);
	fflush(stdout);
	getchar();
	for (int i = 0; i < atoi(argv[4]); i++)
		make(held + i);
	printf("done\n");
	fflush(stdout);
	for (;;)
		pause();
}
