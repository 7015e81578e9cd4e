/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The state behind struct view, shared by view.c and table.c. Internal to view/. */
#ifndef DILL_VIEW_PRIVATE_H
#define DILL_VIEW_PRIVATE_H

#include "json.h"
#include "out.h"
#include "view.h"

#define VIEW_WIDTHS_KEPT 64

struct view {
	struct out out;
	struct json_writer json;
	enum escape_form form; /* of text */
	bool is_json, is_quiet;
	bool is_terminal, is_coloured, is_live; /* is_live: flush each line */
	unsigned fixed_rows, fixed_columns;     /* 0: ask the terminal */
	const struct view_record *checked;      /* the declaration that passed last: not checked again */
	const struct view_record *table;        /* the table that is running, NULL after anything else */
	uint64_t heading_line;                  /* out.lines when its heading was written */
	const struct view_record *measured;     /* whose columns' @widths are known */
	unsigned short widths[VIEW_WIDTHS_KEPT];
	unsigned int batches;                   /* begun and not ended: lines wait */
	char problem[160];
};

/* The terminal's size now; 0 rows and 80 columns where there is none. */
void view_terminal_size(const struct view *view, unsigned *ret_rows, unsigned *ret_columns);

/* The block columns of @record that no template shows, on lines of their own. */
void view_write_blocks(struct view *view, const struct view_record *record, const struct view_value *values,
		       unsigned indent);

#endif
