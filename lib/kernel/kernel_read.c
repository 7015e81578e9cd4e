// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads at kernel addresses: translation in front of the page cache, or straight to the source's own virtual
 * space. A virtual read becomes pieces, each physically contiguous; pieces of many reads go out together.
 */
#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "kernel_open.h"
#include "page_cache.h"
#include "page_table.h"

/* From here on reads go around the cache: they are scans, and would empty it. */
#define LARGE_READ 65536
#define PIECES_MAX 256
/* Prefetching more would throw out what it brought. */
#define PREFETCH_PAGES (CACHE_PAGES_MAX / 2)

/* Pieces under way. reads[i] belongs to owners[i]. */
struct pieces {
	struct memory_read reads[PIECES_MAX];
	struct memory_read *owners[PIECES_MAX];
	size_t count;
	enum address_space space;
	bool is_large;
};

static int give_up(struct kernel *kernel, const struct error *error, int status)
{
	kernel->reader = *error;
	kernel->reader.code = status;
	return status;
}

static void follow_generation(struct kernel *kernel)
{
	if (kernel->generation != kernel->source->generation)
		kernel_forget(kernel);
}

void kernel_forget(struct kernel *kernel)
{
	page_cache_forget(kernel->cache);
	if (kernel->page_table)
		page_table_forget(kernel->page_table);
	kernel->generation = kernel->source->generation;
}

static int read_cached(struct kernel *kernel, enum address_space space, struct memory_read *reads, size_t count)
{
	struct error error = { 0 };
	int status;

	if (kernel->reader.code)
		return kernel->reader.code;
	status = page_cache_read(kernel->cache, space, reads, count, &error);
	return status ? give_up(kernel, &error, status) : 0;
}

static int read_uncached(struct kernel *kernel, enum address_space space, struct memory_read *reads, size_t count)
{
	struct error error = { 0 };
	int status;

	if (kernel->reader.code)
		return kernel->reader.code;
	status = kernel->source->ops->read(kernel->source, space, reads, count, &error);
	return status ? give_up(kernel, &error, status) : 0;
}

int kernel_read_table(void *context, uint64_t address, void *buffer, size_t size)
{
	struct kernel *kernel = context;
	bool is_physical = kernel->source->has_space[SPACE_PHYSICAL];
	enum address_space space = is_physical ? SPACE_PHYSICAL : SPACE_VIRTUAL;
	struct memory_read read = { .buffer = buffer, .size = size };
	uint64_t at = is_physical ? address : address + kernel->layout.page_offset_base.value;
	const uint8_t *page = page_cache_peek(kernel->cache, space, at);
	size_t offset = at & (CACHE_PAGE_SIZE - 1);
	int status;

	if (page && offset + size <= CACHE_PAGE_SIZE) {
		memcpy(buffer, page + offset, size);
		return 0;
	}
	read.address = at;
	status = read_cached(kernel, space, &read, 1);
	return status ? status : read.result;
}

static int flush(struct kernel *kernel, struct pieces *pieces)
{
	int status;

	if (!pieces->count)
		return 0;
	status = pieces->is_large ? read_uncached(kernel, pieces->space, pieces->reads, pieces->count)
				  : read_cached(kernel, pieces->space, pieces->reads, pieces->count);
	for (size_t i = 0; i < pieces->count; i++)
		if (status || pieces->reads[i].result)
			pieces->owners[i]->result = -EFAULT;
	pieces->count = 0;
	return status;
}

static int add_piece(struct kernel *kernel, struct pieces *pieces, struct memory_read *owner, uint64_t address,
		     uint8_t *to, size_t size)
{
	size_t i = pieces->count;
	struct memory_read *last = i ? &pieces->reads[i - 1] : NULL;

	if (last && pieces->owners[i - 1] == owner && last->address + last->size == address) {
		last->size += size;
		return 0;
	}
	pieces->reads[i] = (struct memory_read){ .address = address, .buffer = to, .size = size };
	pieces->owners[i] = owner;
	pieces->count++;
	return pieces->count == PIECES_MAX ? flush(kernel, pieces) : 0;
}

/* One virtual read into pieces. What isn't mapped is -EFAULT before anything is read. */
static int add_translated(struct kernel *kernel, struct pieces *pieces, struct memory_read *read)
{
	uint64_t address = read->address;
	uint8_t *to = read->buffer;
	size_t left = read->size;
	int status = 0;

	read->result = 0;
	if (left && address + (left - 1) < address)
		read->result = -EFAULT;
	while (left && !status && !read->result) {
		uint64_t physical, page_size;
		size_t size;

		if (page_table_walk(kernel->page_table, address, &physical, &page_size)) {
			read->result = -EFAULT;
			break;
		}
		size = page_size - (address & (page_size - 1));
		size = size < left ? size : left;
		status = add_piece(kernel, pieces, read, physical, to, size);
		address += size;
		to = to ? to + size : NULL;
		left -= size;
	}
	return status;
}

static int read_many(struct kernel *kernel, struct memory_read *reads, size_t count, bool is_large)
{
	struct pieces pieces;
	int status = 0;

	if (!kernel->is_translating)
		return is_large ? read_uncached(kernel, SPACE_VIRTUAL, reads, count)
				: read_cached(kernel, SPACE_VIRTUAL, reads, count);
	pieces.count = 0;
	pieces.space = SPACE_PHYSICAL;
	pieces.is_large = is_large;
	for (size_t i = 0; i < count && !status; i++)
		status = add_translated(kernel, &pieces, &reads[i]);
	if (!status)
		status = flush(kernel, &pieces);
	return status;
}

int kernel_read_many(struct kernel *kernel, struct memory_read *reads, size_t count)
{
	size_t start = 0;
	int status = 0;

	follow_generation(kernel);
	/* Runs of small and of large ones. */
	while (start < count && !status) {
		bool is_large = reads[start].size >= LARGE_READ;
		size_t end = start + 1;

		while (end < count && (reads[end].size >= LARGE_READ) == is_large)
			end++;
		status = read_many(kernel, reads + start, end - start, is_large);
		start = end;
	}
	for (size_t i = 0; status && i < count; i++)
		reads[i].result = -EFAULT;
	return status;
}

/* The cached page that holds @address, or NULL. */
static const uint8_t *peek(struct kernel *kernel, uint64_t address)
{
	uint64_t physical;

	follow_generation(kernel);
	if (!kernel->is_translating)
		return page_cache_peek(kernel->cache, SPACE_VIRTUAL, address);
	if (page_table_walk(kernel->page_table, address, &physical, NULL))
		return NULL;
	return page_cache_peek(kernel->cache, SPACE_PHYSICAL, physical);
}

int kernel_read(struct kernel *kernel, uint64_t address, void *buffer, size_t size)
{
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };
	size_t offset = address & (CACHE_PAGE_SIZE - 1);
	int status;

	if (size <= CACHE_PAGE_SIZE - offset) {
		const uint8_t *page = peek(kernel, address);

		if (page) {
			memcpy(buffer, page + offset, size);
			return 0;
		}
	}
	status = kernel_read_many(kernel, &read, 1);
	return status ? status : read.result;
}

void kernel_prefetch(struct kernel *kernel, const struct memory_range *ranges, size_t count)
{
	struct memory_read reads[PIECES_MAX];
	size_t read_count = 0, budget = PREFETCH_PAGES;

	follow_generation(kernel);
	for (size_t i = 0; i < count && budget; i++) {
		uint64_t page = ranges[i].start & ~(uint64_t)(CACHE_PAGE_SIZE - 1);
		uint64_t last = ranges[i].start + ranges[i].size - 1;

		if (!ranges[i].size || last < ranges[i].start)
			continue;
		/* Page by page: one that is missing takes no other with it. */
		for (uint64_t pages = (last - page) / CACHE_PAGE_SIZE + 1; pages && budget; pages--, budget--) {
			reads[read_count++] = (struct memory_read){ .address = page, .size = CACHE_PAGE_SIZE };
			page += CACHE_PAGE_SIZE;
			if (read_count < PIECES_MAX)
				continue;
			if (read_many(kernel, reads, read_count, false))
				return;
			read_count = 0;
		}
	}
	read_many(kernel, reads, read_count, false);
}

int kernel_read_u8(struct kernel *kernel, uint64_t address, uint8_t *ret_value)
{
	return kernel_read(kernel, address, ret_value, sizeof(*ret_value));
}

/* The rest leave the output alone on failure: a read that spans pages may have written half of it. */
int kernel_read_u16(struct kernel *kernel, uint64_t address, uint16_t *ret_value)
{
	uint16_t value;
	int status = kernel_read(kernel, address, &value, sizeof(value));

	if (!status)
		*ret_value = value;
	return status;
}

int kernel_read_u32(struct kernel *kernel, uint64_t address, uint32_t *ret_value)
{
	uint32_t value;
	int status = kernel_read(kernel, address, &value, sizeof(value));

	if (!status)
		*ret_value = value;
	return status;
}

int kernel_read_u64(struct kernel *kernel, uint64_t address, uint64_t *ret_value)
{
	uint64_t value;
	int status = kernel_read(kernel, address, &value, sizeof(value));

	if (!status)
		*ret_value = value;
	return status;
}

int kernel_read_string(struct kernel *kernel, uint64_t address, char *buffer, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		size_t in_page = CACHE_PAGE_SIZE - (address & (CACHE_PAGE_SIZE - 1));
		size_t piece = size - 1 - length < in_page ? size - 1 - length : in_page;
		int status = kernel_read(kernel, address, buffer + length, piece);
		const char *end;

		if (status && !length)
			return status;
		if (status)
			break;
		end = memchr(buffer + length, '\0', piece);
		if (end)
			return 0;
		length += piece;
		address += piece;
	}
	if (size)
		buffer[length] = '\0';
	return 0;
}

int kernel_read_physical(struct kernel *kernel, uint64_t address, void *buffer, size_t size)
{
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };
	uint64_t direct;
	int status;

	follow_generation(kernel);
	if (kernel->source->has_space[SPACE_PHYSICAL]) {
		status = size >= LARGE_READ ? read_uncached(kernel, SPACE_PHYSICAL, &read, 1)
					    : read_cached(kernel, SPACE_PHYSICAL, &read, 1);
		return status ? status : read.result;
	}
	status = kernel_pfn_to_direct(kernel, address >> 12, &direct);
	return status ? status : kernel_read(kernel, direct + (address & 0xfff), buffer, size);
}

int kernel_translate(struct kernel *kernel, uint64_t address, uint64_t *ret_physical, uint64_t *ret_page_size)
{
	follow_generation(kernel);
	if (kernel->reader.code)
		return kernel->reader.code;
	if (!kernel->page_table)
		return -EOPNOTSUPP;
	return page_table_walk(kernel->page_table, address, ret_physical, ret_page_size);
}
