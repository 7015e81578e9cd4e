// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The x86-64 decoder before two judges: objdump, over installed libraries (INSN_X86_OBJECTS names others, with
 * spaces between), and the CPU, which steps through a program (INSN_X86_PROGRAM, a shell command, as far as
 * INSN_X86_STEPS).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "insn_x86.h"
#include "objdump_lines.h"

#define BIT(n) (1u << (n))
#define STATUS_FLAGS 0x8d5 /* CF PF AF ZF SF OF */
#define ZF 0x40

/* "cs rex.W": prefixes that objdump gives a line of their own. */
static bool has_only_prefixes(const char *text)
{
	static const char prefixes[] = " data16 addr32 repz repnz lock cs ds es ss fs gs ";
	char words[64], padded[72];
	char *save = NULL;

	snprintf(words, sizeof(words), "%s", text);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		snprintf(padded, sizeof(padded), " %s ", word);
		if (!strstr(prefixes, padded) && strncmp(word, "rex", 3))
			return false;
	}
	return true;
}

/*
 * Objdump's own: data it can't read, prefixes alone, a REX that the CPU faults on, fwait joined with what
 * follows it. And 16-bit near branches, which have no one length.
 */
static bool is_comparable(const struct objdump *dump, const struct objdump_line *line)
{
	static const char *const skipped[] = { ".byte", "rex", "jmpw ", "callw " };

	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
		if (!strncmp(line->text, skipped[i], strlen(skipped[i])))
			return false;
	}
	return !strstr(line->text, "(bad)") && (dump->code[line->at] != 0x9b || line->length == 1) &&
	       !has_only_prefixes(line->text);
}

/* The register that AT&T syntax has last, or INSN_NO_REGISTER; @ret_is_memory when memory is last. */
static unsigned int destination_of(const char *text, bool *ret_is_memory)
{
	static const char *const low[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	size_t len = strcspn(text, "#<");
	const char *comma = memrchr(text, ',', len);
	size_t left = comma ? len - (size_t)(comma - text) : 0;
	const char *operand = comma && !memchr(comma, ')', left) ? comma + 1 : NULL;

	/* After the last comma, unless that one is within parentheses: then the operand is memory. */
	*ret_is_memory = !operand || operand[0] != '%' || memchr(comma, ':', left);
	if (*ret_is_memory || (operand[1] != 'r' && operand[1] != 'e'))
		return INSN_NO_REGISTER;
	for (unsigned int i = 0; i < 8; i++) {
		if (!strncmp(operand + 2, low[i], 2))
			return i;
	}
	return operand[1] == 'r' ? (unsigned int)strtoul(operand + 2, NULL, 10) : INSN_NO_REGISTER;
}

/* What mov and lea write must be exactly what objdump says. */
static bool has_right_destination(const struct objdump_line *line, const struct insn_x86 *insn)
{
	bool is_memory;
	unsigned int destination = destination_of(line->text, &is_memory);

	if (insn->map != INSN_MAP_ONE_BYTE)
		return true;
	if (strncmp(line->text, "mov ", 4) && strncmp(line->text, "lea ", 4))
		return true;
	if (is_memory)
		return insn->stores && insn->writes == 0;
	return destination == INSN_NO_REGISTER || (!insn->stores && insn->writes == BIT(destination));
}

static unsigned long compare_with_objdump(const char *object)
{
	unsigned long compared = 0, skipped = 0, wrong = 0;
	struct objdump dump;

	objdump_read(object, &dump);
	for (size_t i = 0; i < dump.count; i++) {
		const struct objdump_line *line = &dump.lines[i];
		struct insn_x86 insn = { 0 };
		int r;

		if (!is_comparable(&dump, line)) {
			skipped++;
			continue;
		}
		r = insn_x86_decode(dump.code + line->at, dump.size - line->at, &insn);
		compared++;
		if (r == 0 && insn.length == line->length && has_right_destination(line, &insn))
			continue;
		if (wrong++ < 10)
			print_message("%s %llx: result %d, length %u, not %u: %s\n", object,
				      (unsigned long long)line->address, r, insn.length, line->length,
				      line->text);
	}
	if (compared)
		print_message("%s: %lu compared, %lu of objdump's oddities\n", object, compared, skipped);
	objdump_deinit(&dump);
	assert_int_equal(wrong, 0);
	return compared;
}

static void lengths_are_those_of_objdump(void **state)
{
	const char *given = getenv("INSN_X86_OBJECTS");
	char *objects = strdup(given ? given : "/lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6");
	unsigned long compared = 0;
	char *save = NULL;

	(void)state;
	assert_non_null(objects);
	for (char *object = strtok_r(objects, " ", &save); object; object = strtok_r(NULL, " ", &save))
		compared += compare_with_objdump(object);
	free(objects);
	if (compared == 0) {
		print_message("SKIP: no objdump (package binutils) or no library to read\n");
		skip();
	}
}

/* What the CPU did to the registers must be among what the decoder says. */
static void check_step(const struct insn_x86 *insn, const struct user_regs_struct *a,
		       const struct user_regs_struct *b)
{
	const unsigned long long before[] = { a->rax, a->rcx, a->rdx, a->rbx, a->rsp, a->rbp, a->rsi, a->rdi,
					      a->r8, a->r9, a->r10, a->r11, a->r12, a->r13, a->r14, a->r15 };
	const unsigned long long after[] = { b->rax, b->rcx, b->rdx, b->rbx, b->rsp, b->rbp, b->rsi, b->rdi,
					     b->r8, b->r9, b->r10, b->r11, b->r12, b->r13, b->r14, b->r15 };
	unsigned long long next = a->rip + insn->length, target = a->rip + (unsigned long long)insn->target;

	for (unsigned int i = 0; i < 16; i++) {
		if (before[i] != after[i] && !(insn->writes & BIT(i)))
			fail_msg("rip %llx: %s changed", a->rip, insn_x86_register_name(i));
	}
	if (insn->sp_is_known)
		assert_int_equal(b->rsp - a->rsp, (unsigned long long)insn->sp_change);
	if (insn->copy_to != INSN_NO_REGISTER)
		assert_int_equal(after[insn->copy_to], before[insn->copy_from]);
	if (insn->tests_zero != INSN_NO_REGISTER)
		assert_int_equal(!!(b->eflags & ZF), before[insn->tests_zero] == 0);
	if (insn->keeps_flags)
		assert_int_equal(a->eflags & STATUS_FLAGS, b->eflags & STATUS_FLAGS);
	if (insn->flow == INSN_FLOW_NEXT)
		assert_true(b->rip == next || b->rip == a->rip /* rep */);
	else if (insn->has_target)
		assert_true(b->rip == target || (insn->flow == INSN_FLOW_BRANCH && b->rip == next));
	else
		assert_true(insn->flow != INSN_FLOW_STOP);
}

/* Stop before the first instruction of a program that runs the dynamic loader, and more. */
static pid_t start_stepped_program(void)
{
	const char *given = getenv("INSN_X86_PROGRAM");
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execl("/bin/sh", "sh", "-c", given ? given : "exec /bin/true", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void the_cpu_does_what_the_decoder_says(void **state)
{
	const char *given = getenv("INSN_X86_STEPS");
	long steps = given ? atol(given) : 30000, done = 0;
	pid_t pid = start_stepped_program();
	struct user_regs_struct before, after;
	int status;

	(void)state;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status)) {
		print_message("SKIP: ptrace is not allowed here\n");
		skip();
	}
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &before), 0);
	for (; done < steps; done++) {
		uint8_t code[INSN_X86_MAX_BYTES];
		struct iovec here = { code, sizeof(code) }, there = { (void *)before.rip, sizeof(code) };
		ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
		struct insn_x86 insn;

		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &after), 0);
		/* An int3 is the breakpoint of somebody who traces the whole machine. */
		if (n > 0 && status >> 8 == SIGTRAP && code[0] != 0xcc) {
			assert_int_equal(insn_x86_decode(code, (size_t)n, &insn), 0);
			/* An exec returns with a new program's registers. */
			if (!(insn.map == INSN_MAP_0F && insn.opcode == 0x05))
				check_step(&insn, &before, &after);
		}
		before = after;
	}
	if (!WIFEXITED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	print_message("%ld instructions stepped\n", done);
	assert_true(done > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_are_those_of_objdump),
		cmocka_unit_test(the_cpu_does_what_the_decoder_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
