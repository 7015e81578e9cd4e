// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * ELF and DWARF that is cut off, overwritten, or written to do harm: nothing may crash, hang, or take memory
 * that the file doesn't account for. Meant to be run under the address sanitizer too. The damage is the same
 * in every run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "dwarf_lines.h"
#include "elf_fixture.h"
#include "elf_minidebuginfo.h"
#include "elf_object.h"
#include "elf_symbols.h"

struct image {
	uint8_t *bytes;
	size_t size;
};

static struct image read_image(const char *name)
{
	struct image image;
	FILE *file = fopen(fixture_path(name), "r");

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	image.size = (size_t)ftell(file);
	rewind(file);
	image.bytes = malloc(image.size);
	assert_int_equal(fread(image.bytes, 1, image.size, file), image.size);
	fclose(file);
	return image;
}

static int open_image(const uint8_t *bytes, size_t size, struct elf_object **ret_object)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return elf_object_open_fd(fd, "/damaged", NULL, ret_object, NULL);
}

static int count_function(const struct elf_function *function, void *context)
{
	assert_true(strlen(function->name) > 0);
	++*(size_t *)context;
	return 0;
}

/* Ask everything. Returns the number of functions, for tests that expect some. */
static size_t ask_everything(const uint8_t *bytes, size_t size, bool with_lines)
{
	struct dwarf_frame frames[DWARF_LINES_DEPTH];
	struct elf_function function;
	struct elf_symbols *symbols;
	struct dwarf_lines *lines;
	struct elf_object *object;
	size_t functions = 0;
	uint64_t value;

	if (open_image(bytes, size, &object))
		return 0;
	elf_object_each_function(object, count_function, &functions, NULL);
	elf_object_find_function(object, "outer", &function, NULL);
	for (uint64_t address = 0; address < 0x6000; address += 61) {
		elf_object_offset_to_vaddr(object, address, &value);
		elf_object_vaddr_to_offset(object, address, &value);
		if (!elf_object_symbols(object, &symbols, NULL))
			elf_symbols_at(symbols, address);
	}
	if (with_lines && !dwarf_lines_open(object, object, NULL, &lines, NULL)) {
		for (uint64_t address = 0x1000; address < 0x1400; address += 7)
			dwarf_lines_at(lines, address, true, frames);
		dwarf_lines_close(lines);
	}
	elf_object_unref(object);
	return functions;
}

static int build_all(void **state)
{
	if (fixture_setup(state))
		return -1;
	write_file("p.c",
		   "static inline __attribute__((always_inline)) int in(int x) { return x * x; }\n"
		   "__attribute__((noinline)) int outer(int x) { int s = 0; for (int i = 0; i < x; i++)\n"
		   "s += in(i) + (x ? in(s) : 0); return s; }\nint main(int c, char **v) { (void)v; return "
		   "outer(c); }\n");
	run("gcc -O2 -g p.c -o p && gcc -O2 -g -gdwarf-4 -gz p.c -o p4");
	return 0;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void survives_files_that_are_cut_off(void **state)
{
	struct image image = read_image("p");

	(void)state;
	assert_true(ask_everything(image.bytes, image.size, true) > 5);
	for (size_t size = 0; size < image.size; size += size < 1024 ? 3 : 211)
		ask_everything(image.bytes, size, true);
	free(image.bytes);
}

static void survives_overwritten_headers(void **state)
{
	struct image image = read_image("p"), damaged = {malloc(image.size), image.size};
	Elf64_Ehdr header;
	uint32_t seed = 1;

	(void)state;
	memcpy(&header, image.bytes, sizeof(header));
	for (int round = 0; round < 1500; round++) {
		/* ELF header, program headers, section headers: where counts and offsets are. */
		size_t bases[] = {0, header.e_phoff, header.e_shoff};
		size_t sizes[] = {sizeof(header), header.e_phnum * sizeof(Elf64_Phdr),
				  header.e_shnum * sizeof(Elf64_Shdr)};

		memcpy(damaged.bytes, image.bytes, image.size);
		for (int i = 0; i < 4; i++) {
			uint32_t which = next_random(&seed) % 3;
			size_t at = bases[which] + next_random(&seed) % sizes[which];

			damaged.bytes[at] = (uint8_t)(next_random(&seed) % 3 ? next_random(&seed) : 0xff);
		}
		ask_everything(damaged.bytes, damaged.size, round % 4 == 0);
	}
	free(image.bytes);
	free(damaged.bytes);
}

/* [start, end) of all sections whose names begin so, in the file. */
static void section_extent(const struct image *image, const char *prefix, size_t *ret_start, size_t *ret_end)
{
	const Elf64_Ehdr *header = (const void *)image->bytes;
	const Elf64_Shdr *sections = (const void *)(image->bytes + header->e_shoff);
	const char *names = (const char *)image->bytes + sections[header->e_shstrndx].sh_offset;

	*ret_start = SIZE_MAX;
	*ret_end = 0;
	for (size_t i = 1; i < header->e_shnum; i++) {
		if (strncmp(names + sections[i].sh_name, prefix, strlen(prefix)))
			continue;
		if (sections[i].sh_offset < *ret_start)
			*ret_start = sections[i].sh_offset;
		if (sections[i].sh_offset + sections[i].sh_size > *ret_end)
			*ret_end = sections[i].sh_offset + sections[i].sh_size;
	}
	assert_true(*ret_start < *ret_end);
}

static void damage_sections(const char *file, const char *prefix, int rounds)
{
	struct image image = read_image(file), damaged = {malloc(image.size), image.size};
	size_t start, end;
	uint32_t seed = 7;

	section_extent(&image, prefix, &start, &end);
	for (int round = 0; round < rounds; round++) {
		memcpy(damaged.bytes, image.bytes, image.size);
		for (int i = 0; i < 1 + round % 16; i++)
			damaged.bytes[start + next_random(&seed) % (end - start)] =
				(uint8_t)next_random(&seed);
		ask_everything(damaged.bytes, damaged.size, true);
	}
	free(image.bytes);
	free(damaged.bytes);
}

static void survives_overwritten_symbols(void **state)
{
	(void)state;
	damage_sections("p", ".symtab", 300);
	damage_sections("p", ".strtab", 100);
	damage_sections("p", ".dyn", 300);
	damage_sections("p", ".gnu.version", 100);
}

static void survives_overwritten_dwarf(void **state)
{
	(void)state;
	damage_sections("p", ".debug_info", 600);
	damage_sections("p", ".debug_abbrev", 600);
	damage_sections("p", ".debug_line", 600);
	damage_sections("p", ".debug_rnglists", 300);
	damage_sections("p", ".debug_", 600);
	damage_sections("p4", ".debug_", 600);
}

static void survives_overwritten_minidebuginfo(void **state)
{
	(void)state;
	run("objcopy --only-keep-debug p m.debug; rm -f m.debug.xz; xz m.debug && strip p -o s &&"
	    "objcopy --add-section .gnu_debugdata=m.debug.xz s mini");
	damage_sections("mini", ".gnu_debugdata", 300);
}

/* 300 MiB of zeros are 45 KiB of xz. */
static void does_not_unpack_minidebuginfo_without_end(void **state)
{
	void *unpacked = NULL;
	struct image image;
	size_t size;
	Elf *elf;

	(void)state;
	run("rm -f bomb.xz; head -c 300M /dev/zero | xz -1 >bomb.xz && strip p -o s &&"
	    "objcopy --add-section .gnu_debugdata=bomb.xz s bomb");
	image = read_image("bomb");
	assert_true(image.size < 1 << 20);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)image.bytes, image.size);
	assert_int_equal(elf_minidebuginfo_extract(elf, &unpacked, &size), -EFBIG);
	assert_null(unpacked);
	elf_end(elf);
	ask_everything(image.bytes, image.size, false);
	free(image.bytes);
}

/* Symbols whose names all share one long string, each beginning one byte later. */
static void names_cost_no_more_than_their_string_table(void **state)
{
	const size_t long_name = 100000;
	FILE *file;
	struct image image;

	(void)state;
	file = fopen(fixture_path("n.py"), "w");
	assert_non_null(file);
	fprintf(file,
		"import struct\n"
		"n = %zu\n"
		"names = b'\\0' + b'A' * n + b'\\0'\n"
		"text = b'\\xc3' * 4096\n"
		"syms = bytes(24) + b''.join(struct.pack('<IBBHQQ', i, 0x12, 0, 1, 0x1000, 1) for i in "
		"range(1, n))\n"
		"shstr = b'\\0.text\\0.symtab\\0.strtab\\0'\n"
		"parts = [text, syms, names, shstr]\n"
		"at, where = 64 + 56, []\n"
		"for p in parts: where.append(at); at += len(p)\n"
		"def sh(name, type, flags, addr, i, link, ent):\n"
		"    return struct.pack('<IIQQQQIIQQ', name, type, flags, addr, where[i], len(parts[i]), "
		"link, 0, 1, ent)\n"
		"sections = bytes(64) + sh(1, 1, 6, 0x1000, 0, 0, 0) + sh(7, 2, 0, 0, 1, 3, 24) + sh(15, 3, "
		"0, 0, 2, 0, 0)"
		" + sh(15, 3, 0, 0, 3, 0, 0)\n"
		"head = b'\\x7fELF\\x02\\x01\\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 3, 62, 1, 0, "
		"64, at, 0,"
		" 64, 56, 1, 64, 5, 4)\n"
		"load = struct.pack('<IIQQQQQQ', 1, 5, where[0], 0x1000, 0x1000, 4096, 4096, 4096)\n"
		"open('names', 'wb').write(head + load + b''.join(parts) + sections)\n",
		long_name);
	fclose(file);
	if (system("python3 -c pass >/dev/null 2>&1"))
		skip();
	run("python3 n.py");
	image = read_image("names");
	assert_true(ask_everything(image.bytes, image.size, false) > 1000);
	free(image.bytes);
}

/* Whoever can write to the file could have it claim 4 GiB of DWARF that are no bytes on disk. */
static void refuses_somebody_elses_file_of_holes(void **state)
{
	struct elf_object *object = NULL;

	(void)state;
	run("cp p holes && truncate -s 4G holes && chmod 644 holes");
	assert_int_equal(elf_object_open_path(fixture_path("holes"), &object, NULL), 0);
	elf_object_unref(object);
	run("chmod 666 holes");
	assert_int_equal(elf_object_open_path(fixture_path("holes"), &object, NULL), -EFBIG);
}

/* Read, where a mapping would end in SIGBUS: the file of somebody else that shrinks after it was opened. */
static void survives_files_that_shrink_meanwhile(void **state)
{
	struct dwarf_frame frames[DWARF_LINES_DEPTH];
	struct elf_function function;
	struct dwarf_lines *lines;
	struct elf_object *object;

	(void)state;
	run("cp p shrinking && chmod 666 shrinking");
	assert_int_equal(elf_object_open_path(fixture_path("shrinking"), &object, NULL), 0);
	assert_int_equal(dwarf_lines_open(object, object, NULL, &lines, NULL), 0);
	run(": >shrinking");
	for (uint64_t address = 0x1000; address < 0x1400; address += 7)
		dwarf_lines_at(lines, address, true, frames);
	assert_true(elf_object_find_function(object, "outer", &function, NULL) < 0);
	dwarf_lines_close(lines);
	elf_object_unref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_files_that_are_cut_off),
		cmocka_unit_test(survives_overwritten_headers),
		cmocka_unit_test(survives_overwritten_symbols),
		cmocka_unit_test(survives_overwritten_dwarf),
		cmocka_unit_test(survives_overwritten_minidebuginfo),
		cmocka_unit_test(does_not_unpack_minidebuginfo_without_end),
		cmocka_unit_test(names_cost_no_more_than_their_string_table),
		cmocka_unit_test(refuses_somebody_elses_file_of_holes),
		cmocka_unit_test(survives_files_that_shrink_meanwhile),
	};

	return cmocka_run_group_tests(tests, build_all, fixture_teardown);
}
