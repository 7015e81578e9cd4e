// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Selects target processes by pid, name or cgroup. */
#include "targets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

DEFINE_CLEANUP(closedir, DIR *, if (v) closedir(v));

int target_list_add(struct target_list *targets, pid_t pid)
{
	pid_t *grown;

	for (size_t i = 0; i < targets->count; i++)
		if (targets->pids[i] == pid)
			return 0;
	grown = reallocarray(targets->pids, targets->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	targets->pids = grown;
	grown[targets->count++] = pid;
	return 0;
}

void target_list_deinit(struct target_list *targets)
{
	free(targets->pids);
	*targets = (struct target_list){ 0 };
}

void process_comm(pid_t pid, char comm[16])
{
	CLEANUP(fclose) FILE *file = NULL;
	char path[64];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	strcpy(comm, "?");
	file = fopen(path, "re");
	if (!file)
		return;
	length = fread(comm, 1, 15, file);
	comm[length] = '\0';
	if (length && comm[length - 1] == '\n')
		comm[length - 1] = '\0';
}

/* The thread group of @pid out of /proc/PID/status, or -ESRCH. */
static pid_t thread_group(pid_t pid)
{
	CLEANUP(fclose) FILE *file = NULL;
	char path[64], line[256];
	int group;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &group) == 1)
			return group;
	return -ESRCH;
}

static bool has_user_memory(pid_t pid)
{
	char path[64], target[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, target, sizeof(target)) > 0;
}

static int parse_pid(const char *word, pid_t *ret_group, struct error *err)
{
	char *end;
	long pid = strtol(word, &end, 10);

	if (*end || pid <= 0 || pid > 1 << 22)
		return error_set(err, -EINVAL, "-p wants a process id, not '%s'", word);
	*ret_group = thread_group(pid);
	return *ret_group < 0 ? error_set(err, -ESRCH, "no process %ld", pid) : 0;
}

static int add_by_pid(const char *word, struct target_list *targets, struct error *err)
{
	pid_t group;
	int status = parse_pid(word, &group, err);

	if (status)
		return status;
	if (!has_user_memory(group) && errno != ENOENT)
		return error_set(err, -EPERM, "process %d may not be looked at: %s (CAP_SYS_PTRACE)", group, strerror(errno));
	if (!has_user_memory(group))
		return error_set(err, -ESRCH, "process %d has no user memory: a kernel thread, or it has exited", group);
	return target_list_add(targets, group);
}

static int add_by_comm(const char *comm, struct target_list *targets, struct error *err)
{
	CLEANUP(closedir) DIR *proc = opendir("/proc");
	size_t before = targets->count;
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		char name[16];

		if (pid <= 0 || pid == getpid())
			continue;
		process_comm(pid, name);
		if (!strncmp(name, comm, 15) && has_user_memory(pid) && target_list_add(targets, pid))
			return -ENOMEM;
	}
	if (targets->count == before)
		return error_set(err, -ESRCH, "no process is named '%s'", comm);
	return 0;
}

static int add_by_cgroup(const char *cgroup, struct target_list *targets, struct error *err)
{
	CLEANUP(fclose) FILE *file = NULL;
	size_t before = targets->count;
	char path[4096];
	int pid;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", cgroup[0] == '/' ? "" : "/sys/fs/cgroup/", cgroup);
	file = fopen(path, "re");
	if (!file)
		return error_set(err, -ENOENT, "no cgroup at %s: %s", path, strerror(errno));
	while (fscanf(file, "%d", &pid) == 1)
		if (pid > 0 && pid != getpid() && has_user_memory(pid) && target_list_add(targets, pid))
			return -ENOMEM;
	if (targets->count == before)
		return error_set(err, -ESRCH, "cgroup %s has no process", cgroup);
	return 0;
}

int targets_by_pid(const struct trace_settings *settings, struct target_list *ret_targets, struct error *err)
{
	struct target_list targets = { 0 };
	int status = 0;

	for (size_t i = 0; i < settings->pids.count && !status; i++) {
		pid_t group;

		status = parse_pid(settings->pids.list[i], &group, err);
		if (!status)
			status = target_list_add(&targets, group);
	}
	if (status) {
		target_list_deinit(&targets);
		return status;
	}
	*ret_targets = targets;
	return 0;
}

int targets_select(const struct trace_settings *settings, struct target_list *ret_targets, struct error *err)
{
	struct target_list targets = { 0 };
	int status = 0;

	for (size_t i = 0; i < settings->pids.count && !status; i++)
		status = add_by_pid(settings->pids.list[i], &targets, err);
	for (size_t i = 0; i < settings->comms.count && !status; i++)
		status = add_by_comm(settings->comms.list[i], &targets, err);
	if (settings->cgroup && !status)
		status = add_by_cgroup(settings->cgroup, &targets, err);
	if (status) {
		target_list_deinit(&targets);
		return status;
	}
	*ret_targets = targets;
	return 0;
}
