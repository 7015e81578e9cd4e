/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* struct page: what a page frame is used for, as far as it says itself. */
#ifndef DILL_PAGE_H
#define DILL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel_types.h"

struct kernel;

struct page_flag {
	char name[24]; /* without PG_ */
	uint8_t bit;
};

struct page_layout {
	size_t size;
	struct field flags, mapping, index, private, refcount, mapcount, page_type, compound;
	struct page_flag names[40];
	size_t name_count;
	int head_bit, buddy_type; /* −1: not known; buddy_type: top byte of page_type (6.12) */
	uint64_t buddy_value;     /* else: the value of page_type in a free block */
};

enum page_kind {
	PAGE_OTHER,     /* in use; nothing more is known */
	PAGE_FREE,      /* first page of a free block */
	PAGE_ANON,
	PAGE_FILE,      /* page cache */
	PAGE_TYPED,     /* page_type says: slab, page table … */
	PAGE_RESERVED,
	PAGE_KINDS,
};

/* "in use", "free", …: stable names, for JSON. */
extern const char *const page_kind_names[PAGE_KINDS + 1];

struct page {
	uint64_t address;  /* struct page */
	uint64_t pfn;
	uint64_t head;     /* struct page of the compound head; itself if it is none */
	uint64_t flags;
	uint64_t mapping, index, private;
	int32_t refcount, mapcount; /* mapcount only where page_type is none */
	uint8_t order;     /* of the free block, else 0 */
	uint8_t kind;      /* enum page_kind */
	char type[20];     /* of PAGE_TYPED: "slab", "table" …, from enum pagetype */
};

int page_layout_load(struct kernel *kernel, struct page_layout *ret_layout, struct error *err);
/* -EFAULT: there is no struct page for it. */
int page_read(struct kernel *kernel, const struct page_layout *layout, uint64_t pfn, struct page *ret_page);
/* @bytes: layout->size bytes at @address. */
void page_decode(struct kernel *kernel, const struct page_layout *layout, uint64_t address, const void *bytes,
		 struct page *ret_page);
/*
 * The head of the compound page that @page, whose compound_head or compound_info is @compound, belongs to; @page itself
 * if to none. Tails hold its address + 1, or since 7.1 a mask to be ANDed with their own (struct pages of one compound
 * page are then aligned to its size): a mask's upper half is all ones, where no struct page lies.
 */
uint64_t page_head(uint64_t page, uint64_t compound);
/* "head|lru|swapbacked". Returns @to. */
char *page_flag_names(const struct page_layout *layout, uint64_t flags, char *to, size_t size);

#endif
