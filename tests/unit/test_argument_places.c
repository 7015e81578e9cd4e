// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Values are followed through hand-assembled functions, and lost where they must be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "argument_places.h"

#define START 0x1000

/* A function, followed; what holds behind the instruction at @at, counted in bytes. */
static int follow(const char *bytes, size_t size, size_t at, argument_spares_fn spares,
		  struct argument_places *places)
{
	const struct code_piece piece = { START, (const uint8_t *)bytes, size };
	const struct code_ends ends = { 0 };
	struct argument_flow *arguments;
	struct code_flow *flow;
	int status = code_flow_create(&piece, 1, &ends, &flow);
	size_t index = 0;

	if (status)
		return status;
	status = argument_flow_create(flow, spares, NULL, &arguments);
	if (!status) {
		while (index < flow->count && flow->insns[index].ip != START + at)
			index++;
		assert_true(index < flow->count);
		argument_places_behind(arguments, index, places);
		argument_flow_destroy(arguments);
	}
	code_flow_destroy(flow);
	return status;
}

static struct argument_places places_in(const char *bytes, size_t size, size_t at)
{
	struct argument_places places;

	assert_int_equal(follow(bytes, size, at, NULL, &places), 0);
	return places;
}
#define PLACES(at, literal) places_in(literal, sizeof(literal) - 1, at)

static void assert_register(const struct value_place *place, unsigned number)
{
	assert_int_equal(place->kind, PLACE_REGISTER);
	assert_int_equal(place->number, number);
}

static void copies_are_followed_until_they_are_overwritten(void **state)
{
	/* mov %rdi,%rbx; xor %edi,%edi; nop; mov %rsi,%rbx; nop; ret */
	static const char code[] = "\x48\x89\xfb\x31\xff\x90\x48\x89\xf3\x90\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 5);

	(void)state;
	assert_register(&places.entries[INSN_RDI], INSN_RBX);
	places = places_in(code, sizeof(code) - 1, 9);
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
	assert_register(&places.entries[INSN_RSI], INSN_RBX);
}

static void the_instruction_itself_counts(void **state)
{
	/* mov 0x10(%rip),%edi; ret: what is asked holds behind it */
	struct argument_places places = PLACES(0, "\x8b\x3d\x10\x00\x00\x00\xc3");

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void half_a_register_is_no_copy(void **state)
{
	/* mov %edi,%ebx; xor %edi,%edi; nop; ret */
	struct argument_places places = PLACES(4, "\x89\xfb\x31\xff\x90\xc3");

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void spilled_values_are_found_on_the_stack(void **state)
{
	/* sub $0x18,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; nop; mov 8(%rsp),%r12; movb $0,0xb(%rsp) … */
	static const char code[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x31\xff\x90\x4c\x8b\x64\x24\x08"
				   "\xc6\x44\x24\x0b\x00\x90\x48\x83\xc4\x18\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 11);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_STACK);
	assert_int_equal(places.entries[INSN_RDI].offset, -0x10);
	assert_true(places.frames[INSN_RSP].is_known);
	assert_int_equal(places.frames[INSN_RSP].offset, 0x18);
	places = places_in(code, sizeof(code) - 1, 22);
	assert_register(&places.entries[INSN_RDI], 12);
}

static void a_byte_written_into_it_spoils_a_slot(void **state)
{
	/* sub $0x18,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; movb $0,0xf(%rsp); nop; add $0x18,%rsp; ret */
	static const char spoilt[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x31\xff\xc6\x44\x24\x0f\x00\x90"
				     "\x48\x83\xc4\x18\xc3";
	/* The byte behind it. */
	static const char beside[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x31\xff\xc6\x44\x24\x10\x00\x90"
				     "\x48\x83\xc4\x18\xc3";
	struct argument_places places = places_in(spoilt, sizeof(spoilt) - 1, 16);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
	places = places_in(beside, sizeof(beside) - 1, 16);
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_STACK);
}

static void calls_keep_what_the_convention_keeps(void **state)
{
	/* push %rbx; mov %rdi,%rbx; mov %rsi,%r10; call +0x100; nop; pop %rbx; ret */
	struct argument_places places =
		PLACES(12, "\x53\x48\x89\xfb\x49\x89\xf2\xe8\x00\x01\x00\x00\x90\x5b\xc3");

	(void)state;
	assert_register(&places.entries[INSN_RDI], INSN_RBX);
	assert_int_equal(places.entries[INSN_RSI].kind, PLACE_UNKNOWN);
}

static void ways_that_disagree_make_a_place_unknown(void **state)
{
	/*
	 *	mov %rdi,%rax; test %rsi,%rsi; je 1f; mov %rdi,%rbx; jmp 2f
	 * 1:	mov %rsi,%rbx
	 * 2:	xor %edi,%edi; nop; ret
	 */
	static const char code[] = "\x48\x89\xf8\x48\x85\xf6\x74\x05\x48\x89\xfb\xeb\x03"
				   "\x48\x89\xf3\x31\xff\x90\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 18);

	(void)state;
	assert_register(&places.entries[INSN_RDI], INSN_RAX); /* and rbx on one way only */
	assert_register(&places.entries[INSN_RSI], INSN_RSI);
}

static void loops_come_to_an_end(void **state)
{
	/* mov %rdi,%rbx; 1: push %rdi; pop %rdi; mov %rbx,%rdi; mov %rsi,%rbx; dec %rdx; jne 1b; nop; ret */
	static const char code[] = "\x48\x89\xfb\x57\x5f\x48\x89\xdf\x48\x89\xf3\x48\xff\xca\x75\xf3\x90\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 16);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
	assert_register(&places.entries[INSN_RSI], INSN_RBX);
}

static void frame_pointers_tell_the_frame(void **state)
{
	/* push %rbp; mov %rsp,%rbp; and $-16,%rsp; sub $0x20,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; nop … */
	static const char code[] = "\x55\x48\x89\xe5\x48\x83\xe4\xf0\x48\x83\xec\x20"
				   "\x48\x89\x7c\x24\x08\x31\xff\x90\xc9\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 19);

	(void)state;
	assert_false(places.frames[INSN_RSP].is_known);
	assert_true(places.frames[INSN_RBP].is_known);
	assert_int_equal(places.frames[INSN_RBP].offset, 8);
	/* In the aligned part: where that is, only rsp knows. */
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_MEMORY);
	assert_int_equal(places.entries[INSN_RDI].number, INSN_RSP);
	assert_int_equal(places.entries[INSN_RDI].offset, 8);
}

static void frames_known_by_a_word_on_the_stack(void **state)
{
	/*
	 * lea 8(%rsp),%r10; and $-16,%rsp; push -8(%r10)
	 * push %rbp; mov %rsp,%rbp; push %r10; mov $0,%r10d; nop; ret
	 */
	static const char code[] = "\x4c\x8d\x54\x24\x08\x48\x83\xe4\xf0\x41\xff\x72\xf8"
				   "\x55\x48\x89\xe5\x41\x52\x41\xba\x00\x00\x00\x00\x90\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 25);

	(void)state;
	for (size_t i = 0; i < INSN_REGISTER_COUNT; i++)
		assert_false(places.frames[i].is_known);
	assert_int_equal(places.stored_frame.number, INSN_RBP);
	assert_int_equal(places.stored_frame.offset, -8);
	assert_int_equal(places.stored_frame.addend, -8);
}

/* sub $0x18,%rsp; mov %rdi,8(%rsp); lea 8(%rsp),%rsi; xor %edi,%edi; call +0x100; mov 8(%rsp),%rbx; nop; … */
static const char gives_address[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x48\x8d\x74\x24\x08\x31\xff"
				    "\xe8\x00\x01\x00\x00\x48\x8b\x5c\x24\x08\x90\x48\x83\xc4\x18\xc3";

static uint8_t spares_second(void *context, uint64_t target)
{
	(void)context;
	assert_int_equal(target, START + 16 + 5 + 0x100);
	return 1u << 1;
}

static void given_addresses_lose_the_frame(void **state)
{
	struct argument_places places = places_in(gives_address, sizeof(gives_address) - 1, 26);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void callees_that_only_read_spare_the_frame(void **state)
{
	struct argument_places places;

	(void)state;
	assert_int_equal(follow(gives_address, sizeof(gives_address) - 1, 26, spares_second, &places), 0);
	assert_register(&places.entries[INSN_RDI], INSN_RBX);
}

static void what_lies_below_the_stack_is_gone(void **state)
{
	/* sub $0x18,%rsp; mov %rdi,8(%rsp); add $0x18,%rsp; xor %edi,%edi; nop; ret */
	struct argument_places places =
		PLACES(15, "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x48\x83\xc4\x18\x31\xff\x90\xc3");

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void addresses_that_were_kept_lose_the_frame_at_any_store(void **state)
{
	/*
	 * sub $0x18,%rsp; lea 8(%rsp),%rax; mov %rax,(%rdx); mov %rdi,8(%rsp); xor %edi,%edi
	 * movb $0,(%rcx); nop; add $0x18,%rsp; ret
	 */
	static const char code[] = "\x48\x83\xec\x18\x48\x8d\x44\x24\x08\x48\x89\x02"
				   "\x48\x89\x7c\x24\x08"
				   "\x31\xff\xc6\x01\x00\x90\x48\x83\xc4\x18\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 17);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_STACK);
	places = places_in(code, sizeof(code) - 1, 22);
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void half_an_address_is_none(void **state)
{
	/* sub $0x18,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; mov %esp,%esi; call +0x100; nop … */
	static const char code[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x31\xff\x89\xe6"
				   "\xe8\x00\x01\x00\x00\x90\x48\x83\xc4\x18\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 18);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_STACK);
}

static void addresses_given_on_one_way_are_given(void **state)
{
	/*
	 *	sub $0x18,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; xor %esi,%esi; test %rdx,%rdx; je 1f
	 *	lea 8(%rsp),%rsi
	 * 1:	call +0x100; nop; add $0x18,%rsp; ret
	 */
	static const char code[] = "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x31\xff\x31\xf6"
				   "\x48\x85\xd2\x74\x05\x48\x8d\x74\x24\x08\xe8\x00\x01\x00\x00\x90\x48\x83\xc4\x18\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 28);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void the_parts_of_an_aligned_frame_are_told_apart(void **state)
{
	/* push %rbp; mov %rsp,%rbp; and $-16,%rsp; sub $0x20,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; … */
	static const char above[] = "\x55\x48\x89\xe5\x48\x83\xe4\xf0\x48\x83\xec\x20"
				    "\x48\x89\x7c\x24\x08\x31\xff"
				    "\x48\xc7\x45\x00\x00\x00\x00\x00\x90\xc9\xc3"; /* movq $0,(%rbp) */
	static const char below[] = "\x55\x48\x89\xe5\x48\x83\xe4\xf0\x48\x83\xec\x20"
				    "\x48\x89\x7c\x24\x08\x31\xff"
				    "\x48\xc7\x45\xf0\x00\x00\x00\x00\x90\xc9\xc3"; /* movq $0,-0x10(%rbp) */
	struct argument_places places = places_in(above, sizeof(above) - 1, 27);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_MEMORY);
	places = places_in(below, sizeof(below) - 1, 27);
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static void frames_aligned_from_two_depths_are_unknown(void **state)
{
	/*
	 *	push %rbp; mov %rsp,%rbp; test %rdi,%rdi; je 1f; push %rax; and $-16,%rsp; jmp 2f
	 * 1:	and $-16,%rsp
	 * 2:	sub $0x10,%rsp; mov %rdi,8(%rsp); xor %edi,%edi; nop; leave; ret
	 */
	static const char code[] = "\x55\x48\x89\xe5\x48\x85\xff\x74\x07\x50\x48\x83\xe4\xf0\xeb\x04"
				   "\x48\x83\xe4\xf0\x48\x83\xec\x10\x48\x89\x7c\x24\x08\x31\xff\x90\xc9\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 31);

	(void)state;
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
	assert_true(places.frames[INSN_RBP].is_known);
}

static void jumps_through_tables_are_refused(void **state)
{
	/* push %rbx; jmp *0x1000(,%rax,8) */
	static const char code[] = "\x53\xff\x24\xc5\x00\x10\x00\x00";
	/* jmp +0x1000 with the frame gone is a tail call, and with it there is not. */
	static const char tail[] = "\xe9\x00\x10\x00\x00", early[] = "\x53\xe9\x00\x10\x00\x00";
	struct argument_places places;

	(void)state;
	assert_int_equal(follow(code, sizeof(code) - 1, 0, NULL, &places), -EBADMSG);
	assert_int_equal(follow(tail, sizeof(tail) - 1, 0, NULL, &places), 0);
	assert_int_equal(follow(early, sizeof(early) - 1, 0, NULL, &places), -EBADMSG);
}

static void a_tracer_at_the_entry_keeps_all(void **state)
{
	/* endbr64; call +0x100; nop; call +0x100; nop; ret */
	static const char code[] = "\xf3\x0f\x1e\xfa\xe8\x00\x01\x00\x00\x90\xe8\x00\x01\x00\x00\x90\xc3";
	struct argument_places places = places_in(code, sizeof(code) - 1, 9);

	(void)state;
	assert_register(&places.entries[INSN_RDI], INSN_RDI);
	places = places_in(code, sizeof(code) - 1, 15);
	assert_int_equal(places.entries[INSN_RDI].kind, PLACE_UNKNOWN);
}

static uint8_t written_in(const char *bytes, size_t size)
{
	const struct code_piece piece = { START, (const uint8_t *)bytes, size };
	const struct code_ends ends = { 0 };
	struct argument_flow *arguments;
	struct code_flow *flow;
	uint8_t written;

	assert_int_equal(code_flow_create(&piece, 1, &ends, &flow), 0);
	assert_int_equal(argument_flow_create(flow, NULL, NULL, &arguments), 0);
	written = argument_flow_written(arguments);
	argument_flow_destroy(arguments);
	code_flow_destroy(flow);
	return written;
}
#define WRITTEN(literal) written_in(literal, sizeof(literal) - 1)

static void what_is_written_through_or_kept_is_told(void **state)
{
	(void)state;
	/* mov (%rdi),%rax */
	assert_int_equal(WRITTEN("\x48\x8b\x07\xc3"), 0);
	/* mov %rsi,(%rdi): rsi is kept there */
	assert_int_equal(WRITTEN("\x48\x89\x37\xc3"), 3);
	/* lea 0x10(%rdi),%rax; movb $0,(%rax) */
	assert_int_equal(WRITTEN("\x48\x8d\x47\x10\xc6\x00\x00\xc3"), 1);
	/* A call gets them. */
	assert_int_equal(WRITTEN("\x90\xe8\x00\x01\x00\x00\xc3") & 3, 3);
	/* push %rdi; pop %rsi; movb $0,(%rsi) */
	assert_int_equal(WRITTEN("\x57\x5e\xc6\x06\x00\xc3"), 1);
	/* mov (%rdi),%rax; movb $0,(%rax): what it points to is another object */
	assert_int_equal(WRITTEN("\x48\x8b\x07\xc6\x00\x00\xc3"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_followed_until_they_are_overwritten),
		cmocka_unit_test(the_instruction_itself_counts),
		cmocka_unit_test(half_a_register_is_no_copy),
		cmocka_unit_test(spilled_values_are_found_on_the_stack),
		cmocka_unit_test(a_byte_written_into_it_spoils_a_slot),
		cmocka_unit_test(calls_keep_what_the_convention_keeps),
		cmocka_unit_test(ways_that_disagree_make_a_place_unknown),
		cmocka_unit_test(loops_come_to_an_end),
		cmocka_unit_test(frame_pointers_tell_the_frame),
		cmocka_unit_test(frames_known_by_a_word_on_the_stack),
		cmocka_unit_test(given_addresses_lose_the_frame),
		cmocka_unit_test(callees_that_only_read_spare_the_frame),
		cmocka_unit_test(what_lies_below_the_stack_is_gone),
		cmocka_unit_test(addresses_that_were_kept_lose_the_frame_at_any_store),
		cmocka_unit_test(half_an_address_is_none),
		cmocka_unit_test(addresses_given_on_one_way_are_given),
		cmocka_unit_test(the_parts_of_an_aligned_frame_are_told_apart),
		cmocka_unit_test(frames_aligned_from_two_depths_are_unknown),
		cmocka_unit_test(jumps_through_tables_are_refused),
		cmocka_unit_test(a_tracer_at_the_entry_keeps_all),
		cmocka_unit_test(what_is_written_through_or_kept_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
