/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Sentences with placeholders: the text of a view_record (column.h has the syntax).
 * Internal to view/, apart from view_record_check(), which uses template_check().
 */
#ifndef DILL_VIEW_TEMPLATE_H
#define DILL_VIEW_TEMPLATE_H

#include "column.h"

/* -EINVAL with a sentence in @problem when the template of @record is broken. @record->text isn't NULL. */
int template_check(const struct view_record *record, char *problem, size_t size);

/* Write the sentence, without newline. @values: one for each column. A broken part is left out. */
void template_write(const struct view_record *record, const struct view_value *values, struct out *out,
		    enum escape_form form, bool is_coloured);

/* True when a placeholder of the template shows @column. False without template. */
bool template_shows(const struct view_record *record, const struct view_column *column);

#endif
