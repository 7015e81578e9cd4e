/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel's image with kallsyms tables in it, as scripts/kallsyms.c has laid them out over the years. Names
 * are compressed by the tokens of this file: a character stands for itself, token 1 for "function_".
 *
 * Text from IMAGE_BASE on, data from IMAGE_DATA on, the tables from IMAGE_TABLES on.
 */
#ifndef DILL_TESTS_KALLSYMS_IMAGE_H
#define DILL_TESTS_KALLSYMS_IMAGE_H

#include <assert.h>
#include <stdio.h>

#include "kallsyms.h"
#include "kernel_memory.h"

#define IMAGE_BASE MEMORY_VIRTUAL
#define IMAGE_DATA (IMAGE_BASE + 0x4000)
#define IMAGE_BANNER (IMAGE_DATA + 0x40)
#define IMAGE_TABLES (IMAGE_BASE + 0x5000)
#define IMAGE_SIZE 0x28000
#define IMAGE_FUNCTIONS 700
#define IMAGE_PERCPU 3 /* symbols below all others, numbers where the layout has them */
#define SYMBOLS_MAX 800
#define FUNCTION_AT(i) (IMAGE_BASE + 0x100 + 16 * (uint64_t)(i))
#define LONG_NAME_LENGTH 300 /* its compressed length takes two bytes */

enum kallsyms_layout {
	OFFSETS_FIRST,		/* offsets, relative_base, num_syms, names …: until 6.3 */
	OFFSETS_FIRST_ORDERED,	/* … and the order of names before the tokens: 6.2, 6.3 */
	OFFSETS_LAST,		/* offsets, relative_base, order behind token_index: 6.4 */
	OFFSETS_BASE_RELATIVE,	/* the same, all offsets from relative_base up: 6.15 */
	OFFSETS_PLACE_RELATIVE, /* no relative_base, aligned to 4: 7.0 */
	KALLSYMS_LAYOUTS,
};

struct image_symbol {
	uint64_t address;
	char type;
	char name[LONG_NAME_LENGTH + 1];
};

struct kallsyms_image {
	struct memory *memory;
	struct kernel *kernel;
	enum kallsyms_layout layout;
	struct image_symbol symbols[SYMBOLS_MAX];
	uint32_t count;
	struct kallsyms_places places; /* where it has put the tables */
	uint64_t seqs, names_end, end;
	char tokens[256][16];
};

static inline uint8_t *kallsyms_byte(struct kallsyms_image *image, uint64_t address)
{
	assert(address - IMAGE_BASE < IMAGE_SIZE);
	return image->memory->bytes[SPACE_VIRTUAL] + (address - IMAGE_BASE);
}

static inline void kallsyms_put32(struct kallsyms_image *image, uint64_t address, uint32_t value)
{
	memcpy(kallsyms_byte(image, address), &value, sizeof(value));
}

static inline void kallsyms_add(struct kallsyms_image *image, const char *name, char type, uint64_t address)
{
	struct image_symbol *symbol = &image->symbols[image->count++];

	assert(image->count < SYMBOLS_MAX && (image->count == 1 || symbol[-1].address <= address));
	symbol->address = address;
	symbol->type = type;
	snprintf(symbol->name, sizeof(symbol->name), "%s", name);
}

/* By rising address. Without data, as a kernel without KALLSYMS_ALL has it, names end at _etext. */
static inline void kallsyms_fill(struct kallsyms_image *image, bool has_data)
{
	char name[LONG_NAME_LENGTH + 1];

	if (image->layout <= OFFSETS_LAST) {
		kallsyms_add(image, "fixed_percpu_data", 'A', 0);
		kallsyms_add(image, "__per_cpu_start", 'A', 0);
		kallsyms_add(image, "cpu_number", 'A', 0x5000);
	}
	kallsyms_add(image, "startup_64", 't', IMAGE_BASE);
	kallsyms_add(image, "_text", 'T', IMAGE_BASE);
	for (int i = 0; i < IMAGE_FUNCTIONS; i++) {
		snprintf(name, sizeof(name), "function_%03d", i * 9 % IMAGE_FUNCTIONS);
		kallsyms_add(image, name, i % 2 ? 'T' : 't', FUNCTION_AT(i));
		if (i % 100 == 50)
			kallsyms_add(image, "function_twice", 't', FUNCTION_AT(i) + 8);
	}
	memset(name, 'x', LONG_NAME_LENGTH);
	name[LONG_NAME_LENGTH] = 0;
	kallsyms_add(image, name, 't', FUNCTION_AT(IMAGE_FUNCTIONS));
	kallsyms_add(image, "_etext", 'T', IMAGE_DATA - 0x1000);
	if (!has_data)
		return;
	kallsyms_add(image, "linux_banner", 'D', IMAGE_BANNER);
	kallsyms_add(image, "first_name", 'd', IMAGE_BANNER + 0x100);
	kallsyms_add(image, "second_name", 'D', IMAGE_BANNER + 0x100);
	kallsyms_add(image, "third_name", 'D', IMAGE_BANNER + 0x100);
	kallsyms_add(image, "_end", 'B', IMAGE_TABLES + 0x10000);
}

static inline void kallsyms_make_tokens(struct kallsyms_image *image)
{
	for (int i = 0; i < 256; i++) {
		if (i > ' ' && i < 127)
			snprintf(image->tokens[i], sizeof(image->tokens[i]), "%c", i);
		else
			snprintf(image->tokens[i], sizeof(image->tokens[i]), "<%d>", i);
	}
	strcpy(image->tokens[1], "function_");
}

/* Length and tokens of one name at @at. Returns what is behind it. */
static inline uint64_t kallsyms_put_name(struct kallsyms_image *image, uint64_t at,
					 const struct image_symbol *symbol)
{
	uint8_t codes[LONG_NAME_LENGTH + 1];
	const char *text = symbol->name;
	size_t length = 0;

	codes[length++] = (uint8_t)symbol->type;
	if (!strncmp(text, "function_", 9)) {
		codes[length++] = 1;
		text += 9;
	}
	for (; *text; text++)
		codes[length++] = (uint8_t)*text;
	*kallsyms_byte(image, at++) = length < 0x80 ? length : (length & 0x7f) | 0x80;
	if (length >= 0x80)
		*kallsyms_byte(image, at++) = length >> 7;
	memcpy(kallsyms_byte(image, at), codes, length);
	return at + length;
}

static inline uint64_t kallsyms_aligned(const struct kallsyms_image *image, uint64_t at)
{
	uint64_t unit = image->layout == OFFSETS_PLACE_RELATIVE ? 4 : 8;

	return (at + unit - 1) / unit * unit;
}

static inline uint64_t kallsyms_put_names(struct kallsyms_image *image, uint64_t at)
{
	uint32_t markers[SYMBOLS_MAX / 256 + 1];

	image->places.num_syms = at;
	kallsyms_put32(image, at, image->count);
	image->places.names = at = kallsyms_aligned(image, at + 4);
	for (uint32_t i = 0; i < image->count; i++) {
		if (i % 256 == 0)
			markers[i / 256] = at - image->places.names;
		at = kallsyms_put_name(image, at, &image->symbols[i]);
	}
	image->names_end = at;
	image->places.markers = at = kallsyms_aligned(image, at);
	memcpy(kallsyms_byte(image, at), markers, 4 * ((image->count + 255) / 256));
	return kallsyms_aligned(image, at + 4 * ((image->count + 255) / 256));
}

static inline uint64_t kallsyms_put_tokens(struct kallsyms_image *image, uint64_t at)
{
	uint64_t start = at;
	uint16_t index[256];

	image->places.token_table = at;
	for (int i = 0; i < 256; i++) {
		index[i] = at - start;
		strcpy((char *)kallsyms_byte(image, at), image->tokens[i]);
		at += strlen(image->tokens[i]) + 1;
	}
	image->places.token_index = at = kallsyms_aligned(image, at);
	memcpy(kallsyms_byte(image, at), index, sizeof(index));
	return kallsyms_aligned(image, at + sizeof(index));
}

static inline uint64_t kallsyms_put_offsets(struct kallsyms_image *image, uint64_t at)
{
	image->places.offsets = at;
	for (uint32_t i = 0; i < image->count; i++, at += 4) {
		uint64_t address = image->symbols[i].address, value = address;

		if (image->layout == OFFSETS_PLACE_RELATIVE)
			value = address - at;
		else if (image->layout == OFFSETS_BASE_RELATIVE)
			value = address - IMAGE_BASE;
		else if (address >= IMAGE_BASE)
			value = IMAGE_BASE - 1 - address;
		kallsyms_put32(image, at, value);
	}
	at = kallsyms_aligned(image, at);
	if (image->layout == OFFSETS_PLACE_RELATIVE)
		return at;
	image->places.relative_base = at;
	memory_put_virtual(image->memory, at, IMAGE_BASE);
	return at + 8;
}

/* By name, then by address, as scripts/kallsyms.c sorts them. */
static inline uint64_t kallsyms_put_order(struct kallsyms_image *image, uint64_t at)
{
	uint32_t order[SYMBOLS_MAX];

	for (uint32_t i = 0; i < image->count; i++) {
		uint32_t place = i;

		for (; place && strcmp(image->symbols[order[place - 1]].name, image->symbols[i].name) > 0;
		     place--)
			order[place] = order[place - 1];
		order[place] = i;
	}
	image->seqs = at;
	for (uint32_t i = 0; i < image->count; i++, at += 3) {
		*kallsyms_byte(image, at) = order[i] >> 16;
		*kallsyms_byte(image, at + 1) = order[i] >> 8;
		*kallsyms_byte(image, at + 2) = order[i];
	}
	return kallsyms_aligned(image, at);
}

/* Without tables: fill in symbols, then kallsyms_image_finish(). */
static inline struct kallsyms_image *kallsyms_image_begin(enum kallsyms_layout layout)
{
	struct kallsyms_image *image = calloc(1, sizeof(*image));

	image->layout = layout;
	image->memory = memory_create(0, IMAGE_SIZE);
	image->kernel = memory_kernel(image->memory, 0, 0);
	image->kernel->layout.base = (struct kernel_fact){ IMAGE_BASE, "test" };
	strcpy((char *)kallsyms_byte(image, IMAGE_BANNER), "Linux version 6.1.0 (test)\n");
	kallsyms_make_tokens(image);
	return image;
}

static inline void kallsyms_image_finish(struct kallsyms_image *image)
{
	uint64_t at = IMAGE_TABLES;

	if (image->layout <= OFFSETS_FIRST_ORDERED)
		at = kallsyms_put_offsets(image, at);
	at = kallsyms_put_names(image, at);
	if (image->layout == OFFSETS_FIRST_ORDERED)
		at = kallsyms_put_order(image, at);
	at = kallsyms_put_tokens(image, at);
	if (image->layout >= OFFSETS_LAST) {
		at = kallsyms_put_offsets(image, at);
		at = kallsyms_put_order(image, at);
	}
	image->end = at;
}

static inline struct kallsyms_image *kallsyms_image_create(enum kallsyms_layout layout)
{
	struct kallsyms_image *image = kallsyms_image_begin(layout);

	kallsyms_fill(image, true);
	kallsyms_image_finish(image);
	return image;
}

/* As VMCOREINFO has it from 6.0 on; 7.0 has no relative_base. */
static inline void kallsyms_image_publish(struct kallsyms_image *image)
{
	const struct kallsyms_places *places = &image->places;
	int length = asprintf(&image->kernel->vmcoreinfo,
			      "OSRELEASE=6.1.0\nSYMBOL(kallsyms_names)=%lx\nSYMBOL(kallsyms_num_syms)=%lx\n"
			      "SYMBOL(kallsyms_token_table)=%lx\nSYMBOL(kallsyms_token_index)=%lx\n"
			      "SYMBOL(kallsyms_offsets)=%lx\n",
			      places->names, places->num_syms, places->token_table, places->token_index,
			      places->offsets);
	char *whole;

	assert(length > 0);
	if (!places->relative_base)
		return;
	length = asprintf(&whole, "%sSYMBOL(kallsyms_relative_base)=%lx\n", image->kernel->vmcoreinfo,
			  places->relative_base);
	assert(length > 0);
	free(image->kernel->vmcoreinfo);
	image->kernel->vmcoreinfo = whole;
}

static inline void kallsyms_image_destroy(struct kallsyms_image *image)
{
	kernel_close(image->kernel);
	free(image);
}

#endif
