// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The types in small.btf, which is made anew by
 *
 *	clang -target bpf -g -O2 -c small.c -o small.o && llvm-objcopy --dump-section .BTF=small.btf small.o
 *
 * The offsets that the tests expect were read off this file, not off dill.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

struct list_head {
	struct list_head *next, *prev;
};

typedef struct {
	int counter;
} atomic_t;

enum state {
	STATE_DEAD = -1,
	STATE_IDLE,
	STATE_BUSY = 16,
};

struct animal;

struct name_id { /* 8 */
	u32 hash;
	u8 kind;
};

union payload { /* 16 */
	void *pointer;
	u64 word;
	char bytes[12];
};

struct animal {
	struct list_head siblings;                          /* 0 */
	char name[16];                                      /* 16 */
	atomic_t users;                                     /* 32 */
	enum state state;                                   /* 36 */
	u32 is_wild : 1, is_fed : 1, legs : 6;              /* 40 */
	u8 age;                                             /* 41 */
	long weight;                                        /* 48, hole of 6 */
	union {                                             /* 56 */
		union payload payload;
		struct {
			u32 low, high;
		};
	};
	struct name_id ids[3];                              /* 72 */
	u32 grid[2][4];                                     /* 96 */
	int (*feed)(struct animal *, const char *, bool);   /* 128 */
	const struct animal *const *friends;                /* 136 */
	struct hidden *hidden;                              /* 144 */
	u8 last;                                            /* 152, hole of 7 */
	struct list_head *heads[];                          /* 160 */
};

struct __attribute__((packed)) wire {
	u8 kind;
	u64 number; /* 1 */
	u32 bits : 20, more : 24;
};

struct apart {
	u32 first;
	struct {
		u64 line __attribute__((aligned(64))); /* 64 */
	};
	bool is_set;
};

struct poster {
	const char *text;
};

struct animal animal;
struct poster poster;
struct wire wire;
struct apart apart;
