// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Choosing a probe site: a test for each rule, on literal code. Real functions: test_probe_site_live.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "probe_site.h"

/* Instructions that the cases are made of. */
#define ENDBR64 "\xf3\x0f\x1e\xfa"
#define TEST_RDI "\x48\x85\xff"
#define TEST_RSI "\x48\x85\xf6"
#define TEST_EDI "\x85\xff"
#define JE_FAR "\x0f\x84\x00\x10\x00\x00"
#define JNE_FAR "\x0f\x85\x00\x10\x00\x00"
#define JA_FAR "\x0f\x87\x00\x10\x00\x00"
#define HINTED_JE_FAR "\x2e\x0f\x84\x00\x10\x00\x00"
#define CMP_RDI "\x48\x81\xff\x00\x10\x00\x00"
#define PUSH_RBP "\x55"
#define PUSH_RBX "\x53"
#define LOAD_RAX "\x48\x8b\x05\x00\x00\x00\x00"    /* mov 0(%rip),%rax */
#define LOAD_RDI "\x64\x48\x8b\x38"                /* mov %fs:(%rax),%rdi */
#define LOAD_RSI "\x48\x8b\x30"                    /* mov (%rax),%rsi */
#define COPY_RDI_RSI "\x48\x89\xfe"                /* mov %rdi,%rsi */
#define COPY_RDI_R8 "\x49\x89\xf8"
#define COPY_R8_RCX "\x4c\x89\xc1"
#define COPY_EDI_ESI "\x89\xfe"
#define XCHG_RDI_RSI "\x48\x87\xf7"
#define STORE "\x48\x89\x7c\x24\x08"               /* mov %rdi,8(%rsp) */
#define CALL_RAX "\xff\xd0"
#define SUB_RSP "\x48\x83\xec\x18"
#define ADD_RSP "\x48\x83\xc4\x18"
#define AND_RSP "\x48\x83\xe4\xf0"
#define NOP5 "\x0f\x1f\x44\x00\x00"
#define CS_NOP "\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"
#define RET "\xc3"
#define JMP_FAR "\xe9\x00\x10\x00\x00"
#define FOUR(x) x x x x

static const struct probe_need no_need;
static const struct probe_need malloc_need = { .args = 1, .needs_return_address = true };
static const struct probe_need free_need = { .args = 1, .zero_arg0_is_noop = true };
static const struct probe_need moving_need = {
	.args = 1, .needs_return_address = true, .may_move_args = true
};

static struct probe_site choose(const char *code, size_t size, const struct probe_need *need)
{
	struct error err = { 0 };
	struct probe_site site;

	if (probe_site_choose((const uint8_t *)code, size, need, &site, &err))
		fail_msg("%s", err.text);
	return site;
}
#define CHOOSE(code, need) choose(code, sizeof(code) - 1, need)

static int result_of(const char *code, size_t size, const struct probe_need *need, struct error *err)
{
	struct probe_site site = { .offset = 77 };
	int r = probe_site_choose((const uint8_t *)code, size, need, &site, err);

	assert_int_equal(site.offset, 77);
	return r;
}
#define RESULT(code, need, err) result_of(code, sizeof(code) - 1, need, err)

static void assert_site(struct probe_site site, uint64_t offset, enum probe_site_reason reason)
{
	assert_int_equal(site.offset, offset);
	assert_int_equal(site.reason, reason);
	assert_int_equal(site.is_emulated,
			 reason == PROBE_SITE_MOVED || reason == PROBE_SITE_ENTRY_IS_EMULATED);
}

static void an_emulated_entry_is_taken(void **state)
{
	struct probe_site site = CHOOSE(PUSH_RBP PUSH_RBX RET, &malloc_need);

	(void)state;
	assert_site(site, 0, PROBE_SITE_ENTRY_IS_EMULATED);
	assert_int_equal(site.arg_register[0], INSN_RDI);
	assert_int_equal(site.arg_register[3], INSN_RCX);
	assert_site(CHOOSE(JMP_FAR, &malloc_need), 0, PROBE_SITE_ENTRY_IS_EMULATED);
	assert_site(CHOOSE("\xeb\x70", &malloc_need), 0, PROBE_SITE_ENTRY_IS_EMULATED);
}

static void endbr64_is_stepped_over(void **state)
{
	(void)state;
	assert_site(CHOOSE(ENDBR64 PUSH_RBP RET, &malloc_need), 4, PROBE_SITE_MOVED);
	assert_site(CHOOSE(ENDBR64 JMP_FAR, &malloc_need), 4, PROBE_SITE_MOVED);
	assert_site(CHOOSE(ENDBR64 TEST_RDI JE_FAR PUSH_RBP RET, &free_need), 13, PROBE_SITE_MOVED);
}

static void a_long_nop_is_stepped_over(void **state)
{
	(void)state;
	assert_site(CHOOSE(NOP5 PUSH_RBP RET, &malloc_need), 5, PROBE_SITE_MOVED);
	assert_site(CHOOSE(NOP5 RET, &malloc_need), 0, PROBE_SITE_NONE_IN_REACH);
}

static void the_first_branch_is_on_every_path(void **state)
{
	(void)state;
	assert_site(CHOOSE(CMP_RDI JA_FAR LOAD_RAX PUSH_RBX RET, &malloc_need), 7, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_RDI JE_FAR PUSH_RBP RET, &malloc_need), 3, PROBE_SITE_MOVED);
}

static void a_branch_that_null_takes_is_passed(void **state)
{
	struct probe_site site = CHOOSE(TEST_RDI JE_FAR PUSH_RBP RET, &free_need);

	(void)state;
	assert_site(site, 9, PROBE_SITE_MOVED);
	assert_true(site.skips_zero_arg0);
	assert_site(CHOOSE("\x48\x83\xff\x00" JE_FAR PUSH_RBP RET, &free_need), 10, PROBE_SITE_MOVED);
	/* A copy of the argument does as well, and what lies between may not touch the flags. */
	assert_site(CHOOSE(COPY_RDI_RSI TEST_RSI JE_FAR PUSH_RBP RET, &free_need), 12, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_RDI LOAD_RAX JE_FAR PUSH_RBP RET, &free_need), 16, PROBE_SITE_MOVED);
	site = CHOOSE(TEST_RDI LOAD_RAX SUB_RSP JE_FAR PUSH_RBP RET, &free_need);
	assert_site(site, 14, PROBE_SITE_MOVED);
	assert_false(site.skips_zero_arg0);
}

static void any_other_branch_is_not_passed(void **state)
{
	(void)state;
	assert_site(CHOOSE(TEST_RSI JE_FAR PUSH_RBP RET, &free_need), 3, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_EDI JE_FAR PUSH_RBP RET, &free_need), 2, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_RDI JNE_FAR PUSH_RBP RET, &free_need), 3, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_RDI HINTED_JE_FAR PUSH_RBP RET, &malloc_need), 0, PROBE_SITE_PATHS_PART);
	assert_site(CHOOSE("\xe3\x70" PUSH_RBP RET, &free_need), 0, PROBE_SITE_PATHS_PART);
}

static void without_a_better_place_the_null_branch_stays(void **state)
{
	struct probe_site site = CHOOSE(TEST_RDI JE_FAR STORE PUSH_RBP RET, &free_need);

	(void)state;
	assert_site(site, 3, PROBE_SITE_MOVED);
	assert_false(site.skips_zero_arg0);
	/* Here the argument doesn't live long enough. */
	assert_site(CHOOSE(TEST_RDI JE_FAR LOAD_RDI PUSH_RBP RET, &free_need), 3, PROBE_SITE_MOVED);
}

static void nothing_may_be_stored_or_called_before(void **state)
{
	(void)state;
	assert_site(CHOOSE(STORE PUSH_RBP RET, &no_need), 0, PROBE_SITE_EFFECT_BEFORE);
	assert_site(CHOOSE(CALL_RAX PUSH_RBP RET, &no_need), 0, PROBE_SITE_EFFECT_BEFORE);
	/* A call itself is emulated, and comes before its effect. */
	assert_site(CHOOSE(TEST_RDI "\xe8\x00\x10\x00\x00" RET, &no_need), 3, PROBE_SITE_MOVED);
}

static void lost_arguments_are_not_offered(void **state)
{
	struct probe_need two = { .args = 2 };

	(void)state;
	assert_site(CHOOSE(COPY_RDI_RSI LOAD_RDI JA_FAR RET, &malloc_need), 0, PROBE_SITE_ARGUMENT_LOST);
	assert_site(CHOOSE(LOAD_RSI JA_FAR RET, &malloc_need), 3, PROBE_SITE_MOVED);
	assert_site(CHOOSE(LOAD_RSI JA_FAR RET, &two), 0, PROBE_SITE_ARGUMENT_LOST);
	assert_site(CHOOSE(LOAD_RDI JA_FAR RET, &no_need), 4, PROBE_SITE_MOVED);
	assert_site(CHOOSE("\xc5\xf8\x57\xc0" JA_FAR RET, &malloc_need), 0, PROBE_SITE_EFFECT_BEFORE);
}

static void moved_arguments_are_followed(void **state)
{
	struct probe_need two = { .args = 2, .may_move_args = true };
	struct probe_site site = CHOOSE(LOAD_RAX COPY_RDI_RSI LOAD_RDI JA_FAR RET, &moving_need);

	(void)state;
	assert_site(site, 14, PROBE_SITE_MOVED);
	assert_int_equal(site.arg_register[0], INSN_RSI);
	assert_int_equal(site.arg_register[2], INSN_RDX);
	site = CHOOSE(COPY_RDI_R8 COPY_R8_RCX "\x49\x89\xc0" LOAD_RDI JA_FAR RET, &moving_need);
	assert_int_equal(site.arg_register[0], INSN_RCX);
	/* Its own register is preferred. */
	assert_int_equal(CHOOSE(COPY_RDI_RSI JA_FAR RET, &moving_need).arg_register[0], INSN_RDI);
	/* The first one's copy covers the second; half a register and an exchange are no copies. */
	assert_site(CHOOSE(COPY_RDI_RSI JA_FAR RET, &two), 0, PROBE_SITE_ARGUMENT_LOST);
	assert_site(CHOOSE(COPY_EDI_ESI LOAD_RDI JA_FAR RET, &moving_need), 0, PROBE_SITE_ARGUMENT_LOST);
	assert_site(CHOOSE(XCHG_RDI_RSI JA_FAR RET, &moving_need), 0, PROBE_SITE_ARGUMENT_LOST);
}

static void the_return_address_stays_where_it_is_needed(void **state)
{
	(void)state;
	assert_site(CHOOSE(SUB_RSP JA_FAR RET, &malloc_need), 0, PROBE_SITE_STACK_MOVED);
	assert_site(CHOOSE(SUB_RSP JA_FAR RET, &free_need), 4, PROBE_SITE_MOVED);
	assert_site(CHOOSE(SUB_RSP ADD_RSP JA_FAR RET, &malloc_need), 8, PROBE_SITE_MOVED);
	assert_site(CHOOSE(AND_RSP JA_FAR RET, &malloc_need), 0, PROBE_SITE_STACK_MOVED);
	assert_site(CHOOSE("\x58" JA_FAR RET, &malloc_need), 0, PROBE_SITE_STACK_MOVED);
}

static void jumps_into_the_way_are_refused(void **state)
{
	(void)state;
	/* To the push itself, and to what stands before it. */
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\xeb\xfd", &malloc_need), 0, PROBE_SITE_JUMPED_INTO);
	assert_site(CHOOSE(TEST_RDI TEST_RSI PUSH_RBP "\x74\xfa", &malloc_need), 0, PROBE_SITE_JUMPED_INTO);
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\xe8\xfa\xff\xff\xff", &no_need), 0, PROBE_SITE_JUMPED_INTO);
	/* Into the middle of an instruction, too. */
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\xeb\xfb", &malloc_need), 0, PROBE_SITE_JUMPED_INTO);
}

static void jumps_elsewhere_do_no_harm(void **state)
{
	(void)state;
	assert_site(CHOOSE(TEST_RDI PUSH_RBP PUSH_RBX "\xeb\xfd", &malloc_need), 3, PROBE_SITE_MOVED);
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\xeb\xfa", &malloc_need), 3, PROBE_SITE_MOVED); /* the entry */
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\xeb\xf9", &malloc_need), 3, PROBE_SITE_MOVED); /* before it */
	assert_site(CHOOSE(PUSH_RBP PUSH_RBX "\xeb\xfd", &malloc_need), 0, PROBE_SITE_ENTRY_IS_EMULATED);
}

static void a_loop_behind_the_null_branch_leaves_the_branch(void **state)
{
	struct probe_site site = CHOOSE(TEST_RDI JE_FAR PUSH_RBP "\xeb\xfd", &free_need);

	(void)state;
	assert_site(site, 3, PROBE_SITE_MOVED);
	assert_false(site.skips_zero_arg0);
}

static void an_unknown_body_leaves_the_entry(void **state)
{
	(void)state;
	assert_site(CHOOSE(TEST_RDI PUSH_RBP "\x48\x8b", &malloc_need), 0, PROBE_SITE_BODY_UNKNOWN);
	assert_site(CHOOSE(TEST_RDI PUSH_RBP RET "\x06", &malloc_need), 0, PROBE_SITE_BODY_UNKNOWN);
	assert_site(CHOOSE(TEST_RDI "\x06", &malloc_need), 0, PROBE_SITE_BODY_UNKNOWN);
	assert_site(CHOOSE(PUSH_RBP "\x06", &malloc_need), 0, PROBE_SITE_ENTRY_IS_EMULATED);
}

static void the_search_is_short(void **state)
{
	(void)state;
	assert_site(CHOOSE(FOUR(FOUR(TEST_RDI)) PUSH_RBP RET, &malloc_need), 0, PROBE_SITE_NONE_IN_REACH);
	assert_site(CHOOSE(FOUR(TEST_RDI) PUSH_RBP RET, &malloc_need), 12, PROBE_SITE_MOVED);
	assert_site(CHOOSE(RET PUSH_RBP RET, &malloc_need), 0, PROBE_SITE_NONE_IN_REACH);
	assert_site(CHOOSE("\xff\xe0" PUSH_RBP RET, &malloc_need), 0, PROBE_SITE_NONE_IN_REACH);
}

static void a_refused_entry_needs_another_site(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_site(CHOOSE(CS_NOP PUSH_RBP RET, &malloc_need), 10, PROBE_SITE_MOVED);
	assert_int_equal(RESULT(CS_NOP RET, &malloc_need, &err), -EOPNOTSUPP);
	assert_int_equal(err.code, -EOPNOTSUPP);
	assert_int_equal(RESULT("\xcc" PUSH_RBP, &malloc_need, &err), -EOPNOTSUPP);
	assert_int_equal(RESULT("\x0f\x05" PUSH_RBP, &no_need, &err), -EOPNOTSUPP);
}

static void bad_requests_fail_with_a_message(void **state)
{
	struct probe_need greedy = { .args = PROBE_SITE_MAX_ARGS + 1 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(RESULT(PUSH_RBP, &greedy, &err), -EINVAL);
	assert_string_not_equal(err.text, "");
	assert_int_equal(RESULT("", &no_need, &err), -ENODATA);
	assert_int_equal(RESULT("\x48", &no_need, NULL), -ENODATA);
	assert_int_equal(RESULT("\x06", &no_need, &err), -EBADMSG);
}

static void a_site_is_described_in_a_line(void **state)
{
	struct probe_site site = CHOOSE(TEST_RDI JE_FAR PUSH_RBP RET, &free_need);
	char text[160];

	(void)state;
	probe_site_describe(&site, "free", text, sizeof(text));
	assert_string_equal(text, "free+9, push %rbp: emulated, skips NULL");
	site = CHOOSE(LOAD_RAX COPY_RDI_RSI LOAD_RDI JA_FAR RET, &moving_need);
	probe_site_describe(&site, "malloc", text, sizeof(text));
	assert_string_equal(text, "malloc+14, ja: emulated, argument 0 in rsi");
	site = CHOOSE(SUB_RSP JA_FAR RET, &malloc_need);
	probe_site_describe(&site, "mremap", text, sizeof(text));
	assert_string_equal(text, "mremap, sub: single-stepped, the stack is moved further on");
	probe_site_describe(&site, "mremap", text, 8);
	assert_string_equal(text, "mremap,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_emulated_entry_is_taken),
		cmocka_unit_test(endbr64_is_stepped_over),
		cmocka_unit_test(a_long_nop_is_stepped_over),
		cmocka_unit_test(the_first_branch_is_on_every_path),
		cmocka_unit_test(a_branch_that_null_takes_is_passed),
		cmocka_unit_test(any_other_branch_is_not_passed),
		cmocka_unit_test(without_a_better_place_the_null_branch_stays),
		cmocka_unit_test(nothing_may_be_stored_or_called_before),
		cmocka_unit_test(lost_arguments_are_not_offered),
		cmocka_unit_test(moved_arguments_are_followed),
		cmocka_unit_test(the_return_address_stays_where_it_is_needed),
		cmocka_unit_test(jumps_into_the_way_are_refused),
		cmocka_unit_test(jumps_elsewhere_do_no_harm),
		cmocka_unit_test(a_loop_behind_the_null_branch_leaves_the_branch),
		cmocka_unit_test(an_unknown_body_leaves_the_entry),
		cmocka_unit_test(the_search_is_short),
		cmocka_unit_test(a_refused_entry_needs_another_site),
		cmocka_unit_test(bad_requests_fail_with_a_message),
		cmocka_unit_test(a_site_is_described_in_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
