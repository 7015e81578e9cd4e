// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Program headers into tables. e_ehsize is not looked at: QEMU states 8. Section headers are read for one thing,
 * the true count of program headers where e_phnum can't hold it.
 */
#include "elf_core.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file_read.h"

#define KERNEL_HALF (1ULL << 63)
#define KERNEL_IMAGE_START 0xffffffff80000000ULL /* __START_KERNEL_map: below it lies the direct map */
#define NO_PHYSICAL UINT64_MAX                    /* p_paddr in /proc/kcore of what isn't in the direct map */
#define HEADERS_AT_ONCE 512
#define HEADERS_AT_MOST (4U << 20)
#define NOTE_BYTES_AT_MOST (64U << 20)

/* State while the headers are read. */
struct reading {
	int fd;
	enum elf_core_kind kind;
	uint64_t file_size; /* UINT64_MAX: not known */
	struct elf_core core;
	size_t mapping_capacity;
	uint64_t note_bytes; /* read so far, of NOTE_BYTES_AT_MOST */
	uint64_t loads;
	bool has_physical; /* some PT_LOAD states a physical address other than 0 */
	bool has_kernel;   /* … a virtual address in the kernel's half */
	bool has_user;     /* … one in user space, other than its physical address */
};

static int check_identity(const Elf64_Ehdr *header, struct error *err)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return error_set(err, -EBADMSG, "is not an ELF file");
	if (header->e_ident[EI_CLASS] == ELFCLASS32)
		return error_set(err, -EOPNOTSUPP, "is a 32-bit ELF file: dill reads dumps of x86-64");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return error_set(err, -EBADMSG, "has a damaged ELF header, or one of another machine");
	if (header->e_type != ET_CORE)
		return error_set(err, -EBADMSG, "is an ELF file of type %u (a program or vmlinux?), not a dump",
				 header->e_type);
	if (header->e_machine != EM_X86_64)
		return error_set(err, -EOPNOTSUPP, "is a dump of ELF machine %u: dill reads dumps of x86-64",
				 header->e_machine);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return error_set(err, -EBADMSG, "has program headers of %u bytes", header->e_phentsize);
	return 0;
}

/* The count of program headers: PN_XNUM says that it is in the first section header's sh_info. */
static uint64_t header_count(const struct reading *reading, const Elf64_Ehdr *header)
{
	uint64_t count = header->e_phnum;
	Elf64_Shdr section;

	if (count == PN_XNUM && header->e_shoff &&
	    file_read_at(reading->fd, header->e_shoff, &section, sizeof(section)) == sizeof(section))
		count = section.sh_info;
	return count < HEADERS_AT_MOST ? count : HEADERS_AT_MOST;
}

static int add_mapping(struct reading *reading, const Elf64_Phdr *header, uint64_t size)
{
	struct elf_core *core = &reading->core;

	if (core->mapping_count == reading->mapping_capacity) {
		size_t capacity = reading->mapping_capacity ? 2 * reading->mapping_capacity : 16;
		struct memory_mapping *grown = reallocarray(core->mappings, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		core->mappings = grown;
		reading->mapping_capacity = capacity;
	}
	core->mappings[core->mapping_count++] =
		(struct memory_mapping){ header->p_vaddr, header->p_paddr, size };
	return 0;
}

/*
 * Memory behind p_filesz was left out of the dump, so it is not there. What the file no longer holds isn't
 * either.
 */
static uint64_t bytes_in_file(const struct reading *reading, const Elf64_Phdr *header)
{
	uint64_t left = reading->file_size > header->p_offset ? reading->file_size - header->p_offset : 0;

	return header->p_filesz < left ? header->p_filesz : left;
}

/*
 * p_vaddr states a mapping only where it is in the kernel's half: QEMU without paging writes 0 or the physical
 * address, with paging also mappings of whichever process ran.
 */
static int add_load(struct reading *reading, const Elf64_Phdr *header)
{
	struct elf_core *core = &reading->core;
	uint64_t size = bytes_in_file(reading, header);
	bool is_kernel = header->p_vaddr >= KERNEL_HALF && header->p_memsz <= -header->p_vaddr;
	bool is_image = reading->kind == ELF_CORE_KCORE && header->p_vaddr >= KERNEL_IMAGE_START;
	/* A sum of 2^52 bytes is the most that x86-64 can address. */
	bool is_physical = header->p_paddr <= (1ULL << 52) && header->p_memsz <= (1ULL << 52);
	int status = 0;

	reading->loads++;
	reading->has_physical |= header->p_paddr != 0 && header->p_paddr != NO_PHYSICAL;
	reading->has_kernel |= is_kernel;
	reading->has_user |= !is_kernel && header->p_vaddr != header->p_paddr;
	if (!header->p_memsz)
		return 0;
	if (is_physical && !is_image)
		status = file_extents_add(&core->physical,
					  (struct file_extent){ header->p_paddr, size, header->p_offset });
	if (!status && is_kernel)
		status = file_extents_add(&core->virtual,
					  (struct file_extent){ header->p_vaddr, size, header->p_offset });
	if (!status && is_kernel && is_physical)
		status = add_mapping(reading, header, header->p_memsz);
	core->has_virtual_only |= is_kernel && header->p_paddr == NO_PHYSICAL && size;
	return status;
}

static int add_notes(struct reading *reading, const Elf64_Phdr *header)
{
	CLEANUP(free) char *bytes = NULL;
	uint64_t size = bytes_in_file(reading, header);

	if (size > NOTE_BYTES_AT_MOST - reading->note_bytes)
		size = NOTE_BYTES_AT_MOST - reading->note_bytes;
	reading->note_bytes += size;
	bytes = malloc(size ? size : 1);
	if (!bytes)
		return -ENOMEM;
	return core_notes_parse(bytes, file_read_at(reading->fd, header->p_offset, bytes, size), &reading->core.notes);
}

static int read_headers(struct reading *reading, uint64_t offset, uint64_t count)
{
	Elf64_Phdr headers[HEADERS_AT_ONCE];
	int status = 0;

	while (count && !status) {
		size_t wanted = count < HEADERS_AT_ONCE ? count : HEADERS_AT_ONCE;
		size_t bytes = file_read_at(reading->fd, offset, headers, wanted * sizeof(headers[0]));
		size_t got = bytes / sizeof(headers[0]);

		for (size_t i = 0; i < got && !status; i++) {
			if (headers[i].p_type == PT_LOAD)
				status = add_load(reading, &headers[i]);
			else if (headers[i].p_type == PT_NOTE)
				status = add_notes(reading, &headers[i]);
		}
		if (got < wanted)
			break;
		offset += bytes;
		count -= got;
	}
	return status;
}

static int compare_mappings(const void *left, const void *right)
{
	const struct memory_mapping *a = left, *b = right;

	if (a->virtual_start != b->virtual_start)
		return a->virtual_start < b->virtual_start ? -1 : 1;
	return a->size > b->size ? -1 : a->size < b->size;
}

static void join_mappings(struct elf_core *core)
{
	size_t count = 0;

	if (core->mapping_count)
		qsort(core->mappings, core->mapping_count, sizeof(*core->mappings), compare_mappings);
	for (size_t i = 0; i < core->mapping_count; i++) {
		struct memory_mapping next = core->mappings[i];
		struct memory_mapping *last = count ? &core->mappings[count - 1] : NULL;

		if (last && last->virtual_start + last->size == next.virtual_start &&
		    last->physical_start + last->size == next.physical_start)
			last->size += next.size;
		else
			core->mappings[count++] = next;
	}
	core->mapping_count = count;
}

static int check_contents(const struct reading *reading, struct error *err)
{
	const struct elf_core *core = &reading->core;

	if (!reading->loads)
		return error_set(err, -EBADMSG, "has no memory in it: its program headers are damaged or cut off");
	if (reading->has_user && !reading->has_kernel && !reading->has_physical)
		return error_set(err, -EBADMSG, "is the core of a process, not of a kernel");
	if (!core->physical.count && !core->virtual.count)
		return error_set(err, -EBADMSG, "has no memory in it: it is cut off after its headers");
	return 0;
}

DEFINE_CLEANUP(elf_core, struct elf_core *, elf_core_deinit(v));

int elf_core_read(int fd, enum elf_core_kind kind, struct elf_core *ret_core, struct error *err)
{
	struct reading reading = { .fd = fd, .kind = kind, .file_size = UINT64_MAX };
	CLEANUP(elf_core) struct elf_core *core = &reading.core;
	Elf64_Ehdr header;
	struct stat stat;
	int status;

	if (file_read_at(fd, 0, &header, sizeof(header)) != sizeof(header))
		return error_set(err, -EBADMSG, "is cut off within its ELF header");
	status = check_identity(&header, err);
	if (status)
		return status;
	if (kind == ELF_CORE_DUMP && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
		reading.file_size = (uint64_t)stat.st_size;
	status = read_headers(&reading, header.e_phoff, header_count(&reading, &header));
	if (status)
		return error_set(err, status, "no memory for its headers");
	file_extents_sort(&core->physical);
	file_extents_sort(&core->virtual);
	join_mappings(core);
	status = check_contents(&reading, err);
	if (status)
		return status;
	*ret_core = reading.core;
	reading.core = (struct elf_core){ 0 };
	return 0;
}

void elf_core_deinit(struct elf_core *core)
{
	file_extents_deinit(&core->physical);
	file_extents_deinit(&core->virtual);
	free(core->mappings);
	core_notes_deinit(&core->notes);
	*core = (struct elf_core){ 0 };
}
