// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Line by line over monitor text. Lines that look different are passed over. */
#include "qemu_monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define CPUS_MAX 4096
#define RAM_MAX 4096

/* A copy of the next line without its end. False after the last one; lines over @size are cut. */
static bool next_line(const char **text, char *line, size_t size)
{
	size_t length = strcspn(*text, "\r\n");

	if (!**text)
		return false;
	snprintf(line, size, "%.*s", (int)(length < size ? length : size - 1), *text);
	*text += length;
	*text += **text == '\r';
	*text += **text == '\n';
	return true;
}

/* The hexadecimal value of "@name=", at a word's start. */
static void take_value(const char *line, const char *name, uint64_t *value)
{
	size_t length = strlen(name);

	for (const char *at = line; (at = strstr(at, name)); at += length) {
		if ((at != line && at[-1] != ' ') || at[length] != '=')
			continue;
		*value = strtoull(at + length + 1, NULL, 16);
		return;
	}
}

static void take_registers(const char *line, struct cpu_registers *cpu)
{
	take_value(line, "CR0", &cpu->cr0);
	take_value(line, "CR3", &cpu->cr3);
	take_value(line, "CR4", &cpu->cr4);
	take_value(line, "EFER", &cpu->efer);
	take_value(line, "IDT", &cpu->idt_base);
	take_value(line, "RIP", &cpu->rip);
	take_value(line, "RSP", &cpu->rsp);
	take_value(line, "RBP", &cpu->rbp);
}

int qemu_parse_registers(const char *text, struct cpu_registers **ret_cpus, size_t *ret_count)
{
	CLEANUP(free) struct cpu_registers *cpus = NULL;
	size_t count = 0;
	char line[256];

	while (next_line(&text, line, sizeof(line))) {
		if (strncmp(line, "CPU#", 4) == 0) {
			struct cpu_registers *grown;

			if (count == CPUS_MAX)
				break;
			grown = reallocarray(cpus, count + 1, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			cpus = grown;
			cpus[count++] = (struct cpu_registers){ 0 };
			continue;
		}
		if (count == 0)
			continue;
		/* "GS =0000 ff42a44c1f000000 …": selector, base. */
		if (sscanf(line, "GS =%*x %lx", &cpus[count - 1].gs_base) != 1)
			take_registers(line, &cpus[count - 1]);
	}
	*ret_cpus = TAKE_PTR(cpus);
	*ret_count = count;
	return 0;
}

/* "  START-END (prio N, TYPE): BLOCK[ @OFFSET]". */
static bool parse_piece(const char *line, struct qemu_ram *piece, char *type, size_t type_size)
{
	uint64_t end;
	int at = 0;
	const char *name, *offset;
	size_t length;

	if (sscanf(line, " %lx-%lx (prio %*d, %n", &piece->start, &end, &at) != 2 || !at ||
	    end < piece->start || end == UINT64_MAX)
		return false;
	length = strcspn(line + at, ")");
	if (length >= type_size || strncmp(line + at + length, "): ", 3) != 0)
		return false;
	snprintf(type, type_size, "%.*s", (int)length, line + at);
	name = line + at + length + 3;
	length = strcspn(name, " ");
	if (length == 0 || length >= sizeof(piece->block))
		return false;
	memcpy(piece->block, name, length);
	piece->block[length] = '\0';
	offset = strstr(name, " @");
	piece->block_offset = offset ? strtoull(offset + 2, NULL, 16) : 0;
	piece->size = end - piece->start + 1;
	return true;
}

static bool has_block(const struct qemu_ram *ram, const bool *is_rom, size_t count, const char *block)
{
	for (size_t i = 0; i < count; i++)
		if (!is_rom[i] && strcmp(ram[i].block, block) == 0)
			return true;
	return false;
}

/* Collects pieces of the first view that serves the address space "memory". */
static size_t collect(const char *text, struct qemu_ram *ram, bool *is_rom)
{
	bool is_memory = false;
	size_t count = 0;
	char line[512], type[32];

	while (next_line(&text, line, sizeof(line))) {
		if (strncmp(line, "FlatView", 8) == 0) {
			if (is_memory)
				break;
		} else if (strncmp(line, " AS \"memory\",", 13) == 0) {
			is_memory = true;
		} else if (is_memory && count < RAM_MAX &&
			   parse_piece(line, &ram[count], type, sizeof(type)) &&
			   (strcmp(type, "ram") == 0 || strcmp(type, "rom") == 0) &&
			   (count == 0 || ram[count].start >= ram[count - 1].start + ram[count - 1].size)) {
			is_rom[count] = strcmp(type, "rom") == 0;
			count++;
		}
	}
	return count;
}

int qemu_parse_memory(const char *text, struct qemu_ram **ret_ram, size_t *ret_count)
{
	CLEANUP(free) struct qemu_ram *ram = calloc(RAM_MAX, sizeof(*ram));
	CLEANUP(free) bool *is_rom = calloc(RAM_MAX, sizeof(*is_rom));
	size_t count, kept = 0;

	if (!ram || !is_rom)
		return -ENOMEM;
	count = collect(text, ram, is_rom);
	for (size_t i = 0; i < count; i++)
		if (is_rom[i] && has_block(ram, is_rom, count, ram[i].block))
			is_rom[i] = false;
	for (size_t i = 0; i < count; i++)
		if (!is_rom[i])
			ram[kept++] = ram[i];
	*ret_ram = TAKE_PTR(ram);
	*ret_count = kept;
	return 0;
}

int qemu_ram_ranges(const struct qemu_ram *ram, size_t count, struct memory_range **ret_ranges,
		    size_t *ret_count)
{
	struct memory_range *ranges = calloc(count ? count : 1, sizeof(*ranges));
	size_t kept = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (kept && ranges[kept - 1].start + ranges[kept - 1].size == ram[i].start)
			ranges[kept - 1].size += ram[i].size;
		else
			ranges[kept++] = (struct memory_range){ .start = ram[i].start, .size = ram[i].size };
	}
	*ret_ranges = ranges;
	*ret_count = kept;
	return 0;
}
