// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One task_struct and what hangs on it, into a struct task. Walks no lists but those of PID namespaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "task.h"

#define PAGE_BYTES 4096
#define PF_IDLE 0x2
#define PF_KTHREAD 0x200000
/* MAX_PID_NS_LEVEL of include/linux/pid_namespace.h. */
#define PID_LEVELS_MAX 32
/* NICE_TO_PRIO(0), MAX_RT_PRIO + NICE_WIDTH / 2. */
#define DEFAULT_PRIO 120

static bool is_kernel_pointer(uint64_t value)
{
	return value >> 63 && !(value & 7);
}

/* What is read through a stale or broken pointer is hardly ever a task by these measures. */
static bool is_possible(const struct task *task)
{
	return task->pid >= 0 && task->pid <= TASK_PID_LIMIT && task->tgid >= 0 &&
	       task->tgid <= TASK_PID_LIMIT && (!task->signal || is_kernel_pointer(task->signal)) &&
	       (!task->group_leader || is_kernel_pointer(task->group_leader)) &&
	       (!task->stack || is_kernel_pointer(task->stack)) &&
	       (!task->mm || is_kernel_pointer(task->mm)) &&
	       strnlen(task->comm, TASK_COMM_MAX) < TASK_COMM_MAX;
}

int task_decode(struct kernel *kernel, const struct task_layout *layout, uint64_t address,
		struct task *ret_task)
{
	size_t size = layout->task.read_size;
	CLEANUP(free) uint8_t *bytes = malloc(size);
	struct task task = { .addr = address };
	int status;

	if (!bytes)
		return -ENOMEM;
	if (!is_kernel_pointer(address))
		return -EBADMSG;
	status = kernel_read(kernel, address, bytes, size);
	if (status)
		return status;
#define GET(member) field_get(&layout->task.member, bytes, size)
	task.pid = (int32_t)GET(pid);
	task.tgid = (int32_t)GET(tgid);
	task.state = (uint32_t)GET(state);
	task.exit_state = (uint32_t)GET(exit_state);
	task.flags = (uint32_t)GET(flags);
	task.cpu = (uint32_t)GET(cpu);
	task.is_on_cpu = GET(on_cpu) != 0;
	task.prio = (int32_t)GET(prio);
	task.nice = field_exists(&layout->task.static_prio) ? (int32_t)GET(static_prio) - DEFAULT_PRIO : 0;
	task.rt_priority = (int32_t)GET(rt_priority);
	task.policy = (uint32_t)GET(policy);
	task.start_boottime_ns = GET(start_boottime);
	task.stack = GET(stack);
	task.sp = GET(sp);
	task.mm = GET(mm);
	task.files = GET(files);
	task.fs = GET(fs);
	task.signal = GET(signal);
	task.real_parent = GET(real_parent);
	task.group_leader = GET(group_leader);
#undef GET
	memcpy(task.comm, bytes + layout->task.comm.offset,
	       layout->task.comm.size < TASK_COMM_MAX ? layout->task.comm.size : TASK_COMM_MAX);
	task.is_leader = task.pid == task.tgid;
	task.is_kernel_thread = task.flags & PF_KTHREAD;
	task.is_idle = !task.pid && task.flags & PF_IDLE;
	task.has_memory = task.mm != 0;
	if (!is_possible(&task))
		return -EBADMSG;
	*ret_task = task;
	return 0;
}

/* One of mm's counters in pages, exact: what CPUs have not yet added to the sum included. */
static int read_rss_counter(struct kernel *kernel, const struct task_layout *layout, uint64_t mm,
			    uint32_t index, uint64_t *ret_bytes)
{
	bool is_atomic = field_exists(&layout->mm.rss_atomic);
	const struct field *rss = is_atomic ? &layout->mm.rss_atomic : &layout->mm.rss_percpu;
	size_t step = is_atomic ? sizeof(int64_t) : layout->percpu_counter.size;
	uint64_t at = mm + rss->offset + index * step;
	uint64_t count, counters;
	int status;

	if (!field_exists(rss) || !step || (index + 1) * step > rss->size)
		return -ENOENT;
	if (is_atomic) {
		status = kernel_read_u64(kernel, at, &count);
	} else {
		status = field_read(kernel, &layout->percpu_counter.count, at, &count);
		if (!status)
			status = field_read(kernel, &layout->percpu_counter.counters, at, &counters);
		for (size_t cpu = 0; cpu < kernel->cpu_count && !status && counters; cpu++) {
			uint64_t address;
			uint32_t part = 0;

			if (kernel_percpu(kernel, counters, cpu, &address))
				continue;
			status = kernel_read_u32(kernel, address, &part);
			count += (uint64_t)(int64_t)(int32_t)part;
		}
	}
	if (!status)
		*ret_bytes = (int64_t)count > 0 ? count * PAGE_BYTES : 0;
	return status;
}

static int read_memory(struct kernel *kernel, const struct task_layout *layout, struct task *task)
{
	uint64_t pages;
	int status = field_read(kernel, &layout->mm.total_vm, task->mm, &pages);

	if (status)
		return status;
	task->vsize_bytes = pages * PAGE_BYTES;
	status = read_rss_counter(kernel, layout, task->mm, layout->rss.file, &task->rss_file_bytes);
	if (!status)
		status = read_rss_counter(kernel, layout, task->mm, layout->rss.anon, &task->rss_anon_bytes);
	if (!status)
		status =
			read_rss_counter(kernel, layout, task->mm, layout->rss.shmem, &task->rss_shmem_bytes);
	if (!status)
		status = read_rss_counter(kernel, layout, task->mm, layout->rss.swap, &task->swap_bytes);
	return status;
}

static int read_namespace(struct kernel *kernel, const struct task_layout *layout, enum task_namespace kind,
			  uint64_t address, uint32_t *ret_inum)
{
	uint64_t inum;
	int status = address ? field_read(kernel, &layout->inum[kind], address, &inum) : -ENOENT;

	if (!status)
		*ret_inum = (uint32_t)inum;
	return status;
}

static int read_cred(struct kernel *kernel, const struct task_layout *layout, struct task *task)
{
	const struct field *const fields[] = { &layout->cred.uid, &layout->cred.gid, &layout->cred.euid,
					       &layout->cred.egid };
	uint32_t *const values[] = { &task->uid, &task->gid, &task->euid, &task->egid };
	uint64_t cred, user_ns, value;
	int status = field_read(kernel, &layout->task.real_cred, task->addr, &cred);

	for (size_t i = 0; i < 4 && !status; i++) {
		status = field_read(kernel, fields[i], cred, &value);
		if (!status)
			*values[i] = (uint32_t)value;
	}
	if (!status && !field_read(kernel, &layout->cred.user_ns, cred, &user_ns))
		read_namespace(kernel, layout, TASK_NS_USER, user_ns, &task->namespaces[TASK_NS_USER]);
	return status;
}

/* struct pid: a number for each namespace, from the initial one to the task's own. Gone once it is reaped. */
static int read_pids(struct kernel *kernel, const struct task_layout *layout, struct task *task)
{
	uint64_t pid, level, nr, ns;
	int status = field_read(kernel, &layout->task.thread_pid, task->addr, &pid);

	if (status || !pid)
		return status;
	status = field_read(kernel, &layout->pid.level, pid, &level);
	if (status)
		return status;
	if (level > PID_LEVELS_MAX)
		return -EBADMSG;
	task->pids = calloc(level + 1, sizeof(*task->pids));
	if (!task->pids)
		return -ENOMEM;
	for (size_t i = 0; i <= level && !status; i++) {
		uint64_t upid = pid + layout->pid.numbers + i * layout->upid.size;

		status = field_read(kernel, &layout->upid.nr, upid, &nr);
		if (!status)
			status = field_read(kernel, &layout->upid.ns, upid, &ns);
		if (status)
			break;
		task->pids[i].pid = (int32_t)nr;
		read_namespace(kernel, layout, TASK_NS_PID, ns, &task->pids[i].inum);
		task->pid_count = i + 1;
	}
	if (task->pid_count)
		task->namespaces[TASK_NS_PID] = task->pids[task->pid_count - 1].inum;
	return status;
}

/* A zombie has none any more: nothing is missing then. */
static int read_namespaces(struct kernel *kernel, const struct task_layout *layout, struct task *task)
{
	uint64_t nsproxy, address;
	int status = field_read(kernel, &layout->task.nsproxy, task->addr, &nsproxy);

	if (status || !nsproxy)
		return status;
	for (int kind = 0; kind < TASK_NS_COUNT; kind++) {
		if (!field_exists(&layout->nsproxy[kind]) || !field_exists(&layout->inum[kind]))
			continue;
		status = field_read(kernel, &layout->nsproxy[kind], nsproxy, &address);
		if (!status && address)
			status = read_namespace(kernel, layout, kind, address, &task->namespaces[kind]);
		if (status)
			return status;
	}
	return 0;
}

/* -ENOENT is a kernel without such a thing, which is no loss of this task. */
static int note(struct task *task, int status, enum task_missing part)
{
	if (status && status != -ENOENT && status != -ENOMEM)
		task->missing |= part;
	return status == -ENOMEM ? status : 0;
}

int task_complete(struct kernel *kernel, const struct task_layout *layout, struct task *task)
{
	uint64_t value = 0;
	int status = task->signal ? field_read(kernel, &layout->signal.nr_threads, task->signal, &value) : 0;

	task->thread_count = (uint32_t)value;
	note(task, status, TASK_MISSING_SIGNAL);
	note(task, read_cred(kernel, layout, task), TASK_MISSING_CRED);
	if (task->has_memory)
		note(task, read_memory(kernel, layout, task), TASK_MISSING_MEMORY);
	status = note(task, read_pids(kernel, layout, task), TASK_MISSING_PIDS);
	if (status)
		return status;
	note(task, read_namespaces(kernel, layout, task), TASK_MISSING_NAMESPACES);
	if (task->real_parent) {
		status = field_read(kernel, &layout->task.tgid, task->real_parent, &value);
		if (!note(task, status, TASK_MISSING_PARENT) && !status)
			task->ppid = (int32_t)value;
	}
	if (field_read(kernel, &layout->task.cgroups, task->addr, &value) || !value)
		return 0;
	return note(task, task_cgroups_read(kernel, layout, value, &task->cgroup, &task->cgroups_v1),
		    TASK_MISSING_CGROUP);
}

void task_deinit(struct task *task)
{
	free(task->pids);
	free(task->cgroup);
	free(task->cgroups_v1);
	memset(task, 0, sizeof(*task));
}
