// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill slabinfo: the list of dill kcache for a process that uses libslub. What it adds is the process's own line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kcache.h"
#include "slub_process.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	PROCESS_PID,
	PROCESS_NAME,
	PROCESS_FILE,
	PROCESS_CPUS,
	PROCESS_NODES,
	PROCESS_TAKEN,
	PROCESS_IDLE,
	PROCESS_USED,
	PROCESS_RESERVED,
	PROCESS_STRIPES,
	PROCESS_COLUMNS
};
static const struct view_column process_columns[PROCESS_COLUMNS] = {
	[PROCESS_PID] = { .name = "pid", .type = VIEW_U64 },
	[PROCESS_NAME] = { .name = "process", .type = VIEW_TEXT, .is_optional = true },
	[PROCESS_FILE] = { .name = "libslub_file", .type = VIEW_PATH },
	[PROCESS_CPUS] = { .name = "cpus", .type = VIEW_U64 },
	[PROCESS_NODES] = { .name = "nodes", .type = VIEW_U64 },
	[PROCESS_TAKEN] = { .name = "taken_bytes", .type = VIEW_BYTES },
	[PROCESS_IDLE] = { .name = "idle_bytes", .type = VIEW_BYTES },
	[PROCESS_USED] = { .name = "touched_bytes", .type = VIEW_BYTES },
	[PROCESS_RESERVED] = { .name = "reserved_bytes", .type = VIEW_BYTES },
	[PROCESS_STRIPES] = { .name = "first_stripe", .type = VIEW_U64, .is_optional = true },
};
const struct view_record slabinfo_process_record = {
	.type = "slub_process",
	.columns = process_columns,
	.column_count = PROCESS_COLUMNS,
	.text = "process {pid}{? ({process})?}, libslub in {libslub_file}: {taken_bytes} of pages in use, {idle_bytes} free "
		"and kept; {cpus} {cpus:CPU|CPUs}, {nodes} {nodes:node|nodes}"
		"{?; CPUs from {first_stripe} on are threads without rseq?}",
	.is_remark = true,
};

/* "" when it can't be read. */
static void read_name(const struct slub_process *process, char *name, size_t size)
{
	CLEANUP(fclose) FILE *comm = NULL;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)process->pid);
	comm = fopen(path, "re");
	if (!comm || !fgets(name, (int)size, comm))
		name[0] = 0;
	name[strcspn(name, "\n")] = 0;
}

int slabinfo_show_process(struct inspection *inspection, struct error *err)
{
	struct kernel *kernel = inspection->kernel;
	const struct slub_process *process = kernel->process;
	struct slub_facts facts;
	char name[64];

	if (slub_facts_read(kernel, &facts))
		return kernel->reader.code ? error_set(err, kernel->reader.code, "%s", kernel->reader.text)
					   : error_set(err, -EFAULT, "process %d: its allocator's state can't be read",
						       (int)process->pid);
	read_name(process, name, sizeof(name));
	return view_object(inspection->view, &slabinfo_process_record,
			   (struct view_value[PROCESS_COLUMNS]){
				   [PROCESS_PID] = view_u64((uint64_t)process->pid),
				   [PROCESS_NAME] = *name ? view_text(name) : view_absent(),
				   [PROCESS_FILE] = view_text(process->file),
				   [PROCESS_CPUS] = view_u64(process->cpus),
				   [PROCESS_NODES] = view_u64(kernel->node_count),
				   [PROCESS_TAKEN] = view_u64(facts.taken),
				   [PROCESS_IDLE] = view_u64(facts.idle),
				   [PROCESS_USED] = view_u64(facts.used),
				   [PROCESS_RESERVED] = view_u64(facts.reserved),
				   [PROCESS_STRIPES] = kernel->cpu_count > process->cpus ? view_u64(process->cpus)
											  : view_absent(),
			   });
}

static const struct option_spec slabinfo_options[] = {
	KCACHE_LIST_OPTIONS("the newest first"),
};

static int slabinfo_configure(struct inspection *inspection, struct error *err)
{
	return kcache_list_configure(inspection->options, err);
}

static int slabinfo_show(struct inspection *inspection, struct error *err)
{
	struct kcache_settings *settings = inspection->invocation->settings;
	int status = kcache_show_list(inspection, inspection_words(inspection), err);

	text_list_deinit(&settings->filters);
	return status;
}

static const struct inspector slabinfo_inspector = { .configure = slabinfo_configure,
						      .show = slabinfo_show,
						      .takes_processes = true,
						      .begins_with_process = true };

static const struct view_record *const slabinfo_records[] = { &slabinfo_process_record, &slabinfo_cache_record,
							      &slabinfo_change_record, &kcache_sum_record,
							      &kcache_time_record, NULL };

const struct command slabinfo_command = {
	.name = "slabinfo",
	.summary = "slab caches of a process that uses libslub",
	.usage = "[OPTIONS] PID [GLOB...]",
	.description =
		"Lists the caches of a process that is linked with libslub or was started with libslub-malloc.so in\n"
		"LD_PRELOAD: how they are laid out, what they hold, and where their free objects are. The process is\n"
		"not stopped, so that numbers of a busy one are of slightly different moments.\n"
		"dill kcache --target pid:PID NAME shows one cache from the top down, and --check finds damage.\n"
		"PID:FILE chooses among several copies of libslub, by its file's name.",
	.options = slabinfo_options,
	.option_count = COUNT(slabinfo_options),
	.settings_size = sizeof(struct kcache_settings),
	.inspector = &slabinfo_inspector,
	.records = slabinfo_records,
};
