// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill doctor: what this kernel offers, what this process may use of it, and what each tracing command and the
 * inspecting ones make of that. Finds out by trying (kernel_caps.h); changes nothing.
 */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "inspect.h"
#include "kernel_caps.h"
#include "kernel_targets.h"
#include "ladder.h"
#include "run.h"
#include "uprobe.h"
#include "view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const state_names[] = {
	[CAP_UNKNOWN] = "unknown", [CAP_YES] = "yes", [CAP_NO] = "no", NULL
};

enum {
	KERNEL_RELEASE,
	KERNEL_MACHINE,
	KERNEL_LOCKDOWN,
	KERNEL_NODES,
	KERNEL_SWAP,
	KERNEL_HUGETLB,
	KERNEL_COLUMNS
};
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

enum {
	CAP_NAME,
	CAP_STATE,
	CAP_REASON,
	CAP_COLUMNS
};
static const struct view_column cap_columns[CAP_COLUMNS] = {
	[CAP_NAME] = { .name = "name", .title = "CAPABILITY", .type = VIEW_TEXT, .width = 22 },
	[CAP_STATE] = { .name = "state",
			.title = "HERE",
			.type = VIEW_ENUM,
			.names = state_names,
			.width = 7 },
	[CAP_REASON] = { .name = "reason",
			 .title = "WHY",
			 .type = VIEW_TEXT,
			 .width = 40,
			 .is_optional = true },
};
static const struct view_record cap_record = {
	.type = "capability",
	.columns = cap_columns,
	.column_count = CAP_COLUMNS,
	.starts_section = true,
};

enum {
	SYSCTL_NAME,
	SYSCTL_VALUE,
	SYSCTL_COLUMNS
};
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

enum {
	COST_BARE,
	COST_EMULATED,
	COST_SINGLE_STEP,
	COST_RETURN,
	COST_COLUMNS
};
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
	.text = "an empty uprobe takes {emulated_ns} where the kernel emulates the instruction, "
		"{single_step_ns} where "
		"it single-steps, {return_ns} at a return",
};

static const char *const use_names[] = { "cannot", "could", "uses", NULL };
enum {
	USE_CANNOT,
	USE_COULD,
	USE_USES
};

enum {
	SOURCE_COMMAND,
	SOURCE_NAME,
	SOURCE_USE,
	SOURCE_REASON,
	SOURCE_LOSES,
	SOURCE_COLUMNS
};
static const struct view_column source_columns[SOURCE_COLUMNS] = {
	[SOURCE_COMMAND] = { .name = "command", .type = VIEW_TEXT, .width = 12 },
	[SOURCE_NAME] = { .name = "source", .type = VIEW_TEXT, .width = 20 },
	[SOURCE_USE] = { .name = "use", .title = "HERE", .type = VIEW_ENUM, .names = use_names, .width = 6 },
	[SOURCE_REASON] = { .name = "reason",
			    .title = "WHY NOT",
			    .type = VIEW_TEXT,
			    .width = 30,
			    .is_optional = true },
	[SOURCE_LOSES] = { .name = "loses", .type = VIEW_TEXT, .width = 30, .is_optional = true },
};
static const struct view_record source_record = {
	.type = "source",
	.columns = source_columns,
	.column_count = SOURCE_COLUMNS,
	.starts_section = true,
};

enum {
	SUMMARY_COMMANDS,
	SUMMARY_RUNNABLE,
	SUMMARY_COLUMNS
};
static const struct view_column summary_columns[SUMMARY_COLUMNS] = {
	[SUMMARY_COMMANDS] = { .name = "commands", .type = VIEW_U64 },
	[SUMMARY_RUNNABLE] = { .name = "runnable", .type = VIEW_U64 },
};
static const struct view_record summary_record = {
	.type = "summary",
	.columns = summary_columns,
	.column_count = SUMMARY_COLUMNS,
	.starts_section = true,
	.text = "{runnable} of {commands} tracing {commands:command|commands} can run here",
};

static int show_kernel(struct view *view, const struct kernel_caps *caps)
{
	const struct view_value values[KERNEL_COLUMNS] = {
		[KERNEL_RELEASE] = view_text(caps->release),
		[KERNEL_MACHINE] = view_text(caps->machine),
		[KERNEL_LOCKDOWN] = view_text(kernel_lockdown_name(caps->lockdown)),
		[KERNEL_NODES] = view_u64(caps->node_count),
		[KERNEL_SWAP] = view_u64(caps->swap_bytes),
		[KERNEL_HUGETLB] = view_u64(caps->hugetlb_bytes),
	};

	return view_object(view, &kernel_record, values);
}

static int show_capabilities(struct view *view, const struct kernel_caps *caps)
{
	for (size_t i = 0; i < KERNEL_CAP_COUNT; i++) {
		const struct kernel_cap *cap = &caps->caps[i];
		const struct view_value values[CAP_COLUMNS] = {
			[CAP_NAME] = view_text(cap->name),
			[CAP_STATE] = view_u64(cap->state),
			[CAP_REASON] = cap->reason[0] ? view_text(cap->reason) : view_absent(),
		};
		int status = view_row(view, &cap_record, values);

		if (status)
			return status;
	}
	return 0;
}

static int show_sysctls(struct view *view, const struct kernel_caps *caps)
{
	for (size_t i = 0; i < SYSCTL_COUNT; i++) {
		const struct kernel_sysctl *sysctl = &caps->sysctls[i];
		const struct view_value values[SYSCTL_COLUMNS] = {
			[SYSCTL_NAME] = view_text(sysctl->name),
			[SYSCTL_VALUE] = sysctl->is_known ? view_i64(sysctl->value) : view_absent(),
		};
		int status = view_row(view, &sysctl_record, values);

		if (status)
			return status;
	}
	return 0;
}

/* Left out where no uprobe can be attached: the table of capabilities has said why. */
static int show_uprobe_costs(struct view *view, struct kernel_caps *caps)
{
	enum uprobe_rung rung = UPROBE_MULTI;
	struct uprobe_costs costs;

	if (kernel_caps_get(caps, KERNEL_CAP_UPROBE_MULTI)->state != CAP_YES)
		rung = UPROBE_PERF;
	if (uprobe_calibrate(rung, &costs, NULL, NULL))
		return 0;

	const struct view_value values[COST_COLUMNS] = {
		[COST_BARE] = view_u64(costs.bare_ns),
		[COST_EMULATED] = view_u64(costs.emulated_ns),
		[COST_SINGLE_STEP] = view_u64(costs.single_step_ns),
		[COST_RETURN] = view_u64(costs.return_ns),
	};

	return view_object(view, &cost_record, values);
}

/* What is lost on a rung is what each rung down to it loses. */
static void collect_losses(const struct ladder *ladder, size_t rung, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i <= rung && length < size; i++)
		if (ladder->rungs[i].loses)
			length += snprintf(text + length, size - length, "%s%s", length ? "; " : "",
					   ladder->rungs[i].loses);
}

/* A row for each rung. *ret_is_runnable: one of them stands. */
static int show_ladder(struct view *view, const char *command, const struct ladder *ladder,
		       struct kernel_caps *caps, struct kernel_targets *targets, bool *ret_is_runnable)
{
	bool is_runnable = false;

	for (size_t i = 0; i < ladder->count; i++) {
		const struct ladder one = { &ladder->rungs[i], 1 };
		char losses[256], why[256];
		size_t index;
		bool stands = !ladder_choose(&one, caps, targets, NULL, &index, why, sizeof(why));
		int status;

		collect_losses(ladder, i, losses, sizeof(losses));

		const struct view_value values[SOURCE_COLUMNS] = {
			[SOURCE_COMMAND] = view_text(command),
			[SOURCE_NAME] = view_text(ladder->rungs[i].name),
			[SOURCE_USE] = view_u64(!stands       ? USE_CANNOT
						: is_runnable ? USE_COULD
							      : USE_USES),
			[SOURCE_REASON] = stands ? view_absent() : view_text(why),
			[SOURCE_LOSES] = losses[0] ? view_text(losses) : view_absent(),
		};

		status = view_row(view, &source_record, values);
		if (status)
			return status;
		is_runnable |= stands;
	}
	*ret_is_runnable = is_runnable;
	return 0;
}

static int show_commands(struct view *view, struct kernel_caps *caps, struct kernel_targets *targets,
			 uint64_t *ret_count, uint64_t *ret_runnable)
{
	uint64_t count = 0, runnable = 0;

	for (size_t i = 0; commands[i]; i++) {
		bool is_runnable;
		int status;

		if (!commands[i]->tracer)
			continue;
		status = show_ladder(view, commands[i]->name, &commands[i]->tracer->ladder, caps, targets,
				     &is_runnable);
		if (status)
			return status;
		count++;
		runnable += is_runnable;
	}
	*ret_count = count;
	*ret_runnable = runnable;
	return 0;
}

static int doctor_run(struct invocation *invocation, struct error *err)
{
	struct view *view = invocation->view;
	CLEANUP(kernel_targets) struct kernel_targets *targets = NULL;
	struct kernel_caps caps;
	uint64_t count = 0, runnable = 0;
	bool can_inspect;
	int status;

	if (invocation->word_count)
		return error_set(err, -EINVAL, "takes no arguments: '%s'", invocation->words[0]);
	kernel_caps_init(&caps);
	kernel_targets_open(&targets, NULL); /* without BTF no command that has targets can run, and it says so */
	status = show_kernel(view, &caps);
	kernel_caps_probe(&caps);
	if (!status)
		status = show_capabilities(view, &caps);
	if (!status)
		status = show_sysctls(view, &caps);
	if (!status)
		status = show_uprobe_costs(view, &caps);
	if (!status)
		status = show_commands(view, &caps, targets, &count, &runnable);
	if (!status)
		status = show_ladder(view, "inspect", &inspect_live_ladder, &caps, NULL, &can_inspect);
	if (!status) {
		const struct view_value values[SUMMARY_COLUMNS] = {
			[SUMMARY_COMMANDS] = view_u64(count),
			[SUMMARY_RUNNABLE] = view_u64(runnable),
		};

		status = view_object(view, &summary_record, values);
	}
	/* A failed write is main's to report, at view_close(). */
	return status || runnable < count ? EXIT_INCOMPLETE : EXIT_CLEAN;
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "what this kernel offers, and which commands can run here",
	.usage = "[OPTIONS]",
	.description = "Tries out what this kernel has and what this process may use: event sources, BPF "
		       "features, kernel\n"
		       "memory and symbols, capabilities, sysctls. Whatever is missing is named with the "
		       "capability, sysctl or\n"
		       "config option that would bring it. Then, for every tracing command, its event "
		       "sources from best to\n"
		       "worst: which one it uses here, and what is lost. Nothing is changed, and nothing is "
		       "left behind.\n"
		       "Exit code 0 when all tracing commands can run here, 3 when some cannot.",
	.run = doctor_run,
};
