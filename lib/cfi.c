// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The entries of .eh_frame and the table made of them. Two passes: find every FDE and sort them by address;
 * then run each one's program straight into the table, cut where the next function starts.
 *
 *	length u32 [0xffffffff, length u64] | id u32 = 0 | CIE: version, augmentation, factors, program
 *	                                    | id u32 > 0 | FDE: address, range, augmentation data, program
 *
 * An FDE's id is the distance from that field back to its CIE. It is 4 bytes wide after a 64-bit length
 * too, unlike .debug_frame's (LSB 5.0, 10.6.1).
 */
#include "cfi.h"

#include <dwarf.h>
#include <errno.h>

#include "cfi_program.h"
#include "cleanup.h"
#include "error.h"
#include "partition_point.h"

struct fde {
	struct cfi_range range;
	uint32_t cie;     /* index in reader.cies */
	uint32_t program; /* offsets in the section */
	uint32_t program_end;
};

struct reader {
	struct cfi_section section;
	struct cfi_cie *cies; /* ascending offset */
	size_t cie_count, cie_capacity;
	struct fde *fdes;
	size_t fde_count, fde_capacity;
	size_t unsupported, damaged;
	size_t first_damage; /* offset in the section */
};

static void reader_deinit(struct reader *reader)
{
	free(reader->cies);
	free(reader->fdes);
}

DEFINE_CLEANUP(reader, struct reader, reader_deinit(&v));

/* Make room for one more. NULL: out of memory, and @items is as it was. */
static void *grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return items;
	grown = reallocarray(items, wanted, item_size);
	if (grown)
		*capacity = wanted;
	return grown;
}

static void count_failure(struct reader *reader, int status, size_t offset)
{
	if (status == -EOPNOTSUPP)
		reader->unsupported++;
	if (status != -EBADMSG)
		return;
	if (reader->damaged++ == 0)
		reader->first_damage = offset;
}

static bool address_encoding_is_known(uint8_t encoding)
{
	uint8_t application = encoding & 0xf0;
	uint8_t format = encoding & 0x0f;

	return (application == DW_EH_PE_absptr || application == DW_EH_PE_pcrel) &&
	       (format <= DW_EH_PE_udata8 || (format >= DW_EH_PE_signed && format <= DW_EH_PE_sdata8));
}

/* The personality's address is not needed, only its size; an aligned one has padding before it. */
static void skip_personality(const struct cfi_section *section, struct cfi_cursor *data)
{
	uint8_t encoding = cfi_u8(data);

	if (encoding == DW_EH_PE_omit)
		return;
	if ((encoding & 0x70) == DW_EH_PE_aligned)
		cfi_bytes(data, -(section->vaddr + (uint64_t)(data->at - section->bytes)) & 7);
	cfi_encoded_number(data, encoding);
}

/*
 * Letters in @letters say what @data holds. After a letter that nobody knows, the rest of the data can't be
 * read; that is harmless once the address encoding ('R') is known.
 */
static int read_augmentation(const struct cfi_section *section, const char *letters, struct cfi_cursor data,
			     struct cfi_cie *cie)
{
	bool has_encoding = false;

	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->pointer_encoding = cfi_u8(&data);
			has_encoding = true;
			break;
		case 'P':
			skip_personality(section, &data);
			break;
		case 'L':
			cfi_u8(&data);
			break;
		case 'S':
			cie->is_signal_frame = true;
			break;
		case 'B': /* AArch64 return address signing: no data */
			break;
		default:
			return has_encoding ? 0 : -EOPNOTSUPP;
		}
		if (data.is_broken)
			return -EBADMSG;
	}
	return 0;
}

static int read_cie_head(struct cfi_cursor *in, struct cfi_cie *cie, const char **ret_augmentation)
{
	uint8_t version = cfi_u8(in);
	const char *augmentation = (const char *)in->at;
	uint8_t address_size = 8, segment_size = 0;
	uint64_t return_address_register;

	while (cfi_u8(in))
		;
	if (!in->is_broken && version != 1 && version != 3 && version != 4)
		return -EOPNOTSUPP;
	if (version == 4) {
		address_size = cfi_u8(in);
		segment_size = cfi_u8(in);
	}
	cie->code_align = cfi_uleb(in);
	cie->data_align = cfi_sleb(in);
	return_address_register = version == 1 ? cfi_u8(in) : cfi_uleb(in);
	if (in->is_broken)
		return -EBADMSG;
	if (address_size != 8 || segment_size != 0 || return_address_register != REG_RETURN_ADDRESS)
		return -EOPNOTSUPP;
	*ret_augmentation = augmentation;
	return 0;
}

/* @in: after the id. */
static int read_cie(const struct cfi_section *section, struct cfi_cursor in, struct cfi_cie *cie)
{
	const char *augmentation;
	struct cfi_cursor data;
	int err;

	err = read_cie_head(&in, cie, &augmentation);
	if (err)
		return err;
	cie->pointer_encoding = DW_EH_PE_absptr;
	if (augmentation[0] == 'z') {
		uint64_t size = cfi_uleb(&in);

		cie->has_augmentation_data = true;
		data.at = cfi_bytes(&in, size);
		if (!data.at)
			return -EBADMSG;
		data.end = in.at;
		data.is_broken = false;
		err = read_augmentation(section, augmentation + 1, data, cie);
		if (err)
			return err;
	} else if (augmentation[0] != '\0') {
		return -EOPNOTSUPP;
	}
	if (!address_encoding_is_known(cie->pointer_encoding))
		return -EOPNOTSUPP;
	return cfi_run_initial(section, cie, in);
}

static int add_cie(struct reader *reader, struct cfi_cursor in, size_t offset)
{
	struct cfi_cie cie = {.offset = offset};
	struct cfi_cie *grown = grow(reader->cies, reader->cie_count, &reader->cie_capacity, sizeof(cie));

	if (!grown)
		return -ENOMEM;
	reader->cies = grown;
	cie.status = read_cie(&reader->section, in, &cie);
	reader->cies[reader->cie_count++] = cie;
	return cie.status == -EBADMSG ? cie.status : 0;
}

/* The CIE that starts at @offset, usually the last one read. NULL: none does. */
static struct cfi_cie *find_cie(struct reader *reader, uint64_t offset)
{
	size_t low = 0, high = reader->cie_count;

	if (high > 0 && reader->cies[high - 1].offset == offset)
		return &reader->cies[high - 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reader->cies[middle].offset == offset)
			return &reader->cies[middle];
		if (reader->cies[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* @in: after the id. Leaves it at the program. */
static int read_fde(const struct reader *reader, const struct cfi_cie *cie, struct cfi_cursor *in,
		    struct cfi_range *ret_range)
{
	uint64_t start = cfi_encoded_address(&reader->section, in, cie->pointer_encoding);
	uint64_t size = cfi_encoded_number(in, cie->pointer_encoding);
	uint64_t end;

	if (cie->has_augmentation_data)
		cfi_bytes(in, cfi_uleb(in));
	start -= reader->section.base_vaddr;
	if (in->is_broken || __builtin_add_overflow(start, size, &end) || end > UINT32_MAX)
		return -EBADMSG;
	*ret_range = (struct cfi_range){(uint32_t)start, (uint32_t)end};
	return 0;
}

static int add_fde(struct reader *reader, struct cfi_cursor in, uint64_t cie_offset)
{
	struct cfi_cie *cie = find_cie(reader, cie_offset);
	struct fde fde;
	struct fde *grown;
	int err;

	if (!cie)
		return -EBADMSG;
	if (cie->status)
		return cie->status;
	err = read_fde(reader, cie, &in, &fde.range);
	if (err || fde.range.start == fde.range.end)
		return err;
	grown = grow(reader->fdes, reader->fde_count, &reader->fde_capacity, sizeof(fde));
	if (!grown)
		return -ENOMEM;
	reader->fdes = grown;
	fde.cie = (uint32_t)(cie - reader->cies);
	fde.program = (uint32_t)(in.at - reader->section.bytes);
	fde.program_end = (uint32_t)(in.end - reader->section.bytes);
	reader->fdes[reader->fde_count++] = fde;
	return 0;
}

/* The content of the entry at @in, after its length. Zero length: left empty. */
static int next_entry(struct cfi_cursor *in, struct cfi_cursor *ret_entry)
{
	uint64_t length = cfi_u32(in);
	const uint8_t *at;

	if (length == UINT32_MAX)
		length = cfi_fixed(in, 8);
	at = cfi_bytes(in, length);
	if (!at)
		return -EBADMSG;
	*ret_entry = (struct cfi_cursor){.at = at, .end = at + length};
	return 0;
}

/*
 * A zero length is the terminator, but a section joined from several files has one in its midst: go on.
 * Fails for want of memory alone.
 */
static int read_entries(struct reader *reader)
{
	const uint8_t *bytes = reader->section.bytes;
	struct cfi_cursor in;

	if (reader->section.size == 0)
		return 0;
	in = (struct cfi_cursor){.at = bytes, .end = bytes + reader->section.size};
	while (cfi_left(&in) > 0) {
		size_t offset = (size_t)(in.at - bytes), id_offset;
		struct cfi_cursor entry;
		uint32_t id;
		int err = next_entry(&in, &entry);

		if (err) {
			count_failure(reader, err, offset);
			return 0;
		}
		if (cfi_left(&entry) == 0)
			continue;
		id_offset = (size_t)(entry.at - bytes);
		id = cfi_u32(&entry);
		if (entry.is_broken)
			err = -EBADMSG;
		else if (id == 0)
			err = add_cie(reader, entry, offset);
		else
			err = add_fde(reader, entry, (uint64_t)id_offset - id);
		if (err == -ENOMEM)
			return err;
		count_failure(reader, err, offset);
	}
	return 0;
}

static int compare_fdes(const void *left, const void *right)
{
	const struct fde *a = left, *b = right;

	if (a->range.start != b->range.start)
		return a->range.start < b->range.start ? -1 : 1;
	return a->program < b->program ? -1 : a->program > b->program;
}

/* Sorts the FDEs, drops all but the first of each start, and cuts each where the next one starts. */
static void resolve_overlaps(struct reader *reader)
{
	struct fde *fdes = reader->fdes;
	size_t kept = 0;

	if (reader->fde_count > 1)
		qsort(fdes, reader->fde_count, sizeof(*fdes), compare_fdes);
	for (size_t i = 0; i < reader->fde_count; i++) {
		if (kept > 0 && fdes[kept - 1].range.start == fdes[i].range.start)
			continue;
		if (kept > 0 && fdes[kept - 1].range.end > fdes[i].range.start)
			fdes[kept - 1].range.end = fdes[i].range.start;
		fdes[kept++] = fdes[i];
	}
	reader->fde_count = kept;
}

static int run_fde(struct reader *reader, const struct fde *fde, struct cfi_rows *rows)
{
	const uint8_t *bytes = reader->section.bytes;
	struct cfi_cursor program = {.at = bytes + fde->program, .end = bytes + fde->program_end};
	int err = cfi_run_function(&reader->section, &reader->cies[fde->cie], program, fde->range, rows);

	if (err == -ENOMEM)
		return err;
	count_failure(reader, err, fde->program);
	return 0;
}

static int build_rows(struct reader *reader, struct cfi_rows *rows)
{
	for (size_t i = 0; i < reader->fde_count; i++) {
		const struct fde *fde = &reader->fdes[i];
		struct unwind_row gap = {.pc = fde->range.end, .kind = CFA_NONE};
		int err = run_fde(reader, fde, rows);

		if (err)
			return err;
		if (i + 1 < reader->fde_count && fde[1].range.start == fde->range.end)
			continue;
		err = cfi_rows_append(rows, &gap);
		if (err)
			return err;
	}
	return 0;
}

/* Tables live as long as the process they describe: give back what growth left over. */
static void trim(struct cfi_rows *rows)
{
	struct unwind_row *trimmed;

	if (rows->count == rows->capacity)
		return;
	trimmed = reallocarray(rows->rows, rows->count, sizeof(*trimmed));
	if (trimmed)
		rows->rows = trimmed;
}

int cfi_parse_eh_frame(const uint8_t *section, size_t size, uint64_t section_vaddr, uint64_t base_vaddr,
		       struct unwind_table *ret_table, struct error *err)
{
	CLEANUP(reader) struct reader reader = {.section = {section, size, section_vaddr, base_vaddr}};
	struct cfi_rows rows = {0};

	if (size > CFI_SECTION_MAX_BYTES)
		return error_set(err, -ENOMEM, ".eh_frame of %zu bytes is over the limit of %u", size,
				 CFI_SECTION_MAX_BYTES);
	if (read_entries(&reader))
		return error_set(err, -ENOMEM, "out of memory for the entries of .eh_frame");
	if (reader.fde_count == 0 && reader.damaged > 0)
		return error_set(err, -EBADMSG, ".eh_frame has no readable function; damaged at offset %#zx",
				 reader.first_damage);
	resolve_overlaps(&reader);
	if (build_rows(&reader, &rows)) {
		free(rows.rows);
		return error_set(err, -ENOMEM, "out of memory for an unwind table of %zu rows", rows.count);
	}
	trim(&rows);
	*ret_table = (struct unwind_table){
		.rows = rows.rows,
		.count = rows.count,
		.base_vaddr = base_vaddr,
		.fdes = reader.fde_count,
		.unsupported = reader.unsupported + rows.unsupported,
		.damaged = reader.damaged,
	};
	return 0;
}

void unwind_table_deinit(struct unwind_table *table)
{
	if (!table)
		return;
	free(table->rows);
	*table = (struct unwind_table){0};
}

const struct unwind_row *unwind_table_find(const struct unwind_table *table, uint32_t pc)
{
	size_t low = PARTITION_POINT(i, table->count, table->rows[i].pc <= pc);

	return low > 0 ? &table->rows[low - 1] : NULL;
}
