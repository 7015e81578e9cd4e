// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Loads and attaches the programs of an event command: those of the rung whose targets this kernel has. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "trace_private.h"

static const struct trace_program *find_program(const struct event_source *events, const char *name)
{
	for (const struct trace_program *program = events->programs; program->name; program++)
		if (strcmp(program->name, name) == 0)
			return program;
	return NULL;
}

static bool is_attachable(struct trace *trace, struct bpf_program *program, const struct trace_program *entry)
{
	if (entry->only_with && !kernel_targets_have(trace->run->attachable, entry->only_with, NULL, 0))
		return false;
	return kernel_targets_have(trace->run->attachable, bpf_program__section_name(program), NULL, 0);
}

/* Another program that does the same is to be loaded. */
static bool has_other(struct trace *trace, const struct trace_program *lacking)
{
	for (const struct trace_program *other = trace->events->programs; other->name; other++) {
		struct bpf_program *program = bpf_object__find_program_by_name(trace->object, other->name);

		if (other == lacking || !other->one_of || !lacking->one_of || strcmp(other->one_of, lacking->one_of) != 0)
			continue;
		if (program && (other->rungs & 1U << trace->run->rung) && is_attachable(trace, program, other))
			return true;
	}
	return false;
}

static bool is_shared(const char *name)
{
	return strncmp(name, "trace_follow_", 13) == 0 || strncmp(name, "trace_space_", 12) == 0;
}

static bool wants_shared(const struct trace *trace, const char *name)
{
	const struct trace_settings *settings = trace->run->settings;

	if (strncmp(name, "trace_space_", 12) == 0)
		return trace->private->wants_user_stacks;
	if (strcmp(name, "trace_follow_fork") == 0)
		return trace->run->target_count && (settings->follows_children || trace->run->launch);
	return trace->run->target_count;
}

static int choose_programs(struct trace *trace, struct error *err)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, trace->object) {
		const char *name = bpf_program__name(program);
		const struct trace_program *entry = find_program(trace->events, name);
		bool is_wanted = entry && (entry->rungs & 1U << trace->run->rung), is_there;

		if (is_shared(name))
			continue; /* after prepare(), which says whether stacks are wanted */
		is_there = is_wanted && is_attachable(trace, program, entry);
		bpf_program__set_autoload(program, is_there);
		if (!is_wanted || is_there || has_other(trace, entry))
			continue;
		if (!entry->without)
			return error_set(err, -EOPNOTSUPP, "this kernel has no %s", bpf_program__section_name(program));
		if (entry->without[0])
			run_notice(trace->run, "this kernel has no %s: %s", bpf_program__section_name(program), entry->without);
	}
	return 0;
}

static void choose_shared(struct trace *trace)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, trace->object)
		if (is_shared(bpf_program__name(program)))
			bpf_program__set_autoload(program, wants_shared(trace, bpf_program__name(program)));
}

#define MAX_SOFTWARE_EVENTS 2 /* of one program */

/* One software event on each CPU that is there: link by link. */
static int attach_software(struct trace *trace, struct bpf_program *program, unsigned int event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = event, .sample_period = 1 };
	int cpus = libbpf_num_possible_cpus(), count = 0;

	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		struct bpf_link *link;

		if (fd < 0 && errno == ENODEV) /* offline */
			continue;
		if (fd < 0)
			return -errno;
		link = bpf_program__attach_perf_event(program, fd); /* which owns fd then */
		if (!link) {
			close(fd);
			return -errno;
		}
		trace->private->links[trace->private->link_count++] = link;
		count++;
	}
	return count ? 0 : -ENODEV;
}

static int attach_program(struct trace *trace, struct bpf_program *program, const struct trace_program *entry)
{
	struct bpf_link *link;

	for (unsigned int event = 0; entry && event < 32; event++) {
		int status = entry->software_events & 1U << event ? attach_software(trace, program, event) : 0;

		if (status)
			return status;
	}
	if (entry && entry->software_events)
		return 0;
	link = bpf_program__attach(program);
	if (!link)
		return -errno;
	trace->private->links[trace->private->link_count++] = link;
	return 0;
}

static int attach_programs(struct trace *trace, struct error *err)
{
	int cpus = libbpf_num_possible_cpus();
	struct bpf_program *program;
	size_t count = 0;

	bpf_object__for_each_program(program, trace->object)
		count += cpus > 0 ? MAX_SOFTWARE_EVENTS * cpus : 1;
	trace->private->links = calloc(count, sizeof(*trace->private->links));
	if (!trace->private->links)
		return error_set(err, -ENOMEM, "out of memory");
	bpf_object__for_each_program(program, trace->object) {
		const struct trace_program *entry = find_program(trace->events, bpf_program__name(program));
		int status;

		if (!bpf_program__autoload(program) || !bpf_program__autoattach(program))
			continue;
		status = attach_program(trace, program, entry);
		if (!status)
			continue;
		if (!entry || (!entry->without && !has_other(trace, entry)))
			return error_set(err, -EOPNOTSUPP, "cannot attach to %s: %s", bpf_program__section_name(program),
					 strerror(-status));
		run_notice(trace->run, "cannot attach to %s: %s%s%s", bpf_program__section_name(program), strerror(-status),
			   entry->without && entry->without[0] ? ": " : "", entry->without ? entry->without : "");
	}
	return 0;
}

static int set_arguments(struct trace *trace, struct error *err)
{
	int status = 0;

	for (const struct trace_argument *at = trace->events->arguments; at && at->variable && !status; at++) {
		int index = kernel_targets_argument(trace->run->attachable, at->tracepoint, at->argument);

		status = trace_set(trace, at->variable, (uint32_t)(index < 0 ? -1 : index), err);
	}
	return status;
}

int trace_load(struct trace *trace, struct error *err)
{
	size_t size;
	const void *elf = trace->events->elf(&size);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = trace->run->invocation->command->name);
	int status;

	trace->object = bpf_object__open_mem(elf, size, &options);
	if (!trace->object)
		return error_set(err, -errno, "cannot open the BPF programs: %s", strerror(errno));
	status = choose_programs(trace, err);
	if (!status)
		status = trace_filter_constants(trace, err);
	if (!status)
		status = set_arguments(trace, err);
	if (!status && trace->events->prepare)
		status = trace->events->prepare(trace, err);
	if (status)
		return status;
	choose_shared(trace);
	status = bpf_object__load(trace->object);
	if (status)
		return error_set(err, -EOPNOTSUPP, "cannot load the BPF programs: %s%s%s", strerror(-status),
				 run_libbpf_complaint()[0] ? ": " : "", run_libbpf_complaint());
	status = trace_filter_maps(trace, err);
	if (!status)
		status = trace_tables_open(trace, err);
	if (!status)
		status = attach_programs(trace, err);
	return status;
}

void trace_unload(struct trace *trace)
{
	for (size_t i = 0; i < trace->private->link_count; i++)
		bpf_link__destroy(trace->private->links[i]);
	trace->private->link_count = 0;
	free(trace->private->links);
	trace->private->links = NULL;
}

/* A variable in a section, by the BTF of the object. */
static struct bpf_map *find_variable(struct bpf_object *object, const char *section_name, const char *name,
				     size_t *ret_offset, size_t *ret_size)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, section_name, BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, id) : NULL;
	struct bpf_map *map;

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *place = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(btf, place->type);

		if (strcmp(btf__name_by_offset(btf, variable->name_off), name) != 0)
			continue;
		bpf_object__for_each_map(map, object) {
			if (!strstr(bpf_map__name(map), section_name) || place->offset + place->size > bpf_map__value_size(map))
				continue;
			*ret_offset = place->offset;
			*ret_size = place->size;
			return map;
		}
	}
	return NULL;
}

int trace_set(struct trace *trace, const char *variable, uint64_t value, struct error *err)
{
	size_t offset, size, map_size;
	struct bpf_map *map = find_variable(trace->object, ".rodata", variable, &offset, &size);
	char *bytes = map ? (char *)bpf_map__initial_value(map, &map_size) : NULL; /* writable until the load */

	if (!bytes || size > sizeof(value))
		return error_set(err, -ENOENT, "this is a defect of dill: its programs have no constant %s", variable);
	memcpy(bytes + offset, &value, size); /* little-endian, as BPF here */
	return 0;
}

int trace_set_bytes(struct trace *trace, const char *variable, const void *bytes, size_t size, struct error *err)
{
	size_t offset, room, map_size;
	struct bpf_map *map = find_variable(trace->object, ".rodata", variable, &offset, &room);
	char *values = map ? (char *)bpf_map__initial_value(map, &map_size) : NULL;

	if (!values || size != room)
		return error_set(err, -ENOENT, "this is a defect of dill: its programs have no constant %s", variable);
	memcpy(values + offset, bytes, size);
	return 0;
}

void *trace_variable(struct trace *trace, const char *name)
{
	size_t offset, size;
	struct bpf_map *map = find_variable(trace->object, ".bss", name, &offset, &size);
	struct trace_private *private = trace->private;

	if (!map)
		return NULL;
	if (!private->variables) {
		private->variables_size = bpf_map__value_size(map);
		private->variables = mmap(NULL, private->variables_size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	}
	return private->variables == MAP_FAILED ? NULL : (char *)private->variables + offset;
}

struct bpf_map *trace_map(struct trace *trace, const char *name)
{
	return bpf_object__find_map_by_name(trace->object, name);
}

int trace_map_fd(struct trace *trace, const char *name)
{
	return bpf_object__find_map_fd_by_name(trace->object, name);
}

bool trace_has_program(struct trace *trace, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(trace->object, name);

	return program && bpf_program__autoload(program);
}

void trace_leave_out(struct trace *trace, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(trace->object, name);

	if (program)
		bpf_program__set_autoload(program, false);
}

struct kernel_targets *trace_targets(struct trace *trace)
{
	return trace->run->attachable;
}
