// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The pass over struct page. Looks at heads of slabs only, and follows no pointer. */
#include "slab_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slub_heap.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define PAGE_BYTES 4096

struct pass {
	struct slab_heap *heap;
	slab_callback callback;
	void *context;
	char *buffer; /* PIECE_BYTES, and a struct page more */
	uint64_t pages_read, pages_absent;
};

static bool is_kfence(const struct slab_heap *heap, uint64_t start)
{
	return heap->kfence_pool.size && start >= heap->kfence_pool.start &&
	       start - heap->kfence_pool.start < heap->kfence_pool.size;
}

static int scan(struct pass *pass, uint64_t first_page, size_t count)
{
	const struct slab_layout *layout = &pass->heap->layout;
	const bool is_by_flag = layout->page_test == SLAB_PAGE_BY_FLAG;
	const size_t at = is_by_flag ? layout->page.flags.offset : layout->page.page_type.offset;
	const uint32_t mask = (uint32_t)layout->page_test_mask, value = (uint32_t)layout->page_test_value;
	const char *bytes = pass->buffer;

	pass->pages_read += count;
	for (size_t i = 0; i < count; i++, bytes += layout->page.size) {
		struct slab slab;
		uint32_t word;
		int status;

		/* All tests fit into 32 bits; the exact one follows where it matters. */
		memcpy(&word, bytes + at, sizeof(word));
		if ((word & mask) != value || !slab_layout_is_slab(layout, bytes))
			continue;
		slab_decode(pass->heap, first_page + i * layout->page.size, bytes, &slab);
		if (is_kfence(pass->heap, slab.start))
			continue;
		status = pass->callback(&slab, pass->context);
		if (status)
			return status;
	}
	return 0;
}

/*
 * Read and scan @count struct pages. Where that fails, halves are tried: holes are of whole pages of the
 * array, and few.
 */
static int pass_piece(struct pass *pass, uint64_t first_page, size_t count)
{
	size_t size = pass->heap->layout.page.size, half;
	int status = kernel_read(pass->heap->kernel, first_page, pass->buffer, count * size);

	if (!status)
		return scan(pass, first_page, count);
	if (pass->heap->kernel->reader.code)
		return pass->heap->kernel->reader.code;
	if (count * size <= PAGE_BYTES) {
		pass->pages_absent += count;
		return 0;
	}
	/* On a page's border, so that no piece straddles a hole's. */
	half = count / 2 - count / 2 % (PAGE_BYTES / size ? PAGE_BYTES / size : 1);
	if (!half)
		half = count / 2;
	status = pass_piece(pass, first_page, half);
	return status ? status : pass_piece(pass, first_page + half * size, count - half);
}

/* An absent piece costs a walk of the page table instead of many failing reads, where there is one. */
static bool is_unmapped(struct pass *pass, uint64_t page)
{
	uint64_t physical;

	return kernel_translate(pass->heap->kernel, page, &physical, NULL) == -EFAULT;
}

static int pass_range(struct pass *pass, uint64_t first_pfn, uint64_t end_pfn)
{
	size_t per_piece = PIECE_BYTES / pass->heap->layout.page.size;
	int status = 0;

	for (uint64_t pfn = first_pfn; pfn < end_pfn && !status;) {
		/* Pieces are aligned, so that holes (of whole sections) fall between them. */
		uint64_t end = (pfn / per_piece + 1) * per_piece, page;
		size_t count = (size_t)((end < end_pfn ? end : end_pfn) - pfn);

		status = kernel_pfn_to_page(pass->heap->kernel, pfn, &page);
		if (status)
			return status;
		if (is_unmapped(pass, page) &&
		    is_unmapped(pass, page + (count - 1) * pass->heap->layout.page.size))
			pass->pages_absent += count;
		else
			status = pass_piece(pass, page, count);
		pfn += count;
	}
	return status;
}

static int pass_all(struct pass *pass, struct error *err)
{
	struct kernel *kernel = pass->heap->kernel;
	uint64_t end = kernel->layout.max_pfn.value;
	int status = 0;

	if (kernel->process)
		return slub_pages_each(pass->heap, pass->callback, pass->context, err);
	if (!kernel->layout.max_pfn.origin)
		return error_set(err, -ENOENT,
				 "the size of memory is not known, so struct pages can't be passed over");
	pass->buffer = malloc(PIECE_BYTES + SLAB_PAGE_BYTES_MAX);
	if (!pass->buffer)
		return error_set(err, -ENOMEM, "no memory for a pass over struct page");
	status = pass_range(pass, 0, end);
	free(pass->buffer);
	if (status == kernel->reader.code && status)
		error_set(err, status, "%s", kernel->reader.text);
	return status;
}

int slab_pages_each(struct slab_heap *heap, slab_callback callback, void *context, struct error *err)
{
	struct pass pass = { .heap = heap, .callback = callback, .context = context };

	return pass_all(&pass, err);
}

struct collection {
	struct slab_pages pages;
	size_t capacity;
	uint32_t only;
};

static int collect(const struct slab *slab, void *context)
{
	struct collection *collection = context;

	if (collection->only != SLAB_NO_CACHE && slab->cache != collection->only)
		return 0;
	if (collection->pages.count == collection->capacity) {
		size_t capacity = collection->capacity ? collection->capacity * 2 : 1024;
		struct slab *larger = realloc(collection->pages.slabs, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		collection->pages.slabs = larger;
		collection->capacity = capacity;
	}
	collection->pages.slabs[collection->pages.count++] = *slab;
	return 0;
}

static int compare_slabs(const void *left, const void *right)
{
	const struct slab *a = left, *b = right;

	if (a->cache != b->cache)
		return a->cache < b->cache ? -1 : 1;
	return a->page < b->page ? -1 : a->page > b->page;
}

/* Sort, find where each cache's slabs start, and enter the places that are known. */
static int group(struct slab_heap *heap, struct slab_pages *pages)
{
	size_t at = 0;

	pages->first = calloc(heap->cache_count + 1, sizeof(*pages->first));
	if (!pages->first)
		return -ENOMEM;
	if (pages->count)
		qsort(pages->slabs, pages->count, sizeof(*pages->slabs), compare_slabs);
	for (size_t c = 0; c <= heap->cache_count; c++) {
		while (at < pages->count && pages->slabs[at].cache < c)
			at++;
		pages->first[c] = at;
	}
	for (size_t i = 0; i < pages->first[heap->cache_count]; i++) {
		struct slab *slab = &pages->slabs[i];
		const struct slab_contents *contents = heap->contents[slab->cache];
		const struct slab *listed = contents ? slab_contents_find(contents, slab->page) : NULL;

		if (listed) {
			slab->place = listed->place;
			slab->owner = listed->owner;
		}
	}
	return 0;
}

int slab_pages_read(struct slab_heap *heap, uint32_t cache, struct slab_pages *ret_pages, struct error *err)
{
	struct collection collection = { .only = cache };
	struct pass pass = { .heap = heap, .callback = collect, .context = &collection };
	int status = pass_all(&pass, err);

	if (!status)
		status = group(heap, &collection.pages);
	if (status) {
		slab_pages_deinit(&collection.pages);
		return status == -ENOMEM ? error_set(err, status, "no memory for the list of slabs") : status;
	}
	collection.pages.pages_read = pass.pages_read;
	collection.pages.pages_absent = pass.pages_absent;
	*ret_pages = collection.pages;
	return 0;
}

void slab_pages_deinit(struct slab_pages *pages)
{
	free(pages->slabs);
	free(pages->first);
	*pages = (struct slab_pages){ 0 };
}
