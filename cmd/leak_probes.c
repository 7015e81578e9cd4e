// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Attaches memleak's programs to the allocator of each process: frees first, so that no block can be seen
 * to come and not to go;
 * entries last, so that no call is begun whose return would be missed.
 */
#include "leak_source.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "allocator.h"
#include "cleanup.h"
#include "elf_object.h"
#include "memleak.skel.h"
#include "memleak_options.h"
#include "proc_maps.h"
#include "uprobe.h"

DEFINE_CLEANUP(maps, struct proc_maps, proc_maps_deinit(&v));
DEFINE_CLEANUP(set, struct allocator_set, allocator_set_deinit(&v));
DEFINE_CLEANUP(object, struct elf_object *, elf_object_unref(v));

/* A file that has probes for one process. */
struct probed_file {
	uint64_t inode, size;
	pid_t pid;
	bool is_loader;
};

struct probe_link {
	struct uprobe_link *link;
	pid_t pid;
};

struct leak_probes {
	struct run *run;
	const struct memleak_options *options;
	struct memleak_bpf *bpf;
	enum uprobe_rung rung;
	bool has_cookies;
	struct probed_file *files;
	size_t file_count;
	struct probe_link *links; /* in the order of attaching: frees first */
	size_t link_count;
};

int leak_probes_create(struct run *run, const struct memleak_options *options, struct memleak_bpf *bpf,
		       struct leak_probes **ret_probes)
{
	struct leak_probes *probes = calloc(1, sizeof(*probes));

	if (!probes)
		return -ENOMEM;
	*probes = (struct leak_probes){ .run = run, .options = options, .bpf = bpf,
					.rung = run->rung ? UPROBE_PERF : UPROBE_MULTI,
					.has_cookies = bpf->rodata->has_cookies };
	*ret_probes = probes;
	return 0;
}

/* Last come, first gone: allocations end before frees do. */
void leak_probes_detach(struct leak_probes *probes)
{
	while (probes->link_count)
		uprobe_detach(probes->links[--probes->link_count].link);
}

void leak_probes_forget(struct leak_probes *probes, pid_t pid)
{
	size_t kept = 0;

	for (size_t i = 0; i < probes->link_count; i++) {
		if (probes->links[i].pid == pid)
			uprobe_detach(probes->links[i].link);
		else
			probes->links[kept++] = probes->links[i];
	}
	probes->link_count = kept;
	kept = 0;
	for (size_t i = 0; i < probes->file_count; i++)
		if (probes->files[i].pid != pid)
			probes->files[kept++] = probes->files[i];
	probes->file_count = kept;
}

void leak_probes_destroy(struct leak_probes *probes)
{
	if (!probes)
		return;
	leak_probes_detach(probes);
	free(probes->links);
	free(probes->files);
	free(probes);
}

static struct bpf_program *program_of(struct memleak_bpf *bpf, enum allocator_function function)
{
	switch (function) {
	case ALLOCATOR_FREE: return bpf->progs.enter_free;
	case ALLOCATOR_NEW: return bpf->progs.enter_new;
	case ALLOCATOR_MALLOC: return bpf->progs.enter_malloc;
	case ALLOCATOR_CALLOC: return bpf->progs.enter_calloc;
	case ALLOCATOR_REALLOC: return bpf->progs.enter_realloc;
	case ALLOCATOR_REALLOCARRAY: return bpf->progs.enter_reallocarray;
	case ALLOCATOR_MEMALIGN: return bpf->progs.enter_memalign;
	case ALLOCATOR_POSIX_MEMALIGN: return bpf->progs.enter_posix_memalign;
	case ALLOCATOR_MMAP: return bpf->progs.enter_mmap;
	case ALLOCATOR_MUNMAP: return bpf->progs.enter_munmap;
	case ALLOCATOR_MREMAP: return bpf->progs.enter_mremap;
	case ALLOCATOR_FUNCTIONS: break;
	}
	return NULL;
}

/* Where the site keeps its arguments, for argument() in memleak.bpf.c; 0: where the ABI puts them. */
static uint64_t argument_cookie(const struct leak_probes *probes, const struct probe_site *site)
{
	static const uint8_t abi[3] = { 7, 6, 2 }; /* rdi, rsi, rdx */
	uint64_t cookie = 0;
	bool is_moved = false;

	if (!probes->has_cookies)
		return 0;
	for (int i = 0; i < 3; i++) {
		cookie |= (uint64_t)site->arg_register[i] << (8 * i);
		is_moved |= site->arg_register[i] != abi[i];
	}
	return is_moved ? cookie | 1ULL << 63 : 0;
}

static int attach_points(struct leak_probes *probes, struct bpf_program *program, struct elf_object *object, pid_t pid,
			 bool is_return, const struct uprobe_point *points, size_t count, struct error *err)
{
	struct probe_link *grown = reallocarray(probes->links, probes->link_count + 1, sizeof(*grown));
	int status;

	if (!grown)
		return -ENOMEM;
	probes->links = grown;
	if (!count)
		return 0;
	/* Not for children, too: that would put the probes into every process of the machine. */
	status = uprobe_attach(probes->rung, bpf_program__fd(program), elf_object_fd(object), pid, is_return, false,
			       points, count, &grown[probes->link_count].link, err);
	if (status)
		return status;
	grown[probes->link_count++].pid = pid;
	return 0;
}

static void describe(struct leak_probes *probes, const struct allocator *allocator)
{
	for (size_t i = 0; i < allocator->count; i++) {
		const struct allocator_site *site = &allocator->sites[i];
		char text[160];

		probe_site_describe(&site->site, site->name, text, sizeof(text));
		run_verbose(probes->run, "%s: %s", elf_object_path(allocator->object), text);
	}
	if (allocator->skipped)
		run_notice(probes->run, "%s: %u forms of operator new are not followed: not all of their returns can be told "
			   "from the code, and return probes would break exceptions", elf_object_path(allocator->object),
			   allocator->skipped);
}

/* Probe all functions of one shape: where they begin, or (@is_return) where all but free return. */
static int attach_shape(struct leak_probes *probes, const struct allocator *allocator, pid_t pid,
			enum allocator_function function, bool is_return, struct error *err)
{
	CLEANUP(free) struct uprobe_point *points = calloc(allocator->count + 1, sizeof(*points));
	struct bpf_program *program = is_return ? probes->bpf->progs.leave : program_of(probes->bpf, function);
	size_t count = 0;

	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < allocator->count; i++) {
		const struct allocator_site *site = &allocator->sites[i];

		if (is_return ? site->function == ALLOCATOR_FREE || site->function == ALLOCATOR_NEW
			      : site->function != function)
			continue;
		points[count++] = (struct uprobe_point){
			.file_offset = site->file_offset, .cookie = is_return ? 0 : argument_cookie(probes, &site->site)
		};
	}
	return attach_points(probes, program, allocator->object, pid, is_return, points, count, err);
}

static int attach_exits(struct leak_probes *probes, const struct allocator *allocator, pid_t pid, struct error *err)
{
	CLEANUP(free) struct uprobe_point *points = calloc(allocator->exit_count + 1, sizeof(*points));

	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < allocator->exit_count; i++)
		points[i] = (struct uprobe_point){ .file_offset = allocator->exits[i] };
	return attach_points(probes, probes->bpf->progs.leave_by_ret, allocator->object, pid, false, points,
			     allocator->exit_count, err);
}

static int attach_allocator(struct leak_probes *probes, const struct allocator *allocator, pid_t pid, struct error *err)
{
	int status = attach_shape(probes, allocator, pid, ALLOCATOR_FREE, false, err);

	if (!status)
		status = attach_shape(probes, allocator, pid, ALLOCATOR_FREE, true, err);
	if (!status)
		status = attach_exits(probes, allocator, pid, err);
	for (enum allocator_function f = ALLOCATOR_FREE + 1; f < ALLOCATOR_FUNCTIONS && !status; f++)
		status = attach_shape(probes, allocator, pid, f, false, err);
	return status;
}

static bool is_probed(struct leak_probes *probes, uint64_t inode, uint64_t size, pid_t pid, bool is_loader)
{
	for (size_t i = 0; i < probes->file_count; i++) {
		const struct probed_file *file = &probes->files[i];

		if (file->inode == inode && file->size == size && file->pid == pid && file->is_loader == is_loader)
			return true;
	}
	return false;
}

static int note_probed(struct leak_probes *probes, uint64_t inode, uint64_t size, pid_t pid, bool is_loader)
{
	struct probed_file *grown = reallocarray(probes->files, probes->file_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	probes->files = grown;
	grown[probes->file_count++] = (struct probed_file){ inode, size, pid, is_loader };
	return 0;
}

static uint64_t inode_of(struct elf_object *object)
{
	struct stat info;

	return fstat(elf_object_fd(object), &info) ? 0 : info.st_ino;
}

/*
 * The loader's rendezvous function: told when libraries come and go. Not having it costs late attachment
 * only.
 */
static void attach_loader(struct leak_probes *probes, pid_t pid, const struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *mapping = &maps->list[i];
		CLEANUP(object) struct elf_object *object = NULL;
		struct elf_function function;
		struct uprobe_point point = { 0 };

		if (!mapping->is_executable || !mapping->inode || !strstr(mapping->path, "/ld-"))
			continue;
		if (elf_object_open_mapping(pid, mapping, &object, NULL) ||
		    elf_object_find_exported(object, "_dl_debug_state", &function, NULL))
			continue;
		if (is_probed(probes, inode_of(object), elf_object_file_size(object), pid, true))
			return;
		point.file_offset = function.file_offset;
		if (!attach_points(probes, probes->bpf->progs.loader_changed, object, pid, false, &point, 1, NULL))
			note_probed(probes, inode_of(object), elf_object_file_size(object), pid, true);
		return;
	}
}

int leak_probes_attach(struct leak_probes *probes, pid_t pid, struct error *err)
{
	const struct memleak_options *options = probes->options;
	struct allocator_choice choice = { .object = options->object, .prefix = options->prefix,
					   .may_move_args = probes->has_cookies,
					   .wants_operators = !options->no_operators,
					   .wants_mappings = !options->no_mappings };
	CLEANUP(maps) struct proc_maps maps = { 0 };
	CLEANUP(set) struct allocator_set set = { 0 };
	char names[512] = "";
	size_t names_length = 0;
	int status;

	status = proc_maps_read(pid, &maps, err);
	if (status)
		return status;
	attach_loader(probes, pid, &maps);
	status = allocator_find(pid, &maps, &choice, &set, err);
	if (status)
		return status;
	if (!set.has_heap)
		return error_set(err, -ENOENT, "process %d maps no object that provides %smalloc", pid,
				 options->prefix ? options->prefix : "");
	for (size_t i = 0; i < set.count; i++) {
		struct allocator *allocator = &set.list[i];
		uint64_t inode = inode_of(allocator->object), size = elf_object_file_size(allocator->object);

		if (is_probed(probes, inode, size, pid, false))
			continue;
		describe(probes, allocator);
		names_length += snprintf(names + names_length, sizeof(names) - names_length, " %s",
					 elf_object_path(allocator->object));
		names_length = names_length < sizeof(names) ? names_length : sizeof(names) - 1;
		status = attach_allocator(probes, allocator, pid, err);
		if (!status)
			status = note_probed(probes, inode, size, pid, false);
		if (status)
			return error_context(err, "cannot probe %s", elf_object_path(allocator->object));
	}
	if (names_length)
		run_notice(probes->run, "tracing process %d:%s", pid, names);
	return 0;
}
