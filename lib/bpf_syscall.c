// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fills bpf(2) attributes by hand. The kernel accepts an attribute longer than the one it knows as long as
 * the unknown rest is zero, so every call passes the full size of our union.
 */
#include "bpf_syscall.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"

#define UPROBE_MULTI_RETURN 1u /* BPF_F_UPROBE_MULTI_RETURN */

/* BPF_LINK_CREATE with the uprobe_multi member of its union, which lies where perf_event.bpf_cookie does. */
struct uprobe_multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t link_flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t flags;
	uint32_t pid;
	uint32_t reserved;
};

union attr {
	union bpf_attr known;
	struct uprobe_multi_attr uprobe_multi;
};

_Static_assert(offsetof(struct uprobe_multi_attr, path) == offsetof(union bpf_attr, link_create.perf_event),
	       "uprobe_multi shares the union behind link_create.flags");

static uint64_t pointer(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int call(enum bpf_cmd command, union attr *attr)
{
	long rc = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static int call_for_fd(enum bpf_cmd command, union attr *attr, int *ret_fd)
{
	int rc = call(command, attr);

	if (rc < 0)
		return rc;
	*ret_fd = rc;
	return 0;
}

int bpf_syscall_program_load(const struct bpf_program_spec *spec, char *log, size_t log_size, int *ret_fd)
{
	union attr attr;
	int rc, tries = 5;

	memset(&attr, 0, sizeof(attr));
	attr.known.prog_type = spec->type;
	attr.known.expected_attach_type = spec->expected_attach_type;
	attr.known.attach_btf_id = spec->attach_btf_id;
	attr.known.insns = pointer(spec->insns);
	attr.known.insn_cnt = spec->insn_count;
	attr.known.license = pointer("Dual BSD/GPL");
	if (log && log_size) {
		log[0] = '\0';
		attr.known.log_buf = pointer(log);
		attr.known.log_size = log_size;
		attr.known.log_level = 1;
	}
	/* The verifier gives up with EAGAIN when a signal is pending. */
	do
		rc = call_for_fd(BPF_PROG_LOAD, &attr, ret_fd);
	while (rc == -EAGAIN && --tries);
	if (log && log_size)
		log[log_size - 1] = '\0';
	return rc;
}

int bpf_syscall_map_create(const struct bpf_map_spec *spec, int *ret_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.map_type = spec->type;
	attr.known.key_size = spec->key_size;
	attr.known.value_size = spec->value_size;
	attr.known.max_entries = spec->max_entries;
	attr.known.map_flags = spec->flags;
	if (spec->btf_key_type_id || spec->btf_value_type_id) {
		attr.known.btf_fd = spec->btf_fd;
		attr.known.btf_key_type_id = spec->btf_key_type_id;
		attr.known.btf_value_type_id = spec->btf_value_type_id;
	}
	return call_for_fd(BPF_MAP_CREATE, &attr, ret_fd);
}

int bpf_syscall_map_lookup(int map_fd, const void *key, void *ret_value)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.map_fd = map_fd;
	attr.known.key = pointer(key);
	attr.known.value = pointer(ret_value);
	return call(BPF_MAP_LOOKUP_ELEM, &attr);
}

int bpf_syscall_btf_load(const void *data, uint32_t size, int *ret_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.btf = pointer(data);
	attr.known.btf_size = size;
	return call_for_fd(BPF_BTF_LOAD, &attr, ret_fd);
}

int bpf_syscall_program_run(int program_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.test.prog_fd = program_fd;
	return call(BPF_PROG_TEST_RUN, &attr);
}

int bpf_syscall_raw_tracepoint_open(int program_fd, const char *name, int *ret_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.raw_tracepoint.prog_fd = program_fd;
	attr.known.raw_tracepoint.name = pointer(name);
	return call_for_fd(BPF_RAW_TRACEPOINT_OPEN, &attr, ret_fd);
}

int bpf_syscall_iterator_open(int program_fd, int *ret_fd)
{
	CLEANUP(close) int link_fd = -1;
	union attr attr;
	int rc;

	memset(&attr, 0, sizeof(attr));
	attr.known.link_create.prog_fd = program_fd;
	attr.known.link_create.attach_type = BPF_TRACE_ITER;
	rc = call_for_fd(BPF_LINK_CREATE, &attr, &link_fd);
	if (rc)
		return rc;
	/* The iterator holds the link, so the link's own descriptor can go. */
	memset(&attr, 0, sizeof(attr));
	attr.known.iter_create.link_fd = link_fd;
	return call_for_fd(BPF_ITER_CREATE, &attr, ret_fd);
}

int bpf_syscall_perf_event_link(int program_fd, int perf_fd, uint64_t cookie, int *ret_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.known.link_create.prog_fd = program_fd;
	attr.known.link_create.target_fd = perf_fd;
	attr.known.link_create.attach_type = BPF_PERF_EVENT;
	attr.known.link_create.perf_event.bpf_cookie = cookie;
	return call_for_fd(BPF_LINK_CREATE, &attr, ret_fd);
}

int bpf_syscall_uprobe_multi_link(int program_fd, const struct bpf_uprobe_multi_spec *spec, int *ret_fd)
{
	union attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.uprobe_multi.prog_fd = program_fd;
	attr.uprobe_multi.attach_type = spec->attach_type;
	attr.uprobe_multi.path = pointer(spec->path);
	attr.uprobe_multi.offsets = pointer(spec->offsets);
	attr.uprobe_multi.cookies = pointer(spec->cookies);
	attr.uprobe_multi.ref_ctr_offsets = pointer(spec->semaphores);
	attr.uprobe_multi.cnt = spec->count;
	attr.uprobe_multi.flags = spec->is_return ? UPROBE_MULTI_RETURN : 0;
	attr.uprobe_multi.pid = spec->pid;
	return call_for_fd(BPF_LINK_CREATE, &attr, ret_fd);
}

int bpf_syscall_program_stats(int program_fd, struct bpf_program_stats *ret_stats)
{
	struct bpf_prog_info info;
	union attr attr;
	int rc;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.known.info.bpf_fd = program_fd;
	attr.known.info.info_len = sizeof(info);
	attr.known.info.info = pointer(&info);
	rc = call(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (rc)
		return rc;
	*ret_stats = (struct bpf_program_stats){
		.run_count = info.run_cnt,
		.run_time_ns = info.run_time_ns,
		.recursion_misses = info.recursion_misses,
	};
	return 0;
}

int bpf_syscall_map_memory(int map_fd, uint64_t *ret_bytes)
{
	CLEANUP(fclose) FILE *file = NULL;
	char path[64], line[256];
	uint64_t bytes;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map_fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1) {
			*ret_bytes = bytes;
			return 0;
		}
	return -ENOENT;
}
