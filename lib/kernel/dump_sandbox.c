// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Limits first, seccomp last: it forbids the calls that set the limits. A denied call fails rather than kills, so
 * that a library that merely asks for something that it can do without goes on.
 */
#include "dump_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define CPU_SECONDS 3600 /* the parent's watchdog is stricter; this one is there when the parent is not */

#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n)) /* its low half */

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define DENY ANSWER(SECCOMP_RET_ERRNO | EPERM)
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), ANSWER(SECCOMP_RET_ALLOW)

/* Each block ends the program or falls through with the system call's number loaded. */
#define ALLOW_IF_EQUAL(number, argument, value)                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 4),                \
	LOAD(ARGUMENT(argument)),                                           \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1),                 \
	ANSWER(SECCOMP_RET_ALLOW),                                          \
	DENY

#define ALLOW_IF_CLEAR(number, argument, bits)                              \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 4),                \
	LOAD(ARGUMENT(argument)),                                           \
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 1, 0),                 \
	ANSWER(SECCOMP_RET_ALLOW),                                          \
	DENY

static const struct sock_filter filter[] = {
	LOAD(offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	DENY,
	LOAD(offsetof(struct seccomp_data, nr)),
	ALLOW(SYS_pread64),
	ALLOW(SYS_read),
	ALLOW_IF_EQUAL(SYS_write, 0, SANDBOX_SOCKET),
	ALLOW(SYS_lseek),
	ALLOW(SYS_fstat),
	ALLOW_IF_EQUAL(SYS_newfstatat, 3, AT_EMPTY_PATH), /* glibc's fstat */
	ALLOW_IF_CLEAR(SYS_mmap, 2, PROT_EXEC),
	ALLOW_IF_CLEAR(SYS_mprotect, 2, PROT_EXEC),
	ALLOW(SYS_munmap),
	ALLOW(SYS_mremap),
	ALLOW(SYS_madvise),
	ALLOW(SYS_brk),
	ALLOW(SYS_futex),
	ALLOW(SYS_getrandom), /* malloc, since glibc 2.36 */
	ALLOW(SYS_rt_sigreturn),
	ALLOW(SYS_restart_syscall),
	ALLOW(SYS_exit),
	ALLOW(SYS_exit_group),
	DENY,
};

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* By way of numbers that neither of the two has. Standard streams lead nowhere: libraries may print. */
static int keep_files(int file, int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int file_copy = fcntl(file, F_DUPFD_CLOEXEC, 16), socket_copy = fcntl(socket, F_DUPFD_CLOEXEC, 16);

	if (file_copy < 0 || socket_copy < 0)
		return -errno;
	for (int number = 0; number < 3; number++)
		if (null < 0 || dup2(null, number) < 0)
			close(number);
	if (dup2(file_copy, SANDBOX_FILE) < 0 || dup2(socket_copy, SANDBOX_SOCKET) < 0)
		return -errno;
	if (close_range(SANDBOX_SOCKET + 1, ~0U, 0)) { /* before Linux 5.9 there is none */
		long limit = sysconf(_SC_OPEN_MAX);

		for (int number = SANDBOX_SOCKET + 1; number < limit && number < 65536; number++)
			close(number);
	}
	return 0;
}

static int limit_to(int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return -errno;
	limit.rlim_cur = limit.rlim_max < value ? limit.rlim_max : value;
	limit.rlim_max = limit.rlim_cur;
	return setrlimit(resource, &limit) ? -errno : 0;
}

/* Address space in use, from /proc/self/statm. */
static uint64_t address_space_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file) {
		if (fscanf(file, "%llu", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * 4096;
}

static int set_limits(uint64_t memory_bytes)
{
	static const struct {
		int resource;
		rlim_t value;
	} limits[] = {
		{ RLIMIT_CORE, 0 }, { RLIMIT_FSIZE, 0 }, { RLIMIT_NOFILE, SANDBOX_SOCKET + 1 },
		{ RLIMIT_MEMLOCK, 0 }, { RLIMIT_CPU, CPU_SECONDS },
	};
	int status = limit_to(RLIMIT_AS, address_space_bytes() + memory_bytes);

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]) && !status; i++)
		status = limit_to((int)limits[i].resource, limits[i].value);
	return status;
}

int dump_sandbox_enter(pid_t parent, int file, int socket, uint64_t memory_bytes)
{
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), (struct sock_filter *)filter };
	int status;

	reset_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (getppid() != parent) /* it died before the first of these */
		return -ESRCH;
	status = keep_files(file, socket);
	if (!status)
		status = set_limits(memory_bytes);
	if (status)
		return status;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}
