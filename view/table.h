/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Streaming tables in text: fixed widths, headings, cutting. Internal to view/. */
#ifndef DILL_VIEW_TABLE_H
#define DILL_VIEW_TABLE_H

#include "view_private.h"

/* Write a row, with the heading before it when one is due. @values fit their columns. */
void table_write_row(struct view *view, const struct view_record *record, const struct view_value *values);

#endif
