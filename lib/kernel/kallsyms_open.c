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

/* True when the first 16 and the 16 in the middle are numbers of symbols in the order of their names. */
static bool is_order(struct kallsyms *kallsyms, uint64_t seqs)
{
	char name[2][KALLSYMS_NAME_SIZE] = { "" };
	char type;

	for (int part = 0; part < 2; part++) {
		uint8_t bytes[48];

		name[0][0] = 0;
		if (kernel_read(kallsyms->kernel, seqs + (part ? 3ULL * (kallsyms->count / 2) : 0), bytes, 48))
			return false;
		for (int i = 0; i < 16; i++) {
			uint32_t number = (uint32_t)bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

			if (kallsyms_name(kallsyms, number, name[1], &type) || strcmp(name[0], name[1]) > 0)
				return false;
			strcpy(name[0], name[1]);
		}
	}
	return true;
}

/* Behind the markers, or behind whatever @end is the end of; aligned to 4 or 8. */
static void find_order(struct kallsyms *kallsyms, uint64_t markers_end, uint64_t offsets_end)
{
	uint64_t ends[] = { markers_end, offsets_end, offsets_end + 8 };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		for (uint64_t unit = 4; unit <= 8; unit *= 2) {
			uint64_t seqs = (ends[i] + unit - 1) & ~(unit - 1);

			if (!is_order(kallsyms, seqs))
				continue;
			kallsyms->seqs = seqs;
			return;
		}
	}
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
	uint64_t markers_end, banner;
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
	/* Names need no offsets, so the order can be found first, which saves a hash of all names. */
	find_order(kallsyms, markers_end, (places.token_index + 512 + 7) / 8 * 8 + 4ULL * places.count);
	if (!kallsyms->seqs && places.offsets)
		find_order(kallsyms, markers_end, places.offsets + 4ULL * places.count);
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
