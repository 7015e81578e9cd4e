// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill usdt: probes that programs bring along, above all those of glibc's allocator.
 *
 * libbpf attaches USDT, too (bpf_program__attach_usdt); here is more of it: lists, uprobe_multi links, operands with index
 * and symbols, files of other mount namespaces, every process also on kernels without cookies.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf_syscall.h"
#include "cleanup.h"
#include "elf_object.h"
#include "error.h"
#include "kernel_caps.h"
#include "targets.h"
#include "uprobe.h"
#include "usdt.skel.h"
#include "usdt_views.h"

struct usdt_options {
	bool wants_list, wants_functions, wants_stacks;
	struct text_list objects;
};

#define OFFSET(field) offsetof(struct usdt_options, field)

static const struct option_spec usdt_option_specs[] = {
	{ 'l', "list", NULL, OPTION_FLAG, OFFSET(wants_list), NULL, "show which probes there are, and trace nothing" },
	{ 'o', "object", "PATH", OPTION_TEXTS, OFFSET(objects), NULL,
	  "look in this program or library only; may be repeated (default: all that the traced processes run)" },
	{ 'F', "functions", NULL, OPTION_FLAG, OFFSET(wants_functions), NULL,
	  "instead of probes, the C library's functions in which they would be: for one built without" },
	{ 'K', "stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL, "the program's stack at each" },
};

/* A probe that is traced: its number is its place in the list. */
struct traced_probe {
	const struct usdt_probe *probe;
	const struct usdt_file *file;
};

struct usdt_state {
	struct usdt_files files;
	const char **patterns;
	size_t pattern_count;
	struct traced_probe *probes;
	size_t count;
	bool has_cookies;
	struct uprobe_link *links;
};

static const struct view_record *const usdt_records[] = { &usdt_probe_record, &usdt_event_record, &trace_losses_record, NULL };

/* Which probes ---------------------------------------------------------------------------------------------- */

static int gather_files(struct trace *trace, const pid_t *targets, size_t count, struct error *err)
{
	const struct usdt_options *options = trace->run->options;
	const struct invocation *invocation = trace->run->invocation;
	struct usdt_state *state = trace->state;
	int status = 0;

	state->files.wants_functions = options->wants_functions;
	for (size_t i = 0; i < options->objects.count && !status; i++)
		status = usdt_files_add_path(&state->files, options->objects.list[i], err);
	if (status || options->objects.count)
		return status;
	if (invocation->word_count)
		return usdt_files_add_command(&state->files, invocation->words[0], err);
	for (size_t i = 0; i < count && !status; i++)
		status = usdt_files_add_process(&state->files, targets[i], err);
	return count ? status : usdt_files_add_all(&state->files, err);
}

static size_t files_with_probes(const struct usdt_state *state)
{
	size_t count = 0;

	for (size_t i = 0; i < state->files.count; i++)
		count += state->files.list[i].object != NULL;
	return count;
}

/* Why there is nothing to show. */
static int say_none(const struct usdt_state *state, struct error *err)
{
	const struct usdt_files *files = &state->files;

	if (files->wants_functions)
		return error_set(err, -ENOENT, "no C library with functions of these names is in use there");
	if (files->library && !files->library_has_probes && (!state->pattern_count || !strncmp(state->patterns[0], "libc:", 5)))
		return error_set(err, -ENOENT,
				 "%s was built without probes (glibc's --enable-systemtap; Debian's is). In their place: dill "
				 "usdt --functions traces the functions that they would be in, dill brkstack (--mmap) shows how "
				 "the heap grows, dill memleak who holds it", files->library);
	return error_set(err, -ENOENT, "no such probe in %zu %s, of which %zu %s any (dill usdt --list shows them)", files->count,
			 files->count == 1 ? "file" : "files", files_with_probes(state),
			 files_with_probes(state) == 1 ? "has" : "have");
}

static int list_probes(struct trace *trace, struct error *err)
{
	struct target_list targets = { 0 };
	struct usdt_state *state = trace->state;
	size_t shown = 0;
	int status = targets_by_pid(trace->run->settings, &targets, err);

	if (!status)
		status = gather_files(trace, targets.pids, targets.count, err);
	if (!status)
		status = usdt_show_list(trace->run->view, &state->files, state->patterns, state->pattern_count, &shown);
	target_list_deinit(&targets);
	if (!status && state->files.damaged)
		run_incomplete(trace->run, "%zu notes describe places that are not in their file's code", state->files.damaged);
	return status ? status : shown ? 1 : say_none(state, err);
}

static int usdt_configure(struct trace *trace, struct error *err)
{
	static const char *const defaults[] = { "libc:memory_*", "function:*" };
	const struct usdt_options *options = trace->run->options;
	const struct invocation *invocation = trace->run->invocation;
	struct usdt_state *state = trace->state;

	if (trace->run->is_replay)
		return options->wants_list || options->objects.count || options->wants_functions ?
			       error_set(err, -EINVAL, "--replay shows a recording: no probes are looked for") : 0;
	state->pattern_count = (size_t)invocation->argument_count;
	state->patterns = calloc(state->pattern_count + 1, sizeof(*state->patterns));
	if (!state->patterns)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < state->pattern_count; i++) {
		state->patterns[i] = invocation->arguments[i];
		if (strchr(state->patterns[i], '/'))
			return error_set(err, -EINVAL, "'%s' is no probe, which is PROVIDER:NAME (--object takes files)",
					 state->patterns[i]);
	}
	if (!state->pattern_count && !options->wants_list) {
		state->pattern_count = 1;
		state->patterns[0] = defaults[options->wants_functions];
	}
	return options->wants_list ? list_probes(trace, err) : 0;
}

static int choose_probes(struct usdt_state *state, struct error *err)
{
	state->probes = calloc(USDT_SPECS_MAX, sizeof(*state->probes));
	if (!state->probes)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < state->files.count; i++) {
		const struct usdt_file *file = &state->files.list[i];

		for (size_t k = 0; file->object && k < usdt_probes_count(file->probes); k++) {
			const struct usdt_probe *probe = usdt_probes_get(file->probes, k);

			if (!usdt_is_wanted(probe, state->patterns, state->pattern_count))
				continue;
			if (state->count == USDT_SPECS_MAX)
				return error_set(err, -E2BIG, "more than %d places of probes: name fewer", USDT_SPECS_MAX);
			state->probes[state->count++] = (struct traced_probe){ probe, file };
		}
	}
	return state->count ? 0 : say_none(state, err);
}

/* For the kernel's side ------------------------------------------------------------------------------------- */

/* struct pt_regs in 64-bit words from its beginning (arch/x86/include/asm/ptrace.h), by numbers of registers. */
static uint16_t register_offset(uint8_t number)
{
	static const uint8_t words[] = { 10, 11, 12, 5, 19, 4, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0, 16 };

	return number < sizeof(words) ? 8 * words[number] : USDT_NO_OFFSET;
}

static struct usdt_spec make_spec(const struct usdt_probe *probe)
{
	static const uint8_t reads[] = { [USDT_CONSTANT] = USDT_READ_CONSTANT, [USDT_REGISTER] = USDT_READ_REGISTER,
					 [USDT_MEMORY] = USDT_READ_MEMORY, [USDT_SYMBOL] = USDT_READ_NOTHING };
	struct usdt_spec spec = { .count = probe->argument_count };

	for (size_t i = 0; i < probe->argument_count; i++) {
		const struct usdt_argument *argument = &probe->arguments[i];

		spec.arguments[i] = (struct usdt_place_spec){
			.constant = argument->constant, .base = register_offset(argument->base),
			.index = register_offset(argument->index), .read = reads[argument->place],
			.scale_shift = __builtin_ctz(argument->scale | 8) /* of 1, 2, 4 and 8 */, .shift = argument->shift, .size = argument->size,
		};
	}
	return spec;
}

static int usdt_prepare(struct trace *trace, struct error *err)
{
	const struct usdt_options *options = trace->run->options;
	struct bpf_program *program = bpf_object__find_program_by_name(trace->object, "usdt_met");
	struct usdt_state *state = trace->state;
	int status = gather_files(trace, trace->run->targets, trace->run->target_count, err);

	if (!status)
		status = choose_probes(state, err);
	if (status)
		return status;
	if (state->files.damaged)
		run_notice(trace->run, "%zu notes describe places that are not in their file's code: left out",
			   state->files.damaged);
	state->has_cookies = trace->run->rung == 0 || kernel_caps_get(trace->run->caps, KERNEL_CAP_BPF_COOKIE)->state == CAP_YES;
	bpf_program__set_autoattach(program, false);
	if (trace->run->rung == 0)
		bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)BPF_SYSCALL_TRACE_UPROBE_MULTI);
	bpf_map__set_max_entries(trace_map(trace, "specs"), state->count);
	bpf_map__set_max_entries(trace_map(trace, "sites"), state->has_cookies ? 1 : 2 * state->count);
	status = trace_user_stacks(trace, options->wants_stacks, err);
	if (!status)
		status = trace_set(trace, "wants_stacks", options->wants_stacks, err);
	return status ? status : trace_set(trace, "has_cookies", state->has_cookies, err);
}

/* Whether another file has a probe at the same offset, so that the offset alone says nothing. */
static bool is_ambiguous(const struct usdt_state *state, const struct traced_probe *traced)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->probes[i].file != traced->file &&
		    state->probes[i].probe->file_offset == traced->probe->file_offset)
			return true;
	return false;
}

static int fill_maps(struct trace *trace, struct error *err)
{
	struct usdt_state *state = trace->state;

	for (uint32_t i = 0; i < state->count; i++) {
		const struct traced_probe *traced = &state->probes[i];
		struct usdt_site site = { 0, traced->probe->file_offset };
		struct usdt_spec spec = make_spec(traced->probe);
		int failed = bpf_map_update_elem(trace_map_fd(trace, "specs"), &i, &spec, BPF_ANY);

		/* The file's inode number is another on overlayfs than that which is mapped: then the offset has to do. */
		if (!failed && !state->has_cookies && !is_ambiguous(state, traced))
			failed = bpf_map_update_elem(trace_map_fd(trace, "sites"), &site, &i, BPF_ANY);
		site.inode = traced->file->map_inode ? traced->file->map_inode : traced->file->inode;
		if (!failed && !state->has_cookies)
			failed = bpf_map_update_elem(trace_map_fd(trace, "sites"), &site, &i, BPF_ANY);
		if (failed)
			return error_set(err, -errno, "cannot tell the kernel's side where probes are: %s", strerror(errno));
	}
	return 0;
}

/* One process alone is probed in it; else the filters of all event commands choose. */
static pid_t only_process(const struct trace *trace)
{
	const struct run *run = trace->run;
	bool is_one = run->target_count == 1 && !run->launch && !run->settings->follows_children;

	return is_one ? run->targets[0] : 0;
}

/* The probes of a file follow one another in the list. */
static int attach_file(struct trace *trace, size_t first, size_t count, struct error *err)
{
	struct usdt_state *state = trace->state;
	CLEANUP(free) struct uprobe_point *points = calloc(count, sizeof(*points));
	struct bpf_program *program = bpf_object__find_program_by_name(trace->object, "usdt_met");
	struct elf_object *object = state->probes[first].file->object;
	struct uprobe_link *link;
	int status;

	if (!points)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct usdt_probe *probe = state->probes[first + i].probe;

		points[i] = (struct uprobe_point){ probe->file_offset, state->has_cookies ? first + i + 1 : 0,
						   probe->semaphore_offset };
	}
	status = uprobe_attach(trace->run->rung == 0 ? UPROBE_MULTI : UPROBE_PERF, bpf_program__fd(program),
			       elf_object_fd(object), only_process(trace), false, false, points, count, &link, err);
	if (status)
		return error_context(err, "cannot probe %s", elf_object_path(object));
	state->links = uprobe_link_join(link, state->links);
	run_verbose(trace->run, "%zu places of probes in %s", count, elf_object_path(object));
	return 0;
}

static int usdt_begin(struct trace *trace, struct error *err)
{
	struct usdt_state *state = trace->state;
	int status = fill_maps(trace, err);

	for (size_t first = 0, next; first < state->count && !status; first = next) {
		for (next = first + 1; next < state->count && state->probes[next].file == state->probes[first].file;)
			next++;
		status = attach_file(trace, first, next - first, err);
	}
	return status;
}

static void usdt_detach(struct trace *trace)
{
	struct usdt_state *state = trace->state;

	uprobe_detach(state->links);
	state->links = NULL;
}

static int usdt_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct usdt_event *event = (const void *)head;
	struct usdt_state *state = trace->state;

	if (size < sizeof(*event) || event->spec >= state->count)
		return -EBADMSG;
	return usdt_show_event(trace, event, state->probes[event->spec].probe,
			       elf_object_path(state->probes[event->spec].file->object));
}

static void usdt_destroy(struct trace *trace)
{
	struct usdt_state *state = trace->state;

	usdt_files_deinit(&state->files);
	free(state->probes);
	free(state->patterns);
}

static const struct trace_program usdt_programs[] = {
	{ .name = "usdt_met", .rungs = 3 },
	{ 0 },
};

static const struct event_source usdt_events = {
	.elf = usdt_bpf__elf_bytes,
	.programs = usdt_programs,
	.state_size = sizeof(struct usdt_state),
	.configure = usdt_configure,
	.prepare = usdt_prepare,
	.begin = usdt_begin,
	.detach = usdt_detach,
	.on_event = usdt_on_event,
	.destroy = usdt_destroy,
};

static const struct rung usdt_rungs[] = {
	{ "uprobe_multi links",
	  { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_UPROBE_MULTI,
	    KERNEL_CAP_UPROBE_MULTI_THREADS }, 5, NULL, "raw_tp/sched_process_exit" },
	{ "perf uprobes", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_UPROBE_PERF }, 4,
	  "attaching and detaching take longer", "raw_tp/sched_process_exit" },
};

static const struct tracer usdt_tracer = {
	TRACE_CALLBACKS,
	.events = &usdt_events,
	.ladder = { usdt_rungs, sizeof(usdt_rungs) / sizeof(*usdt_rungs) },
	.takes_command = true,
	.takes_arguments = true,
};

const struct command usdt_command = {
	.name = "usdt",
	.summary = "what the C library's allocator says of itself, and other probes that programs bring along",
	.usage = "[PROVIDER:NAME]... [OPTIONS]\n[PROVIDER:NAME]... [OPTIONS] -- COMMAND ARGS...\n--list [PROVIDER:NAME]... [OPTIONS]\n"
		 "--replay FILE [OPTIONS]",
	.description = "Traces USDT probes (SystemTap's markers in programs and libraries) with their arguments; by default\n"
		       "those of glibc's allocator, libc:memory_*. NAME may have the wildcards of the shell.",
	.options = usdt_option_specs,
	.option_count = sizeof(usdt_option_specs) / sizeof(*usdt_option_specs),
	.settings_size = sizeof(struct usdt_options),
	.tracer = &usdt_tracer,
	.records = usdt_records,
};
