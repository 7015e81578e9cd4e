/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A memory source for tests: some bytes of physical memory and of virtual memory, built by the test, which
 * counts what is asked of it. Physical memory begins at 0; virtual memory at MEMORY_VIRTUAL, if there is any.
 */
#ifndef DILL_TESTS_KERNEL_MEMORY_H
#define DILL_TESTS_KERNEL_MEMORY_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "page_cache.h"
#include "page_table.h"

#define MEMORY_VIRTUAL 0xffff888000000000ULL
#define PAGE 4096ULL

struct memory {
	struct memory_source source;
	uint8_t *bytes[2];
	size_t size[2];
	uint64_t hole; /* virtual or physical page that can't be read; 0: none */
	size_t calls, reads, largest;
	bool is_gone;
	uint64_t next_table; /* physical page that memory_map() takes next for a table */
};

#define TABLE_PRESENT 0x63ULL
#define TABLE_HUGE 0x80ULL

static inline int memory_read_all(struct memory_source *source, enum address_space space,
				  struct memory_read *reads, size_t count, struct error *err)
{
	struct memory *memory = (struct memory *)source;
	uint64_t start = space == SPACE_VIRTUAL ? MEMORY_VIRTUAL : 0;

	memory->calls++;
	memory->reads += count;
	if (count > memory->largest)
		memory->largest = count;
	if (memory->is_gone)
		return error_set(err, -EIO, "the source is gone");
	for (size_t i = 0; i < count; i++) {
		uint64_t at = reads[i].address - start;
		bool is_hole = memory->hole && reads[i].address < memory->hole + PAGE &&
			       reads[i].address + reads[i].size > memory->hole;

		reads[i].result = -EFAULT;
		if (reads[i].address < start || at > memory->size[space] ||
		    reads[i].size > memory->size[space] - at || is_hole)
			continue;
		memcpy(reads[i].buffer, memory->bytes[space] + at, reads[i].size);
		reads[i].result = 0;
	}
	return 0;
}

static inline void memory_close(struct memory_source *source)
{
	struct memory *memory = (struct memory *)source;

	free(memory->bytes[0]);
	free(memory->bytes[1]);
	free(memory);
}

static const struct memory_source_ops memory_ops = { "test", memory_read_all, memory_close };

/* Zeros; a size of 0 is an address space that the source hasn't got. */
static inline struct memory *memory_create(size_t physical_size, size_t virtual_size)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	memory->source.ops = &memory_ops;
	memory->size[SPACE_PHYSICAL] = physical_size;
	memory->size[SPACE_VIRTUAL] = virtual_size;
	for (int space = 0; space < 2; space++) {
		memory->source.has_space[space] = memory->size[space] != 0;
		memory->bytes[space] = calloc(1, memory->size[space] + 1);
	}
	return memory;
}

static inline void memory_put(struct memory *memory, uint64_t physical, uint64_t value)
{
	memcpy(memory->bytes[SPACE_PHYSICAL] + physical, &value, sizeof(value));
}

static inline uint64_t memory_get(const struct memory *memory, uint64_t physical)
{
	uint64_t value;

	memcpy(&value, memory->bytes[SPACE_PHYSICAL] + physical, sizeof(value));
	return value;
}

/* Where the page table entry of @level for @address is; tables on the way are made. */
static inline uint64_t memory_entry(struct memory *memory, uint64_t root, unsigned levels, uint64_t address,
				    unsigned level)
{
	uint64_t at = root;

	for (unsigned l = levels;; l--) {
		uint64_t entry = at + 8 * (address >> (12 + 9 * (l - 1)) & 511);
		uint64_t value;

		if (l == level)
			return entry;
		if (memory->next_table + PAGE > memory->size[SPACE_PHYSICAL])
			abort();
		memcpy(&value, memory->bytes[SPACE_PHYSICAL] + entry, sizeof(value));
		if (!value) {
			value = memory->next_table | TABLE_PRESENT;
			memcpy(memory->bytes[SPACE_PHYSICAL] + entry, &value, sizeof(value));
			memory->next_table += PAGE;
		}
		at = value & 0x000ffffffffff000;
	}
}

/* One page of 4 KiB, 2 MiB or 1 GiB: levels 1, 2 and 3. */
static inline void memory_map(struct memory *memory, uint64_t root, unsigned levels, uint64_t address,
			      uint64_t physical, unsigned level)
{
	uint64_t value = physical | TABLE_PRESENT | (level > 1 ? TABLE_HUGE : 0);

	memcpy(memory->bytes[SPACE_PHYSICAL] + memory_entry(memory, root, levels, address, level), &value,
	       sizeof(value));
}

static inline void memory_put_virtual(struct memory *memory, uint64_t address, uint64_t value)
{
	memcpy(memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL), &value, sizeof(value));
}

/* A kernel that was not looked for: its reads work. With @root, through page tables of @levels there. */
static inline struct kernel *memory_kernel(struct memory *memory, uint64_t root, unsigned levels)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	kernel->source = &memory->source;
	kernel->page_struct_size = 64;
	if (page_cache_create(kernel->source, CACHE_PAGES_MAX, &kernel->cache) ||
	    kernel_symbols_create(&kernel->symbols))
		abort();
	if (root) {
		kernel->page_table = malloc(sizeof(*kernel->page_table));
		page_table_init(kernel->page_table, root, levels, kernel_read_table, kernel);
		kernel->is_translating = true;
	}
	return kernel;
}

/* Symbols from @text, as System.map has them. */
static inline void kernel_name_symbols(struct kernel *kernel, const char *text)
{
	char path[64];
	int fd = memfd_create("symbols", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    kernel_symbols_add_text(kernel->symbols, path, 0, NULL))
		abort();
	close(fd);
}

#endif
