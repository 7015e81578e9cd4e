// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Symbol tables into one sorted list, with an index by address and one by name, both made at first use.
 * Choosing which tables to read is elf_object.c's business.
 */
#include "elf_symbols.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "elf_minidebuginfo.h"
#include "partition_point.h"

#define NO_SYMBOL UINT32_MAX
/*
 * Bytes of names compared: symbols can be made that share one long name, and sorting reads it again and
 * again.
 */
#define NAME_COMPARED 4096U

/*
 * From start up to the next span's start, this symbol answers. Spans are disjoint, so one binary search does.
 */
struct span {
	uint64_t start;
	uint32_t symbol;
};

struct elf_symbols {
	struct elf_symbol *list;
	size_t count, capacity;
	char *names; /* all string tables, one after the other */
	size_t names_size;
	struct span *spans;
	size_t span_count;
	uint32_t *by_name;
};

int elf_symbols_create(struct elf_symbols **ret_symbols)
{
	struct elf_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return -ENOMEM;
	*ret_symbols = symbols;
	return 0;
}

void elf_symbols_destroy(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->list);
	free(symbols->names);
	free(symbols->spans);
	free(symbols->by_name);
	free(symbols);
}

const char *elf_symbol_name(const struct elf_symbols *symbols, const struct elf_symbol *symbol)
{
	return symbols->names + symbol->name;
}

/* Everything about the table being added that a single symbol needs. */
struct table {
	Elf *elf;
	Elf_Data *symbols, *strings;
	Elf_Data *versions; /* parallel to symbols; NULL when there are none */
	size_t count;
	bool is_dynamic;
	size_t names_base;
	GElf_Shdr *sections;
	size_t section_count;
};

/* Copy the string table and cut every "name@VERSION" at its @. A name never begins with one. */
static int add_names(struct elf_symbols *symbols, struct table *table)
{
	const size_t size = table->strings->d_size;
	char *names, *at;

	if (size >= UINT32_MAX - symbols->names_size)
		return -EFBIG;
	names = realloc(symbols->names, symbols->names_size + size + 1);
	if (!names)
		return -ENOMEM;
	symbols->names = names;
	table->names_base = symbols->names_size;
	names += table->names_base;
	memcpy(names, table->strings->d_buf, size);
	names[size] = '\0';
	for (at = names; (at = memchr(at, '@', (size_t)(names + size - at))); at++) {
		if (at > names && at[-1] != '\0')
			*at = '\0';
	}
	symbols->names_size += size + 1;
	return 0;
}

/* Local labels that assemblers leave behind: .L123, and $x, $d where code and data mix. */
static bool is_label(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

static uint8_t rank_of(const struct elf_symbol *symbol, const char *name, bool is_untyped)
{
	size_t underscores = strspn(name, "_");
	unsigned int rank = is_untyped ? 2 : symbol->has_size ? 0 : 1;

	rank = rank << 1 | symbol->is_local;
	rank = rank << 2 | (unsigned int)(underscores > 3 ? 3 : underscores);
	rank = rank << 1 | symbol->is_weak;
	return (uint8_t)rank;
}

/* True when symbol @index of the table is a function that this object defines. */
static bool take_symbol(const struct elf_symbols *symbols, const struct table *table, size_t index,
			struct elf_symbol *ret_symbol)
{
	struct elf_symbol symbol = {.is_dynamic = table->is_dynamic};
	const GElf_Shdr *section;
	uint64_t room;
	unsigned int type, binding;
	GElf_Versym version;
	const char *name;
	GElf_Sym sym;

	if (!gelf_getsym(table->symbols, (int)index, &sym) || sym.st_shndx == SHN_UNDEF ||
	    sym.st_shndx >= table->section_count || sym.st_name >= table->strings->d_size)
		return false;
	type = GELF_ST_TYPE(sym.st_info);
	binding = GELF_ST_BIND(sym.st_info);
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return false;
	section = &table->sections[sym.st_shndx];
	if (!(section->sh_flags & SHF_EXECINSTR) || sym.st_value < section->sh_addr ||
	    sym.st_value - section->sh_addr >= section->sh_size)
		return false;
	room = section->sh_size - (sym.st_value - section->sh_addr);
	name = symbols->names + table->names_base + sym.st_name;
	if (!*name || (type == STT_NOTYPE && is_label(name)))
		return false;

	symbol.vaddr = sym.st_value;
	symbol.has_size = sym.st_size != 0;
	symbol.extent = sym.st_size && sym.st_size < room ? sym.st_size : room;
	if (symbol.extent > UINT64_MAX - symbol.vaddr)
		symbol.extent = UINT64_MAX - symbol.vaddr;
	symbol.name = (uint32_t)(table->names_base + sym.st_name);
	symbol.is_ifunc = type == STT_GNU_IFUNC;
	symbol.is_weak = binding == STB_WEAK;
	symbol.is_local = binding == STB_LOCAL;
	if (table->versions && gelf_getversym(table->versions, (int)index, &version))
		symbol.is_old_version = (version & 0x8000) != 0;
	symbol.rank = rank_of(&symbol, name, type == STT_NOTYPE);
	*ret_symbol = symbol;
	return true;
}

static int add_symbols(struct elf_symbols *symbols, const struct table *table)
{
	for (size_t i = 1; i < table->count; i++) {
		struct elf_symbol symbol;

		if (!take_symbol(symbols, table, i, &symbol))
			continue;
		if (symbols->count == symbols->capacity) {
			size_t wanted = symbols->capacity ? symbols->capacity + symbols->capacity / 2 : 64;
			struct elf_symbol *list = reallocarray(symbols->list, wanted, sizeof(*list));

			if (!list)
				return -ENOMEM;
			symbols->list = list;
			symbols->capacity = wanted;
		}
		symbols->list[symbols->count++] = symbol;
	}
	return 0;
}

static int read_sections(struct table *table)
{
	size_t count;

	if (elf_getshdrnum(table->elf, &count) || count >= UINT32_MAX)
		return -EBADMSG;
	table->sections = calloc(count ? count : 1, sizeof(*table->sections));
	if (!table->sections)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getshdr(elf_getscn(table->elf, i), &table->sections[i]))
			memset(&table->sections[i], 0, sizeof(table->sections[i]));
	}
	table->section_count = count;
	return 0;
}

/*
 * Find the table of this type, its strings and, when it has them, its versions. False when it can't be used.
 */
static bool find_table(struct table *table, unsigned int type)
{
	size_t wanted = 0, entry = gelf_fsize(table->elf, ELF_T_SYM, 1, EV_CURRENT);

	for (size_t i = 1; i < table->section_count && !wanted; i++) {
		if (table->sections[i].sh_type == type)
			wanted = i;
	}
	if (!wanted || !entry || table->sections[wanted].sh_link >= table->section_count)
		return false;
	table->symbols = elf_getdata(elf_getscn(table->elf, wanted), NULL);
	table->strings = elf_getdata(elf_getscn(table->elf, table->sections[wanted].sh_link), NULL);
	if (!table->symbols || !table->strings || !table->symbols->d_buf || !table->strings->d_buf ||
	    table->symbols->d_type != ELF_T_SYM)
		return false;
	table->count = table->symbols->d_size / entry;
	table->is_dynamic = type == SHT_DYNSYM;
	for (size_t i = 1; i < table->section_count && !table->versions; i++) {
		if (table->sections[i].sh_type == SHT_GNU_versym && table->sections[i].sh_link == wanted)
			table->versions = elf_getdata(elf_getscn(table->elf, i), NULL);
	}
	return table->count < NO_SYMBOL;
}

int elf_symbols_add(struct elf_symbols *symbols, Elf *elf, unsigned int section_type)
{
	CLEANUP(free) GElf_Shdr *sections = NULL;
	struct table table = {.elf = elf};
	int r = read_sections(&table);

	sections = table.sections;
	if (!r && find_table(&table, section_type)) {
		r = add_names(symbols, &table);
		if (!r)
			r = add_symbols(symbols, &table);
	}
	return r == -ENOMEM ? r : 0;
}

int elf_symbols_add_minidebuginfo(struct elf_symbols *symbols, Elf *elf)
{
	CLEANUP(free) void *image = NULL;
	size_t size;
	Elf *inner;
	int r;

	r = elf_minidebuginfo_extract(elf, &image, &size);
	if (r)
		return r == -ENOMEM ? r : 0;
	inner = elf_memory(image, size);
	if (!inner)
		return 0;
	if (elf_kind(inner) == ELF_K_ELF)
		r = elf_symbols_add(symbols, inner, SHT_SYMTAB);
	elf_end(inner);
	return r;
}

static int compare_addresses(const void *left, const void *right, void *context)
{
	const struct elf_symbols *symbols = context;
	const struct elf_symbol *a = left, *b = right;
	const char *a_name, *b_name;
	size_t a_length, b_length;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	a_name = elf_symbol_name(symbols, a);
	b_name = elf_symbol_name(symbols, b);
	a_length = strnlen(a_name, NAME_COMPARED);
	b_length = strnlen(b_name, NAME_COMPARED);
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return strncmp(a_name, b_name, NAME_COMPARED);
}

void elf_symbols_seal(struct elf_symbols *symbols)
{
	size_t kept = 0;

	if (symbols->count > 1)
		qsort_r(symbols->list, symbols->count, sizeof(*symbols->list), compare_addresses, symbols);
	for (size_t i = 0; i < symbols->count; i++) {
		struct elf_symbol *symbol = &symbols->list[i];

		if (kept && !compare_addresses(&symbols->list[kept - 1], symbol, symbols)) {
			symbols->list[kept - 1].is_dynamic |= symbol->is_dynamic;
			symbols->list[kept - 1].is_old_version &= symbol->is_old_version;
		} else {
			symbols->list[kept++] = *symbol;
		}
	}
	symbols->count = kept;
}

size_t elf_symbols_count(const struct elf_symbols *symbols)
{
	return symbols->count;
}

const struct elf_symbol *elf_symbols_get(const struct elf_symbols *symbols, size_t index)
{
	return index < symbols->count ? &symbols->list[index] : NULL;
}

/*
 * Making the spans: a sweep over the symbols by address. The stack holds the symbols that have begun and not
 * ended, innermost on top; whenever one begins or ends, a span begins for whoever is on top then.
 */
struct sweep {
	struct elf_symbols *symbols;
	uint32_t *stack;
	size_t depth;
};

static uint64_t end_of(const struct elf_symbol *symbol)
{
	return symbol->vaddr + symbol->extent;
}

static void begin_span(struct elf_symbols *symbols, uint64_t start, uint32_t symbol)
{
	if (symbols->span_count && symbols->spans[symbols->span_count - 1].start == start)
		symbols->span_count--;
	symbols->spans[symbols->span_count++] = (struct span){start, symbol};
}

static void end_symbols_before(struct sweep *sweep, uint64_t vaddr)
{
	const struct elf_symbol *list = sweep->symbols->list;

	while (sweep->depth && end_of(&list[sweep->stack[sweep->depth - 1]]) <= vaddr) {
		uint64_t end = end_of(&list[sweep->stack[sweep->depth - 1]]);

		while (sweep->depth && end_of(&list[sweep->stack[sweep->depth - 1]]) <= end)
			sweep->depth--;
		begin_span(sweep->symbols, end, sweep->depth ? sweep->stack[sweep->depth - 1] : NO_SYMBOL);
	}
}

/* Each symbol begins one span and ends with one at most: 2 * count are enough. */
static int make_spans(struct elf_symbols *symbols)
{
	CLEANUP(free) uint32_t *stack = calloc(symbols->count + 1, sizeof(*stack));
	struct sweep sweep = {.symbols = symbols, .stack = stack};
	struct span *fitting;

	symbols->spans = calloc(symbols->count * 2 + 1, sizeof(*symbols->spans));
	if (!stack || !symbols->spans) {
		free(TAKE_PTR(symbols->spans));
		return -ENOMEM;
	}
	for (size_t i = 0; i < symbols->count; i++) {
		struct elf_symbol *symbol = &symbols->list[i];

		end_symbols_before(&sweep, symbol->vaddr);
		if (i && symbols->list[i - 1].vaddr == symbol->vaddr)
			continue;
		if (sweep.depth && !symbols->list[stack[sweep.depth - 1]].has_size)
			sweep.depth--; /* it reached up to here; only a first one can have no size */
		if (sweep.depth && !symbol->has_size)
			continue;
		begin_span(symbols, symbol->vaddr, (uint32_t)i);
		stack[sweep.depth++] = (uint32_t)i;
	}
	end_symbols_before(&sweep, UINT64_MAX);
	fitting = reallocarray(symbols->spans, symbols->span_count + 1, sizeof(*fitting));
	if (fitting)
		symbols->spans = fitting;
	return 0;
}

const struct elf_symbol *elf_symbols_at(struct elf_symbols *symbols, uint64_t vaddr)
{
	size_t low;

	if (!symbols->spans && make_spans(symbols))
		return NULL;
	low = PARTITION_POINT(i, symbols->span_count, symbols->spans[i].start <= vaddr);
	if (!low || symbols->spans[low - 1].symbol == NO_SYMBOL)
		return NULL;
	return &symbols->list[symbols->spans[low - 1].symbol];
}

static int compare_names(const void *left, const void *right, void *context)
{
	const struct elf_symbols *symbols = context;
	const struct elf_symbol *a = &symbols->list[*(const uint32_t *)left];
	const struct elf_symbol *b = &symbols->list[*(const uint32_t *)right];
	int order = strncmp(elf_symbol_name(symbols, a), elf_symbol_name(symbols, b), NAME_COMPARED);

	if (order)
		return order;
	if (a->is_old_version != b->is_old_version)
		return a->is_old_version ? 1 : -1;
	if (a->is_dynamic != b->is_dynamic)
		return a->is_dynamic ? -1 : 1;
	if (a->is_local != b->is_local)
		return a->is_local ? 1 : -1;
	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static int make_name_index(struct elf_symbols *symbols)
{
	symbols->by_name = calloc(symbols->count + 1, sizeof(*symbols->by_name));
	if (!symbols->by_name)
		return -ENOMEM;
	for (size_t i = 0; i < symbols->count; i++)
		symbols->by_name[i] = (uint32_t)i;
	qsort_r(symbols->by_name, symbols->count, sizeof(*symbols->by_name), compare_names, symbols);
	return 0;
}

const struct elf_symbol *elf_symbols_named(struct elf_symbols *symbols, const char *name)
{
	size_t low = 0, high = symbols->count;

	if (!symbols->by_name && make_name_index(symbols))
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct elf_symbol *symbol = &symbols->list[symbols->by_name[middle]];

		if (strncmp(elf_symbol_name(symbols, symbol), name, NAME_COMPARED) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == symbols->count)
		return NULL;
	high = symbols->by_name[low];
	return strcmp(elf_symbol_name(symbols, &symbols->list[high]), name) ? NULL : &symbols->list[high];
}
