// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads of another process. A number may be another process's by now: the pidfd tells after each call whether the
 * process had ended, and then nothing of that call counts.
 */
#include "source_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cleanup.h"

#define VECTORS 512 /* of IOV_MAX, 1024 */

struct process_source {
	struct memory_source source;
	pid_t pid;
	int pidfd;
	uint64_t watch, watched; /* an address, 0: none, and what is there */
};

static int refused(const struct process_source *process, int code, struct error *err)
{
	if (code == ESRCH)
		return error_set(err, -ESRCH, "process %d has ended", (int)process->pid);
	if (code == EPERM)
		return error_set(err, -EPERM, "process %d may not be read: it takes its user, and where "
					      "/proc/sys/kernel/yama/ptrace_scope is 1 or more CAP_SYS_PTRACE",
				 (int)process->pid);
	return error_set(err, -code, "process %d can't be read: %s", (int)process->pid, strerror(code));
}

static bool has_ended(const struct process_source *process)
{
	struct pollfd poller = { .fd = process->pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) != 0;
}

/* Judge each of @reads by how many bytes came in all. Returns how many of them are done with. */
static size_t judge(struct memory_read *reads, size_t count, size_t got)
{
	for (size_t i = 0; i < count; i++) {
		if (got < reads[i].size) {
			/* It ended here: what follows wasn't tried. */
			reads[i].result = -EFAULT;
			return i + 1;
		}
		got -= reads[i].size;
		reads[i].result = 0;
	}
	return count;
}

/* One call: the watched word first, then up to VECTORS reads. */
static int read_batch(struct process_source *process, struct memory_read *reads, size_t count, size_t *ret_done,
		      struct error *err)
{
	struct iovec local[VECTORS + 1], remote[VECTORS + 1];
	uint64_t watched = process->watched;
	size_t vectors = 0, watch_bytes = process->watch ? sizeof(watched) : 0;
	ssize_t got;

	if (watch_bytes) {
		local[vectors] = (struct iovec){ &watched, sizeof(watched) };
		remote[vectors++] = (struct iovec){ (void *)process->watch, sizeof(watched) };
	}
	for (size_t i = 0; i < count; i++) {
		local[vectors] = (struct iovec){ reads[i].buffer, reads[i].size };
		remote[vectors++] = (struct iovec){ (void *)reads[i].address, reads[i].size };
	}
	got = process_vm_readv(process->pid, local, vectors, remote, vectors, 0);
	if (has_ended(process) || (got < 0 && errno != EFAULT && errno != EINVAL))
		return refused(process, got < 0 && errno == EPERM ? EPERM : got < 0 && errno == ENOMEM ? ENOMEM : ESRCH, err);
	if ((watch_bytes && got < (ssize_t)watch_bytes) || watched != process->watched)
		return error_set(err, -ESRCH, "process %d runs another program by now", (int)process->pid);
	*ret_done = judge(reads, count, got < 0 ? 0 : (size_t)got - watch_bytes);
	return 0;
}

static int process_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
			size_t count, struct error *err)
{
	struct process_source *process = (struct process_source *)source;
	int status = 0;

	for (size_t at = 0; at < count && !status;) {
		size_t batch = count - at < VECTORS ? count - at : VECTORS, done = batch;

		if (space == SPACE_VIRTUAL)
			status = read_batch(process, reads + at, batch, &done, err);
		else
			for (size_t i = 0; i < batch; i++)
				reads[at + i].result = -EFAULT;
		at += done;
	}
	return status;
}

static void process_close(struct memory_source *source)
{
	struct process_source *process = (struct process_source *)source;

	if (process->pidfd >= 0)
		close(process->pidfd);
	free(process);
}

static const struct memory_source_ops process_ops = { "process", process_read, process_close };

int source_process_watch(struct memory_source *source, uint64_t address, struct error *err)
{
	struct process_source *process = (struct process_source *)source;
	uint64_t watched;
	int status = memory_source_read(source, SPACE_VIRTUAL, address, &watched, sizeof(watched), err);

	if (!status) {
		process->watch = address;
		process->watched = watched;
	}
	return status;
}

/* A thread's number is as good as its process's, but only that has a pidfd. */
static pid_t process_of(pid_t pid)
{
	CLEANUP(fclose) FILE *status = NULL;
	char path[48], line[256];
	int process = pid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	return process;
}

/* Whether it may be read at all: that is looked at before the address is. */
static int try_reading(const struct process_source *process, struct error *err)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { NULL, 1 };

	if (process_vm_readv(process->pid, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	if (errno == ESRCH && !has_ended(process))
		return error_set(err, -ESRCH, "process %d has no memory: it is the kernel's, or about to end",
				 (int)process->pid);
	return refused(process, errno, err);
}

int source_process_open(pid_t pid, struct memory_source **ret_source, struct error *err)
{
	struct process_source *process = calloc(1, sizeof(*process));
	int status;

	if (!process)
		return error_set(err, -ENOMEM, "out of memory");
	process->source.ops = &process_ops;
	process->source.has_space[SPACE_VIRTUAL] = true;
	process->source.is_live = true;
	process->pid = process_of(pid);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		status = errno == ESRCH ? error_set(err, -ESRCH, "there is no process %d", (int)pid)
					: refused(process, errno, err);
	else
		status = try_reading(process, err);
	if (status) {
		process_close(&process->source);
		return status;
	}
	*ret_source = &process->source;
	return 0;
}
