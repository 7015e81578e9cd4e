// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Caches of which memory is missing or garbage, anywhere: reading them ends, and does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slab_damage_image.h"
#include "slab_pages.h"
#include "slab_state.h"

static void every_cut_of_memory_ends_without_harm(void **state)
{
	(void)state;
	for (uint64_t pfn = 1; pfn < 90; pfn++) {
		struct error err = { 0 };
		struct slab_pages pages;

		image->memory->hole = AT_PFN(pfn);
		kernel_forget(image->kernel);
		if (!slab_heap_open(image->kernel, &image->heap, &err) &&
		    !slab_heap_load(image->heap, NULL, 0, &err) &&
		    !slab_pages_read(image->heap, SLAB_NO_CACHE, &pages, &err))
			slab_pages_deinit(&pages);
		slab_heap_close(image->heap);
		image->heap = NULL;
	}
}

/* Words of the structures replaced by every kind of garbage: nothing may hang, crash or read out of bounds.
 */
static void garbage_anywhere_ends_without_harm(void **state)
{
	static const uint64_t garbage[] = { 0, 1, UINT64_MAX, 0x4141414141414141, SLAB_CACHES, AT_PFN(65) + 8,
					    PAGE_OF(65), 0x7fffffff7fffffff, 0xffff0000ffff };
	uint64_t places[] = { SLAB_CACHES,	  image->caches[0], image->caches[1],
			      NODE_ADDRESS(0, 0), PAGE_OF(65),	    image->percpu[0] + PERCPU_POINTER(0),
			      BARN_ADDRESS(0, 0), AT_PFN(24) };

	(void)state;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++)
		for (uint64_t word = 0; word < 0xc0; word += 8)
			for (size_t g = 0; g < sizeof(garbage) / sizeof(garbage[0]); g++) {
				uint64_t before = get64(image, places[p] + word);
				struct slab_object object_at;

				put64(image, places[p] + word, garbage[g]);
				kernel_forget(image->kernel);
				if (!slab_heap_open(image->kernel, &image->heap, NULL)) {
					(void)slab_heap_load(image->heap, NULL, 0, NULL);
					(void)slab_object_at(image->heap, AT_PFN(65) + 700, &object_at, NULL);
				}
				slab_heap_close(image->heap);
				image->heap = NULL;
				put64(image, places[p] + word, before);
			}
}

static void a_source_that_goes_is_a_failure(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, &err), 0);
	kernel_forget(image->kernel);
	image->memory->is_gone = true;
	assert_int_equal(slab_heap_load(image->heap, NULL, 0, &err), -EIO);
	assert_string_equal(err.text, "the source is gone");
	assert_null(image->heap->contents[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WHOLE(every_cut_of_memory_ends_without_harm),
		SHEAVES(every_cut_of_memory_ends_without_harm),
		WHOLE(garbage_anywhere_ends_without_harm),
		SHEAVES(garbage_anywhere_ends_without_harm),
		WHOLE(a_source_that_goes_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
