// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill doctor: what this kernel offers, what this process may use of it, and what each tracing command makes of
 * that. Finds out by trying (kernel_caps.h); changes nothing.
 */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "kernel_caps.h"
#include "ladder.h"
#include "run.h"
#include "uprobe.h"
#include "view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const state_names[] = { [CAP_UNKNOWN] = "unknown", [CAP_YES] = "yes", [CAP_NO] = "no", NULL };

enum { KERNEL_RELEASE, KERNEL_MACHINE, KERNEL_LOCKDOWN, KERNEL_NODES, KERNEL_SWAP, KERNEL_HUGETLB, KERNEL_COLUMNS };
static const struct view_column kernel_columns[KERNEL_COLUMNS] = {
	[KERNEL_RELEASE] = { .name = "release", .type = VIEW_TEXT },
	[KERNEL_MACHINE] = { .name = "machine", .type = VIEW_TEXT },
	[KERNEL_LOCKDOWN] = { .name = "lockdown", .type = VIEW_TEXT },
	[KERNEL_NODES] = { .name = "nodes", .type = VIEW_U64 },
	[KERNEL_SWAP] = { .name = "swap_bytes", .type = VIEW_BYTES },
	[KERNEL_HUGETLB] = { .name = "hugetlb_bytes", .type = VIEW_BYTES },
};
static const struct view_record kernel_record = {
	.type = "kernel",
	.columns = kernel_columns,
	.column_count = KERNEL_COLUMNS,
	.text = "Linux {release} on {machine}, lockdown {lockdown}, {nodes} memory {nodes:node|nodes}"
		"{?, swap {swap_bytes}?}{?, huge pages {hugetlb_bytes}?}",
};

enum { CAP_GROUP, CAP_NAME, CAP_STATE, CAP_REASON, CAP_COLUMNS };
static const struct view_column cap_columns[CAP_COLUMNS] = {
	[CAP_GROUP] = { .name = "group", .type = VIEW_TEXT, .width = 8 },
	[CAP_NAME] = { .name = "name", .title = "CAPABILITY", .type = VIEW_TEXT, .width = 22 },
	[CAP_STATE] = { .name = "state", .title = "HERE", .type = VIEW_ENUM, .names = state_names, .width = 7 },
	[CAP_REASON] = { .name = "reason", .title = "WHY", .type = VIEW_TEXT, .width = 40 },
};
static const struct view_record cap_record = {
	.type = "capability",
	.columns = cap_columns,
	.column_count = CAP_COLUMNS,
	.starts_section = true,
};

enum { SYSCTL_NAME, SYSCTL_VALUE, SYSCTL_COLUMNS };
static const struct view_column sysctl_columns[SYSCTL_COLUMNS] = {
	[SYSCTL_NAME] = { .name = "name", .title = "SYSCTL", .type = VIEW_TEXT, .width = 32 },
	[SYSCTL_VALUE] = { .name = "value", .type = VIEW_I64, .is_optional = true },
};
static const struct view_record sysctl_record = {
	.type = "sysctl",
	.columns = sysctl_columns,
	.column_count = SYSCTL_COLUMNS,
	.starts_section = true,
};

enum { COST_BARE, COST_EMULATED, COST_SINGLE_STEP, COST_RETURN, COST_COLUMNS };
static const struct view_column cost_columns[COST_COLUMNS] = {
	[COST_BARE] = { .name = "bare_ns", .type = VIEW_DURATION_NS },
	[COST_EMULATED] = { .name = "emulated_ns", .type = VIEW_DURATION_NS },
	[COST_SINGLE_STEP] = { .name = "single_step_ns", .type = VIEW_DURATION_NS },
	[COST_RETURN] = { .name = "return_ns", .type = VIEW_DURATION_NS },
};
static const struct view_record cost_record = {
	.type = "uprobe_cost",
	.columns = cost_columns,
	.column_count = COST_COLUMNS,
	.starts_section = true,
	.text = "an empty uprobe takes {emulated_ns} where the kernel emulates the instruction, {single_step_ns} where "
		"it single-steps, {return_ns} at a return",
};

static const char *const use_names[] = { "cannot", "could", "uses", NULL };
enum { USE_CANNOT, USE_COULD, USE_USES };

enum { SOURCE_COMMAND, SOURCE_NAME, SOURCE_USE, SOURCE_LOSES, SOURCE_REASON, SOURCE_NOTE, SOURCE_COLUMNS };
static const struct view_column source_columns[SOURCE_COLUMNS] = {
	[SOURCE_COMMAND] = { .name = "command", .type = VIEW_TEXT, .width = 12 },
	[SOURCE_NAME] = { .name = "source", .type = VIEW_TEXT, .width = 18 },
	[SOURCE_USE] = { .name = "use", .title = "HERE", .type = VIEW_ENUM, .names = use_names, .width = 6 },
	[SOURCE_LOSES] = { .name = "loses", .type = VIEW_TEXT, .is_optional = true, .is_json_only = true },
	[SOURCE_REASON] = { .name = "reason", .type = VIEW_TEXT, .is_optional = true, .is_json_only = true },
	[SOURCE_NOTE] = { .name = "note", .type = VIEW_TEXT, .width = 40 },
};
