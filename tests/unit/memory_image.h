/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel in a piece of memory that the test fills: virtual addresses from IMAGE_BASE on, nothing else is
 * there. Symbols and types are the test's to add.
 */
#ifndef DILL_TEST_MEMORY_IMAGE_H
#define DILL_TEST_MEMORY_IMAGE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "page_cache.h"

#define IMAGE_BASE 0xffff888000000000ULL
#define IMAGE_SIZE 0x100000ULL

struct memory_image {
	struct memory_source source;
	struct kernel kernel;
	uint8_t *bytes;
};

static int image_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		      size_t count, struct error *err)
{
	const struct memory_image *image = (const void *)source;

	(void)err;
	for (size_t i = 0; i < count; i++) {
		uint64_t at = reads[i].address - IMAGE_BASE;

		reads[i].result =
			space == SPACE_VIRTUAL && at < IMAGE_SIZE && reads[i].size <= IMAGE_SIZE - at
				? 0
				: -EFAULT;
		if (!reads[i].result)
			memcpy(reads[i].buffer, image->bytes + at, reads[i].size);
	}
	return 0;
}

static void image_close(struct memory_source *source)
{
	(void)source;
}

static inline struct memory_image *image_create(void)
{
	static const struct memory_source_ops ops = { "test", image_read, image_close };
	struct memory_image *image = calloc(1, sizeof(*image));

	image->bytes = calloc(1, IMAGE_SIZE);
	image->source.ops = &ops;
	image->source.has_space[SPACE_VIRTUAL] = true;
	image->kernel.source = &image->source;
	page_cache_create(&image->source, 64, &image->kernel.cache);
	kernel_symbols_create(&image->kernel.symbols);
	return image;
}

static inline void image_destroy(struct memory_image *image)
{
	page_cache_destroy(image->kernel.cache);
	kernel_symbols_destroy(image->kernel.symbols);
	kernel_types_close(image->kernel.types);
	free(image->bytes);
	free(image);
}

/* Write where the kernel is said to be. What was read before is forgotten. */
static inline void image_put(struct memory_image *image, uint64_t address, const void *bytes, size_t size)
{
	memcpy(image->bytes + (address - IMAGE_BASE), bytes, size);
	kernel_forget(&image->kernel);
}

static inline void image_put_u64(struct memory_image *image, uint64_t address, uint64_t value)
{
	image_put(image, address, &value, sizeof(value));
}

static inline void image_put_u32(struct memory_image *image, uint64_t address, uint32_t value)
{
	image_put(image, address, &value, sizeof(value));
}

#endif
