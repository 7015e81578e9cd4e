/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A small kernel with tasks, built by the test: types of an own layout, init_task, processes on its list, threads
 * on their process's. Tasks have numbers: 0 is init_task.
 */
#ifndef DILL_TESTS_TASK_IMAGE_H
#define DILL_TESTS_TASK_IMAGE_H

#include <assert.h>
#include <bpf/btf.h>
#include <linux/btf.h>
#include <stdio.h>

#include "kernel_memory.h"
#include "kernel_types.h"
#include "task.h"

#define TASKS_AT (MEMORY_VIRTUAL + 0x10000)
#define TASK_AT(number) (TASKS_AT + 0x1000 * (uint64_t)(number))
#define TASKS_MAX 64
#define SIGNAL_AT(number) (TASK_AT(number) + 0x200)
#define CRED_AT(number) (TASK_AT(number) + 0x300)
#define PID_AT(number) (TASK_AT(number) + 0x400)
#define MM_AT(number) (TASK_AT(number) + 0x500)
#define STACK_AT(number) (MEMORY_VIRTUAL + 0x100000 + 0x4000 * (uint64_t)(number))
#define PERCPU_AT (MEMORY_VIRTUAL + 0x8000)
#define PERCPU_OF(cpu) (0x1000 + 0x1000 * (uint64_t)(cpu))
#define IMAGE_BYTES 0x300000

/* Offsets of the image's own struct task_struct. */
enum {
	T_STATE = 0,
	T_FLAGS = 4,
	T_EXIT_STATE = 8,
	T_PID = 12,
	T_TGID = 16,
	T_ON_CPU = 20,
	T_COMM = 24,
	T_TASKS = 40,
	T_THREAD_NODE = 56,
	T_MM = 72,
	T_SIGNAL = 80,
	T_PARENT = 88,
	T_LEADER = 96,
	T_CRED = 104,
	T_STACK = 112,
	T_SP = 120,
	T_THREAD_PID = 128,
	T_FILES = 136,
	T_SIZE = 256,
	S_NR_THREADS = 0,
	S_THREAD_HEAD = 8,
};

struct task_image {
	struct memory *memory;
	struct kernel *kernel;
	uint64_t percpu_offsets[2];
};

struct image_member {
	const char *name;
	int type;
	unsigned offset; /* bytes */
};

static inline int image_struct(struct btf *btf, const char *name, unsigned size, const struct image_member *members,
			       size_t count)
{
	int id = btf__add_struct(btf, name, size);

	assert(id > 0);
	for (size_t i = 0; i < count; i++)
		assert(!btf__add_field(btf, members[i].name, members[i].type, 8 * members[i].offset, 0));
	return id;
}

#define IMAGE_STRUCT(btf, name, size, ...)                                                              \
	image_struct(btf, name, size, (const struct image_member[]){ __VA_ARGS__ },                     \
		     sizeof((const struct image_member[]){ __VA_ARGS__ }) / sizeof(struct image_member))

/* What all images have; @more adds a test's own types. */
static inline struct kernel_types *image_types(void (*more)(struct btf *btf, int u32, int u64))
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "unsigned long", 8, 0);
	int character = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	int comm = btf__add_array(btf, u32, character, 16);
	int list = IMAGE_STRUCT(btf, "list_head", 16, { "next", u64, 0 }, { "prev", u64, 8 });
	int thread = IMAGE_STRUCT(btf, "thread_struct", 8, { "sp", u64, 0 });
	int upid = IMAGE_STRUCT(btf, "upid", 16, { "nr", u32, 0 }, { "ns", u64, 8 });
	int numbers = btf__add_array(btf, u32, upid, 0);
	int ns = IMAGE_STRUCT(btf, "ns_common", 8, { "inum", u32, 0 });
	int counter = IMAGE_STRUCT(btf, "percpu_counter", 16, { "count", u64, 0 }, { "counters", u64, 8 });
	int counters = btf__add_array(btf, u32, counter, 4);
	struct kernel_types *types;
	const void *bytes;
	uint32_t size;

	IMAGE_STRUCT(btf, "pid_namespace", 8, { "ns", ns, 0 });
	IMAGE_STRUCT(btf, "pid", 8, { "level", u32, 0 }, { "numbers", numbers, 8 });
	IMAGE_STRUCT(btf, "cred", 16, { "uid", u32, 0 }, { "gid", u32, 4 }, { "euid", u32, 8 }, { "egid", u32, 12 });
	IMAGE_STRUCT(btf, "signal_struct", 24, { "nr_threads", u32, S_NR_THREADS },
		     { "thread_head", list, S_THREAD_HEAD });
	IMAGE_STRUCT(btf, "mm_struct", 128, { "total_vm", u64, 0 }, { "rss_stat", counters, 8 }, { "brk", u64, 72 },
		     { "start_brk", u64, 80 }, { "start_stack", u64, 88 }, { "map_count", u32, 96 },
		     { "mmap", u64, 104 });
	IMAGE_STRUCT(btf, "task_struct", T_SIZE, { "__state", u32, T_STATE }, { "flags", u32, T_FLAGS },
		     { "exit_state", u32, T_EXIT_STATE }, { "pid", u32, T_PID }, { "tgid", u32, T_TGID },
		     { "on_cpu", u32, T_ON_CPU }, { "comm", comm, T_COMM }, { "tasks", list, T_TASKS },
		     { "thread_node", list, T_THREAD_NODE }, { "mm", u64, T_MM }, { "signal", u64, T_SIGNAL },
		     { "real_parent", u64, T_PARENT }, { "group_leader", u64, T_LEADER },
		     { "real_cred", u64, T_CRED }, { "stack", u64, T_STACK }, { "thread", thread, T_SP },
		     { "thread_pid", u64, T_THREAD_PID }, { "files", u64, T_FILES });
	if (more)
		more(btf, u32, u64);
	bytes = btf__raw_data(btf, &size);
	assert(!kernel_types_open(bytes, size, "test", &types, NULL));
	btf__free(btf);
	return types;
}

static inline void image_put(struct task_image *image, uint64_t address, const void *bytes, size_t size)
{
	assert(address >= MEMORY_VIRTUAL && address - MEMORY_VIRTUAL + size <= IMAGE_BYTES);
	memcpy(image->memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL), bytes, size);
}

static inline void image_u64(struct task_image *image, uint64_t address, uint64_t value)
{
	image_put(image, address, &value, sizeof(value));
}

static inline void image_u32(struct task_image *image, uint64_t address, uint32_t value)
{
	image_put(image, address, &value, sizeof(value));
}

static inline uint64_t image_get(const struct task_image *image, uint64_t address)
{
	uint64_t value;

	memcpy(&value, image->memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL), sizeof(value));
	return value;
}

/* Put a list_head at the end of the ring of @head. */
static inline void image_append(struct task_image *image, uint64_t head, uint64_t node)
{
	uint64_t last = image_get(image, head + 8);

	image_u64(image, last, node);
	image_u64(image, node, head);
	image_u64(image, node + 8, last);
	image_u64(image, head + 8, node);
}

static inline void image_ring(struct task_image *image, uint64_t head)
{
	image_u64(image, head, head);
	image_u64(image, head + 8, head);
}

static inline void image_task(struct task_image *image, unsigned number, int pid, int tgid, const char *comm)
{
	uint64_t at = TASK_AT(number);
	char name[TASK_COMM_MAX] = "";

	snprintf(name, sizeof(name), "%s", comm);
	image_u32(image, at + T_STATE, 1);
	image_u32(image, at + T_PID, pid);
	image_u32(image, at + T_TGID, tgid);
	image_put(image, at + T_COMM, name, sizeof(name));
	image_u64(image, at + T_STACK, STACK_AT(number));
	image_u64(image, at + T_CRED, CRED_AT(number));
	image_u64(image, at + T_PARENT, TASK_AT(0));
}

/* A process: on init_task's list, and on that of its own threads. */
static inline void image_process(struct task_image *image, unsigned number, int pid, const char *comm)
{
	uint64_t at = TASK_AT(number);

	image_task(image, number, pid, pid, comm);
	image_u64(image, at + T_SIGNAL, SIGNAL_AT(number));
	image_u64(image, at + T_LEADER, at);
	image_u32(image, SIGNAL_AT(number) + S_NR_THREADS, 1);
	image_ring(image, SIGNAL_AT(number) + S_THREAD_HEAD);
	image_append(image, SIGNAL_AT(number) + S_THREAD_HEAD, at + T_THREAD_NODE);
	if (number)
		image_append(image, TASK_AT(0) + T_TASKS, at + T_TASKS);
	else
		image_ring(image, at + T_TASKS);
}

static inline void image_thread(struct task_image *image, unsigned number, int pid, unsigned leader, int tgid,
				const char *comm)
{
	image_task(image, number, pid, tgid, comm);
	image_u64(image, TASK_AT(number) + T_SIGNAL, SIGNAL_AT(leader));
	image_u64(image, TASK_AT(number) + T_LEADER, TASK_AT(leader));
	image_append(image, SIGNAL_AT(leader) + S_THREAD_HEAD, TASK_AT(number) + T_THREAD_NODE);
}

/* init_task alone, and two CPUs. */
static inline struct task_image *image_create(void (*more)(struct btf *btf, int u32, int u64))
{
	struct task_image *image = calloc(1, sizeof(*image));

	image->memory = memory_create(0, IMAGE_BYTES);
	image->kernel = memory_kernel(image->memory, 0, 0);
	image->kernel->types = image_types(more);
	image->percpu_offsets[0] = PERCPU_OF(0);
	image->percpu_offsets[1] = PERCPU_OF(1);
	image->kernel->percpu_offsets = image->percpu_offsets;
	image->kernel->cpu_count = 2;
	kernel_symbols_add(image->kernel->symbols, "init_task", TASK_AT(0));
	image_process(image, 0, 0, "swapper/0");
	return image;
}

static inline void image_destroy(struct task_image *image)
{
	image->kernel->percpu_offsets = NULL;
	kernel_close(image->kernel);
	free(image);
}

#endif
