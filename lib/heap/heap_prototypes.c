// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Slab functions' prototypes in BTF. The order of parameters changed often (kmalloc_trace(), "buckets" in
 * __kmalloc_node_noprof(), flags of alloc_flags): types and names tell which is which.
 */
#include "heap_functions.h"

#include <bpf/btf.h>
#include <string.h>

#include "kernel_types.h"

/* Through typedefs and qualifiers. NULL for void. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int depth = 0;
	     type && depth < 32 && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type));
	     depth++) {
		id = type->type;
		type = id ? btf__type_by_id(btf, id) : NULL;
	}
	return id ? type : NULL;
}

static const char *name_of(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

/* A pointer to what @ret_pointee is, NULL: to void. */
static bool is_pointer(const struct btf *btf, const struct btf_type *type,
		       const struct btf_type **ret_pointee)
{
	if (!type || !btf_is_ptr(type))
		return false;
	*ret_pointee = type->type ? resolve(btf, type->type) : NULL;
	return true;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* HEAP_ROLES: of no interest. */
static enum heap_role role_of(const struct btf *btf, const struct btf_param *param, enum heap_call call)
{
	static const char *const sizes[] = { "size", "orig_size", NULL };
	static const char *const counts[] = { "size", "nr", NULL };
	static const char *const callers[] = { "caller", NULL };
	bool is_bulk = call == HEAP_CALL_ALLOC_BULK || call == HEAP_CALL_FREE_BULK;
	const struct btf_type *type = resolve(btf, param->type), *pointee;
	const char *name = name_of(btf, param->name_off);

	if (is_pointer(btf, type, &pointee)) {
		if (pointee && btf_is_struct(pointee) &&
		    !strcmp(name_of(btf, pointee->name_off), "kmem_cache"))
			return HEAP_ROLE_CACHE;
		if (pointee && btf_is_ptr(pointee))
			return is_bulk ? HEAP_ROLE_ARRAY : HEAP_ROLES;
		return !pointee && call == HEAP_CALL_FREE ? HEAP_ROLE_OBJECT : HEAP_ROLES;
	}
	if (!type || !btf_is_int(type))
		return HEAP_ROLES;
	if (is_one_of(name, callers))
		return HEAP_ROLE_CALLER;
	if (is_bulk)
		return is_one_of(name, counts) ? HEAP_ROLE_COUNT : HEAP_ROLES;
	return call == HEAP_CALL_ALLOC && is_one_of(name, sizes) ? HEAP_ROLE_SIZE : HEAP_ROLES;
}

/* Whether the prototype says what an event needs. */
static bool is_sufficient(const struct heap_prototype *prototype, enum heap_call call)
{
	const int8_t *argument_of = prototype->argument_of;

	switch (call) {
	case HEAP_CALL_ALLOC:
		return argument_of[HEAP_ROLE_CACHE] >= 0 || argument_of[HEAP_ROLE_SIZE] >= 0;
	case HEAP_CALL_FREE:
		return argument_of[HEAP_ROLE_OBJECT] >= 0;
	default:
		return argument_of[HEAP_ROLE_ARRAY] >= 0 && argument_of[HEAP_ROLE_COUNT] >= 0;
	}
}

static void read_prototype(const struct btf *btf, const struct btf_type *function, enum heap_call call,
			   struct heap_prototype *ret_prototype)
{
	const struct btf_type *type = btf__type_by_id(btf, function->type);
	struct heap_prototype prototype = { .is_known = true };

	memset(prototype.argument_of, -1, sizeof(prototype.argument_of));
	if (!type || !btf_is_func_proto(type))
		return;
	for (int8_t i = 0; i < ARGUMENTS_MAX && i < btf_vlen(type); i++) {
		enum heap_role role = role_of(btf, &btf_params(type)[i], call);

		if (role < HEAP_ROLES && prototype.argument_of[role] < 0)
			prototype.argument_of[role] = i;
	}
	if (!is_sufficient(&prototype, call))
		return;
	if (ret_prototype->is_known &&
	    memcmp(ret_prototype->argument_of, prototype.argument_of, sizeof(prototype.argument_of)) != 0)
		prototype.is_ambiguous = true;
	*ret_prototype = prototype;
}

void heap_prototypes_find(struct kernel_types *types, const char *const *names, const enum heap_call *calls,
			  size_t count, struct heap_prototype *ret_prototypes)
{
	const struct btf *btf = types ? kernel_types_btf(types) : NULL;
	uint32_t type_count = btf ? btf__type_cnt(btf) : 0;

	memset(ret_prototypes, 0, count * sizeof(*ret_prototypes));
	for (uint32_t id = 1; id < type_count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;

		if (!type || !btf_is_func(type))
			continue;
		name = name_of(btf, type->name_off);
		/* Most names begin otherwise. */
		if (name[0] != '_' && name[0] != 'k' && name[0] != 'f')
			continue;
		for (size_t i = 0; i < count; i++)
			if (!strcmp(name, names[i]))
				read_prototype(btf, type, calls[i], &ret_prototypes[i]);
	}
}
