// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * crowd: processes, threads and kernel objects of many kinds that then stand still, for tests that look at a
 * stopped kernel. Prints `ready` when all is there. It makes no claim: the kernel's own books are the truth.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 300, PIPES = 100, SOCKETS = 60, MESSAGES_MAX = 60, KEYS = 50, NOBODY = 65534 };
static const size_t message_sizes[] = {10, 16, 80, 144, 200, 400, 900, 1500};

// Every process tells by closing its end that it has come to rest.
static int at_rest[2];

static void must(int is_done, const char *what)
{
	if (is_done)
		return;
	perror(what);
	exit(4);
}

static void rest(void)
{
	close(at_rest[1]);
	for (;;)
		pause();
}

static void *stand(void *name)
{
	prctl(PR_SET_NAME, name);
	for (;;)
		pause();
	return NULL;
}

static void be_nobody(void)
{
	must(!setgid(NOBODY) && !setuid(NOBODY), "setuid");
}

static void unshare_names(void)
{
	must(!unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS), "unshare");
}

static void make_pid_namespace(void)
{
	must(!unshare(CLONE_NEWPID), "unshare");
	if (fork() == 0) {
		prctl(PR_SET_NAME, "in-pidns");
		rest();
	}
}

static void end(void)
{
	_exit(3);
}

static void touch_memory(void)
{
	size_t length = 8 << 20;
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED, "mmap");
	memset(memory, 1, length);
}

static void enter_cgroup(void)
{
	int fd;

	mkdir("/sys/fs/cgroup/crowd", 0755);
	fd = open("/sys/fs/cgroup/crowd/cgroup.procs", O_WRONLY);
	must(fd >= 0 && write(fd, "0", 1) == 1, "cgroup");
	close(fd);
}

static void halt(void)
{
	close(at_rest[1]);
	raise(SIGSTOP);
}

static void nothing(void)
{
}

static const struct {
	const char *name;
	void (*act)(void);
} children[] = {
	{"nobody-here", be_nobody},	  {"own-uts", unshare_names}, {"makes-pidns", make_pid_namespace},
	{"zombie-child", end},		  {"eight-mib", touch_memory}, {"in-a-cgroup", enter_cgroup},
	{"name (with) \\x\n", nothing}, {"stopped", halt},
};

static void make_files(void)
{
	char path[80];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/a-rather-long-name-that-gets-a-dentry-and-an-external-name-%d", i);
		int fd = open(path, O_CREAT | O_RDWR, 0600);

		must(fd >= 0, path);
		if (i % 3 == 0)
			close(fd);
		if (i % 5 == 0)
			unlink(path);
	}
}

static void make_ends(void)
{
	int fds[2];

	for (int i = 0; i < PIPES; i++)
		must(!pipe(fds) && write(fds[1], "hello", 5) == 5, "pipe");
	for (int i = 0; i < SOCKETS; i++) {
		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
		if (i % 2)
			close(fds[0]);
		must(socket(AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0) >= 0, "socket");
		must(eventfd(0, 0) >= 0, "eventfd");
	}
}

static void make_messages(void)
{
	struct {
		long type;
		char text[2000];
	} message = {1, "message"};

	for (size_t i = 0; i < sizeof(message_sizes) / sizeof(*message_sizes); i++) {
		int queue = msgget(IPC_PRIVATE, 0600);

		for (int k = 0; k < MESSAGES_MAX; k++)
			msgsnd(queue, &message, message_sizes[i], IPC_NOWAIT);
		for (int k = 0; k < 8 && i % 3 == 1; k++)
			msgrcv(queue, &message, sizeof(message.text), 0, IPC_NOWAIT);
	}
}

static void make_keys(void)
{
	char name[32];

	for (int i = 0; i < KEYS; i++) {
		snprintf(name, sizeof(name), "dill-key-%d", i);
		syscall(SYS_add_key, "user", name, "payload-payload", 15, -4 /* the user's keyring */);
	}
}

int main(void)
{
	static char names[][16] = {"stand-a", "stand-b", "stand-c", "fifteen-letters"};
	struct rlimit limit = {65536, 65536};
	char byte;

	setrlimit(RLIMIT_NOFILE, &limit);
	make_files();
	make_ends();
	make_messages();
	make_keys();
	must(!pipe(at_rest), "pipe");
	for (size_t i = 0; i < sizeof(children) / sizeof(*children); i++) {
		if (fork() == 0) {
			prctl(PR_SET_NAME, children[i].name);
			children[i].act();
			rest();
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		pthread_t thread;

		must(!pthread_create(&thread, NULL, stand, names[i]), "pthread_create");
	}
	close(at_rest[1]);
	must(read(at_rest[0], &byte, 1) == 0, "read");
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
