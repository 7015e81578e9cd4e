/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What usdt shows: probes that are there, and probes that were met. */
#ifndef DILL_USDT_VIEWS_H
#define DILL_USDT_VIEWS_H

#include "trace.h"
#include "usdt.h"
#include "usdt_files.h"

extern const struct view_record usdt_probe_record, usdt_event_record;

/* Whether @probe is among the wanted ones: PROVIDER, PROVIDER:NAME with patterns; without any, as --list shows them. */
bool usdt_is_wanted(const struct usdt_probe *probe, const char *const *patterns, size_t count);
/* The probes of each file by name, those at several places once. *ret_count: how many. */
int usdt_show_list(struct view *view, const struct usdt_files *files, const char *const *patterns, size_t count,
		   size_t *ret_count);
/* A probe that was met. */
int usdt_show_event(struct trace *trace, const struct usdt_event *event, const struct usdt_probe *probe, const char *path);

#endif
