// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Trials of what BPF programs can be and do: each loads a program of a few instructions. */
#include <bpf/btf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "cleanup.h"
#include "kernel_caps_trial.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define NO_BTF "no " VMLINUX_BTF ": CONFIG_DEBUG_INFO_BTF"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

DEFINE_CLEANUP(btf, struct btf *, btf__free(v));

static const struct bpf_insn return_zero[] = { BPF_INSN_MOV_IMM(0, 0), BPF_INSN_EXIT() };

static int load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t count, int *ret_fd)
{
	const struct bpf_program_spec spec = { .type = type, .insns = insns, .insn_count = count };

	return bpf_syscall_program_load(&spec, NULL, 0, ret_fd);
}

/* CAP_YES when the program passes the verifier. */
static void try_load(struct kernel_caps *caps, enum kernel_cap_id id, enum bpf_prog_type type,
		     const struct bpf_insn *insns, size_t count, const char *absent)
{
	CLEANUP(close) int fd = -1;
	int rc = load(type, insns, count, &fd);

	if (rc)
		cap_refused(caps, id, rc, NEEDS_TRACING, absent);
	else
		cap_yes(caps, id, NULL);
}

/* Load return_zero bound to a type of vmlinux's BTF; -ENOENT when the kernel hasn't got the type. */
static int load_tracing(const struct btf *btf, const char *name, uint32_t kind, uint32_t attach_type,
			int *ret_fd)
{
	int id = btf__find_by_name_kind(btf, name, kind);
	const struct bpf_program_spec spec = {
		.type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = attach_type,
		.attach_btf_id = id,
		.insns = return_zero,
		.insn_count = COUNT(return_zero),
	};

	return id < 0 ? -ENOENT : bpf_syscall_program_load(&spec, NULL, 0, ret_fd);
}

/* The kernel's types, in @own when they are read here. NULL with @id settled when there are none. */
static struct btf *find_btf(struct kernel_caps *caps, enum kernel_cap_id id, struct btf **own)
{
	if (caps->btf)
		return caps->btf;
	if (access(VMLINUX_BTF, R_OK)) {
		cap_refused(caps, id, -errno, NEEDS(CAP_DAC_READ_SEARCH), NO_BTF);
		return NULL;
	}
	*own = btf__parse(VMLINUX_BTF, NULL);
	if (!*own)
		cap_unknown(caps, id, VMLINUX_BTF ": %s", strerror(errno));
	return *own;
}

void try_btf(struct kernel_caps *caps)
{
	if (access(VMLINUX_BTF, R_OK))
		cap_refused(caps, KERNEL_CAP_BTF, -errno, NEEDS(CAP_DAC_READ_SEARCH), NO_BTF);
	else
		cap_yes(caps, KERNEL_CAP_BTF, NULL);
}

void try_fentry(struct kernel_caps *caps)
{
	/* Functions that hardly ever run: the kernel's own test object (net/bpf/test_run.c), rarities. */
	static const char *const functions[] = { "bpf_fentry_test1", "oom_kill_process", "do_exit" };
	CLEANUP(btf) struct btf *own = NULL;
	struct btf *btf = find_btf(caps, KERNEL_CAP_FENTRY, &own);
	int rc = -ENOENT;

	if (!btf)
		return;
	for (size_t i = 0; i < COUNT(functions) && (rc == -ENOENT || rc == -EINVAL); i++) {
		CLEANUP(close) int program_fd = -1;
		CLEANUP(close) int link_fd = -1;

		rc = load_tracing(btf, functions[i], BTF_KIND_FUNC, BPF_TRACE_FENTRY, &program_fd);
		if (!rc)
			rc = bpf_syscall_raw_tracepoint_open(program_fd, NULL, &link_fd);
	}
	if (rc)
		cap_refused(caps, KERNEL_CAP_FENTRY, rc, NEEDS_TRACING,
			    "no BPF trampolines: CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS");
	else
		cap_yes(caps, KERNEL_CAP_FENTRY, NULL);
}

void try_tp_btf(struct kernel_caps *caps)
{
	CLEANUP(btf) struct btf *own = NULL;
	struct btf *btf = find_btf(caps, KERNEL_CAP_TP_BTF, &own);
	CLEANUP(close) int program_fd = -1;
	CLEANUP(close) int link_fd = -1;
	int rc;

	if (!btf)
		return;
	rc = load_tracing(btf, "btf_trace_mark_victim", BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP, &program_fd);
	if (!rc)
		rc = bpf_syscall_raw_tracepoint_open(program_fd, NULL, &link_fd);
	if (rc)
		cap_refused(caps, KERNEL_CAP_TP_BTF, rc, NEEDS_TRACING,
			    "no typed tracepoints: CONFIG_BPF_EVENTS");
	else
		cap_yes(caps, KERNEL_CAP_TP_BTF, NULL);
}

void try_raw_tracepoint(struct kernel_caps *caps)
{
	CLEANUP(close) int program_fd = -1;
	CLEANUP(close) int link_fd = -1;
	int rc = load(BPF_PROG_TYPE_RAW_TRACEPOINT, return_zero, COUNT(return_zero), &program_fd);

	if (!rc)
		rc = bpf_syscall_raw_tracepoint_open(program_fd, "mark_victim", &link_fd);
	if (rc)
		cap_refused(caps, KERNEL_CAP_RAW_TRACEPOINT, rc, NEEDS_TRACING, "none: CONFIG_BPF_EVENTS");
	else
		cap_yes(caps, KERNEL_CAP_RAW_TRACEPOINT, NULL);
}

void try_iterators(struct kernel_caps *caps)
{
	static const struct {
		enum kernel_cap_id id;
		const char *function;
	} list[] = {
		{ KERNEL_CAP_ITER_TASK, "bpf_iter_task" },
		{ KERNEL_CAP_ITER_KMEM_CACHE, "bpf_iter_kmem_cache" },
		{ KERNEL_CAP_ITER_BPF_MAP, "bpf_iter_bpf_map" },
	};
	CLEANUP(btf) struct btf *own = NULL;
	struct btf *btf = NULL;

	for (size_t i = 0; i < COUNT(list); i++) {
		CLEANUP(close) int program_fd = -1;
		CLEANUP(close) int iterator_fd = -1;
		int rc;

		if (!btf)
			btf = find_btf(caps, list[i].id, &own);
		if (!btf)
			continue;
		rc = load_tracing(btf, list[i].function, BTF_KIND_FUNC, BPF_TRACE_ITER, &program_fd);
		if (!rc)
			rc = bpf_syscall_iterator_open(program_fd, &iterator_fd);
		if (rc)
			cap_refused(caps, list[i].id, rc, NEEDS_TRACING,
				    "this kernel has no such BPF iterator");
		else
			cap_yes(caps, list[i].id, NULL);
	}
}

void try_bpf_read_kernel(struct kernel_caps *caps)
{
	const struct bpf_insn insns[] = {
		BPF_INSN_MOV(1, 10),
		BPF_INSN_ADD_IMM(1, -8),
		BPF_INSN_MOV_IMM(2, 8),
		BPF_INSN_MOV_IMM(3, 0),
		BPF_INSN_CALL(BPF_FUNC_probe_read_kernel),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};

	/* Lockdown doesn't refuse the helper, it hides it (ff40e51043af): the verifier calls it unknown. */
	if (caps->lockdown == LOCKDOWN_CONFIDENTIALITY)
		try_load(caps, KERNEL_CAP_BPF_READ_KERNEL, BPF_PROG_TYPE_RAW_TRACEPOINT, insns, COUNT(insns),
			 "kernel lockdown is on (confidentiality)");
	else
		try_load(caps, KERNEL_CAP_BPF_READ_KERNEL, BPF_PROG_TYPE_RAW_TRACEPOINT, insns, COUNT(insns),
			 "no bpf_probe_read_kernel()");
}

void try_bpf_run(struct kernel_caps *caps)
{
	CLEANUP(close) int fd = -1;
	int rc = load(BPF_PROG_TYPE_RAW_TRACEPOINT, return_zero, COUNT(return_zero), &fd);

	if (!rc)
		rc = bpf_syscall_program_run(fd);
	if (rc)
		cap_refused(caps, KERNEL_CAP_BPF_RUN, rc, NEEDS_TRACING,
			    "no BPF_PROG_TEST_RUN of raw tracepoint programs");
	else
		cap_yes(caps, KERNEL_CAP_BPF_RUN, NULL);
}

void try_bpf_cookie(struct kernel_caps *caps)
{
	const struct bpf_insn insns[] = {
		BPF_INSN_CALL(BPF_FUNC_get_attach_cookie),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};

	try_load(caps, KERNEL_CAP_BPF_COOKIE, BPF_PROG_TYPE_KPROBE, insns, COUNT(insns),
		 "no bpf_get_attach_cookie()");
}

void try_bpf_atomic_fetch(struct kernel_caps *caps)
{
	const struct bpf_insn insns[] = {
		BPF_INSN_STORE_IMM(10, -8, 0),
		BPF_INSN_MOV_IMM(1, 1),
		BPF_INSN_ATOMIC_ADD(10, -8, 1, BPF_FETCH),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};

	try_load(caps, KERNEL_CAP_BPF_ATOMIC_FETCH, BPF_PROG_TYPE_RAW_TRACEPOINT, insns, COUNT(insns),
		 "no atomic instructions that return the old value");
}

void try_bpf_ringbuf(struct kernel_caps *caps)
{
	const struct bpf_map_spec spec = { .type = BPF_MAP_TYPE_RINGBUF, .max_entries = getpagesize() };
	CLEANUP(close) int fd = -1;
	int rc = bpf_syscall_map_create(&spec, &fd);

	if (rc)
		cap_refused(caps, KERNEL_CAP_BPF_RINGBUF, rc, NEEDS_TRACING, "no BPF ring buffer");
	else
		cap_yes(caps, KERNEL_CAP_BPF_RINGBUF, NULL);
}

/* Storage maps want BTF for key and value; this one says "int" for both. */
static int create_task_storage(int *ret_fd)
{
	static const struct {
		struct btf_header header;
		struct btf_type type;
		uint32_t int_encoding;
		char strings[5];
	} btf = {
		.header = {
			.magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(struct btf_header),
			.type_len = sizeof(struct btf_type) + sizeof(uint32_t),
			.str_off = sizeof(struct btf_type) + sizeof(uint32_t), .str_len = sizeof(btf.strings),
		},
		.type = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = sizeof(int) },
		.int_encoding = BTF_INT_SIGNED << 24 | 32,
		.strings = "\0int",
	};
	CLEANUP(close) int btf_fd = -1;
	const uint32_t size = offsetof(__typeof__(btf), strings) + sizeof(btf.strings);
	int rc = bpf_syscall_btf_load(&btf, size, &btf_fd);
	const struct bpf_map_spec spec = {
		.type = BPF_MAP_TYPE_TASK_STORAGE,
		.key_size = sizeof(int),
		.value_size = sizeof(int),
		.flags = BPF_F_NO_PREALLOC,
		.btf_fd = btf_fd,
		.btf_key_type_id = 1,
		.btf_value_type_id = 1,
	};

	return rc ? rc : bpf_syscall_map_create(&spec, ret_fd);
}

void try_bpf_task_storage(struct kernel_caps *caps)
{
	CLEANUP(close) int map_fd = -1;
	int rc = create_task_storage(&map_fd);
	const struct bpf_insn insns[] = {
		BPF_INSN_CALL(BPF_FUNC_get_current_task_btf),
		BPF_INSN_MOV(2, 0),
		BPF_INSN_MAP_FD(1, map_fd),
		BPF_INSN_MOV_IMM(3, 0),
		BPF_INSN_MOV_IMM(4, BPF_LOCAL_STORAGE_GET_F_CREATE),
		BPF_INSN_CALL(BPF_FUNC_task_storage_get),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};

	if (rc)
		cap_refused(caps, KERNEL_CAP_BPF_TASK_STORAGE, rc, NEEDS_TRACING, "no task storage maps");
	else
		try_load(caps, KERNEL_CAP_BPF_TASK_STORAGE, BPF_PROG_TYPE_KPROBE, insns, COUNT(insns),
			 "no task storage in probe programs");
}

/* A map made with RLIMIT_MEMLOCK 0, in a child, because the limit is the whole process's. */
static int create_map_without_memlock(const struct bpf_map_spec *spec)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (!child) {
		const struct rlimit none = { 0, 0 };
		int fd;

		_exit(setrlimit(RLIMIT_MEMLOCK, &none) ? EAGAIN : -bpf_syscall_map_create(spec, &fd));
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -EAGAIN;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

void try_bpf_memcg(struct kernel_caps *caps)
{
	const struct bpf_map_spec spec = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};
	CLEANUP(close) int fd = -1;
	struct rlimit limit = { 0, 0 };
	int rc = bpf_syscall_map_create(&spec, &fd);

	if (rc && rc != -EPERM) {
		cap_unknown(caps, KERNEL_CAP_BPF_MEMCG, "could not try: %s", strerror(-rc));
		return;
	}
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (rc) {
		cap_refused(caps, KERNEL_CAP_BPF_MEMCG, rc, NEEDS(CAP_BPF), "");
		return;
	}
	rc = create_map_without_memlock(&spec);
	if (!rc)
		cap_yes(caps, KERNEL_CAP_BPF_MEMCG, NULL);
	else if (rc == -EPERM && limit.rlim_cur == RLIM_INFINITY)
		cap_no(caps, KERNEL_CAP_BPF_MEMCG,
		       "BPF memory counts against RLIMIT_MEMLOCK, which is unlimited");
	else if (rc == -EPERM)
		cap_no(caps, KERNEL_CAP_BPF_MEMCG,
		       "BPF memory counts against RLIMIT_MEMLOCK, %llu KiB: ulimit -l",
		       (unsigned long long)limit.rlim_cur / 1024);
	else
		cap_unknown(caps, KERNEL_CAP_BPF_MEMCG, "could not try: %s", strerror(-rc));
}
