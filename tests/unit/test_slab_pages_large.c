// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The pass over the struct pages of 64 GiB: memory goes with the slabs that are kept, not with RAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "slab_image.h"
#include "slab_pages.h"

#define LARGE_PFNS (64ULL << 30 >> 12)
#define LARGE_VMEMMAP 0xffffea0000000000ULL
#define SLAB_EVERY 1000 /* pages; each such page is a slab, every tenth the second cache's */

static struct slab_image *image;
static int (*read_image)(struct memory_source *source, enum address_space space, struct memory_read *reads,
			 size_t count, struct error *err);

/* Struct pages that exist nowhere, and from the third quarter of RAM on not even here. */
static int make_pages(const struct memory_read *read)
{
	uint64_t first = (read->address - LARGE_VMEMMAP) / 64, count = read->size / 64;

	if (first + count > LARGE_PFNS / 4 * 3)
		return -EFAULT;
	memset(read->buffer, 0, read->size);
	for (uint64_t pfn = (first + SLAB_EVERY - 1) / SLAB_EVERY * SLAB_EVERY; pfn < first + count; pfn += SLAB_EVERY) {
		uint8_t *page = (uint8_t *)read->buffer + (pfn - first) * 64;
		uint64_t words[] = { 1 << 9, image->caches[pfn / SLAB_EVERY % 10 == 0] };
		uint32_t counters = 8 | 8 << 16;

		memcpy(page, words, sizeof(words));
		memcpy(page + P_COUNTERS, &counters, sizeof(counters));
	}
	return 0;
}

static int read_large(struct memory_source *source, enum address_space space, struct memory_read *reads,
		      size_t count, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < count && !status; i++)
		if (reads[i].address >= LARGE_VMEMMAP && reads[i].address < LARGE_VMEMMAP + LARGE_PFNS * 64)
			reads[i].result = make_pages(&reads[i]);
		else
			status = read_image(source, space, &reads[i], 1, err);
	return status;
}

static const struct memory_source_ops large_ops = { "large", read_large, memory_close };

static long memory_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void memory_goes_with_the_slabs_kept(void **state)
{
	struct slab_pages pages;
	struct error err = { 0 };
	long before;

	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_PLAIN);
	image_add_cache(image, "many", 512, 512, 0, 0);
	image_add_cache(image, "few", 512, 512, 0, 0);
	read_image = image->memory->source.ops->read;
	image->memory->source.ops = &large_ops;
	image->kernel->layout.vmemmap_base.value = LARGE_VMEMMAP;
	image->kernel->layout.max_pfn.value = LARGE_PFNS;
	if (slab_heap_open(image->kernel, &image->heap, &err))
		fail_msg("%s", err.text);
	before = memory_kib();
	if (slab_pages_read(image->heap, 1, &pages, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pages.pages_read, LARGE_PFNS / 4 * 3);
	assert_int_equal(pages.pages_absent, LARGE_PFNS / 4);
	assert_int_equal(pages.count, (LARGE_PFNS / 4 * 3 + SLAB_EVERY * 10 - 1) / (SLAB_EVERY * 10));
	slab_pages_deinit(&pages);
	assert_true(memory_kib() - before < 8192);
	if (slab_pages_read(image->heap, SLAB_NO_CACHE, &pages, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pages.count, (LARGE_PFNS / 4 * 3 + SLAB_EVERY - 1) / SLAB_EVERY);
	assert_int_equal(pages.first[1] + (pages.count + 9) / 10, pages.count);
	slab_pages_deinit(&pages);
	assert_true(memory_kib() - before < 16384);
	image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(memory_goes_with_the_slabs_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
