/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Reads objdump's disassembly: the ground truth for test_insn_x86.c and test_probe_site.c. */
#ifndef DILL_TESTS_OBJDUMP_LINES_H
#define DILL_TESTS_OBJDUMP_LINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct objdump_line {
	uint64_t address;
	size_t at; /* of its bytes in the code */
	unsigned int length;
	char text[64];
};

struct objdump {
	uint8_t *code;
	size_t size;
	struct objdump_line *lines;
	size_t count;
};

static inline void objdump_deinit(struct objdump *dump)
{
	free(dump->code);
	free(dump->lines);
}

/* "  28da0:\t48 85 ff             \ttest   %rdi,%rdi"; false for any other line. */
static inline bool objdump_parse(const char *line, struct objdump *dump)
{
	struct objdump_line *parsed = &dump->lines[dump->count];
	char *rest;

	parsed->address = strtoull(line, &rest, 16);
	if (rest == line || rest[0] != ':' || rest[1] != '\t')
		return false;
	parsed->at = dump->size;
	parsed->length = 0;
	for (rest += 2; rest[0] && rest[1] && rest[2] == ' '; rest += 3) {
		if (rest[0] == ' ')
			break;
		dump->code[dump->size++] = (uint8_t)strtoul((char[]){ rest[0], rest[1], 0 }, NULL, 16);
		parsed->length++;
	}
	rest += strspn(rest, " \t");
	snprintf(parsed->text, sizeof(parsed->text), "%.*s", (int)strcspn(rest, "\n"), rest);
	dump->count++;
	return true;
}

/* Run objdump with @arguments (options and file). count is 0 when there is no objdump or no such file. */
static inline void objdump_read(const char *arguments, struct objdump *ret_dump)
{
	struct objdump dump = { 0 };
	size_t capacity = 0;
	char *command, *line = NULL;
	size_t line_size = 0;
	FILE *pipe;

	assert_true(asprintf(&command, "objdump -dw --insn-width=16 %s 2>/dev/null", arguments) > 0);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (getline(&line, &line_size, pipe) > 0) {
		if (dump.count == capacity) {
			capacity = capacity ? 2 * capacity : 4096;
			dump.lines = realloc(dump.lines, capacity * sizeof(*dump.lines));
			/* 16 bytes a line, and what a decoder may look at behind the last. */
			dump.code = realloc(dump.code, 16 * capacity + 16);
			assert_true(dump.lines && dump.code);
		}
		objdump_parse(line, &dump);
	}
	pclose(pipe);
	free(line);
	free(command);
	*ret_dump = dump;
}

#endif
