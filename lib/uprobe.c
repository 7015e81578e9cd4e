// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The two ways to attach, and the undoing of both: closing descriptors, links before their events. */
#include "uprobe.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "bpf_syscall.h"
#include "cleanup.h"
#include "error.h"

#define SEMAPHORE_SHIFT 32 /* UPROBE_PMU format/ref_ctr_offset: config:32-63 */
#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"

/* Descriptors in the order they were opened; closed from the last to the first. */
struct uprobe_link {
	struct uprobe_link *next;
	size_t fd_count;
	int fds[];
};

void uprobe_detach(struct uprobe_link *link)
{
	while (link) {
		struct uprobe_link *next = link->next;

		while (link->fd_count)
			close(link->fds[--link->fd_count]);
		free(link);
		link = next;
	}
}

struct uprobe_link *uprobe_link_join(struct uprobe_link *first, struct uprobe_link *second)
{
	struct uprobe_link **end = &first;

	while (*end)
		end = &(*end)->next;
	*end = second;
	return first;
}

DEFINE_CLEANUP(uprobe_link, struct uprobe_link *, uprobe_detach(v));

DEFINE_CLEANUP(dir, DIR *, if (v) closedir(v));

static int read_number(const char *path, const char *format, unsigned int *ret_number)
{
	CLEANUP(fclose) FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	return fscanf(file, format, ret_number) == 1 ? 0 : -EBADMSG;
}

/* A process whose main thread has exited is shown as a zombie, though other threads may go on. */
static bool is_main_thread_gone(pid_t pid)
{
	CLEANUP(fclose) FILE *file = NULL;
	char line[512], path[32];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return true;
	end = strrchr(line, ')');
	return end && (end[1] == ' ') && (end[2] == 'Z' || end[2] == 'X');
}

static int attach_multi(int program_fd, const char *path, pid_t pid, bool is_return,
			const struct uprobe_point *points, size_t count, struct uprobe_link *link,
			struct error *err)
{
	CLEANUP(free) uint64_t *offsets = calloc(count, sizeof(*offsets));
	CLEANUP(free) uint64_t *cookies = calloc(count, sizeof(*cookies));
	CLEANUP(free) uint64_t *semaphores = calloc(count, sizeof(*semaphores));
	struct bpf_uprobe_multi_spec spec = {
		.path = path,
		.offsets = offsets,
		.cookies = cookies,
		.semaphores = semaphores,
		.count = count,
		.pid = pid,
		.attach_type = BPF_SYSCALL_TRACE_UPROBE_MULTI,
		.is_return = is_return,
	};
	int rc;

	if (!offsets || !cookies || !semaphores)
		return error_set(err, -ENOMEM, "out of memory for %zu probe points", count);
	for (size_t i = 0; i < count; i++) {
		offsets[i] = points[i].file_offset;
		cookies[i] = points[i].cookie;
		semaphores[i] = points[i].semaphore_offset;
	}
	/* The kernel would make such a link, and never fire it. */
	if (pid && is_main_thread_gone(pid))
		return error_set(err, -ESRCH, "uprobe_multi link: the main thread of process %d has exited",
				 pid);
	rc = bpf_syscall_uprobe_multi_link(program_fd, &spec, &link->fds[link->fd_count]);
	if (rc)
		return error_set(err, rc, "uprobe_multi link to %zu points: %s", count, strerror(-rc));
	link->fd_count++;
	return 0;
}

static int perf_open_thread(const struct perf_event_attr *attr, pid_t thread, int *ret_fd)
{
	long fd = syscall(SYS_perf_event_open, attr, thread ? thread : -1, thread ? -1 : 0, -1,
			  PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/*
 * An event on one thread puts its breakpoints into the whole address space, and the kernel runs the BPF
 * program before it looks which thread has hit (kernel/trace/trace_uprobe.c, __uprobe_perf_func): any living
 * thread will do.
 */
static int perf_open(const struct perf_event_attr *attr, pid_t pid, int *ret_fd)
{
	CLEANUP(dir) DIR *tasks = NULL;
	struct dirent *entry;
	char path[32];
	int rc = perf_open_thread(attr, pid, ret_fd);

	if (rc != -ESRCH || !pid)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (rc == -ESRCH && tasks && (entry = readdir(tasks))) {
		pid_t thread = atoi(entry->d_name);

		if (thread > 0)
			rc = perf_open_thread(attr, thread, ret_fd);
	}
	return rc;
}

static int perf_set_program(int perf_fd, int program_fd, uint64_t cookie, struct uprobe_link *link)
{
	int rc = bpf_syscall_perf_event_link(program_fd, perf_fd, cookie, &link->fds[link->fd_count]);

	if (!rc) {
		link->fd_count++;
		return 0;
	}
	if (rc != -EINVAL)
		return rc;
	if (cookie)
		return -EOPNOTSUPP;
	return ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, program_fd) ? -errno : 0;
}

static int attach_perf(int program_fd, const char *path, pid_t pid, bool is_return,
		       const struct uprobe_point *points, size_t count, struct uprobe_link *link,
		       struct error *err)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .sample_period = 1, .wakeup_events = 1 };
	unsigned int type, return_bit = 0;
	int rc;

	rc = read_number(UPROBE_PMU "type", "%u", &type);
	if (!rc && is_return)
		rc = read_number(UPROBE_PMU "format/retprobe", "config:%u", &return_bit);
	if (rc || return_bit > 63)
		return error_set(err, rc ?: -EBADMSG, UPROBE_PMU ": %s", strerror(rc ? -rc : EBADMSG));
	attr.type = type;
	attr.config1 = (uint64_t)(uintptr_t)path;

	for (size_t i = 0; i < count; i++) {
		int *perf_fd = &link->fds[link->fd_count];

		attr.config2 = points[i].file_offset;
		if (points[i].semaphore_offset > UINT32_MAX)
			return error_set(err, -EINVAL, "a semaphore at file offset %#llx is too far for a perf uprobe",
					 (unsigned long long)points[i].semaphore_offset);
		attr.config = (is_return ? 1ull << return_bit : 0) | points[i].semaphore_offset << SEMAPHORE_SHIFT;
		rc = perf_open(&attr, pid, perf_fd);
		if (rc)
			return error_set(err, rc, "perf uprobe at file offset %#llx: %s",
					 (unsigned long long)attr.config2, strerror(-rc));
		link->fd_count++;
		rc = perf_set_program(*perf_fd, program_fd, points[i].cookie, link);
		if (rc)
			return error_set(err, rc, "BPF program on the perf uprobe at file offset %#llx: %s",
					 (unsigned long long)attr.config2, strerror(-rc));
	}
	return 0;
}

int uprobe_attach(enum uprobe_rung rung, int program_fd, int object_fd, pid_t pid, bool is_return,
		  bool follows_children, const struct uprobe_point *points, size_t count,
		  struct uprobe_link **ret_link, struct error *err)
{
	CLEANUP(uprobe_link) struct uprobe_link *link = NULL;
	char path[32];
	int rc;

	if (!count || count > UINT32_MAX || pid < 0)
		return error_set(err, -EINVAL, "no uprobe for %zu points of pid %d", count, pid);
	link = calloc(1, sizeof(*link) + 2 * count * sizeof(link->fds[0]));
	if (!link)
		return error_set(err, -ENOMEM, "out of memory for %zu probe points", count);
	if (follows_children)
		pid = 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object_fd);
	if (rung == UPROBE_MULTI)
		rc = attach_multi(program_fd, path, pid, is_return, points, count, link, err);
	else
		rc = attach_perf(program_fd, path, pid, is_return, points, count, link, err);
	if (rc)
		return rc;
	*ret_link = TAKE_PTR(link);
	return 0;
}
