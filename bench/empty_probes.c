// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * empty_probes [-p PID] [--perf] OBJECT:OFFSET[:return]…
 * empty_probes --calibrate
 *
 * Attaches a BPF program that does nothing to instructions of user-space code: the floor under every tool
 * that probes the same places. OFFSET is a file offset, in hexadecimal with 0x. Tries one uprobe_multi link
 * for each file first, then perf events; --perf tries only those. Says `attached MECHANISM N points` on
 * stdout and detaches at the end of stdin. It doesn't choose places: bench/memleak does. --calibrate says
 * what each kind of probe costs on this machine, in nanoseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf_syscall.h"
#include "cleanup.h"
#include "error.h"
#include "uprobe.h"

enum { POINTS_MAX = 256 };

struct request {
	const char *object; /* borrowed from argv */
	uint64_t file_offset;
	bool is_return;
	bool is_attached;
};

/* `return 0`, by hand: a compiler would make the same two instructions of it. */
static int empty_program_load(enum uprobe_rung rung, int *ret_fd)
{
	static const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_program_spec spec = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = rung == UPROBE_MULTI ? BPF_SYSCALL_TRACE_UPROBE_MULTI : 0,
		.insns = instructions,
		.insn_count = sizeof(instructions) / sizeof(instructions[0]),
	};

	return bpf_syscall_program_load(&spec, NULL, 0, ret_fd);
}

/* OBJECT may have colons of its own, so the fields are taken from the end. */
static int request_parse(char *text, struct request *ret_request)
{
	struct request request = { .object = text };
	char *colon = strrchr(text, ':'), *end;

	if (colon && strcmp(colon, ":return") == 0) {
		request.is_return = true;
		*colon = '\0';
		colon = strrchr(text, ':');
	}
	if (!colon || colon == text)
		return -EINVAL;
	request.file_offset = strtoull(colon + 1, &end, 0);
	if (end == colon + 1 || *end != '\0')
		return -EINVAL;
	*colon = '\0';
	*ret_request = request;
	return 0;
}

/* All requests like @first, which the kernel takes in one call: same file, same kind. */
static int attach_like(enum uprobe_rung rung, int program_fd, pid_t pid, struct request *first,
		       struct request *end, struct uprobe_link **links, struct error *err)
{
	struct uprobe_point points[POINTS_MAX] = { 0 };
	struct uprobe_link *link;
	CLEANUP(close) int object_fd = open(first->object, O_RDONLY | O_CLOEXEC);
	size_t count = 0;
	int rc;

	if (object_fd < 0)
		return error_set(err, -errno, "%s: %s", first->object, strerror(errno));
	for (struct request *each = first; each < end; each++) {
		if (each->is_attached || each->is_return != first->is_return ||
		    strcmp(each->object, first->object) != 0)
			continue;
		points[count++].file_offset = each->file_offset;
		each->is_attached = true;
	}
	rc = uprobe_attach(rung, program_fd, object_fd, pid, first->is_return, false, points, count, &link,
			   err);
	if (rc == 0)
		*links = uprobe_link_join(link, *links);
	return rc;
}

/* All or nothing. */
static int attach_all(enum uprobe_rung rung, pid_t pid, struct request *requests, size_t count,
		      struct uprobe_link **ret_links, struct error *err)
{
	struct uprobe_link *links = NULL;
	CLEANUP(close) int program_fd = -1;
	int rc = empty_program_load(rung, &program_fd);

	if (rc < 0)
		return error_set(err, rc, "loading an empty program: %s", strerror(-rc));
	for (size_t i = 0; i < count; i++)
		requests[i].is_attached = false;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (!requests[i].is_attached)
			rc = attach_like(rung, program_fd, pid, &requests[i], requests + count, &links, err);
	if (rc < 0) {
		uprobe_detach(links);
		return rc;
	}
	*ret_links = links;
	return 0;
}

static int calibrate(void)
{
	struct uprobe_costs costs;
	struct error err = { 0 };
	enum uprobe_rung rung = UPROBE_MULTI;
	int rc = uprobe_calibrate(rung, &costs, NULL, &err);

	if (rc < 0) {
		rung = UPROBE_PERF;
		rc = uprobe_calibrate(rung, &costs, NULL, &err);
	}
	if (rc < 0) {
		fprintf(stderr, "empty_probes: %s\n", err.text);
		return 3;
	}
	printf("%s: %u ns at an emulated instruction, %u ns at a single-stepped one, %u ns with return\n",
	       rung == UPROBE_MULTI ? "uprobe_multi" : "perf", costs.emulated_ns, costs.single_step_ns,
	       costs.return_ns);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: empty_probes [-p PID] [--perf] OBJECT:OFFSET[:return]... | --calibrate\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct request requests[POINTS_MAX];
	enum uprobe_rung rung = UPROBE_MULTI;
	struct uprobe_link *links = NULL;
	struct error err = { 0 };
	size_t count = 0;
	pid_t pid = 0;
	char byte;
	int rc;

	if (argc == 2 && strcmp(argv[1], "--calibrate") == 0)
		return calibrate();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--perf") == 0)
			rung = UPROBE_PERF;
		else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc)
			pid = (pid_t)strtol(argv[++i], NULL, 10);
		else if (count == POINTS_MAX || request_parse(argv[i], &requests[count++]) < 0)
			return usage();
	}
	if (count == 0)
		return usage();
	rc = attach_all(rung, pid, requests, count, &links, &err);
	if (rc < 0 && rung == UPROBE_MULTI) {
		rung = UPROBE_PERF;
		rc = attach_all(rung, pid, requests, count, &links, &err);
	}
	if (rc < 0) {
		fprintf(stderr, "empty_probes: %s\n", err.text);
		return 3;
	}
	printf("attached %s %zu points\n", rung == UPROBE_MULTI ? "uprobe_multi" : "perf", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) == 1)
		;
	uprobe_detach(links);
	return 0;
}
