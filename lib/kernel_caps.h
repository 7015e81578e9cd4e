/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What this kernel offers and what this process may use of it, found out by trying: a tiny program is loaded,
 * a map made, a file opened, a function of our own probed. No answer comes from a version number.
 *
 * Trials leave nothing behind and touch no other process. This file decides nothing: which command needs
 * which capability is said in the commands' source ladders.
 */
#ifndef DILL_KERNEL_CAPS_H
#define DILL_KERNEL_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;

enum cap_state {
	CAP_UNKNOWN, /* not tried yet, or the trial itself could not be made */
	CAP_YES,
	CAP_NO,
};

struct kernel_cap {
	const char *name; /* stable, lower case */
	enum cap_state state;
	/*
	 * Not CAP_YES: why, naming the missing capability, sysctl or config option. CAP_YES: mostly "", else
	 * what is worth knowing. One line, of our own words.
	 */
	char reason[160];
};

/* Changing this list? Also the table in kernel_caps.c. */
enum kernel_cap_id {
	/* event sources */
	KERNEL_CAP_KPROBE,
	KERNEL_CAP_FENTRY,
	KERNEL_CAP_RAW_TRACEPOINT,
	KERNEL_CAP_TP_BTF,
	KERNEL_CAP_TRACEPOINT,          /* BPF on classic tracepoints, by tracefs */
	KERNEL_CAP_TRACEPOINT_KMEM,     /* events/kmem is there */
	KERNEL_CAP_TRACEPOINT_SYSCALLS, /* events/syscalls is there */
	KERNEL_CAP_UPROBE_PERF,
	KERNEL_CAP_UPROBE_MULTI,
	KERNEL_CAP_UPROBE_MULTI_THREADS, /* its pid means a process, not one thread */
	KERNEL_CAP_UPROBE_SESSION,
	KERNEL_CAP_ITER_TASK,
	KERNEL_CAP_ITER_KMEM_CACHE,
	KERNEL_CAP_ITER_BPF_MAP,
	KERNEL_CAP_PERF_SOFTWARE, /* BPF on software events of every process */
	KERNEL_CAP_PERF_HARDWARE, /* counting, at least */

	/* what BPF programs can do */
	KERNEL_CAP_BTF,
	KERNEL_CAP_BPF_READ_KERNEL,
	KERNEL_CAP_BPF_RUN, /* raw tracepoint programs, on demand */
	KERNEL_CAP_BPF_COOKIE,
	KERNEL_CAP_BPF_RINGBUF,
	KERNEL_CAP_BPF_TASK_STORAGE, /* in kprobe and uprobe programs */
	KERNEL_CAP_BPF_ATOMIC_FETCH,
	KERNEL_CAP_BPF_MEMCG, /* maps are charged to the memory cgroup, not to RLIMIT_MEMLOCK */

	/* kernel memory and symbols */
	KERNEL_CAP_KCORE,
	KERNEL_CAP_KALLSYMS_ADDRESSES,
	KERNEL_CAP_KALLSYMS_DATA, /* data symbols, too (CONFIG_KALLSYMS_ALL) */
	KERNEL_CAP_NOT_LOCKED_DOWN,

	/* this process */
	KERNEL_CAP_PROCESS_BPF,
	KERNEL_CAP_PROCESS_PERFMON,
	KERNEL_CAP_PROCESS_SYS_ADMIN,
	KERNEL_CAP_PROCESS_SYS_PTRACE,
	KERNEL_CAP_PROCESS_DAC_READ_SEARCH,
	KERNEL_CAP_PROCESS_SYSLOG,
	KERNEL_CAP_PROCESS_SYS_RESOURCE, /* for information: nothing needs it where KERNEL_CAP_BPF_MEMCG */

	/* what the machine has in use */
	KERNEL_CAP_SWAP,
	KERNEL_CAP_HUGETLB,
	KERNEL_CAP_TRANSPARENT_HUGE_PAGES,
	KERNEL_CAP_NUMA, /* more than one node */
	KERNEL_CAP_CGROUP_V1_MEMORY,
	KERNEL_CAP_CGROUP_V2,
	KERNEL_CAP_PSI,
	KERNEL_CAP_COUNT,
};

enum kernel_lockdown {
	LOCKDOWN_UNKNOWN,
	LOCKDOWN_NONE, /* also when the kernel has no lockdown at all */
	LOCKDOWN_INTEGRITY,
	LOCKDOWN_CONFIDENTIALITY,
};

enum kernel_sysctl_id {
	SYSCTL_UNPRIVILEGED_BPF_DISABLED,
	SYSCTL_PERF_EVENT_PARANOID,
	SYSCTL_KPTR_RESTRICT,
	SYSCTL_YAMA_PTRACE_SCOPE,
	SYSCTL_BPF_JIT_ENABLE,
	SYSCTL_COUNT,
};

struct kernel_sysctl {
	const char *name; /* as sysctl(8) takes it */
	bool is_known;    /* this kernel has it, and it could be read */
	int value;
};

struct kernel_caps {
	char release[65]; /* uname(2) */
	char machine[65];
	enum kernel_lockdown lockdown;
	bool is_in_user_namespace; /* so its capabilities don't count for BPF and perf */
	bool is_seccomp_filtered;
	uint64_t process_caps; /* effective set, by capability number */
	unsigned int node_count;
	uint64_t swap_bytes;
	uint64_t hugetlb_bytes; /* reserved in pools, all sizes */
	struct kernel_sysctl sysctls[SYSCTL_COUNT];
	struct btf *btf; /* borrowed: the kernel's types, where the caller has them; NULL: trials read them themselves */
	struct kernel_cap caps[KERNEL_CAP_COUNT];
};

/*
 * Fill in what costs nothing to know: everything but the capabilities, which are CAP_UNKNOWN "not tried".
 * Start here and use kernel_caps_get() to pay only for what is asked.
 */
void kernel_caps_init(struct kernel_caps *ret_caps);

/* A capability, tried on first use. The answer stays in @caps. */
const struct kernel_cap *kernel_caps_get(struct kernel_caps *caps, enum kernel_cap_id id);

/* kernel_caps_init() and every trial: up to a second, most of it waiting for probes to be taken back. */
void kernel_caps_probe(struct kernel_caps *ret_caps);

const char *kernel_lockdown_name(enum kernel_lockdown lockdown);

#endif
