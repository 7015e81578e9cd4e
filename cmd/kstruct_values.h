/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Values of members as `dill kstruct` shows them. */
#ifndef DILL_KSTRUCT_VALUES_H
#define DILL_KSTRUCT_VALUES_H

#include "kernel_value.h"
#include "kstruct.h"

/* One value, for people and for JSON. Refers to itself: not to be copied. */
struct value_text {
	struct view_value value, number;
	bool has_symbol, has_string;
	char pointer[24], symbol[320], string[256];
	char text[VALUE_TEXT_MAX + 16];
};

/* @wants_string: read what a char pointer points to. */
void kstruct_value_text(struct kernel *kernel, const struct value *value, bool wants_string,
			struct value_text *to);
void kstruct_put_value(const struct value_text *text, struct view_value values[MEMBER_COLUMNS]);

/* What the container there holds: --follow. */
int kstruct_follow(struct inspection *inspection, const struct kstruct_query *query, struct kernel *kernel,
		   uint64_t address, struct error *err);

/* The lines of kstruct_show_layout() with what stands at @address. */
int kstruct_show_values(struct inspection *inspection, const struct kstruct_query *query,
			struct kernel *kernel, uint64_t address, struct error *err);

#endif
