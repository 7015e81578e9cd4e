/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Names of what addresses belong to (bpf/mapping.h): "/usr/lib/libc.so.6", "[heap]", "[stack]", "[anon]", "[vdso]". */
#ifndef DILL_TRACE_MAPPINGS_H
#define DILL_TRACE_MAPPINGS_H

#include <stddef.h>

#include "mapping.h"

struct trace;
struct trace_mappings;

extern const char *const trace_mapping_classes[]; /* by enum mapping_class, for VIEW_ENUM */

/* An event of type TRACE_NOTE_FILE, of @size bytes. */
int trace_mapping_learn(struct trace *trace, const struct trace_head *head, size_t size);
/* NULL: not known. Valid until the next call. */
const char *trace_mapping_name(struct trace *trace, const struct mapping_id *id);
void trace_mappings_destroy(struct trace_mappings *mappings);

#endif
