// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Cuts a kernel into sections. Symbols and modules may say anything: what overlaps is left out. */
#include "kernel_sections.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "kernel_module.h"

/* Seven for each of the modules that kernel_module.c walks through. */
#define SECTIONS_MAX 30000

void make_printable(char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			*name = '?';
}

static const struct {
	const char *name, *start, *end;
	uint64_t flags;
} parts[] = {
	{ ".text", "_text", "_etext", SHF_EXECINSTR },
	{ ".rodata", "__start_rodata", "__end_rodata", 0 },
	{ ".data", "_sdata", "_edata", SHF_WRITE },
	{ ".init.text", "_sinittext", "_einittext", SHF_EXECINSTR },
	{ ".bss", "__bss_start", "__bss_stop", SHF_WRITE },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int by_start(const void *left, const void *right)
{
	const struct kernel_section *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* The parts of [start, end) whose symbols are there and believable: not around another part. */
static size_t find_parts(struct kernel *kernel, uint64_t start, uint64_t end, struct kernel_section *found)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < PARTS; i++) {
		struct kernel_section section = { .flags = parts[i].flags };

		snprintf(section.name, sizeof(section.name), "%s", parts[i].name);
		if (!kernel_symbol(kernel, parts[i].start, &section.start) &&
		    !kernel_symbol(kernel, parts[i].end, &section.end) && section.start >= start &&
		    section.end <= end && section.start < section.end)
			found[count++] = section;
	}
	qsort(found, count, sizeof(*found), by_start);
	for (size_t i = 0; i < count; i++)
		if (!kept || found[i].start >= found[kept - 1].end)
			found[kept++] = found[i];
	return kept;
}

static int add_section(struct kernel_sections *sections, const struct kernel_section *section)
{
	if (sections->count >= SECTIONS_MAX)
		return -ENOMEM;
	if (sections->count == sections->room) {
		size_t room = sections->room ? 2 * sections->room : 32;
		struct kernel_section *moved = reallocarray(sections->list, room, sizeof(*moved));

		if (!moved)
			return -ENOMEM;
		sections->list = moved;
		sections->room = room;
	}
	sections->list[sections->count++] = *section;
	return 0;
}

static int lay_out_image(struct kernel *kernel, uint64_t start, uint64_t end, struct kernel_sections *sections)
{
	struct kernel_section found[PARTS];
	size_t count = find_parts(kernel, start, end, found);
	uint64_t at = start;
	int status = 0;

	for (size_t i = 0; i <= count && !status; i++) {
		struct kernel_section gap = { .start = at,
					      .end = i < count ? found[i].start : end,
					      .flags = count ? SHF_WRITE : SHF_EXECINSTR };

		/* No part is known: it is all code, so that breakpoints can be set. */
		strcpy(gap.name, count ? ".image" : ".text");
		if (gap.start < gap.end)
			status = add_section(sections, &gap);
		if (i < count && !status) {
			status = add_section(sections, &found[i]);
			at = found[i].end;
		}
	}
	return status;
}

/* "ext4.text", "ext4.init.data" */
static int add_module_part(void *context, const struct kernel_module *module)
{
	/* Before 6.4 text and data are one part. */
	bool is_code = strstr(module->part, "text") || !strcmp(module->part, "core") ||
		       !strcmp(module->part, "init");
	struct kernel_section section = { .start = module->start,
					  .end = module->start + module->size,
					  .flags = is_code                        ? SHF_EXECINSTR :
						   strstr(module->part, "rodata") ? 0 :
										    SHF_WRITE };

	if (section.end < section.start)
		return 0;
	snprintf(section.name, sizeof(section.name), "%s.%s", module->name, module->part);
	for (char *space = section.name; (space = strchr(space, ' '));)
		*space = '.';
	make_printable(section.name);
	return add_section(context, &section);
}

static int lay_out(struct kernel *kernel, uint64_t start, uint64_t end, struct kernel_sections *sections)
{
	int status = lay_out_image(kernel, start, end, sections);
	size_t kept = sections->count;

	if (!status)
		status = kernel_modules_each(kernel, add_module_part, sections, NULL);
	if (status == -ENOENT)
		status = 0;
	if (sections->count)
		qsort(sections->list + kept, sections->count - kept, sizeof(*sections->list), by_start);
	/* What lies where something else does already, or below, is no module's. */
	for (size_t i = kept; i < sections->count; i++)
		if (sections->list[i].start >= sections->list[kept - 1].end)
			sections->list[kept++] = sections->list[i];
	sections->count = kept;
	return status;
}

int kernel_sections_make(struct kernel *kernel, uint64_t start, uint64_t end, struct kernel_sections *ret_sections)
{
	struct kernel_sections sections = { 0 };
	int status = lay_out(kernel, start, end, &sections);

	if (status)
		kernel_sections_deinit(&sections);
	else
		*ret_sections = sections;
	return status;
}

void kernel_sections_deinit(struct kernel_sections *sections)
{
	free(sections->list);
	*sections = (struct kernel_sections){ 0 };
}
