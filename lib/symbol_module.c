// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Joins what the symbol tables and DWARF say about an address of one file, and remembers it. */
#include "symbol_module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "demangle.h"
#include "dwarf_lines.h"
#include "elf_object.h"
#include "elf_symbols.h"
#include "proc_maps.h"
#include "string_pool.h"

#define ANSWERS_LIMIT (1U << 20) /* answers remembered in one module; then it begins anew */

struct answer {
	uint64_t vaddr;
	bool is_return_address;
	struct source_frames frames; /* list NULL: a free slot */
};

struct symbol_module {
	unsigned int refs;
	const struct symbol_sources *sources;
	struct elf_object *object;
	const char *name, *path; /* interned */
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	struct dwarf_lines *lines;
	bool has_looked_for_lines;
	struct answer *answers; /* open addressing; a power of two, at most half full */
	size_t answer_count, answer_slots;
};

static const char *display_name(const struct mapping *mapping)
{
	const char *slash;

	if (!*mapping->path)
		return "[anon]";
	slash = *mapping->path == '/' ? strrchr(mapping->path, '/') : NULL;
	return slash && slash[1] ? slash + 1 : mapping->path;
}

int symbol_module_create(const struct symbol_sources *sources, const struct mapping *mapping,
			 struct elf_object *object, struct symbol_module **ret_module)
{
	struct symbol_module *module = calloc(1, sizeof(*module));

	if (!module)
		return -ENOMEM;
	module->refs = 1;
	module->sources = sources;
	module->name = string_pool_intern(sources->strings, display_name(mapping));
	module->path = string_pool_intern(sources->strings, mapping->path);
	if (!module->name || !module->path) {
		free(module);
		return -ENOMEM;
	}
	module->dev_major = mapping->dev_major;
	module->dev_minor = mapping->dev_minor;
	module->inode = mapping->inode;
	if (object) {
		module->object = elf_object_ref(object);
		elf_object_set_debug_search(object, sources->search);
	}
	*ret_module = module;
	return 0;
}

struct symbol_module *symbol_module_ref(struct symbol_module *module)
{
	module->refs++;
	return module;
}

static void forget_answers(struct symbol_module *module)
{
	for (size_t i = 0; i < module->answer_slots; i++)
		free((struct source_frame *)module->answers[i].frames.list);
	free(module->answers);
	module->answers = NULL;
	module->answer_slots = module->answer_count = 0;
}

void symbol_module_unref(struct symbol_module *module)
{
	if (!module || --module->refs)
		return;
	forget_answers(module);
	dwarf_lines_close(module->lines);
	elf_object_unref(module->object);
	free(module);
}

bool symbol_module_is_shared(const struct symbol_module *module)
{
	return module->refs > 1;
}

struct elf_object *symbol_module_object(const struct symbol_module *module)
{
	return module->object;
}

bool symbol_module_is_of(const struct symbol_module *module, const struct mapping *mapping)
{
	if (module->inode != mapping->inode || module->dev_major != mapping->dev_major ||
	    module->dev_minor != mapping->dev_minor)
		return false;
	/* What is no file, or can't be opened, is the same when it has the same name. */
	if (!module->object || !mapping->inode)
		return !strcmp(module->path, mapping->path);
	return !elf_object_has_changed(module->object);
}

static size_t find_slot(const struct answer *answers, size_t slots, uint64_t vaddr, bool is_return_address)
{
	uint64_t hash = (vaddr * 2 + is_return_address) * 0x9e3779b97f4a7c15ULL;
	size_t slot = (size_t)(hash >> 32) & (slots - 1);

	while (answers[slot].frames.list &&
	       (answers[slot].vaddr != vaddr || answers[slot].is_return_address != is_return_address))
		slot = (slot + 1) & (slots - 1);
	return slot;
}

static int make_room(struct symbol_module *module)
{
	size_t wanted = module->answer_slots ? module->answer_slots * 2 : 64;
	struct answer *answers;

	if (module->answer_count * 2 < module->answer_slots)
		return 0;
	if (module->answer_count >= ANSWERS_LIMIT) {
		forget_answers(module);
		wanted = 64;
	}
	answers = calloc(wanted, sizeof(*answers));
	if (!answers)
		return -ENOMEM;
	for (size_t i = 0; i < module->answer_slots; i++) {
		const struct answer *old = &module->answers[i];

		if (old->frames.list)
			answers[find_slot(answers, wanted, old->vaddr, old->is_return_address)] = *old;
	}
	free(module->answers);
	module->answers = answers;
	module->answer_slots = wanted;
	return 0;
}

/* DWARF is in the file itself or in its separate debug file. */
static struct dwarf_lines *lines_of(struct symbol_module *module)
{
	const struct debug_search *search = module->sources->search;
	struct elf_object *object = module->object, *debug;

	if (module->has_looked_for_lines || !(module->sources->wants_lines || module->sources->wants_inlines))
		return module->lines;
	module->has_looked_for_lines = true;
	if (!dwarf_lines_open(object, object, search, &module->lines, NULL))
		return module->lines;
	debug = elf_object_debug_file(object);
	if (debug)
		dwarf_lines_open(debug, object, search, &module->lines, NULL);
	return module->lines;
}

static const char *readable(struct symbol_module *module, const char *name)
{
	CLEANUP(free) char *demangled = name ? demangle(name) : NULL;

	return name ? string_pool_intern(module->sources->strings, demangled ? demangled : name) : NULL;
}

static void set_symbol(struct symbol_module *module, uint64_t lookup, struct source_frame *frame)
{
	const struct elf_symbol *symbol;
	struct elf_symbols *symbols;

	if (elf_object_symbols(module->object, &symbols, NULL))
		return;
	symbol = elf_symbols_at(symbols, lookup);
	if (!symbol)
		return;
	frame->symbol = readable(module, elf_symbol_name(symbols, symbol));
	frame->symbol_offset = frame->object_vaddr - symbol->vaddr;
}

/*
 * The outermost frame's name is the symbol's: the linker knows aliases and split functions (f.cold), DWARF
 * doesn't.
 */
static void set_source(struct symbol_module *module, const struct dwarf_frame *source,
		       struct source_frame *frame)
{
	if (module->sources->wants_lines && source->file) {
		frame->file = string_pool_intern(module->sources->strings, source->file);
		frame->line = source->line;
	}
	frame->is_inlined = source->is_inlined;
	if ((frame->is_inlined || !frame->symbol) && source->name) {
		frame->symbol = readable(module, source->name);
		frame->symbol_offset = source->function_vaddr <= frame->object_vaddr
					       ? frame->object_vaddr - source->function_vaddr
					       : 0;
	}
}

static int make_frames(struct symbol_module *module, uint64_t vaddr, bool is_return_address,
		       struct source_frames *ret_frames)
{
	struct source_frame outermost = {
		.object = module->name, .object_path = module->path, .object_vaddr = vaddr};
	struct dwarf_frame sources[DWARF_LINES_DEPTH];
	uint64_t lookup = vaddr - is_return_address;
	struct source_frame *frames;
	size_t count = 0;

	if (module->object) {
		struct dwarf_lines *lines = lines_of(module);

		set_symbol(module, lookup, &outermost);
		if (lines)
			count = dwarf_lines_at(lines, lookup, module->sources->wants_inlines, sources);
	}
	frames = calloc(count ? count : 1, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	frames[0] = outermost;
	for (size_t i = 0; i < count; i++) {
		frames[i] = outermost;
		if (i + 1 < count) {
			frames[i].symbol = NULL;
			frames[i].symbol_offset = 0;
		}
		set_source(module, &sources[i], &frames[i]);
	}
	*ret_frames = (struct source_frames){frames, count ? count : 1};
	return 0;
}

int symbol_module_resolve(struct symbol_module *module, uint64_t vaddr, bool is_return_address,
			  struct source_frames *ret_frames)
{
	struct answer *answer;
	int r = make_room(module);

	if (r)
		return r;
	answer = &module->answers[find_slot(module->answers, module->answer_slots, vaddr, is_return_address)];
	if (!answer->frames.list) {
		r = make_frames(module, vaddr, is_return_address, &answer->frames);
		if (r)
			return r;
		answer->vaddr = vaddr;
		answer->is_return_address = is_return_address;
		module->answer_count++;
	}
	*ret_frames = answer->frames;
	return 0;
}
