// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Opens a process that uses libslub: which copy of it, what it says of itself, where its arrays are. */
#include "slub_process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_open.h"
#include "slub_find.h"
#include "slub_inspection.h"
#include "source_process.h"
#include "symbolizer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(member) offsetof(struct slub_layout, member)
#define MEMBERS_MAX 4096
#define MEMBER_BYTES_MAX 1024
/* NR_CPUS and MAX_NUMNODES are 8192 and 1024 at most. */
#define CPUS_MAX 8192
#define NODES_MAX 1024
#define SHIFT_MAX 30

DEFINE_CLEANUP(kernel, struct kernel *, kernel_close(v));
DEFINE_CLEANUP(slub_copies, struct slub_copies, slub_copies_deinit(&v));

static const struct field_spec fields[] = {
	{ "slub_state", "is_ready", AT(state.is_ready), true },
	{ "slub_state", "cpus", AT(state.cpus), true },
	{ "slub_state", "nodes", AT(state.nodes), true },
	{ "slub_state", "caches", AT(state.caches), true },
	{ "slub_state", "pages.base", AT(state.base), true },
	{ "slub_state", "pages.count", AT(state.count), true },
	{ "slub_state", "pages.used", AT(state.used), true },
	{ "slub_state", "pages.kind", AT(state.kind), true },
	{ "slub_state", "pages.slab_of", AT(state.slab_of), true },
	{ "slub_state", "pages.slabs", AT(state.slabs), true },
	{ "slub_state", "pages.taken", AT(state.taken), true },
	{ "slub_state", "pages.dirty_free", AT(state.dirty_free), true },
	{ "kmem_cache", "", AT(cache.all), true },
	{ "kmem_cache", "percpu_home", AT(cache.percpu_home), true },
	{ "kmem_cache", "sheaf_mask", AT(cache.sheaf_mask), true },
	{ "kmem_cache", "flags", AT(cache.flags), true },
	{ "kmem_cache", "has_sheaves", AT(cache.has_sheaves), true },
	{ "kmem_cache", "has_cpu_slabs", AT(cache.has_cpu_slabs), false },
	{ "kmem_cache", "is_kmalloc", AT(cache.is_kmalloc), true },
	{ "kmem_cache", "geometry.object_size", AT(cache.object_size), true },
	{ "kmem_cache", "geometry.size", AT(cache.size), true },
	{ "kmem_cache", "geometry.inuse", AT(cache.inuse), true },
	{ "kmem_cache", "geometry.align", AT(cache.align), true },
	{ "kmem_cache", "geometry.offset", AT(cache.offset), true },
	{ "kmem_cache", "geometry.red_left_pad", AT(cache.red_left_pad), true },
	{ "kmem_cache", "geometry.order", AT(cache.order), true },
	{ "kmem_cache", "geometry.objects", AT(cache.objects), true },
	{ "kmem_cache", "geometry.min_order", AT(cache.min_order), true },
	{ "kmem_cache", "geometry.min_objects", AT(cache.min_objects), true },
	{ "kmem_cache", "geometry.min_partial", AT(cache.min_partial), true },
	{ "kmem_cache", "geometry.cpu_partial", AT(cache.cpu_partial), false },
	{ "kmem_cache", "geometry.cpu_partial_slabs", AT(cache.cpu_partial_slabs), false },
	{ "kmem_cache", "geometry.sheaf_capacity", AT(cache.sheaf_capacity), true },
	{ "kmem_cache", "geometry.sheaf_refill", AT(cache.sheaf_refill), false },
	{ "kmem_cache", "random", AT(cache.random), true },
	{ "kmem_cache", "ctor", AT(cache.ctor), true },
	{ "kmem_cache", "refcount", AT(cache.refcount), true },
	{ "kmem_cache", "name", AT(cache.name), true },
	{ "kmem_cache", "next", AT(cache.next), true },
	{ "kmem_cache", "node", AT(cache.node), false }, /* a flexible array has no size: see check_layout() */
	{ "kmem_cache_node", "", AT(node.all), true },
	{ "kmem_cache_node", "barn", AT(node.barn), true },
	{ "slub_track", "", AT(track.all), false },
	{ "slub_track", "stack", AT(track.stack), false },
	{ "slub_track", "cpu", AT(track.cpu), false },
	{ "slub_track", "pid", AT(track.pid), false },
	{ "slub_track", "when_ns", AT(track.when_ns), false },
	{ "slub_stack", "", AT(stack.all), false },
	{ "slub_stack", "count", AT(stack.count), false },
	{ "slub_stack", "frames", AT(stack.frames), false },
};

static const struct slub_inspection_member *member_find(const struct slub_process *process, const char *name)
{
	for (size_t i = 0; i < process->member_count; i++)
		if (!strncmp(process->members[i].name, name, sizeof(process->members[i].name)))
			return &process->members[i];
	return NULL;
}

int slub_number(const struct slub_process *process, const char *name, uint64_t *ret_value)
{
	char full[sizeof(process->members->name) + 1];
	const struct slub_inspection_member *member;

	snprintf(full, sizeof(full), "=%s", name);
	member = member_find(process, full);
	if (!member)
		return -ENOENT;
	*ret_value = member->offset;
	return 0;
}

int slub_fields_load(const struct slub_process *process, const struct field_spec *specs, size_t count, void *layout,
		     struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct slub_inspection_member *member;
		char name[128];

		snprintf(name, sizeof(name), "%s%s%s", specs[i].type, *specs[i].path ? "." : "", specs[i].path);
		member = member_find(process, name);
		if (!member && specs[i].is_required)
			return error_set(err, -EOPNOTSUPP, "the libslub in %s has no %s: it and this dill don't know "
							   "each other", process->file, name);
		if (member && (member->offset > UINT16_MAX || member->size > UINT16_MAX))
			return error_set(err, -EBADMSG, "%s: %s is impossibly large", process->file, name);
		if (member)
			*(struct field *)((char *)layout + specs[i].at) =
				(struct field){ .offset = member->offset, .size = (uint16_t)member->size };
	}
	return 0;
}

void slub_process_destroy(struct slub_process *process)
{
	if (!process)
		return;
	free(process->file);
	free(process->members);
	symbolizer_destroy(process->symbolizer);
	free(process);
}

static int unreadable(const struct slub_process *process, struct error *err)
{
	return error_set(err, -EFAULT, "what the libslub in %s says of itself can't be read", process->file);
}

/* The members, as many and as large as the head says. */
static int read_members(struct kernel *kernel, const struct slub_inspection *head, struct slub_process *process,
			struct error *err)
{
	CLEANUP(free) char *bytes = NULL;

	if (head->member_size < sizeof(*process->members) || head->member_size > MEMBER_BYTES_MAX ||
	    !head->member_count || head->member_count > MEMBERS_MAX)
		return error_set(err, -EBADMSG, "%s: %lu members of %u bytes are described", process->file,
				 (unsigned long)head->member_count, head->member_size);
	bytes = malloc(head->member_count * head->member_size);
	process->members = calloc(head->member_count, sizeof(*process->members));
	if (!bytes || !process->members)
		return error_set(err, -ENOMEM, "out of memory");
	if (kernel_read(kernel, head->members, bytes, head->member_count * head->member_size))
		return unreadable(process, err);
	for (size_t i = 0; i < head->member_count; i++)
		memcpy(&process->members[i], bytes + i * head->member_size, sizeof(*process->members));
	process->member_count = head->member_count;
	return 0;
}

/* A pointer or number of struct slub_state. */
static int read_state(struct kernel *kernel, const struct field *field, uint64_t *ret_value)
{
	return field_read(kernel, field, kernel->process->state, ret_value);
}

/* Sizes that later code relies on. */
static int check_layout(struct slub_process *process, struct error *err)
{
	struct slub_layout *layout = &process->layout;
	const struct slub_inspection_member *node = member_find(process, "kmem_cache.node");

	if (!node || layout->cache.name.offset + layout->cache.name.size > layout->cache.all.size ||
	    layout->node.barn.offset + layout->node.barn.size > layout->node.all.size || layout->cache.next.size != 8)
		return error_set(err, -EBADMSG, "%s: what its libslub says of itself can't be", process->file);
	return 0;
}

static int read_description(struct kernel *kernel, const struct slub_copy *copy, struct error *err)
{
	struct slub_process *process = kernel->process;
	struct slub_inspection head;
	uint64_t shift, page_shift;
	int status;

	free(process->file);
	process->file = strdup(copy->file);
	if (!process->file)
		return error_set(err, -ENOMEM, "out of memory");
	if (kernel_read(kernel, copy->description, &head, sizeof(head)) || head.magic != SLUB_INSPECTION_MAGIC)
		return unreadable(process, err);
	if (head.format != SLUB_INSPECTION_FORMAT)
		return error_set(err, -EOPNOTSUPP, "the libslub in %s describes itself in format %u, this dill knows "
						   "format %u", process->file, head.format, SLUB_INSPECTION_FORMAT);
	free(process->members);
	process->members = NULL;
	status = read_members(kernel, &head, process, err);
	if (!status)
		status = slub_fields_load(process, fields, COUNT(fields), &process->layout, err);
	if (!status)
		status = check_layout(process, err);
	if (!status && (slub_number(process, "SLUB_PERCPU_SHIFT", &shift) || shift > SHIFT_MAX ||
			slub_number(process, "SLUB_PAGE_SHIFT", &page_shift) || page_shift != 12 ||
			slub_number(process, "SLUB_PAGE_NONE", &process->page_none) ||
			slub_number(process, "SLUB_PAGE_RUN", &process->page_run)))
		status = error_set(err, -EOPNOTSUPP, "the libslub in %s lacks numbers that dill needs", process->file);
	if (status)
		return status;
	slub_number(process, "SLUB_STACKS", &process->stack_count);
	process->percpu_bytes = UINT64_C(1) << shift;
	process->description = copy->description;
	process->state = head.state;
	process->bootstrap_top = head.bootstrap_top;
	process->stacks = head.stacks;
	return 0;
}

/* 1: in use. 0: its first object is yet to be asked for. */
static int is_in_use(struct kernel *kernel, const struct slub_copy *copy, struct error *err)
{
	uint64_t is_ready;
	int status = read_description(kernel, copy, err);

	if (status)
		return status;
	if (read_state(kernel, &kernel->process->layout.state.is_ready, &is_ready))
		return unreadable(kernel->process, err);
	return is_ready != 0;
}

static bool is_wanted(const struct slub_copy *copy, const char *file)
{
	size_t length = strlen(copy->file), wanted = strlen(file);

	return !wanted || (length >= wanted && !strcmp(copy->file + length - wanted, file) &&
			   (length == wanted || copy->file[length - wanted - 1] == '/'));
}

/* Of the copies that are in use, the only one. What fails in the others matters only when there is none. */
static int choose(struct kernel *kernel, const struct slub_copies *copies, const char *file, struct error *err)
{
	size_t chosen = copies->count, used = 0, met = 0;
	char names[256] = "";
	int failure = 0;

	for (size_t i = 0; i < copies->count; i++) {
		int status = is_wanted(&copies->list[i], file) ? is_in_use(kernel, &copies->list[i], err) : 0;

		if (kernel->reader.code)
			return error_set(err, kernel->reader.code, "%s", kernel->reader.text);
		met += is_wanted(&copies->list[i], file);
		failure = status < 0 ? status : failure;
		if (status <= 0)
			continue;
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", used++ ? ", " : "",
			 copies->list[i].file);
		chosen = i;
	}
	if (used > 1)
		return error_set(err, -ENOENT, "process %d uses more than one libslub: %s; take pid:%d:FILE",
				 (int)kernel->process->pid, names, (int)kernel->process->pid);
	if (used)
		return read_description(kernel, &copies->list[chosen], err);
	if (failure)
		return failure;
	return error_set(err, -ENOENT, met ? "process %d has libslub, but has not used it yet" : "no libslub in process %d%s%s",
			 (int)kernel->process->pid, *file ? ", file " : "", file);
}

/* CPUs, nodes, arrays: all of which stand since the allocator was set up. */
static int read_places(struct kernel *kernel, struct error *err)
{
	struct slub_process *process = kernel->process;
	const struct slub_layout *layout = &process->layout;
	uint64_t cpus, nodes, *offsets;

	if (read_state(kernel, &layout->state.cpus, &cpus) || read_state(kernel, &layout->state.nodes, &nodes) ||
	    read_state(kernel, &layout->state.base, &process->base) ||
	    read_state(kernel, &layout->state.count, &process->page_count) ||
	    read_state(kernel, &layout->state.kind, &process->kind) ||
	    read_state(kernel, &layout->state.slab_of, &process->slab_of) ||
	    read_state(kernel, &layout->state.slabs, &process->slabs))
		return unreadable(process, err);
	if (!cpus || cpus > CPUS_MAX || !nodes || nodes > NODES_MAX || process->page_count > UINT32_MAX)
		return error_set(err, -EBADMSG, "process %d: %lu CPUs, %lu nodes, %lu pages: its allocator's state was "
						"overwritten", (int)process->pid, (unsigned long)cpus,
				 (unsigned long)nodes, (unsigned long)process->page_count);
	offsets = calloc(2 * cpus, sizeof(*offsets));
	if (!offsets)
		return error_set(err, -ENOMEM, "out of memory");
	/* 0 would be no CPU (kernel_percpu()): a per-CPU pointer of this target is one part in front of CPU 0's. */
	for (size_t cpu = 0; cpu < 2 * cpus; cpu++)
		offsets[cpu] = (cpu + 1) * process->percpu_bytes;
	kernel->percpu_offsets = offsets;
	kernel->cpu_count = process->cpus = cpus;
	kernel->node_count = nodes;
	/* A slab has at least one page: bounds all lists of them. */
	kernel->layout.max_pfn = (struct kernel_fact){ process->page_count, "libslub" };
	return 0;
}

static int parse(const char *target, pid_t *ret_pid, const char **ret_file, struct error *err)
{
	char *end;
	long pid = strtol(target, &end, 10);

	if (*target < '0' || *target > '9' || (*end && *end != ':') || pid <= 0 || pid > INT32_MAX)
		return error_set(err, -EINVAL, "'%s' is no process: PID or PID:FILE is wanted", target);
	*ret_pid = (pid_t)pid;
	*ret_file = *end ? end + 1 : end;
	return 0;
}

int slub_process_open(const char *target, struct kernel **ret_kernel, struct error *err)
{
	CLEANUP(slub_copies) struct slub_copies copies = { 0 };
	CLEANUP(kernel) struct kernel *kernel = NULL;
	struct memory_source *source;
	const char *file = "";
	pid_t pid = 0;
	int status = parse(target, &pid, &file, err);

	if (!status)
		status = source_process_open(pid, &source, err);
	if (!status)
		status = kernel_create(source, &kernel, err);
	if (status)
		return status;
	kernel->process = calloc(1, sizeof(*kernel->process));
	if (!kernel->process)
		return error_set(err, -ENOMEM, "out of memory");
	kernel->process->pid = pid;
	status = slub_find(source, pid, &copies, err);
	if (!status)
		status = choose(kernel, &copies, file, err);
	if (!status)
		status = read_places(kernel, err);
	if (!status)
		status = source_process_watch(source, kernel->process->description, err);
	if (status)
		return status;
	kernel_forget(kernel);
	*ret_kernel = TAKE_PTR(kernel);
	return 0;
}

int slub_facts_read(struct kernel *kernel, struct slub_facts *ret_facts)
{
	const struct slub_layout *layout = &kernel->process->layout;
	struct slub_facts facts = { .reserved = kernel->process->page_count };

	if (read_state(kernel, &layout->state.used, &facts.used) || read_state(kernel, &layout->state.taken, &facts.taken) ||
	    read_state(kernel, &layout->state.dirty_free, &facts.idle))
		return -EFAULT;
	facts.reserved <<= 12;
	facts.used <<= 12;
	facts.taken <<= 12;
	facts.idle <<= 12;
	*ret_facts = facts;
	return 0;
}

int slub_symbol_at(struct kernel *kernel, uint64_t address, char *name, size_t size, uint64_t *ret_offset)
{
	struct slub_process *process = kernel->process;
	const struct symbolizer_options options = { 0 };
	struct source_frames frames;

	if (!process->symbolizer) {
		if (symbolizer_create(&options, &process->symbolizer, NULL))
			return -ENOENT;
		symbolizer_refresh(process->symbolizer, process->pid, NULL);
	}
	if (symbolizer_resolve(process->symbolizer, process->pid, address, false, &frames, NULL) || !frames.list[0].symbol)
		return -ENOENT;
	snprintf(name, size, "%s", frames.list[0].symbol);
	*ret_offset = frames.list[0].symbol_offset;
	return 0;
}
