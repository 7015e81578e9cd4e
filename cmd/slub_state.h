/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The state of one cache on its way into libslub's model (model_state.h). It is put together of what `dill kcache` knows or
 * has printed, record by record, in the order of its output; the model judges whether it can be.
 */
#ifndef DILL_SLUB_STATE_H
#define DILL_SLUB_STATE_H

#include <stdint.h>
#include <stdio.h>

#include "cleanup.h"
#include "error.h"
#include "model_state.h"
#include "slab_state.h"

#define SLUB_STATE_NAME_BYTES 96
#define SLUB_STATE_NO_NODE UINT32_MAX

struct slub_state_facts {
	char name[SLUB_STATE_NAME_BYTES];
	struct slub_geometry geometry;
	uint64_t random;
	bool is_debugged; /* by slub_debug: neither CPU slabs nor sheaves */
};

struct slub_state_build;

struct slub_state_build *slub_state_create(void);
void slub_state_destroy(struct slub_state_build *build);
DEFINE_CLEANUP(slub_state, struct slub_state_build *, slub_state_destroy(v));

/* Each returns 0, -EBADMSG for what can't be there, -ENOMEM. Once: */
int slub_state_set_facts(struct slub_state_build *build, const struct slub_state_facts *facts, struct error *err);
/* A CPU with its slab and lists; @node SLUB_STATE_NO_NODE: not known. */
int slub_state_add_cpu(struct slub_state_build *build, uint64_t cpu, uint64_t node, struct error *err);
int slub_state_add_sheaves(struct slub_state_build *build, uint64_t cpu, uint64_t node, bool has_main, bool has_spare,
			   struct error *err);
int slub_state_add_node(struct slub_state_build *build, uint64_t node, uint64_t full_sheaves, uint64_t empty_sheaves,
			struct error *err);
/* @page names it (address of its struct slab); @owner: the CPU of slabs that are a CPU's. */
int slub_state_add_slab(struct slub_state_build *build, uint64_t page, enum slab_place place, uint64_t owner,
			const struct slub_state_slab *slab, struct error *err);
/* A free object, at @position of its list: 0, 1, … @owner: CPU, of a barn's sheaf the node. @page 0: of a sheaf. */
int slub_state_add_free(struct slub_state_build *build, uint64_t address, enum slab_object_state state,
			uint64_t position, uint64_t owner, uint64_t page, struct error *err);

bool slub_state_has_slab(const struct slub_state_build *build, uint64_t page);
/* Where a free object of a state that is complete waits, and in which slab; 0: in a sheaf. -ENOENT, -ENOMEM. */
int slub_state_find_free(struct slub_state_build *build, uint64_t address, enum slab_object_state *ret_state,
		    uint64_t *ret_page);

/*
 * A model with this cache in it. @setting: seed and flags are the caller's, the rest is filled in. @ret_pending: objects that
 * were freed but are on their way (kfree_rcu()), which the model has in use. -EBADMSG, -EOPNOTSUPP with the reason; -ENOMEM.
 */
int slub_state_load(struct slub_state_build *build, struct slub_model_setting *setting, struct slub_model **ret_model,
		    struct kmem_cache **ret_cache, size_t *ret_pending, struct error *err);

/*
 * What CPU @cpu's next @count allocations meet in a cache of @heap whose contents were read; it is CPU 0 of the model.
 * -EBADMSG: there is damage. -EFAULT.
 */
int slub_state_gather(struct slub_state_build *build, struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		      struct error *err);

/* What `dill kcache --json NAME` printed: its lines into @build. -EBADMSG names the line. */
int slub_state_read_json(struct slub_state_build *build, FILE *file, struct error *err);

#endif
