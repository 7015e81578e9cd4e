// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Walks the lists of tasks and gathers what is on them. Reads in passes over all tasks (lists, task_structs,
 * what they point to), so that each pass can be fetched in few round trips.
 */
#include "task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

/* Tasks whose pages are fetched at once: bounds what the page cache has to hold. */
#define BATCH 128
/* How often a running system's lists are walked again because they changed under the walk. */
#define LIVE_TRIES 4
/* Without KASAN, and with the stack's extent unknown (include/asm/page_64_types.h). */
#define THREAD_SIZE_DEFAULT 16384
#define PAGE_BYTES 4096

/* Addresses of task_structs. */
struct addresses {
	uint64_t *list;
	size_t count, capacity;
};

static void addresses_deinit(struct addresses *addresses)
{
	free(addresses->list);
}
#define CLEANUP_ADDRESSES __attribute__((cleanup(addresses_deinit)))

static int addresses_add(struct addresses *addresses, uint64_t address)
{
	if (addresses->count == addresses->capacity) {
		size_t capacity = addresses->capacity ? 2 * addresses->capacity : 256;
		uint64_t *list = reallocarray(addresses->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		addresses->list = list;
		addresses->capacity = capacity;
	}
	addresses->list[addresses->count++] = address;
	return 0;
}

static int compare_addresses(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void addresses_sort_unique(struct addresses *addresses)
{
	size_t count = 0;

	if (addresses->count)
		qsort(addresses->list, addresses->count, sizeof(*addresses->list), compare_addresses);
	for (size_t i = 0; i < addresses->count; i++)
		if (!count || addresses->list[count - 1] != addresses->list[i])
			addresses->list[count++] = addresses->list[i];
	addresses->count = count;
}

/* Walk one list, to its end or to damage. The list's node lies at @offset in each task_struct. */
static int walk_list(struct tasks *tasks, uint64_t head, uint32_t offset, bool is_reverse,
		     struct addresses *addresses, struct list_walk *walk)
{
	uint64_t node;
	int status = 0;

	list_walk_begin(walk, tasks->kernel, head, TASK_PID_LIMIT);
	walk->is_reverse = is_reverse;
	/* RCU: a task that leaves keeps its links while others' change. */
	walk->ignores_prev = tasks->kernel->source->is_live;
	while (!status && list_walk_next(walk, &node))
		status = addresses_add(addresses, node - offset);
	return status;
}

/* All leaders. Where the list is broken forwards, what can be had backwards is taken too. */
static int collect_leaders(struct tasks *tasks, uint64_t init_task, struct addresses *addresses)
{
	uint32_t offset = tasks->layout.task.tasks.offset;
	struct list_walk walk, back;
	int status = walk_list(tasks, init_task + offset, offset, false, addresses, &walk);

	if (status || walk.damage == LIST_INTACT)
		return status;
	tasks->damage = walk.damage;
	tasks->damaged_node = walk.damaged_node;
	return walk_list(tasks, init_task + offset, offset, true, addresses, &back);
}

static void prefetch_tasks(const struct tasks *tasks, const uint64_t *addresses, size_t count)
{
	struct memory_range ranges[BATCH];

	for (size_t i = 0; i < count; i++)
		ranges[i] = (struct memory_range){ addresses[i], tasks->layout.task.read_size };
	kernel_prefetch(tasks->kernel, ranges, count);
}

/* Add the task at @address. What can't be one is counted. */
static int add_task(struct tasks *tasks, uint64_t address)
{
	struct task *grown, task;
	int status = task_decode(tasks->kernel, &tasks->layout, address, &task);

	if (status == -EBADMSG)
		tasks->impossible++;
	else if (status && status != -ENOMEM)
		tasks->unreadable++;
	if (status)
		return status == -ENOMEM ? status : 0;
	/* Grows by doubling: at powers of two. */
	if (!(tasks->count & (tasks->count - 1))) {
		grown = reallocarray(tasks->list, tasks->count ? 2 * tasks->count : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		tasks->list = grown;
	}
	tasks->list[tasks->count++] = task;
	return 0;
}

static int add_tasks(struct tasks *tasks, const struct addresses *addresses)
{
	int status = 0;

	for (size_t i = 0; i < addresses->count && !status; i++) {
		size_t rest = addresses->count - i;

		if (i % BATCH == 0)
			prefetch_tasks(tasks, addresses->list + i, rest < BATCH ? rest : BATCH);
		status = add_task(tasks, addresses->list[i]);
	}
	return status;
}

/* Pages of what @count tasks point to, by one of their pointers. */
static void prefetch_pointed(struct tasks *tasks, size_t first, size_t count, const struct field *pointer,
			     size_t size)
{
	struct memory_range ranges[BATCH];
	size_t used = 0;

	for (size_t i = first; i < first + count && used < BATCH; i++) {
		uint64_t address;

		if (!field_read(tasks->kernel, pointer, tasks->list[i].addr, &address) && address)
			ranges[used++] = (struct memory_range){ address, size };
	}
	kernel_prefetch(tasks->kernel, ranges, used);
}

/* The per-CPU parts of the memory counters: four neighbours a CPU (percpu_counter_init_many()). */
static int prefetch_counters(struct tasks *tasks, size_t first, size_t count)
{
	struct kernel *kernel = tasks->kernel;
	const struct task_layout *layout = &tasks->layout;
	CLEANUP(free) struct memory_range *ranges = calloc(count * kernel->cpu_count + 1, sizeof(*ranges));
	size_t used = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = first; i < first + count; i++) {
		uint64_t mm = tasks->list[i].mm, counters, address;

		if (!mm || field_read(kernel, &layout->percpu_counter.counters,
				      mm + layout->mm.rss_percpu.offset, &counters))
			continue;
		for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++)
			if (!kernel_percpu(kernel, counters, cpu, &address))
				ranges[used++] = (struct memory_range){ address, 4 * sizeof(uint32_t) };
	}
	kernel_prefetch(kernel, ranges, used);
	return 0;
}

static int complete_tasks(struct tasks *tasks)
{
	const struct task_layout *layout = &tasks->layout;
	int status = 0;

	for (size_t i = 0; i < tasks->count && !status; i++) {
		size_t count = tasks->count - i < BATCH ? tasks->count - i : BATCH;

		if (i % BATCH == 0) {
			uint64_t list[BATCH];

			for (size_t k = 0; k < count; k++)
				list[k] = tasks->list[i + k].addr;
			prefetch_tasks(tasks, list, count);
			prefetch_pointed(tasks, i, count, &layout->task.mm, layout->mm.read_size);
			prefetch_pointed(tasks, i, count, &layout->task.real_cred,
					 layout->cred.user_ns.offset + 8);
			prefetch_pointed(tasks, i, count, &layout->task.signal,
					 layout->signal.thread_head.offset + 8);
			prefetch_pointed(tasks, i, count, &layout->task.thread_pid, layout->pid.numbers + 16);
			prefetch_pointed(tasks, i, count, &layout->task.cgroups,
					 layout->cgroup.dfl_cgrp.offset + 8);
			if (!field_exists(&layout->mm.rss_atomic))
				status = prefetch_counters(tasks, i, count);
		}
		if (!status)
			status = task_complete(tasks->kernel, layout, &tasks->list[i]);
		tasks->incomplete += tasks->list[i].missing != 0;
	}
	return status;
}

/* The threads of each process read so far, leaders left out. */
static int collect_threads(struct tasks *tasks, struct addresses *addresses)
{
	uint32_t offset = tasks->layout.task.thread_node.offset;

	if (!field_exists(&tasks->layout.signal.thread_head))
		return 0;
	for (size_t i = 0; i < tasks->count; i++) {
		struct list_walk walk;
		int status;

		if (!tasks->list[i].signal)
			continue;
		status = walk_list(tasks, tasks->list[i].signal + tasks->layout.signal.thread_head.offset,
				   offset, false, addresses, &walk);
		if (status)
			return status;
		tasks->damaged_groups += walk.damage != LIST_INTACT;
	}
	return 0;
}

/* A process on the list of processes is a thread on its own list: don't read it twice. */
static int add_threads(struct tasks *tasks)
{
	CLEANUP_ADDRESSES struct addresses threads = { 0 }, leaders = { 0 }, others = { 0 };
	int status = collect_threads(tasks, &threads);

	for (size_t i = 0; i < tasks->count && !status; i++)
		status = addresses_add(&leaders, tasks->list[i].addr);
	addresses_sort_unique(&threads);
	addresses_sort_unique(&leaders);
	for (size_t i = 0; i < threads.count && !status; i++)
		if (!bsearch(&threads.list[i], leaders.list, leaders.count, sizeof(*leaders.list),
			     compare_addresses))
			status = addresses_add(&others, threads.list[i]);
	return status ? status : add_tasks(tasks, &others);
}

/*
 * Idle tasks are on no list. Each CPU's run queue names its own; a task's cfs_rq leads to one where the
 * variable itself is hidden, as every CPU has threads that are bound to it.
 */
static int collect_idle(struct tasks *tasks, uint64_t init_task, struct addresses *addresses)
{
	struct kernel *kernel = tasks->kernel;
	const struct task_layout *layout = &tasks->layout;
	uint64_t runqueues, queue, idle;
	int status = addresses_add(addresses, init_task);

	if (!field_exists(&layout->rq_idle))
		return status;
	if (!kernel_symbol(kernel, "runqueues", &runqueues)) {
		for (size_t cpu = 0; cpu < kernel->cpu_count && !status; cpu++)
			if (!kernel_percpu(kernel, runqueues, cpu, &queue) &&
			    !field_read(kernel, &layout->rq_idle, queue, &idle) && idle)
				status = addresses_add(addresses, idle);
		return status;
	}
	for (size_t i = 0; i < tasks->count && !status; i++)
		if (!field_read(kernel, &layout->task.cfs_rq, tasks->list[i].addr, &queue) && queue &&
		    !field_read(kernel, &layout->cfs_rq_rq, queue, &queue) && queue &&
		    !field_read(kernel, &layout->rq_idle, queue, &idle) && idle)
			status = addresses_add(addresses, idle);
	return status;
}

static int add_idle(struct tasks *tasks, uint64_t init_task)
{
	CLEANUP_ADDRESSES struct addresses idle = { 0 };
	int status = collect_idle(tasks, init_task, &idle);

	addresses_sort_unique(&idle);
	return status ? status : add_tasks(tasks, &idle);
}

/* Idle tasks last, then by process, leaders first. Addresses make the order complete. */
static int compare_tasks(const void *left, const void *right)
{
	const struct task *a = left, *b = right;

	if (a->is_idle != b->is_idle)
		return a->is_idle - b->is_idle;
	if (a->tgid != b->tgid)
		return a->tgid < b->tgid ? -1 : 1;
	if (a->is_leader != b->is_leader)
		return b->is_leader - a->is_leader;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->cpu != b->cpu)
		return a->cpu < b->cpu ? -1 : 1;
	return compare_addresses(&a->addr, &b->addr);
}

/* A stack's pages in vmalloc space end with a guard page; all stacks have one size. */
static void find_stack_size(struct tasks *tasks)
{
	uint64_t area, size = 0;

	for (size_t i = 0; i < tasks->count && !size; i++)
		if (field_read(tasks->kernel, &tasks->layout.task.stack_vm_area, tasks->list[i].addr,
			       &area) ||
		    !area || field_read(tasks->kernel, &tasks->layout.vm_size, area, &size) ||
		    size % PAGE_BYTES || size <= PAGE_BYTES || size > 64 * PAGE_BYTES)
			size = 0;
	size = size ? size - PAGE_BYTES : THREAD_SIZE_DEFAULT;
	for (size_t i = 0; i < tasks->count; i++)
		tasks->list[i].stack_size = tasks->list[i].stack ? size : 0;
}

static int read_once(struct tasks *tasks, uint64_t init_task, unsigned flags)
{
	CLEANUP_ADDRESSES struct addresses leaders = { 0 };
	int status = collect_leaders(tasks, init_task, &leaders);

	addresses_sort_unique(&leaders);
	if (!status)
		status = add_tasks(tasks, &leaders);
	tasks->process_count = tasks->count;
	if (!status && flags & TASKS_THREADS)
		status = add_threads(tasks);
	if (!status && flags & TASKS_IDLE)
		status = add_idle(tasks, init_task);
	if (!status)
		find_stack_size(tasks);
	if (!status && !(flags & TASKS_BRIEF))
		status = complete_tasks(tasks);
	if (!status && tasks->count)
		qsort(tasks->list, tasks->count, sizeof(*tasks->list), compare_tasks);
	return status;
}

static bool is_damaged(const struct tasks *tasks)
{
	return tasks->damage != LIST_INTACT || tasks->damaged_groups || tasks->unreadable ||
	       tasks->impossible;
}

int tasks_read(struct kernel *kernel, unsigned flags, struct tasks *ret_tasks, struct error *err)
{
	int tries = kernel->source->is_live ? LIVE_TRIES : 1;
	struct tasks tasks = { .kernel = kernel };
	struct task_layout layout;
	uint64_t init_task;
	int status = task_layout_load(kernel, &layout, err);

	if (status)
		return error_context(err, "tasks");
	status = kernel_symbol(kernel, "init_task", &init_task);
	if (status)
		return error_set(err, status, "tasks: the kernel's init_task cannot be found");
	for (int i = 0; i < tries && !status; i++) {
		tasks_deinit(&tasks);
		tasks = (struct tasks){ .kernel = kernel, .layout = layout };
		if (i)
			kernel_forget(kernel);
		status = read_once(&tasks, init_task, flags);
		if (!is_damaged(&tasks))
			break;
	}
	if (!status && !tasks.count)
		status = -EBADMSG;
	if (status) {
		tasks_deinit(&tasks);
		return status == -EBADMSG
			       ? error_set(err, status, "tasks: init_task at 0x%llx leads to no task",
					   (unsigned long long)init_task)
			       : error_set(err, status, "tasks: %s", strerror(-status));
	}
	*ret_tasks = tasks;
	return 0;
}

void tasks_deinit(struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		task_deinit(&tasks->list[i]);
	free(tasks->list);
	memset(tasks, 0, sizeof(*tasks));
}

const struct task *tasks_by_pid(const struct tasks *tasks, int32_t pid)
{
	for (size_t i = 0; i < tasks->count; i++)
		if (tasks->list[i].pid == pid)
			return &tasks->list[i];
	return NULL;
}

/*
 * The nearest task_struct below: one takes less room than its type says, since the FPU state at its end is as large
 * as this CPU needs (arch_task_struct_size), so the type's size reaches into the next.
 */
const struct task *tasks_at(const struct tasks *tasks, uint64_t address)
{
	const struct task *nearest = NULL;

	for (size_t i = 0; i < tasks->count; i++) {
		const struct task *task = &tasks->list[i];

		if (task->stack && address - task->stack < task->stack_size)
			return task;
		if (address - task->addr < tasks->layout.task.size && (!nearest || task->addr > nearest->addr))
			nearest = task;
	}
	return nearest;
}

bool task_is_called(const struct task *task, const char *name)
{
	return !strncmp(task->comm, name, TASK_COMM_MAX - 1) && name[0];
}
