// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* ELF files written by hand: how cfi_load() finds .eh_frame, and what it refuses. */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfi_image.h"

#define FILE_SECTION_OFFSET 0x200

/*
 * An executable: one PT_LOAD at BASE_VADDR, PT_GNU_EH_FRAME at 0x180. The section headers at the end are
 * there, but the ELF header does not tell of them.
 */
struct elf_file {
	Elf64_Ehdr header;
	Elf64_Phdr load, eh_frame;
	uint8_t gap[0x180 - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	uint8_t eh_frame_hdr[0x80];
	struct image section;
	char names[16];
	Elf64_Shdr sections[3];
};

static struct elf_file *make_elf(void)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	int32_t distance = FILE_SECTION_OFFSET - 0x184;

	assert_non_null(file);
	_Static_assert(offsetof(struct elf_file, section) == FILE_SECTION_OFFSET, "layout");
	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
	file->header.e_ident[EI_VERSION] = EV_CURRENT;
	file->header.e_type = ET_EXEC;
	file->header.e_machine = EM_X86_64;
	file->header.e_version = EV_CURRENT;
	file->header.e_ehsize = sizeof(Elf64_Ehdr);
	file->header.e_phoff = sizeof(Elf64_Ehdr);
	file->header.e_phentsize = sizeof(Elf64_Phdr);
	file->header.e_phnum = 2;
	/* Begins within a page: the base is the page. */
	file->load = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = 0x10, .p_vaddr = BASE_VADDR + 0x10,
				  .p_filesz = sizeof(*file) - 0x10, .p_memsz = sizeof(*file) - 0x10};
	file->eh_frame = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME, .p_offset = 0x180,
				      .p_vaddr = BASE_VADDR + 0x180, .p_filesz = 12, .p_memsz = 12};
	memcpy(file->eh_frame_hdr,
	       (uint8_t[]){1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_omit, DW_EH_PE_omit}, 4);
	memcpy(file->eh_frame_hdr + 4, &distance, 4);
	put_good_function(&file->section);
	return file;
}

/* With section headers, and nothing else to go by. */
static struct elf_file *make_elf_with_sections(void)
{
	struct elf_file *file = make_elf();

	file->header.e_shoff = offsetof(struct elf_file, sections);
	file->header.e_shentsize = sizeof(Elf64_Shdr);
	file->header.e_shnum = 3;
	file->header.e_shstrndx = 2;
	memcpy(file->names, "\0.eh_frame", 11);
	file->sections[1] = (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC,
					 .sh_addr = BASE_VADDR + FILE_SECTION_OFFSET,
					 .sh_offset = FILE_SECTION_OFFSET, .sh_size = file->section.size};
	file->sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(struct elf_file, names),
					 .sh_size = sizeof(file->names)};
	file->eh_frame.p_type = PT_NOTE;
	return file;
}

static int load_status(struct elf_file *file, size_t size, struct unwind_table *ret_table, struct error *err)
{
	int fd = memfd_create("elf", 0);
	int status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, size), size);
	status = cfi_load(fd, ret_table, err);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), size);
	assert_int_equal(close(fd), 0);
	free(file);
	return status;
}

static void expect_load_fails(struct elf_file *file, size_t size, int code)
{
	struct unwind_table table = {.count = 77};
	struct error err = {0};

	assert_int_equal(load_status(file, size, &table, &err), code);
	assert_int_equal(err.code, code);
	assert_true(err.text[0] != '\0');
	assert_int_equal(table.count, 77);
}

static void a_file_without_section_headers_is_read_through_its_program_headers(void **state)
{
	struct elf_file *file = make_elf();
	struct unwind_table table;

	(void)state;
	put(&file->section, UINT32_MAX, 4);
	put(&file->section, 24, 8);
	put(&file->section, file->section.size - file->section.cie, 4);
	put(&file->section, BASE_VADDR + 0x140, 8);
	put(&file->section, 0x10, 8);
	put(&file->section, 0, 4);
	/* After the terminator lies another section, of which nothing may be read as a function. */
	put(&file->section, 0, 4);
	put_fde(&file->section, 0x300, 0x40, NO_CODE);
	assert_int_equal(load_status(file, sizeof(*file), &table, NULL), 0);
	assert_int_equal(table.base_vaddr, BASE_VADDR);
	assert_int_equal(table.damaged, 0);
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x150, 0, 0, CFA_NONE));
}

static void a_file_with_section_headers_is_read_through_them(void **state)
{
	struct elf_file *file = make_elf_with_sections();
	struct unwind_table table;

	(void)state;
	assert_int_equal(load_status(file, sizeof(*file), &table, NULL), 0);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void section_headers_that_lie_are_refused(void **state)
{
	struct elf_file *file;

	(void)state;
	file = make_elf_with_sections();
	file->sections[1].sh_size = sizeof(*file);
	expect_load_fails(file, sizeof(*file), -EBADMSG);
	file = make_elf_with_sections();
	file->sections[1].sh_offset = UINT64_MAX - 8;
	expect_load_fails(file, sizeof(*file), -EBADMSG);
	file = make_elf_with_sections();
	file->sections[1].sh_size = CFI_SECTION_MAX_BYTES + 1ul;
	expect_load_fails(file, sizeof(*file), -ENOMEM);
	file = make_elf_with_sections();
	file->sections[1].sh_size = 0;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf_with_sections();
	file->sections[1].sh_flags = 0; /* not in memory: not what unwinders read */
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf_with_sections();
	file->sections[1].sh_name = 0x1000;
	expect_load_fails(file, sizeof(*file), -ENOENT);
}

static void a_separate_debug_file_has_no_table(void **state)
{
	struct elf_file *file = make_elf_with_sections();

	(void)state;
	file->sections[1].sh_type = SHT_NOBITS;
	file->eh_frame.p_type = PT_GNU_EH_FRAME; /* stays, though its bytes are gone */
	expect_load_fails(file, sizeof(*file), -ENOENT);
}

static void files_that_hold_no_unwind_table_are_told_apart(void **state)
{
	struct elf_file *file;

	(void)state;
	file = make_elf();
	file->header.e_machine = EM_AARCH64;
	expect_load_fails(file, sizeof(*file), -EOPNOTSUPP);
	file = make_elf();
	file->header.e_type = ET_REL;
	expect_load_fails(file, sizeof(*file), -EOPNOTSUPP);
	file = make_elf();
	file->load.p_type = PT_NOTE;
	expect_load_fails(file, sizeof(*file), -EBADMSG);
	file = make_elf();
	file->eh_frame.p_type = PT_NOTE;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	memset(file->section.bytes, 0, sizeof(file->section.bytes));
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	memcpy(file->header.e_ident, "#!/b", 4);
	expect_load_fails(file, sizeof(*file), -EBADMSG);
	expect_load_fails(make_elf(), 0, -EBADMSG);
	expect_load_fails(make_elf(), 3, -EBADMSG);
}

static void program_headers_that_lie_are_refused(void **state)
{
	struct elf_file *file;

	(void)state;
	file = make_elf();
	file->eh_frame_hdr[0] = 2; /* version */
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	file->eh_frame_hdr[1] = DW_EH_PE_datarel | DW_EH_PE_sdata4;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	file->eh_frame_hdr[7] = 0x70; /* points far behind the segment */
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	file->eh_frame.p_filesz = 5;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	file->eh_frame.p_offset = UINT64_MAX - 4;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	file = make_elf();
	file->load.p_offset = UINT64_MAX - 0x1ff;
	expect_load_fails(file, sizeof(*file), -ENOENT);
	expect_load_fails(make_elf(), FILE_SECTION_OFFSET + 0x20, -ENOENT); /* the file ends first */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_without_section_headers_is_read_through_its_program_headers),
		cmocka_unit_test(a_file_with_section_headers_is_read_through_them),
		cmocka_unit_test(section_headers_that_lie_are_refused),
		cmocka_unit_test(a_separate_debug_file_has_no_table),
		cmocka_unit_test(files_that_hold_no_unwind_table_are_told_apart),
		cmocka_unit_test(program_headers_that_lie_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
