// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Registers and RAM, from the description of a stub and from what QEMU's monitor writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gdb_registers.h"
#include "qemu_monitor.h"

static void registers_are_found_by_name_in_the_description(void **state)
{
	static const char core[] =
		"<!-- <reg name=\"cr3\" bitsize=\"64\"/> -->\n<feature name=\"core\">"
		"<reg name=\"rax\" bitsize=\"64\" regnum=\"0\"/><reg name=\"eflags\" bitsize=\"32\"/>"
		"<reg bitsize='64' name='cr3' type=\"int\"/><reg name=\"k_gs_base\" "
		"bitsize=\"64\"/></feature>";
	struct gdb_register_map map = { 0 };
	struct cpu_registers registers = { 0 };
	char name[64];

	(void)state;
	gdb_register_map_add(&map, core);
	assert_int_equal(map.count, 2);
	gdb_registers_decode(&map,
			     "0000000000000000"
			     "00000000"
			     "8877665544332211"
			     "xxxxxxxxxxxxxxxx",
			     56, &registers);
	assert_int_equal(registers.cr3, 0x1122334455667788);
	assert_int_equal(registers.kernel_gs_base, 0);
	assert_true(gdb_description_include(
		"<target><xi:include href=\"a.xml\"/><xi:include href=\"b.xml\"/>", 1, name, sizeof(name)));
	assert_string_equal(name, "b.xml");
	assert_false(gdb_description_include("<xi:include href=\"a:0,1\"/>", 0, name, sizeof(name)));
	assert_false(gdb_description_include("<xi:include href=\"", 0, name, sizeof(name)));
}

static void monitor_text_gives_registers(void **state)
{
	static const char text[] =
		"\r\nCPU#0\r\nRIP=ffffffff95617a0b RFL=00000246 [---Z-P-] CPL=0\r\n"
		"GS =0000 ff42a44c1f000000 00000000 00000000\r\nIDT=     fffffe0000000000 00000fff\r\n"
		"CR0=80050033 CR2=00000000311362e8 CR3=000000001ff9a000 CR4=00751eb0\r\n"
		"\r\nCPU#1\r\nEFER=0000000000000d01\r\n";
	struct cpu_registers *cpus;
	size_t count;

	(void)state;
	assert_int_equal(qemu_parse_registers(text, &cpus, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(cpus[0].rip, 0xffffffff95617a0b);
	assert_int_equal(cpus[0].gs_base, 0xff42a44c1f000000);
	assert_int_equal(cpus[0].idt_base, 0xfffffe0000000000);
	assert_int_equal(cpus[0].cr0, 0x80050033);
	assert_int_equal(cpus[0].cr3, 0x1ff9a000);
	assert_int_equal(cpus[0].cr4, 0x751eb0);
	assert_int_equal(cpus[1].efer, 0xd01);
	assert_int_equal(cpus[1].cr3, 0);
	free(cpus);
}

static void monitor_text_gives_ram_and_no_devices(void **state)
{
	static const char text[] =
		"FlatView #0\r\n AS \"I/O\", root: io\r\n Root memory region: io\r\n"
		"  0000000000000000-0000000000000007 (prio 0, ram): trap\r\n\r\n"
		"FlatView #1\r\n AS \"memory\", root: system\r\n AS \"cpu-memory-0\", root: system\r\n"
		"  0000000000000000-00000000000c2fff (prio 0, ram): pc.ram\r\n"
		"  00000000000c3000-00000000000fffff (prio 0, rom): pc.ram @00000000000c3000\r\n"
		"  0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000\r\n"
		"  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\r\n"
		"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"
		"  0000000100000000-000000013fffffff (prio 0, ram): pc.ram @00000000c0000000\r\n\r\n"
		"FlatView #2\r\n AS \"memory\", root: other\r\n  0000000200000000-00000002ffffffff (prio 0, "
		"ram): x\r\n";
	struct qemu_ram *ram;
	struct memory_range *ranges;
	size_t count;

	(void)state;
	assert_int_equal(qemu_parse_memory(text, &ram, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(ram[3].start, 0x100000000);
	assert_int_equal(ram[3].block_offset, 0xc0000000);
	assert_string_equal(ram[3].block, "pc.ram");
	assert_int_equal(qemu_ram_ranges(ram, count, &ranges, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(ranges[0].size, 0xc0000000);
	assert_int_equal(ranges[1].start, 0x100000000);
	assert_int_equal(ranges[1].size, 0x40000000);
	free(ranges);
	free(ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_found_by_name_in_the_description),
		cmocka_unit_test(monitor_text_gives_registers),
		cmocka_unit_test(monitor_text_gives_ram_and_no_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
