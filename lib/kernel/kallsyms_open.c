// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Opening located kallsyms tables: loads the small ones, and finds out by trial what offsets mean and whether
 * there is an order of names. The proof is a symbol whose place is known otherwise: linux_banner, which begins
 * "Linux version ", or _text, which is the kernel's base. On 6.15 and later two encodings both look plausible,
 * so nothing less will do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kallsyms.h"
#include "kernel.h"

#define TOKEN_BYTES 8192 /* kallsyms_find.c has seen 256 strings end within */

DEFINE_CLEANUP(kallsyms, struct kallsyms *, kallsyms_close(v));

static int load_tables(struct kallsyms *kallsyms, const struct kallsyms_places *places)
{
	size_t blocks = (places->count + 255) / 256;
	size_t at = 0;

	kallsyms->names = places->names;
	kallsyms->count = places->count;
	kallsyms->block_number = UINT32_MAX;
	kallsyms->markers = calloc(blocks, sizeof(*kallsyms->markers));
	kallsyms->tokens = malloc(TOKEN_BYTES + 1);
	kallsyms->block = malloc(256 * (2 + KALLSYMS_NAME_SIZE));
	if (!kallsyms->markers || !kallsyms->tokens || !kallsyms->block)
		return -ENOMEM;
	if (kernel_read(kallsyms->kernel, places->markers, kallsyms->markers, blocks * sizeof(uint32_t)) ||
	    kernel_read(kallsyms->kernel, places->token_table, kallsyms->tokens, TOKEN_BYTES))
		return -EFAULT;
	kallsyms->tokens[TOKEN_BYTES] = 0;
	for (int i = 0; i < 256 && at < TOKEN_BYTES; i++) {
		kallsyms->token_start[i] = at;
		at += strlen((const char *)kallsyms->tokens + at) + 1;
	}
	return 0;
}

/*
 * True when the first 16, those in the middle and the last are numbers of symbols in the order of their
 * names. Those of one name are in the order of their addresses, so that no number is there twice: memory full
 * of zeros is no order. The last ones tell an order from what is one but begins some entries late.
 */
static bool is_order(struct kallsyms *kallsyms, uint64_t seqs)
{
	char name[2][KALLSYMS_NAME_SIZE] = { "" };
	uint32_t last = 0;
	char type;
	uint32_t parts[] = { 0, kallsyms->count / 2, kallsyms->count - 16 };

	for (size_t part = 0; part < sizeof(parts) / sizeof(*parts); part++) {
		uint8_t bytes[48];

		name[0][0] = 0;
		if (kernel_read(kallsyms->kernel, seqs + 3ULL * parts[part], bytes, sizeof(bytes)))
			return false;
		for (int i = 0; i < 16; i++) {
			uint32_t number = (uint32_t)bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

			int order;

			if (kallsyms_name(kallsyms, number, name[1], &type))
				return false;
			order = strcmp(name[0], name[1]);
			if (order > 0 || (!order && number <= last))
				return false;
			strcpy(name[0], name[1]);
			last = number;
		}
	}
	return true;
}

/* Behind the table that ends at @end, or behind a relative_base after it; aligned to 4 or 8. */
static bool find_order(struct kallsyms *kallsyms, uint64_t end)
{
	for (uint64_t unit = 4; unit <= 8; unit *= 2) {
		for (uint64_t base_size = 0; base_size <= 8; base_size += 8) {
			uint64_t seqs = ((end + unit - 1) & ~(unit - 1)) + base_size;

			if (!is_order(kallsyms, seqs))
				continue;
			kallsyms->seqs = seqs;
			return true;
		}
	}
	return false;
}

/* Whether addresses come out right: of linux_banner, or where the kernel hides data, of _text. */
static bool prove_addresses(struct kallsyms *kallsyms)
{
	static const char banner[] = "Linux version ";
	char text[sizeof(banner) - 1];
	uint64_t address;

	if (!kallsyms_find(kallsyms, "linux_banner", &address))
		return !kernel_read(kallsyms->kernel, address, text, sizeof(text)) &&
		       !memcmp(text, banner, sizeof(text));
	return !kallsyms_find(kallsyms, "_text", &address) && kallsyms->kernel->layout.base.origin &&
	       address == kallsyms->kernel->layout.base.value;
}

static bool try_offsets(struct kallsyms *kallsyms, uint64_t offsets, uint64_t base_place)
{
	kallsyms->offsets = offsets;
	for (int encoding = KALLSYMS_ABSOLUTE_PERCPU; encoding < KALLSYMS_ENCODINGS; encoding++) {
		kallsyms->encoding = encoding;
		kallsyms->relative_base = 0;
		if (encoding != KALLSYMS_PLACE_RELATIVE &&
		    (!base_place || kernel_read_u64(kallsyms->kernel, base_place, &kallsyms->relative_base)))
			continue;
		if (prove_addresses(kallsyms))
			return true;
	}
	return false;
}

/* offsets and relative_base lie behind token_index (6.4 on), or before num_syms. */
static int find_offsets(struct kallsyms *kallsyms, const struct kallsyms_places *places)
{
	uint64_t size = 4ULL * kallsyms->count;

	if (places->offsets && try_offsets(kallsyms, places->offsets, places->relative_base))
		return 0;
	for (uint64_t unit = 4; unit <= 8; unit *= 2) {
		uint64_t offsets = (places->token_index + 512 + unit - 1) & ~(unit - 1);
		uint64_t base = (places->num_syms - 8) & ~7ULL;

		if (try_offsets(kallsyms, offsets, (offsets + size + 7) & ~7ULL) ||
		    try_offsets(kallsyms, (base - size) & ~(unit - 1), base))
			return 0;
	}
	return -EBADMSG;
}

int kallsyms_open(struct kernel *kernel, struct kallsyms **ret_kallsyms, struct error *err)
{
	CLEANUP(kallsyms) struct kallsyms *kallsyms = calloc(1, sizeof(*kallsyms));
	struct kallsyms_places places;
	uint64_t markers_end, index_end, size, banner;
	int status;

	if (!kallsyms)
		return error_set(err, -ENOMEM, "kallsyms: out of memory");
	kallsyms->kernel = kernel;
	status = kallsyms_locate(kernel, &places, err);
	if (status)
		return status;
	status = load_tables(kallsyms, &places);
	if (status)
		return error_set(err, status, "kallsyms: the tables at %#lx can't be read", (long)places.names);
	markers_end = places.markers + 4ULL * ((places.count + 255) / 256);
	index_end = places.token_index + 512;
	size = 4ULL * places.count;
	/* Names need no offsets, so the order can be found first, which saves a hash of all names. */
	if (!find_order(kallsyms, markers_end) &&
	    !find_order(kallsyms, ((index_end + 3) & ~3ULL) + size) &&
	    !find_order(kallsyms, ((index_end + 7) & ~7ULL) + size) && places.offsets)
		find_order(kallsyms, places.offsets + size);
	status = find_offsets(kallsyms, &places);
	if (!status && kallsyms_find(kallsyms, "linux_banner", &banner) &&
	    kallsyms_find(kallsyms, "_etext", &kallsyms->text_end))
		kallsyms->text_end = 0;
	if (status)
		return error_set(err, status, "kallsyms: %u names, but no offsets that lead to linux_banner",
				 places.count);
	*ret_kallsyms = TAKE_PTR(kallsyms);
	return 0;
}
