// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Where the kallsyms tables lie. VMCOREINFO says it from 6.0 on (f09bddbd8661: names, num_syms, token_table,
 * token_index, offsets, relative_base); else the image is searched for the tokens of the ten digits, which
 * stand for themselves and therefore follow each other: "0\0" "1\0" … "9\0", numbers 48 to 57 of the token
 * table.
 *
 * The order of the tables has changed twice (6.4, 404bad70fcf7 moved offsets behind token_index; 7.0 dropped
 * relative_base and aligns to 4). No order is assumed: each table is tried where it may lie, and must prove
 * itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kallsyms.h"
#include "kernel.h"

#define IMAGE_LIMIT \
	(256ULL << 20) /* an image is smaller than KERNEL_IMAGE_SIZE, 1 GiB; text and rodata by far */
#define USUAL_TEXT (12ULL << 20)
#define CHUNK (1U << 20)
#define DIGITS "0\0001\0002\0003\0004\0005\0006\0007\0008\0009"
#define NAMES_LIMIT (16U << 20)
#define DIGIT_TOKEN '0'
#define LOWEST_COUNT 512
#define HIGHEST_COUNT (4U << 20)
/* Of what only looks like tables there is little in a kernel; in somebody's file there can be any amount. */
#define MAX_PROOFS (1U << 16)
#define MAX_WALKED_NAMES (1ULL << 29)

static uint64_t align_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* "SYMBOL(name)=hex" */
static uint64_t vmcoreinfo_symbol(const char *text, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "SYMBOL(%s)=", name);
	at = text ? strstr(text, key) : NULL;
	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* The 256 strings from @table on; true when token_index (8 or 4 aligned behind them) agrees. */
static bool prove_tokens(struct kernel *kernel, uint64_t table, uint64_t *ret_index)
{
	uint8_t bytes[8192];
	uint16_t start[256], index[256];
	size_t at = 0;

	if (kernel_read(kernel, table, bytes, sizeof(bytes)))
		return false;
	for (int i = 0; i < 256; i++) {
		size_t length = strnlen((const char *)bytes + at, sizeof(bytes) - at);

		start[i] = at;
		at += length + 1;
		if (at >= sizeof(bytes))
			return false;
	}
	for (unsigned int unit = 2; unit <= 8; unit *= 2) {
		uint64_t place = align_up(table + at, unit);

		if (kernel_read(kernel, place, index, sizeof(index)) || memcmp(index, start, sizeof(index)))
			continue;
		*ret_index = place;
		return true;
	}
	return false;
}

/* The table whose token '0' lies at @digits: 48 strings before it. *@proofs counts tries to prove one. */
static bool table_before(struct kernel *kernel, uint64_t digits, struct kallsyms_places *places,
			 unsigned int *proofs)
{
	uint8_t before[4096];
	size_t at = sizeof(before), strings = 0;

	if (kernel_read(kernel, digits - sizeof(before), before, sizeof(before)))
		return false;
	/* To the NUL that ends token 0, then back over its text: the table begins where that is aligned. */
	while (at && strings < DIGIT_TOKEN)
		strings += before[--at] == 0;
	while (at--) {
		uint64_t table = digits - sizeof(before) + at;

		if (table % 4 == 0 && ++*proofs <= MAX_PROOFS &&
		    prove_tokens(kernel, table, &places->token_index)) {
			places->token_table = table;
			return true;
		}
		if (!before[at])
			return false;
	}
	return false;
}

/* Read what is there of @size bytes; the rest is zeros. Returns whether anything was. */
static bool read_patches(struct kernel *kernel, uint64_t address, uint8_t *buffer, size_t size)
{
	bool is_any = false;

	if (!kernel_read(kernel, address, buffer, size))
		return true;
	memset(buffer, 0, size);
	for (size_t at = 0; at < size; at += 4096)
		is_any |= !kernel_read(kernel, address + at, buffer + at, size - at < 4096 ? size - at : 4096);
	return is_any;
}

static int scan_part(struct kernel *kernel, uint64_t from, uint64_t to, uint8_t *buffer, struct kallsyms_places *places)
{
	static const char digits[] = DIGITS;
	uint64_t base = kernel->layout.base.value;
	unsigned int empty = 0, proofs = 0;

	for (uint64_t offset = from; offset < to && empty < 16 && proofs < MAX_PROOFS; offset += CHUNK) {
		const uint8_t *at = buffer, *hit;
		size_t size = CHUNK;

		if (!read_patches(kernel, base + offset, buffer, CHUNK)) {
			empty++;
			continue;
		}
		empty = 0;
		if (!kernel_read(kernel, base + offset + CHUNK, buffer + CHUNK, sizeof(digits)))
			size += sizeof(digits);
		while (proofs < MAX_PROOFS &&
		       (hit = memmem(at, buffer + size - at, digits, sizeof(digits)))) {
			if (table_before(kernel, base + offset + (hit - buffer), places, &proofs))
				return 0;
			at = hit + 1;
		}
	}
	return -ENOENT;
}

/* Read-only data lie behind the text, which is larger than USUAL_TEXT in most kernels: there first. */
static int scan_for_tokens(struct kernel *kernel, struct kallsyms_places *places)
{
	CLEANUP(free) uint8_t *buffer = malloc(CHUNK + sizeof(DIGITS));

	if (!buffer)
		return -ENOMEM;
	return scan_part(kernel, USUAL_TEXT, IMAGE_LIMIT, buffer, places) &&
			       scan_part(kernel, 0, USUAL_TEXT, buffer, places) ? -ENOENT : 0;
}

/*
 * Walk @count names from @bytes on; their end, and the offset of the 256th. 0: they are none, or *@walked,
 * which counts names, is at its limit.
 */
static size_t walk_names(const uint8_t *bytes, size_t size, uint32_t count, uint32_t *ret_second_marker,
			 uint64_t *walked)
{
	size_t at = 0;

	*ret_second_marker = 0;
	for (uint32_t i = 0; i < count; i++) {
		size_t length;

		if (i == 256)
			*ret_second_marker = at;
		if (size - at < 2 || ++*walked > MAX_WALKED_NAMES)
			return 0;
		length = bytes[at++];
		if (length & 0x80)
			length = (length & 0x7f) | (size_t)bytes[at++] << 7;
		if (!length || length >= KALLSYMS_NAME_SIZE || length > size - at)
			return 0;
		at += length;
	}
	return at;
}

/* markers follow the names, aligned: 0, then the offset of the 256th name. */
static bool markers_at(const uint8_t *bytes, size_t size, size_t at, uint32_t second)
{
	uint32_t values[2];

	if (at > size || size - at < sizeof(values))
		return false;
	memcpy(values, bytes + at, sizeof(values));
	return values[0] == 0 && values[1] == second;
}

/*
 * Names and their count, searched for backwards from the token table: num_syms is a u32, names follow (aligned
 * to 8, or to 4), and after that many names the markers.
 */
static int find_names(struct kernel *kernel, struct kallsyms_places *places)
{
	CLEANUP(free) uint8_t *bytes = malloc(NAMES_LIMIT);
	uint64_t start = places->token_table - NAMES_LIMIT;
	size_t unread = NAMES_LIMIT; /* [0, unread) wasn't needed yet */
	uint32_t count, second;
	uint64_t walked = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t at = NAMES_LIMIT - 4096; at; at -= 4) {
		if (at < unread) {
			unread -= CHUNK;
			if (!read_patches(kernel, start + unread, bytes + unread, CHUNK))
				return -ENOENT;
		}
		memcpy(&count, bytes + at, sizeof(count));
		if (count < LOWEST_COUNT || count > HIGHEST_COUNT)
			continue;
		for (size_t gap = 4; gap <= 8; gap += 4) {
			const uint8_t *names = bytes + at + gap;
			size_t size = NAMES_LIMIT - at - gap, end;

			if (size < 3ULL * count)
				continue;
			end = walk_names(names, size, count, &second, &walked);
			if (!end)
				continue;
			for (size_t pad = 0; pad < 8; pad++) {
				if (!markers_at(names, size, end + pad, second))
					continue;
				places->num_syms = start + at;
				places->names = start + at + gap;
				places->markers = places->names + end + pad;
				places->count = count;
				return 0;
			}
		}
	}
	return -ENOENT;
}

/* With names and count known, markers lie right behind the last name: all names are walked. */
static int walk_to_markers(struct kernel *kernel, struct kallsyms_places *places)
{
	CLEANUP(free) uint8_t *bytes = NULL;
	uint64_t walked = 0;
	uint32_t second;
	size_t size, end;

	/* Wherever the tables end, token_table comes behind the markers. */
	if (places->token_table <= places->names || places->token_table - places->names > NAMES_LIMIT)
		return -EBADMSG;
	size = places->token_table - places->names;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	if (kernel_read(kernel, places->names, bytes, size))
		return -EFAULT;
	end = walk_names(bytes, size, places->count, &second, &walked);
	for (size_t pad = 0; end && pad < 8; pad++) {
		if (!markers_at(bytes, size, end + pad, second))
			continue;
		places->markers = places->names + end + pad;
		return 0;
	}
	return -EBADMSG;
}

/*
 * The same without reading all names, which are megabytes: the markers end at the token table, or at the order
 * of names before it (6.2 and 6.3 have it there).
 */
static int find_markers(struct kernel *kernel, struct kallsyms_places *places)
{
	uint64_t size = 4ULL * ((places->count + 255) / 256);
	uint64_t ends[] = { places->token_table, (places->token_table - 3ULL * places->count) & ~7ULL };
	uint8_t first[256 * 64];
	uint64_t walked = 0;
	uint32_t second;

	if (kernel_read(kernel, places->names, first, sizeof(first)) ||
	    !walk_names(first, sizeof(first), 257, &second, &walked))
		return walk_to_markers(kernel, places);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		for (uint64_t pad = 0; pad < 16; pad += 4) {
			uint64_t markers = ((ends[i] - size) & ~3ULL) - pad;
			uint32_t values[2];

			if (kernel_read(kernel, markers, values, sizeof(values)) || values[0] ||
			    values[1] != second)
				continue;
			places->markers = markers;
			return 0;
		}
	}
	return walk_to_markers(kernel, places);
}

static bool use_vmcoreinfo(struct kernel *kernel, struct kallsyms_places *places)
{
	const char *text = kernel->vmcoreinfo;

	places->num_syms = vmcoreinfo_symbol(text, "kallsyms_num_syms");
	places->names = vmcoreinfo_symbol(text, "kallsyms_names");
	places->token_table = vmcoreinfo_symbol(text, "kallsyms_token_table");
	places->token_index = vmcoreinfo_symbol(text, "kallsyms_token_index");
	places->offsets = vmcoreinfo_symbol(text, "kallsyms_offsets");
	places->relative_base = vmcoreinfo_symbol(text, "kallsyms_relative_base");
	if (!places->num_syms || !places->names || !places->token_table)
		return false;
	return !kernel_read_u32(kernel, places->num_syms, &places->count) && places->count >= LOWEST_COUNT &&
	       places->count <= HIGHEST_COUNT &&
	       prove_tokens(kernel, places->token_table, &places->token_index) && !find_markers(kernel, places);
}

int kallsyms_locate(struct kernel *kernel, struct kallsyms_places *places, struct error *err)
{
	int status;

	memset(places, 0, sizeof(*places));
	if (use_vmcoreinfo(kernel, places))
		return 0;
	memset(places, 0, sizeof(*places));
	if (!kernel->layout.base.origin)
		return error_set(err, -ENOENT, "kallsyms: the kernel's base is not known");
	status = scan_for_tokens(kernel, places);
	if (status)
		return error_set(err, status, "kallsyms: no token table in the kernel's image");
	status = find_names(kernel, places);
	return status ? error_set(err, status, "kallsyms: no names before the token table") : 0;
}
