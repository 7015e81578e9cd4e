// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The list of capabilities with their trials, and how an outcome is put into words. */
#include "kernel_caps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel_caps_trial.h"

static const struct {
	const char *name;
	void (*trial)(struct kernel_caps *caps);
} table[KERNEL_CAP_COUNT] = {
	[KERNEL_CAP_KPROBE] = { "kprobe", try_kprobe },
	[KERNEL_CAP_FENTRY] = { "fentry", try_fentry },
	[KERNEL_CAP_RAW_TRACEPOINT] = { "raw_tracepoint", try_raw_tracepoint },
	[KERNEL_CAP_TP_BTF] = { "tp_btf", try_tp_btf },
	[KERNEL_CAP_TRACEPOINT] = { "tracepoint", try_tracepoint },
	[KERNEL_CAP_TRACEPOINT_KMEM] = { "tracepoint_kmem", try_tracepoint },
	[KERNEL_CAP_TRACEPOINT_SYSCALLS] = { "tracepoint_syscalls", try_tracepoint },
	[KERNEL_CAP_UPROBE_PERF] = { "uprobe_perf", try_uprobe_perf },
	[KERNEL_CAP_UPROBE_MULTI] = { "uprobe_multi", try_uprobe_multi },
	[KERNEL_CAP_UPROBE_MULTI_THREADS] = { "uprobe_multi_threads", try_uprobe_multi },
	[KERNEL_CAP_UPROBE_SESSION] = { "uprobe_session", try_uprobe_session },
	[KERNEL_CAP_ITER_TASK] = { "iter_task", try_iterators },
	[KERNEL_CAP_ITER_KMEM_CACHE] = { "iter_kmem_cache", try_iterators },
	[KERNEL_CAP_ITER_BPF_MAP] = { "iter_bpf_map", try_iterators },
	[KERNEL_CAP_PERF_SOFTWARE] = { "perf_software", try_perf_software },
	[KERNEL_CAP_PERF_HARDWARE] = { "perf_hardware", try_perf_hardware },
	[KERNEL_CAP_BTF] = { "btf", try_btf },
	[KERNEL_CAP_BPF_READ_KERNEL] = { "bpf_read_kernel", try_bpf_read_kernel },
	[KERNEL_CAP_BPF_RUN] = { "bpf_run", try_bpf_run },
	[KERNEL_CAP_BPF_COOKIE] = { "bpf_cookie", try_bpf_cookie },
	[KERNEL_CAP_BPF_RINGBUF] = { "bpf_ringbuf", try_bpf_ringbuf },
	[KERNEL_CAP_BPF_TASK_STORAGE] = { "bpf_task_storage", try_bpf_task_storage },
	[KERNEL_CAP_BPF_ATOMIC_FETCH] = { "bpf_atomic_fetch", try_bpf_atomic_fetch },
	[KERNEL_CAP_BPF_MEMCG] = { "bpf_memcg", try_bpf_memcg },
	[KERNEL_CAP_KCORE] = { "kcore", try_kcore },
	[KERNEL_CAP_KALLSYMS_ADDRESSES] = { "kallsyms_addresses", try_kallsyms },
	[KERNEL_CAP_KALLSYMS_DATA] = { "kallsyms_data", try_kallsyms },
	[KERNEL_CAP_NOT_LOCKED_DOWN] = { "not_locked_down", try_not_locked_down },
	[KERNEL_CAP_PROCESS_BPF] = { "cap_bpf", try_process_caps },
	[KERNEL_CAP_PROCESS_PERFMON] = { "cap_perfmon", try_process_caps },
	[KERNEL_CAP_PROCESS_SYS_ADMIN] = { "cap_sys_admin", try_process_caps },
	[KERNEL_CAP_PROCESS_SYS_PTRACE] = { "cap_sys_ptrace", try_process_caps },
	[KERNEL_CAP_PROCESS_DAC_READ_SEARCH] = { "cap_dac_read_search", try_process_caps },
	[KERNEL_CAP_PROCESS_SYSLOG] = { "cap_syslog", try_process_caps },
	[KERNEL_CAP_PROCESS_SYS_RESOURCE] = { "cap_sys_resource", try_process_caps },
	[KERNEL_CAP_SWAP] = { "swap", try_memory_in_use },
	[KERNEL_CAP_HUGETLB] = { "hugetlb", try_memory_in_use },
	[KERNEL_CAP_TRANSPARENT_HUGE_PAGES] = { "transparent_huge_pages", try_memory_in_use },
	[KERNEL_CAP_NUMA] = { "numa", try_memory_in_use },
	[KERNEL_CAP_CGROUP_V1_MEMORY] = { "cgroup_v1_memory", try_cgroups },
	[KERNEL_CAP_CGROUP_V2] = { "cgroup_v2", try_cgroups },
	[KERNEL_CAP_PSI] = { "psi", try_psi },
};

static void settle(struct kernel_cap *cap, enum cap_state state, const char *format, va_list args)
{
	cap->state = state;
	vsnprintf(cap->reason, sizeof(cap->reason), format, args);
}

void cap_yes(struct kernel_caps *caps, enum kernel_cap_id id, const char *note)
{
	caps->caps[id].state = CAP_YES;
	snprintf(caps->caps[id].reason, sizeof(caps->caps[id].reason), "%s", note ? note : "");
}

void cap_no(struct kernel_caps *caps, enum kernel_cap_id id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	settle(&caps->caps[id], CAP_NO, format, args);
	va_end(args);
}

void cap_unknown(struct kernel_caps *caps, enum kernel_cap_id id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	settle(&caps->caps[id], CAP_UNKNOWN, format, args);
	va_end(args);
}

static const struct {
	unsigned int bit;
	const char *name;
} capability_names[] = {
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_PERFMON, "CAP_PERFMON" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH" },
	{ CAP_SYSLOG, "CAP_SYSLOG" },
	{ CAP_SYS_RAWIO, "CAP_SYS_RAWIO" },
};

/* "CAP_A, CAP_B" */
static void name_capabilities(uint64_t set, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(capability_names) / sizeof(capability_names[0]); i++)
		if (set & NEEDS(capability_names[i].bit) && length < size)
			length += snprintf(text + length, size - length, "%s%s", length ? ", " : "",
					   capability_names[i].name);
}

static uint64_t missing_capabilities(const struct kernel_caps *caps, uint64_t needed)
{
	uint64_t held = caps->process_caps;

	if (held & NEEDS(CAP_SYS_ADMIN)) /* stands for both: include/linux/capability.h, bpf_capable() */
		held |= NEEDS_TRACING;
	if (held & NEEDS(CAP_DAC_OVERRIDE))
		held |= NEEDS(CAP_DAC_READ_SEARCH);
	return needed & ~held;
}

void cap_refused(struct kernel_caps *caps, enum kernel_cap_id id, int rc, uint64_t needed, const char *absent)
{
	uint64_t missing = missing_capabilities(caps, needed);
	const char *errno_name = strerrorname_np(-rc);
	char names[120];

	name_capabilities(missing ? missing : needed, names, sizeof(names));
	if (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EINTR || rc == -EAGAIN)
		cap_unknown(caps, id, "could not try: %s", strerror(-rc));
	else if (rc != -EPERM && rc != -EACCES)
		cap_no(caps, id, "%s (%s)", absent, errno_name ? errno_name : "unknown error");
	else if (missing)
		cap_no(caps, id, "needs %s", names);
	else if (caps->is_in_user_namespace)
		cap_no(caps, id, "needs %s in the initial user namespace", names);
	else if (caps->is_seccomp_filtered)
		cap_no(caps, id, "%s although %s held: the seccomp filter of this process?", errno_name,
		       names);
	else if (caps->lockdown == LOCKDOWN_INTEGRITY || caps->lockdown == LOCKDOWN_CONFIDENTIALITY)
		cap_no(caps, id, "%s although %s held; kernel lockdown is on (%s)", errno_name, names,
		       kernel_lockdown_name(caps->lockdown));
	else
		cap_no(caps, id, "%s although %s held: a security module?", errno_name, names);
}

const char *kernel_lockdown_name(enum kernel_lockdown lockdown)
{
	switch (lockdown) {
	case LOCKDOWN_NONE:
		return "none";
	case LOCKDOWN_INTEGRITY:
		return "integrity";
	case LOCKDOWN_CONFIDENTIALITY:
		return "confidentiality";
	case LOCKDOWN_UNKNOWN:
		break;
	}
	return "unknown";
}

void kernel_caps_init(struct kernel_caps *ret_caps)
{
	memset(ret_caps, 0, sizeof(*ret_caps));
	for (size_t id = 0; id < KERNEL_CAP_COUNT; id++) {
		ret_caps->caps[id].name = table[id].name;
		cap_unknown(ret_caps, id, "not tried");
	}
	read_machine_facts(ret_caps);
}

const struct kernel_cap *kernel_caps_get(struct kernel_caps *caps, enum kernel_cap_id id)
{
	/* An unknown is tried again: whatever the trial was short of may be there now. */
	if (caps->caps[id].state == CAP_UNKNOWN)
		table[id].trial(caps);
	return &caps->caps[id];
}

void kernel_caps_probe(struct kernel_caps *ret_caps)
{
	kernel_caps_init(ret_caps);
	for (size_t id = 0; id < KERNEL_CAP_COUNT; id++)
		kernel_caps_get(ret_caps, id);
}
