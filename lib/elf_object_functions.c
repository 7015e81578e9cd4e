// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The functions of an ELF object: which symbol tables are read, when, and the questions about them. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "debug_file.h"
#include "elf_object.h"
#include "elf_object_internal.h"
#include "elf_symbols.h"
#include "error.h"

DEFINE_CLEANUP(elf, Elf *, elf_end(v));

void elf_object_set_debug_search(struct elf_object *object, const struct debug_search *search)
{
	object->search = search;
}

struct elf_object *elf_object_debug_file(struct elf_object *object)
{
	if (!object->has_looked_for_debug_file) {
		object->has_looked_for_debug_file = true;
		debug_file_find(object, object->search, &object->debug_file);
	}
	return object->debug_file;
}

/*
 * .dynsym only has what .symtab has, but for a stripped file it's all there is; so all tables are put
 * together.
 */
static int add_tables(struct elf_object *object, struct elf_symbols *symbols, bool only_exported)
{
	CLEANUP(elf) Elf *elf = elf_object_begin_elf(object);
	CLEANUP(elf) Elf *debug_elf = NULL;
	size_t before;
	int r;

	if (!elf)
		return -EBADMSG;
	r = elf_symbols_add(symbols, elf, SHT_DYNSYM);
	before = elf_symbols_count(symbols);
	if (!r && !only_exported)
		r = elf_symbols_add(symbols, elf, SHT_SYMTAB);
	if (r || only_exported || elf_symbols_count(symbols) > before)
		return r;
	r = elf_symbols_add_minidebuginfo(symbols, elf);
	if (r || !elf_object_debug_file(object))
		return r;
	debug_elf = elf_object_begin_elf(object->debug_file);
	return debug_elf ? elf_symbols_add(symbols, debug_elf, SHT_SYMTAB) : 0;
}

DEFINE_CLEANUP(elf_symbols, struct elf_symbols *, elf_symbols_destroy(v));

static int load_symbols(struct elf_object *object, bool only_exported, struct elf_symbols **at,
			struct error *err)
{
	CLEANUP(elf_symbols) struct elf_symbols *symbols = NULL;
	int r;

	if (*at)
		return 0;
	r = elf_symbols_create(&symbols);
	if (!r)
		r = add_tables(object, symbols, only_exported);
	if (r)
		return error_set(err, r, "%s: symbols: %s", object->path, strerror(-r));
	elf_symbols_seal(symbols);
	*at = TAKE_PTR(symbols);
	return 0;
}

int elf_object_symbols(struct elf_object *object, struct elf_symbols **ret_symbols, struct error *err)
{
	int r = load_symbols(object, false, &object->symbols, err);

	if (!r)
		*ret_symbols = object->symbols;
	return r;
}

static struct elf_function function_of(const struct elf_object *object, const struct elf_symbols *symbols,
				       const struct elf_symbol *symbol)
{
	struct elf_function function = {
		.vaddr = symbol->vaddr,
		.size = symbol->has_size ? symbol->extent : 0,
		.name = elf_symbol_name(symbols, symbol),
		.is_ifunc = symbol->is_ifunc,
		.is_weak = symbol->is_weak,
		.is_dynamic = symbol->is_dynamic,
	};

	if (elf_object_vaddr_to_offset(object, symbol->vaddr, &function.file_offset))
		function.file_offset = 0;
	return function;
}

int elf_object_find_exported(struct elf_object *object, const char *name, struct elf_function *ret_function,
			     struct error *err)
{
	const struct elf_symbol *symbol;
	int r = load_symbols(object, true, &object->exported, err);

	if (r)
		return r;
	symbol = elf_symbols_named(object->exported, name);
	if (!symbol)
		return error_set(err, -ENOENT, "%s: exports no function %s", object->path, name);
	*ret_function = function_of(object, object->exported, symbol);
	return 0;
}

int elf_object_find_function(struct elf_object *object, const char *name, struct elf_function *ret_function,
			     struct error *err)
{
	const struct elf_symbol *symbol;
	int r = elf_object_find_exported(object, name, ret_function, err);

	if (r != -ENOENT)
		return r;
	r = load_symbols(object, false, &object->symbols, err);
	if (r)
		return r;
	symbol = elf_symbols_named(object->symbols, name);
	if (!symbol)
		return error_set(err, -ENOENT, "%s: no function %s", object->path, name);
	*ret_function = function_of(object, object->symbols, symbol);
	return 0;
}

int elf_object_each_function(struct elf_object *object,
			     int (*visit)(const struct elf_function *function, void *context), void *context,
			     struct error *err)
{
	int r = load_symbols(object, false, &object->symbols, err);

	for (size_t i = 0; !r && i < elf_symbols_count(object->symbols); i++) {
		const struct elf_symbol *symbol = elf_symbols_get(object->symbols, i);
		struct elf_function function = function_of(object, object->symbols, symbol);

		r = visit(&function, context);
	}
	return r;
}
