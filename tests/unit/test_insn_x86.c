// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The x86-64 decoder against literal encodings out of the manuals. test_insn_x86_judges.c has it against
 * objdump and the CPU.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "insn_x86.h"

#define BIT(n) (1u << (n))

/* Decode a literal; its whole length must be one instruction. */
static struct insn_x86 decode(const char *bytes, size_t len)
{
	struct insn_x86 insn;

	assert_int_equal(insn_x86_decode((const uint8_t *)bytes, len, &insn), 0);
	assert_int_equal(insn.length, len);
	return insn;
}
#define DECODE(literal) decode(literal, sizeof(literal) - 1)

static int result_of(const char *bytes, size_t len)
{
	struct insn_x86 insn;

	return insn_x86_decode((const uint8_t *)bytes, len, &insn);
}
#define RESULT(literal) result_of(literal, sizeof(literal) - 1)

static void every_operand_form_has_its_length(void **state)
{
	(void)state;
	DECODE("\xc3");
	DECODE("\x8b\x07");                                         /* mov (%rdi),%eax */
	DECODE("\x8b\x47\x08");                                     /* disp8 */
	DECODE("\x8b\x87\x00\x01\x00\x00");                         /* disp32 */
	DECODE("\x8b\x05\x00\x00\x00\x00");                         /* rip-relative */
	DECODE("\x8b\x04\x25\x00\x00\x00\x00");                     /* SIB without base */
	DECODE("\x67\x8b\x04\x24");                                 /* 32-bit address: no 16-bit forms */
	DECODE("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08");         /* movabs */
	DECODE("\x66\xb8\x01\x02");
	DECODE("\x48\xa1\x01\x02\x03\x04\x05\x06\x07\x08");         /* movabs from an address */
	DECODE("\x67\xa1\x01\x02\x03\x04");
	DECODE("\xc8\x10\x00\x01");                                 /* enter */
	DECODE("\xf7\xc7\x01\x02\x03\x04");                         /* test has an immediate, */
	DECODE("\xf7\xdf");                                         /* neg has none */
	DECODE("\x66\xf7\xc7\x01\x02");
	DECODE("\x66\x0f\x3a\x0f\xc1\x08");                         /* palignr */
	DECODE("\xc5\xf8\x77");                                     /* vzeroupper */
	DECODE("\xc5\xf9\x70\xc0\x1b");                             /* vpshufd */
	DECODE("\xc4\xe3\x7d\x39\xc1\x01");                         /* vextracti128 */
	DECODE("\x62\xf1\xfe\x48\x6f\x06");                         /* vmovdqu64 (%rsi),%zmm0 */
	DECODE("\x62\xf3\x7d\x48\x3f\xc1\x04");                     /* vpcmpub */
	DECODE("\x8f\xe8\x78\xc2\xc0\x07");                         /* XOP vprotd */
	DECODE("\x8f\xc0");                                         /* but this is pop */
	DECODE("\x66\x0f\x78\xc1\x02\x03");                         /* SSE4a extrq */
	DECODE("\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00");     /* padding */
	DECODE("\x66\x66\x48\xe8\x00\x00\x00\x00");                 /* call __tls_get_addr */
	DECODE("\x0f\x20\x05");                                     /* mov %cr0: no memory form */
}

static void cut_encodings_ask_for_more(void **state)
{
	static const char *const whole[] = {
		"\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", "\x66\x2e\x0f\x1f\x84\x11\x22\x33\x44\x55",
		"\x62\xf3\x7d\x48\x3f\xc1\x04", "\xc4\xe3\x7d\x39\xc1\x01", "\x8f\xe8\x78\xc2\xc0\x07",
		"\x48\x81\xec\x11\x11\x11\x11", "\x0f\x84\x11\x22\x33\x44", "\x0f\x38\xf0\x07",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		size_t len = strlen(whole[i]);

		decode(whole[i], len);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(result_of(whole[i], cut), -ENODATA);
	}
}

static void invalid_encodings_are_refused(void **state)
{
	(void)state;
	assert_int_equal(RESULT("\x06"), -EBADMSG);                 /* push %es */
	assert_int_equal(RESULT("\xea\0\0\0\0\0\0"), -EBADMSG);     /* far jmp */
	assert_int_equal(RESULT("\x8d\xc0"), -EBADMSG);             /* lea of a register */
	assert_int_equal(RESULT("\xff\xff"), -EBADMSG);             /* group 5, 7 */
	assert_int_equal(RESULT("\x0f\x04"), -EBADMSG);
	assert_int_equal(RESULT("\x0f\xb8\xc0"), -EBADMSG);         /* popcnt needs f3 */
	assert_int_equal(RESULT("\xd5\x08\x89\xc0"), -EBADMSG);     /* REX2 */
	assert_int_equal(RESULT("\x62\xf4\x7c\x08\x01\xc0"), -EBADMSG); /* EVEX map 4 */
	assert_int_equal(RESULT("\x62\xf9\x7d\x48\x6f\xc0"), -EBADMSG); /* EVEX with B4 */
	assert_int_equal(RESULT("\x66\xc5\xf8\x77"), -EBADMSG);     /* prefix before VEX */
	assert_int_equal(RESULT("\x48\x66\x89\xc0"), -EBADMSG);     /* REX not last */
	assert_int_equal(RESULT("\x66\xe8\x00\x00\x00\x00"), -EBADMSG); /* Intel and AMD disagree */
}

static void more_than_fifteen_bytes_are_no_instruction(void **state)
{
	char bytes[16];

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	bytes[14] = '\x90';
	assert_int_equal(result_of(bytes, 15), 0);
	bytes[14] = 0x66;
	bytes[15] = '\x90';
	assert_int_equal(result_of(bytes, 16), -EBADMSG);
}

static void failure_leaves_the_result_alone(void **state)
{
	struct insn_x86 insn = { .length = 77 };

	(void)state;
	assert_int_equal(insn_x86_decode((const uint8_t *)"\x06", 1, &insn), -EBADMSG);
	assert_int_equal(insn.length, 77);
}

static void uprobe_classes_are_the_kernels(void **state)
{
	static const struct {
		enum insn_uprobe uprobe;
		const char *bytes;
		size_t len;
	} cases[] = {
#define CASE(uprobe, literal) { uprobe, literal, sizeof(literal) - 1 }
		CASE(INSN_UPROBE_EMULATED, "\x55"),
		CASE(INSN_UPROBE_EMULATED, "\x41\x57"),
		CASE(INSN_UPROBE_EMULATED, "\x90"),
		CASE(INSN_UPROBE_EMULATED, "\x66\x90"),
		CASE(INSN_UPROBE_EMULATED, "\xeb\x10"),
		CASE(INSN_UPROBE_EMULATED, "\xe9\0\0\0\0"),
		CASE(INSN_UPROBE_EMULATED, "\xf2\xe9\0\0\0\0"), /* bnd jmp */
		CASE(INSN_UPROBE_EMULATED, "\xe8\0\0\0\0"),
		CASE(INSN_UPROBE_EMULATED, "\x74\x10"),
		CASE(INSN_UPROBE_EMULATED, "\x0f\x84\0\0\0\0"),
		CASE(INSN_UPROBE_NOP, "\x0f\x1f\x44\0\0"),
		CASE(INSN_UPROBE_NOP, "\x48\x89\xff"),      /* mov %rdi,%rdi */
		CASE(INSN_UPROBE_NOP, "\x48\x8d\x7f\0"),    /* lea 0(%rdi),%rdi */
		CASE(INSN_UPROBE_NOP, "\x48\x8d\x64\x24\0"),
		CASE(INSN_UPROBE_STEPPED, "\x89\xff"),      /* cuts edi off */
		CASE(INSN_UPROBE_STEPPED, "\x48\x8d\x7f\1"),
		CASE(INSN_UPROBE_STEPPED, "\x48\x8d\x64\x25\0"),
		CASE(INSN_UPROBE_STEPPED, "\x0f\x1f\xc8"),  /* 0f 1f /1 */
		CASE(INSN_UPROBE_STEPPED, "\xf3\x0f\x1e\xfa"),
		CASE(INSN_UPROBE_STEPPED, "\xf3\x90"),      /* pause */
		CASE(INSN_UPROBE_STEPPED, "\x48\x85\xff"),
		CASE(INSN_UPROBE_STEPPED, "\xc3"),
		CASE(INSN_UPROBE_STEPPED, "\x40\x55"),      /* a REX other than 41 */
		CASE(INSN_UPROBE_STEPPED, "\x66\x55"),
		CASE(INSN_UPROBE_STEPPED, "\x66\x41\x55"),
		CASE(INSN_UPROBE_STEPPED, "\xe3\x10"),      /* jrcxz */
		CASE(INSN_UPROBE_STEPPED, "\xff\xe0"),
		CASE(INSN_UPROBE_STEPPED, "\xc5\xf8\x57\xc0"),
		CASE(INSN_UPROBE_STEPPED, "\xc5\xfa\x10\x07"),
		CASE(INSN_UPROBE_REFUSED, "\x66\x48\x0f\x84\0\0\0\0"),
		CASE(INSN_UPROBE_REFUSED, "\x66\x74\x10"),
		CASE(INSN_UPROBE_REFUSED, "\x66\x48\xe9\0\0\0\0"),
		CASE(INSN_UPROBE_REFUSED, "\x2e\x74\x10"),  /* branch hint */
		CASE(INSN_UPROBE_REFUSED, "\x3e\xff\xe0"),  /* notrack jmp */
		CASE(INSN_UPROBE_REFUSED, "\xf0\x48\x0f\xb1\x0f"),
		CASE(INSN_UPROBE_REFUSED, "\x66\x2e\x0f\x1f\x84\0\0\0\0\0"),
		CASE(INSN_UPROBE_REFUSED, "\xcc"),
		CASE(INSN_UPROBE_REFUSED, "\xf4"),
		CASE(INSN_UPROBE_REFUSED, "\xcd\x80"),
		CASE(INSN_UPROBE_REFUSED, "\x8e\xd0"),      /* mov %eax,%ss */
		CASE(INSN_UPROBE_REFUSED, "\x41\x90"),      /* xchg %r8d,%eax */
		CASE(INSN_UPROBE_REFUSED, "\xc7\xf8\0\0\0\0"), /* xbegin */
		CASE(INSN_UPROBE_REFUSED, "\x0f\x05"),      /* syscall */
		CASE(INSN_UPROBE_REFUSED, "\x9c"),          /* pushf */
		CASE(INSN_UPROBE_REFUSED, "\xf3\xaa"),      /* rep stos: hit once a round */
		CASE(INSN_UPROBE_STEPPED, "\xaa"),
		CASE(INSN_UPROBE_REFUSED, "\xff\x18"),      /* far call */
		CASE(INSN_UPROBE_REFUSED, "\xc5\xf9\x7f\x07"), /* vmovdqa to memory looks like jg */
		CASE(INSN_UPROBE_REFUSED, "\xc5\xf9\xeb\xc0"), /* vpor like jmp */
		CASE(INSN_UPROBE_REFUSED, "\xc5\xf8\xc2\xc0\0"), /* vcmpps like ret */
		CASE(INSN_UPROBE_REFUSED, "\xc5\xf9\x6f\x07"), /* vmovdqa like outs */
		CASE(INSN_UPROBE_REFUSED, "\x8f\xe8\x78\xc2\xc0\x07"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct insn_x86 insn;
		int r = insn_x86_decode((const uint8_t *)cases[i].bytes, cases[i].len, &insn);

		if (r < 0 || insn.uprobe != cases[i].uprobe)
			fail_msg("case %zu: result %d, class %d, not %d", i, r, insn.uprobe, cases[i].uprobe);
	}
}

static void branches_have_targets_and_conditions(void **state)
{
	struct insn_x86 insn = DECODE("\x0f\x84\x10\x00\x00\x00");

	(void)state;
	assert_int_equal(insn.flow, INSN_FLOW_BRANCH);
	assert_true(insn.has_target);
	assert_int_equal(insn.target, 0x16);
	assert_int_equal(insn.condition, 4);
	insn = DECODE("\xeb\xfe");
	assert_int_equal(insn.flow, INSN_FLOW_JUMP);
	assert_true(insn.target == 0);
	assert_int_equal(insn.condition, 0xff);
	insn = DECODE("\xe8\xfb\xff\xff\xff");
	assert_int_equal(insn.flow, INSN_FLOW_CALL);
	assert_true(insn.target == 0);
	insn = DECODE("\xe2\x80");
	assert_int_equal(insn.flow, INSN_FLOW_BRANCH);
	assert_true(insn.target == -126);
	insn = DECODE("\xff\x25\x00\x00\x00\x00");
	assert_int_equal(insn.flow, INSN_FLOW_JUMP);
	assert_false(insn.has_target);
	assert_int_equal(DECODE("\xff\xd0").flow, INSN_FLOW_CALL);
	assert_int_equal(DECODE("\xc3").flow, INSN_FLOW_RETURN);
	assert_int_equal(DECODE("\x0f\x0b").flow, INSN_FLOW_STOP);
	assert_int_equal(DECODE("\xf4").flow, INSN_FLOW_STOP);
	assert_int_equal(DECODE("\x0f\x05").flow, INSN_FLOW_NEXT);
}

static void register_writes_are_named(void **state)
{
	(void)state;
	assert_int_equal(DECODE("\x48\x89\xc7").writes, BIT(INSN_RDI)); /* mov %rax,%rdi */
	assert_int_equal(DECODE("\x4d\x8b\x07").writes, BIT(INSN_R8));
	assert_int_equal(DECODE("\x88\xe0").writes, BIT(INSN_RAX));     /* mov %ah,%al */
	assert_int_equal(DECODE("\xb4\x01").writes, BIT(INSN_RAX));     /* mov $1,%ah */
	assert_int_equal(DECODE("\x40\xb4\x01").writes, BIT(INSN_RSP)); /* mov $1,%spl */
	assert_int_equal(DECODE("\x48\xf7\xe6").writes, BIT(INSN_RAX) | BIT(INSN_RDX)); /* mul */
	assert_int_equal(DECODE("\x48\x87\xf7").writes, BIT(INSN_RSI) | BIT(INSN_RDI)); /* xchg */
	assert_int_equal(DECODE("\x48\x0f\x44\xfe").writes, BIT(INSN_RDI));
	assert_int_equal(DECODE("\x0f\xa2").writes, 0xffff);            /* cpuid: more than needed */
	assert_int_equal(DECODE("\xc5\xf8\x57\xc0").writes, 0xffff);
	assert_int_equal(DECODE("\x48\x3b\x0e").writes, 0);             /* cmp */
	assert_int_equal(DECODE("\xf3\x0f\x1e\xfa").writes, 0);         /* endbr64 */
	assert_int_equal(DECODE("\xf3\x48\x0f\x1e\xc9").writes, BIT(INSN_RCX)); /* rdssp */
}

static void stores_are_seen(void **state)
{
	(void)state;
	assert_true(DECODE("\x48\x89\x07").stores);
	assert_true(DECODE("\x83\x07\x01").stores);     /* addl $1,(%rdi) */
	assert_true(DECODE("\x55").stores);
	assert_true(DECODE("\xaa").stores);
	assert_true(DECODE("\x0f\x11\x07").stores);
	assert_true(DECODE("\x0f\x05").stores);         /* the kernel may */
	assert_false(DECODE("\x0f\x10\x07").stores);
	assert_false(DECODE("\x83\x3f\x01").stores);    /* cmpl */
	assert_false(DECODE("\x48\x8b\x07").stores);
	assert_false(DECODE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00").stores);
}

static void stack_moves_are_counted(void **state)
{
	struct insn_x86 insn = DECODE("\x48\x83\xec\x18");

	(void)state;
	assert_true(insn.sp_is_known);
	assert_int_equal(insn.sp_change, -24);
	assert_int_equal(DECODE("\x48\x81\xc4\x00\x01\x00\x00").sp_change, 256);
	assert_int_equal(DECODE("\x48\x8d\x64\x24\xf0").sp_change, -16);
	assert_int_equal(DECODE("\x55").sp_change, -8);
	assert_int_equal(DECODE("\x5d").sp_change, 8);
	assert_int_equal(DECODE("\xe8\0\0\0\0").sp_change, -8);
	assert_true(DECODE("\x48\x85\xe4").sp_is_known); /* test %rsp,%rsp */
	assert_false(DECODE("\x5c").sp_is_known);        /* pop %rsp */
	assert_false(DECODE("\x48\x83\xe4\xf0").sp_is_known);
	assert_false(DECODE("\x48\x89\xc4").sp_is_known);
	assert_false(DECODE("\xc9").sp_is_known);
	assert_false(DECODE("\x48\x81\xec\x00\x00\x00\x80").sp_is_known);
}

static void copies_and_zero_tests_are_whole_registers(void **state)
{
	struct insn_x86 insn = DECODE("\x49\x89\xfc"); /* mov %rdi,%r12 */

	(void)state;
	assert_int_equal(insn.copy_to, 12);
	assert_int_equal(insn.copy_from, INSN_RDI);
	insn = DECODE("\x48\x8b\xde");                 /* mov %rsi,%rbx the other way */
	assert_int_equal(insn.copy_to, INSN_RBX);
	assert_int_equal(insn.copy_from, INSN_RSI);
	assert_int_equal(DECODE("\x89\xfb").copy_to, INSN_NO_REGISTER);
	assert_int_equal(DECODE("\x48\x8b\x1f").copy_to, INSN_NO_REGISTER);
	assert_int_equal(DECODE("\x48\x85\xff").tests_zero, INSN_RDI);
	assert_int_equal(DECODE("\x48\x83\xff\x00").tests_zero, INSN_RDI);
	assert_int_equal(DECODE("\x85\xff").tests_zero, INSN_NO_REGISTER);
	assert_int_equal(DECODE("\x48\x85\xfe").tests_zero, INSN_NO_REGISTER);
	assert_int_equal(DECODE("\x48\x83\xff\x01").tests_zero, INSN_NO_REGISTER);
}

static void names_are_short_and_cut_to_size(void **state)
{
	struct insn_x86 insn = DECODE("\x41\x54");
	char text[32];

	(void)state;
	insn_x86_name(&insn, text, sizeof(text));
	assert_string_equal(text, "push %r12");
	insn_x86_name(&insn, text, 6);
	assert_string_equal(text, "push ");
	insn = DECODE("\x0f\x87\0\0\0\0");
	insn_x86_name(&insn, text, sizeof(text));
	assert_string_equal(text, "ja");
	insn = DECODE("\x0f\xae\x07");
	insn_x86_name(&insn, text, sizeof(text));
	assert_string_equal(text, "opcode 0f ae");
}

static void operands_are_told(void **state)
{
	struct insn_x86 insn = DECODE("\x4a\x8b\x44\xa3\x10"); /* mov 0x10(%rbx,%r12,4),%rax */

	(void)state;
	assert_true(insn.has_memory && insn.loads && !insn.is_rip_relative && !insn.is_elsewhere);
	assert_int_equal(insn.base, INSN_RBX);
	assert_int_equal(insn.index, 12);
	assert_int_equal(insn.displacement, 0x10);
	assert_int_equal(insn.reg, INSN_RAX);
	assert_int_equal(insn.rm, INSN_NO_REGISTER);
	assert_int_equal(insn.operand_size, 8);
	insn = DECODE("\x41\x89\xfd"); /* mov %edi,%r13d */
	assert_false(insn.has_memory);
	assert_int_equal(insn.reg, INSN_RDI);
	assert_int_equal(insn.rm, 13);
	assert_int_equal(insn.operand_size, 4);
	insn = DECODE("\x41\xf6\x44\x24\x2d\x08"); /* testb $8,0x2d(%r12): its ModRM.reg is no register */
	assert_int_equal(insn.base, 12);
	assert_int_equal(insn.index, INSN_NO_REGISTER);
	assert_int_equal(insn.reg, INSN_NO_REGISTER);
	assert_int_equal(insn.operand_size, 1);
	assert_int_equal(insn.immediate, 8);
	assert_int_equal(DECODE("\x41\x52").reg, 10);                   /* push %r10 */
	assert_int_equal(DECODE("\x41\x52").operand_size, 8);
	assert_int_equal(DECODE("\x48\x83\xe4\xf0").immediate, -16);    /* and $-16,%rsp */
	assert_true(DECODE("\x65\x48\x8b\x07").is_elsewhere);           /* mov %gs:(%rdi),%rax */
	assert_true(DECODE("\x67\x48\x8b\x07").is_elsewhere);           /* mov (%edi),%rax */
	assert_false(DECODE("\x48\x89\x07").loads);                     /* mov %rax,(%rdi) */
	assert_false(DECODE("\x48\x8d\x07").loads);                     /* lea (%rdi),%rax */
	assert_true(DECODE("\x48\x01\x07").loads);                      /* add %rax,(%rdi) */
}

static void constant_addresses_are_told(void **state)
{
	struct insn_x86 insn = DECODE("\x8b\x05\x10\x00\x00\x00"); /* mov 0x10(%rip),%eax */
	uint64_t address = 0;

	(void)state;
	assert_true(insn_x86_fixed_address(&insn, 0x1000, &address));
	assert_int_equal(address, 0x1016);
	insn = DECODE("\x8b\x04\x25\x00\x00\x00\x80"); /* mov 0xffffffff80000000,%eax */
	assert_true(insn_x86_fixed_address(&insn, 0x1000, &address));
	assert_int_equal(address, 0xffffffff80000000);
	insn = DECODE("\x8b\x43\x10");
	assert_false(insn_x86_fixed_address(&insn, 0x1000, &address));
	insn = DECODE("\x65\x8b\x05\x10\x00\x00\x00"); /* mov %gs:0x10(%rip),%eax */
	assert_false(insn_x86_fixed_address(&insn, 0x1000, &address));
	insn = DECODE("\x90");
	assert_false(insn_x86_fixed_address(&insn, 0x1000, &address));
}

static void cmpxchg16b_writes_two_registers(void **state)
{
	struct insn_x86 insn = DECODE("\x65\x48\x0f\xc7\x0e"); /* cmpxchg16b %gs:(%rsi) */

	(void)state;
	assert_int_equal(insn.writes, BIT(INSN_RAX) | BIT(INSN_RDX));
	assert_true(insn.stores && insn.sp_is_known);
	assert_int_equal(DECODE("\x0f\xc7\xf0").writes, 0xffff); /* rdrand */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operand_form_has_its_length),
		cmocka_unit_test(cut_encodings_ask_for_more),
		cmocka_unit_test(invalid_encodings_are_refused),
		cmocka_unit_test(more_than_fifteen_bytes_are_no_instruction),
		cmocka_unit_test(failure_leaves_the_result_alone),
		cmocka_unit_test(uprobe_classes_are_the_kernels),
		cmocka_unit_test(branches_have_targets_and_conditions),
		cmocka_unit_test(register_writes_are_named),
		cmocka_unit_test(stores_are_seen),
		cmocka_unit_test(stack_moves_are_counted),
		cmocka_unit_test(copies_and_zero_tests_are_whole_registers),
		cmocka_unit_test(names_are_short_and_cut_to_size),
		cmocka_unit_test(operands_are_told),
		cmocka_unit_test(constant_addresses_are_told),
		cmocka_unit_test(cmpxchg16b_writes_two_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
