// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Functions and layout of ELF files that the machine's compiler makes, held against nm, readelf and the bytes
 * themselves. Which file is behind a mapping: test_elf_mapping.c. Damaged files: test_elf_damage.c; files of
 * debug information: test_debug_file.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "elf_programs.h"

static void finds_functions_where_nm_does(void **state)
{
	static const char *const files[] = {"pie", "fixed", "lib.so", "static", "static-pie"};
	static const char *const names[] = {"shown",	"hidden", "__libc_shown", "weakling",
					    "__strong", "chosen", "main"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct elf_object *object = open_object(files[i]);

		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
			assert_function_at(object, names[j], nm_address(files[i], names[j]));
		elf_object_unref(object);
	}
}

struct nm_entries {
	char *text;
	size_t missing;
};

/* Strike a function out of nm's list. */
static int strike_out(const struct elf_function *function, void *context)
{
	struct nm_entries *entries = context;
	char line[512], *at;

	snprintf(line, sizeof(line), "\n%016" PRIx64 " %s\n", function->vaddr, function->name);
	at = strstr(entries->text, line);
	if (at)
		at[1] = '-';
	else
		entries->missing++;
	return 0;
}

static void lists_exactly_the_functions_that_nm_lists(void **state)
{
	static const char *const files[] = {"pie", "fixed", "static"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct elf_object *object = open_object(files[i]);
		/*
		 * Functions only: what nm calls t, w or i and readelf FUNC, IFUNC or NOTYPE in a section of
		 * code.
		 */
		struct nm_entries entries = {
			.text = output_of(
				"echo; code=$(readelf -SW %1$s | sed -n 's/^ *\\[ *\\([0-9]*\\)\\].* "
				"[A-Z]*X[A-Z]* .*/\\1/p');"
				"readelf -sW %1$s | sed -n '/symtab/,$p' | awk -v code=\"$code\" 'BEGIN "
				"{ split(code, c); for (i in c) is[c[i]] = 1 } $4 ~ /FUNC|NOTYPE/ && is[$7] "
				"&& $8 "
				"{ sub(/@.*/, \"\", $8); print $2, $8 }' | LC_ALL=C sort -u",
				files[i]),
		};

		assert_non_null(strstr(entries.text, " shown\n"));
		assert_int_equal(elf_object_each_function(object, strike_out, &entries, NULL), 0);
		assert_int_equal(entries.missing, 0);
		for (char *at = entries.text; (at = strchr(at, '\n')) && at[1]; at++) {
			if (at[1] != '-')
				fail_msg("%s: not listed: %.60s", files[i], at + 1);
		}
		free(entries.text);
		elf_object_unref(object);
	}
}

static void says_what_kind_of_function_it_is(void **state)
{
	struct elf_object *object = open_object("lib.so");
	struct elf_function function;

	(void)state;
	assert_int_equal(elf_object_find_function(object, "chosen", &function, NULL), 0);
	assert_true(function.is_ifunc && function.is_dynamic && !function.is_weak);
	assert_int_equal(elf_object_find_function(object, "weakling", &function, NULL), 0);
	assert_true(function.is_weak && function.is_dynamic && !function.is_ifunc);
	assert_int_equal(elf_object_find_function(object, "hidden", &function, NULL), 0);
	assert_false(function.is_dynamic);
	assert_true(function.size > 0);
	assert_int_equal(elf_object_find_exported(object, "hidden", &function, NULL), -ENOENT);
	assert_int_equal(elf_object_find_exported(object, "shown", &function, NULL), 0);
	elf_object_unref(object);
}

static void does_not_find_functions_that_are_only_called(void **state)
{
	struct elf_object *object = open_object("pie");
	struct elf_function function;
	struct error err = {0};

	(void)state;
	assert_int_equal(elf_object_find_function(object, "printf", &function, &err), -ENOENT);
	assert_non_null(strstr(err.text, "printf"));
	elf_object_unref(object);
}

static int assert_no_version(const struct elf_function *function, void *context)
{
	(void)context;
	assert_null(strchr(function->name, '@'));
	return 0;
}

static void finds_the_default_version_of_a_function(void **state)
{
	struct elf_object *object;

	(void)state;
	write_file("v.c", "int old_f(void) { return 1; }\nint new_f(void) { return 2; }\n"
			  "__asm__(\".symver old_f,f@V1\");\n__asm__(\".symver new_f,f@@V2\");\n");
	write_file("v.map", "V1 { global: f; local: *; };\nV2 { global: f; } V1;\n");
	run("gcc -O1 -fPIC -shared v.c -Wl,--version-script=v.map -o v.so && cp v.so v-full.so && strip "
	    "v.so");
	object = open_object("v.so");
	assert_function_at(object, "f", nm_address("v-full.so", "new_f"));
	elf_object_unref(object);
	object = open_object("v-full.so");
	assert_function_at(object, "f", nm_address("v-full.so", "new_f"));
	elf_object_unref(object);
	/* nm shows f@@V2 there. */
	object = open_object("v-full.so");
	assert_int_equal(elf_object_each_function(object, assert_no_version, NULL, NULL), 0);
	elf_object_unref(object);
	assert_names("v-full.so", nm_address("v-full.so", "new_f"), "f");
}

static void prefers_plain_names_among_aliases(void **state)
{
	(void)state;
	assert_names("pie", nm_address("pie", "__libc_shown"), "shown");
	assert_names("pie", nm_address("pie", "__strong"), "weakling");
}

/*
 * outer [0, 64) holds inner [16, 32) and the label inside; after it a gap, then bare without a size, then
 * sized, then at the end of the section tail without a size; the next section has no symbol.
 */
static void covers_what_symbols_cover_and_no_more(void **state)
{
	uint64_t text;

	(void)state;
	write_file(
		"s.S",
		".text\n.globl _start, outer, inner, bare, sized, tail, label\n_start:\n.skip 16\n"
		".balign 64\n"
		".type outer,@function\n.type inner,@function\n.type sized,@function\n"
		"outer: .skip 16\ninner: .skip 16\n.size inner, 16\nlabel: .skip 32\n.size outer, 64\n"
		".type gap,@object\ngap: .skip 16\n"
		"bare: .skip 16\nsized: .skip 16\n.size sized, 8\ntail: .skip 8\n"
		".section .text2,\"ax\"\n.skip 48\n.type wide,@function\nwide: .skip 16\n.size wide, 4096\n"
		".section .text3,\"ax\"\n.skip 64\n");
	run("gcc -nostdlib -static s.S -o s");
	text = nm_address("s", "outer");
	assert_names("s", text, "outer");
	assert_names("s", text + 15, "outer");
	assert_names("s", text + 16, "inner");
	assert_names("s", text + 31, "inner");
	assert_names("s", text + 32, "outer");
	assert_names("s", text + 63, "outer");
	assert_names("s", nm_address("s", "bare") - 1, NULL);
	assert_names("s", nm_address("s", "bare"), "bare");
	assert_names("s", nm_address("s", "sized") - 1, "bare");
	assert_names("s", nm_address("s", "sized"), "sized");
	assert_names("s", nm_address("s", "sized") + 8, NULL);
	assert_names("s", nm_address("s", "tail"), "tail");
	assert_names("s", nm_address("s", "tail") + 7, "tail");
	assert_names("s", nm_address("s", "tail") + 8, NULL);
	assert_names("s", nm_address("s", "wide") + 15, "wide");
	assert_names("s", nm_address("s", "wide") + 16, NULL);
	assert_names("s", nm_address("s", "_start"), "_start");
	assert_names("s", 0, NULL);
	assert_names("s", UINT64_MAX, NULL);
}

static void tells_programs_from_libraries(void **state)
{
	static const struct {
		const char *file;
		bool is_pie, is_static, has_interpreter;
	} expected[] = {
		{"pie", true, false, true},	   {"fixed", false, false, true},
		{"lib.so", false, false, false},   {"static", false, true, false},
		{"static-pie", true, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		struct elf_object *object = open_object(expected[i].file);

		assert_int_equal(elf_object_is_pie(object), expected[i].is_pie);
		assert_int_equal(elf_object_is_static(object), expected[i].is_static);
		assert_int_equal(elf_object_interpreter(object) != NULL, expected[i].has_interpreter);
		assert_true(elf_object_is_64bit(object));
		elf_object_unref(object);
	}
}

static void states_interpreter_and_build_id_as_readelf_does(void **state)
{
	struct elf_object *object = open_object("pie");
	char *interpreter =
		output_of("readelf -lW pie | sed -n 's/.*interpreter: \\(.*\\)\\]/\\1/p' | tr -d '\\n'");
	char *expected = output_of("readelf -n pie | sed -n 's/.*Build ID: //p' | tr -d '\\n'");
	char digits[256] = "";
	size_t size;
	const uint8_t *build_id = elf_object_build_id(object, &size);

	(void)state;
	for (size_t i = 0; i < size; i++)
		sprintf(digits + 2 * i, "%02x", build_id[i]);
	assert_string_equal(digits, expected);
	assert_string_equal(elf_object_interpreter(object), interpreter);
	free(interpreter);
	free(expected);
	elf_object_unref(object);
}

static void turns_addresses_into_offsets_where_the_bytes_are(void **state)
{
	static const char *const files[] = {"m-pie", "m-fixed", "m-static"};
	static const char marker[] = "dill marks this spot";

	(void)state;
	write_file("m.S", ".text\n.globl marked, main\nmain: ret\nmarked: .ascii \"dill marks this spot\"\n"
			  ".section .note.GNU-stack,\"\",@progbits\n");
	run("gcc -pie m.S -o m-pie && gcc -no-pie m.S -o m-fixed && gcc -static m.S -o m-static");
	for (size_t i = 0; i < 3; i++) {
		struct elf_object *object = open_object(files[i]);
		uint64_t vaddr = nm_address(files[i], "marked"), offset, back;
		char bytes[sizeof(marker) - 1];

		assert_int_equal(elf_object_vaddr_to_offset(object, vaddr, &offset), 0);
		assert_int_equal(elf_object_read(object, offset, bytes, sizeof(bytes)), 0);
		assert_memory_equal(bytes, marker, sizeof(bytes));
		assert_int_equal(elf_object_offset_to_vaddr(object, offset, &back), 0);
		assert_int_equal(back, vaddr);
		assert_true(elf_object_is_code(object, vaddr));
		assert_int_equal(elf_object_base_vaddr(object), i == 0 ? 0 : 0x400000);
		assert_int_equal(elf_object_vaddr_to_offset(object, 0x7fff00000000, &offset), -ENOENT);
		assert_int_equal(elf_object_offset_to_vaddr(object, 1ULL << 40, &back), -ENOENT);
		elf_object_unref(object);
	}
}

/* Two segments, a gap of 256 bytes between them in the file, and the page around it mapped for both. */
static void an_offset_in_a_shared_page_means_the_code(void **state)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr load[2];
		char rest[4096];
	} file = {
		.header =
			{
				.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				.e_type = ET_DYN,
				.e_machine = EM_X86_64,
				.e_version = EV_CURRENT,
				.e_phoff = sizeof(Elf64_Ehdr),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_phnum = 2,
			},
		.load =
			{
				{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x800, .p_memsz = 0x800},
				{.p_type = PT_LOAD,
				 .p_flags = PF_R | PF_X,
				 .p_offset = 0x900,
				 .p_vaddr = 0x1900,
				 .p_filesz = 0x100,
				 .p_memsz = 0x100},
			},
	};
	int fd = memfd_create("segments", MFD_CLOEXEC);
	struct elf_object *object;
	uint64_t vaddr;

	(void)state;
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	assert_int_equal(elf_object_open_fd(fd, "segments", NULL, &object, NULL), 0);
	assert_int_equal(elf_object_offset_to_vaddr(object, 0x7ff, &vaddr), 0);
	assert_int_equal(vaddr, 0x7ff);
	assert_int_equal(elf_object_offset_to_vaddr(object, 0x880, &vaddr), 0);
	assert_int_equal(vaddr, 0x1880);
	elf_object_unref(object);
}

static void reads_no_further_than_the_file_goes(void **state)
{
	struct elf_object *object = open_object("pie");
	uint64_t size = elf_object_file_size(object);
	char bytes[16];

	(void)state;
	assert_int_equal(elf_object_read(object, size - 16, bytes, 16), 0);
	assert_int_equal(elf_object_read(object, size - 15, bytes, 16), -EFAULT);
	assert_int_equal(elf_object_read(object, UINT64_MAX - 4, bytes, 16), -EFAULT);
	elf_object_unref(object);
}

static void opens_nothing_but_regular_elf_files(void **state)
{
	struct elf_object *object = NULL;

	(void)state;
	/* Nobody writes to the FIFO: opening it for reading would wait for ever. */
	assert_int_equal(mkfifo(fixture_path("fifo"), 0600), 0);
	assert_int_equal(elf_object_open_path(fixture_path("fifo"), &object, NULL), -EINVAL);
	assert_int_equal(elf_object_open_path("/dev/zero", &object, NULL), -EINVAL);
	assert_int_equal(elf_object_open_path(fixture_directory, &object, NULL), -EINVAL);
	assert_int_equal(elf_object_open_path(fixture_path("p.c"), &object, NULL), -EBADMSG);
	assert_int_equal(elf_object_open_path(fixture_path("absent"), &object, NULL), -ENOENT);
	run(": >empty");
	assert_int_equal(elf_object_open_path(fixture_path("empty"), &object, NULL), -EBADMSG);
	assert_null(object);
}

static void notices_that_the_file_was_written_to(void **state)
{
	struct elf_object *object;

	(void)state;
	run("cp pie changing");
	object = open_object("changing");
	assert_false(elf_object_has_changed(object));
	run("printf x >>changing");
	assert_true(elf_object_has_changed(object));
	elf_object_unref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_functions_where_nm_does),
		cmocka_unit_test(lists_exactly_the_functions_that_nm_lists),
		cmocka_unit_test(says_what_kind_of_function_it_is),
		cmocka_unit_test(does_not_find_functions_that_are_only_called),
		cmocka_unit_test(finds_the_default_version_of_a_function),
		cmocka_unit_test(prefers_plain_names_among_aliases),
		cmocka_unit_test(covers_what_symbols_cover_and_no_more),
		cmocka_unit_test(tells_programs_from_libraries),
		cmocka_unit_test(states_interpreter_and_build_id_as_readelf_does),
		cmocka_unit_test(turns_addresses_into_offsets_where_the_bytes_are),
		cmocka_unit_test(an_offset_in_a_shared_page_means_the_code),
		cmocka_unit_test(reads_no_further_than_the_file_goes),
		cmocka_unit_test(opens_nothing_but_regular_elf_files),
		cmocka_unit_test(notices_that_the_file_was_written_to),
	};

	return cmocka_run_group_tests(tests, build_all, fixture_teardown);
}
