/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * bpf(2) without libbpf: the commands and attribute fields that are newer than the <linux/bpf.h> and libbpf
 * of a stable distribution, and the few old ones that trial programs need.
 *
 * Every function returns 0 or the negative errno of the system call, without a message: what a refusal means
 * depends on what the caller was trying. Descriptors returned are the caller's to close; all are
 * close-on-exec (the kernel opens them so).
 */
#ifndef DILL_BPF_SYSCALL_H
#define DILL_BPF_SYSCALL_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enum bpf_attach_type of newer kernels (include/uapi/linux/bpf.h). */
#define BPF_SYSCALL_TRACE_UPROBE_MULTI 48   /* 89ae89f53d20, 6.6 */
#define BPF_SYSCALL_TRACE_UPROBE_SESSION 57 /* d920179b3d48, 6.13 */

struct bpf_program_spec {
	enum bpf_prog_type type;
	uint32_t expected_attach_type; /* enum bpf_attach_type, or one of the above */
	uint32_t attach_btf_id;        /* vmlinux BTF type id, for BPF_PROG_TYPE_TRACING */
	const struct bpf_insn *insns;
	size_t insn_count;
};

/*
 * Load a program. The licence given is "Dual BSD/GPL". @log (may be NULL) receives the verifier's text, empty
 * when the kernel refused before verifying; always terminated.
 */
int bpf_syscall_program_load(const struct bpf_program_spec *spec, char *log, size_t log_size, int *ret_fd);

struct bpf_map_spec {
	enum bpf_map_type type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
	int btf_fd; /* read only when the type ids are not 0 */
	uint32_t btf_key_type_id;
	uint32_t btf_value_type_id;
};

int bpf_syscall_map_create(const struct bpf_map_spec *spec, int *ret_fd);
int bpf_syscall_map_lookup(int map_fd, const void *key, void *ret_value);
int bpf_syscall_btf_load(const void *data, uint32_t size, int *ret_fd);

/* Run a loaded program once, here and now, without input (BPF_PROG_TEST_RUN); its result doesn't matter. */
int bpf_syscall_program_run(int program_fd);

/* @name: a raw tracepoint, or NULL when the program names its own target (tp_btf, fentry). */
int bpf_syscall_raw_tracepoint_open(int program_fd, const char *name, int *ret_fd);

/* Link and open an iterator over everything; reading @ret_fd runs the program. */
int bpf_syscall_iterator_open(int program_fd, int *ret_fd);

/*
 * Link a program to a perf event (BPF_PERF_EVENT; b89fbfbb854c, 5.15). -EINVAL on older kernels: use
 * PERF_EVENT_IOC_SET_BPF there, which has no cookie.
 */
int bpf_syscall_perf_event_link(int program_fd, int perf_fd, uint64_t cookie, int *ret_fd);

struct bpf_uprobe_multi_spec {
	const char *path;        /* the ELF file, resolved in this process's mount namespace */
	const uint64_t *offsets; /* file offsets of the instructions */
	const uint64_t *cookies; /* one per offset, or NULL */
	const uint64_t *semaphores; /* file offset of the u16 that is raised meanwhile, one per offset, 0: none; or NULL */
	uint32_t count;
	uint32_t pid;         /* thread group, in this pid namespace; 0: every process */
	uint32_t attach_type; /* must be the one that the program was loaded for */
	bool is_return;
};

/*
 * Link a program to many user-space instructions at once. The program must have been loaded with the same
 * expected_attach_type. -EINVAL when this kernel has no such link.
 */
int bpf_syscall_uprobe_multi_link(int program_fd, const struct bpf_uprobe_multi_spec *spec, int *ret_fd);

struct bpf_program_stats {
	uint64_t run_count; /* these two stay 0 unless the sysctl kernel.bpf_stats_enabled is on */
	uint64_t run_time_ns;
	uint64_t recursion_misses; /* runs skipped because a program was active on that CPU; 0 before 5.12 */
};

int bpf_syscall_program_stats(int program_fd, struct bpf_program_stats *ret_stats);

/*
 * What the kernel says this map occupies: "memlock:" in /proc/self/fdinfo
 * (Documentation/filesystems/proc.rst). Since 90a5527d7686 (6.4) that counts elements really allocated;
 * before, the size at full load.
 */
int bpf_syscall_map_memory(int map_fd, uint64_t *ret_bytes);

#endif
