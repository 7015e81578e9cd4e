// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* usdt_probes, usdt_argument: operands, notes, and the probes of files; readelf is the judge of the notes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_fixture.h"
#include "elf_object.h"
#include "usdt_probes.h"

#define RAX 0
#define RCX 1
#define RSP 4
#define RBP 5
#define RDI 7
#define NO USDT_NO_REGISTER

static struct usdt_argument parse_one(const char *text, unsigned int word_size)
{
	struct usdt_argument arguments[USDT_ARGUMENTS_MAX];

	assert_int_equal(usdt_arguments_parse(text, strlen(text), word_size, arguments), 1);
	return arguments[0];
}

static void operands_of_each_kind_are_understood(void **state)
{
	static const struct {
		const char *text;
		struct usdt_argument is;
	} cases[] = {
#define IS(text, place, size, is_signed, base, index, scale, shift, constant) \
	{ text, { place, size, is_signed, base, index, scale, shift, constant, NULL, 0 } }
		IS("8@%rax", USDT_REGISTER, 8, false, RAX, NO, 1, 0, 0),
		IS("-4@%ecx", USDT_REGISTER, 4, true, RCX, NO, 1, 0, 0),
		IS("2@%di", USDT_REGISTER, 2, false, RDI, NO, 1, 0, 0),
		IS("1@%ah", USDT_REGISTER, 1, false, RAX, NO, 1, 8, 0),
		IS("1@%spl", USDT_REGISTER, 1, false, RSP, NO, 1, 0, 0),
		IS("8@%r8", USDT_REGISTER, 8, false, 8, NO, 1, 0, 0),
		IS("-1@%r13b", USDT_REGISTER, 1, true, 13, NO, 1, 0, 0),
		IS("4@%r15d", USDT_REGISTER, 4, false, 15, NO, 1, 0, 0),
		IS("2@%r10w", USDT_REGISTER, 2, false, 10, NO, 1, 0, 0),
		IS("4@$5", USDT_CONSTANT, 4, false, NO, NO, 1, 0, 5),
		IS("-4@$-1", USDT_CONSTANT, 4, true, NO, NO, 1, 0, -1),
		IS("8@$0xffff888000000000", USDT_CONSTANT, 8, false, NO, NO, 1, 0, (int64_t)0xffff888000000000),
		IS("4@$010", USDT_CONSTANT, 4, false, NO, NO, 1, 0, 8),
		IS("8@(%rdi)", USDT_MEMORY, 8, false, RDI, NO, 1, 0, 0),
		IS("-4@-20(%rbp)", USDT_MEMORY, 4, true, RBP, NO, 1, 0, -20),
		IS("8@8(%rdi,%rcx,8)", USDT_MEMORY, 8, false, RDI, RCX, 8, 0, 8),
		IS("8@(%rdi,%rcx)", USDT_MEMORY, 8, false, RDI, RCX, 1, 0, 0),
		IS("8@-16(,%rcx,4)", USDT_MEMORY, 8, false, NO, RCX, 4, 0, -16),
		IS("8@8-24+4(%rbp)", USDT_MEMORY, 8, false, RBP, NO, 1, 0, -12),
		IS("4@4096", USDT_MEMORY, 4, false, NO, NO, 1, 0, 4096),
		IS("4@-8(%ebp)", USDT_MEMORY, 4, false, RBP, NO, 1, 0, -8),
		IS("%rax", USDT_REGISTER, 8, false, RAX, NO, 1, 0, 0),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct usdt_argument found = parse_one(cases[i].text, 8);

		if (found.place != cases[i].is.place || found.size != cases[i].is.size ||
		    found.is_signed != cases[i].is.is_signed || found.base != cases[i].is.base ||
		    found.index != cases[i].is.index || found.scale != cases[i].is.scale ||
		    found.shift != cases[i].is.shift || found.constant != cases[i].is.constant)
			fail_msg("%s: place %d, %d bytes, base %d, index %d * %d, constant %lld", cases[i].text, found.place,
				 found.size, found.base, found.index, found.scale, (long long)found.constant);
	}
}

static void memory_at_a_symbol_names_it(void **state)
{
	static const char *const texts[] = { "4@counter(%rip)", "4@8+counter(%rip)", "4@counter-4(%rip)", "4@counter" };
	static const int64_t constants[] = { 0, 8, -4, 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct usdt_argument found = parse_one(texts[i], 8);

		assert_int_equal(found.place, USDT_SYMBOL);
		assert_int_equal(found.constant, constants[i]);
		assert_int_equal(found.symbol_length, 7);
		assert_memory_equal(found.symbol, "counter", 7);
	}
}

static void what_is_not_understood_is_unknown(void **state)
{
	static const char *const texts[] = {
		"8f@%xmm0", "8@%fs:40", "3@%rax", "8@", "@", "8@%", "8@%zax", "8@%r16", "8@%r7", "8@%r8x", "8@%r8dd", "8@$",
		"8@$symbol", "8@(%rax", "8@(%rax,%rcx,3)", "8@(%rax)x", "8@(%al)", "8@-(%rax)", "8@a+b(%rip)", "8@8(%rip)",
		"8@table(,%rax,8)", "8@%rax(%rbx)", "8@(%rax,%rsp,1)", "99999999999999999999@%rax", "8@$99999999999999999999",
		"-@%rax", "8@-symbol(%rip)", "8@0x(%rax)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (parse_one(texts[i], 8).place != USDT_UNKNOWN)
			fail_msg("%s was taken for something", texts[i]);
}

static void unknown_arguments_keep_their_number_and_twelve_are_the_most(void **state)
{
	struct usdt_argument arguments[USDT_ARGUMENTS_MAX];
	const char *text = " 8@%rax  8f@%xmm0\t4@$3 ", *many = "1 2 3 4 5 6 7 8 9 10 11 12 13 14";

	(void)state;
	assert_int_equal(usdt_arguments_parse(text, strlen(text), 8, arguments), 3);
	assert_int_equal(arguments[1].place, USDT_UNKNOWN);
	assert_int_equal(arguments[2].constant, 3);
	assert_int_equal(usdt_arguments_parse(many, strlen(many), 8, arguments), 12);
	assert_int_equal(usdt_arguments_parse("", 0, 8, arguments), 0);
}

/* A section of notes as bytes: two probes with another owner's note between. */
struct section {
	uint8_t bytes[256];
	size_t size;
};

static void add_note(struct section *section, const char *owner, uint32_t type, const void *description, uint32_t size)
{
	uint32_t head[3] = { (uint32_t)strlen(owner) + 1, size, type };

	memcpy(section->bytes + section->size, head, sizeof(head));
	section->size += sizeof(head);
	memcpy(section->bytes + section->size, owner, head[0]);
	section->size += (head[0] + 3) & ~3U;
	memcpy(section->bytes + section->size, description, size);
	section->size += (size + 3) & ~3U;
}

static void add_probe(struct section *section, uint64_t pc, const char *texts, uint32_t texts_size)
{
	uint8_t description[128];
	uint64_t addresses[3] = { pc, 0x1000, 0x2000 };

	memcpy(description, addresses, sizeof(addresses));
	memcpy(description + sizeof(addresses), texts, texts_size);
	add_note(section, "stapsdt", 3, description, (uint32_t)sizeof(addresses) + texts_size);
}

struct seen {
	unsigned int count;
	uint64_t pcs[8];
	char texts[8][64];
};

static int see(const struct usdt_note *note, void *context)
{
	struct seen *seen = context;

	assert_true(seen->count < 8);
	seen->pcs[seen->count] = note->pc;
	snprintf(seen->texts[seen->count++], 64, "%s:%s(%s) %llx", note->provider, note->name, note->arguments,
		 (unsigned long long)note->semaphore);
	return 0;
}

static void notes_are_read_and_other_owners_passed_over(void **state)
{
	struct section section = { 0 };
	struct seen seen = { 0 };

	(void)state;
	add_probe(&section, 0x40, "p\0one\0008@%rax", 13);
	add_note(&section, "GNU", 3, "xyz", 3);
	add_probe(&section, 0x50, "p\0two\0", 7);
	assert_int_equal(usdt_notes_each(section.bytes, section.size, true, see, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.texts[0], "p:one(8@%rax) 2000");
	assert_string_equal(seen.texts[1], "p:two() 2000");
	assert_int_equal(seen.pcs[1], 0x50);
}

/* Whatever is cut off or changed, no byte behind the section is read (run under the address sanitizer), and it ends. */
static void damaged_notes_end_the_section(void **state)
{
	struct section section = { 0 };

	(void)state;
	add_probe(&section, 0x40, "p\0one\0008@%rax", 13);
	add_probe(&section, 0x50, "p\0two\0", 7);
	for (size_t size = 0; size + 1 < section.size; size++) { /* the last byte is padding */
		uint8_t *cut = malloc(size ? size : 1);
		struct seen seen = { 0 };

		memcpy(cut, section.bytes, size);
		assert_int_equal(usdt_notes_each(cut, size, true, see, &seen), 0);
		assert_true(seen.count < 2);
		free(cut);
	}
	for (size_t at = 0; at < 12; at++) {
		struct section damaged = section;
		struct seen seen = { 0 };

		damaged.bytes[at] = 0xff;
		usdt_notes_each(damaged.bytes, damaged.size, true, see, &seen);
		assert_true(seen.count <= 1);
	}
}

/* Our list of a file in readelf's words. */
static char *list_probes(const char *path)
{
	struct elf_object *object;
	struct usdt_probes *probes;
	size_t damaged, size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(elf_object_open_path(path, &object, NULL), 0);
	assert_int_equal(usdt_probes_read(object, &probes, &damaged, NULL), 0);
	assert_int_equal(damaged, 0);
	for (size_t i = 0; i < usdt_probes_count(probes); i++) {
		const struct usdt_probe *probe = usdt_probes_get(probes, i);

		fprintf(out, "%s:%s 0x%016llx %s\n", probe->provider, probe->name, (unsigned long long)probe->vaddr,
			probe->arguments_text);
	}
	fclose(out);
	usdt_probes_destroy(probes);
	elf_object_unref(object);
	return text;
}

static void assert_as_readelf(const char *path)
{
	char *ours = list_probes(path),
	     *theirs = output_of("readelf -n %s | awk '/Provider: /{p=$2} /^ *Name: /{n=$2} /Location: /{sub(\",\",\"\",$2); l=$2} "
				 "/Arguments:/{sub(\"^ *Arguments: \",\"\"); print p\":\"n\" \"l\" \"$0}'", path);

	assert_true(strlen(ours) > 0);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
}

static void a_file_has_the_probes_that_readelf_shows(void **state)
{
	static const char *const forms[] = { "-pie -fPIE", "-no-pie -fno-pie", "-static" };
	char here[512];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	for (size_t i = 0; i < 3; i++) {
		run("gcc -O2 %s -o probes%zu %s/tests/programs/probes.c", forms[i], i, here);
		assert_as_readelf(fixture_path(i == 0 ? "probes0" : i == 1 ? "probes1" : "probes2"));
	}
}

static const struct usdt_probe *find(const struct usdt_probes *probes, const char *name)
{
	for (size_t i = 0; i < usdt_probes_count(probes); i++)
		if (strcmp(usdt_probes_get(probes, i)->name, name) == 0)
			return usdt_probes_get(probes, i);
	fail_msg("no probe %s", name);
	return NULL;
}

static void symbols_and_semaphores_are_found(void **state)
{
	struct elf_object *object;
	struct usdt_probes *probes;
	const struct usdt_probe *probe;
	uint64_t offset, expected;
	char *symbol = output_of("nm probes0 | awk '$3 == \"global_count\" {print $1}'"),
	     *semaphore = output_of("nm probes0 | awk '$3 == \"probes_dear_semaphore\" {print $1}'");

	(void)state;
	assert_int_equal(elf_object_open_path(fixture_path("probes0"), &object, NULL), 0);
	assert_int_equal(usdt_probes_read(object, &probes, NULL, NULL), 0);
	probe = find(probes, "memory");
	assert_int_equal(probe->arguments[5].place, USDT_MEMORY);
	assert_int_equal(probe->arguments[5].base, USDT_RIP);
	assert_int_equal(probe->arguments[5].constant + (int64_t)probe->vaddr, strtoll(symbol, NULL, 16));
	assert_int_equal(elf_object_vaddr_to_offset(object, strtoull(semaphore, NULL, 16), &expected), 0);
	assert_int_equal(find(probes, "dear")->semaphore_offset, expected);
	assert_int_equal(probe->semaphore_offset, 0);
	assert_int_equal(elf_object_vaddr_to_offset(object, probe->vaddr, &offset), 0);
	assert_int_equal(probe->file_offset, offset);
	usdt_probes_destroy(probes);
	elf_object_unref(object);
	free(symbol);
	free(semaphore);
}

static uint64_t semaphore_of(const char *path)
{
	struct elf_object *object;
	struct usdt_probes *probes;
	uint64_t offset;

	assert_int_equal(elf_object_open_path(path, &object, NULL), 0);
	assert_int_equal(usdt_probes_read(object, &probes, NULL, NULL), 0);
	offset = find(probes, "dear")->semaphore_offset;
	usdt_probes_destroy(probes);
	elf_object_unref(object);
	return offset;
}

/* What prelink does: addresses move, notes stay. */
static void a_moved_base_moves_the_probes(void **state)
{
	char *before, *after;

	(void)state;
	run("cp probes1 moved && objcopy --change-section-address .stapsdt.base+0x1 moved 2>/dev/null");
	before = list_probes(fixture_path("probes1"));
	after = list_probes(fixture_path("moved"));
	for (char *a = before, *b = after; (a = strstr(a, " 0x")) && (b = strstr(b, " 0x")); a += 3, b += 3)
		assert_int_equal(strtoull(a, NULL, 16) + 0x1, strtoull(b, NULL, 16));
	assert_true(strcmp(before, after) != 0);
	assert_int_equal(semaphore_of(fixture_path("moved")), semaphore_of(fixture_path("probes1")) + 1);
	free(before);
	free(after);
}

static void probes_outside_of_the_code_are_left_out_and_counted(void **state)
{
	struct elf_object *object;
	struct usdt_probes *probes;
	size_t damaged;

	(void)state;
	run("cp probes1 far && objcopy --change-section-address .stapsdt.base+0x10000000 far 2>/dev/null");
	assert_int_equal(elf_object_open_path(fixture_path("far"), &object, NULL), 0);
	assert_int_equal(usdt_probes_read(object, &probes, &damaged, NULL), 0);
	assert_int_equal(usdt_probes_count(probes), 0);
	assert_int_equal(damaged, 12);
	usdt_probes_destroy(probes);
	elf_object_unref(object);
}

static void arguments_of_the_allocator_have_names(void **state)
{
	const struct usdt_known *known = usdt_known_find("libc", "memory_sbrk_more");

	(void)state;
	assert_non_null(known);
	assert_string_equal(known->arguments[0].name, "address");
	assert_string_equal(known->arguments[1].name, "size");
	assert_int_equal(known->arguments[1].meaning, USDT_BYTES);
	assert_null(known->arguments[2].name);
	assert_null(usdt_known_find("libd", "memory_sbrk_more"));
	assert_null(usdt_known_find("libc", "memory_sbrk"));
	assert_non_null(usdt_known_find("function", "sbrk"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands_of_each_kind_are_understood),
		cmocka_unit_test(memory_at_a_symbol_names_it),
		cmocka_unit_test(what_is_not_understood_is_unknown),
		cmocka_unit_test(unknown_arguments_keep_their_number_and_twelve_are_the_most),
		cmocka_unit_test(notes_are_read_and_other_owners_passed_over),
		cmocka_unit_test(damaged_notes_end_the_section),
		cmocka_unit_test(a_file_has_the_probes_that_readelf_shows),
		cmocka_unit_test(symbols_and_semaphores_are_found),
		cmocka_unit_test(a_moved_base_moves_the_probes),
		cmocka_unit_test(probes_outside_of_the_code_are_left_out_and_counted),
		cmocka_unit_test(arguments_of_the_allocator_have_names),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
