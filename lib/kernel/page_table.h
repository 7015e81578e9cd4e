/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * x86-64 page tables, 4 and 5 levels, read through a callback: one address, or all ranges that are mapped. Only
 * presence, place and page size are looked at, no permissions. Tables may be damaged or hostile: a walk takes
 * one read a level, an iteration as many as its caller allows.
 *
 * Source: Intel SDM volume 3, chapter 4 "Paging"; arch/x86/include/asm/pgtable_types.h.
 */
#ifndef DILL_PAGE_TABLE_H
#define DILL_PAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read physical memory. 0, or negative: an entry that can't be read is not present. */
typedef int (*physical_read_fn)(void *context, uint64_t address, void *buffer, size_t size);

#define PAGE_TABLE_TLB_SLOTS 4096

struct page_table_tlb_slot {
	uint64_t virtual_page; /* address | 1; 0 is empty */
	uint64_t physical_page;
	uint64_t page_size; /* of the mapping; the slot covers 4 KiB of it */
};

struct page_table {
	uint64_t root;   /* physical address of the top-level table */
	unsigned levels; /* 4 or 5 */
	physical_read_fn read;
	void *context;
	struct page_table_tlb_slot tlb[PAGE_TABLE_TLB_SLOTS];
};

/* @root's low 12 bits (PCID, flags of CR3) don't count. */
void page_table_init(struct page_table *table, uint64_t root, unsigned levels, physical_read_fn read,
		     void *context);
/* Drop what is remembered of translations. */
void page_table_forget(struct page_table *table);

/*
 * Where @address is. @ret_page_size (may be NULL) is 4 KiB, 2 MiB or 1 GiB. -EFAULT: not mapped, not canonical,
 * or a table can't be read.
 */
int page_table_walk(struct page_table *table, uint64_t address, uint64_t *ret_physical,
		    uint64_t *ret_page_size);

/* Mapped memory: contiguous virtually and physically, in pages of one size. */
struct page_table_range {
	uint64_t virtual_start, physical_start, size;
	uint64_t page_size;
};

struct page_table_iterator {
	struct page_table *table;
	uint64_t at, last; /* addresses, @last inclusive */
	uint64_t budget;   /* tables that may still be read */
	bool is_done;
	bool is_exhausted; /* out of budget: there may be more */
	uint64_t *tables[5]; /* a copy of the current table of each level; owned */
	uint64_t table_base[5]; /* first address that it covers, | 1; 0: none */
};

/*
 * Ranges within [@first, @last], by rising addresses. Each must be canonical, and both in the same half.
 * @budget bounds the work: tables read. -ENOMEM or 0; page_table_iterate_end() in the end.
 */
int page_table_iterate_begin(struct page_table_iterator *iterator, struct page_table *table, uint64_t first,
			     uint64_t last, uint64_t budget);
/* The next range, as long as it gets. False at the end. */
bool page_table_iterate(struct page_table_iterator *iterator, struct page_table_range *ret_range);
void page_table_iterate_end(struct page_table_iterator *iterator);

#endif
