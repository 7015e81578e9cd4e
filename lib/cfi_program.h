/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Call frame instructions: runs the program of one CIE or FDE and appends the rows it describes.
 * Internal to cfi*.c: cfi.c finds the entries, cfi_program.c runs them, cfi_row.c turns a state into a row.
 */
#ifndef DILL_CFI_PROGRAM_H
#define DILL_CFI_PROGRAM_H

#include "cfi_cursor.h"
#include "unwind_row.h"

/* DWARF register numbers. */
#define REG_RBP 6
#define REG_RSP 7
#define REG_RETURN_ADDRESS 16

struct cfi_section {
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr;
	uint64_t base_vaddr;
};

enum cfi_rule_kind {
	RULE_UNSPECIFIED,
	RULE_UNDEFINED,
	RULE_SAME_VALUE,
	RULE_OFFSET,         /* saved at CFA + offset */
	RULE_VAL_OFFSET,     /* is CFA + offset */
	RULE_REGISTER,       /* in another register, whose number nobody needs */
	RULE_EXPRESSION,     /* saved where the expression says */
	RULE_VAL_EXPRESSION, /* is what the expression gives */
};

struct cfi_span {
	const uint8_t *at; /* borrowed from the section */
	size_t size;
};

struct cfi_rule {
	enum cfi_rule_kind kind;
	union {
		int64_t offset;
		struct cfi_span expression;
	};
};

enum cfi_cfa_source {
	CFA_UNSET, /* no instruction has said yet */
	CFA_FROM_REGISTER,
	CFA_FROM_EXPRESSION,
};

struct cfi_cfa {
	enum cfi_cfa_source source;
	uint64_t reg;
	int64_t offset;
	struct cfi_span expression;
};

/* The registers whose rules an unwind row needs. */
enum cfi_column {
	COLUMN_RBP,
	COLUMN_RSP,
	COLUMN_RETURN_ADDRESS,
	COLUMN_COUNT,
};

/* One line of the table that DWARF describes. */
struct cfi_state {
	struct cfi_cfa cfa;
	struct cfi_rule columns[COLUMN_COUNT];
};

struct cfi_cie {
	size_t offset;            /* of its length field in the section: what FDEs refer to */
	int status;               /* 0, -EBADMSG damaged, -EOPNOTSUPP not understood */
	uint8_t pointer_encoding; /* DW_EH_PE_* of the FDEs' addresses */
	bool has_augmentation_data;
	bool is_signal_frame;
	uint64_t code_align;
	int64_t data_align;
	struct cfi_state initial; /* after the CIE's own program */
};

/* Rows in the making: ascending pc. Zero-initialised is empty; @rows is the caller's to free. */
struct cfi_rows {
	struct unwind_row *rows;
	size_t count;
	size_t capacity;
	size_t unsupported;
};

/* The piece of code that an FDE describes, relative to base_vaddr; start < end. */
struct cfi_range {
	uint32_t start;
	uint32_t end;
};

/* Run the CIE's program: fills cie->initial. -EBADMSG when it is impossible. */
int cfi_run_initial(const struct cfi_section *section, struct cfi_cie *cie, struct cfi_cursor program);

/*
 * Run an FDE's program and append rows that cover exactly @range. -EBADMSG: impossible from some pc on;
 * the rows before it are there and a CFA_NONE row covers the rest. -ENOMEM: rows are incomplete.
 */
int cfi_run_function(const struct cfi_section *section, const struct cfi_cie *cie, struct cfi_cursor program,
		     struct cfi_range range, struct cfi_rows *rows);

/* Append @row unless it says the same as the row before it. -ENOMEM. */
int cfi_rows_append(struct cfi_rows *rows, const struct unwind_row *row);

/* Fill all of @ret_row but pc. False: the rule can't be expressed, and the row is CFA_NONE. */
bool cfi_row_from_state(const struct cfi_state *state, bool is_signal_frame, struct unwind_row *ret_row);

/*
 * Read an address of encoding @encoding (DW_EH_PE_*), at a place in the section. Breaks the cursor for
 * encodings that need a base nobody gave (text, data, function), for indirect and for aligned ones.
 */
uint64_t cfi_encoded_address(const struct cfi_section *section, struct cfi_cursor *in, uint8_t encoding);

/* The bare number of that encoding: no base is added. */
uint64_t cfi_encoded_number(struct cfi_cursor *in, uint8_t encoding);

#endif
