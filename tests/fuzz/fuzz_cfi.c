// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes the unwind table maker: input that begins like an ELF file goes through cfi_load(), all else is
 * taken for the bytes of an .eh_frame section. Whatever comes out must hold what lib/cfi.h promises.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once. The corpus, tests/data/cfi, was
 * written by hand: sections with every special frame, instruction, encoding and kind of damage, and two ELF
 * files.
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfi.h"
#include "error.h"
#include "fuzz.h"

#define SECTION_VADDR 0x10000
#define BASE_VADDR 0x1000

static void check_row(const struct unwind_row *row)
{
	int has_cfa = row->kind >= CFA_RSP && row->kind <= CFA_PLT;

	require(row->kind <= CFA_END, "kinds are known");
	require(row->flags == 0 || (has_cfa && row->flags == UNWIND_RBP_FROM_RBP), "flags are known");
	require(has_cfa || (row->cfa_offset == 0 && row->rbp_offset == 0), "rows without a CFA are empty");
	require(row->kind != CFA_PLT || (row->cfa_offset >= 0 && row->cfa_offset <= 15),
		"PLT literals are small");
}

static int says_the_same(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->kind == b->kind && a->cfa_offset == b->cfa_offset && a->rbp_offset == b->rbp_offset &&
	       a->flags == b->flags;
}

static void check_table(const struct unwind_table *table, size_t size)
{
	const struct unwind_row *rows = table->rows;

	require(table->count <= size, "rows are bounded by the section");
	require(table->fdes + table->damaged <= size, "entries are bounded by the section");
	require((table->count == 0) == (table->fdes == 0), "functions make rows");
	require(unwind_table_find(table, 0) == (table->count > 0 && rows[0].pc == 0 ? rows : NULL),
		"find refuses what lies before");
	for (size_t i = 0; i < table->count; i++) {
		check_row(&rows[i]);
		require(i == 0 || rows[i - 1].pc < rows[i].pc, "rows ascend");
		require(i == 0 || !says_the_same(&rows[i - 1], &rows[i]), "neighbours differ");
		require(unwind_table_find(table, rows[i].pc) == &rows[i], "find finds a row's first pc");
		require(i == 0 || unwind_table_find(table, rows[i].pc - 1) == &rows[i - 1],
			"find finds a row's last pc");
	}
	require(table->count == 0 || rows[table->count - 1].kind == CFA_NONE, "the last row has no rule");
}

static int load_bytes(const uint8_t *data, size_t size, struct unwind_table *ret_table, struct error *err)
{
	int fd = memfd_create("fuzz_cfi", MFD_CLOEXEC);
	int status;

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file can be made");
	status = cfi_load(fd, ret_table, err);
	close(fd);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unwind_table table = {.count = 77};
	struct error err = {0};
	int status;

	if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0)
		status = load_bytes(data, size, &table, &err);
	else
		status = cfi_parse_eh_frame(data, size, SECTION_VADDR, BASE_VADDR, &table, &err);
	require(status <= 0 && status == err.code, "codes are negative and in the error");
	require(status == 0 || (err.text[0] != '\0' && table.count == 77),
		"failure says why and gives nothing");
	if (status == 0) {
		check_table(&table, size);
		unwind_table_deinit(&table);
	}
	return 0;
}
