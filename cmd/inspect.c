// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Opens the target, runs an inspecting command on it, and judges the outcome. What a target's name means is
 * decided here; how it is read is the sources' part.
 */
#include "inspect.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "kernel_types.h"
#include "privileges.h"
#include "source_file.h"
#include "source_gdb.h"
#include "source_live.h"
#include "source_qmp.h"
#include "slub_process.h"

#define PROCESS "pid:"
#define LIVE_BTF "/sys/kernel/btf/vmlinux"

/* What a run opens. */
static void close_inspection(struct inspection *inspection)
{
	if (!inspection_is_of_caller(inspection))
		kernel_close(inspection->kernel);
	kernel_types_close(inspection->types);
}
DEFINE_CLEANUP(inspection, struct inspection, close_inspection(&v));

#define AT(member) offsetof(struct inspect_settings, member)

#define OPTIONS(target_help)                                                                                \
	{ 0, "target", "TARGET", OPTION_TEXT, AT(target), NULL, target_help },                              \
	{ 0, "vmlinux", "FILE", OPTION_TEXT, AT(files.vmlinux), NULL,                                       \
	  "take types and symbols from this vmlinux; refused if it is another kernel's" },                  \
	{ 0, "symbols", "FILE", OPTION_TEXT, AT(files.symbols), NULL, "take symbols from this System.map" },\
	{ 0, "btf", "FILE", OPTION_TEXT, AT(files.btf), NULL, "take types from this file of raw BTF" }
#define OTHER_TARGETS "a dump's path, gdb:HOST:PORT, gdb:/SOCKET, qmp:/SOCKET, pid:PID (a process with libslub: kcache, kwhat)"

const struct option_spec inspect_options[] = {
	OPTIONS("live (default; live:bpf and live:kcore take one way only), " OTHER_TARGETS),
};
const struct option_spec inspect_options_of_debugger[] = {
	OPTIONS("instead of the debugger's: live (this machine's kernel), " OTHER_TARGETS),
};
const size_t inspect_option_count = sizeof(inspect_options) / sizeof(inspect_options[0]);

static const struct rung live_rungs[] = {
	{ "live:bpf", { KERNEL_CAP_BPF_READ_KERNEL, KERNEL_CAP_BPF_RUN }, 2, NULL, NULL },
	{ "live:kcore", { KERNEL_CAP_KCORE }, 1, "memory that is not mapped reads as zeros", NULL },
};
const struct ladder inspect_live_ladder = { live_rungs, sizeof(live_rungs) / sizeof(live_rungs[0]) };

static int open_live(const char *rest, struct memory_source **ret_source, struct error *err)
{
	if (!*rest)
		return source_live_open(LIVE_BEST, ret_source, err);
	if (!strcmp(rest, "bpf"))
		return source_live_open(LIVE_BPF, ret_source, err);
	if (!strcmp(rest, "kcore"))
		return source_live_open(LIVE_KCORE, ret_source, err);
	return error_set(err, -ENOENT, "the running kernel is read by live:bpf or live:kcore, not live:%s", rest);
}

/* What a target's name begins with, and who opens what follows. All else is a file. */
static const struct {
	const char *prefix;
	int (*open)(const char *rest, struct memory_source **ret_source, struct error *err);
} target_kinds[] = {
	{ "live", open_live },
	{ "live:", open_live },
	{ "gdb:", source_gdb_open },
	{ "qmp:", source_qmp_open },
};

static int open_source(const char *target, struct memory_source **ret_source, struct error *err)
{
	for (size_t i = 0; i < sizeof(target_kinds) / sizeof(target_kinds[0]); i++) {
		size_t size = strlen(target_kinds[i].prefix);
		bool takes_rest = target_kinds[i].prefix[size - 1] == ':';

		if (strncmp(target, target_kinds[i].prefix, size) == 0 && (takes_rest || !target[size]))
			return target_kinds[i].open(target + size, ret_source, err);
	}
	return source_file_open(target, ret_source, err);
}

static bool is_process(const char *target)
{
	return target && !strncmp(target, PROCESS, strlen(PROCESS));
}

int inspect_open_target(const struct inspect_settings *settings, struct kernel **ret_kernel,
			struct error *err)
{
	struct memory_source *source = NULL;
	int status;

	if (is_process(settings->target))
		return slub_process_open(settings->target + strlen(PROCESS), ret_kernel, err);
	status = open_source(settings->target ? settings->target : "live", &source, err);

	return status ? status : kernel_open(source, &settings->files, ret_kernel, err);
}

/* Whether the opened kernel can be read yet. */
static bool can_read(void *context)
{
	const struct kernel *kernel = context;
	uint64_t word;

	return !memory_source_read(kernel->source, SPACE_VIRTUAL, kernel->layout.base.value, &word, sizeof(word),
				   NULL);
}

char **inspection_words(const struct inspection *inspection)
{
	const struct invocation *invocation = inspection->invocation;

	return invocation->words + (invocation->command->inspector->begins_with_process && invocation->word_count);
}

bool inspection_is_of_caller(const struct inspection *inspection)
{
	return inspection->invocation->caller->open && !inspection->settings->target;
}

static int open_kernel(struct inspection *inspection, struct error *err)
{
	const struct inspect_settings *settings = inspection->settings;
	const struct caller *caller = inspection->invocation->caller;

	if (inspection_is_of_caller(inspection))
		return caller->open(caller->context, &settings->files, &inspection->kernel, err);
	return inspect_open_target(settings, &inspection->kernel, err);
}

int inspection_kernel(struct inspection *inspection, struct kernel **ret_kernel, struct error *err)
{
	int status;

	if (!inspection->kernel) {
		status = open_kernel(inspection, err);
		if (status) /* only a command line can be a usage error */
			return status == -EINVAL ? -EBADMSG : status;
		if (inspection->kernel->source->is_this_machine && inspection->invocation->caller->owns_process &&
		    privileges_reduce_to_reading(can_read, inspection->kernel, err))
			inspect_notice(inspection, "%s", err->text);
		if (kernel_types_missing(inspection->kernel->types))
			inspect_incomplete(inspection, "%zu bytes of the kernel's types can't be read",
					   kernel_types_missing(inspection->kernel->types));
	}
	*ret_kernel = inspection->kernel;
	return 0;
}

static bool is_live(const char *target)
{
	return !target || !strcmp(target, "live") || !strncmp(target, "live:", 5);
}

/* -ENOENT: only the target has them. */
static int open_types_alone(const struct inspection *inspection, struct kernel_types **ret_types,
			    struct error *err)
{
	const struct inspect_settings *settings = inspection->settings;

	if (settings->files.btf)
		return kernel_types_open_file(settings->files.btf, ret_types, err);
	if (settings->files.vmlinux)
		return kernel_types_open_elf(settings->files.vmlinux, ret_types, err);
	if (inspection_is_of_caller(inspection) || !is_live(settings->target) || access(LIVE_BTF, R_OK))
		return -ENOENT;
	return kernel_types_open_file(LIVE_BTF, ret_types, err);
}

int inspection_types(struct inspection *inspection, struct kernel_types **ret_types, struct error *err)
{
	const struct inspect_settings *settings = inspection->settings;
	bool has_file = settings->files.btf || settings->files.vmlinux;
	struct kernel *kernel;
	int status = 0;

	if (!inspection->types && !inspection->kernel) {
		status = open_types_alone(inspection, &inspection->types, err);
		if (status && (has_file || status != -ENOENT))
			return status == -EINVAL ? -EBADMSG : status;
	}
	if (inspection->types) {
		*ret_types = inspection->types;
		return 0;
	}
	status = inspection_kernel(inspection, &kernel, err);
	if (status)
		return status;
	if (!kernel->types)
		return error_set(err, -ENOENT, "no types (BTF) in this kernel's memory: give them by --btf or --vmlinux");
	*ret_types = kernel->types;
	return 0;
}

static void say(const struct inspection *inspection, const char *format, va_list arguments)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, arguments);
	complain(inspection->invocation, text);
}

void inspect_notice(const struct inspection *inspection, const char *format, ...)
{
	va_list arguments;

	if (inspection->invocation->output.is_quiet)
		return;
	va_start(arguments, format);
	say(inspection, format, arguments);
	va_end(arguments);
}

void inspect_found(struct inspection *inspection)
{
	inspection->has_findings = true;
}

void inspect_incomplete(struct inspection *inspection, const char *format, ...)
{
	va_list arguments;

	if (inspection->incomplete[0])
		return;
	va_start(arguments, format);
	vsnprintf(inspection->incomplete, sizeof(inspection->incomplete), format, arguments);
	va_end(arguments);
}

/* Gaps outweigh findings: who sees exit 1 may rely on having seen all. */
static int judge(const struct inspection *inspection)
{
	char text[640];

	if (inspection->incomplete[0]) {
		snprintf(text, sizeof(text), "incomplete: %s", inspection->incomplete);
		complain(inspection->invocation, text);
		return EXIT_INCOMPLETE;
	}
	return inspection->has_findings ? EXIT_FINDINGS : EXIT_CLEAN;
}

/* Whether the command and its target go together. @process is room for a target's name. */
static int choose_target(const struct invocation *invocation, struct inspect_settings *settings, char *process,
			 size_t size, struct error *err)
{
	const struct inspector *inspector = invocation->command->inspector;

	if (inspector->begins_with_process) {
		if (!invocation->word_count || *invocation->words[0] < '0' || *invocation->words[0] > '9')
			return error_set(err, -EINVAL, "which process? Its PID comes first");
		snprintf(process, size, PROCESS "%s", invocation->words[0]);
		settings->target = process;
	} else if (is_process(settings->target) && !inspector->takes_processes) {
		return error_set(err, -EINVAL, "%s looks at kernels; slabinfo, kcache and kwhat look at a process",
				 invocation->command->name);
	}
	return 0;
}

int run_inspector(struct invocation *invocation, struct inspect_settings *settings, struct error *err)
{
	const struct inspector *inspector = invocation->command->inspector;
	char process[PATH_MAX + 32];
	CLEANUP(inspection) struct inspection inspection = { .invocation = invocation,
					 .settings = settings,
					 .options = invocation->settings,
					 .view = invocation->view };
	struct kernel *kernel;
	int status = choose_target(invocation, settings, process, sizeof(process), err);

	if (!status && inspector->configure)
		status = inspector->configure(&inspection, err);
	if (!invocation->output.is_verbose || !invocation->caller->owns_process)
		libbpf_set_print(NULL); /* what it tries in vain is not news */
	if (!status && !inspector->opens_lazily)
		status = inspection_kernel(&inspection, &kernel, err);
	if (status)
		return status;
	status = inspector->show(&inspection, err);
	if (!status && inspection.kernel && inspection.kernel->reader.code)
		inspect_incomplete(&inspection, "%s", inspection.kernel->reader.text);
	return status == -EPIPE ? EXIT_CLEAN : status ? status : judge(&inspection);
}
