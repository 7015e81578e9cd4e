// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds the allocator of a process. Chooses probe sites through probe_site.h; attaches nothing. */
#include "allocator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "elf_object.h"
#include "error.h"
#include "function_exits.h"
#include "insn_x86.h"
#include "proc_maps.h"

#define FUNCTION_MAX_BYTES 65536
#define MAX_OBJECTS 4096

struct known_function {
	const char *name;
	enum allocator_function function;
	unsigned char args; /* arguments that the probe reads */
	enum { IS_HEAP, IS_OPERATOR, IS_MAPPING } group;
};

static const struct known_function known_functions[] = {
	{ "free", ALLOCATOR_FREE, 1, IS_HEAP },
	{ "cfree", ALLOCATOR_FREE, 1, IS_HEAP },
	{ "free_sized", ALLOCATOR_FREE, 1, IS_HEAP },
	{ "free_aligned_sized", ALLOCATOR_FREE, 1, IS_HEAP },
	{ "malloc", ALLOCATOR_MALLOC, 1, IS_HEAP },
	{ "valloc", ALLOCATOR_MALLOC, 1, IS_HEAP },
	{ "calloc", ALLOCATOR_CALLOC, 2, IS_HEAP },
	{ "realloc", ALLOCATOR_REALLOC, 2, IS_HEAP },
	{ "reallocarray", ALLOCATOR_REALLOCARRAY, 3, IS_HEAP },
	{ "memalign", ALLOCATOR_MEMALIGN, 2, IS_HEAP },
	{ "aligned_alloc", ALLOCATOR_MEMALIGN, 2, IS_HEAP },
	{ "posix_memalign", ALLOCATOR_POSIX_MEMALIGN, 3, IS_HEAP },
	{ "pvalloc", ALLOCATOR_MALLOC, 1, IS_HEAP },
	/* Itanium C++ ABI 5.1.5: nw/na new, dl/da delete; m size_t; St11align_val_t; RKSt9nothrow_t */
	{ "_ZdlPv", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPv", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdlPvm", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPvm", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdlPvRKSt9nothrow_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPvRKSt9nothrow_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdlPvSt11align_val_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPvSt11align_val_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdlPvmSt11align_val_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPvmSt11align_val_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", ALLOCATOR_FREE, 1, IS_OPERATOR },
	{ "_Znwm", ALLOCATOR_NEW, 1, IS_OPERATOR },
	{ "_Znam", ALLOCATOR_NEW, 1, IS_OPERATOR },
	{ "_ZnwmRKSt9nothrow_t", ALLOCATOR_MALLOC, 1, IS_OPERATOR },
	{ "_ZnamRKSt9nothrow_t", ALLOCATOR_MALLOC, 1, IS_OPERATOR },
	{ "_ZnwmSt11align_val_t", ALLOCATOR_NEW, 1, IS_OPERATOR },
	{ "_ZnamSt11align_val_t", ALLOCATOR_NEW, 1, IS_OPERATOR },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", ALLOCATOR_MALLOC, 1, IS_OPERATOR },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", ALLOCATOR_MALLOC, 1, IS_OPERATOR },
	{ "mmap", ALLOCATOR_MMAP, 2, IS_MAPPING },
	{ "mmap64", ALLOCATOR_MMAP, 2, IS_MAPPING },
	{ "munmap", ALLOCATOR_MUNMAP, 2, IS_MAPPING },
	{ "mremap", ALLOCATOR_MREMAP, 3, IS_MAPPING },
};

#define KNOWN_FUNCTIONS (sizeof(known_functions) / sizeof(*known_functions))

/* One object of the process, as a candidate. */
struct candidate {
	struct elf_object *object;
	uint64_t inode;
	bool is_program, is_libc, has_malloc;
};

struct candidates {
	struct candidate list[MAX_OBJECTS];
	size_t count;
};

static void candidates_release(struct candidates *candidates)
{
	if (!candidates)
		return;
	for (size_t i = 0; i < candidates->count; i++)
		elf_object_unref(candidates->list[i].object);
	free(candidates);
}

DEFINE_CLEANUP(candidates, struct candidates *, candidates_release(v));

/*
 * A path names itself; a name fits files of that name, also with a version behind: libfoo.so fits
 * libfoo.so.2.
 */
static bool path_fits(const char *path, const char *object)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(object);

	if (strchr(object, '/'))
		return !strcmp(path, object);
	return !strncmp(name, object, length) && (!name[length] || name[length] == '.' || name[length] == '-');
}

/*
 * A shared object counts with what it exports; a program without exports, static ones above all, with all
 * it has.
 */
static int find_function(struct candidate *candidate, const char *name, struct elf_function *ret_function)
{
	int status = elf_object_find_exported(candidate->object, name, ret_function, NULL);

	if (status && candidate->is_program && elf_object_is_static(candidate->object))
		status = elf_object_find_function(candidate->object, name, ret_function, NULL);
	return status;
}

/*
 * glibc's loader has an allocator of its own, for before the C library is there. musl's loader is the C
 * library.
 */
static bool is_loader_only(struct elf_object *object)
{
	struct elf_function function;

	return !elf_object_find_exported(object, "_dl_debug_state", &function, NULL) &&
	       elf_object_find_exported(object, "__libc_start_main", &function, NULL);
}

/* Is this the file that was executed? Where that can't be known it is the first one mapped. */
static bool is_program(pid_t pid, const struct mapping *mapping, bool is_first)
{
	static const char deleted[] = " (deleted)";
	size_t path_length = strlen(mapping->path);
	char link[64], program[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, program, sizeof(program) - 1);
	if (length <= 0)
		return is_first;
	program[length] = '\0';
	if (strncmp(program, mapping->path, path_length))
		return false;
	return !program[path_length] || (mapping->is_deleted && !strcmp(program + path_length, deleted));
}

static void add_candidate(pid_t pid, const struct mapping *mapping, const char *heap_name, bool is_first,
			  struct candidates *candidates)
{
	struct candidate *candidate = &candidates->list[candidates->count];
	struct elf_function function;

	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->list[i].inode == mapping->inode)
			return;
	*candidate = (struct candidate){ .inode = mapping->inode };
	if (elf_object_open_mapping(pid, mapping, &candidate->object, NULL))
		return;
	if (is_loader_only(candidate->object)) {
		elf_object_unref(candidate->object);
		return;
	}
	candidate->is_program = is_program(pid, mapping, is_first);
	candidate->is_libc = !elf_object_find_exported(candidate->object, "__libc_start_main", &function, NULL);
	candidate->has_malloc = !find_function(candidate, heap_name, &function);
	candidates->count++;
}

static struct candidates *candidates_read(pid_t pid, const struct proc_maps *maps, const struct allocator_choice *choice)
{
	struct candidates *candidates = calloc(1, sizeof(*candidates));
	char heap_name[128];

	snprintf(heap_name, sizeof(heap_name), "%smalloc", choice->prefix ? choice->prefix : "");
	for (size_t i = 0; candidates && i < maps->count && candidates->count < MAX_OBJECTS; i++) {
		const struct mapping *mapping = &maps->list[i];

		if (!mapping->is_executable || !mapping->inode || mapping->path[0] != '/')
			continue;
		if (choice->object && !path_fits(mapping->path, choice->object))
			continue;
		add_candidate(pid, mapping, heap_name, !candidates->count, candidates);
	}
	return candidates;
}

/*
 * Load order: the program, then libraries from high addresses to low, as the kernel places successive
 * mappings; the C library last.
 */
static struct candidate *choose_heap(struct candidates *candidates)
{
	struct candidate *best = NULL;

	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate *candidate = &candidates->list[i];

		if (!candidate->has_malloc)
			continue;
		if (candidate->is_program)
			return candidate;
		if (!best || best->is_libc || !candidate->is_libc)
			best = candidate;
	}
	return best;
}

static struct candidate *choose_libc(struct candidates *candidates)
{
	struct elf_function function;

	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->list[i].is_libc)
			return &candidates->list[i];
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->list[i].is_program && !find_function(&candidates->list[i], "munmap", &function))
			return &candidates->list[i];
	return NULL;
}

/* Does the function's code call or jump to @target directly? Then a probe there sees the call as well. */
static bool goes_to(const uint8_t *code, size_t size, uint64_t vaddr, uint64_t target)
{
	for (size_t at = 0; at < size;) {
		struct insn_x86 insn;

		if (insn_x86_decode(code + at, size - at, &insn))
			return false;
		if (insn.has_target && vaddr + at + insn.target == target)
			return true;
		at += insn.length;
	}
	return false;
}

static bool operator_uses_heap(struct candidate *candidate, const struct known_function *known, const uint8_t *code,
			       size_t size, uint64_t vaddr)
{
	struct elf_function heap;
	const char *name = known->function == ALLOCATOR_FREE ? "free" : "malloc";

	return !find_function(candidate, name, &heap) && goes_to(code, size, vaddr, heap.vaddr);
}

/* The exits of functions that may throw. -EOPNOTSUPP: the function had better not be probed. */
static int add_exits(struct allocator *allocator, struct candidate *candidate, uint64_t vaddr)
{
	struct function_exits exits;
	int status = function_exits_find(candidate->object, vaddr, &exits, NULL);
	uint64_t *grown;

	if (status)
		return status;
	grown = reallocarray(allocator->exits, allocator->exit_count + exits.count + 1, sizeof(*grown));
	if (!grown) {
		function_exits_deinit(&exits);
		return -ENOMEM;
	}
	allocator->exits = grown;
	for (size_t i = 0; i < exits.count; i++) {
		bool is_known = false;

		for (size_t k = 0; k < allocator->exit_count; k++)
			is_known |= grown[k] == exits.file_offsets[i];
		if (!is_known)
			grown[allocator->exit_count++] = exits.file_offsets[i];
	}
	function_exits_deinit(&exits);
	return 0;
}

static int add_site(struct allocator *allocator, struct candidate *candidate, const struct known_function *known,
		    const struct elf_function *function, const struct allocator_choice *choice, struct error *err)
{
	struct probe_need need = { .args = known->args,
				   .needs_return_address = known->function != ALLOCATOR_FREE,
				   .zero_arg0_is_noop = known->function == ALLOCATOR_FREE,
				   .may_move_args = choice->may_move_args };
	size_t size = function->size && function->size < FUNCTION_MAX_BYTES ? function->size : 256;
	CLEANUP(free) uint8_t *code = malloc(size);
	struct allocator_site *grown, site = { .function = known->function, .name = known->name,
					       .function_offset = function->file_offset };
	int status;

	if (!code)
		return -ENOMEM;
	for (size_t i = 0; i < allocator->count; i++)
		if (allocator->sites[i].function_offset == function->file_offset)
			return 0; /* another name of the same function */
	status = elf_object_read(candidate->object, function->file_offset, code, size);
	if (status)
		return error_set(err, status, "%s: cannot read the code of %s", elf_object_path(candidate->object),
				 known->name);
	if (known->group == IS_OPERATOR && operator_uses_heap(candidate, known, code, size, function->vaddr))
		return 0;
	if (known->function == ALLOCATOR_NEW) {
		status = add_exits(allocator, candidate, function->vaddr);
		if (status == -EOPNOTSUPP)
			allocator->skipped++;
		if (status)
			return status == -EOPNOTSUPP ? 0 : status;
	}
	status = probe_site_choose(code, size, &need, &site.site, err);
	if (status)
		return error_context(err, "%s in %s", known->name, elf_object_path(candidate->object));
	site.file_offset = function->file_offset + site.site.offset;
	grown = reallocarray(allocator->sites, allocator->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	allocator->sites = grown;
	grown[allocator->count++] = site;
	return 0;
}

static int add_functions(struct allocator *allocator, struct candidate *candidate, unsigned int groups,
			 const struct allocator_choice *choice, struct error *err)
{
	for (size_t i = 0; i < KNOWN_FUNCTIONS; i++) {
		const struct known_function *known = &known_functions[i];
		bool takes_prefix = choice->prefix && known->group == IS_HEAP;
		struct elf_function function;
		char name[192];
		int status;

		if (!(groups & 1U << known->group))
			continue;
		snprintf(name, sizeof(name), "%s%s", takes_prefix ? choice->prefix : "", known->name);
		if (find_function(candidate, name, &function) || function.is_ifunc)
			continue;
		status = add_site(allocator, candidate, known, &function, choice, err);
		if (status)
			return status;
	}
	return 0;
}

static int add_allocator(struct allocator_set *set, struct candidate *candidate, unsigned int groups,
			 const struct allocator_choice *choice, struct error *err)
{
	struct allocator *allocator = &set->list[set->count];
	int status;

	*allocator = (struct allocator){ .object = elf_object_ref(candidate->object) };
	set->count++;
	status = add_functions(allocator, candidate, groups, choice, err);
	if (status)
		return status;
	for (size_t i = 0; i < allocator->count; i++)
		if (allocator->sites[i].function == ALLOCATOR_MALLOC || allocator->sites[i].function == ALLOCATOR_NEW)
			set->has_heap = true;
	return 0;
}

int allocator_find(pid_t pid, const struct proc_maps *maps, const struct allocator_choice *choice,
		   struct allocator_set *ret_set, struct error *err)
{
	CLEANUP(candidates) struct candidates *candidates = candidates_read(pid, maps, choice);
	struct candidate *heap, *libc;
	struct allocator_set set = { 0 };
	unsigned int groups;
	int status = 0;

	if (!candidates)
		return -ENOMEM;
	heap = choose_heap(candidates);
	libc = choice->wants_mappings ? choose_libc(candidates) : NULL;
	if (!heap && choice->object)
		return error_set(err, -ENOENT, "no object '%s' with %smalloc in process %d", choice->object,
				 choice->prefix ? choice->prefix : "", pid);
	groups = 1U << IS_HEAP | (choice->wants_operators ? 1U << IS_OPERATOR : 0);
	if (heap)
		status = add_allocator(&set, heap, groups | (heap == libc ? 1U << IS_MAPPING : 0), choice, err);
	if (!status && libc && libc != heap)
		status = add_allocator(&set, libc, 1U << IS_MAPPING, choice, err);
	if (status) {
		allocator_set_deinit(&set);
		return status;
	}
	*ret_set = set;
	return 0;
}

void allocator_set_deinit(struct allocator_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		elf_object_unref(set->list[i].object);
		free(set->list[i].sites);
		free(set->list[i].exits);
	}
	*set = (struct allocator_set){ 0 };
}
