// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cgroup_names: paths of cgroups by their ids. Cgroups are made on this machine; their inode is the id. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup_names.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct cgroup_names *names;
static char base[64], made[8][512];
static size_t made_count;

static int make(const char *name, uint64_t *ret_id)
{
	struct stat info;
	char *path = made[made_count];

	snprintf(path, sizeof(made[0]), "%s%s%s", cgroup_names_root(names), base, name);
	if (mkdir(path, 0755) || stat(path, &info))
		return -1;
	made_count++;
	*ret_id = info.st_ino;
	return 0;
}

static void remove_last(void)
{
	assert_int_equal(rmdir(made[--made_count]), 0);
}

static int remove_all(void **state)
{
	(void)state;
	while (made_count)
		rmdir(made[--made_count]);
	return 0;
}

/* The path and container of @id are these; "" stands for none. */
static void assert_name(uint64_t id, const char *below_base, const char *container)
{
	const char *found_container, *path = cgroup_name(names, id, &found_container);
	char expected[512];

	snprintf(expected, sizeof(expected), "%s%s", base, below_base);
	assert_non_null(path);
	assert_string_equal(path, expected);
	assert_string_equal(found_container ? found_container : "", container);
}

static void the_root_is_a_slash(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(cgroup_names_root(names), &info), 0);
	assert_string_equal(cgroup_name(names, info.st_ino, NULL), "/");
}

static void paths_are_below_the_mount_and_outlive_their_cgroup(void **state)
{
	uint64_t outer, inner;

	(void)state;
	assert_int_equal(make("/outer", &outer), 0);
	assert_int_equal(make("/outer/inner", &inner), 0);
	assert_name(inner, "/outer/inner", "");
	assert_name(outer, "/outer", "");
	remove_last();
	remove_last();
	assert_name(inner, "/outer/inner", "");
}

static void an_id_of_nothing_has_no_name(void **state)
{
	const char *container = "untouched";
	uint64_t gone;

	(void)state;
	assert_null(cgroup_name(names, UINT64_MAX, &container));
	assert_null(container);
	assert_null(cgroup_name(names, 0, NULL));
	assert_int_equal(make("/gone", &gone), 0);
	remove_last();
	assert_null(cgroup_name(names, gone, NULL));
}

static void sixty_four_hex_digits_are_a_container(void **state)
{
	uint64_t docker, short_one, long_one, nested;

	(void)state;
	assert_int_equal(make("/docker-" DIGITS ".scope", &docker), 0);
	assert_name(docker, "/docker-" DIGITS ".scope", DIGITS);
	assert_int_equal(make("/docker-" DIGITS ".scope/init", &nested), 0);
	assert_name(nested, "/docker-" DIGITS ".scope/init", DIGITS);
	remove_last();
	assert_int_equal(make("/-" DIGITS "0", &long_one), 0);
	assert_name(long_one, "/-" DIGITS "0", "");
	assert_int_equal(make("/0123456789abcdef", &short_one), 0);
	assert_name(short_one, "/0123456789abcdef", "");
}

static void the_innermost_container_is_meant(void **state)
{
	char inner_digits[] = DIGITS, path[256];
	uint64_t outer, inner;

	(void)state;
	inner_digits[0] = 'f';
	assert_int_equal(make("/" DIGITS, &outer), 0);
	snprintf(path, sizeof(path), "/" DIGITS "/%s", inner_digits);
	assert_int_equal(make(path, &inner), 0);
	assert_name(inner, path, inner_digits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_a_slash),
		cmocka_unit_test_teardown(paths_are_below_the_mount_and_outlive_their_cgroup, remove_all),
		cmocka_unit_test_teardown(an_id_of_nothing_has_no_name, remove_all),
		cmocka_unit_test_teardown(sixty_four_hex_digits_are_a_container, remove_all),
		cmocka_unit_test_teardown(the_innermost_container_is_meant, remove_all),
	};
	char folder[512];
	int failures;

	if (cgroup_names_create(&names)) {
		printf("SKIP: no hierarchy of cgroups is mounted\n");
		return 77;
	}
	snprintf(base, sizeof(base), "/dill-test-%d", getpid());
	snprintf(folder, sizeof(folder), "%s%s", cgroup_names_root(names), base);
	if (mkdir(folder, 0755)) {
		printf("SKIP: cannot make a cgroup: %s\n", strerror(errno));
		cgroup_names_destroy(names);
		return 77;
	}
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	cgroup_names_destroy(names);
	return failures;
}
