// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What lib/heap/heap_sites.h finds in the kernel of a dump, as JSON for heap_sites.py.
 * usage: heap_sites DUMP
 */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "heap_sites.h"
#include "insn_x86.h"
#include "kernel.h"
#include "source_file.h"

static json_t *place(const struct value_place *place)
{
	switch (place->kind) {
	case PLACE_REGISTER:
		return json_pack("{s:s,s:s}", "kind", "register", "register",
				 insn_x86_register_name(place->number));
	case PLACE_STACK:
		return json_pack("{s:s,s:I}", "kind", "stack", "offset", (json_int_t)place->offset);
	case PLACE_MEMORY:
		return json_pack("{s:s,s:s,s:I}", "kind", "memory", "register",
				 insn_x86_register_name(place->number), "offset", (json_int_t)place->offset);
	case PLACE_CONSTANT:
		return json_pack("{s:s,s:I}", "kind", "constant", "offset", (json_int_t)place->offset);
	default:
		return json_null();
	}
}

static json_t *arguments(const struct heap_arguments *arguments)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "cache", place(&arguments->cache), "size",
			 place(&arguments->size), "object", place(&arguments->object), "array",
			 place(&arguments->array), "count", place(&arguments->count), "caller",
			 place(&arguments->caller));
}

static json_t *functions(const struct heap_sites *sites)
{
	static const char *const calls[] = { "alloc", "free", "alloc_bulk", "free_bulk" };
	json_t *list = json_array();

	for (size_t i = 0; i < sites->function_count; i++) {
		const struct heap_function *function = &sites->functions[i];
		bool is_by_code = false;

		for (size_t j = 0; j < sites->by_code_count; j++)
			is_by_code |= sites->by_code[j] == i;
		json_array_append_new(list,
				      json_pack("{s:s,s:I,s:s,s:b,s:b,s:o}", "name", function->name, "start",
						(json_int_t)function->start, "call", calls[function->call],
						"is_inner", function->is_inner, "is_by_code", is_by_code,
						"at_entry", arguments(&function->at_entry)));
	}
	return list;
}

static json_t *site_list(const struct heap_sites *sites)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sites->site_count; i++) {
		const struct heap_site *site = &sites->sites[i];

		json_array_append_new(
			list, json_pack("{s:I,s:i,s:b,s:I,s:s,s:I,s:s,s:b,s:I,s:I,s:o}", "ip_after",
					(json_int_t)site->ip_after, "function", (int)site->function,
					"may_be_repeated", site->may_be_repeated, "via_return",
					(json_int_t)site->via_return, "via_register",
					insn_x86_register_name(site->via_register), "via_offset",
					(json_int_t)site->via_offset, "frame_register",
					insn_x86_register_name(site->frame_register), "frame_is_stored",
					site->frame_is_stored, "frame_offset", (json_int_t)site->frame_offset,
					"frame_addend", (json_int_t)site->frame_addend, "arguments",
					arguments(&site->arguments)));
	}
	return list;
}

static json_t *global_list(const struct heap_sites *sites)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sites->global_count; i++)
		json_array_append_new(list, json_pack("{s:s,s:I,s:i}", "name", sites->globals[i].name,
						      "address", (json_int_t)sites->globals[i].address,
						      "size", (int)sites->globals[i].size));
	return list;
}

static json_t *unseen_list(const struct heap_sites *sites)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sites->unseen_count; i++)
		json_array_append_new(list, json_pack("{s:s,s:s}", "name", sites->unseen[i].name, "why",
						      sites->unseen[i].why));
	return list;
}

int main(int argc, char **argv)
{
	struct kernel_files files = { 0 };
	struct memory_source *source;
	struct heap_sites *sites;
	struct timespec before, after;
	struct error error = { 0 };
	struct kernel *kernel;
	json_t *root;

	if (argc != 2)
		return 2;
	if (source_file_open(argv[1], &source, &error) || kernel_open(source, &files, &kernel, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	if (heap_sites_find(kernel, &sites, &error)) {
		fprintf(stderr, "%s\n", error.text);
		kernel_close(kernel);
		return 1;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	root = json_pack("{s:s,s:f,s:o,s:o,s:o,s:o}", "release", kernel->release, "cpu_ms",
			 (double)(after.tv_sec - before.tv_sec) * 1e3 +
				 (double)(after.tv_nsec - before.tv_nsec) / 1e6,
			 "globals", global_list(sites), "functions", functions(sites), "sites",
			 site_list(sites), "unseen", unseen_list(sites));
	json_dumpf(root, stdout, JSON_INDENT(1));
	json_decref(root);
	heap_sites_free(sites);
	kernel_close(kernel);
	return 0;
}
