// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kernel's books of huge pages, out of files as the kernel writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "huge_pages.h"

static char directory[] = "/tmp/huge_pages.XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void remove_file(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(remove(path), 0);
}

static void add_pool(const char *name, const char *pages, const char *free_pages, const char *reserved)
{
	const char *const files[][2] = { { "nr_hugepages", pages }, { "free_hugepages", free_pages },
					 { "resv_hugepages", reserved }, { "surplus_hugepages", "1\n" } };
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", name, files[i][0]);
		write_file(path, files[i][1]);
	}
}

static void remove_pool(const char *name)
{
	static const char *const files[] = { "/nr_hugepages", "/free_hugepages", "/resv_hugepages", "/surplus_hugepages", "" };
	char path[256];

	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s%s", name, files[i]);
		remove_file(path);
	}
}

static void pools_come_by_size_and_other_names_are_no_pools(void **state)
{
	struct huge_pool pools[HUGE_POOLS];

	(void)state;
	add_pool("hugepages-1048576kB", "2\n", "1\n", "0\n");
	add_pool("hugepages-2048kB", "8\n", "5\n", "3\n");
	add_pool("hugepages-x", "9\n", "9\n", "9\n");
	assert_int_equal(huge_pools_read(directory, pools), 2);
	assert_int_equal(pools[0].size_bytes, 2 << 20);
	assert_int_equal(pools[0].pages, 8);
	assert_int_equal(pools[0].free, 5);
	assert_int_equal(pools[0].reserved, 3);
	assert_int_equal(pools[0].surplus, 1);
	assert_int_equal(pools[1].size_bytes, 1 << 30);
	assert_int_equal(pools[1].pages, 2);
	remove_pool("hugepages-1048576kB");
	remove_pool("hugepages-2048kB");
	remove_pool("hugepages-x");
}

static void a_kernel_without_pools_has_none(void **state)
{
	struct huge_pool pools[HUGE_POOLS];

	(void)state;
	assert_int_equal(huge_pools_read("/nowhere", pools), 0);
}

static void what_is_mapped_adds_up_over_mappings(void **state)
{
	struct huge_mapped mapped = { 0 };
	const char *path = write_file("smaps", "7f0000000000-7f0000400000 rw-p 00000000 00:00 0\n"
					       "Rss:                2048 kB\n"
					       "AnonHugePages:      2048 kB\n"
					       "ShmemPmdMapped:        0 kB\n"
					       "FilePmdMapped:         0 kB\n"
					       "Private_Hugetlb:       0 kB\n"
					       "VmFlags: rd wr mr mw me ac\n"
					       "7f0000400000-7f0000800000 rw-p 00000000 00:00 0\n"
					       "Rss:                4096 kB\n"
					       "AnonHugePages:      4096 kB\n"
					       "ShmemPmdMapped:     2048 kB\n"
					       "FilePmdMapped:      6144 kB\n"
					       "Shared_Hugetlb:     8192 kB\n"
					       "Private_Hugetlb:   10240 kB\n");

	(void)state;
	assert_int_equal(huge_mapped_read(path, &mapped), 0);
	assert_int_equal(mapped.rss, 6 << 20);
	assert_int_equal(mapped.anonymous, 6 << 20);
	assert_int_equal(mapped.shmem, 2 << 20);
	assert_int_equal(mapped.file, 6 << 20);
	assert_int_equal(mapped.hugetlb_shared, 8 << 20);
	assert_int_equal(mapped.hugetlb_private, 10 << 20);
	remove_file("smaps");
}

static void a_process_without_memory_leaves_the_result_untouched(void **state)
{
	struct huge_mapped mapped = { .rss = 7 };

	(void)state;
	assert_int_equal(huge_mapped_read(write_file("empty", ""), &mapped), -ESRCH);
	assert_int_equal(mapped.rss, 7);
	assert_int_equal(huge_mapped_read("/nowhere", &mapped), -ENOENT);
	remove_file("empty");
}

static void counters_are_those_of_transparent_huge_pages(void **state)
{
	struct huge_counter counters[HUGE_COUNTERS];

	(void)state;
	assert_int_equal(huge_counters_read(write_file("vmstat", "pgfault 12\nthp_fault_alloc 3\nnr_anon_transparent_hugepages 5\n"
								 "thp_split_pmd 18446744073709551615\nbroken\n"),
					    counters), 2);
	assert_string_equal(counters[0].name, "thp_fault_alloc");
	assert_int_equal(counters[0].value, 3);
	assert_string_equal(counters[1].name, "thp_split_pmd");
	assert_true(counters[1].value == UINT64_MAX);
	remove_file("vmstat");
}

static void more_counters_than_there_is_room_for_are_left_out(void **state)
{
	struct huge_counter counters[HUGE_COUNTERS];
	char text[100 * 16] = "";
	size_t length = 0;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		length += snprintf(text + length, sizeof(text) - length, "thp_%zu 1\n", i);
	assert_int_equal(huge_counters_read(write_file("vmstat", text), counters), HUGE_COUNTERS);
	remove_file("vmstat");
}

static void the_setting_in_brackets_counts(void **state)
{
	(void)state;
	assert_true(huge_pages_are_always(write_file("enabled", "[always] madvise never\n")));
	assert_false(huge_pages_are_always(write_file("enabled", "always [madvise] never\n")));
	assert_false(huge_pages_are_always("/nowhere"));
	remove_file("enabled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_come_by_size_and_other_names_are_no_pools),
		cmocka_unit_test(a_kernel_without_pools_has_none),
		cmocka_unit_test(what_is_mapped_adds_up_over_mappings),
		cmocka_unit_test(a_process_without_memory_leaves_the_result_untouched),
		cmocka_unit_test(counters_are_those_of_transparent_huge_pages),
		cmocka_unit_test(more_counters_than_there_is_room_for_are_left_out),
		cmocka_unit_test(the_setting_in_brackets_counts),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
