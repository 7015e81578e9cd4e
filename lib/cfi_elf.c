// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Finds .eh_frame in an ELF file: by its section, or, where section headers were stripped, through the
 * pointer in PT_GNU_EH_FRAME (LSB 5.0, 10.6.2).
 *
 * The file is read with pread(2), not mapped: someone may cut it short at any moment.
 */
#include <dwarf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>

#include "cfi.h"
#include "cfi_program.h"
#include "cleanup.h"
#include "error.h"

#define PAGE_BYTES 4096

/* Where .eh_frame lies. */
struct extent {
	uint64_t offset;
	uint64_t size;
	uint64_t vaddr;
};

DEFINE_CLEANUP(elf, Elf *, elf_end(v));

/* A section without bytes (in a separate debug file) is found too, with size 0. */
static bool section_extent(Elf *elf, struct extent *ret_extent)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ".eh_frame") != 0)
			continue;
		*ret_extent = (struct extent){header.sh_offset, header.sh_size, header.sh_addr};
		if (header.sh_type == SHT_NOBITS)
			ret_extent->size = 0;
		return true;
	}
	return false;
}

/* The first segment of @type; for PT_LOAD, the one that holds @vaddr. */
static bool find_segment(Elf *elf, uint32_t type, uint64_t vaddr, GElf_Phdr *ret_segment)
{
	size_t count;

	if (elf_getphdrnum(elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != type)
			continue;
		if (type == PT_LOAD &&
		    (vaddr < segment.p_vaddr || vaddr - segment.p_vaddr >= segment.p_filesz))
			continue;
		*ret_segment = segment;
		return true;
	}
	return false;
}

/* libelf checks the range against the size of the file; the bytes live as long as @elf. */
static const uint8_t *read_chunk(Elf *elf, uint64_t offset, uint64_t size)
{
	Elf_Data *data;

	if (offset > INT64_MAX || size > CFI_SECTION_MAX_BYTES)
		return NULL;
	data = elf_getdata_rawchunk(elf, (int64_t)offset, size, ELF_T_BYTE);
	return data ? data->d_buf : NULL;
}

/* Reads the head of .eh_frame_hdr: version, three encodings, then the address of .eh_frame. */
static bool eh_frame_vaddr(Elf *elf, const GElf_Phdr *segment, uint64_t *ret_vaddr)
{
	struct cfi_section header = {.size = segment->p_filesz < 16 ? segment->p_filesz : 16,
				     .vaddr = segment->p_vaddr};
	struct cfi_cursor in = {0};
	uint8_t version, encoding;
	uint64_t vaddr;

	header.bytes = read_chunk(elf, segment->p_offset, header.size);
	if (!header.bytes)
		return false;
	in.at = header.bytes;
	in.end = header.bytes + header.size;
	version = cfi_u8(&in);
	encoding = cfi_u8(&in);
	cfi_bytes(&in, 2);
	vaddr = cfi_encoded_address(&header, &in, encoding);
	if (in.is_broken || version != 1)
		return false;
	*ret_vaddr = vaddr;
	return true;
}

/* No header tells the size: up to the terminator, or to where lengths stop making sense. */
static uint64_t terminated_size(const uint8_t *bytes, uint64_t size)
{
	struct cfi_cursor in = {.at = bytes, .end = bytes + size};
	uint64_t length;

	do {
		size = (uint64_t)(in.at - bytes);
		length = cfi_u32(&in);
		if (length == UINT32_MAX)
			length = cfi_fixed(&in, 8);
	} while (cfi_bytes(&in, length) && length > 0);
	return size;
}

static bool segment_extent(Elf *elf, struct extent *ret_extent)
{
	struct extent extent;
	const uint8_t *bytes;
	GElf_Phdr segment;

	if (!find_segment(elf, PT_GNU_EH_FRAME, 0, &segment) ||
	    !eh_frame_vaddr(elf, &segment, &extent.vaddr) ||
	    !find_segment(elf, PT_LOAD, extent.vaddr, &segment))
		return false;
	extent.offset = segment.p_offset + (extent.vaddr - segment.p_vaddr);
	extent.size = segment.p_filesz - (extent.vaddr - segment.p_vaddr);
	if (extent.size > CFI_SECTION_MAX_BYTES)
		extent.size = CFI_SECTION_MAX_BYTES;
	bytes = read_chunk(elf, extent.offset, extent.size);
	if (!bytes)
		return false;
	extent.size = terminated_size(bytes, extent.size);
	*ret_extent = extent;
	return true;
}

static int lowest_load(Elf *elf, uint64_t *ret_vaddr)
{
	uint64_t lowest = UINT64_MAX;
	size_t count;

	if (elf_getphdrnum(elf, &count) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
		    segment.p_vaddr < lowest)
			lowest = segment.p_vaddr;
	}
	if (lowest == UINT64_MAX)
		return -EBADMSG;
	*ret_vaddr = lowest & ~(uint64_t)(PAGE_BYTES - 1);
	return 0;
}

static int check_machine(Elf *elf, struct error *err)
{
	GElf_Ehdr header;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return error_set(err, -EBADMSG, "not an ELF file");
	if (gelf_getclass(elf) != ELFCLASS64 || header.e_machine != EM_X86_64)
		return error_set(err, -EOPNOTSUPP, "not an x86-64 object: machine %u", header.e_machine);
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return error_set(err, -EOPNOTSUPP, "not a linked object: ELF type %u", header.e_type);
	return 0;
}

static int load(Elf *elf, struct unwind_table *ret_table, struct error *err)
{
	struct unwind_table table = {0};
	struct extent extent;
	const uint8_t *bytes;
	uint64_t base_vaddr;
	int status = check_machine(elf, err);

	if (status)
		return status;
	if (lowest_load(elf, &base_vaddr))
		return error_set(err, -EBADMSG, "ELF file without a loadable segment");
	if (!section_extent(elf, &extent) && !segment_extent(elf, &extent))
		return error_set(err, -ENOENT, "no .eh_frame");
	if (extent.size > CFI_SECTION_MAX_BYTES)
		return error_set(err, -ENOMEM, ".eh_frame of %llu bytes is over the limit of %u",
				 (unsigned long long)extent.size, CFI_SECTION_MAX_BYTES);
	if (extent.size == 0)
		return error_set(err, -ENOENT, "no function in .eh_frame");
	bytes = read_chunk(elf, extent.offset, extent.size);
	if (!bytes)
		return error_set(err, -EBADMSG, ".eh_frame cannot be read: %s", elf_errmsg(-1));
	status = cfi_parse_eh_frame(bytes, extent.size, extent.vaddr, base_vaddr, &table, err);
	if (status)
		return status;
	if (table.count == 0)
		return error_set(err, -ENOENT, "no function in .eh_frame");
	*ret_table = table;
	return 0;
}

int cfi_load(int elf_fd, struct unwind_table *ret_table, struct error *err)
{
	CLEANUP(elf) Elf *elf = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_set(err, -EOPNOTSUPP, "libelf is too old");
	elf = elf_begin(elf_fd, ELF_C_READ, NULL);
	if (!elf)
		return error_set(err, -EBADMSG, "not an ELF file: %s", elf_errmsg(-1));
	return load(elf, ret_table, err);
}
