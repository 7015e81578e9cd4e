/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Between the files kernel_caps*.c only: the trials, and the words in which their outcome is written down. */
#ifndef DILL_KERNEL_CAPS_TRIAL_H
#define DILL_KERNEL_CAPS_TRIAL_H

#include <linux/capability.h>

#include "kernel_caps.h"

#define NEEDS(capability) (1ull << (capability))
#define NEEDS_TRACING (NEEDS(CAP_BPF) | NEEDS(CAP_PERFMON))

void cap_yes(struct kernel_caps *caps, enum kernel_cap_id id, const char *note);
void cap_no(struct kernel_caps *caps, enum kernel_cap_id id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void cap_unknown(struct kernel_caps *caps, enum kernel_cap_id id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * CAP_NO for the negative errno @rc of a system call. @absent says what the kernel lacks when @rc is not
 * about permission; when it is, the reason names what stands in the way: a capability of the set @needed that
 * is missing, else the user namespace, the seccomp filter, the lockdown. Resource shortage gives CAP_UNKNOWN.
 */
void cap_refused(struct kernel_caps *caps, enum kernel_cap_id id, int rc, uint64_t needed,
		 const char *absent);

/* Facts of kernel_caps_init(). */
void read_machine_facts(struct kernel_caps *caps);

/* Trials. Each settles the capability that it is listed for in kernel_caps.c; some settle neighbours, too. */
void try_kprobe(struct kernel_caps *caps);
void try_raw_tracepoint(struct kernel_caps *caps);
void try_tracepoint(struct kernel_caps *caps);
void try_perf_software(struct kernel_caps *caps);
void try_perf_hardware(struct kernel_caps *caps);

void try_uprobe_perf(struct kernel_caps *caps);
void try_uprobe_multi(struct kernel_caps *caps);
void try_uprobe_session(struct kernel_caps *caps);

void try_btf(struct kernel_caps *caps);
void try_fentry(struct kernel_caps *caps);
void try_tp_btf(struct kernel_caps *caps);
void try_iterators(struct kernel_caps *caps);
void try_bpf_read_kernel(struct kernel_caps *caps);
void try_bpf_run(struct kernel_caps *caps);
void try_bpf_cookie(struct kernel_caps *caps);
void try_bpf_ringbuf(struct kernel_caps *caps);
void try_bpf_task_storage(struct kernel_caps *caps);
void try_bpf_atomic_fetch(struct kernel_caps *caps);
void try_bpf_memcg(struct kernel_caps *caps);

void try_kcore(struct kernel_caps *caps);
void try_kallsyms(struct kernel_caps *caps);
void try_not_locked_down(struct kernel_caps *caps);
void try_process_caps(struct kernel_caps *caps);
void try_memory_in_use(struct kernel_caps *caps);
void try_cgroups(struct kernel_caps *caps);
void try_psi(struct kernel_caps *caps);

#endif
