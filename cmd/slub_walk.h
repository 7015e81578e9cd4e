/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * slub-walk: pictures of a cache's lists (slub_walk_show.c).
 */
#ifndef DILL_SLUB_WALK_H
#define DILL_SLUB_WALK_H

#include "model.h"

struct view;
struct view_record;

extern const struct view_record slub_walk_cache_record, slub_walk_cpu_record, slub_walk_node_record;

/* The cache's measures, then what each CPU and each node has. Returns the view's answer. */
int slub_walk_show(struct view *view, struct slub_model *model, const struct slub_model_setting *setting,
		   struct kmem_cache *cache);

#endif
