/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Shows memleak's records, whether they come from this run or from a file. */
#ifndef DILL_LEAK_REPORT_H
#define DILL_LEAK_REPORT_H

#include "leak_records.h"
#include "run.h"

struct leak_report;
struct memleak_options;
struct view_record;

/* What it shows, for struct command. */
extern const struct view_record *const leak_report_records[];

int leak_report_create(const struct memleak_options *options, struct leak_report **ret_report);
void leak_report_destroy(struct leak_report *report);

/* Take one record; a report is shown when its END comes. Sets the run's outcome: findings, incompleteness. */
int leak_report_take(struct leak_report *report, struct run *run, uint32_t type, struct payload_reader *payload);

#endif
