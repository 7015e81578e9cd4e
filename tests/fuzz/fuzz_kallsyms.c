// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes the search for kallsyms tables and the tables themselves: the input is a kernel's image from its
 * data on, behind a head of six u32: where in it VMCOREINFO says that names, num_syms, token_table,
 * token_index, offsets and relative_base are; 0: it doesn't say. Whatever is found must hold what
 * lib/kernel/kallsyms.h promises.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once. The corpus, tests/data/kallsyms,
 * was written by tests/unit/kallsyms_image.h, whose names of addresses it uses: one file for each layout of
 * tables.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kallsyms.h"
#include "kernel.h"
#include "kernel_symbols.h"
#include "page_cache.h"

#define IMAGE_DATA 0xffff888000004000ULL /* of tests/unit/kallsyms_image.h */
#define HEAD_WORDS 6
#define ASKED 64

struct image {
	struct memory_source source;
	const uint8_t *bytes;
	size_t size;
};

static int image_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		      size_t count, struct error *err)
{
	struct image *image = (struct image *)source;

	(void)err;
	require(space == SPACE_VIRTUAL, "a source is asked only for what it has");
	for (size_t i = 0; i < count; i++) {
		uint64_t at = reads[i].address - IMAGE_DATA;
		bool is_there = reads[i].address >= IMAGE_DATA && at <= image->size &&
				reads[i].size <= image->size - at;

		reads[i].result = is_there ? 0 : -EFAULT;
		if (is_there)
			memcpy(reads[i].buffer, image->bytes + at, reads[i].size);
	}
	return 0;
}

static void image_close(struct memory_source *source)
{
	free(source);
}

static const struct memory_source_ops image_ops = { "fuzz", image_read, image_close };

static char *vmcoreinfo_text(const uint32_t *head)
{
	static const char *const names[HEAD_WORDS] = { "names",	      "num_syms", "token_table",
						       "token_index", "offsets",  "relative_base" };
	char *text = calloc(1, 1024);
	size_t used = 0;

	require(text != NULL, "memory");
	for (int i = 0; i < HEAD_WORDS; i++)
		if (head[i])
			used += sprintf(text + used, "SYMBOL(kallsyms_%s)=%llx\n", names[i],
					IMAGE_DATA + head[i]);
	return text;
}

static struct kernel *kernel_create(const uint8_t *data, size_t size)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct image *image = calloc(1, sizeof(*image));
	uint32_t head[HEAD_WORDS];

	require(kernel && image, "memory");
	memcpy(head, data, sizeof(head));
	image->source.ops = &image_ops;
	image->source.has_space[SPACE_VIRTUAL] = true;
	image->bytes = data + sizeof(head);
	image->size = size - sizeof(head);
	kernel->source = &image->source;
	kernel->vmcoreinfo = vmcoreinfo_text(head);
	kernel->layout.base = (struct kernel_fact){ IMAGE_DATA, "fuzz" };
	require(!page_cache_create(kernel->source, CACHE_PAGES_MAX, &kernel->cache) &&
			!kernel_symbols_create(&kernel->symbols),
		"memory");
	return kernel;
}

static void look_at(struct kallsyms *kallsyms, uint64_t address)
{
	char name[16];
	uint64_t start, end;

	memset(name, 'x', sizeof(name));
	if (kallsyms_at(kallsyms, address, name, sizeof(name), &start, &end))
		return;
	require(memchr(name, 0, sizeof(name)) != NULL, "names are cut");
	require(start <= address && (end > address || start == address), "a symbol covers the address");
}

static void look_up(struct kallsyms *kallsyms, uint32_t number)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint64_t address, found;
	int status = kallsyms_address(kallsyms, number, &address);

	require(status == 0 || status == -EFAULT, "a number has an address or can't be read");
	if (!status) {
		look_at(kallsyms, address);
		look_at(kallsyms, address + 1);
	}
	memset(name, 'x', sizeof(name));
	if (kallsyms_name(kallsyms, number, name, &type))
		return;
	require(memchr(name, 0, sizeof(name)) != NULL, "names end");
	require(type != 0, "a name has a type");
	kallsyms_find(kallsyms, name, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kallsyms *kallsyms = NULL;
	struct error err = { 0 };
	struct kernel *kernel;
	uint64_t found;
	int status;

	if (size < HEAD_WORDS * sizeof(uint32_t))
		return 0;
	kernel = kernel_create(data, size);
	status = kallsyms_open(kernel, &kallsyms, &err);
	require(status <= 0 && status == err.code, "codes are negative and in the error");
	require(status == 0 || (err.text[0] && !kallsyms), "failure says why and gives nothing");
	if (!status) {
		require(kallsyms->count && kallsyms->count <= size, "each symbol has a byte at least");
		for (uint32_t i = 0; i < ASKED; i++)
			look_up(kallsyms, (uint64_t)i * (kallsyms->count - 1) / (ASKED - 1));
		look_at(kallsyms, 0);
		look_at(kallsyms, UINT64_MAX);
		require(kallsyms_find(kallsyms, "linux_banner", &found) == 0 ||
				kallsyms_find(kallsyms, "_text", &found) == 0,
			"what proves the tables is found");
		kallsyms_close(kallsyms);
	}
	kernel_close(kernel);
	return 0;
}
