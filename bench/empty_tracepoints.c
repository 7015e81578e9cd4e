// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * empty_tracepoints NAME…
 *
 * Attaches a BPF program that does nothing to raw tracepoints: the floor under every tool that listens there. Says
 * `attached N` on stdout and detaches at the end of stdin, or at SIGINT.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* `return 0`, by hand: a compiler would make the same two instructions of it. */
static int empty_program_load(void)
{
	static const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "empty", "GPL", instructions,
			     sizeof(instructions) / sizeof(instructions[0]), NULL);
}

int main(int argc, char **argv)
{
	int program = empty_program_load();
	char byte;

	if (argc < 2) {
		fprintf(stderr, "usage: empty_tracepoints NAME...\n");
		return 2;
	}
	if (program < 0) {
		fprintf(stderr, "empty_tracepoints: loading an empty program: %s\n", strerror(-program));
		return 3;
	}
	for (int i = 1; i < argc; i++) {
		int link = bpf_raw_tracepoint_open(argv[i], program); /* closed by the exit */

		if (link < 0) {
			fprintf(stderr, "empty_tracepoints: %s: %s\n", argv[i], strerror(-link));
			return 3;
		}
	}
	printf("attached %d\n", argc - 1);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) == 1)
		;
	return 0;
}
