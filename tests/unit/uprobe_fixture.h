/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A BPF program that counts its runs, ready to be attached to the functions of uprobe_target.h, for each
 * mechanism that this kernel allows; and threads that call these functions when told to.
 */
#ifndef DILL_UPROBE_FIXTURE_H
#define DILL_UPROBE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "error.h"
#include "kernel_caps.h"
#include "uprobe.h"
#include "uprobe_target.h"

#define ARGUMENT_CALL "--call-target" /* this program run with it calls the target three times */
#define CALLS_AFTER_EXEC 3

/* map[0] counts runs, map[1] sums cookies. */
struct fixture {
	enum uprobe_rung rung;
	bool has_cookies;
	int map_fd, program_fd;
	struct uprobe_target_file file;
};

/* r0 = &map[key]; if (r0) *r0 += r6; the key is built on the stack at r10-8 */
#define ADD_R6_TO(map_fd, key)                                                                              \
	BPF_INSN_STORE_IMM(10, -8, key), BPF_INSN_MAP_FD(1, map_fd), BPF_INSN_MOV(2, 10),                   \
		BPF_INSN_ADD_IMM(2, -8), BPF_INSN_CALL(BPF_FUNC_map_lookup_elem), BPF_INSN_JUMP_ZERO(0, 1), \
		BPF_INSN_ATOMIC_ADD(0, 0, 6, 0)

static inline int load_counter(enum uprobe_rung rung, bool has_cookies, int map_fd, int *ret_fd)
{
	const struct bpf_insn plain[] = {
		BPF_INSN_MOV_IMM(6, 1),
		ADD_R6_TO(map_fd, 0),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};
	const struct bpf_insn summing[] = {
		BPF_INSN_CALL(BPF_FUNC_get_attach_cookie),
		BPF_INSN_MOV(6, 0),
		ADD_R6_TO(map_fd, 1),
		BPF_INSN_MOV_IMM(6, 1),
		ADD_R6_TO(map_fd, 0),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};
	const struct bpf_program_spec spec = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = rung == UPROBE_MULTI ? BPF_SYSCALL_TRACE_UPROBE_MULTI : 0,
		.insns = has_cookies ? summing : plain,
		.insn_count = (has_cookies ? sizeof(summing) : sizeof(plain)) / sizeof(plain[0]),
	};

	return bpf_syscall_program_load(&spec, NULL, 0, ret_fd);
}

static inline int setup(void **state, enum uprobe_rung rung)
{
	static const struct bpf_map_spec map = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 2,
	};
	enum kernel_cap_id needed = rung == UPROBE_MULTI ? KERNEL_CAP_UPROBE_MULTI : KERNEL_CAP_UPROBE_PERF;
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct kernel_caps caps;

	kernel_caps_init(&caps);
	if (!fixture || kernel_caps_get(&caps, needed)->state != CAP_YES) {
		free(fixture);
		return 0; /* *state stays NULL: begin() skips */
	}
	fixture->rung = rung;
	fixture->has_cookies = kernel_caps_get(&caps, KERNEL_CAP_BPF_COOKIE)->state == CAP_YES;
	if (bpf_syscall_map_create(&map, &fixture->map_fd) ||
	    load_counter(rung, fixture->has_cookies, fixture->map_fd, &fixture->program_fd) ||
	    uprobe_target_open(&fixture->file, NULL))
		return -1;
	*state = fixture;
	return 0;
}

static inline int setup_multi(void **state)
{
	return setup(state, UPROBE_MULTI);
}

static inline int setup_perf(void **state)
{
	return setup(state, UPROBE_PERF);
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture) {
		close(fixture->map_fd);
		close(fixture->program_fd);
		close(fixture->file.fd);
	}
	free(fixture);
	return 0;
}

static inline struct fixture *begin(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static inline uint64_t read_map(const struct fixture *fixture, uint32_t key)
{
	uint64_t value;

	assert_int_equal(bpf_syscall_map_lookup(fixture->map_fd, &key, &value), 0);
	return value;
}

static inline uint64_t runs(const struct fixture *fixture)
{
	return read_map(fixture, 0);
}

static inline struct uprobe_link *attach(const struct fixture *fixture, pid_t pid, bool is_return,
					 bool follows_children)
{
	const struct uprobe_point point = { .file_offset = fixture->file.emulated_offset };
	struct uprobe_link *link = NULL;
	struct error err = { 0 };

	if (uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, pid, is_return,
			  follows_children, &point, 1, &link, &err))
		fail_msg("%s", err.text);
	return link;
}

struct waiting_thread {
	int wait_fd, done_fd;
};

static inline void *call_when_told(void *arg)
{
	struct waiting_thread *thread = arg;
	char byte;

	while (read(thread->wait_fd, &byte, 1) == 1) {
		uprobe_target_emulated();
		if (write(thread->done_fd, &byte, 1) != 1)
			break;
	}
	return NULL;
}

/* A child that can't outlive a test that failed. */
static inline pid_t fork_child(void)
{
	pid_t child = fork();

	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

/* A test once for each mechanism. */
#define ON_MULTI(test) { #test " (multi)", test, setup_multi, teardown, NULL }
#define ON_PERF(test) { #test " (perf)", test, setup_perf, teardown, NULL }
#define ON_BOTH(test) ON_MULTI(test), ON_PERF(test)

/* For a main() that is run with ARGUMENT_CALL. */
static inline bool call_target_when_asked(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], ARGUMENT_CALL) != 0)
		return false;
	for (int i = 0; i < CALLS_AFTER_EXEC; i++)
		uprobe_target_emulated();
	return true;
}

#endif
