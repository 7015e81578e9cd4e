// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Names and addresses out of the kallsyms tables. Everything in them may be damaged: a dump is somebody's file.
 * Finding the tables is kallsyms_find.c's part, opening them kallsyms_open.c's.
 */
#include "kallsyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "name_hash.h"

#define NAMES_A_BLOCK 256
#define MAX_COMPRESSED (2 + KALLSYMS_NAME_SIZE) /* of one name: at least a character a token */
#define MAX_PROBES (1U << 26) /* some hundred a kernel's name; damaged tables can have all names alike */

void kallsyms_close(struct kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->markers);
	free(kallsyms->tokens);
	free(kallsyms->block);
	free(kallsyms->by_hash);
	free(kallsyms);
}

/* Have block @number, the compressed names of 256 symbols, in memory. */
static int load_block(struct kallsyms *kallsyms, uint32_t number)
{
	uint32_t last = (kallsyms->count - 1) / NAMES_A_BLOCK;
	uint64_t start = kallsyms->markers[number];
	size_t limit = NAMES_A_BLOCK * MAX_COMPRESSED;
	size_t size;

	if (number == kallsyms->block_number)
		return 0;
	kallsyms->block_number = UINT32_MAX;
	if (number < last) {
		if (kallsyms->markers[number + 1] <= start || kallsyms->markers[number + 1] - start > limit)
			return -EBADMSG;
		size = kallsyms->markers[number + 1] - start;
		if (kernel_read(kallsyms->kernel, kallsyms->names + start, kallsyms->block, size))
			return -EFAULT;
	} else { /* it ends somewhere: as much as can be read, page by page */
		for (size = 0; size < limit;) {
			uint64_t at = kallsyms->names + start + size;
			size_t piece = 4096 - at % 4096;

			piece = piece < limit - size ? piece : limit - size;
			if (kernel_read(kallsyms->kernel, at, kallsyms->block + size, piece))
				break;
			size += piece;
		}
	}
	kallsyms->block_size = size;
	kallsyms->block_number = number;
	return size ? 0 : -EFAULT;
}

/* Step over the length at *@at; its name then is @ret_length bytes. */
static int take_length(const struct kallsyms *kallsyms, size_t *at, size_t *ret_length)
{
	size_t length;

	if (*at >= kallsyms->block_size)
		return -EBADMSG;
	length = kallsyms->block[(*at)++];
	if (length & 0x80) {
		if (*at >= kallsyms->block_size)
			return -EBADMSG;
		length = (length & 0x7f) | (size_t)kallsyms->block[(*at)++] << 7;
	}
	if (!length || length > kallsyms->block_size - *at)
		return -EBADMSG;
	*ret_length = length;
	return 0;
}

/* Tokens to text: a type and a name, cut where there is no more room. */
static int expand(const struct kallsyms *kallsyms, const uint8_t *codes, size_t length, char *name, char *ret_type)
{
	size_t used = 0;
	bool has_type = false;

	for (size_t i = 0; i < length; i++) {
		const char *token = (const char *)kallsyms->tokens + kallsyms->token_start[codes[i]];

		if (*token && !has_type) {
			*ret_type = *token++;
			has_type = true;
		}
		for (; *token && used < KALLSYMS_NAME_SIZE - 1; token++)
			name[used++] = *token;
	}
	name[used] = 0;
	return has_type ? 0 : -EBADMSG;
}

int kallsyms_name(struct kallsyms *kallsyms, uint32_t number, char *name, char *ret_type)
{
	size_t at = 0, length;
	int status;

	if (number >= kallsyms->count)
		return -ENOENT;
	status = load_block(kallsyms, number / NAMES_A_BLOCK);
	if (status)
		return status;
	for (uint32_t i = number % NAMES_A_BLOCK;; i--) {
		status = take_length(kallsyms, &at, &length);
		if (status)
			return status;
		if (!i)
			return expand(kallsyms, kallsyms->block + at, length, name, ret_type);
		at += length;
	}
}

int kallsyms_address(struct kallsyms *kallsyms, uint32_t number, uint64_t *ret_address)
{
	uint64_t place = kallsyms->offsets + 4ULL * number;
	uint32_t value;

	if (number >= kallsyms->count)
		return -ENOENT;
	if (kernel_read_u32(kallsyms->kernel, place, &value))
		return -EFAULT;
	switch (kallsyms->encoding) {
	case KALLSYMS_ABSOLUTE_PERCPU:
		*ret_address = (int32_t)value >= 0 ? value :
						     kallsyms->relative_base - 1 - (uint64_t)(int64_t)(int32_t)value;
		return 0;
	case KALLSYMS_BASE_RELATIVE:
		*ret_address = kallsyms->relative_base + value;
		return 0;
	default:
		*ret_address = place + (uint64_t)(int64_t)(int32_t)value;
		return 0;
	}
}

int kallsyms_each(struct kallsyms *kallsyms, kallsyms_visit visit, void *context)
{
	char name[KALLSYMS_NAME_SIZE], type;
	int status = 0;

	for (uint32_t block = 0; block <= (kallsyms->count - 1) / NAMES_A_BLOCK; block++) {
		uint32_t first = block * NAMES_A_BLOCK;
		size_t at = 0, length;

		if (load_block(kallsyms, block))
			continue;
		for (uint32_t i = first; i < kallsyms->count && i < first + NAMES_A_BLOCK; i++) {
			if (take_length(kallsyms, &at, &length))
				break;
			if (!expand(kallsyms, kallsyms->block + at, length, name, &type))
				status = visit(context, i, name, type);
			if (status)
				return status;
			at += length;
		}
	}
	return 0;
}

/* A hash that is being filled. */
struct hash_filling {
	uint32_t *table;
	size_t slots, probes;
};

static int put_hash(void *context, uint32_t number, const char *name, char type)
{
	struct hash_filling *filling = context;
	size_t slot = name_hash(name, strlen(name)) & (filling->slots - 1);

	(void)type;
	for (; filling->table[slot] && filling->probes < MAX_PROBES; filling->probes++)
		slot = (slot + 1) & (filling->slots - 1);
	if (!filling->table[slot])
		filling->table[slot] = number + 1;
	return 0;
}

/* Without an order of names, the first search for a name reads them all, once. */
static int build_hash(struct kallsyms *kallsyms)
{
	struct hash_filling filling = { .slots = 1024 };

	while (filling.slots < 2ULL * kallsyms->count)
		filling.slots *= 2;
	filling.table = calloc(filling.slots, sizeof(*filling.table));
	if (!filling.table)
		return -ENOMEM;
	kallsyms_each(kallsyms, put_hash, &filling);
	kallsyms->by_hash = filling.table;
	kallsyms->slot_count = filling.slots;
	return 0;
}

static int find_by_hash(struct kallsyms *kallsyms, const char *name, uint32_t *ret_number)
{
	char candidate[KALLSYMS_NAME_SIZE], type;
	int status = kallsyms->by_hash ? 0 : build_hash(kallsyms);

	if (status)
		return status;
	for (size_t slot = name_hash(name, strlen(name)) & (kallsyms->slot_count - 1); kallsyms->by_hash[slot];
	     slot = (slot + 1) & (kallsyms->slot_count - 1)) {
		uint32_t number = kallsyms->by_hash[slot] - 1;

		if (kallsyms_name(kallsyms, number, candidate, &type) || strcmp(candidate, name))
			continue;
		*ret_number = number;
		return 0;
	}
	return -ENOENT;
}

static int symbol_in_order(struct kallsyms *kallsyms, uint32_t rank, uint32_t *ret_number)
{
	uint8_t bytes[3];

	if (kernel_read(kallsyms->kernel, kallsyms->seqs + 3ULL * rank, bytes, sizeof(bytes)))
		return -EFAULT;
	*ret_number = (uint32_t)bytes[0] << 16 | bytes[1] << 8 | bytes[2];
	return *ret_number < kallsyms->count ? 0 : -EBADMSG;
}

static int find_by_order(struct kallsyms *kallsyms, const char *name, uint32_t *ret_number)
{
	char candidate[KALLSYMS_NAME_SIZE], type;
	uint32_t low = 0, high = kallsyms->count, number, found = UINT32_MAX;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order, status = symbol_in_order(kallsyms, middle, &number);

		if (!status)
			status = kallsyms_name(kallsyms, number, candidate, &type);
		if (status)
			return status;
		order = strcmp(candidate, name);
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
			if (!order)
				found = number;
		}
	}
	if (found == UINT32_MAX)
		return -ENOENT;
	*ret_number = found;
	return 0;
}

int kallsyms_find(struct kallsyms *kallsyms, const char *name, uint64_t *ret_address)
{
	uint32_t number;
	int status = kallsyms->seqs ? find_by_order(kallsyms, name, &number) : find_by_hash(kallsyms, name, &number);

	return status ? status : kallsyms_address(kallsyms, number, ret_address);
}

/* Of the symbols at @address, all before number @end: the first global one, else the first. */
static uint32_t best_alias(struct kallsyms *kallsyms, uint32_t end, uint64_t address)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint32_t first = end - 1, best;
	uint64_t other;

	while (first && end - first < 64 && !kallsyms_address(kallsyms, first - 1, &other) && other == address)
		first--;
	for (best = first; best < end; best++)
		if (!kallsyms_name(kallsyms, best, name, &type) && type >= 'A' && type <= 'Z')
			return best;
	return first;
}

int kallsyms_at(struct kallsyms *kallsyms, uint64_t address, char *name, size_t size, uint64_t *ret_start,
		uint64_t *ret_end)
{
	char found[KALLSYMS_NAME_SIZE], type;
	uint32_t low = 0, high = kallsyms->count; /* the first symbol above @address */
	uint64_t start, end = 0;
	int status;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		status = kallsyms_address(kallsyms, middle, &start);
		if (status)
			return status;
		if (start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	status = kallsyms_address(kallsyms, low - 1, &start);
	if (!status && low < kallsyms->count)
		status = kallsyms_address(kallsyms, low, &end);
	/* Behind the last symbol, which is an end itself; or in data, whose own symbol may be missing. */
	if (!status && start != address && (!end || (kallsyms->text_end && address >= kallsyms->text_end)))
		return -ENOENT;
	if (!status)
		status = kallsyms_name(kallsyms, best_alias(kallsyms, low, start), found, &type);
	if (status)
		return status;
	if (size) {
		size_t length = strnlen(found, size - 1);

		memcpy(name, found, length);
		name[length] = 0;
	}
	*ret_start = start;
	if (ret_end)
		*ret_end = end ? end : start;
	return 0;
}
