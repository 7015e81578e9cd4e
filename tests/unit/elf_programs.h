/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* ELF files that the machine's compiler makes of one program, and what nm and elf_object.h say of them. */
#ifndef DILL_TESTS_ELF_PROGRAMS_H
#define DILL_TESTS_ELF_PROGRAMS_H

#include <inttypes.h>

#include "elf_fixture.h"
#include "elf_object.h"
#include "elf_symbols.h"
#include "error.h"

static const char program[] =
	"#include <stdio.h>\n"
	"__attribute__((noinline)) static int hidden(int x) { __asm__(\"\"); return x * 3; }\n"
	"__attribute__((noinline)) int shown(int x) { __asm__(\"\"); return hidden(x) + 1; }\n"
	"int __libc_shown(int x) __attribute__((alias(\"shown\")));\n"
	"int __strong(int x) { return x - 1; }\n"
	"int weakling(int x) __attribute__((weak, alias(\"__strong\")));\n"
	"static int fast(int x) { return x; }\n"
	"static int (*choose(void))(int) { return fast; }\n"
	"int chosen(int x) __attribute__((ifunc(\"choose\")));\n"
	"int main(void) { return printf(\"%d\\n\", shown(2) + weakling(1) + chosen(1)) < 0; }\n";

static inline struct elf_object *open_object(const char *name)
{
	struct elf_object *object;
	struct error err = {0};

	if (elf_object_open_path(fixture_path(name), &object, &err))
		fail_msg("%s", err.text);
	return object;
}

static inline int build_all(void **state)
{
	if (fixture_setup(state))
		return -1;
	write_file("p.c", program);
	run("gcc -O1 -fPIE -pie p.c -o pie && gcc -O1 -no-pie p.c -o fixed && gcc -O1 -fPIC -shared p.c -o "
	    "lib.so &&"
	    "gcc -O1 -static p.c -o static && gcc -O1 -static-pie p.c -o static-pie && strip pie -o "
	    "stripped");
	return 0;
}

/* nm's line for a function: "0000000000001139 T name". Returns the address, or 0. */
static inline uint64_t nm_address(const char *file, const char *name)
{
	char *text = output_of("nm %s", file), *line, *rest = NULL;
	uint64_t found = 0;

	for (line = strtok_r(text, "\n", &rest); line && !found; line = strtok_r(NULL, "\n", &rest)) {
		char symbol[256], type;
		uint64_t address;

		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &type, symbol) == 3 &&
		    !strcmp(symbol, name))
			found = address;
	}
	free(text);
	return found;
}

static inline void assert_function_at(struct elf_object *object, const char *name, uint64_t vaddr)
{
	struct elf_function function;
	struct error err = {0};

	if (elf_object_find_function(object, name, &function, &err))
		fail_msg("%s", err.text);
	assert_string_equal(function.name, name);
	assert_int_equal(function.vaddr, vaddr);
}

static inline void assert_names(const char *file, uint64_t vaddr, const char *expected)
{
	struct elf_object *object = open_object(file);
	const struct elf_symbol *symbol;
	struct elf_symbols *symbols;

	assert_int_equal(elf_object_symbols(object, &symbols, NULL), 0);
	symbol = elf_symbols_at(symbols, vaddr);
	if (!expected && symbol)
		fail_msg("%#" PRIx64 " is %s", vaddr, elf_symbol_name(symbols, symbol));
	if (expected) {
		assert_non_null(symbol);
		assert_string_equal(elf_symbol_name(symbols, symbol), expected);
	}
	elf_object_unref(object);
}

#endif
