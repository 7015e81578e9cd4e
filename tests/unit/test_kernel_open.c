// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Where a kernel is found in a made-up machine, by each kind of evidence, and what evidence is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "kernel_memory.h"

#define SIZE (8ULL << 20)
#define ROOT 0x2000ULL /* its neighbour is the user's table under page table isolation */
#define USER_ROOT 0x3000ULL
#define IMAGE 0x400000ULL
#define BASE 0xffffffff9d800000ULL
#define PHYS_BASE (IMAGE - (BASE - START_KERNEL_MAP))
#define CR4_LA57 0x1000ULL
#define DIRECT_4 0xffff95b740000000ULL
#define VMALLOC_4 0xffffa43980000000ULL
#define VMEMMAP_4 0xffffe5c680000000ULL
#define DIRECT_5 0xff11d49b80000000ULL
#define GS_BASE (DIRECT_4 + 0x100000)
#define VARIABLES (IMAGE + 0x1000)

static struct memory *memory;
static struct memory_range ram = { 0, SIZE };
static struct cpu_registers cpu;
static struct kernel *kernel;
static struct error error;

static void make_machine(unsigned levels)
{
	uint64_t direct = levels == 5 ? DIRECT_5 : DIRECT_4;

	memory = memory_create(SIZE, 0);
	memory->next_table = 0x10000;
	memory->source.ram = &ram;
	memory->source.ram_count = 1;
	cpu = (struct cpu_registers){ .cr3 = ROOT, .cr4 = levels == 5 ? CR4_LA57 : 0x20 };
	memory->source.cpus = &cpu;
	memory->source.cpu_count = 1;
	memory_map(memory, ROOT, levels, BASE, IMAGE, 2);
	memory_map(memory, ROOT, levels, BASE + (2 << 20), IMAGE + (2 << 20), 2);
	memory_map(memory, ROOT, levels, direct, 0, 3);
	memory_map(memory, ROOT, levels, levels == 5 ? 0xff575a9800000000 : VMALLOC_4, 0x5000, 1);
	memory_map(memory, ROOT, levels, levels == 5 ? 0xfffb431440000000 : VMEMMAP_4, 0x200000, 2);
}

static int set_up(void **state)
{
	(void)state;
	make_machine(4);
	kernel = NULL;
	error = (struct error){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	return 0;
}

static void open_kernel(void)
{
	assert_int_equal(kernel_open(&memory->source, NULL, &kernel, &error), 0);
	assert_int_equal(kernel->layout.base.value, BASE);
	assert_int_equal(kernel->layout.kaslr_offset.value, BASE - LINK_BASE);
}

static void expect_origin(const struct kernel_fact *fact, uint64_t value, const char *origin)
{
	assert_non_null(fact->origin);
	assert_int_equal(fact->value, value);
	assert_string_equal(fact->origin, origin);
}

static void put_vmcoreinfo(uint64_t physical, uint64_t phys_base, uint64_t root)
{
	snprintf((char *)memory->bytes[SPACE_PHYSICAL] + physical, PAGE,
		 "OSRELEASE=1.2.3\nSYMBOL(swapper_pg_dir)=%lx\nSYMBOL(_stext)=%lx\nNUMBER(phys_base)=%ld\n"
		 "NUMBER(pgtable_l5_enabled)=0\n",
		 (long)(root - phys_base + START_KERNEL_MAP), (long)BASE, (long)phys_base);
}

static void registers_lead_to_the_image(void **state)
{
	(void)state;
	cpu.cr3 |= 0x005; /* PCID */
	open_kernel();
	expect_origin(&kernel->layout.base, BASE, "CR3");
	expect_origin(&kernel->layout.phys_base, PHYS_BASE, "CR3");
	expect_origin(&kernel->layout.page_table, ROOT, "CR3");
	assert_int_equal(kernel->layout.paging_levels.value, 4);
}

static void cr4_tells_how_many_levels_there_are(void **state)
{
	(void)state;
	memory_close(&memory->source);
	make_machine(5);
	open_kernel();
	assert_int_equal(kernel->layout.paging_levels.value, 5);
	expect_origin(&kernel->layout.page_offset_base, DIRECT_5, "page tables");
}

static void levels_are_found_out_without_cr4(void **state)
{
	(void)state;
	memory_close(&memory->source);
	make_machine(5);
	cpu.cr4 = 0;
	open_kernel();
	assert_int_equal(kernel->layout.paging_levels.value, 5);
}

/* The user's table maps a page of entry text, and of the rest of the kernel's half next to nothing. */
static void in_user_mode_the_kernels_own_table_is_used(void **state)
{
	(void)state;
	memory_map(memory, USER_ROOT, 4, BASE + 0xa00000, IMAGE + (2 << 20), 2);
	memory_map(memory, USER_ROOT, 4, 0xfffffe0000000000, 0x7000, 1);
	memory_map(memory, USER_ROOT, 4, 0x400000, 0x8000, 1);
	cpu.cr3 = USER_ROOT;
	open_kernel();
	expect_origin(&kernel->layout.page_table, ROOT, "CR3 of user mode");
}

static void vmcoreinfo_is_found_in_ram(void **state)
{
	(void)state;
	memory->source.cpu_count = 0;
	put_vmcoreinfo(0x80000, PHYS_BASE, ROOT);
	open_kernel();
	expect_origin(&kernel->layout.page_table, ROOT, "VMCOREINFO in RAM");
	assert_string_equal(kernel->release, "1.2.3");
}

/* As an earlier kernel leaves them behind, or a dump of another machine in the page cache. */
static void vmcoreinfo_that_the_page_tables_contradict_is_passed_over(void **state)
{
	(void)state;
	memory->source.cpu_count = 0;
	put_vmcoreinfo(0x80000, PHYS_BASE + (2 << 20), ROOT);
	put_vmcoreinfo(0x81000, PHYS_BASE, 0x9000);
	put_vmcoreinfo(0x82010, PHYS_BASE, ROOT); /* not at the start of a page: a copy */
	put_vmcoreinfo(0x84000, PHYS_BASE, ROOT);
	open_kernel();
	assert_ptr_equal(strstr(kernel->vmcoreinfo, "OSRELEASE"), kernel->vmcoreinfo);
	expect_origin(&kernel->layout.phys_base, PHYS_BASE, "VMCOREINFO in RAM");
}

static void a_note_that_the_page_tables_contradict_gives_way_to_registers(void **state)
{
	char text[PAGE];

	(void)state;
	put_vmcoreinfo(0x80000, PHYS_BASE + (2 << 20), ROOT);
	memcpy(text, memory->bytes[SPACE_PHYSICAL] + 0x80000, PAGE);
	memory->source.vmcoreinfo = text;
	open_kernel();
	expect_origin(&kernel->layout.phys_base, PHYS_BASE, "CR3");
	assert_null(kernel->vmcoreinfo);
}

static void the_shape_of_page_tables_is_enough(void **state)
{
	(void)state;
	memory->source.cpu_count = 0;
	/* As kernels have it in their own table: accessed, dirty, for users. */
	memory_put(memory, ROOT + 8 * 511, memory_get(memory, ROOT + 8 * 511) | 0x67);
	open_kernel();
	expect_origin(&kernel->layout.page_table, ROOT, "page tables in RAM");
}

static void memory_bases_are_told_from_page_tables(void **state)
{
	(void)state;
	/* An LDT of a process comes first. */
	memory_map(memory, ROOT, 4, 0xffff880000000000, 0x9000, 1);
	open_kernel();
	expect_origin(&kernel->layout.page_offset_base, DIRECT_4, "page tables");
	expect_origin(&kernel->layout.vmalloc_base, VMALLOC_4, "page tables");
	expect_origin(&kernel->layout.vmemmap_base, VMEMMAP_4, "page tables");
	expect_origin(&kernel->layout.max_pfn, SIZE >> 12, "the source's RAM");
}

static void gs_is_the_per_cpu_offset(void **state)
{
	(void)state;
	cpu.gs_base = GS_BASE;
	open_kernel();
	assert_int_equal(kernel->cpu_count, 1);
	assert_int_equal(kernel->percpu_offsets[0], GS_BASE);
}

static void in_user_mode_the_kernels_gs_is_taken(void **state)
{
	(void)state;
	cpu.gs_base = 0x7f0012345000;
	cpu.kernel_gs_base = GS_BASE;
	open_kernel();
	assert_int_equal(kernel->percpu_offsets[0], GS_BASE);
}

static void variables_give_what_they_hold(void **state)
{
	static const char banner[] = "Linux version 1.2.3 (x) #1 SMP\n";
	const struct named_address symbols[] = {
		{ "page_offset_base", BASE + 0x1000 }, { "vmalloc_base", BASE + 0x1008 },
		{ "vmemmap_base", BASE + 0x1010 },     { "max_pfn", BASE + 0x1018 },
		{ "nr_cpu_ids", BASE + 0x1020 },       { "nr_node_ids", BASE + 0x1028 },
		{ "__per_cpu_offset", BASE + 0x1040 }, { "__cpu_possible_mask", BASE + 0x1030 },
		{ "linux_banner", BASE + 0x1080 },
	};
	const uint64_t values[] = { DIRECT_4, VMALLOC_4, VMEMMAP_4, 1234, 3, 2, 5, 0, GS_BASE, BASE, GS_BASE + 8 };

	(void)state;
	memory->source.symbols = symbols;
	memory->source.symbol_count = sizeof(symbols) / sizeof(*symbols);
	memcpy(memory->bytes[SPACE_PHYSICAL] + VARIABLES, values, sizeof(values));
	memcpy(memory->bytes[SPACE_PHYSICAL] + VARIABLES + 0x80, banner, sizeof(banner));
	open_kernel();
	expect_origin(&kernel->layout.page_offset_base, DIRECT_4, "variable page_offset_base");
	expect_origin(&kernel->layout.max_pfn, 1234, "variable max_pfn");
	assert_int_equal(kernel->node_count, 2);
	assert_int_equal(kernel->cpu_count, 3);
	assert_int_equal(kernel->percpu_offsets[0], GS_BASE);
	assert_int_equal(kernel->percpu_offsets[1], 0); /* CPU 1 is not possible */
	assert_int_equal(kernel->percpu_offsets[2], GS_BASE + 8);
	assert_string_equal(kernel->banner, "Linux version 1.2.3 (x) #1 SMP");
	assert_string_equal(kernel->release, "1.2.3");
}

static void the_banner_is_searched_for_where_its_name_is_hidden(void **state)
{
	(void)state;
	strcpy((char *)memory->bytes[SPACE_PHYSICAL] + IMAGE + 0x20f0, "Linux version %s");
	strcpy((char *)memory->bytes[SPACE_PHYSICAL] + IMAGE + 0x10ffa, "Linux version 4.5.6 (y) #2 SMP\n");
	open_kernel();
	assert_string_equal(kernel->banner, "Linux version 4.5.6 (y) #2 SMP");
}

/* A live kernel that is read by its own addresses, and whose data symbols are hidden. */
static void a_source_of_virtual_memory_can_tell_values_itself(void **state)
{
	static const uint64_t offsets[] = { 7, 0, 9 };
	const struct named_address symbols[] = { { "_text", BASE } };
	const struct named_address values[] = { { "page_offset_base", MEMORY_VIRTUAL },
						{ "vmemmap_base", VMEMMAP_4 } };

	(void)state;
	memory_close(&memory->source);
	memory = memory_create(0, 4 * PAGE);
	memory->source.symbols = symbols;
	memory->source.symbol_count = 1;
	memory->source.values = values;
	memory->source.value_count = 2;
	memory->source.percpu_offsets = offsets;
	memory->source.percpu_count = 3;
	open_kernel();
	expect_origin(&kernel->layout.base, BASE, "symbol _text");
	expect_origin(&kernel->layout.page_offset_base, MEMORY_VIRTUAL, "source");
	expect_origin(&kernel->layout.vmemmap_base, VMEMMAP_4, "source");
	assert_null(kernel->layout.phys_base.origin);
	assert_int_equal(kernel->cpu_count, 3);
	assert_int_equal(kernel->percpu_offsets[2], 9);
}

/* Its page tables can be walked all the same: they lie in the direct map. */
static void page_tables_are_read_through_the_direct_map_where_there_is_no_other_way(void **state)
{
	const struct named_address symbols[] = { { "_text", BASE }, { "init_top_pgt", BASE + ROOT - IMAGE } };
	const struct named_address values[] = { { "page_offset_base", MEMORY_VIRTUAL },
						{ "phys_base", PHYS_BASE } };
	uint64_t physical;
	uint8_t *tables;

	(void)state;
	tables = memory->bytes[SPACE_PHYSICAL];
	memory->bytes[SPACE_PHYSICAL] = NULL;
	memory_close(&memory->source);
	memory = memory_create(0, SIZE);
	memcpy(memory->bytes[SPACE_VIRTUAL], tables, SIZE);
	free(tables);
	memory->source.symbols = symbols;
	memory->source.symbol_count = 2;
	memory->source.values = values;
	memory->source.value_count = 2;
	open_kernel();
	expect_origin(&kernel->layout.page_table, ROOT, "symbol init_top_pgt");
	assert_int_equal(kernel_translate(kernel, DIRECT_4 + 0x1234, &physical, NULL), 0);
	assert_int_equal(physical, 0x1234);
}

static void memory_without_a_kernel_is_refused(void **state)
{
	(void)state;
	memset(memory->bytes[SPACE_PHYSICAL] + ROOT, 0, PAGE);
	assert_int_equal(kernel_open(&memory->source, NULL, &kernel, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "no x86-64 Linux kernel"));
}

static void a_source_that_fails_is_told_as_such(void **state)
{
	(void)state;
	memory->is_gone = true;
	assert_int_equal(kernel_open(&memory->source, NULL, &kernel, &error), -EIO);
	assert_string_equal(error.text, "the source is gone");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_lead_to_the_image),
		TEST(cr4_tells_how_many_levels_there_are),
		TEST(levels_are_found_out_without_cr4),
		TEST(in_user_mode_the_kernels_own_table_is_used),
		TEST(vmcoreinfo_is_found_in_ram),
		TEST(vmcoreinfo_that_the_page_tables_contradict_is_passed_over),
		TEST(a_note_that_the_page_tables_contradict_gives_way_to_registers),
		TEST(the_shape_of_page_tables_is_enough),
		TEST(memory_bases_are_told_from_page_tables),
		TEST(gs_is_the_per_cpu_offset),
		TEST(in_user_mode_the_kernels_gs_is_taken),
		TEST(variables_give_what_they_hold),
		TEST(the_banner_is_searched_for_where_its_name_is_hidden),
		TEST(a_source_of_virtual_memory_can_tell_values_itself),
		TEST(page_tables_are_read_through_the_direct_map_where_there_is_no_other_way),
		TEST(memory_without_a_kernel_is_refused),
		TEST(a_source_that_fails_is_told_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
