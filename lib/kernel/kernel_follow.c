// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Containers that are made of nodes: rings, chains and red-black trees; and what all walks share. */
#include "kernel_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_follow_private.h"

/* A red-black tree of 2^64 nodes is at most twice as deep as a perfect one. */
#define TREE_DEPTH_MAX 128

static const struct {
	const char *type, *name;
	enum follow_kind kind;
} kinds[] = {
	{ "list_head", "list", FOLLOW_LIST },
	{ "hlist_head", "hlist", FOLLOW_HLIST },
	{ "llist_head", "llist", FOLLOW_LLIST },
	{ "rb_root", "rbtree", FOLLOW_RBTREE },
	{ "rb_root_cached", "rbtree_cached", FOLLOW_RBTREE_LEFT },
	{ "xarray", "radix_tree_root", FOLLOW_XARRAY },
	{ "idr", "idr", FOLLOW_IDR },
	{ "maple_tree", "maple", FOLLOW_MAPLE_TREE },
};

int follow_kind_find(const char *name, enum follow_kind *ret_kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].type) && strcmp(name, kinds[i].name))
			continue;
		*ret_kind = kinds[i].kind;
		return 0;
	}
	return -ENOENT;
}

bool follow_kind_has_nodes(enum follow_kind kind)
{
	return kind != FOLLOW_XARRAY && kind != FOLLOW_IDR && kind != FOLLOW_MAPLE_TREE;
}

/* What all walks share ----------------------------------------------------------------------------------- */

int follow_give(struct follow *follow, const struct follow_entry *entry)
{
	struct follow_entry numbered = *entry;

	if (follow->end.count >= follow->limit) {
		follow->end.is_cut = true;
		return FOLLOW_ENDED;
	}
	numbered.index = follow->end.count++;
	return follow->visit(&numbered, follow->context);
}

int follow_damage(struct follow *follow, const char *damage, uint64_t address)
{
	follow->end.damage = damage;
	follow->end.damaged_at = address;
	return FOLLOW_ENDED;
}

static uint64_t *met_slot(const struct follow *follow, uint64_t node)
{
	uint64_t at = (node >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	while (follow->met[at & (follow->met_room - 1)] && follow->met[at & (follow->met_room - 1)] != node)
		at++;
	return &follow->met[at & (follow->met_room - 1)];
}

static int met_grow(struct follow *follow)
{
	struct follow wider = { .met_room = follow->met_room ? follow->met_room * 2 : 1024 };

	wider.met = calloc(wider.met_room, sizeof(*wider.met));
	if (!wider.met)
		return -ENOMEM;
	for (uint64_t i = 0; i < follow->met_room; i++)
		if (follow->met[i])
			*met_slot(&wider, follow->met[i]) = follow->met[i];
	free(follow->met);
	follow->met = wider.met;
	follow->met_room = wider.met_room;
	return 0;
}

int follow_meet(struct follow *follow, uint64_t node)
{
	uint64_t *slot;

	if (2 * follow->met_count >= follow->met_room && met_grow(follow))
		return -ENOMEM;
	slot = met_slot(follow, node);
	if (*slot)
		return follow_damage(follow, "comes back to where it was", node);
	*slot = node;
	follow->met_count++;
	return 0;
}

int follow_word(struct follow *follow, uint64_t address, uint64_t *ret_word)
{
	if (kernel_read_u64(follow->kernel, address, ret_word))
		return follow_damage(follow, "leads to memory that can't be read", address);
	return 0;
}

static int give_node(struct follow *follow, uint64_t node)
{
	const struct follow_entry entry = { .address = node };
	int status = follow_meet(follow, node);

	return status ? status : follow_give(follow, &entry);
}

/* Chains ------------------------------------------------------------------------------------------------- */

/* struct list_head: next, prev. */
static int follow_ring(struct follow *follow, uint64_t head, bool gives_head)
{
	uint64_t node = head, next, back;
	int status = 0;

	if (gives_head)
		status = give_node(follow, head);
	while (!status) {
		status = follow_word(follow, node, &next);
		if (status || next == head)
			break;
		status = follow_word(follow, next + 8, &back);
		if (!status && back != node)
			status = follow_damage(follow, "has an entry that doesn't point back", next);
		if (!status)
			status = give_node(follow, next);
		node = next;
	}
	return status;
}

/* hlist_head.first, hlist_node.next and .pprev; llist_head.first, llist_node.next. */
static int follow_chain(struct follow *follow, uint64_t head, bool has_back)
{
	uint64_t link = head, node, back;
	int status;

	for (;;) {
		status = follow_word(follow, link, &node);
		if (status || !node)
			return status;
		if (has_back) {
			status = follow_word(follow, node + 8, &back);
			if (!status && back != link)
				status = follow_damage(follow, "has an entry that doesn't point back", node);
		}
		if (!status)
			status = give_node(follow, node);
		if (status)
			return status;
		link = node;
	}
}

/* Red-black trees ---------------------------------------------------------------------------------------- */

struct tree_layout {
	struct field parent, right, left;
};

static const struct field_spec tree_fields[] = {
	{ "rb_node", "__rb_parent_color", offsetof(struct tree_layout, parent), true },
	{ "rb_node", "rb_right", offsetof(struct tree_layout, right), true },
	{ "rb_node", "rb_left", offsetof(struct tree_layout, left), true },
};

/* Every node names its parent (and its colour in the low bits): so none is reached twice. */
static int check_parent(struct follow *follow, const struct tree_layout *layout, uint64_t node,
			uint64_t parent)
{
	uint64_t word;
	int status = follow_word(follow, node + layout->parent.offset, &word);

	if (!status && (word & ~UINT64_C(3)) != parent)
		status = follow_damage(follow, "has a node that names another parent", node);
	return status;
}

/* In order: down to the left, then the node, then its right side. */
static int follow_tree(struct follow *follow, uint64_t root, struct error *err)
{
	uint64_t path[TREE_DEPTH_MAX], node, parent = 0;
	struct tree_layout layout;
	size_t depth = 0;
	int status = fields_load(follow->types, tree_fields, sizeof(tree_fields) / sizeof(*tree_fields),
				 &layout, err);

	if (!status)
		status = follow_word(follow, root, &node);
	while (!status && (node || depth)) {
		if (node) {
			if (depth == TREE_DEPTH_MAX)
				return follow_damage(follow, "is deeper than a balanced tree can be", node);
			status = check_parent(follow, &layout, node, parent);
			path[depth++] = parent = node;
			if (!status)
				status = follow_word(follow, node + layout.left.offset, &node);
			continue;
		}
		parent = path[--depth];
		status = give_node(follow, parent);
		if (!status)
			status = follow_word(follow, parent + layout.right.offset, &node);
	}
	return status;
}

/* Where the pointer to the first node is within the container. */
static int find_head(struct follow *follow, enum follow_kind kind, uint64_t address, uint64_t *ret_head,
		     struct error *err)
{
	static const struct {
		const char *type, *path;
	} heads[] = {
		[FOLLOW_RBTREE] = { "rb_root", "rb_node" },
		[FOLLOW_RBTREE_LEFT] = { "rb_root_cached", "rb_root.rb_node" },
		[FOLLOW_XARRAY] = { "xarray", "xa_head" },
		[FOLLOW_IDR] = { "idr", "idr_rt.xa_head" },
		[FOLLOW_MAPLE_TREE] = { "maple_tree", "ma_root" },
	};
	const struct field_spec spec = { heads[kind].type, heads[kind].path, 0, true };
	struct field field;
	int status = fields_load(follow->types, &spec, 1, &field, err);

	if (!status)
		*ret_head = address + field.offset;
	return status;
}

static int follow_by_kind(struct follow *follow, enum follow_kind kind, uint64_t address, struct error *err)
{
	uint64_t head = address;
	int status = 0;

	if (kind >= FOLLOW_RBTREE)
		status = find_head(follow, kind, address, &head, err);
	if (status)
		return status;
	switch (kind) {
	case FOLLOW_LIST:
		return follow_ring(follow, head, false);
	case FOLLOW_RING:
		return follow_ring(follow, head, true);
	case FOLLOW_HLIST:
		return follow_chain(follow, head, true);
	case FOLLOW_LLIST:
		return follow_chain(follow, head, false);
	case FOLLOW_RBTREE:
	case FOLLOW_RBTREE_LEFT:
		return follow_tree(follow, head, err);
	case FOLLOW_XARRAY:
	case FOLLOW_IDR:
		return follow_xarray(follow, head, err);
	case FOLLOW_MAPLE_TREE:
		return follow_maple_tree(follow, head, err);
	}
	return -EINVAL;
}

int kernel_follow(struct kernel *kernel, struct kernel_types *types, enum follow_kind kind, uint64_t address,
		  uint64_t limit, follow_visit visit, void *context, struct follow_end *ret_end,
		  struct error *err)
{
	struct follow follow = {
		.kernel = kernel, .types = types, .limit = limit, .visit = visit, .context = context
	};
	int status;

	if (!limit || limit > FOLLOW_ENTRIES_MAX)
		follow.limit = FOLLOW_ENTRIES_MAX;
	status = follow_by_kind(&follow, kind, address, err);
	free(follow.met);
	if (status == -ENOMEM)
		return error_set(err, status, "no memory for %llu entries",
				 (unsigned long long)follow.end.count);
	if (status && status != FOLLOW_ENDED)
		return status;
	*ret_end = follow.end;
	return 0;
}
