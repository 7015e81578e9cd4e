// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The sections of DWARF beside entries and their shapes. Strings are BTF's own as they are. */
#include "dwarf_sections.h"

#include <bpf/btf.h>
#include <string.h>

#include "kernel_types_private.h"

void dwarf_sections_deinit(struct dwarf_sections *sections)
{
	byte_writer_deinit(&sections->info);
	byte_writer_deinit(&sections->abbreviations);
	byte_writer_deinit(&sections->strings);
	byte_writer_deinit(&sections->locations);
	byte_writer_deinit(&sections->ranges);
	byte_writer_deinit(&sections->addresses);
}

uint32_t dwarf_put_strings(const struct kernel_types *types, struct byte_writer *strings)
{
	uint32_t size;
	const uint8_t *bytes = btf__raw_data(types->btf, &size);
	struct btf_header header;

	if (!bytes || size < sizeof(header))
		return 0;
	memcpy(&header, bytes, sizeof(header));
	if (header.hdr_len > size || header.str_off > size - header.hdr_len ||
	    header.str_len > size - header.hdr_len - header.str_off)
		return 0;
	put_bytes(strings, bytes + header.hdr_len + header.str_off, header.str_len);
	/* Names go to terminals as they are. */
	for (size_t i = 0; i < strings->size; i++)
		if ((strings->bytes[i] && strings->bytes[i] < ' ') || strings->bytes[i] == 0x7f)
			strings->bytes[i] = '?';
	return header.str_len;
}

void dwarf_put_ranges(const struct dwarf_range *code, size_t count, struct byte_writer *ranges)
{
	for (size_t i = 0; i < count; i++) {
		put_number(ranges, code[i].start, 8);
		put_number(ranges, code[i].end, 8);
	}
	put_number(ranges, 0, 8);
	put_number(ranges, 0, 8);
}

void dwarf_put_addresses(const struct dwarf_range *code, size_t count, struct byte_writer *addresses)
{
	put_number(addresses, 0, 4); /* unit_length */
	put_number(addresses, 2, 2); /* version */
	put_number(addresses, 0, 4); /* debug_info_offset */
	put_number(addresses, 8, 1); /* address_size */
	put_number(addresses, 0, 1); /* segment_size */
	put_padding(addresses, 16, 0);
	for (size_t i = 0; i < count; i++) {
		put_number(addresses, code[i].start, 8);
		put_number(addresses, code[i].end - code[i].start, 8);
	}
	put_number(addresses, 0, 8);
	put_number(addresses, 0, 8);
	patch_number(addresses, 0, addresses->size - 4, 4);
}
