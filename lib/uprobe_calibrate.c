// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Times probes on functions of our own. The least of several rounds stands: whatever disturbs only adds. */
#include "uprobe.h"

#include <string.h>
#include <time.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "cleanup.h"
#include "error.h"
#include "uprobe_target.h"

#define ROUNDS 8
#define CALLS_BARE 256 /* a call takes about a nanosecond, the clock some tens */
#define CALLS_PROBED 16

DEFINE_CLEANUP(link, struct uprobe_link *, uprobe_detach(v));

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint32_t call_ns(void (*function)(void), unsigned int calls)
{
	uint64_t least = UINT32_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), mean;

		for (unsigned int i = 0; i < calls; i++)
			function();
		mean = (now_ns() - start + calls / 2) / calls;
		if (mean < least)
			least = mean;
	}
	return least;
}

static int load_empty_program(enum uprobe_rung rung, int *ret_fd, struct error *err)
{
	const struct bpf_insn insns[] = { BPF_INSN_MOV_IMM(0, 0), BPF_INSN_EXIT() };
	const struct bpf_program_spec spec = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = rung == UPROBE_MULTI ? BPF_SYSCALL_TRACE_UPROBE_MULTI : 0,
		.insns = insns,
		.insn_count = sizeof(insns) / sizeof(insns[0]),
	};
	int rc = bpf_syscall_program_load(&spec, NULL, 0, ret_fd);

	return rc ? error_set(err, rc, "empty BPF program: %s", strerror(-rc)) : 0;
}

int uprobe_calibrate(enum uprobe_rung rung, struct uprobe_costs *ret_costs, struct uprobe_link **ret_link,
		     struct error *err)
{
	CLEANUP(link) struct uprobe_link *entries = NULL;
	CLEANUP(link) struct uprobe_link *returns = NULL;
	CLEANUP(close) int program_fd = -1;
	CLEANUP(close) int object_fd = -1;
	struct uprobe_target_file file;
	int rc;

	rc = uprobe_target_open(&file, err);
	if (rc)
		return rc;
	object_fd = file.fd;
	rc = load_empty_program(rung, &program_fd, err);
	if (rc)
		return rc;

	const struct uprobe_point entry_points[] = { { .file_offset = file.emulated_offset },
						     { .file_offset = file.single_stepped_offset } };
	const struct uprobe_point return_point = { .file_offset = file.returning_offset };
	uint32_t bare_ns = call_ns(uprobe_target_emulated, CALLS_BARE);

	rc = uprobe_attach(rung, program_fd, object_fd, getpid(), false, false, entry_points, 2, &entries,
			   err);
	if (!rc)
		rc = uprobe_attach(rung, program_fd, object_fd, getpid(), true, false, &return_point, 1,
				   &returns, err);
	if (rc)
		return rc;
	*ret_costs = (struct uprobe_costs){
		.bare_ns = bare_ns,
		.emulated_ns = call_ns(uprobe_target_emulated, CALLS_PROBED),
		.single_step_ns = call_ns(uprobe_target_single_stepped, CALLS_PROBED),
		.return_ns = call_ns(uprobe_target_returning, CALLS_PROBED),
	};
	if (ret_link) {
		*ret_link = uprobe_link_join(entries, returns);
		entries = returns = NULL;
	}
	return 0;
}
