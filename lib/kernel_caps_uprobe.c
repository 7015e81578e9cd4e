// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Trials of uprobes: a program that counts its runs is attached to a function of ours, which is called. */
#include <pthread.h>
#include <string.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "cleanup.h"
#include "error.h"
#include "kernel_caps_trial.h"
#include "uprobe.h"
#include "uprobe_target.h"

DEFINE_CLEANUP(link, struct uprobe_link *, uprobe_detach(v));

struct counter {
	int map_fd;
	int program_fd;
};

static void counter_deinit(struct counter *counter)
{
	cleanup_close(&counter->program_fd);
	cleanup_close(&counter->map_fd);
}

DEFINE_CLEANUP(counter, struct counter, counter_deinit(&v));

/* A probe program that adds one to the only element of its map. */
static int counter_init(struct counter *ret_counter, uint32_t attach_type)
{
	const struct bpf_map_spec map = {
		.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	CLEANUP(close) int map_fd = -1;
	int rc = bpf_syscall_map_create(&map, &map_fd);
	const struct bpf_insn insns[] = {
		BPF_INSN_STORE_IMM(10, -8, 0),
		BPF_INSN_MAP_FD(1, map_fd),
		BPF_INSN_MOV(2, 10),
		BPF_INSN_ADD_IMM(2, -8),
		BPF_INSN_CALL(BPF_FUNC_map_lookup_elem),
		BPF_INSN_JUMP_ZERO(0, 2),
		BPF_INSN_MOV_IMM(1, 1),
		BPF_INSN_ATOMIC_ADD(0, 0, 1, 0),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};
	const struct bpf_program_spec program = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = attach_type,
		.insns = insns,
		.insn_count = sizeof(insns) / sizeof(insns[0]),
	};

	if (!rc)
		rc = bpf_syscall_program_load(&program, NULL, 0, &ret_counter->program_fd);
	if (!rc)
		ret_counter->map_fd = TAKE_FD(map_fd);
	return rc;
}

static uint64_t counter_read(const struct counter *counter)
{
	uint32_t key = 0;
	uint64_t value = 0;

	return bpf_syscall_map_lookup(counter->map_fd, &key, &value) ? 0 : value;
}

static int attach(const struct counter *counter, enum uprobe_rung rung, struct uprobe_link **ret_link)
{
	CLEANUP(close) int fd = -1;
	struct uprobe_target_file file;
	int rc = uprobe_target_open(&file, NULL);

	if (rc)
		return rc;
	fd = file.fd;
	return uprobe_attach(rung, counter->program_fd, fd, getpid(), false, false,
			     &(struct uprobe_point){ .file_offset = file.emulated_offset }, 1, ret_link, NULL);
}

void try_uprobe_perf(struct kernel_caps *caps)
{
	CLEANUP(counter) struct counter counter = { -1, -1 };
	CLEANUP(link) struct uprobe_link *link = NULL;
	int rc;

	if (access("/sys/bus/event_source", F_OK)) {
		cap_unknown(caps, KERNEL_CAP_UPROBE_PERF, "sysfs is not mounted on /sys");
		return;
	}
	rc = counter_init(&counter, 0);
	if (rc) {
		cap_refused(caps, KERNEL_CAP_UPROBE_PERF, rc, NEEDS_TRACING,
			    "no BPF on probes: CONFIG_BPF_EVENTS");
		return;
	}
	rc = attach(&counter, UPROBE_PERF, &link);
	if (rc) {
		cap_refused(caps, KERNEL_CAP_UPROBE_PERF, rc, NEEDS_TRACING | NEEDS(CAP_SYS_ADMIN),
			    "no perf uprobes: CONFIG_UPROBE_EVENTS");
		return;
	}
	uprobe_target_emulated();
	if (counter_read(&counter) == 1)
		cap_yes(caps, KERNEL_CAP_UPROBE_PERF, NULL);
	else
		cap_no(caps, KERNEL_CAP_UPROBE_PERF, "attaches, but the program is not run");
}

static void *call_target(void *unused)
{
	uprobe_target_emulated();
	return unused;
}

/* Is the probe that was given our process id hit by another thread of ours? */
static void try_multi_threads(struct kernel_caps *caps, const struct counter *counter)
{
	uint64_t before = counter_read(counter);
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_target, NULL)) {
		cap_unknown(caps, KERNEL_CAP_UPROBE_MULTI_THREADS, "could not try: no thread");
		return;
	}
	pthread_join(thread, NULL);
	if (counter_read(counter) == before + 1)
		cap_yes(caps, KERNEL_CAP_UPROBE_MULTI_THREADS, NULL);
	else
		cap_no(caps, KERNEL_CAP_UPROBE_MULTI_THREADS,
		       "given a process, it sees the main thread only");
}

void try_uprobe_multi(struct kernel_caps *caps)
{
	CLEANUP(counter) struct counter counter = { -1, -1 };
	CLEANUP(link) struct uprobe_link *link = NULL;
	int rc = counter_init(&counter, BPF_SYSCALL_TRACE_UPROBE_MULTI);

	if (!rc)
		rc = attach(&counter, UPROBE_MULTI, &link);
	if (rc) {
		cap_refused(caps, KERNEL_CAP_UPROBE_MULTI, rc, NEEDS_TRACING,
			    "this kernel has no uprobe_multi links");
		cap_refused(caps, KERNEL_CAP_UPROBE_MULTI_THREADS, rc, NEEDS_TRACING,
			    "this kernel has no uprobe_multi links");
		return;
	}
	uprobe_target_emulated();
	if (counter_read(&counter) != 1) {
		cap_no(caps, KERNEL_CAP_UPROBE_MULTI, "attaches, but the program is not run");
		cap_no(caps, KERNEL_CAP_UPROBE_MULTI_THREADS, "attaches, but the program is not run");
		return;
	}
	cap_yes(caps, KERNEL_CAP_UPROBE_MULTI, NULL);
	try_multi_threads(caps, &counter);
}

void try_uprobe_session(struct kernel_caps *caps)
{
	CLEANUP(counter) struct counter counter = { -1, -1 };
	CLEANUP(close) int object_fd = -1;
	CLEANUP(close) int link_fd = -1;
	struct uprobe_target_file file;
	char path[32];
	int rc = counter_init(&counter, BPF_SYSCALL_TRACE_UPROBE_SESSION);

	if (!rc)
		rc = uprobe_target_open(&file, NULL);
	if (!rc) {
		const struct bpf_uprobe_multi_spec spec = {
			.path = path,
			.offsets = &file.emulated_offset,
			.count = 1,
			.pid = getpid(),
			.attach_type = BPF_SYSCALL_TRACE_UPROBE_SESSION,
		};

		object_fd = file.fd;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", object_fd);
		rc = bpf_syscall_uprobe_multi_link(counter.program_fd, &spec, &link_fd);
	}
	if (rc)
		cap_refused(caps, KERNEL_CAP_UPROBE_SESSION, rc, NEEDS_TRACING,
			    "this kernel has no uprobe sessions");
	else
		cap_yes(caps, KERNEL_CAP_UPROBE_SESSION, NULL);
}
