// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Page table walks, and iteration over what is mapped. Does no caching of tables: that is the reader's part. */
#include "page_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_PRESENT 0x1ULL
#define ENTRY_LEAF 0x80ULL /* in levels 2 and 3; PAT in level 1 */
/* Bits 51 to 12; above are NX, protection keys and software's, among them the SME/TDX bit below 52. */
#define ENTRY_ADDRESS 0x000ffffffffff000ULL
#define TABLE_ENTRIES 512
#define TABLE_SIZE 4096

/* Level 1 is the table of 4 KiB pages. */
static unsigned level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static unsigned entry_index(uint64_t address, unsigned level)
{
	return address >> level_shift(level) & (TABLE_ENTRIES - 1);
}

/* Bits above the table's reach repeat its top bit. */
static bool is_canonical(const struct page_table *table, uint64_t address)
{
	unsigned unused = 64 - level_shift(table->levels + 1);

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (level <= 3 && entry & ENTRY_LEAF);
}

/* Where the page that a leaf maps begins. Bit 12 of a huge page's entry is PAT. */
static uint64_t leaf_address(uint64_t entry, unsigned level)
{
	return entry & ENTRY_ADDRESS & ~((1ULL << level_shift(level)) - 1);
}

void page_table_init(struct page_table *table, uint64_t root, unsigned levels, physical_read_fn read,
		     void *context)
{
	table->root = root & ENTRY_ADDRESS;
	table->levels = levels;
	table->read = read;
	table->context = context;
	page_table_forget(table);
}

void page_table_forget(struct page_table *table)
{
	memset(table->tlb, 0, sizeof(table->tlb));
}

/* The entry that maps @address, and its level. */
static int find_leaf(struct page_table *table, uint64_t address, uint64_t *ret_entry, unsigned *ret_level)
{
	uint64_t at = table->root;

	if (!is_canonical(table, address))
		return -EFAULT;
	for (unsigned level = table->levels; level; level--) {
		uint64_t entry;

		if (table->read(table->context, at + 8 * entry_index(address, level), &entry, sizeof(entry)) ||
		    !(entry & ENTRY_PRESENT))
			return -EFAULT;
		if (is_leaf(entry, level)) {
			*ret_entry = entry;
			*ret_level = level;
			return 0;
		}
		at = entry & ENTRY_ADDRESS;
	}
	return -EFAULT;
}

int page_table_walk(struct page_table *table, uint64_t address, uint64_t *ret_physical,
		    uint64_t *ret_page_size)
{
	struct page_table_tlb_slot *slot = &table->tlb[address >> 12 & (PAGE_TABLE_TLB_SLOTS - 1)];
	uint64_t virtual_page = address & ~0xfffULL;

	if (slot->virtual_page != (virtual_page | 1)) {
		uint64_t entry, page_size;
		unsigned level;
		int status = find_leaf(table, address, &entry, &level);

		if (status)
			return status;
		page_size = 1ULL << level_shift(level);
		slot->virtual_page = virtual_page | 1;
		slot->physical_page = leaf_address(entry, level) + (virtual_page & (page_size - 1));
		slot->page_size = page_size;
	}
	*ret_physical = slot->physical_page + (address & 0xfff);
	if (ret_page_size)
		*ret_page_size = slot->page_size;
	return 0;
}

int page_table_iterate_begin(struct page_table_iterator *iterator, struct page_table *table, uint64_t first,
			     uint64_t last, uint64_t budget)
{
	*iterator = (struct page_table_iterator){
		.table = table,
		.at = first & ~0xfffULL,
		.last = last,
		.budget = budget,
		.is_done = first > last || !is_canonical(table, first) || !is_canonical(table, last) ||
			   (first ^ last) >> 63,
	};
	for (unsigned level = 0; level < table->levels; level++) {
		iterator->tables[level] = malloc(TABLE_SIZE);
		if (!iterator->tables[level]) {
			page_table_iterate_end(iterator);
			return -ENOMEM;
		}
	}
	return 0;
}

void page_table_iterate_end(struct page_table_iterator *iterator)
{
	for (unsigned level = 0; level < 5; level++) {
		free(iterator->tables[level]);
		iterator->tables[level] = NULL;
	}
}

/* The table of @level for the current address, read at @physical unless it is the one at hand. */
static const uint64_t *current_table(struct page_table_iterator *iterator, unsigned level, uint64_t physical)
{
	uint64_t reach = level_shift(level + 1) >= 64 ? 0 : ~0ULL << level_shift(level + 1);
	uint64_t base = (iterator->at & reach) | 1;
	uint64_t *entries = iterator->tables[level - 1];

	if (iterator->table_base[level - 1] == base)
		return entries;
	if (!iterator->budget) {
		iterator->is_exhausted = iterator->is_done = true;
		return NULL;
	}
	iterator->budget--;
	if (iterator->table->read(iterator->table->context, physical, entries, TABLE_SIZE))
		memset(entries, 0, TABLE_SIZE);
	iterator->table_base[level - 1] = base;
	return entries;
}

/*
 * The leaf at the current address, or else how much of the address space from there on surely has none.
 * False when the budget is out.
 */
static bool look(struct page_table_iterator *iterator, bool *ret_is_mapped, uint64_t *ret_physical,
		 uint64_t *ret_step, uint64_t *ret_page_size)
{
	uint64_t physical = iterator->table->root;
	unsigned level = iterator->table->levels;

	for (;; level--) {
		const uint64_t *entries = current_table(iterator, level, physical);
		uint64_t size = 1ULL << level_shift(level);
		uint64_t entry;

		if (!entries)
			return false;
		entry = entries[entry_index(iterator->at, level)];
		*ret_is_mapped = entry & ENTRY_PRESENT && is_leaf(entry, level);
		if (!(entry & ENTRY_PRESENT) || *ret_is_mapped) {
			*ret_physical = leaf_address(entry, level) + (iterator->at & (size - 1));
			*ret_step = size - (iterator->at & (size - 1));
			*ret_page_size = size;
			return true;
		}
		physical = entry & ENTRY_ADDRESS;
	}
}

static void advance(struct page_table_iterator *iterator, uint64_t step)
{
	if (iterator->last - iterator->at < step)
		iterator->is_done = true;
	else
		iterator->at += step;
}

bool page_table_iterate(struct page_table_iterator *iterator, struct page_table_range *ret_range)
{
	struct page_table_range range = { 0 };

	while (!iterator->is_done) {
		uint64_t physical, step, page_size;
		bool is_mapped;

		if (!look(iterator, &is_mapped, &physical, &step, &page_size))
			break;
		if (range.size && (!is_mapped || page_size != range.page_size ||
				   physical != range.physical_start + range.size))
			break;
		if (is_mapped) {
			if (!range.size)
				range = (struct page_table_range){ iterator->at, physical, 0, page_size };
			range.size += step;
		}
		advance(iterator, step);
	}
	if (!range.size)
		return false;
	*ret_range = range;
	return true;
}
