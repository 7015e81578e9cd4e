// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* How each slab function is caught: hand-assembled ones, with what compilers do to them. */
#include "heap_sites_fixture.h"

static void reads_on_all_ways_catch_a_function(void **state)
{
	uint64_t start = add_alloc();
	const struct heap_site *site;

	(void)state;
	add_free("kfree");
	find();
	assert_int_equal(sites->global_count, 2);
	site = only_site("kmem_cache_alloc_noprof");
	assert_int_equal(site->ip_after, start + 4 + 6);
	assert_string_equal(sites->globals[site->global].name, "gfp_allowed_mask");
	assert_register(&site->arguments.cache, INSN_RBX);
	assert_int_equal(site->arguments.size.kind, PLACE_UNKNOWN);
	assert_int_equal(site->frame_register, INSN_RSP);
	assert_int_equal(site->frame_offset, 8);
	assert_false(site->may_be_repeated);
	site = only_site("kfree");
	assert_string_equal(sites->globals[site->global].name, "__kfence_pool");
	assert_true(site->arguments.object.kind == PLACE_REGISTER);
}

static void a_way_around_the_read_asks_for_a_breakpoint(void **state)
{
	(void)state;
	add_alloc();
	function("kfree", "object", pointer, NULL);
	EMIT("\x48\x85\xff\x74\x07"); /* test %rdi,%rdi; je over the read */
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\xc3");
	find();
	assert_true(is_by_code("kfree"));
	assert_int_equal(site_count("kfree"), 0);
	/* Nothing is read of it then. */
	assert_int_equal(sites->global_count, 1);
}

static void a_release_without_its_object_asks_for_a_breakpoint(void **state)
{
	(void)state;
	function("kfree", "object", pointer, NULL);
	EMIT("\x31\xff"); /* xor %edi,%edi */
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\xc3");
	find();
	assert_true(is_by_code("kfree"));
}

static void later_reads_are_no_sites(void **state)
{
	uint64_t start = function("kmem_cache_alloc", "s", cache_pointer, "gfpflags", u32, NULL);

	(void)state;
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT("\xc3");
	find();
	assert_int_equal(only_site("kmem_cache_alloc")->ip_after, start + 6);
}

static void reads_in_loops_are_said_to_be_repeated(void **state)
{
	(void)state;
	function("kmem_cache_alloc", "s", cache_pointer, "gfpflags", u32, NULL);
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT("\xff\xc9\x75\xf6"); /* dec %ecx; jne to the read */
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\xc3");
	function("kfree", "object", pointer, NULL);
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT("\xff\xc9\x75\xf5");
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\xc3");
	find();
	assert_true(only_site("kmem_cache_alloc")->may_be_repeated);
	assert_true(is_by_code("kfree")); /* releases leave no trace that would tell */
}

static void a_test_for_reclaim_may_lead_around(void **state)
{
	(void)state;
	function("kmem_cache_alloc", "s", cache_pointer, "gfpflags", u32, NULL);
	EMIT("\x41\xf6\x44\x24\x2d\x08\x75\x06"); /* testb $8,0x2d(%r12); jne over the read */
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\xc3");
	find();
	assert_non_null(only_site("kmem_cache_alloc"));
	assert_non_null(why_unseen("kmem_cache_alloc"));
}

static void another_test_may_not(void **state)
{
	(void)state;
	function("kmem_cache_alloc", "s", cache_pointer, "gfpflags", u32, NULL);
	EMIT("\x41\xf6\x44\x24\x2d\x10\x75\x06");
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\xc3");
	find();
	assert_true(is_by_code("kmem_cache_alloc"));
}

/* Answers for heap_site_find(): the stack. */
static int read_stack(void *context, uint64_t address, uint64_t *ret_word)
{
	const uint64_t *words = context;

	if (address != words[0])
		return -EFAULT;
	*ret_word = words[1];
	return 0;
}

static int meet(uint64_t ip, const uint64_t *registers, uint64_t *words, const struct heap_site **ret_site,
		uint64_t *ret_frame)
{
	return heap_site_find(sites, ip, registers, read_stack, words, ret_site, ret_frame);
}

static void callers_of_a_hook_are_told_apart(void **state)
{
	uint64_t hook, returns[2], words[2], registers[INSN_REGISTER_COUNT] = { 0 }, frame = 0;
	const char *const names[] = { "kmem_cache_alloc", "__kmalloc" };
	const struct heap_site *site;

	(void)state;
	hook = next_function;
	at = hook;
	next_function += FUNCTION_BYTES;
	symbol("slab_pre_alloc_hook.constprop.0", hook);
	EMIT_TO("\x23\x0d", GFP_ALLOWED_MASK); /* and global(%rip),%ecx */
	EMIT("\xc3");
	for (size_t i = 0; i < 2; i++) {
		function(names[i], i ? "size" : "s", i ? u64 : cache_pointer, "flags", u32, NULL);
		EMIT("\x53\x48\x89\xfb"); /* push %rbx; mov %rdi,%rbx */
		EMIT_TO(CALL, hook);
		returns[i] = at;
		EMIT_TO(CALL, SLAB_ALLOC);
		EMIT("\x5b\xc3");
	}
	find();
	assert_int_equal(only_site("kmem_cache_alloc")->ip_after, hook + 6);
	assert_int_equal(only_site("__kmalloc")->ip_after, hook + 6);
	assert_int_equal(only_site("__kmalloc")->via_return, returns[1]);
	assert_true(only_site("__kmalloc")->arguments.size.kind == PLACE_REGISTER);
	registers[INSN_RSP] = words[0] = 0x5000;
	for (size_t i = 0; i < 2; i++) {
		words[1] = returns[i];
		assert_int_equal(meet(hook + 6, registers, words, &site, &frame), 0);
		assert_int_equal(site->function, number_of(names[i]));
		assert_int_equal(frame, 0x5000 + 8 + 8); /* behind the hook's return address and rbx */
	}
	words[1] = returns[1] + 1;
	assert_int_equal(meet(hook + 6, registers, words, &site, &frame), -ENOENT);
	words[0] = 0;
	assert_int_equal(meet(hook + 6, registers, words, &site, &frame), -EFAULT);
	assert_int_equal(meet(hook, registers, words, &site, &frame), -ENOENT);
	assert_true(heap_site_exists(sites, hook + 6));
	assert_false(heap_site_exists(sites, hook + 7));
}

/* A hook with these bytes before its read, and kmem_cache_alloc(), which calls it. */
static void add_hooked(const char *before, size_t size)
{
	uint64_t hook = next_function;

	at = hook;
	next_function += FUNCTION_BYTES;
	symbol("slab_pre_alloc_hook", hook);
	emit(before, size);
	EMIT_TO("\x23\x0d", GFP_ALLOWED_MASK);
	EMIT("\x5b\xc3"); /* pop %rbx; ret */
	function("kmem_cache_alloc", "s", cache_pointer, "flags", u32, NULL);
	EMIT("\x53\x48\x89\xfb"); /* push %rbx; mov %rdi,%rbx */
	EMIT_TO(CALL, hook);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\x5b\xc3");
}

static void what_a_hook_saved_is_found_on_its_stack(void **state)
{
	static const char before[] = "\x53\x31\xdb"; /* push %rbx; xor %ebx,%ebx */

	(void)state;
	add_hooked(before, sizeof(before) - 1);
	find();
	assert_int_equal(only_site("kmem_cache_alloc")->arguments.cache.kind, PLACE_STACK);
	/* Below the caller's return address: its rbx, the hook's return address, the hook's rbx. */
	assert_int_equal(only_site("kmem_cache_alloc")->arguments.cache.offset, -24);
	assert_int_equal(only_site("kmem_cache_alloc")->frame_offset, 24);
	assert_int_equal(only_site("kmem_cache_alloc")->via_offset, 8);
}

static void hooks_that_may_not_read_are_of_no_use(void **state)
{
	static const char before[] = "\x53\x85\xc0\x74\x06"; /* push %rbx; test %eax,%eax; je over the read */

	(void)state;
	add_hooked(before, sizeof(before) - 1);
	find();
	assert_true(is_by_code("kmem_cache_alloc"));
}

static void frames_known_by_a_word_on_the_stack_are_found(void **state)
{
	uint64_t registers[INSN_REGISTER_COUNT] = { 0 }, words[2] = { 0x5000 - 8, 0x6008 }, frame = 0;
	const struct heap_site *site;

	(void)state;
	function("__kmalloc", "size", u64, "flags", u32, NULL);
	EMIT("\x4c\x8d\x54\x24\x08\x48\x83\xe4\xf0\x41\xff\x72\xf8"); /* as compilers align a frame */
	EMIT("\x55\x48\x89\xe5\x41\x52\x4d\x31\xd2");             /* push %r10; xor %r10,%r10 */
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\xc9\xc3");
	find();
	site = only_site("__kmalloc");
	assert_true(site->frame_is_stored);
	registers[INSN_RBP] = 0x5000;
	assert_int_equal(meet(site->ip_after, registers, words, &site, &frame), 0);
	assert_int_equal(frame, 0x6000);
}

static void functions_without_slow_way_must_read_where_they_write(void **state)
{
	(void)state;
	function("kmem_cache_alloc_from_sheaf", "s", cache_pointer, "gfp", u32, NULL);
	EMIT("\xff\x4e\x18\x74\x06"); /* decl 0x18(%rsi); je over the read */
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT("\xc3");
	function("kmem_cache_alloc", "s", cache_pointer, "gfp", u32, NULL);
	EMIT("\x85\xf6\x74\x09"); /* test %esi,%esi; je to ret */
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT("\xff\x4e\x18\xc3"); /* decl 0x18(%rsi); ret */
	find();
	assert_true(is_by_code("kmem_cache_alloc_from_sheaf"));
	assert_non_null(only_site("kmem_cache_alloc"));
}

static void callees_that_only_read_keep_the_object_known(void **state)
{
	/* mov (%rsi),%rax; ret; and movb $0,(%rsi); ret */
	static const char *const callees[] = { "\x48\x8b\x06\xc3", "\xc6\x06\x00\xc3" };
	static const char *const names[] = { "kfree", "kmem_cache_free" };
	uint64_t callee;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		callee = at = next_function;
		next_function += FUNCTION_BYTES;
		symbol(i ? "writer" : "reader", callee);
		emit(callees[i], 4);
		function(names[i], "object", pointer, NULL);
		/* sub $0x18,%rsp; mov %rdi,8(%rsp); lea 8(%rsp),%rsi */
		EMIT("\x48\x83\xec\x18\x48\x89\x7c\x24\x08\x48\x8d\x74\x24\x08");
		EMIT_TO(CALL, callee);
		EMIT("\x48\x8b\x7c\x24\x08"); /* mov 8(%rsp),%rdi */
		EMIT_TO(READ_RAX, KFENCE_POOL);
		EMIT_TO(CALL, SLAB_FREE);
		EMIT("\x48\x83\xc4\x18\xc3");
	}
	find();
	assert_register(&only_site("kfree")->arguments.object, INSN_RDI);
	assert_true(is_by_code("kmem_cache_free"));
}

static void code_ends_at_calls_that_never_return(void **state)
{
	(void)state;
	function("kfree", "object", pointer, NULL);
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\x85\xc0\x74\x07"); /* test %eax,%eax; je to ret */
	EMIT_TO(CALL, STACK_CHECK);
	EMIT("\xeb\xe9\xc3"); /* jmp to the read; ret */
	find();
	assert_non_null(only_site("kfree"));
}

static void outer_functions_are_caught_by_their_inner_one(void **state)
{
	(void)state;
	function("__kmem_cache_alloc_node", "s", cache_pointer, "gfpflags", u32, "node", u32, "orig_size",
		 u64, "caller", u64, NULL);
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\xc3");
	function("kmalloc_trace", "s", cache_pointer, "gfpflags", u32, "size", u64, NULL);
	EMIT_TO(JUMP, TEXT);
	find();
	assert_register(&only_site("__kmem_cache_alloc_node")->arguments.caller, INSN_R8);
	assert_register(&only_site("__kmem_cache_alloc_node")->arguments.size, INSN_RCX);
	assert_int_equal(site_count("kmalloc_trace"), 0);
	assert_false(is_by_code("kmalloc_trace"));
	assert_true(sites->functions[number_of("__kmem_cache_alloc_node")].is_inner);
	assert_false(sites->functions[number_of("kmalloc_trace")].is_inner);
}

static void inner_releases_that_slip_through_get_a_breakpoint(void **state)
{
	uint64_t inner = function("free_large_kmalloc", "folio", pointers, "object", pointer, NULL);

	(void)state;
	EMIT("\xc3");
	function("kfree", "object", pointer, NULL);
	EMIT("\x48\x85\xff\x74\x0d"); /* test %rdi,%rdi; je to the last jump */
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\xc3");
	EMIT_TO(JUMP, inner);
	find();
	assert_non_null(only_site("kfree"));
	assert_true(is_by_code("free_large_kmalloc"));
	assert_register(&sites->functions[number_of("free_large_kmalloc")].at_entry.object, INSN_RSI);
}

static void inner_releases_behind_the_read_are_met_already(void **state)
{
	uint64_t inner = function("free_large_kmalloc", "folio", pointers, "object", pointer, NULL);

	(void)state;
	EMIT("\xc3");
	function("kfree", "object", pointer, NULL);
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT("\x48\x85\xff\x74\x06"); /* test %rdi,%rdi; je to the last jump */
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\xc3");
	EMIT_TO(JUMP, inner);
	find();
	assert_non_null(only_site("kfree"));
	assert_false(is_by_code("free_large_kmalloc"));
}

static void unknown_parameters_are_unseen(void **state)
{
	(void)state;
	add_alloc();
	function("kfree", "handle", u64, NULL);
	EMIT("\xc3");
	at = next_function;
	next_function += FUNCTION_BYTES;
	symbol("kmem_cache_free", at); /* without a prototype */
	EMIT("\xc3");
	find();
	assert_int_equal(sites->function_count, 1);
	assert_non_null(why_unseen("kfree"));
	assert_non_null(why_unseen("kmem_cache_free"));
}

/* kfree() whose read is followed by ud2, behind which comes the read again. @flags: the bug table's. */
static void add_trap(uint32_t flags)
{
	uint64_t trap;

	function("kfree", "object", pointer, NULL);
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\x85\xc0\x74\x04"); /* test %eax,%eax; je to ret */
	trap = at;
	EMIT("\x0f\x0b\xeb\xec"); /* ud2; jmp to the read */
	EMIT("\xc3");
	memory_put_virtual(memory, BUG_TABLE, (uint32_t)(trap - BUG_TABLE));
	memory_put_virtual(memory, BUG_TABLE + 8, flags);
	symbol("__start___bug_table", BUG_TABLE);
	symbol("__stop___bug_table", BUG_TABLE + 12);
}

static void code_goes_on_behind_a_warning(void **state)
{
	(void)state;
	add_trap(1);
	find();
	assert_true(is_by_code("kfree"));
}

static void code_ends_at_a_bug(void **state)
{
	(void)state;
	add_trap(0);
	find();
	assert_non_null(only_site("kfree"));
}

static void functions_are_found_by_addresses_in_them(void **state)
{
	uint64_t start = add_alloc();

	(void)state;
	find();
	assert_ptr_equal(heap_function_at(sites, start), &sites->functions[0]);
	assert_null(heap_function_at(sites, start + 1));
	assert_ptr_equal(heap_function_of(sites, start + FUNCTION_BYTES - 1), &sites->functions[0]);
	assert_null(heap_function_of(sites, start + FUNCTION_BYTES));
	assert_null(heap_function_of(sites, start - 1));
}

static void kernels_without_slab_functions_are_refused(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(heap_sites_find(kernel, &sites, &error), -ENOENT);
	assert_true(error.text[0] != '\0');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_on_all_ways_catch_a_function),
		TEST(a_way_around_the_read_asks_for_a_breakpoint),
		TEST(a_release_without_its_object_asks_for_a_breakpoint),
		TEST(later_reads_are_no_sites),
		TEST(reads_in_loops_are_said_to_be_repeated),
		TEST(a_test_for_reclaim_may_lead_around),
		TEST(another_test_may_not),
		TEST(callers_of_a_hook_are_told_apart),
		TEST(what_a_hook_saved_is_found_on_its_stack),
		TEST(hooks_that_may_not_read_are_of_no_use),
		TEST(frames_known_by_a_word_on_the_stack_are_found),
		TEST(functions_without_slow_way_must_read_where_they_write),
		TEST(callees_that_only_read_keep_the_object_known),
		TEST(code_ends_at_calls_that_never_return),
		TEST(outer_functions_are_caught_by_their_inner_one),
		TEST(inner_releases_that_slip_through_get_a_breakpoint),
		TEST(inner_releases_behind_the_read_are_met_already),
		TEST(unknown_parameters_are_unseen),
		TEST(code_goes_on_behind_a_warning),
		TEST(code_ends_at_a_bug),
		TEST(functions_are_found_by_addresses_in_them),
		TEST(kernels_without_slab_functions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
