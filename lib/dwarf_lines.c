// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * From a code address to its compilation unit, its line and its chain of inlined functions.
 *
 * The list of units is made from the units themselves and not from .debug_aranges, which clang doesn't write.
 */
#include "dwarf_lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "debug_file.h"
#include "dwarf_functions.h"
#include "elf_image.h"
#include "elf_object.h"
#include "error.h"
#include "partition_point.h"

struct unit {
	Dwarf_Off die;
	struct dwarf_functions functions;
};

struct unit_range {
	uint64_t low, high;
	uint64_t largest_high; /* of this range and all before it in the list */
	size_t unit;
};

struct dwarf_lines {
	struct elf_object *object, *loaded;
	struct elf_image *image;
	Dwarf *dwarf;
	struct elf_object *alternate; /* what dwz moved out of several debug files; NULL when none */
	struct elf_image *alternate_image;
	Dwarf *alternate_dwarf;
	struct unit *units;
	size_t unit_count, unit_capacity;
	struct unit_range *ranges; /* sorted by low */
	size_t range_count, range_capacity;
	uint64_t range_budget; /* see dwarf_functions_read() */
};

void dwarf_lines_close(struct dwarf_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; i < lines->unit_count; i++)
		dwarf_functions_deinit(&lines->units[i].functions);
	free(lines->units);
	free(lines->ranges);
	dwarf_end(lines->dwarf);
	dwarf_end(lines->alternate_dwarf);
	elf_image_close(lines->image);
	elf_image_close(lines->alternate_image);
	elf_object_unref(lines->alternate);
	elf_object_unref(lines->object);
	elf_object_unref(lines->loaded);
	free(lines);
}

DEFINE_CLEANUP(dwarf_lines, struct dwarf_lines *, dwarf_lines_close(v));

typedef int (*section_visit)(Elf_Scn *section, GElf_Shdr *header, const char *name, void *context);

/* Visit the sections that have a name, until one gives non-zero: that, or 0. */
static int each_section(Elf *elf, section_visit visit, void *context)
{
	Elf_Scn *section = NULL;
	size_t names_index;
	int r = 0;

	if (elf_getshdrstrndx(elf, &names_index))
		return 0;
	while (!r && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name =
			gelf_getshdr(section, &header) ? elf_strptr(elf, names_index, header.sh_name) : NULL;

		if (name)
			r = visit(section, &header, name, context);
	}
	return r;
}

static int is_debug_info(Elf_Scn *section, GElf_Shdr *header, const char *name, void *context)
{
	(void)section;
	(void)context;
	return header->sh_type != SHT_NOBITS && !strcmp(name, ".debug_info");
}

/*
 * Told from the section headers, so that files without are not loaded. .zdebug_info, of before 2015, is left
 * out.
 */
static bool has_dwarf(const struct elf_object *object)
{
	Elf *elf = elf_object_begin_elf(object);
	bool has = elf && each_section(elf, is_debug_info, NULL);

	elf_end(elf);
	return has;
}

static int prepare_section(Elf_Scn *section, GElf_Shdr *header, const char *name, void *context)
{
	const bool *hides_link = context;
	Elf_Data *data;

	if (*hides_link && !strcmp(name, ".gnu_debugaltlink")) {
		header->sh_type = SHT_NOBITS;
		gelf_update_shdr(section, header);
	}
	if (header->sh_type == SHT_NOBITS || (strcmp(name, ".debug_str") && strcmp(name, ".debug_line_str")))
		return 0;
	if ((header->sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0)
		return -EBADMSG;
	data = elf_rawdata(section, NULL);
	return !data || (data->d_size && ((const char *)data->d_buf)[data->d_size - 1] != '\0') ? -EBADMSG
												: 0;
}

/*
 * Make the file safe for libdw (0.188), which would open whatever path .gnu_debugaltlink names, and read past
 * the end of a string section that doesn't end in a NUL. @hides_link takes away the first; the second is no
 * usable DWARF.
 */
static int prepare_sections(Elf *elf, bool hides_link)
{
	return each_section(elf, prepare_section, &hides_link);
}

static int begin_dwarf(struct elf_object *object, bool hides_link, struct elf_image **image, Dwarf **dwarf)
{
	int r;

	if (!has_dwarf(object))
		return -ENOENT;
	r = elf_image_open(object, image);
	if (!r)
		r = prepare_sections(elf_image_elf(*image), hides_link);
	if (r)
		return r;
	*dwarf = dwarf_begin_elf(elf_image_elf(*image), DWARF_C_READ, NULL);
	return *dwarf ? 0 : -ENOENT;
}

/* Find the alternate file by its build-id, in the same places as debug files. */
static bool open_alternate(struct dwarf_lines *lines, const struct debug_search *search)
{
	const char *name;
	const void *build_id;
	ssize_t size = dwelf_dwarf_gnu_debugaltlink(lines->dwarf, &name, &build_id);

	if (size == 0)
		return true;
	if (size < 0 ||
	    debug_file_find_by_build_id(lines->loaded, search, build_id, (size_t)size, &lines->alternate))
		return false;
	if (begin_dwarf(lines->alternate, true, &lines->alternate_image, &lines->alternate_dwarf))
		return false;
	dwarf_setalt(lines->dwarf, lines->alternate_dwarf);
	return true;
}

static int open_dwarf(struct dwarf_lines *lines, const struct debug_search *search)
{
	int r = begin_dwarf(lines->object, false, &lines->image, &lines->dwarf);

	if (r || open_alternate(lines, search))
		return r;
	dwarf_end(lines->dwarf);
	elf_image_close(lines->image);
	lines->dwarf = NULL;
	lines->image = NULL;
	return begin_dwarf(lines->object, true, &lines->image, &lines->dwarf);
}

static int add_unit_range(struct dwarf_lines *lines, uint64_t low, uint64_t high, size_t unit)
{
	if (lines->range_count == lines->range_capacity) {
		size_t wanted = lines->range_capacity ? lines->range_capacity * 2 : 64;
		struct unit_range *ranges = reallocarray(lines->ranges, wanted, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		lines->ranges = ranges;
		lines->range_capacity = wanted;
	}
	lines->ranges[lines->range_count++] = (struct unit_range){.low = low, .high = high, .unit = unit};
	return 0;
}

/* Ranges outside the code are what the linker left of functions that it dropped: they begin at 0 or at -1. */
static int add_unit(struct dwarf_lines *lines, Dwarf_Die *die)
{
	const size_t index = lines->unit_count, before = lines->range_count;
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while (lines->range_budget && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		lines->range_budget--;
		if (low < high && elf_object_is_code(lines->loaded, low) &&
		    add_unit_range(lines, low, high, index))
			return -ENOMEM;
	}
	if (lines->range_count == before)
		return 0;
	if (index == lines->unit_capacity) {
		size_t wanted = index ? index * 2 : 16;
		struct unit *units = reallocarray(lines->units, wanted, sizeof(*units));

		if (!units)
			return -ENOMEM;
		lines->units = units;
		lines->unit_capacity = wanted;
	}
	lines->units[lines->unit_count++] = (struct unit){.die = dwarf_dieoffset(die)};
	return 0;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct unit_range *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->high > b->high ? -1 : a->high < b->high;
}

static int read_units(struct dwarf_lines *lines)
{
	Dwarf_CU *unit = NULL;
	uint64_t largest = 0;
	uint8_t type;
	Dwarf_Die die;

	while (!dwarf_get_units(lines->dwarf, unit, &unit, NULL, &type, &die, NULL)) {
		if ((type == DW_UT_compile || type == DW_UT_skeleton) && add_unit(lines, &die))
			return -ENOMEM;
	}
	if (lines->range_count)
		qsort(lines->ranges, lines->range_count, sizeof(*lines->ranges), compare_ranges);
	for (size_t i = 0; i < lines->range_count; i++) {
		if (lines->ranges[i].high > largest)
			largest = lines->ranges[i].high;
		lines->ranges[i].largest_high = largest;
	}
	return lines->range_count ? 0 : -ENOENT;
}

int dwarf_lines_open(struct elf_object *object, struct elf_object *loaded, const struct debug_search *search,
		     struct dwarf_lines **ret_lines, struct error *err)
{
	CLEANUP(dwarf_lines) struct dwarf_lines *lines = calloc(1, sizeof(*lines));
	int r;

	if (!lines)
		return error_set(err, -ENOMEM, "%s: out of memory", elf_object_path(object));
	lines->object = elf_object_ref(object);
	lines->loaded = elf_object_ref(loaded);
	lines->range_budget = elf_object_file_size(object) + (1 << 20);
	r = open_dwarf(lines, search);
	if (!r)
		r = read_units(lines);
	if (r == -ENOENT)
		return error_set(err, r, "%s: no DWARF", elf_object_path(object));
	if (r)
		return error_set(err, r, "%s: DWARF: %s", elf_object_path(object), strerror(-r));
	*ret_lines = TAKE_PTR(lines);
	return 0;
}

static struct unit *find_unit(const struct dwarf_lines *lines, uint64_t vaddr)
{
	size_t low = PARTITION_POINT(i, lines->range_count, lines->ranges[i].low <= vaddr);

	while (low-- && lines->ranges[low].largest_high > vaddr) {
		if (lines->ranges[low].high > vaddr)
			return &lines->units[lines->ranges[low].unit];
	}
	return NULL;
}

/* libdw joins a relative name with the directory of compilation: take that off again. */
static const char *as_compiled(Dwarf_Die *unit, const char *file)
{
	Dwarf_Attribute attribute;
	const char *name = dwarf_diename(unit);
	const char *directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	size_t length;

	if (!file || !directory || (name && !strcmp(name, file)))
		return file;
	length = strlen(directory);
	while (length && directory[length - 1] == '/')
		length--;
	if (strncmp(file, directory, length) || file[length] != '/')
		return file;
	file += length;
	return file + strspn(file, "/");
}

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

	if (!name)
		name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
	return name ? name : dwarf_diename(die);
}

static uint64_t number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &attribute), &value) ? 0 : value;
}

static uint64_t entry_of(Dwarf_Die *die)
{
	Dwarf_Addr entry;

	return dwarf_entrypc(die, &entry) ? 0 : entry;
}

/* Where the code at an address comes from: the innermost frame's position. */
static void set_position(Dwarf_Die *unit, uint64_t vaddr, struct dwarf_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, vaddr);
	int number_of_line;

	if (!line || dwarf_lineno(line, &number_of_line) || number_of_line <= 0)
		return;
	frame->line = (uint32_t)number_of_line;
	frame->file = as_compiled(unit, dwarf_linesrc(line, NULL, NULL));
}

/* Where @inner was inlined: the position of the frame around it. */
static void set_call_site(Dwarf_Die *unit, Dwarf_Die *inner, struct dwarf_frame *frame)
{
	uint64_t line = number(inner, DW_AT_call_line), file = number(inner, DW_AT_call_file);
	Dwarf_Files *files;
	size_t count;

	if (!line || line > UINT32_MAX)
		return;
	frame->line = (uint32_t)line;
	if (!dwarf_getsrcfiles(unit, &files, &count) && file < count)
		frame->file = as_compiled(unit, dwarf_filesrc(files, file, NULL, NULL));
}

size_t dwarf_lines_at(struct dwarf_lines *lines, uint64_t vaddr, bool wants_inlines,
		      struct dwarf_frame frames[DWARF_LINES_DEPTH])
{
	Dwarf_Die chain[DWARF_LINES_DEPTH], unit_die;
	struct unit *unit = find_unit(lines, vaddr);
	size_t count = 0;

	if (!unit || !dwarf_offdie(lines->dwarf, unit->die, &unit_die))
		return 0;
	if (!unit->functions.is_read)
		dwarf_functions_read(&unit->functions, &unit_die, &lines->range_budget);
	count = dwarf_functions_chain(&unit->functions, lines->dwarf, vaddr, chain,
				      wants_inlines ? DWARF_LINES_DEPTH : 1);
	for (size_t i = 0; i < count; i++) {
		/* The chain begins at the outer end, the frames at the inner one. */
		Dwarf_Die *die = &chain[count - 1 - i];

		frames[i] = (struct dwarf_frame){
			.name = linkage_name(die),
			.function_vaddr = entry_of(die),
			.is_inlined = i + 1 < count,
		};
		if (i)
			set_call_site(&unit_die, &chain[count - i], &frames[i]);
	}
	if (!count)
		frames[count++] = (struct dwarf_frame){0};
	set_position(&unit_die, vaddr, &frames[0]);
	return count > 1 || frames[0].line || frames[0].name ? count : 0;
}
