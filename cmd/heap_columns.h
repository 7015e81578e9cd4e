/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How an allocation or release of a kernel heap object is shown: one line of text, or one JSON object. The
 * vocabulary is the same wherever such events are shown, and stays once released.
 *
 *     kmem_cache_alloc_noprof: names_cache -> 0xffff888101234000, size: 4096, name: ls, pid: 123, cpu: 1, …
 *     kmem_cache_free: names_cache <- 0xffff888101234000, name: ls, pid: 123, cpu: 1, caller: putname+0x5b
 *     kmalloc_noprof: kmalloc-64 -> failed, size: 40, name: ls, pid: 123, cpu: 1
 *
 * "-" stands for a cache that there is none of (large kmalloc) or that isn't known. What else is not known is
 * left out: size, tgid (shown where it isn't the pid), caller.
 *
 * JSON: {"type":"heap_event","time","kind":"alloc"|"free","function","cache","cache_addr","addr","failed",
 * "size","object_size","pid","tgid","comm","cpu","caller","caller_symbol"}; addresses are strings.
 */
#ifndef DILL_HEAP_COLUMNS_H
#define DILL_HEAP_COLUMNS_H

#include "heap_event.h"
#include "view.h"

/* view_object() of @event: green allocations, cyan releases, red failures where the view has colours. */
int heap_columns_show(struct view *view, const struct heap_event *event);

/* {"type":"heap_sum","events","dropped"}: the end of a list of events, with what is missing before them. */
int heap_columns_show_sum(struct view *view, uint64_t events, uint64_t dropped);

/* All records, NULL-terminated, for the checks. */
extern const struct view_record *const heap_columns_records[];

#endif
