// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes the type engine: the input is BTF, as it could stand in a damaged dump. Everything is asked about
 * the types that come out of it: sizes, members, declarations, walks, values, C, searches.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once. The corpus, tests/data/btf, is
 * tests/data/kstruct/small.btf with single words changed: type ids, kinds, counts, offsets, names.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "btf_dwarf.h"
#include "error.h"
#include "fuzz.h"
#include "kernel_types.h"
#include "kernel_value.h"
#include "type_c.h"
#include "type_search.h"
#include "type_text.h"
#include "type_walk.h"

#define TYPES_MAX 64
#define VISITS_MAX 2000

struct visits {
	struct kernel_types *types;
	struct kernel_object object;
	unsigned count;
};

static int visit(const struct type_step *step, void *context)
{
	struct visits *visits = context;
	struct value value;

	require(step->name && step->path, "names and paths are never missing");
	require(strlen(step->path) < TYPE_PATH_MAX, "paths are bounded");
	if (step->kind == STEP_MEMBER) {
		value_decode(visits->types, step->type_id, step->bit_offset, step->bit_size, &visits->object,
			     &value);
		require(memchr(value.text, '\0', sizeof(value.text)) &&
				memchr(value.name, '\0', sizeof(value.name)),
			"texts of values end");
	}
	return ++visits->count > VISITS_MAX ? 2 : 0;
}

static void ask_members(struct kernel_types *types, uint32_t id)
{
	static const char *const paths[] = { "",	 "name", "siblings.next", "ids[1].kind",
					     "heads[3]", "[0]",	 "high" };
	struct kernel_member member;
	struct error err;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int status = kernel_member_find(types, id, paths[i], &member, &err);

		require(status <= 0 && (!status || err.text[0]), "a member is found, or it is said why not");
	}
}

static void ask_texts(struct kernel_types *types, uint32_t id)
{
	struct error err;
	char *text;

	if (!type_declaration(types, id, "name", &text))
		free(text);
	if (!type_to_c(types, id, &text, &err)) {
		for (const char *at = text; *at; at++)
			require((*at >= ' ' && *at < 0x7f) || *at == '\n' || *at == '\t', "C is plain ASCII");
		free(text);
	}
}

static void ask_type(struct kernel_types *types, uint32_t id)
{
	uint8_t bytes[64] = { 1, 2, 3 }, is_absent[2] = { 0 };
	struct visits visits = { types,
				 { .bytes = bytes, .size = sizeof(bytes), .is_absent = is_absent },
				 0 };
	struct kernel_enumeration enumeration;
	struct type_summary summary;
	const char *name;
	unsigned alignment;
	size_t size;

	kernel_type_size(types, id, &size);
	type_walk(types, id, "", 0, 0, visit, &visits);
	type_summarize(types, id, &summary);
	alignment = type_alignment(types, id);
	require(alignment && !(alignment & (alignment - 1)), "alignments are powers of two");
	for (uint32_t i = 0; !kernel_enumeration(types, id, &enumeration) && i < enumeration.count; i++)
		kernel_enumerator_at(&enumeration, i, &name);
	ask_members(types, id);
	ask_texts(types, id);
}

/* Written twice, with the same sizes: else no reference would be right. */
static void ask_dwarf(struct kernel_types *types)
{
	const struct dwarf_symbol symbols[] = { { "call", 0x1000, 16, 4, true, true } };
	const struct dwarf_contents contents = {
		.producer = "fuzz", .types = types, .symbols = symbols, .symbol_count = 1
	};
	struct dwarf_sections sections = { 0 };
	uint32_t length;
	size_t count;

	btf_dwarf_put(&contents, &sections, &count);
	require(!sections.info.status && sections.info.size > 4, "any types can be written");
	memcpy(&length, sections.info.bytes, sizeof(length));
	require(length + sizeof(length) == sections.info.size, "the unit says how long it is");
	dwarf_sections_deinit(&sections);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct type_filter filter = { .pattern = "a", .containing = "list_head" };
	struct kernel_types *types = NULL;
	struct type_matches matches;
	struct error err = { 0 };
	const char *near[4];
	int status = kernel_types_open(data, size, "fuzz", &types, &err);
	int64_t value;
	uint32_t id;

	require(status <= 0 && status == err.code, "codes are negative and in the error");
	require(status == 0 || (err.text[0] && !types), "failure says why and gives nothing");
	if (status)
		return 0;
	for (id = 0; id < btf__type_cnt(kernel_types_btf(types)) + 1 && id < TYPES_MAX; id++)
		ask_type(types, id);
	ask_dwarf(types);
	kernel_type_find(types, "struct animal", &id);
	kernel_enumerator(types, "STATE_BUSY", &value);
	type_names_near(types, "anmal", near, 4);
	if (!type_search(types, &filter, &matches, &err))
		type_matches_deinit(&matches);
	kernel_types_close(types);
	return 0;
}
