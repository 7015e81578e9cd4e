/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of `dill ksnap` share. ksnap.c saves, ksnap_diff.c compares. */
#ifndef DILL_KSNAP_H
#define DILL_KSNAP_H

#include <stdbool.h>
#include <stdio.h>

#include "inspect.h"
#include "view.h"

struct ksnap_settings {
	struct text_list filters;
	bool shows_slabs, shows_objects, shows_all;
	unsigned sort;
	FILE *file;       /* save: opened before capabilities go */
	bool is_new_file; /* it wasn't there before */
};

/* The order of ksnap_sorts. */
enum { SORT_BYTES, SORT_OBJECTS, SORT_CHURN, SORT_NAME };

/* Show what changed from the file words[0] to words[1]. */
int ksnap_diff(struct inspection *inspection, const struct ksnap_settings *settings, char **words, struct error *err);
extern const struct view_record ksnap_cache_record, ksnap_slab_record, ksnap_object_record, ksnap_sum_record;

#endif
