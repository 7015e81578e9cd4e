// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What an event tells beyond its numbers: cache, names. Everything that can change is read for every event, so
 * that a cache that was destroyed never lends its name to another; what was read before only tells where to
 * look, so that one round trip does.
 */
#include <errno.h>
#include <string.h>

#include "heap_trace_private.h"
#include "kernel.h"
#include "kernel_value.h"
#include "slab_heap.h"

#define PAGE_BYTES 4096

static size_t slot_of(uint64_t address, size_t count)
{
	return (size_t)((address * 0x9e3779b97f4a7c15ULL) >> 40) & (count - 1);
}

int heap_fact_cache_of(struct heap_trace *trace, struct heap_stop *stop, uint64_t object, uint64_t *ret_cache,
		       struct error *err)
{
	const struct slab_layout *layout = &trace->slab_layout;
	char bytes[SLAB_PAGE_BYTES_MAX];
	uint64_t physical, page, head;
	struct memory_read read;
	int status;

	*ret_cache = 0;
	if (kernel_direct_to_physical(trace->kernel, object, &physical) ||
	    kernel_pfn_to_page(trace->kernel, physical / PAGE_BYTES, &page))
		return 0;
	read = heap_read(page, bytes, layout->page.size);
	status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
	if (status || read.result)
		return status;
	head = slab_layout_head(layout, page, bytes);
	if (head != page) {
		read.address = head;
		status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
		if (status || read.result)
			return status;
	}
	if (slab_layout_is_slab(layout, bytes))
		*ret_cache = field_get(&layout->slab.cache, bytes, layout->page.size);
	return 0;
}

/* Up to the end of the page: a name's next page need not be there. */
static size_t readable(uint64_t address, size_t size)
{
	size_t left = PAGE_BYTES - (address & (PAGE_BYTES - 1));

	return left < size ? left : size;
}

/* The string at name->text_address. "" when it can't be read. */
static int read_name(struct heap_stop *stop, struct heap_name *name, struct error *err)
{
	size_t size = readable(name->text_address, HEAP_CACHE_MAX);
	struct memory_read read = heap_read(name->text_address, name->text, size);
	int status;

	memset(name->text, 0, sizeof(name->text));
	status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
	if (!status && !read.result && size < HEAP_CACHE_MAX && strnlen(name->text, size) == size) {
		read = heap_read(name->text_address + size, name->text + size, HEAP_CACHE_MAX - size);
		status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
	}
	if (read.result)
		memset(name->text, 0, sizeof(name->text));
	return status;
}

int heap_fact_cache(struct heap_trace *trace, struct heap_stop *stop, struct heap_event *event, struct error *err)
{
	const struct slab_layout *layout = &trace->slab_layout;
	struct heap_name *name = &trace->names[slot_of(event->cache_address, HEAP_NAMES_MAX)];
	bool is_known = name->cache == event->cache_address && name->text_address;
	uint64_t text_address = 0;
	char text[HEAP_CACHE_MAX + 1] = "";
	size_t size = is_known ? readable(name->text_address, HEAP_CACHE_MAX) : 0;
	uint32_t object_size = 0;
	struct memory_read reads[] = {
		heap_read(event->cache_address + layout->cache.name.offset, &text_address, sizeof(text_address)),
		heap_read(event->cache_address + layout->cache.object_size.offset, &object_size,
			  sizeof(object_size)),
		heap_read(is_known ? name->text_address : 0, text, size),
	};
	int status = 0;

	if (!event->cache_address)
		return 0;
	status = stub_memory_read(stop->target, stop->cpu, reads, is_known ? 3 : 2, err);
	if (status || reads[0].result || reads[1].result)
		return status;
	event->object_size_bytes = object_size;
	if (is_known && text_address == name->text_address && !reads[2].result &&
	    strnlen(text, size) < size) {
		memcpy(name->text, text, sizeof(text));
	} else {
		*name = (struct heap_name){ .cache = event->cache_address, .text_address = text_address };
		status = read_name(stop, name, err);
	}
	memcpy(event->cache, name->text, sizeof(event->cache));
	return status;
}

void heap_fact_caller(struct heap_trace *trace, struct heap_event *event)
{
	struct heap_symbol *symbol = &trace->symbols[slot_of(event->caller, HEAP_SYMBOLS_MAX)];

	if (!event->caller)
		return;
	if (symbol->address != event->caller) {
		symbol->address = event->caller;
		if (value_symbol(trace->kernel, event->caller, symbol->text, sizeof(symbol->text)))
			symbol->text[0] = '\0';
	}
	memcpy(event->caller_symbol, symbol->text, sizeof(event->caller_symbol));
}
