// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* heap_filter: which names are taken, and what each relation admits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heap_filter.h"

static struct heap_event event(const char *comm, int32_t tgid, int32_t pid, const char *cache)
{
	struct heap_event made = { .tgid = tgid, .pid = pid };

	snprintf(made.comm, sizeof(made.comm), "%s", comm);
	snprintf(made.cache, sizeof(made.cache), "%s", cache);
	return made;
}

static bool wants(const struct heap_filter *filter, const char *comm, int32_t tgid, int32_t pid, const char *cache)
{
	struct heap_event made = event(comm, tgid, pid, cache);

	return heap_filter_wants(filter, &made);
}

static void an_empty_filter_admits_all(void **state)
{
	struct heap_filter filter = { 0 };

	(void)state;
	for (int relation = HEAP_FILTER_AND; relation <= HEAP_FILTER_OR; relation++) {
		heap_filter_relate(&filter, relation);
		assert_true(wants(&filter, "ls", 7, 7, "kmalloc-64"));
		assert_true(wants(&filter, "ls", 7, 7, ""));
		assert_true(heap_filter_wants_any_task(&filter));
		assert_true(heap_filter_may_want_task(&filter, "ls", 7, 7));
	}
}

static void a_process_is_named_by_comm_tgid_or_tid(void **state)
{
	struct heap_filter filter = { 0 };

	(void)state;
	assert_int_equal(heap_filter_add_process(&filter, "ls", NULL), 0);
	assert_int_equal(heap_filter_add_process(&filter, "100", NULL), 0);
	assert_true(wants(&filter, "ls", 7, 7, ""));
	assert_true(wants(&filter, "worker", 100, 103, ""));
	assert_true(wants(&filter, "worker", 90, 100, ""));
	assert_false(wants(&filter, "lsof", 7, 7, ""));
	assert_false(wants(&filter, "l", 7, 7, ""));
	assert_false(wants(&filter, "100", 7, 7, ""));
	assert_false(heap_filter_wants_any_task(&filter));
	assert_false(heap_filter_may_want_task(&filter, "sh", 1, 1));
	assert_true(heap_filter_may_want_task(&filter, "sh", 1, 100));
}

static void a_comm_of_full_length_needs_no_end(void **state)
{
	struct heap_filter filter = { 0 };
	const char comm[] = "fifteen_bytes_x and what lies behind it";

	(void)state;
	assert_int_equal(heap_filter_add_process(&filter, "fifteen_bytes_x", NULL), 0);
	assert_true(heap_filter_may_want_task(&filter, comm, 1, 1));
}

static void and_wants_both_where_both_are_named(void **state)
{
	struct heap_filter filter = { 0 };

	(void)state;
	heap_filter_add_cache(&filter, "names_cache", NULL);
	assert_true(wants(&filter, "sh", 1, 1, "names_cache"));
	assert_false(wants(&filter, "sh", 1, 1, "filp"));
	assert_true(heap_filter_wants_any_task(&filter));
	heap_filter_add_process(&filter, "ls", NULL);
	assert_true(wants(&filter, "ls", 7, 7, "names_cache"));
	assert_false(wants(&filter, "ls", 7, 7, "filp"));
	assert_false(wants(&filter, "sh", 1, 1, "names_cache"));
	assert_false(heap_filter_may_want_task(&filter, "sh", 1, 1));
}

static void or_wants_either_and_a_kind_without_names_admits_none(void **state)
{
	struct heap_filter filter = { .relation = HEAP_FILTER_OR };

	(void)state;
	heap_filter_add_process(&filter, "ls", NULL);
	assert_true(wants(&filter, "ls", 7, 7, "filp"));
	assert_false(wants(&filter, "sh", 1, 1, "names_cache"));
	assert_false(heap_filter_may_want_task(&filter, "sh", 1, 1));
	heap_filter_add_cache(&filter, "names_cache", NULL);
	assert_true(wants(&filter, "sh", 1, 1, "names_cache"));
	assert_true(wants(&filter, "ls", 7, 7, "filp"));
	assert_false(wants(&filter, "sh", 1, 1, "filp"));
	assert_true(heap_filter_may_want_task(&filter, "sh", 1, 1));
}

static void removal_takes_just_the_named_and_says_when_there_is_none(void **state)
{
	struct heap_filter filter = { 0 };
	struct error err = { 0 };

	(void)state;
	heap_filter_add_process(&filter, "ls", NULL);
	heap_filter_add_process(&filter, "12", NULL);
	heap_filter_add_process(&filter, "cat", NULL);
	heap_filter_add_cache(&filter, "filp", NULL);
	heap_filter_add_cache(&filter, "dentry", NULL);
	assert_int_equal(heap_filter_remove_process(&filter, "12", &err), 0);
	assert_int_equal(heap_filter_remove_cache(&filter, "filp", &err), 0);
	assert_int_equal(filter.process_count, 2);
	assert_string_equal(filter.processes[1].comm, "cat");
	assert_string_equal(filter.caches[0], "dentry");
	assert_int_equal(heap_filter_remove_process(&filter, "12", &err), -ENOENT);
	assert_non_null(strstr(err.text, "'12'"));
	assert_int_equal(heap_filter_remove_cache(&filter, "filp", &err), -ENOENT);
}

static void names_that_the_kernel_cannot_have_are_refused(void **state)
{
	struct heap_filter filter = { 0 };
	struct error err = { 0 };
	char cache[HEAP_CACHE_MAX + 2];

	(void)state;
	memset(cache, 'x', sizeof(cache) - 1);
	cache[sizeof(cache) - 1] = '\0';
	assert_int_equal(heap_filter_add_process(&filter, "", &err), -EINVAL);
	assert_int_equal(heap_filter_add_process(&filter, "sixteen_bytes_xy", &err), -EINVAL);
	assert_non_null(strstr(err.text, "'sixteen_bytes_x'"));
	assert_int_equal(heap_filter_add_cache(&filter, "", &err), -EINVAL);
	assert_int_equal(heap_filter_add_cache(&filter, cache, &err), -EINVAL);
	assert_int_equal(heap_filter_add_cache(&filter, cache + 1, &err), 0);
	/* More than a pid can be is a name, as 0 is, which many share. */
	assert_int_equal(heap_filter_add_process(&filter, "4294967297", &err), 0);
	assert_int_equal(heap_filter_add_process(&filter, "0", &err), 0);
	assert_int_equal(filter.processes[0].pid, 0);
	assert_int_equal(filter.processes[1].pid, 0);
	assert_string_equal(filter.processes[0].comm, "4294967297");
}

static void the_table_is_bounded_and_a_name_stands_in_it_once(void **state)
{
	struct heap_filter filter = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < HEAP_FILTER_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(heap_filter_add_process(&filter, name, NULL), 0);
		assert_int_equal(heap_filter_add_cache(&filter, name, NULL), 0);
	}
	assert_int_equal(heap_filter_add_process(&filter, "n3", NULL), 0);
	assert_int_equal(heap_filter_add_cache(&filter, "n3", NULL), 0);
	assert_int_equal(heap_filter_add_process(&filter, "more", NULL), -ENOSPC);
	assert_int_equal(heap_filter_add_cache(&filter, "more", NULL), -ENOSPC);
}

static void every_change_is_counted_and_nothing_else(void **state)
{
	struct heap_filter filter = { 0 };
	uint64_t before;

	(void)state;
	heap_filter_add_process(&filter, "ls", NULL);
	heap_filter_add_cache(&filter, "filp", NULL);
	before = filter.changes;
	assert_int_not_equal(before, 0);
	heap_filter_add_process(&filter, "ls", NULL);
	heap_filter_remove_cache(&filter, "none", NULL);
	assert_int_equal(filter.changes, before);
	heap_filter_clear_processes(&filter);
	heap_filter_relate(&filter, HEAP_FILTER_OR);
	heap_filter_clear(&filter);
	assert_int_equal(filter.changes, before + 3);
	assert_int_equal(filter.relation, HEAP_FILTER_OR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_admits_all),
		cmocka_unit_test(a_process_is_named_by_comm_tgid_or_tid),
		cmocka_unit_test(a_comm_of_full_length_needs_no_end),
		cmocka_unit_test(and_wants_both_where_both_are_named),
		cmocka_unit_test(or_wants_either_and_a_kind_without_names_admits_none),
		cmocka_unit_test(removal_takes_just_the_named_and_says_when_there_is_none),
		cmocka_unit_test(names_that_the_kernel_cannot_have_are_refused),
		cmocka_unit_test(the_table_is_bounded_and_a_name_stands_in_it_once),
		cmocka_unit_test(every_change_is_counted_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
