// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes what finds a kernel in RAM that nobody vouches for: the input is physical memory, so it holds page
 * tables and VMCOREINFO of the fuzzer's making. Input that begins "OSRELEASE=" is also looked at as that text.
 * Whatever is found must hold what page_table.h promises, and work must be bounded.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once. The corpus, tests/data/page_table,
 * was made by hand: small machines with tables of 4 and 5 levels, loops among them, and texts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "page_cache.h"
#include "page_table.h"
#include "vmcoreinfo.h"

#define BUDGET 512
#define RANGES 300

struct ram {
	struct memory_source source;
	struct memory_range range;
	const uint8_t *bytes;
	size_t size;
	size_t reads;
};

static int ram_read(struct memory_source *source, enum address_space space, struct memory_read *reads, size_t count,
		    struct error *err)
{
	struct ram *ram = (struct ram *)source;

	(void)err;
	require(space == SPACE_PHYSICAL, "a source is asked only for what it has");
	ram->reads += count;
	for (size_t i = 0; i < count; i++) {
		bool is_there = reads[i].address <= ram->size && reads[i].size <= ram->size - reads[i].address;

		reads[i].result = is_there ? 0 : -EFAULT;
		if (is_there)
			memcpy(reads[i].buffer, ram->bytes + reads[i].address, reads[i].size);
	}
	return 0;
}

static void ram_close(struct memory_source *source)
{
	free(source);
}

static const struct memory_source_ops ram_ops = { "fuzz", ram_read, ram_close };

static struct ram *ram_create(const uint8_t *data, size_t size)
{
	struct ram *ram = calloc(1, sizeof(*ram));

	require(ram != NULL, "memory");
	ram->source.ops = &ram_ops;
	ram->source.has_space[SPACE_PHYSICAL] = true;
	ram->source.ram = &ram->range;
	ram->source.ram_count = 1;
	ram->range.size = size;
	ram->bytes = data;
	ram->size = size;
	return ram;
}

static int read_table(void *context, uint64_t address, void *buffer, size_t size)
{
	struct ram *ram = context;
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };

	ram_read(&ram->source, SPACE_PHYSICAL, &read, 1, NULL);
	return read.result;
}

static void iterate(struct page_table *table)
{
	struct page_table_iterator iterator;
	struct page_table_range range;
	uint64_t first = table->levels == 5 ? 0xff00000000000000 : 0xffff800000000000;
	uint64_t after = first, reads = ((struct ram *)table->context)->reads;

	require(!page_table_iterate_begin(&iterator, table, first, UINT64_MAX, BUDGET), "memory");
	for (int i = 0; i < RANGES && page_table_iterate(&iterator, &range); i++) {
		uint64_t physical, page_size;

		require(range.virtual_start >= after && range.size, "ranges rise and are not empty");
		require(!page_table_walk(table, range.virtual_start, &physical, &page_size), "a range is mapped");
		require(physical == range.physical_start && page_size == range.page_size,
			"walk and iteration agree");
		after = range.virtual_start + (range.size - 1);
		require(after >= range.virtual_start, "ranges do not wrap");
		require(!page_table_walk(table, after, &physical, NULL), "a range is mapped to its end");
		require(physical == range.physical_start + (range.size - 1), "ranges are contiguous");
	}
	require(((struct ram *)table->context)->reads - reads <= BUDGET + 2 * 5 * RANGES, "work is bounded");
	page_table_iterate_end(&iterator);
}

static void look_at_text(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char value[20];
	uint64_t number;
	int64_t signed_number;
	size_t length;
	const char *found;

	require(text != NULL, "memory");
	found = vmcoreinfo_find(text, "OSRELEASE", &length);
	require(!found || (found >= text && length <= strlen(found)), "values lie in the text");
	if (!vmcoreinfo_text(text, "OSRELEASE", value, sizeof(value)))
		require(strlen(value) < sizeof(value), "text is cut");
	vmcoreinfo_symbol(text, "_stext", &number);
	vmcoreinfo_number(text, "phys_base", &signed_number);
	vmcoreinfo_kernel_offset(text, &number);
	free(text);
}

/* The search for an image alone: symbols and types have targets of their own. */
static void find_image(struct ram *ram)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	require(kernel != NULL, "memory");
	kernel->source = &ram->source;
	require(!page_cache_create(kernel->source, 0, &kernel->cache) &&
			!kernel_symbols_create(&kernel->symbols),
		"memory");
	if (!kernel_find_image(kernel, NULL))
		require(kernel->page_table && kernel->layout.base.value >= START_KERNEL_MAP,
			"an image that was found is mapped");
	kernel_close(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page_table *table = malloc(sizeof(*table));
	struct ram *ram = ram_create(data, size);

	require(table != NULL, "memory");
	for (unsigned levels = 4; levels <= 5; levels++) {
		page_table_init(table, 0x1000, levels, read_table, ram);
		iterate(table);
	}
	free(table);
	if (size >= 10 && !memcmp(data, VMCOREINFO_MAGIC, 10))
		look_at_text(data, size);
	find_image(ram);
	return 0;
}
