/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Turns what the live side counts into records: names for addresses, growth between reports, estimates. */
#ifndef DILL_LEAK_BOOKS_H
#define DILL_LEAK_BOOKS_H

#include "leak_records.h"
#include "leak_source.h"
#include "run.h"

struct leak_books;

int leak_books_create(struct run *run, const struct memleak_options *options, struct leak_books **ret_books,
		      struct error *err);
void leak_books_destroy(struct leak_books *books);
void leak_books_set_source(struct leak_books *books, struct leak_source *source);

/* Read the process's memory map, so that its addresses get names, now and after its exit. */
void leak_books_learn(struct leak_books *books, pid_t pid);

/* Emit one report of one process. */
int leak_books_report(struct leak_books *books, struct leak_process *process, enum leak_reason reason,
		      struct error *err);

/* Emit one allocation, free, mapping or unmapping. */
int leak_books_event(struct leak_books *books, const struct leak_process *process, const struct memleak_event *event);

#endif
