// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Guessing types. Every struct of a fitting size is laid over the object, word by word; types that are pointers
 * where the object has pointers of that kind win. Evidence counts more the rarer it is by chance.
 */
#include "slab_guess.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

#define WORDS_MAX 256 /* the first 2 KiB of an object tell enough */
#define NESTING_MAX 8
#define ARRAY_MAX 32
#define LAID_MAX 4096 /* members of one type; the kernel's have some hundred, damaged types any number */
#define LEAST_EVIDENCE 3
#define LEAST_CONFIDENCE 20 /* percent */
#define TELLING 4 /* points of a word that hardly fits by chance */

/* What a word of the object is. */
enum word_kind { WORD_OTHER, WORD_ZERO, WORD_FUNCTION, WORD_TABLE, WORD_OBJECT, WORD_POINTER };

struct word {
	enum word_kind kind;
	uint32_t cache; /* of WORD_OBJECT */
};

/* What a type has in a word. */
enum slot_kind { SLOT_DATA, SLOT_POINTER, SLOT_FUNCTION, SLOT_STRUCT_POINTER };

struct slot {
	enum slot_kind kind;
	const char *target; /* name of the struct that a SLOT_STRUCT_POINTER leads to */
};

struct guessing {
	struct slab_heap *heap;
	const struct btf *btf;
	struct word words[WORDS_MAX];
	struct slot slots[WORDS_MAX];
	size_t word_count;
	unsigned int laid; /* members of the type at hand */
};

/* Caches whose names don't lead to their types by rule. */
static const char *const named_caches[][2] = {
	{ "filp", "file" },
	{ "cred_jar", "cred" },
	{ "mnt_cache", "mount" },
	{ "bdev_cache", "bdev_inode" },
	{ "sock_inode_cache", "socket_alloc" },
	{ "radix_tree_node", "xa_node" },
	{ "TCP", "tcp_sock" },
	{ "TCPv6", "tcp6_sock" },
	{ "UDP", "udp_sock" },
	{ "UDPv6", "udp6_sock" },
	{ "UNIX", "unix_sock" },
	{ "UNIX-STREAM", "unix_sock" },
	{ "RAW", "raw_sock" },
	{ "PING", "inet_sock" },
	{ "skbuff_head_cache", "sk_buff" },
	{ "eventpoll_epi", "epitem" },
	{ "eventpoll_pwq", "eppoll_entry" },
	{ "key_jar", "key" },
	{ "proc_inode_cache", "proc_inode" },
	{ "skbuff_fclone_cache", "sk_buff_fclones" },
	{ "iint_cache", "ima_iint_cache" },
	{ "posix_timers_cache", "k_itimer" },
};

static size_t size_of(struct slab_heap *heap, const char *type)
{
	return kernel_sizeof(heap->kernel->types, type);
}

/* "signal_cache" → signal_struct, "ext4_inode_cache" → ext4_inode_info, "dentry" → dentry. */
static size_t type_by_rule(struct slab_heap *heap, const char *cache, char *type, size_t room)
{
	static const char *const endings[] = { "", "_struct", "_info" };
	size_t stem = strlen(cache), size;
	const char *suffix = strstr(cache, "_cache");

	for (size_t i = 0; i < sizeof(named_caches) / sizeof(*named_caches); i++) {
		if (strcmp(named_caches[i][0], cache))
			continue;
		snprintf(type, room, "%s", named_caches[i][1]);
		return size_of(heap, type);
	}
	for (int is_cut = 0; is_cut < 2; is_cut++) {
		for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
			snprintf(type, room, "%.*s%s", (int)stem, cache, endings[i]);
			size = size_of(heap, type);
			if (size)
				return size;
		}
		if (!suffix)
			break;
		stem = suffix - cache;
	}
	return 0;
}

static bool guess_by_name(struct slab_heap *heap, const struct slab_cache *cache, struct slab_guess *guess)
{
	size_t size;

	if (!strncmp(cache->name, "kmalloc-", 8) || !strncmp(cache->name, "dma-kmalloc-", 12))
		return false;
	size = type_by_rule(heap, cache->name, guess->type, sizeof(guess->type));
	if (!size || size > cache->object_size)
		return false;
	guess->size = size;
	guess->is_by_name = true;
	/* A merged cache has other types too; a larger object may be this one with something around it. */
	guess->confidence = cache->refcount > 1 ? 50 : size == cache->object_size ? 99 : 90;
	return true;
}

static struct word classify(struct slab_heap *heap, uint64_t value)
{
	struct kernel *kernel = heap->kernel;
	uint64_t base = kernel->layout.base.value, text_end, offset, physical;
	struct slab_object object;
	char name[64];

	if (!value)
		return (struct word){ .kind = WORD_ZERO };
	if (value >= base && value < base + (64 << 20)) {
		if (kernel_symbol_at(kernel, value, name, sizeof(name), &offset) || offset)
			return (struct word){ .kind = WORD_POINTER };
		if (kernel_symbol(kernel, "_etext", &text_end))
			text_end = 0;
		return (struct word){ .kind = value < text_end ? WORD_FUNCTION : WORD_TABLE };
	}
	if (value % 8 == 0 && !kernel_direct_to_physical(kernel, value, &physical)) {
		if (!slab_object_at(heap, value, &object, NULL))
			return (struct word){ .kind = WORD_OBJECT, .cache = object.cache };
		return (struct word){ .kind = WORD_POINTER };
	}
	return (struct word){ .kind = value >> 56 == 0xff ? WORD_POINTER : WORD_OTHER };
}

static int read_words(struct guessing *guessing, const struct slab_object *object)
{
	const struct slab_cache *cache = &guessing->heap->caches[object->cache];
	uint64_t values[WORDS_MAX];
	size_t count = cache->object_size / 8;

	guessing->word_count = count < WORDS_MAX ? count : WORDS_MAX;
	if (kernel_read(guessing->heap->kernel, object->address, values, guessing->word_count * 8))
		return -EFAULT;
	for (size_t i = 0; i < guessing->word_count; i++)
		guessing->words[i] = classify(guessing->heap, values[i]);
	return 0;
}

static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int i = 0; type && i < NESTING_MAX * 4; i++) {
		if (!btf_is_mod(type) && !btf_is_typedef(type) && btf_kind(type) != BTF_KIND_TYPE_TAG)
			return type;
		type = btf__type_by_id(btf, type->type);
	}
	return NULL;
}

static void lay_pointer(struct guessing *guessing, const struct btf_type *pointer, uint32_t bit)
{
	const struct btf_type *target = resolve(guessing->btf, pointer->type);
	struct slot *slot;

	if (bit % 64 || bit / 64 >= guessing->word_count)
		return;
	slot = &guessing->slots[bit / 64];
	slot->kind = SLOT_POINTER;
	if (target && btf_is_func_proto(target)) {
		slot->kind = SLOT_FUNCTION;
	} else if (target && (btf_is_composite(target) || btf_is_fwd(target)) && target->name_off) {
		slot->kind = SLOT_STRUCT_POINTER;
		slot->target = btf__name_by_offset(guessing->btf, target->name_off);
	}
}

/* Where a type at @bit has pointers. What it doesn't say is data. */
static void lay_type(struct guessing *guessing, uint32_t id, uint32_t bit, int depth)
{
	const struct btf_type *type = resolve(guessing->btf, id);

	if (!type || depth > NESTING_MAX || bit / 64 >= guessing->word_count || ++guessing->laid > LAID_MAX)
		return;
	if (btf_is_ptr(type)) {
		lay_pointer(guessing, type, bit);
	} else if (btf_is_array(type)) {
		const struct btf_array *array = btf_array(type);
		int64_t size = btf__resolve_size(guessing->btf, array->type);

		for (uint32_t i = 0; size > 0 && i < array->nelems && i < ARRAY_MAX; i++)
			lay_type(guessing, array->type, bit + i * size * 8, depth + 1);
	} else if (btf_is_composite(type)) {
		const struct btf_member *members = btf_members(type);

		for (int i = 0; i < btf_vlen(type) && guessing->laid <= LAID_MAX; i++)
			if (!btf_member_bitfield_size(type, i))
				lay_type(guessing, members[i].type, bit + btf_member_bit_offset(type, i),
					 depth + 1);
	}
}

static bool is_table_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	return (length >= 3 && !strcmp(name + length - 3, "ops")) ||
	       (length >= 10 && !strcmp(name + length - 10, "operations")) ||
	       (length >= 4 && !strcmp(name + length - 4, "type"));
}

static bool is_of_cache(struct guessing *guessing, uint32_t cache, const char *target)
{
	char type[64];

	return target && type_by_rule(guessing->heap, guessing->heap->caches[cache].name, type, sizeof(type)) &&
	       !strcmp(type, target);
}

/* How well one word fits: positive for, negative against, 0 says nothing. */
static int judge_word(struct guessing *guessing, const struct word *word, const struct slot *slot)
{
	switch (word->kind) {
	case WORD_FUNCTION:
		return slot->kind == SLOT_FUNCTION ? 5 : slot->kind == SLOT_POINTER ? 0 : -4;
	case WORD_TABLE:
		if (slot->kind == SLOT_STRUCT_POINTER)
			return is_table_name(slot->target) ? 5 : 2;
		return slot->kind == SLOT_POINTER ? 1 : -4;
	case WORD_OBJECT:
		if (slot->kind == SLOT_STRUCT_POINTER)
			return is_of_cache(guessing, word->cache, slot->target) ? 4 : 1;
		return slot->kind == SLOT_POINTER ? 1 : -3;
	case WORD_POINTER:
		return slot->kind == SLOT_STRUCT_POINTER || slot->kind == SLOT_POINTER ? 1 :
		       slot->kind == SLOT_FUNCTION					? -1 :
											  -2;
	case WORD_OTHER:
		return slot->kind == SLOT_DATA ? 0 : -3;
	default:
		return 0;
	}
}

/* Sorted by score, the first come first among equals. */
static void keep_best(struct slab_guess *guesses, int *scores, size_t *count, const struct slab_guess *guess,
		      int score)
{
	size_t last = *count < SLAB_GUESSES_MAX ? *count : SLAB_GUESSES_MAX - 1, at = *count;

	while (at && scores[at - 1] < score)
		at--;
	if (at == SLAB_GUESSES_MAX)
		return;
	memmove(&guesses[at + 1], &guesses[at], (last - at) * sizeof(*guesses));
	memmove(&scores[at + 1], &scores[at], (last - at) * sizeof(*scores));
	guesses[at] = *guess;
	scores[at] = score;
	*count = last + 1;
}

static void try_type(struct guessing *guessing, uint32_t id, struct slab_guess *guesses, int *scores,
		     size_t *count)
{
	const struct btf_type *type = btf__type_by_id(guessing->btf, id);
	struct slab_guess guess = { .size = type->size };
	size_t words = type->size / 8;
	int score = 0, best = 0, telling = 0;

	memset(guessing->slots, 0, sizeof(guessing->slots));
	guessing->laid = 0;
	lay_type(guessing, id, 0, 0);
	for (size_t i = 0; i < guessing->word_count; i++) {
		int point = i < words ? judge_word(guessing, &guessing->words[i], &guessing->slots[i]) : 0;

		/* Behind the type there should be nothing. */
		if (i >= words && guessing->words[i].kind > WORD_ZERO)
			point = -1;
		score += point;
		best += point > 0 ? point : -point;
		telling += point >= TELLING;
		guess.matches += point > 0;
		guess.contradictions += point < 0;
	}
	/* Just pointers where there may be pointers would make every array of pointers a match. */
	if (score < LEAST_EVIDENCE || guess.matches < 2 || !telling)
		return;
	guess.confidence = (uint32_t)(80 * score / (best + 4)) * guess.matches /
			   (guess.matches + 2 * guess.contradictions);
	if (guess.confidence < LEAST_CONFIDENCE)
		return;
	snprintf(guess.type, sizeof(guess.type), "%s", btf__name_by_offset(guessing->btf, type->name_off));
	keep_best(guesses, scores, count, &guess, score);
}

static void guess_by_contents(struct guessing *guessing, uint32_t least, uint32_t most,
			      struct slab_guess *guesses, size_t *count)
{
	int scores[SLAB_GUESSES_MAX] = { 0 };

	for (uint32_t id = 1; id < btf__type_cnt(guessing->btf); id++) {
		const struct btf_type *type = btf__type_by_id(guessing->btf, id);

		if (type && btf_kind(type) == BTF_KIND_STRUCT && type->name_off && type->size > least &&
		    type->size <= most && btf_vlen(type))
			try_type(guessing, id, guesses, scores, count);
	}
}

/* Sizes of which kmalloc takes this cache: above the next smaller one. */
static uint32_t next_smaller(const struct slab_heap *heap, const struct slab_cache *cache)
{
	uint32_t smaller = 0;

	for (size_t i = 0; i < heap->cache_count; i++)
		if (!strncmp(heap->caches[i].name, "kmalloc-", 8) &&
		    heap->caches[i].object_size < cache->object_size && heap->caches[i].object_size > smaller)
			smaller = heap->caches[i].object_size;
	return smaller;
}

int slab_guess_type(struct slab_heap *heap, const struct slab_object *object, struct slab_guess *ret_guesses,
		    size_t *ret_count, struct error *err)
{
	const struct slab_cache *cache = &heap->caches[object->cache];
	CLEANUP(free) struct guessing *guessing = calloc(1, sizeof(*guessing));

	if (!guessing)
		return error_set(err, -ENOMEM, "out of memory");
	memset(ret_guesses, 0, SLAB_GUESSES_MAX * sizeof(*ret_guesses));
	*ret_count = guess_by_name(heap, cache, &ret_guesses[0]);
	if (*ret_count && ret_guesses[0].confidence >= 90)
		return 0;
	*ret_count = 0;
	guessing->heap = heap;
	guessing->btf = kernel_types_btf(heap->kernel->types);
	if (read_words(guessing, object))
		return error_set(err, -EFAULT, "the object at %#lx can't be read", (long)object->address);
	guess_by_contents(guessing, next_smaller(heap, cache), cache->object_size, ret_guesses, ret_count);
	return 0;
}
