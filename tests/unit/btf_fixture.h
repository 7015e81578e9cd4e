/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * BTF of types like the kernel's, made by libbpf's own writer:
 *
 *	struct list_head { struct list_head *next, *prev; };
 *	struct pair { u32 first, second; };
 *	typedef struct pair pair_t;
 *	enum state { STATE_OFF = -1, STATE_ON = 7 };
 *	enum wide { WIDE_TOP = 1ULL << 63 };		64 bits
 *	struct thing {
 *		unsigned long flags;			0
 *		union {					8
 *			struct list_head list;
 *			struct pair;			its type has a name, the member has none
 *		};
 *		u32 low:3, high:5;			24
 *		enum state state;			28
 *		pair_t pairs[4];			32
 *		u32 grid[2][3];				64
 *		char comm[16];				88
 *		const struct thing *parent;		104
 *		int (*run)(struct thing *, void *);	112
 *		struct pair none[0];			120
 *		u64 big:62;				120
 *		u8 last;				128
 *		void *objects[];			136
 *	};						136 bytes
 */
#ifndef DILL_TESTS_BTF_FIXTURE_H
#define DILL_TESTS_BTF_FIXTURE_H

#include <assert.h>
#include <bpf/btf.h>
#include <linux/btf.h>

struct fixture_types {
	int u8, u32, u64, ulong, character, list_head, pair, pair_t, thing;
};

static void field(struct btf *btf, const char *name, int type, unsigned bits, unsigned bit_size)
{
	assert(!btf__add_field(btf, name, type, bits, bit_size));
}

static inline struct fixture_types fixture_fill(struct btf *btf)
{
	struct fixture_types t;
	int inner, state, array, row, pointer, proto, void_pointer, next;

	t.u8 = btf__add_int(btf, "unsigned char", 1, 0);
	t.u32 = btf__add_int(btf, "unsigned int", 4, 0);
	t.u64 = btf__add_int(btf, "unsigned long long", 8, 0);
	t.ulong = btf__add_int(btf, "unsigned long", 8, 0);
	t.character = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	next = btf__type_cnt(btf) + 1;
	t.list_head = btf__add_struct(btf, "list_head", 16);
	field(btf, "next", next, 0, 0);
	field(btf, "prev", next, 64, 0);
	assert(btf__add_ptr(btf, t.list_head) == next);
	t.pair = btf__add_struct(btf, "pair", 8);
	field(btf, "first", t.u32, 0, 0);
	field(btf, "second", t.u32, 32, 0);
	t.pair_t = btf__add_typedef(btf, "pair_t", t.pair);
	state = btf__add_enum(btf, "state", 4);
	btf__add_enum_value(btf, "STATE_OFF", -1);
	btf__add_enum_value(btf, "STATE_ON", 7);
	btf__add_enum64(btf, "wide", 8, false);
	btf__add_enum64_value(btf, "WIDE_TOP", 1ULL << 63);
	inner = btf__add_union(btf, NULL, 16);
	field(btf, "list", t.list_head, 0, 0);
	field(btf, NULL, t.pair, 0, 0);
	next = btf__type_cnt(btf);
	array = btf__add_array(btf, t.u32, t.pair_t, 4);
	row = btf__add_array(btf, t.u32, t.u32, 3);
	row = btf__add_array(btf, t.u32, row, 2);
	next = btf__add_array(btf, t.u32, t.character, 16);
	void_pointer = btf__add_ptr(btf, 0);
	pointer = btf__add_const(btf, void_pointer + 10);
	pointer = btf__add_ptr(btf, pointer);
	proto = btf__add_func_proto(btf, btf__add_int(btf, "int", 4, BTF_INT_SIGNED));
	btf__add_func_param(btf, "thing", proto + 1);
	btf__add_func_param(btf, "context", void_pointer);
	assert(btf__add_ptr(btf, void_pointer + 10) == proto + 1);
	proto = btf__add_ptr(btf, proto);
	btf__add_array(btf, t.u32, t.pair, 0);
	btf__add_array(btf, t.u32, void_pointer, 0);
	while (btf__type_cnt(btf) < (unsigned)void_pointer + 10)
		btf__add_fwd(btf, "nowhere", BTF_FWD_STRUCT);
	t.thing = btf__add_struct(btf, "thing", 136);
	assert(t.thing == void_pointer + 10);
	field(btf, "flags", t.ulong, 0, 0);
	field(btf, NULL, inner, 8 * 8, 0);
	field(btf, "low", t.u32, 24 * 8, 3);
	field(btf, "high", t.u32, 24 * 8 + 3, 5);
	field(btf, "state", state, 28 * 8, 0);
	field(btf, "pairs", array, 32 * 8, 0);
	field(btf, "grid", row, 64 * 8, 0);
	field(btf, "comm", next, 88 * 8, 0);
	field(btf, "parent", pointer, 104 * 8, 0);
	field(btf, "run", proto, 112 * 8, 0);
	field(btf, "none", proto + 1, 120 * 8, 0);
	field(btf, "big", t.u64, 120 * 8, 62);
	field(btf, "last", t.u8, 128 * 8, 0);
	field(btf, "objects", proto + 2, 136 * 8, 0);
	return t;
}

#endif
