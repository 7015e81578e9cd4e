/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Two caches, and slabs in every place that a slab can be in: whole until a test damages them. After cmocka.h. */
#ifndef DILL_SLAB_DAMAGE_IMAGE_H
#define DILL_SLAB_DAMAGE_IMAGE_H

#include "slab_image.h"

static struct slab_image *image;

/* A cache of 8 objects a slab: 64 full, 65 and 66 on the node's list, 67 the CPU slab; and another,
 * untouched. */
static int set_up(void **state)
{
	enum shape shape = *state ? *(enum shape *)*state : SHAPE_SLAB;

	image = image_create(shape, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "eights", 512, 500, 0, 0);
	image_add_cache(image, "other", 1024, 1024, 0, 0);
	image_add_slab(image, 0, 64, FREE());
	image_add_slab(image, 0, 65, FREE(3, 1, 6));
	image_add_slab(image, 0, 66, FREE(0, 7));
	image_list_partial(image, 0, 65);
	image_list_partial(image, 0, 66);
	image_add_slab(image, 1, 80, FREE(1));
	image_list_partial(image, 1, 80);
	if (shape != SHAPE_SHEAVES) {
		image_add_slab(image, 0, 67, FREE());
		image_set_cpu_slab(image, 0, 0, 67, FREE(2, 5, 4));
	} else {
		image_set_sheaf(image, 0, 0, SHEAVES_MAIN, image_sheaf(image, 0, FREE(64, 0, 64, 2)));
		image_set_sheaf(image, 0, 1, SHEAVES_MAIN, image_sheaf(image, 0, FREE(64, 4)));
		image_add_full_sheaf(image, 0, image_sheaf(image, 0, FREE(64, 5, 64, 6, 64, 7)));
	}
	return 0;
}

static int set_up_sheaves(void **state)
{
	static enum shape shape = SHAPE_SHEAVES;

	*state = &shape;
	return set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	image_destroy(image);
	return 0;
}

#define WHOLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define SHEAVES(test) cmocka_unit_test_setup_teardown(test, set_up_sheaves, tear_down)

#endif
