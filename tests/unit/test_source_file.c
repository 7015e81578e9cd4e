// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* ELF cores and raw RAM, and what is said of other files. Damage is in test_source_file_damage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "dump_fixture.h"
#include "elf_core.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct memory_source *open_core(const struct load_spec *loads, size_t load_count,
				       const struct note_spec *notes, size_t note_count)
{
	struct image image = image_core(loads, load_count, notes, note_count);
	struct memory_source *source = NULL;
	struct error err = { 0 };

	if (image_open(&image, &source, &err))
		fail_msg("%s", err.text);
	free(image.bytes);
	return source;
}

static void memory_is_where_the_headers_say(void **state)
{
	static const struct load_spec loads[] = {
		{ 0, 0x100000, 0x3000, 0x3000 },
		{ 0, 0, 0x1000, 0x1000 },
		{ 0, 0x100000000, 0x2000, 0x2000 },
	};
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);

	(void)state;
	assert_string_equal(source->ops->name, "elf");
	assert_true(source->has_space[SPACE_PHYSICAL]);
	assert_false(source->has_space[SPACE_VIRTUAL]);
	assert_false(source->is_live);
	assert_physical(source, 0, 0x1000);
	assert_physical(source, 0x100000, 0x3000);
	assert_physical(source, 0x100000000, 0x2000);
	assert_unreadable(source, 0x1000, 8);
	assert_unreadable(source, 0xffff8, 8);
	assert_unreadable(source, 0xffc, 8);
	assert_unreadable(source, UINT64_MAX - 3, 8);
	assert_unreadable(source, UINT64_MAX - 7, 8);
	assert_int_equal(source->ram_count, 3);
	assert_int_equal(source->ram[0].start, 0);
	assert_int_equal(source->ram[2].start, 0x100000000);
	assert_int_equal(source->ram[2].size, 0x2000);
	assert_int_equal(source->mapping_count, 0);
	assert_null(source->vmcoreinfo);
	assert_int_equal(source->cpu_count, 0);
	memory_source_close(source);
}

static void a_read_may_cross_from_one_load_to_the_next(void **state)
{
	/* In the file they do not follow each other. */
	static const struct load_spec loads[] = {
		{ 0, 0x2000, 0x1000, 0x1000 },
		{ 0, 0x8000, 0x1000, 0x1000 },
		{ 0, 0x1000, 0x1000, 0x1000 },
	};
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);
	uint64_t words[0x400];

	(void)state;
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, 0x1000, words, 0x2000, NULL), 0);
	for (size_t i = 0; i < 0x400; i++)
		assert_int_equal(words[i], WORD_MARK + 0x1000 + 8 * i);
	assert_int_equal(source->ram_count, 2);
	assert_int_equal(source->ram[0].size, 0x2000);
	assert_unreadable(source, 0x1000, 0x2001);
	memory_source_close(source);
}

static void each_read_of_a_batch_has_its_own_result(void **state)
{
	static const struct load_spec loads[] = { { 0, 0x1000, 0x80000, 0x80000 } };
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);
	struct memory_read reads[300];
	uint64_t words[300];

	(void)state;
	for (size_t i = 0; i < COUNT(reads); i++) {
		/* Runs of neighbours, gaps, and what isn't there. */
		uint64_t address = i % 7 == 3 ? 0x90000 + i : 0x1000 + 8 * (i + (i / 90) * 1000);

		reads[i] = (struct memory_read){ address, &words[i], 8, 77 };
	}
	assert_int_equal(source->ops->read(source, SPACE_PHYSICAL, reads, COUNT(reads), NULL), 0);
	for (size_t i = 0; i < COUNT(reads); i++) {
		assert_int_equal(reads[i].result, i % 7 == 3 ? -EFAULT : 0);
		if (i % 7 != 3)
			assert_int_equal(words[i], WORD_MARK + reads[i].address);
	}
	memory_source_close(source);
}

static void memory_that_was_left_out_is_unreadable(void **state)
{
	static const struct load_spec loads[] = {
		{ DIRECT_MAP + 0x1000, 0x1000, 0x1000, 0x5000 },
		{ DIRECT_MAP + 0x8000, 0x8000, 0, 0x1000 },
	};
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);

	(void)state;
	assert_physical(source, 0x1000, 0x1000);
	assert_unreadable(source, 0x2000, 8);
	assert_unreadable(source, 0x8000, 8);
	assert_int_equal(source->ram_count, 1);
	memory_source_close(source);
}

static void only_addresses_of_the_kernel_are_mappings(void **state)
{
	static const struct load_spec loads[] = {
		{ DIRECT_MAP + 0x3000, 0x3000, 0x1000, 0x1000 },  /* neighbours in both spaces, in disorder */
		{ DIRECT_MAP + 0x2000, 0x2000, 0x1000, 0x1000 },
		{ 0xffffffff81000000, 0x200000, 0x1000, 0x1000 },
		{ 0x7f0000001000, 0x5000, 0x1000, 0x1000 },       /* of a process */
		{ 0x8000, 0x8000, 0x1000, 0x1000 },               /* QEMU without paging */
		{ 0, 0x9000, 0x1000, 0x1000 },
	};
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);

	(void)state;
	assert_int_equal(source->mapping_count, 2);
	assert_int_equal(source->mappings[0].virtual_start, DIRECT_MAP + 0x2000);
	assert_int_equal(source->mappings[0].physical_start, 0x2000);
	assert_int_equal(source->mappings[0].size, 0x2000);
	assert_int_equal(source->mappings[1].virtual_start, 0xffffffff81000000);
	assert_false(source->has_space[SPACE_VIRTUAL]);
	assert_physical(source, 0x5000, 0x1000);
	assert_physical(source, 0x8000, 0x2000);
	memory_source_close(source);
}

static void memory_without_physical_address_is_read_by_its_virtual_one(void **state)
{
	/* A copy of /proc/kcore. */
	static const struct load_spec loads[] = {
		{ DIRECT_MAP + 0x2000, 0x2000, 0x1000, 0x1000 },
		{ 0xffffc90000000000, UINT64_MAX, 0x1000, 0x1000 },
	};
	struct memory_source *source = open_core(loads, COUNT(loads), NULL, 0);

	(void)state;
	assert_true(source->has_space[SPACE_VIRTUAL]);
	assert_int_equal(word_at(source, SPACE_VIRTUAL, 0xffffc90000000008), WORD_MARK + 7);
	assert_int_equal(word_at(source, SPACE_VIRTUAL, DIRECT_MAP + 0x2008), WORD_MARK + 0x2008);
	assert_int_equal(source->mapping_count, 1);
	assert_int_equal(source->ram_count, 1);
	assert_physical(source, 0x2000, 0x1000);
	memory_source_close(source);
}

/* QEMUCPUState with a number of its own in each field that dill wants. */
static void qemu_state(uint8_t *state, uint64_t seed)
{
	static const struct {
		size_t offset;
		uint64_t value;
	} fields[] = {
		{ 56, 1 }, { 64, 2 }, { 136, 3 }, { 152 + 4 * 24 + 16, 4 }, { 152 + 9 * 24 + 16, 5 },
		{ 392, 6 }, { 392 + 24, 7 }, { 392 + 32, 8 }, { 432, 9 },
	};

	memset(state, 0xee, 440);
	for (size_t i = 0; i < COUNT(fields); i++) {
		uint64_t value = seed + fields[i].value;

		memcpy(state + fields[i].offset, &value, 8);
	}
}

static void registers_come_from_qemus_notes(void **state)
{
	static const struct load_spec loads[] = { { 0, 0, 0x1000, 0x1000 } };
	uint8_t first[440], second[440], prstatus[336];
	const struct note_spec notes[] = {
		{ "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus) }, { "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus) },
		{ "QEMU", 0, first, sizeof(first) },                 { "QEMU", 0, second, sizeof(second) },
		{ "QEMU", 0, second, 100 },
	};
	struct memory_source *source;

	(void)state;
	memset(prstatus, 0xdd, sizeof(prstatus));
	qemu_state(first, 0x100);
	qemu_state(second, 0x200);
	source = open_core(loads, COUNT(loads), notes, COUNT(notes));
	assert_int_equal(source->cpu_count, 2);
	for (uint64_t i = 0; i < 2; i++) {
		const struct cpu_registers *cpu = &source->cpus[i];
		uint64_t seed = (i + 1) * 0x100;

		assert_int_equal(cpu->rsp, seed + 1);
		assert_int_equal(cpu->rbp, seed + 2);
		assert_int_equal(cpu->rip, seed + 3);
		assert_int_equal(cpu->gs_base, seed + 4);
		assert_int_equal(cpu->idt_base, seed + 5);
		assert_int_equal(cpu->cr0, seed + 6);
		assert_int_equal(cpu->cr3, seed + 7);
		assert_int_equal(cpu->cr4, seed + 8);
		assert_int_equal(cpu->kernel_gs_base, seed + 9);
		assert_int_equal(cpu->efer, 0);
	}
	memory_source_close(source);
}

static void registers_come_from_prstatus_without_qemu(void **state)
{
	static const struct load_spec loads[] = { { 0, 0, 0x1000, 0x1000 } };
	uint64_t prstatus[42] = { 0 };
	const struct note_spec notes[] = {
		{ "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus) },
		{ "CORE", NT_PRPSINFO, prstatus, sizeof(prstatus) },
		{ "VMCOREINFO", 0, "OSRELEASE=6.1\nPAGESIZE=4096\n", 28 },
	};
	struct memory_source *source;

	(void)state;
	prstatus[14 + 4] = 0xb9;   /* rbp */
	prstatus[14 + 16] = 0x419; /* rip */
	prstatus[14 + 19] = 0x549; /* rsp */
	source = open_core(loads, COUNT(loads), notes, COUNT(notes));
	assert_int_equal(source->cpu_count, 1);
	assert_int_equal(source->cpus[0].rbp, 0xb9);
	assert_int_equal(source->cpus[0].rip, 0x419);
	assert_int_equal(source->cpus[0].rsp, 0x549);
	assert_int_equal(source->cpus[0].cr3, 0);
	assert_string_equal(source->vmcoreinfo, "OSRELEASE=6.1\nPAGESIZE=4096\n");
	memory_source_close(source);
}

static void more_headers_than_e_phnum_holds(void **state)
{
	const uint32_t count = 70000;
	uint64_t contents = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr) + sizeof(Elf64_Shdr);
	Elf64_Shdr section = { .sh_info = count };
	Elf64_Ehdr header = elf_header();
	struct memory_source *source;
	struct image image = { 0 };

	(void)state;
	header.e_phnum = PN_XNUM;
	header.e_shoff = contents - sizeof(section);
	header.e_shnum = 1;
	image_append(&image, &header, sizeof(header));
	for (uint32_t i = 0; i < count; i++) {
		Elf64_Phdr load = { .p_type = PT_LOAD, .p_offset = contents + 8 * i, .p_filesz = 8, .p_memsz = 8 };

		load.p_paddr = 16ULL * (count - i);
		image_append(&image, &load, sizeof(load));
	}
	image_append(&image, &section, sizeof(section));
	for (uint32_t i = 0; i < count; i++)
		image_append(&image, &(uint64_t){ WORD_MARK + 16ULL * (count - i) }, 8);
	assert_int_equal(image_open(&image, &source, NULL), 0);
	assert_int_equal(source->ram_count, count);
	assert_physical(source, 16, 8);
	assert_physical(source, 16 * 69999, 8);
	assert_unreadable(source, 24, 8);
	memory_source_close(source);
	free(image.bytes);
}

static void anything_else_of_whole_pages_is_ram(void **state)
{
	struct image image = { 0 };
	struct memory_source *source;

	(void)state;
	image_memory(&image, 0, 1 << 20);
	assert_int_equal(image_open(&image, &source, NULL), 0);
	assert_string_equal(source->ops->name, "raw");
	assert_physical(source, 0, 0x1000);
	assert_physical(source, 0xff000, 0x1000);
	assert_unreadable(source, 1 << 20, 1);
	assert_unreadable(source, (1 << 20) - 4, 8);
	assert_int_equal(source->ram_count, 1);
	assert_int_equal(source->ram[0].size, 1 << 20);
	memory_source_close(source);
	free(image.bytes);
}

static void large_holes_of_a_sparse_file_are_not_searched(void **state)
{
	static const uint64_t data_at[] = { 0x5000, 0x2000000, 200ULL << 20, 900ULL << 20 };
	const uint64_t size = 2ULL << 30;
	struct memory_source *source;
	const char *path;
	int fd;

	(void)state;
	path = image_file("", 0, &fd);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	for (size_t i = 0; i < COUNT(data_at); i++)
		assert_int_equal(pwrite(fd, &(uint64_t){ WORD_MARK + data_at[i] }, 8, (off_t)data_at[i]), 8);
	assert_true(lseek(fd, 0, SEEK_DATA) == 0x5000);
	assert_int_equal(source_file_open(path, &source, NULL), 0);
	assert_int_equal(source->ram_count, 4); /* the first two are one; the end */
	for (size_t i = 0; i < source->ram_count; i++) {
		assert_int_equal(source->ram[i].start % 4096, 0);
		assert_int_equal(source->ram[i].size % 4096, 0);
		if (i)
			assert_true(source->ram[i].start > source->ram[i - 1].start + source->ram[i - 1].size);
	}
	assert_int_equal(source->ram[0].start, 0);
	assert_int_equal(source->ram[0].size, 0x2001000);
	assert_int_equal(source->ram[1].start, data_at[2]);
	assert_int_equal(source->ram[2].start, data_at[3]);
	assert_int_equal(source->ram[3].start + source->ram[3].size, size);
	for (size_t i = 0; i < COUNT(data_at); i++)
		assert_int_equal(word_at(source, SPACE_PHYSICAL, data_at[i]), WORD_MARK + data_at[i]);
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, 1ULL << 30, &(uint64_t){ 1 }, 8, NULL), 0);
	memory_source_close(source);
	close(fd);
}

/* Other than in a dump, its offsets are addresses, and the kernel image's PT_LOAD has pages that are gone. */
static void kcore_takes_physical_memory_from_the_direct_map(void **state)
{
	static const struct load_spec loads[] = {
		{ 0xffffffff81000000, 0x1000000, 0x1000, 0x1000 },
		{ DIRECT_MAP + 0x100000, 0x100000, 0x1000, 0x1000 },
		{ DIRECT_MAP + 0x1000000, 0x1000000, 0x1000, 0x1000 },
		{ 0xffffc90000000000, UINT64_MAX, 0x1000, 0x1000 },
	};
	const struct note_spec note = { "VMCOREINFO", 0, "OSRELEASE=6.1\n", 14 };
	struct image image = image_core(loads, COUNT(loads), &note, 1);
	struct elf_core core;
	int fd;

	(void)state;
	/* The last PT_LOAD's memory is behind what the file's size tells. */
	image_file(image.bytes, image.size - 0x1000, &fd);
	assert_int_equal(elf_core_read(fd, ELF_CORE_KCORE, &core, NULL), 0);
	assert_int_equal(core.physical.count, 2);
	assert_int_equal(core.physical.list[1].address, 0x1000000);
	/* By its offset in the file: it is the third one's, not the image's. */
	assert_int_equal(core.physical.list[1].offset, core.physical.list[0].offset + 0x1000);
	assert_int_equal(core.virtual.count, 4);
	assert_int_equal(core.virtual.list[2].size, 0x1000);
	assert_int_equal(core.mapping_count, 3);
	assert_string_equal(core.notes.vmcoreinfo, "OSRELEASE=6.1\n");
	elf_core_deinit(&core);
	close(fd);
	free(image.bytes);
}

static int open_bytes(const void *bytes, size_t size, struct error *err)
{
	struct image image = { .bytes = (uint8_t *)bytes, .size = size };
	struct memory_source *source;
	int status = image_open(&image, &source, err);

	if (!status)
		memory_source_close(source);
	else
		assert_int_equal(err->code, status);
	return status;
}

static void other_files_are_refused_by_what_they_are(void **state)
{
	Elf64_Ehdr program = elf_header(), arm = elf_header(), narrow = elf_header();
	static char pages[2 << 20];
	struct error err = { 0 };

	(void)state;
	program.e_type = ET_EXEC;
	assert_int_equal(open_bytes(&program, sizeof(program), &err), -EBADMSG);
	assert_non_null(strstr(err.text, "vmlinux"));
	arm.e_machine = EM_AARCH64;
	assert_int_equal(open_bytes(&arm, sizeof(arm), &err), -EOPNOTSUPP);
	narrow.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(open_bytes(&narrow, sizeof(narrow), &err), -EOPNOTSUPP);
	assert_int_equal(open_bytes("\x1f\x8b\x08", 3, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "gzip"));
	assert_int_equal(open_bytes(pages, sizeof(pages) - 1, &err), -EBADMSG);
	assert_int_equal(open_bytes(pages, 4096, &err), -EBADMSG);
	assert_int_equal(open_bytes("", 0, &err), -EBADMSG);
	assert_int_equal(source_file_open("/nonexistent/dump", &(struct memory_source *){ NULL }, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/dump"));
	assert_int_equal(source_file_open("/tmp", &(struct memory_source *){ NULL }, &err), -EBADMSG);
	assert_int_equal(source_file_open("/dev/zero", &(struct memory_source *){ NULL }, &err), -EOPNOTSUPP);
}

static void the_core_of_a_process_is_not_a_kernels(void **state)
{
	static const struct load_spec loads[] = {
		{ 0x400000, 0, 0x1000, 0x1000 },
		{ 0x7ffff7dd5000, 0, 0x1000, 0x2000 },
	};
	struct image image = image_core(loads, COUNT(loads), NULL, 0);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(open_bytes(image.bytes, image.size, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "process"));
	free(image.bytes);
}

static void a_pipe_does_not_make_dill_wait(void **state)
{
	char path[] = "/tmp/dill-fifo-XXXXXX", fifo[64];
	struct error err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(source_file_open(fifo, &(struct memory_source *){ NULL }, &err) < 0);
	unlink(fifo);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_where_the_headers_say),
		cmocka_unit_test(a_read_may_cross_from_one_load_to_the_next),
		cmocka_unit_test(each_read_of_a_batch_has_its_own_result),
		cmocka_unit_test(memory_that_was_left_out_is_unreadable),
		cmocka_unit_test(only_addresses_of_the_kernel_are_mappings),
		cmocka_unit_test(memory_without_physical_address_is_read_by_its_virtual_one),
		cmocka_unit_test(registers_come_from_qemus_notes),
		cmocka_unit_test(registers_come_from_prstatus_without_qemu),
		cmocka_unit_test(more_headers_than_e_phnum_holds),
		cmocka_unit_test(anything_else_of_whole_pages_is_ram),
		cmocka_unit_test(large_holes_of_a_sparse_file_are_not_searched),
		cmocka_unit_test(kcore_takes_physical_memory_from_the_direct_map),
		cmocka_unit_test(other_files_are_refused_by_what_they_are),
		cmocka_unit_test(the_core_of_a_process_is_not_a_kernels),
		cmocka_unit_test(a_pipe_does_not_make_dill_wait),
	};

	return cmocka_run_group_tests_name("source_file", tests, NULL, NULL);
}
