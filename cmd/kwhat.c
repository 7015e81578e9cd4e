// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kwhat: what is at an address: each thing that knows it says so, from the region down to the object's
 * type. */
#include <errno.h>
#include <stdlib.h>

#include "address_info.h"
#include "cleanup.h"
#include "inspect.h"
#include "page.h"
#include "slab_guess.h"
#include "slab_state.h"
#include "task.h"
#include "view.h"

enum {
	INFO_ADDR,
	INFO_REGION,
	INFO_SECTION,
	INFO_SYMBOL,
	INFO_SYMBOL_OFFSET,
	INFO_MAPPED,
	INFO_PHYSICAL,
	INFO_PAGE_SIZE,
	INFO_COLUMNS
};
static const struct view_column info_columns[INFO_COLUMNS] = {
	[INFO_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[INFO_REGION] = { .name = "region", .type = VIEW_ENUM, .names = address_region_names },
	[INFO_SECTION] = { .name = "section", .type = VIEW_TEXT, .is_optional = true },
	[INFO_SYMBOL] = { .name = "symbol", .type = VIEW_SYMBOL, .is_optional = true },
	[INFO_SYMBOL_OFFSET] = { .name = "offset", .type = VIEW_HEX, .is_optional = true },
	[INFO_MAPPED] = { .name = "is_mapped", .type = VIEW_BOOL },
	[INFO_PHYSICAL] = { .name = "physical", .type = VIEW_HEX, .is_optional = true },
	[INFO_PAGE_SIZE] = { .name = "page_size", .type = VIEW_BYTES, .is_optional = true },
};
static const struct view_record info_record = {
	.type = "address",
	.columns = info_columns,
	.column_count = INFO_COLUMNS,
	.starts_section = true,
	.text = "{addr}: {region}{? {section}?}{?, {symbol}?}{?+{offset}?}{?, physical {physical}?}"
		"{? in a page of {page_size}?}",
};

enum { MODULE_NAME, MODULE_ADDR, MODULE_PART, MODULE_START, MODULE_SIZE, MODULE_COLUMNS };
static const struct view_column module_columns[MODULE_COLUMNS] = {
	[MODULE_NAME] = { .name = "module", .type = VIEW_TEXT },
	[MODULE_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[MODULE_PART] = { .name = "part", .type = VIEW_TEXT },
	[MODULE_START] = { .name = "start", .type = VIEW_HEX },
	[MODULE_SIZE] = { .name = "size", .type = VIEW_BYTES },
};
static const struct view_record module_record = {
	.type = "module",
	.columns = module_columns,
	.column_count = MODULE_COLUMNS,
	.indent = 2,
	.text = "module {module} (struct module {addr}): {part} of {size} at {start}",
};

enum { PERCPU_CPU, PERCPU_POINTER, PERCPU_CHUNK, PERCPU_COLUMNS };
static const struct view_column percpu_columns[PERCPU_COLUMNS] = {
	[PERCPU_CPU] = { .name = "cpu", .type = VIEW_U64, .is_optional = true },
	[PERCPU_POINTER] = { .name = "pointer", .type = VIEW_HEX, .is_optional = true },
	[PERCPU_CHUNK] = { .name = "allocated_in", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record percpu_record = {
	.type = "percpu",
	.columns = percpu_columns,
	.column_count = PERCPU_COLUMNS,
	.indent = 2,
	.text = "per-CPU memory of cpu {cpu}{?: the per-CPU pointer is {pointer}?}{? (allocated, in "
		"{allocated_in})?}",
};

enum { AREA_START, AREA_END, AREA_VM, AREA_PAGES, AREA_CALLER, AREA_OFFSET, AREA_FLAGS, AREA_COLUMNS };
static const struct view_column area_columns[AREA_COLUMNS] = {
	[AREA_START] = { .name = "start", .type = VIEW_HEX },
	[AREA_END] = { .name = "end", .type = VIEW_HEX },
	[AREA_VM] = { .name = "vm_struct", .type = VIEW_HEX, .is_optional = true },
	[AREA_PAGES] = { .name = "pages", .type = VIEW_U64 },
	[AREA_CALLER] = { .name = "caller", .type = VIEW_SYMBOL, .is_optional = true },
	[AREA_OFFSET] = { .name = "caller_offset", .type = VIEW_HEX, .is_optional = true },
	[AREA_FLAGS] = { .name = "flags", .type = VIEW_HEX },
};
static const struct view_record area_record = {
	.type = "vmalloc_area",
	.columns = area_columns,
	.column_count = AREA_COLUMNS,
	.indent = 2,
	.text = "vmalloc area {start}-{end}, {pages} {pages:page|pages}{?, made by "
		"{caller}?}{?+{caller_offset}?}",
};

enum { TASK_ADDR, TASK_PID, TASK_COMM, TASK_WHAT, TASK_OFFSET, TASK_COLUMNS };
static const char *const task_part_names[] = { "task_struct", "stack", NULL };
static const struct view_column task_columns[TASK_COLUMNS] = {
	[TASK_ADDR] = { .name = "task", .type = VIEW_HEX },
	[TASK_PID] = { .name = "pid", .type = VIEW_I64 },
	[TASK_COMM] = { .name = "comm", .type = VIEW_TEXT },
	[TASK_WHAT] = { .name = "part", .type = VIEW_ENUM, .names = task_part_names },
	[TASK_OFFSET] = { .name = "offset", .type = VIEW_HEX },
};
static const struct view_record task_record = {
	.type = "task_part",
	.columns = task_columns,
	.column_count = TASK_COLUMNS,
	.indent = 2,
	.text = "{part} of {comm}, pid {pid}, task {task}: byte {offset}",
};

enum { PAGE_ADDR, PAGE_PFN, PAGE_KIND, PAGE_TYPE, PAGE_ORDER, PAGE_REFCOUNT, PAGE_FLAGS, PAGE_COLUMNS };
static const struct view_column page_columns[PAGE_COLUMNS] = {
	[PAGE_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[PAGE_PFN] = { .name = "pfn", .type = VIEW_HEX },
	[PAGE_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = page_kind_names },
	[PAGE_TYPE] = { .name = "page_type", .type = VIEW_TEXT, .is_optional = true },
	[PAGE_ORDER] = { .name = "order", .type = VIEW_U64, .is_optional = true },
	[PAGE_REFCOUNT] = { .name = "refcount", .type = VIEW_I64 },
	[PAGE_FLAGS] = { .name = "flags", .type = VIEW_TEXT },
};
static const struct view_record page_record = {
	.type = "page",
	.columns = page_columns,
	.column_count = PAGE_COLUMNS,
	.indent = 2,
	.text = "page frame {pfn}, struct page {addr}: {kind}{? ({page_type})?}{? of order {order}?}, "
		"{refcount} {refcount:reference|references}{?, {flags}?}",
};

static const char *const kfence_part_names[] = { "page", "guard page", NULL };
enum { KFENCE_INDEX, KFENCE_PAGE, KFENCE_COLUMNS };
static const struct view_column kfence_columns[KFENCE_COLUMNS] = {
	[KFENCE_INDEX] = { .name = "index", .type = VIEW_I64 },
	[KFENCE_PAGE] = { .name = "part", .type = VIEW_ENUM, .names = kfence_part_names },
};
static const struct view_record kfence_record = {
	.type = "kfence",
	.columns = kfence_columns,
	.column_count = KFENCE_COLUMNS,
	.indent = 2,
	.text = "in the KFENCE pool: the {part} of object {index}",
};

enum {
	OBJECT_ADDR,
	OBJECT_OFFSET,
	OBJECT_CACHE,
	OBJECT_CACHE_ADDR,
	OBJECT_SIZE,
	OBJECT_SLAB,
	OBJECT_INDEX,
	OBJECT_STATE,
	OBJECT_OWNER,
	OBJECT_POSITION,
	OBJECT_COLUMNS
};
static const struct view_column object_columns[OBJECT_COLUMNS] = {
	[OBJECT_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[OBJECT_OFFSET] = { .name = "offset", .type = VIEW_I64 },
	[OBJECT_CACHE] = { .name = "cache", .type = VIEW_TEXT },
	[OBJECT_CACHE_ADDR] = { .name = "cache_addr", .type = VIEW_HEX },
	[OBJECT_SIZE] = { .name = "object_size", .type = VIEW_U64 },
	[OBJECT_SLAB] = { .name = "slab", .type = VIEW_HEX },
	[OBJECT_INDEX] = { .name = "index", .type = VIEW_U64 },
	[OBJECT_STATE] = { .name = "state", .type = VIEW_ENUM, .names = slab_object_state_names },
	[OBJECT_OWNER] = { .name = "owner", .type = VIEW_U64, .is_optional = true },
	[OBJECT_POSITION] = { .name = "position", .type = VIEW_U64, .is_optional = true },
};
static const struct view_record object_record = {
	.type = "object",
	.columns = object_columns,
	.column_count = OBJECT_COLUMNS,
	.indent = 2,
	.text = "object {addr} of {cache} ({object_size} bytes), byte {offset}: {state}; object {index} of "
		"slab {slab}",
};

enum { GUESS_TYPE, GUESS_SIZE, GUESS_CONFIDENCE, GUESS_BY_NAME, GUESS_MATCHES, GUESS_CONTRA, GUESS_COLUMNS };
static const struct view_column guess_columns[GUESS_COLUMNS] = {
	[GUESS_TYPE] = { .name = "guess", .type = VIEW_TEXT },
	[GUESS_SIZE] = { .name = "size", .type = VIEW_U64 },
	[GUESS_CONFIDENCE] = { .name = "confidence_percent", .type = VIEW_U64 },
	[GUESS_BY_NAME] = { .name = "is_by_name", .type = VIEW_BOOL },
	[GUESS_MATCHES] = { .name = "matches", .type = VIEW_U64 },
	[GUESS_CONTRA] = { .name = "contradictions", .type = VIEW_U64 },
};
static const struct view_record guess_record = {
	.type = "guess",
	.columns = guess_columns,
	.column_count = GUESS_COLUMNS,
	.indent = 2,
	.text = "probably a struct {guess} ({confidence_percent}%"
		"{?: {matches} {matches:word fits|words fit}?}{?, {contradictions} don't?})",
};

static struct view_value if_any(uint64_t value)
{
	return value ? view_u64(value) : view_absent();
}

static int show_info(struct inspection *inspection, const struct address_info *info)
{
	return view_object(
		inspection->view, &info_record,
		(struct view_value[INFO_COLUMNS]){
			[INFO_ADDR] = view_u64(info->address),
			[INFO_REGION] = view_u64(info->region),
			[INFO_SECTION] = view_text(info->section),
			[INFO_SYMBOL] = info->symbol[0] ? view_text(info->symbol) : view_absent(),
			[INFO_SYMBOL_OFFSET] = info->symbol[0] ? view_u64(info->symbol_offset) : view_absent(),
			[INFO_MAPPED] = view_bool(info->is_mapped),
			[INFO_PHYSICAL] = info->has_physical ? view_u64(info->physical) : view_absent(),
			[INFO_PAGE_SIZE] = info->has_physical ? view_u64(info->page_size) : view_absent(),
		});
}

static int show_module(struct inspection *inspection, const struct kernel_module *module)
{
	return view_object(inspection->view, &module_record,
			   (struct view_value[MODULE_COLUMNS]){
				   [MODULE_NAME] = view_text(module->name),
				   [MODULE_ADDR] = view_u64(module->address),
				   [MODULE_PART] = view_text(module->part),
				   [MODULE_START] = view_u64(module->start),
				   [MODULE_SIZE] = view_u64(module->size),
			   });
}

static int show_percpu(struct inspection *inspection, const struct address_info *info)
{
	bool is_known = info->cpu != UINT64_MAX;

	return view_object(
		inspection->view, &percpu_record,
		(struct view_value[PERCPU_COLUMNS]){
			[PERCPU_CPU] = is_known ? view_u64(info->cpu) : view_absent(),
			[PERCPU_POINTER] = is_known ? view_u64(info->percpu_pointer) : view_absent(),
			[PERCPU_CHUNK] = info->is_percpu_chunk ? view_text("vmalloc space") : view_absent(),
		});
}

static int show_area(struct inspection *inspection, const struct vmalloc_area *area)
{
	char caller[128] = "";
	uint64_t offset = 0;

	if (area->caller && kernel_symbol_at(inspection->kernel, area->caller, caller, sizeof(caller), &offset))
		caller[0] = 0;
	return view_object(inspection->view, &area_record,
			   (struct view_value[AREA_COLUMNS]){
				   [AREA_START] = view_u64(area->start),
				   [AREA_END] = view_u64(area->end),
				   [AREA_VM] = if_any(area->vm_struct),
				   [AREA_PAGES] = view_u64(area->page_count),
				   [AREA_CALLER] = caller[0] ? view_text(caller) : view_absent(),
				   [AREA_OFFSET] = caller[0] ? view_u64(offset) : view_absent(),
				   [AREA_FLAGS] = view_u64(area->flags),
			   });
}

/* A task_struct or a stack that covers the address. Kernels whose tasks can't be read have none to show. */
static int show_task(struct inspection *inspection, uint64_t address)
{
	struct tasks tasks;
	const struct task *task;
	bool is_stack;
	int status = 0;

	if (tasks_read(inspection->kernel, TASKS_THREADS | TASKS_IDLE | TASKS_BRIEF, &tasks, NULL))
		return 0;
	task = tasks_at(&tasks, address);
	if (task) {
		is_stack = task->stack && address - task->stack < task->stack_size;
		status = view_object(
			inspection->view, &task_record,
			(struct view_value[TASK_COLUMNS]){
				[TASK_ADDR] = view_u64(task->addr),
				[TASK_PID] = view_i64(task->pid),
				[TASK_COMM] = view_text(task->comm),
				[TASK_WHAT] = view_u64(is_stack),
				[TASK_OFFSET] = view_u64(address - (is_stack ? task->stack : task->addr)),
			});
	}
	tasks_deinit(&tasks);
	return status;
}

static int show_page(struct inspection *inspection, uint64_t pfn, struct error *err)
{
	struct page_layout layout;
	struct page page;
	char flags[512];
	int status = page_layout_load(inspection->kernel, &layout, err);

	if (status == -ENOENT) {
		inspect_incomplete(inspection, "%s", err->text);
		return 0;
	}
	if (status || page_read(inspection->kernel, &layout, pfn, &page))
		return status;
	return view_object(
		inspection->view, &page_record,
		(struct view_value[PAGE_COLUMNS]){
			[PAGE_ADDR] = view_u64(page.address),
			[PAGE_PFN] = view_u64(pfn),
			[PAGE_KIND] = view_u64(page.kind),
			[PAGE_TYPE] = page.kind == PAGE_TYPED ? view_text(page.type) : view_absent(),
			[PAGE_ORDER] = page.kind == PAGE_FREE ? view_u64(page.order) : view_absent(),
			[PAGE_REFCOUNT] = view_i64(page.refcount),
			[PAGE_FLAGS] = view_text(page_flag_names(&layout, page.flags, flags, sizeof(flags))),
		});
}

static int show_guesses(struct inspection *inspection, struct slab_heap *heap, const struct slab_object *object,
			struct error *err)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];
	size_t count;
	int status = slab_guess_type(heap, object, guesses, &count, err);

	if (status)
		return status == -EFAULT ? 0 : status;
	for (size_t i = 0; i < count && i < 3 && !status; i++)
		status = view_object(inspection->view, &guess_record,
				     (struct view_value[GUESS_COLUMNS]){
					     [GUESS_TYPE] = view_text(guesses[i].type),
					     [GUESS_SIZE] = view_u64(guesses[i].size),
					     [GUESS_CONFIDENCE] = view_u64(guesses[i].confidence),
					     [GUESS_BY_NAME] = view_bool(guesses[i].is_by_name),
					     [GUESS_MATCHES] = view_u64(guesses[i].matches),
					     [GUESS_CONTRA] = view_u64(guesses[i].contradictions),
				     });
	return status;
}

/* KFENCE: page 0 and 1 are guards, object i is on page 2(i + 1), a guard behind it (mm/kfence/core.c). */
static int show_kfence(struct inspection *inspection, const struct slab_heap *heap, uint64_t address)
{
	int64_t page = (int64_t)((address - heap->kfence_pool.start) / 4096);

	return view_object(inspection->view, &kfence_record,
			   (struct view_value[KFENCE_COLUMNS]){
				   [KFENCE_INDEX] = view_i64(page / 2 - 1),
				   [KFENCE_PAGE] = view_u64(page < 2 || page % 2),
			   });
}

static int show_object(struct inspection *inspection, uint64_t address, struct error *err)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	struct slab_object object;
	bool is_free;
	int status = slab_heap_open(inspection->kernel, &heap, err);

	if (status == -ENOENT) {
		inspect_incomplete(inspection, "%s", err->text);
		return 0;
	}
	if (status)
		return status;
	if (address - heap->kfence_pool.start < heap->kfence_pool.size)
		return show_kfence(inspection, heap, address);
	if (slab_object_at(heap, address, &object, NULL)) {
		if (inspection->kernel->process)
			inspect_notice(inspection, "%#lx is in no object of libslub's", (long)address);
		return 0;
	}
	is_free = object.state > SLAB_OBJECT_ALLOCATED;
	status = view_object(inspection->view, &object_record,
			     (struct view_value[OBJECT_COLUMNS]){
				     [OBJECT_ADDR] = view_u64(object.address),
				     [OBJECT_OFFSET] = view_i64(object.offset),
				     [OBJECT_CACHE] = view_text(heap->caches[object.cache].name),
				     [OBJECT_CACHE_ADDR] = view_u64(heap->caches[object.cache].address),
				     [OBJECT_SIZE] = view_u64(heap->caches[object.cache].object_size),
				     [OBJECT_SLAB] = view_u64(object.slab),
				     [OBJECT_INDEX] = view_u64(object.index),
				     [OBJECT_STATE] = view_u64(object.state),
				     [OBJECT_OWNER] = is_free && object.owner != SLAB_NO_OWNER
							      ? view_u64(object.owner)
							      : view_absent(),
				     [OBJECT_POSITION] = is_free ? view_u64(object.position) : view_absent(),
			     });
	if (status || inspection->kernel->process)
		return status;
	return show_guesses(inspection, heap, &object, err);
}

static int show_address(struct inspection *inspection, uint64_t address, struct error *err)
{
	struct address_info info;
	int status;

	if (inspection->kernel->process)
		return show_object(inspection, address, err);
	status = address_info_read(inspection->kernel, address, &info);
	if (!status)
		status = show_info(inspection, &info);
	if (!status && info.region == ADDRESS_MODULE)
		status = show_module(inspection, &info.module);
	if (!status && info.region == ADDRESS_PERCPU)
		status = show_percpu(inspection, &info);
	if (!status && info.area.start)
		status = show_area(inspection, &info.area);
	if (!status &&
	    (info.region == ADDRESS_VMALLOC || info.region == ADDRESS_DIRECT || info.region == ADDRESS_IMAGE))
		status = show_task(inspection, address);
	if (!status && info.region == ADDRESS_STRUCT_PAGE)
		status = show_page(inspection, info.pfn, err);
	if (!status && info.has_physical && info.region != ADDRESS_STRUCT_PAGE)
		status = show_page(inspection, info.physical >> 12, err);
	if (!status && info.region == ADDRESS_DIRECT)
		status = show_object(inspection, address, err);
	return status;
}

static int configure(struct inspection *inspection, struct error *err)
{
	return inspection->invocation->word_count ? 0
						  : error_set(err, -EINVAL, "which address? dill kwhat ADDR");
}

/* A static per-CPU variable's symbol stands for no memory in use: each CPU has a copy elsewhere. */
static bool is_percpu_symbol(struct kernel *kernel, uint64_t address)
{
	uint64_t start, end;

	return !kernel_symbol(kernel, "__per_cpu_start", &start) &&
	       !kernel_symbol(kernel, "__per_cpu_end", &end) && address >= start && address < end;
}

static int show_word(struct inspection *inspection, const char *word, struct error *err)
{
	struct kernel *kernel = inspection->kernel;
	uint64_t address, copy;
	bool is_named = inspect_hex(word, &address) != 0;
	int status = is_named ? inspect_address(kernel, word, &address, err) : 0;

	if (status || !is_named || !is_percpu_symbol(kernel, address))
		return status ? status : show_address(inspection, address, err);
	for (size_t cpu = 0; cpu < kernel->cpu_count && !status; cpu++)
		if (!kernel_percpu(kernel, address, cpu, &copy))
			status = show_address(inspection, copy, err);
	return status;
}

static int show(struct inspection *inspection, struct error *err)
{
	int status = 0;

	for (int i = 0; i < inspection->invocation->word_count && !status; i++)
		status = show_word(inspection, inspection->invocation->words[i], err);
	return status;
}

static const struct inspector inspector = { .configure = configure, .show = show, .takes_processes = true };
static const struct view_record *const records[] = {
	&info_record, &module_record, &percpu_record, &area_record,  &task_record,
	&page_record, &kfence_record, &object_record, &guess_record, NULL,
};

const struct command kwhat_command = {
	.name = "kwhat",
	.summary = "what is at this address: symbol, object, task, page",
	.usage = "[OPTIONS] ADDR|SYMBOL[+OFFSET]…",
	.description = "Says all that is known of an address: which part of the address space it is in, the "
		       "symbol, module,\n"
		       "per-CPU variable and CPU, vmalloc area and who made it, task or task's stack, page "
		       "frame, slab object\n"
		       "with its cache and state, and a guess of the object's type with how sure it is.\n"
		       "Addresses are hexadecimal, with or without 0x. Of a process with libslub it is the object.\n",
	.inspector = &inspector,
	.records = records,
};
