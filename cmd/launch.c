// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Starts a command under trace. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct launch {
	pid_t pid;
	int go_fd;    /* a byte lets the child exec */
	int error_fd; /* closed by exec; else carries errno */
	int exec_error;
	bool is_released;
	bool is_reaped;
};

static void run_child(char **words, const struct rlimit *locked_memory, int go_fd, int error_fd, pid_t parent)
{
	sigset_t none;
	char go;
	int code;

	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (getppid() != parent || read(go_fd, &go, 1) != 1)
		_exit(127);
	setrlimit(RLIMIT_MEMLOCK, locked_memory);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(words[0], words);
	code = errno;
	if (write(error_fd, &code, sizeof(code)) != sizeof(code))
		_exit(126);
	_exit(127);
}

int launch_prepare(char **words, const struct rlimit *locked_memory, struct launch **ret_launch, struct error *err)
{
	struct launch *launch = calloc(1, sizeof(*launch));
	int go[2], failed[2];
	pid_t parent = getpid();

	if (!launch)
		return -ENOMEM;
	if (pipe2(go, O_CLOEXEC) || pipe2(failed, O_CLOEXEC)) {
		free(launch);
		return error_set(err, -errno, "cannot start a command: %s", strerror(errno));
	}
	launch->pid = fork();
	if (launch->pid < 0) {
		free(launch);
		return error_set(err, -errno, "cannot start a command: %s", strerror(errno));
	}
	if (!launch->pid) {
		close(go[1]);
		close(failed[0]);
		run_child(words, locked_memory, go[0], failed[1], parent);
	}
	close(go[0]);
	close(failed[1]);
	fcntl(failed[0], F_SETFL, O_NONBLOCK);
	launch->go_fd = go[1];
	launch->error_fd = failed[0];
	*ret_launch = launch;
	return 0;
}

pid_t launch_pid(const struct launch *launch)
{
	return launch->pid;
}

int launch_release(struct launch *launch, struct error *err)
{
	launch->is_released = true;
	if (write(launch->go_fd, "", 1) != 1)
		return error_set(err, -EIO, "the command died before it began");
	return 0;
}

bool launch_wait_stopped(struct launch *launch)
{
	siginfo_t info;

	for (int i = 0; i < 1000; i++) {
		info.si_pid = 0;
		if (waitid(P_PID, launch->pid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT))
			return false;
		if (info.si_pid && info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED)
			return false;
		if (info.si_pid && info.si_code == CLD_STOPPED) {
			waitid(P_PID, launch->pid, &info, WSTOPPED | WNOHANG);
			return true;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return false;
}

void launch_continue(struct launch *launch)
{
	kill(launch->pid, SIGCONT);
}

int launch_exec_error(struct launch *launch)
{
	int code;

	if (!launch->exec_error && read(launch->error_fd, &code, sizeof(code)) == sizeof(code))
		launch->exec_error = -code;
	return launch->exec_error;
}

void launch_destroy(struct launch *launch)
{
	if (!launch)
		return;
	close(launch->go_fd); /* a child that still waits reads the end and exits */
	close(launch->error_fd);
	if (launch->is_released)
		kill(launch->pid, SIGCONT);
	waitpid(launch->pid, NULL, launch->is_released ? WNOHANG : 0);
	free(launch);
}
