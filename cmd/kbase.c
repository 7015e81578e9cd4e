// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kbase: where a kernel is, and what of it dill could find out. JSON is one object of facts, the same
 * from every source; where each fact came from stands beside it in text, and in JSON with -v.
 */
#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "inspect.h"
#include "kernel_elf.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "new_file.h"
#include "view.h"

#define AT(member) offsetof(struct kbase_settings, member)

DEFINE_CLEANUP(kernel_elf, struct kernel_elf, kernel_elf_deinit(&v));

struct kbase_settings {
	const char *symbol_path;     /* NULL: nothing is to be saved */
	struct new_file symbol_file; /* opened before capabilities go */
};

static const struct option_spec kbase_options[] = {
	{ 0, "save-symbols", "FILE", OPTION_TEXT, AT(symbol_path), NULL,
	  "write what the kernel knows about itself as an ELF file for gdb's symbol-file" },
};

enum {
	KBASE_KERNEL_BASE,
	KBASE_KASLR_OFFSET,
	KBASE_PHYSICAL_BASE,
	KBASE_PHYS_BASE,
	KBASE_PAGING_LEVELS,
	KBASE_PAGE_TABLE,
	KBASE_PAGE_OFFSET,
	KBASE_VMALLOC,
	KBASE_VMEMMAP,
	KBASE_MAX_PFN,
	KBASE_CPUS,
	KBASE_NODES,
	KBASE_RELEASE,
	KBASE_BANNER,
	KBASE_COLUMNS
};

static const struct view_column kbase_columns[KBASE_COLUMNS] = {
	[KBASE_KERNEL_BASE] = { .name = "kernel_base", .type = VIEW_HEX },
	[KBASE_KASLR_OFFSET] = { .name = "kaslr_offset", .type = VIEW_HEX },
	[KBASE_PHYSICAL_BASE] = { .name = "physical_base", .type = VIEW_HEX, .is_optional = true },
	[KBASE_PHYS_BASE] = { .name = "phys_base", .type = VIEW_I64, .is_optional = true },
	[KBASE_PAGING_LEVELS] = { .name = "paging_levels", .type = VIEW_U64, .is_optional = true },
	[KBASE_PAGE_TABLE] = { .name = "page_table", .type = VIEW_HEX, .is_optional = true },
	[KBASE_PAGE_OFFSET] = { .name = "page_offset_base", .type = VIEW_HEX, .is_optional = true },
	[KBASE_VMALLOC] = { .name = "vmalloc_base", .type = VIEW_HEX, .is_optional = true },
	[KBASE_VMEMMAP] = { .name = "vmemmap_base", .type = VIEW_HEX, .is_optional = true },
	[KBASE_MAX_PFN] = { .name = "max_pfn", .type = VIEW_U64, .is_optional = true },
	[KBASE_CPUS] = { .name = "cpus", .type = VIEW_U64, .is_optional = true },
	[KBASE_NODES] = { .name = "nodes", .type = VIEW_U64 },
	[KBASE_RELEASE] = { .name = "release", .type = VIEW_TEXT, .is_optional = true },
	[KBASE_BANNER] = { .name = "banner", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record kbase_record = {
	.type = "kbase",
	.columns = kbase_columns,
	.column_count = KBASE_COLUMNS,
	.text = "kernel_base: {kernel_base}",
};

enum {
	FACT_NAME,
	FACT_VALUE,
	FACT_ORIGIN,
	FACT_COLUMNS
};
#define FACT_RECORD(record_name, value_type)                                                        \
	static const struct view_column record_name##_columns[FACT_COLUMNS] = {                     \
		[FACT_NAME] = { .name = "name", .type = VIEW_TEXT },                                \
		[FACT_VALUE] = { .name = "value", .type = (value_type) },                           \
		[FACT_ORIGIN] = { .name = "origin", .type = VIEW_TEXT, .is_optional = true },       \
	};                                                                                          \
	static const struct view_record record_name = {                                             \
		.type = "kbase_fact",                                                               \
		.columns = record_name##_columns,                                                   \
		.column_count = FACT_COLUMNS,                                                       \
		.text = "{name}: {value}{? ({origin})?}",                                           \
	}
FACT_RECORD(address_record, VIEW_HEX);
FACT_RECORD(number_record, VIEW_U64);
FACT_RECORD(text_record, VIEW_TEXT);

enum {
	SAVED_FILE,
	SAVED_RELEASE,
	SAVED_SYMBOLS,
	SAVED_FUNCTIONS,
	SAVED_FRAMES,
	SAVED_TYPES,
	SAVED_BYTES,
	SAVED_COLUMNS
};
static const struct view_column saved_columns[SAVED_COLUMNS] = {
	[SAVED_FILE] = { .name = "file", .type = VIEW_PATH },
	[SAVED_RELEASE] = { .name = "release", .type = VIEW_TEXT, .is_optional = true },
	[SAVED_SYMBOLS] = { .name = "symbols", .type = VIEW_U64 },
	[SAVED_FUNCTIONS] = { .name = "functions", .type = VIEW_U64 },
	[SAVED_FRAMES] = { .name = "frames", .type = VIEW_U64 },
	[SAVED_TYPES] = { .name = "types", .type = VIEW_U64 },
	[SAVED_BYTES] = { .name = "file_bytes", .type = VIEW_BYTES },
};
static const struct view_record saved_record = {
	.type = "symbols_saved",
	.columns = saved_columns,
	.column_count = SAVED_COLUMNS,
	.text = "{file}: {symbols} {symbols:symbol|symbols}, {functions} of them functions; "
		"{frames} {frames:frame|frames}; {types} {types:type|types}; {file_bytes}",
};

static const struct view_record *const kbase_records[] = { &kbase_record, &address_record, &number_record,
							   &text_record, &saved_record, NULL };

static struct view_value fact_value(const struct kernel_fact *fact)
{
	return fact->origin ? view_u64(fact->value) : view_absent();
}

/* Where _text lies in physical memory. */
static struct kernel_fact physical_base(const struct kernel_layout *layout)
{
	return (struct kernel_fact){ layout->base.value - 0xffffffff80000000 + layout->phys_base.value,
				     layout->phys_base.origin };
}

static size_t possible_cpus(const struct kernel *kernel)
{
	size_t count = 0;

	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++)
		count += kernel->percpu_offsets[cpu] != 0;
	return count;
}

static int show_base(struct view *view, const struct kernel *kernel)
{
	const struct kernel_layout *layout = &kernel->layout;
	const struct kernel_fact physical = physical_base(layout);
	const struct view_value values[KBASE_COLUMNS] = {
		[KBASE_KERNEL_BASE] = view_u64(layout->base.value),
		[KBASE_KASLR_OFFSET] = view_u64(layout->kaslr_offset.value),
		[KBASE_PHYSICAL_BASE] = fact_value(&physical),
		[KBASE_PHYS_BASE] = layout->phys_base.origin ? view_i64(layout->phys_base.value) : view_absent(),
		[KBASE_PAGING_LEVELS] = fact_value(&layout->paging_levels),
		[KBASE_PAGE_TABLE] = fact_value(&layout->page_table),
		[KBASE_PAGE_OFFSET] = fact_value(&layout->page_offset_base),
		[KBASE_VMALLOC] = fact_value(&layout->vmalloc_base),
		[KBASE_VMEMMAP] = fact_value(&layout->vmemmap_base),
		[KBASE_MAX_PFN] = fact_value(&layout->max_pfn),
		[KBASE_CPUS] = kernel->cpu_count ? view_u64(possible_cpus(kernel)) : view_absent(),
		[KBASE_NODES] = view_u64(kernel->node_count),
		[KBASE_RELEASE] = kernel->release[0] ? view_text(kernel->release) : view_absent(),
		[KBASE_BANNER] = kernel->banner[0] ? view_text(kernel->banner) : view_absent(),
	};

	return view_object(view, &kbase_record, values);
}

static int show_fact(struct view *view, const struct view_record *record, const char *name,
		     struct view_value value, const char *origin)
{
	const struct view_value values[FACT_COLUMNS] = {
		[FACT_NAME] = view_text(name),
		[FACT_VALUE] = value,
		[FACT_ORIGIN] = view_text(origin),
	};

	return value.kind == VIEW_KIND_ABSENT ? 0 : view_object(view, record, values);
}

static int show_places(struct view *view, const struct kernel_layout *layout)
{
	const struct kernel_fact physical = physical_base(layout);
	const struct {
		const char *name;
		const struct view_record *record;
		const struct kernel_fact *fact;
	} facts[] = {
		{ "kaslr_offset", &address_record, &layout->kaslr_offset },
		{ "physical_base", &address_record, &physical },
		{ "paging_levels", &number_record, &layout->paging_levels },
		{ "page_table", &address_record, &layout->page_table },
		{ "page_offset_base", &address_record, &layout->page_offset_base },
		{ "vmalloc_base", &address_record, &layout->vmalloc_base },
		{ "vmemmap_base", &address_record, &layout->vmemmap_base },
		{ "max_pfn", &number_record, &layout->max_pfn },
	};
	int status = 0;

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]) && !status; i++)
		status = show_fact(view, facts[i].record, facts[i].name, fact_value(facts[i].fact),
				   facts[i].fact->origin);
	return status;
}

static int show_percpu(struct view *view, const struct kernel *kernel)
{
	int status = 0;

	for (size_t cpu = 0; cpu < kernel->cpu_count && !status; cpu++) {
		char name[48];

		if (!kernel->percpu_offsets[cpu])
			continue;
		snprintf(name, sizeof(name), "per_cpu_offset[%zu]", cpu);
		status = show_fact(view, &address_record, name, view_u64(kernel->percpu_offsets[cpu]),
				   kernel->percpu_origin);
	}
	return status;
}

static int show_rest(struct view *view, const struct kernel *kernel)
{
	const char *types = kernel->types ? kernel_types_origin(kernel->types) : NULL;
	const char *symbols = kernel_symbols_origin(kernel->symbols);
	const struct view_value count = view_u64(possible_cpus(kernel));
	int status = show_fact(view, &number_record, "cpus", kernel->cpu_count ? count : view_absent(),
			       kernel->percpu_origin);

	if (!status)
		status = show_fact(view, &number_record, "nodes", view_u64(kernel->node_count),
				   kernel->node_origin);
	if (!status)
		status = show_fact(view, &text_record, "banner",
				   kernel->banner[0] ? view_text(kernel->banner) : view_absent(),
				   kernel->banner_origin);
	if (!status)
		status = show_fact(view, &text_record, "vmcoreinfo", view_text(kernel->vmcoreinfo_origin), NULL);
	if (!status)
		status = show_fact(view, &text_record, "symbols", view_text(symbols), NULL);
	if (!status)
		status = show_fact(view, &text_record, "types", view_text(types), NULL);
	return status;
}

/* What the other commands can't do without. */
static void judge(struct inspection *inspection)
{
	const struct kernel *kernel = inspection->kernel;

	if (!kernel_symbols_origin(kernel->symbols))
		inspect_incomplete(inspection, "no symbols: the target has no kallsyms, or hides it; "
					       "--symbols FILE or --vmlinux FILE helps");
	if (!kernel->types)
		inspect_incomplete(inspection, "no types: the target has no BTF (CONFIG_DEBUG_INFO_BTF); "
					       "--btf FILE or --vmlinux FILE helps");
	if (!kernel->layout.page_offset_base.origin)
		inspect_incomplete(inspection, "the direct map's address is not known");
	if (!kernel->layout.vmemmap_base.origin)
		inspect_incomplete(inspection, "the address of the struct page array is not known");
	if (!kernel->cpu_count)
		inspect_incomplete(inspection, "the per-CPU offsets are not known");
}

static int show_saved(struct view *view, const struct kernel *kernel, const char *path,
		      const struct kernel_elf *elf)
{
	const struct view_value values[SAVED_COLUMNS] = {
		[SAVED_FILE] = view_text(path),
		[SAVED_RELEASE] = kernel->release[0] ? view_text(kernel->release) : view_absent(),
		[SAVED_SYMBOLS] = view_u64(elf->symbol_count),
		[SAVED_FUNCTIONS] = view_u64(elf->function_count),
		[SAVED_FRAMES] = view_u64(elf->frame_count),
		[SAVED_TYPES] = view_u64(elf->type_count),
		[SAVED_BYTES] = view_u64(elf->file.size),
	};

	return view_object(view, &saved_record, values);
}

static int save_symbols(struct inspection *inspection, struct kernel *kernel, struct kbase_settings *settings,
			struct error *err)
{
	CLEANUP(kernel_elf) struct kernel_elf elf = { 0 };
	int status = kernel_elf_make(kernel, &elf, err);

	if (!status)
		status = new_file_write(&settings->symbol_file, elf.file.bytes, elf.file.size, err);
	if (!status)
		status = new_file_finish(&settings->symbol_file, err);
	return status ? status : show_saved(inspection->view, kernel, settings->symbol_path, &elf);
}

static int kbase_configure(struct inspection *inspection, struct error *err)
{
	struct kbase_settings *settings = inspection->invocation->settings;

	if (inspection->invocation->word_count)
		return error_set(err, -EINVAL, "unexpected word '%s'", inspection->invocation->words[0]);
	return settings->symbol_path ? new_file_open(&settings->symbol_file, settings->symbol_path, err) : 0;
}

static int show_facts(struct inspection *inspection, const struct kernel *kernel)
{
	const struct output_settings *output = &inspection->invocation->output;
	struct view *view = inspection->view;
	int status = show_base(view, kernel);

	if (!output->is_json || output->is_verbose) {
		if (!status)
			status = show_places(view, &kernel->layout);
		if (!status)
			status = show_rest(view, kernel);
		if (!status && output->is_verbose)
			status = show_percpu(view, kernel);
	}
	if (!status)
		judge(inspection);
	return status;
}

static int kbase_show(struct inspection *inspection, struct error *err)
{
	struct kbase_settings *settings = inspection->invocation->settings;
	struct kernel *kernel;
	int status = inspection_kernel(inspection, &kernel, err);

	if (!status)
		status = settings->symbol_path ? save_symbols(inspection, kernel, settings, err) :
						 show_facts(inspection, kernel);
	new_file_deinit(&settings->symbol_file);
	return status;
}

/* Opened lazily: nothing must stay of a new file when the target can't be opened. */
static const struct inspector kbase_inspector = {
	.configure = kbase_configure,
	.show = kbase_show,
	.opens_lazily = true,
};

const struct command kbase_command = {
	.name = "kbase",
	.summary = "where a kernel is: base, KASLR, page tables, memory areas",
	.usage = "[OPTIONS]",
	.options = kbase_options,
	.option_count = sizeof(kbase_options) / sizeof(kbase_options[0]),
	.settings_size = sizeof(struct kbase_settings),
	.description = "Shows the kernel's base address and KASLR offset, its paging, the direct map, vmalloc and "
		       "struct page\n"
		       "areas, how many CPUs and nodes it has, and its banner; and where each of these came "
		       "from. All of it is\n"
		       "found in the target itself. Exit code 3 when something is missing that other commands "
		       "need.",
	.inspector = &kbase_inspector,
	.records = kbase_records,
};
