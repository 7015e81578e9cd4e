// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Which process has which file mapped where, and had. What a file says about an address is symbol_module.c's.
 */
#include "symbolizer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "debug_file.h"
#include "debuginfod.h"
#include "elf_object.h"
#include "error.h"
#include "partition_point.h"
#include "proc_maps.h"
#include "string_pool.h"
#include "symbol_module.h"

/* Executable ranges remembered for one process: the kernel's default limit on mappings (vm.max_map_count). */
#define RANGES_LIMIT 65530U
/*
 * Anonymous mappings looked over on each side of code that may have been moved; text moves in three pieces.
 */
#define NEIGHBOURS 8U

/* Executable addresses and what is behind them. */
struct range {
	uint64_t start, end;
	uint64_t vaddr; /* of start, in the module */
	struct symbol_module *module;
};

struct ranges {
	struct range *list; /* sorted, without overlaps */
	size_t count, capacity;
};

struct process {
	pid_t pid;
	struct ranges ranges;
};

struct symbolizer {
	struct symbol_sources sources;
	struct debug_search search;
	char *debug_directory;
	struct string_pool strings;
	struct process *processes; /* sorted by pid */
	size_t process_count, process_capacity;
	struct symbol_module **modules; /* referenced by the ranges too; the last one to go is dropped */
	size_t module_count, module_capacity;
	struct source_frame unknown;
};

static void ranges_deinit(struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->count; i++)
		symbol_module_unref(ranges->list[i].module);
	free(ranges->list);
	*ranges = (struct ranges){0};
}

DEFINE_CLEANUP(symbolizer, struct symbolizer *, symbolizer_destroy(v));
DEFINE_CLEANUP(ranges, struct ranges, ranges_deinit(&v));
DEFINE_CLEANUP(proc_maps, struct proc_maps, proc_maps_deinit(&v));
DEFINE_CLEANUP(elf_object, struct elf_object *, elf_object_unref(v));
DEFINE_CLEANUP(module, struct symbol_module *, symbol_module_unref(v));

int symbolizer_create(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer,
		      struct error *err)
{
	CLEANUP(symbolizer) struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return error_set(err, -ENOMEM, "symbols: out of memory");
	symbolizer->sources = (struct symbol_sources){
		.wants_lines = options->wants_lines,
		.wants_inlines = options->wants_inlines,
		.search = &symbolizer->search,
		.strings = &symbolizer->strings,
	};
	if (options->debug_directory) {
		symbolizer->debug_directory = strdup(options->debug_directory);
		if (!symbolizer->debug_directory)
			return error_set(err, -ENOMEM, "symbols: out of memory");
		symbolizer->search.directory = symbolizer->debug_directory;
	}
	if (options->uses_debuginfod) {
		int r = debuginfod_create(&symbolizer->search.debuginfod, err);

		if (r)
			return r;
	}
	symbolizer->unknown.object = symbolizer->unknown.object_path = "[unknown]";
	*ret_symbolizer = TAKE_PTR(symbolizer);
	return 0;
}

void symbolizer_destroy(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	for (size_t i = 0; i < symbolizer->process_count; i++)
		ranges_deinit(&symbolizer->processes[i].ranges);
	free(symbolizer->processes);
	for (size_t i = 0; i < symbolizer->module_count; i++)
		symbol_module_unref(symbolizer->modules[i]);
	free(symbolizer->modules);
	string_pool_deinit(&symbolizer->strings);
	debuginfod_destroy(symbolizer->search.debuginfod);
	free(symbolizer->debug_directory);
	free(symbolizer);
}

static int append_range(struct ranges *ranges, struct range range)
{
	if (ranges->count == ranges->capacity) {
		size_t wanted = ranges->capacity ? ranges->capacity * 2 : 32;
		struct range *list = reallocarray(ranges->list, wanted, sizeof(*list));

		if (!list)
			return -ENOMEM;
		ranges->list = list;
		ranges->capacity = wanted;
	}
	symbol_module_ref(range.module);
	ranges->list[ranges->count++] = range;
	return 0;
}

static const struct range *find_range(const struct ranges *ranges, uint64_t address)
{
	size_t low = PARTITION_POINT(i, ranges->count, ranges->list[i].end <= address);

	return low < ranges->count && ranges->list[low].start <= address ? &ranges->list[low] : NULL;
}

/* The process's index, or where it would be inserted. */
static size_t process_index(const struct symbolizer *symbolizer, pid_t pid)
{
	return PARTITION_POINT(i, symbolizer->process_count, symbolizer->processes[i].pid < pid);
}

static struct process *find_process(const struct symbolizer *symbolizer, pid_t pid)
{
	size_t index = process_index(symbolizer, pid);

	if (index == symbolizer->process_count || symbolizer->processes[index].pid != pid)
		return NULL;
	return &symbolizer->processes[index];
}

static int add_process(struct symbolizer *symbolizer, pid_t pid, struct process **ret_process)
{
	size_t index = process_index(symbolizer, pid);

	if (symbolizer->process_count == symbolizer->process_capacity) {
		size_t wanted = symbolizer->process_capacity ? symbolizer->process_capacity * 2 : 8;
		struct process *processes = reallocarray(symbolizer->processes, wanted, sizeof(*processes));

		if (!processes)
			return -ENOMEM;
		symbolizer->processes = processes;
		symbolizer->process_capacity = wanted;
	}
	memmove(&symbolizer->processes[index + 1], &symbolizer->processes[index],
		(symbolizer->process_count - index) * sizeof(*symbolizer->processes));
	symbolizer->processes[index] = (struct process){.pid = pid};
	symbolizer->process_count++;
	*ret_process = &symbolizer->processes[index];
	return 0;
}

static int add_module(struct symbolizer *symbolizer, struct symbol_module *module)
{
	if (symbolizer->module_count == symbolizer->module_capacity) {
		size_t wanted = symbolizer->module_capacity ? symbolizer->module_capacity * 2 : 32;
		struct symbol_module **modules = reallocarray(symbolizer->modules, wanted, sizeof(*modules));

		if (!modules)
			return -ENOMEM;
		symbolizer->modules = modules;
		symbolizer->module_capacity = wanted;
	}
	symbolizer->modules[symbolizer->module_count++] = symbol_module_ref(module);
	return 0;
}

/* Modules that no process has any more would hold their files open for nothing. */
static void drop_unused_modules(struct symbolizer *symbolizer)
{
	size_t kept = 0;

	for (size_t i = 0; i < symbolizer->module_count; i++) {
		struct symbol_module *module = symbolizer->modules[i];

		if (symbol_module_is_shared(module))
			symbolizer->modules[kept++] = module;
		else
			symbol_module_unref(module);
	}
	symbolizer->module_count = kept;
}

static bool is_same_image(const struct elf_object *a, const struct elf_object *b)
{
	size_t a_size, b_size;
	const uint8_t *a_id = elf_object_build_id(a, &a_size), *b_id = elf_object_build_id(b, &b_size);

	return a_id && b_id && a_size == b_size && !memcmp(a_id, b_id, a_size);
}

/* A module that is already open. A mapped file is known by its inode, a [vdso] only by what it holds. */
static struct symbol_module *find_module(const struct symbolizer *symbolizer, const struct mapping *mapping,
					 const struct elf_object *object)
{
	for (size_t i = 0; i < symbolizer->module_count; i++) {
		struct symbol_module *module = symbolizer->modules[i];
		const struct elf_object *known = symbol_module_object(module);

		if (!symbol_module_is_of(module, mapping))
			continue;
		if (mapping->inode ? known != NULL : object ? known && is_same_image(known, object) : !known)
			return module;
	}
	return NULL;
}

static int open_module(struct symbolizer *symbolizer, pid_t pid, const struct mapping *mapping,
		       struct symbol_module **ret_module)
{
	CLEANUP(elf_object) struct elf_object *object = NULL;
	CLEANUP(module) struct symbol_module *module = NULL;
	int r;

	/* What can't be opened has frames without symbols: another process may be able to show the file. */
	if (*mapping->path)
		elf_object_open_mapping(pid, mapping, &object, NULL);
	module = find_module(symbolizer, mapping, object);
	if (module) {
		*ret_module = symbol_module_ref(TAKE_PTR(module));
		return 0;
	}
	r = symbol_module_create(&symbolizer->sources, mapping, object, &module);
	if (!r)
		r = add_module(symbolizer, module);
	if (!r)
		*ret_module = TAKE_PTR(module);
	return r;
}

/*
 * The module behind a mapping, with a reference: the one that was there before, one that is open, or a new
 * one.
 */
static int get_module(struct symbolizer *symbolizer, pid_t pid, const struct mapping *mapping,
		      struct symbol_module **ret_module)
{
	const struct process *process = find_process(symbolizer, pid);
	const struct range *before = process ? find_range(&process->ranges, mapping->start) : NULL;
	struct symbol_module *module = NULL;

	if (before && before->start == mapping->start && before->end == mapping->end &&
	    symbol_module_object(before->module) && symbol_module_is_of(before->module, mapping))
		module = before->module;
	if (!module && mapping->inode)
		module = find_module(symbolizer, mapping, NULL);
	if (!module)
		return open_module(symbolizer, pid, mapping, ret_module);
	*ret_module = symbol_module_ref(module);
	return 0;
}

/*
 * Programs move their text into huge pages by copying it to anonymous memory in the same place. So anonymous
 * code between two mappings of one file is taken for that file's, if the file has code at that distance.
 */
static const struct mapping *mapping_around(const struct proc_maps *maps, size_t index)
{
	size_t before = index, after = index;

	while (before && index - before < NEIGHBOURS && !maps->list[before].inode)
		before--;
	while (after + 1 < maps->count && after - index < NEIGHBOURS && !maps->list[after].inode)
		after++;
	if (!maps->list[before].inode || maps->list[before].inode != maps->list[after].inode ||
	    maps->list[before].dev_major != maps->list[after].dev_major ||
	    maps->list[before].dev_minor != maps->list[after].dev_minor)
		return NULL;
	return &maps->list[before];
}

/* Fills in module and vaddr of a range that is anonymous. False: it's just anonymous. */
static bool set_moved_text(struct symbolizer *symbolizer, pid_t pid, const struct proc_maps *maps,
			   size_t index, struct range *range)
{
	const struct mapping *around = mapping_around(maps, index);
	struct symbol_module *module;
	struct elf_object *object;
	uint64_t vaddr;

	if (!around || get_module(symbolizer, pid, around, &module))
		return false;
	object = symbol_module_object(module);
	if (object && !elf_object_offset_to_vaddr(object, around->file_offset, &vaddr)) {
		vaddr += maps->list[index].start - around->start;
		if (elf_object_is_code(object, vaddr)) {
			range->module = module;
			range->vaddr = vaddr;
			return true;
		}
	}
	symbol_module_unref(module);
	return false;
}

static int add_mapping(struct symbolizer *symbolizer, pid_t pid, const struct proc_maps *maps, size_t index,
		       struct ranges *ranges)
{
	const struct mapping *mapping = &maps->list[index];
	struct range range = {.start = mapping->start, .end = mapping->end, .vaddr = mapping->file_offset};
	struct elf_object *object;
	int r = 0;

	if (*mapping->path || !set_moved_text(symbolizer, pid, maps, index, &range)) {
		r = get_module(symbolizer, pid, mapping, &range.module);
		if (r)
			return r;
		object = symbol_module_object(range.module);
		if (object)
			elf_object_offset_to_vaddr(object, mapping->file_offset, &range.vaddr);
	}
	r = append_range(ranges, range);
	symbol_module_unref(range.module);
	return r;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static int keep_piece(struct ranges *ranges, const struct range *old, uint64_t start, uint64_t end)
{
	struct range piece = {start, end, old->vaddr + (start - old->start), old->module};

	return start < end ? append_range(ranges, piece) : 0;
}

/*
 * Add the parts of @old that nothing new lies on. Of anonymous code nothing is known that would be worth it.
 */
static int keep_old_ranges(struct ranges *ranges, const struct ranges *old)
{
	const size_t new_count = ranges->count;
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; !r && i < old->count && ranges->count < RANGES_LIMIT; i++) {
		const struct range *range = &old->list[i];
		uint64_t start = range->start;

		if (!symbol_module_object(range->module))
			continue;
		while (at < new_count && ranges->list[at].end <= start)
			at++;
		for (size_t j = at; !r && j < new_count && ranges->list[j].start < range->end; j++) {
			r = keep_piece(ranges, range, start, ranges->list[j].start);
			start = ranges->list[j].end;
		}
		if (!r)
			r = keep_piece(ranges, range, start, range->end);
	}
	if (ranges->count)
		qsort(ranges->list, ranges->count, sizeof(*ranges->list), compare_ranges);
	return r;
}

int symbolizer_refresh(struct symbolizer *symbolizer, pid_t pid, struct error *err)
{
	CLEANUP(proc_maps) struct proc_maps maps = {0};
	CLEANUP(ranges) struct ranges ranges = {0};
	struct process *process;
	int r = proc_maps_read(pid, &maps, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < maps.count; i++) {
		if (maps.list[i].is_executable)
			r = add_mapping(symbolizer, pid, &maps, i, &ranges);
	}
	process = find_process(symbolizer, pid);
	if (!r && process)
		r = keep_old_ranges(&ranges, &process->ranges);
	else if (!r)
		r = add_process(symbolizer, pid, &process);
	if (r)
		return error_set(err, r, "process %d: symbols: %s", (int)pid, strerror(-r));
	ranges_deinit(&process->ranges);
	process->ranges = ranges;
	ranges = (struct ranges){0};
	drop_unused_modules(symbolizer);
	return 0;
}

bool symbolizer_knows(const struct symbolizer *symbolizer, pid_t pid, uint64_t address)
{
	const struct process *process = find_process(symbolizer, pid);

	return process && find_range(&process->ranges, address);
}

void symbolizer_forget(struct symbolizer *symbolizer, pid_t pid)
{
	struct process *process = find_process(symbolizer, pid);

	if (!process)
		return;
	ranges_deinit(&process->ranges);
	symbolizer->process_count--;
	memmove(process, process + 1,
		(size_t)(symbolizer->processes + symbolizer->process_count - process) * sizeof(*process));
	drop_unused_modules(symbolizer);
}

int symbolizer_resolve(struct symbolizer *symbolizer, pid_t pid, uint64_t address, bool is_return_address,
		       struct source_frames *ret_frames, struct error *err)
{
	const struct process *process = find_process(symbolizer, pid);
	uint64_t lookup = address - (is_return_address && address ? 1 : 0);
	const struct range *range = process ? find_range(&process->ranges, lookup) : NULL;
	int r;

	if (!range) {
		symbolizer->unknown.object_vaddr = address;
		*ret_frames = (struct source_frames){&symbolizer->unknown, 1};
		return 0;
	}
	r = symbol_module_resolve(range->module, range->vaddr + (address - range->start), is_return_address,
				  ret_frames);
	return r ? error_set(err, r, "symbols: out of memory") : 0;
}
