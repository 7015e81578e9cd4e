// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Memory over a connection that belongs to somebody else: what is read, and that nothing stays changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "packet_link.h"
#include "packet_requests.h"
#include "stub_host.h"

#define SIZE (1u << 20)
#define GUARD 4096u
#define MTREE                                                            \
	"FlatView #0\n AS \"memory\", root: system\n Root memory region: system\n" \
	"  0000000000000000-00000000000fffff (prio 0, ram): pc.ram\n\n"
#define MTREE_HALF                                                       \
	"FlatView #0\n AS \"memory\", root: system\n Root memory region: system\n" \
	"  0000000000000000-000000000007ffff (prio 0, ram): pc.ram\n"     \
	"  0000000000080000-00000000000fffff (prio 0, i/o): device\n\n"

struct test_link {
	struct packet_link link;
	struct stub_host stub;
	unsigned begun, ended;
	bool is_within, was_outside; /* threads selected outside of begin and end */
	bool is_interrupted;
};

static struct test_link test;
static struct memory_source *source;
static struct error error;

static int ask(struct packet_link *link, const char *request, char *reply, size_t capacity, size_t *ret_size,
	       struct error *err)
{
	struct test_link *self = (struct test_link *)link;
	int64_t size;

	self->was_outside |= request[0] == 'H' && !self->is_within;
	size = stub_answer(&self->stub, request, reply, capacity);
	if (size < 0)
		return error_set(err, (int)size, "the stub failed");
	*ret_size = (size_t)size;
	return 0;
}

static int begin(struct packet_link *link, struct error *err)
{
	struct test_link *self = (struct test_link *)link;

	(void)err;
	self->begun++;
	self->is_within = true;
	return 0;
}

static void end(struct packet_link *link)
{
	struct test_link *self = (struct test_link *)link;

	self->ended++;
	self->is_within = false;
}

static bool is_interrupted(struct packet_link *link)
{
	return ((struct test_link *)link)->is_interrupted;
}

static int set_up(void **state)
{
	/* As QEMU maps a guest's: between pages that nobody may touch. */
	uint8_t *memory = mmap(NULL, SIZE + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	memory += GUARD;
	assert_int_equal(mprotect(memory, SIZE, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = (uint8_t)(i * 7 ^ i >> 8 ^ i >> 16);
	test = (struct test_link){
		.link = { .ask = ask, .begin = begin, .end = end, .is_interrupted = is_interrupted },
		.stub = { .physical = memory,
			  .physical_size = SIZE,
			  .monitor_memory = MTREE,
			  .monitor_registers = "",
			  .cr3 = { 0x1000, 0x2000 } },
	};
	error = (struct error){ 0 };
	source = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_source_close(source);
	if (test.stub.physical)
		munmap((uint8_t *)test.stub.physical - GUARD, SIZE + 2 * GUARD);
	return 0;
}

static void open_source(void)
{
	assert_int_equal(source_packets_open(&test.link, true, &source, &error), 0);
}

static int read_at(uint64_t address, void *buffer, size_t size)
{
	return memory_source_read(source, SPACE_PHYSICAL, address, buffer, size, &error);
}

static void physical_memory_is_read_and_the_stub_reads_virtual_memory_again(void **state)
{
	uint8_t bytes[5000];

	(void)state;
	open_source();
	assert_false(test.stub.is_physical);
	assert_int_equal(read_at(0x12345, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, test.stub.physical + 0x12345, sizeof(bytes));
	assert_false(test.stub.is_physical);
	assert_string_equal(source_packets_way(source), "gdb's packets");
}

static void a_stub_that_read_physical_memory_goes_on_doing_so(void **state)
{
	uint8_t byte;

	(void)state;
	test.stub.is_physical = true;
	open_source();
	assert_int_equal(read_at(0, &byte, 1), 0);
	assert_true(test.stub.is_physical);
}

static void ctrl_c_ends_a_read_and_the_stub_is_set_back(void **state)
{
	uint8_t bytes[STUB_PIECE];

	(void)state;
	open_source();
	test.stub.failure = -EINTR;
	test.stub.refusals = 3;
	assert_int_equal(read_at(0, bytes, sizeof(bytes)), -EINTR);
	assert_false(test.stub.is_physical);
	assert_int_equal(read_at(0, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, test.stub.physical, sizeof(bytes));
}

static void ctrl_c_is_noticed_between_packets(void **state)
{
	uint8_t byte;
	unsigned packets;

	(void)state;
	open_source();
	packets = test.stub.packets;
	test.is_interrupted = true;
	assert_int_equal(read_at(0, &byte, 1), -EINTR);
	assert_int_equal(test.stub.packets, packets);
}

static void a_stub_that_could_not_be_set_back_is_so_later(void **state)
{
	uint8_t byte;

	(void)state;
	open_source();
	test.stub.failure = -EINTR;
	test.stub.refusals = 100;
	assert_int_equal(read_at(0, &byte, 1), -EINTR);
	assert_true(test.stub.is_physical);
	test.stub.refusals = 0;
	assert_int_equal(read_at(0, &byte, 1), 0);
	assert_false(test.stub.is_physical);
}

static void devices_are_not_touched(void **state)
{
	struct memory_read reads[3];
	uint8_t bytes[3][16];

	(void)state;
	test.stub.monitor_memory = MTREE_HALF;
	open_source();
	for (int i = 0; i < 3; i++)
		reads[i] = (struct memory_read){ .address = 0x7fff0 + 0x10 * (uint64_t)i,
						 .buffer = bytes[i],
						 .size = 16 };
	test.stub.memory_packets = 0;
	assert_int_equal(source->ops->read(source, SPACE_PHYSICAL, reads, 3, &error), 0);
	assert_int_equal(reads[0].result, 0);
	assert_int_equal(reads[1].result, -EFAULT);
	assert_int_equal(reads[2].result, -EFAULT);
	assert_int_equal(test.stub.memory_packets, 1);
}

static void registers_of_all_cpus_are_read_while_the_threads_are_ours(void **state)
{
	(void)state;
	open_source();
	assert_int_equal(source->cpu_count, 2);
	assert_int_equal(source->cpus[0].cr3, 0x1000);
	assert_int_equal(source->cpus[1].cr3, 0x2000);
	assert_int_equal(test.begun, 1);
	assert_int_equal(test.ended, 1);
	assert_false(test.was_outside);
}

static void after_the_target_ran_registers_are_read_anew(void **state)
{
	uint64_t generation;

	(void)state;
	open_source();
	generation = source->generation;
	test.stub.cr3[1] = 0x3000;
	assert_int_equal(source_packets_refresh(source, &error), 0);
	assert_int_not_equal(source->generation, generation);
	assert_int_equal(source->cpus[1].cr3, 0x3000);
	assert_int_equal(test.begun, test.ended);
}

static void a_connection_that_is_lost_is_an_error_of_the_source(void **state)
{
	uint8_t bytes[3 * STUB_PIECE];

	(void)state;
	open_source();
	test.stub.failure = -EIO;
	test.stub.fails_after = 1;
	assert_int_equal(read_at(0, bytes, sizeof(bytes)), -EIO);
	assert_non_null(strstr(error.text, "failed"));
}

/* As gdb's Python does when its callback couldn't run. */
static int say_nothing(struct packet_link *link, const char *request, char *reply, size_t capacity,
		       size_t *ret_size, struct error *err)
{
	(void)link, (void)request, (void)capacity, (void)err;
	*reply = '\0';
	*ret_size = 0;
	return 0;
}

static void a_request_without_an_answer_is_no_memory_that_is_missing(void **state)
{
	uint8_t byte;
	struct memory_read read = { .address = 0, .size = 1, .buffer = &byte };

	(void)state;
	test.link.ask = say_nothing;
	assert_int_equal(packet_read(&test.link, &read, 1, &error), -EIO);
}

static void much_is_asked_for_at_once_where_the_stub_takes_it(void **state)
{
	static uint8_t bytes[SIZE / 2];

	(void)state;
	test.stub.largest = SIZE;
	open_source();
	test.stub.memory_packets = 0;
	assert_int_equal(read_at(0, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, test.stub.physical, sizeof(bytes));
	assert_int_equal(test.stub.memory_packets, 16);
}

static void a_stub_that_refuses_much_is_asked_for_less_from_then_on(void **state)
{
	static uint8_t bytes[SIZE / 2];

	(void)state;
	open_source();
	test.stub.memory_packets = 0;
	assert_int_equal(read_at(0, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, test.stub.physical, sizeof(bytes));
	assert_int_equal(test.stub.memory_packets, 1 + sizeof(bytes) / STUB_PIECE);
}

static void memory_comes_out_of_a_process_on_this_machine(void **state)
{
	uint8_t bytes[4096];

	(void)state;
	test.link.peer = getpid();
	open_source();
	assert_non_null(strstr(source_packets_way(source), "process"));
	test.stub.memory_packets = 0;
	assert_int_equal(read_at(0x4321, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, test.stub.physical + 0x4321, sizeof(bytes));
	assert_int_equal(test.stub.memory_packets, 0);
	assert_false(test.stub.is_physical);
}

static void a_process_whose_memory_is_not_what_the_stub_says_is_left_alone(void **state)
{
	uint8_t *other = malloc(SIZE), byte;
	const uint8_t *mapped = test.stub.physical;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		other[i] = (uint8_t)(mapped[i] + 1);
	test.stub.physical = other;
	test.link.peer = getpid();
	munmap((uint8_t *)mapped - GUARD, SIZE + 2 * GUARD);
	open_source();
	assert_string_equal(source_packets_way(source), "gdb's packets");
	assert_int_equal(read_at(7, &byte, 1), 0);
	assert_int_equal(byte, other[7]);
	test.stub.physical = NULL;
	free(other);
}

static void packets_are_used_when_nothing_else_is_wanted(void **state)
{
	uint8_t byte;

	(void)state;
	test.link.peer = getpid();
	assert_int_equal(source_packets_open(&test.link, false, &source, &error), 0);
	test.stub.memory_packets = 0;
	assert_int_equal(read_at(7, &byte, 1), 0);
	assert_int_equal(test.stub.memory_packets, 1);
}

static void leave_only_virtual_memory(uint64_t start, uint64_t size)
{
	munmap((uint8_t *)test.stub.physical - GUARD, SIZE + 2 * GUARD);
	test.stub.physical = NULL;
	test.stub.virtual_start = start;
	test.stub.virtual_size = size;
}

static void without_physical_memory_the_image_is_where_it_can_be_read(void **state)
{
	uint8_t byte;

	(void)state;
	leave_only_virtual_memory(0xffffffff9a200000, 0x2000000);
	open_source();
	assert_false(source->has_space[SPACE_PHYSICAL]);
	assert_int_equal(source->symbol_count, 1);
	assert_string_equal(source->symbols[0].name, "_text");
	assert_int_equal(source->symbols[0].address, 0xffffffff9a200000);
	assert_int_equal(memory_source_read(source, SPACE_VIRTUAL, 0xffffffff9a200123, &byte, 1, &error), 0);
	assert_int_equal(byte, 0x90);
}

static void a_process_is_refused(void **state)
{
	(void)state;
	leave_only_virtual_memory(0x400000, 0x200000);
	assert_int_equal(source_packets_open(&test.link, true, &source, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "no x86-64 Linux kernel"));
}

/* A core file: gdb reads memory and has no stub. */
static int no_stub(struct packet_link *link, const char *request, char *reply, size_t capacity,
		   size_t *ret_size, struct error *err)
{
	(void)link, (void)request, (void)reply, (void)capacity, (void)ret_size;
	return error_set(err, -EOPNOTSUPP, "no stub");
}

static int read_image(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	(void)link, (void)err;
	for (size_t i = 0; i < count; i++)
		reads[i].result = reads[i].address >> 24 == 0xffffffff81 ? 0 : -EFAULT;
	return 0;
}

static void without_any_stub_memory_is_read_as_the_link_does(void **state)
{
	(void)state;
	test.link.ask = no_stub;
	test.link.read = read_image;
	open_source();
	assert_int_equal(source->symbols[0].address, 0xffffffff81000000);
}

static void a_monitor_that_says_nothing_leaves_ram_unknown(void **state)
{
	uint8_t byte;

	(void)state;
	test.stub.monitor_memory = "";
	open_source();
	assert_int_equal(source->ram_count, 0);
	assert_int_equal(read_at(0x100, &byte, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(physical_memory_is_read_and_the_stub_reads_virtual_memory_again),
		TEST(a_stub_that_read_physical_memory_goes_on_doing_so),
		TEST(ctrl_c_ends_a_read_and_the_stub_is_set_back),
		TEST(ctrl_c_is_noticed_between_packets),
		TEST(a_stub_that_could_not_be_set_back_is_so_later),
		TEST(devices_are_not_touched),
		TEST(registers_of_all_cpus_are_read_while_the_threads_are_ours),
		TEST(after_the_target_ran_registers_are_read_anew),
		TEST(a_connection_that_is_lost_is_an_error_of_the_source),
		TEST(a_request_without_an_answer_is_no_memory_that_is_missing),
		TEST(much_is_asked_for_at_once_where_the_stub_takes_it),
		TEST(a_stub_that_refuses_much_is_asked_for_less_from_then_on),
		TEST(memory_comes_out_of_a_process_on_this_machine),
		TEST(a_process_whose_memory_is_not_what_the_stub_says_is_left_alone),
		TEST(packets_are_used_when_nothing_else_is_wanted),
		TEST(without_physical_memory_the_image_is_where_it_can_be_read),
		TEST(a_process_is_refused),
		TEST(without_any_stub_memory_is_read_as_the_link_does),
		TEST(a_monitor_that_says_nothing_leaves_ram_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
