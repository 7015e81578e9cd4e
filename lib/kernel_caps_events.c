// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Trials of event sources behind perf_event_open(2): each opens one and sets a program on it. */
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "cleanup.h"
#include "kernel_caps_trial.h"
#include "kernel_tracefs.h"

/* Open an event for every process on the first CPU, and run an empty program of @type on it (0: none). */
static int try_event(struct perf_event_attr *attr, enum bpf_prog_type type)
{
	const struct bpf_insn insns[] = { BPF_INSN_MOV_IMM(0, 0), BPF_INSN_EXIT() };
	const struct bpf_program_spec spec = { .type = type, .insns = insns, .insn_count = 2 };
	CLEANUP(close) int program_fd = -1;
	CLEANUP(close) int event_fd = -1;
	int rc;

	attr->size = sizeof(*attr);
	event_fd = syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event_fd < 0)
		return -errno;
	if (type == BPF_PROG_TYPE_UNSPEC)
		return 0;
	rc = bpf_syscall_program_load(&spec, NULL, 0, &program_fd);
	if (rc)
		return rc;
	return ioctl(event_fd, PERF_EVENT_IOC_SET_BPF, program_fd) ? -errno : 0;
}

void try_kprobe(struct kernel_caps *caps)
{
	/* Functions that hardly ever run; the first is the kernel's own test object (net/bpf/test_run.c). */
	static const char *const functions[] = { "bpf_fentry_test1", "oom_kill_process", "do_exit" };
	CLEANUP(fclose) FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	unsigned int type;
	int rc = -ENOENT;

	if (access("/sys/bus/event_source", F_OK)) {
		cap_unknown(caps, KERNEL_CAP_KPROBE, "sysfs is not mounted on /sys");
		return;
	}
	if (!file || fscanf(file, "%u", &type) != 1) {
		cap_no(caps, KERNEL_CAP_KPROBE, "this kernel has none: CONFIG_KPROBES, CONFIG_KPROBE_EVENTS");
		return;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		struct perf_event_attr attr = {
			.type = type,
			.kprobe_func = (uint64_t)(uintptr_t)functions[i],
			.sample_period = 1,
		};

		rc = try_event(&attr, BPF_PROG_TYPE_KPROBE);
		if (rc != -ENOENT && rc != -EINVAL)
			break;
	}
	if (rc)
		cap_refused(caps, KERNEL_CAP_KPROBE, rc, NEEDS_TRACING | NEEDS(CAP_SYS_ADMIN),
			    "no function would take one");
	else
		cap_yes(caps, KERNEL_CAP_KPROBE, NULL);
}

static void try_tracepoint_directory(struct kernel_caps *caps, int tracefs_fd, enum kernel_cap_id id,
				     const char *path, const char *absent)
{
	if (faccessat(tracefs_fd, path, F_OK, 0))
		cap_refused(caps, id, -errno, NEEDS(CAP_DAC_READ_SEARCH), absent);
	else
		cap_yes(caps, id, NULL);
}

static void refuse_tracepoints(struct kernel_caps *caps, int rc)
{
	static const enum kernel_cap_id all[] = {
		KERNEL_CAP_TRACEPOINT,
		KERNEL_CAP_TRACEPOINT_KMEM,
		KERNEL_CAP_TRACEPOINT_SYSCALLS,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (rc == -EPERM && !(caps->process_caps & NEEDS(CAP_SYS_ADMIN)))
			cap_no(caps, all[i],
			       "tracefs is not mounted, which needs CAP_SYS_ADMIN to make up for");
		else
			cap_refused(caps, all[i], rc, NEEDS(CAP_DAC_READ_SEARCH),
				    "no tracefs: CONFIG_FTRACE");
}

void try_tracepoint(struct kernel_caps *caps)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .sample_period = 1 };
	CLEANUP(close) int tracefs_fd = -1;
	unsigned int id;
	int rc = kernel_tracefs_open(&tracefs_fd, NULL);

	if (rc) {
		refuse_tracepoints(caps, rc);
		return;
	}
	try_tracepoint_directory(caps, tracefs_fd, KERNEL_CAP_TRACEPOINT_KMEM, "events/kmem",
				 "no tracepoints of kmem: CONFIG_TRACEPOINTS");
	try_tracepoint_directory(caps, tracefs_fd, KERNEL_CAP_TRACEPOINT_SYSCALLS, "events/syscalls",
				 "no tracepoints of system calls: CONFIG_FTRACE_SYSCALLS");
	rc = kernel_tracepoint_id(tracefs_fd, "oom", "mark_victim", &id, NULL);
	if (!rc) {
		attr.config = id;
		rc = try_event(&attr, BPF_PROG_TYPE_TRACEPOINT);
	}
	if (rc)
		cap_refused(caps, KERNEL_CAP_TRACEPOINT, rc, NEEDS_TRACING | NEEDS(CAP_DAC_READ_SEARCH),
			    "no BPF on tracepoints: CONFIG_BPF_EVENTS");
	else
		cap_yes(caps, KERNEL_CAP_TRACEPOINT, NULL);
}

void try_perf_software(struct kernel_caps *caps)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1000000,
		.disabled = 1,
	};
	int rc = try_event(&attr, BPF_PROG_TYPE_PERF_EVENT);

	if (rc)
		cap_refused(caps, KERNEL_CAP_PERF_SOFTWARE, rc, NEEDS_TRACING, "none: CONFIG_PERF_EVENTS");
	else
		cap_yes(caps, KERNEL_CAP_PERF_SOFTWARE, NULL);
}

void try_perf_hardware(struct kernel_caps *caps)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_HARDWARE,
					.config = PERF_COUNT_HW_CPU_CYCLES,
					.disabled = 1 };
	int rc = try_event(&attr, BPF_PROG_TYPE_UNSPEC);

	if (rc)
		cap_refused(caps, KERNEL_CAP_PERF_HARDWARE, rc, NEEDS(CAP_PERFMON),
			    "no hardware counters, as in most virtual machines");
	else
		cap_yes(caps, KERNEL_CAP_PERF_HARDWARE, NULL);
}
