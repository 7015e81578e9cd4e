// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Decoding of struct page. Flags and types are named by the kernel's own enums. */
#include "page.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"

#define PAGE_MAPPING_ANON 1
#define BUDDY_MAPCOUNT_VALUE (-129) /* ~PG_buddy, 0x80: until 6.9, 6e292b9be7f4 */
#define NO_PAGE_TYPE 0xffffffffu

const char *const page_kind_names[PAGE_KINDS + 1] = {
	[PAGE_OTHER] = "in use", [PAGE_FREE] = "free",   [PAGE_ANON] = "anonymous",
	[PAGE_FILE] = "file",    [PAGE_TYPED] = "typed", [PAGE_RESERVED] = "reserved",
};

/* Lower case, as far as it fits. */
static void copy_name(const char *from, char *to, size_t size)
{
	size_t used = 0;

	for (; *from && used < size - 1; from++)
		to[used++] = tolower((unsigned char)*from);
	to[used] = 0;
}

/*
 * Flags from enum pageflags. Several names can have one bit, aliases behind the end of the real ones
 * (__NR_PAGEFLAGS): the first name counts.
 */
static void load_flags(struct kernel_types *types, struct page_layout *layout)
{
	const struct btf *btf = kernel_types_btf(types);
	const struct btf_type *type;
	uint32_t id;

	if (kernel_type_find(types, "enum pageflags", &id))
		return;
	type = btf__type_by_id(btf, id);
	if (!type || !btf_is_enum(type))
		return;
	for (int i = 0; i < btf_vlen(type) && layout->name_count < 40; i++) {
		const char *name = btf__name_by_offset(btf, btf_enum(type)[i].name_off);

		if (!name || strncmp(name, "PG_", 3) || btf_enum(type)[i].val < 0 || btf_enum(type)[i].val > 63)
			break;
		layout->names[layout->name_count].bit = btf_enum(type)[i].val;
		copy_name(name + 3, layout->names[layout->name_count++].name, sizeof(layout->names[0].name));
	}
}

static void load_buddy_test(struct kernel *kernel, struct page_layout *layout)
{
	const char *number =
		kernel->vmcoreinfo ? strstr(kernel->vmcoreinfo, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=") : NULL;
	int64_t value;
	long published = BUDDY_MAPCOUNT_VALUE;

	layout->buddy_type = -1;
	if (!kernel_enumerator(kernel->types, "PGTY_buddy", &value)) {
		layout->buddy_type = value & 0xff;
		return;
	}
	if (number)
		sscanf(strchr(number, '=') + 1, "%ld", &published);
	layout->buddy_value = (uint32_t)published;
}

int page_layout_load(struct kernel *kernel, struct page_layout *ret_layout, struct error *err)
{
	static const struct field_spec specs[] = {
		{ "page", "flags", offsetof(struct page_layout, flags), true },
		{ "page", "mapping", offsetof(struct page_layout, mapping), false },
		{ "page", "index|__folio_index", offsetof(struct page_layout, index), false },
		{ "page", "private", offsetof(struct page_layout, private), true },
		{ "page", "_refcount", offsetof(struct page_layout, refcount), true },
		{ "page", "_mapcount", offsetof(struct page_layout, mapcount), true },
		{ "page", "page_type", offsetof(struct page_layout, page_type), true },
		{ "page", "compound_head|compound_info", offsetof(struct page_layout, compound), true },
	};
	struct page_layout layout = { .head_bit = -1 };
	int64_t value;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (status)
		return status;
	layout.size = kernel_sizeof(kernel->types, "page");
	if (!layout.size || layout.size > 256)
		return error_set(err, -EBADMSG, "struct page of %zu bytes", layout.size);
	if (!kernel_enumerator(kernel->types, "PG_head", &value) && value >= 0 && value < 64)
		layout.head_bit = value;
	load_flags(kernel->types, &layout);
	load_buddy_test(kernel, &layout);
	*ret_layout = layout;
	return 0;
}

char *page_flag_names(const struct page_layout *layout, uint64_t flags, char *to, size_t size)
{
	size_t used = 0;

	to[0] = 0;
	for (size_t i = 0; i < layout->name_count && used < size; i++)
		if (flags >> layout->names[i].bit & 1)
			used += snprintf(to + used, size - used, "%s%s", used ? "|" : "",
					 layout->names[i].name);
	return to;
}

uint64_t page_head(uint64_t page, uint64_t compound)
{
	if (!(compound & 1))
		return page;
	return compound >> 32 == UINT32_MAX ? page & compound : compound - 1;
}

static bool is_buddy(const struct page_layout *layout, uint32_t page_type)
{
	return layout->buddy_type >= 0 ? page_type >> 24 == (uint32_t)layout->buddy_type :
					 page_type == (uint32_t)layout->buddy_value;
}

/* "slab" out of PGTY_slab, whose value is the top byte. */
static bool name_type(struct kernel *kernel, const struct page_layout *layout, uint32_t page_type,
		      struct page *page)
{
	static const char *const known[] = { "slab", "table", "hugetlb", "offline", "guard", "large_kmalloc",
					     "unaccepted", "zsmalloc" };
	char name[32];
	int64_t value;

	if (layout->buddy_type < 0 || page_type == NO_PAGE_TYPE || page_type >> 24 < 0xf0)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		snprintf(name, sizeof(name), "PGTY_%s", known[i]);
		if (kernel_enumerator(kernel->types, name, &value) || (value & 0xff) != page_type >> 24)
			continue;
		snprintf(page->type, sizeof(page->type), "%s", known[i]);
		return true;
	}
	return false;
}

static bool has_flag(const struct page_layout *layout, uint64_t flags, const char *name)
{
	for (size_t i = 0; i < layout->name_count; i++)
		if (!strcmp(layout->names[i].name, name))
			return flags >> layout->names[i].bit & 1;
	return false;
}

static enum page_kind kind_of(struct kernel *kernel, const struct page_layout *layout, uint32_t page_type,
			      struct page *page)
{
	if (is_buddy(layout, page_type))
		return PAGE_FREE;
	if (name_type(kernel, layout, page_type, page))
		return PAGE_TYPED;
	if (layout->buddy_type < 0 && has_flag(layout, page->flags, "slab")) {
		strcpy(page->type, "slab");
		return PAGE_TYPED;
	}
	if (has_flag(layout, page->flags, "reserved"))
		return PAGE_RESERVED;
	if (page->refcount > 0 && page->mapping >> 56 == 0xff)
		return page->mapping & PAGE_MAPPING_ANON ? PAGE_ANON : PAGE_FILE;
	return PAGE_OTHER;
}

void page_decode(struct kernel *kernel, const struct page_layout *layout, uint64_t address, const void *bytes,
		 struct page *ret_page)
{
	struct page page = { .address = address };
	uint32_t page_type = field_get(&layout->page_type, bytes, layout->size);

	kernel_page_to_pfn(kernel, address, &page.pfn);
	page.flags = field_get(&layout->flags, bytes, layout->size);
	page.mapping = field_get(&layout->mapping, bytes, layout->size);
	page.index = field_get(&layout->index, bytes, layout->size);
	page.private = field_get(&layout->private, bytes, layout->size);
	page.refcount = (int32_t)field_get(&layout->refcount, bytes, layout->size);
	page.mapcount = (int32_t)field_get(&layout->mapcount, bytes, layout->size) + 1;
	page.head = page_head(address, field_get(&layout->compound, bytes, layout->size));
	page.kind = kind_of(kernel, layout, page_type, &page);
	if (page.kind == PAGE_FREE && page.private < 64)
		page.order = page.private;
	if (page.kind == PAGE_FREE || page.kind == PAGE_TYPED)
		page.mapcount = 0;
	*ret_page = page;
}

int page_read(struct kernel *kernel, const struct page_layout *layout, uint64_t pfn, struct page *ret_page)
{
	uint8_t bytes[256];
	uint64_t address;

	if (kernel_pfn_to_page(kernel, pfn, &address) || kernel_read(kernel, address, bytes, layout->size))
		return -EFAULT;
	page_decode(kernel, layout, address, bytes, ret_page);
	return 0;
}
