// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* heap_record: the latest events stay, in order, and those that go are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_record.h"

static void add(struct heap_record *record, uint64_t from, uint64_t to)
{
	for (uint64_t object = from; object < to; object++)
		heap_record_add(record, &(struct heap_event){ .object = object });
}

static void assert_holds(const struct heap_record *record, uint64_t from, uint64_t to)
{
	assert_int_equal(record->count, to - from);
	for (uint64_t i = 0; i < to - from; i++)
		assert_int_equal(heap_record_at(record, i)->object, from + i);
}

static void events_come_out_in_the_order_that_they_came_in(void **state)
{
	struct heap_record record = { 0 };

	(void)state;
	add(&record, 0, 1000);
	assert_holds(&record, 0, 1000);
	assert_int_equal(record.dropped, 0);
	heap_record_clear(&record);
}

static void beyond_the_limit_the_oldest_go_and_are_counted(void **state)
{
	struct heap_record record = { .limit = 300 };

	(void)state;
	add(&record, 0, 300);
	assert_int_equal(record.dropped, 0);
	add(&record, 300, 1234);
	assert_holds(&record, 934, 1234);
	assert_int_equal(record.dropped, 934);
	heap_record_clear(&record);
}

static void without_a_limit_of_its_own_it_keeps_the_stated_maximum(void **state)
{
	struct heap_record record = { 0 };

	(void)state;
	add(&record, 0, HEAP_RECORD_MAX + 3);
	assert_holds(&record, 3, HEAP_RECORD_MAX + 3);
	assert_int_equal(record.dropped, 3);
	heap_record_clear(&record);
}

static void a_limit_that_is_raised_later_keeps_the_order(void **state)
{
	struct heap_record record = { .limit = 256 };

	(void)state;
	add(&record, 0, 300);
	record.limit = 0;
	add(&record, 300, 310);
	assert_holds(&record, 54, 310);
	heap_record_clear(&record);
}

static void a_cleared_record_begins_anew_with_its_limit(void **state)
{
	struct heap_record record = { .limit = 2 };

	(void)state;
	add(&record, 0, 5);
	heap_record_clear(&record);
	assert_int_equal(record.count, 0);
	assert_int_equal(record.dropped, 0);
	assert_null(record.events);
	add(&record, 7, 10);
	assert_holds(&record, 8, 10);
	assert_int_equal(record.dropped, 1);
	heap_record_clear(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_out_in_the_order_that_they_came_in),
		cmocka_unit_test(beyond_the_limit_the_oldest_go_and_are_counted),
		cmocka_unit_test(without_a_limit_of_its_own_it_keeps_the_stated_maximum),
		cmocka_unit_test(a_limit_that_is_raised_later_keeps_the_order),
		cmocka_unit_test(a_cleared_record_begins_anew_with_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
