// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The model does what the library does: slub_trace, built with either, prints the same for the same calls. Which slab and
 * which object each call led to, what is in use there, what shrinking freed, slabinfo's counts.
 */
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CALLS 12000

static FILE *trace(const char *program, const char *engine, const char *flags, unsigned seed)
{
	char path[PATH_MAX] = "", command[PATH_MAX + 128];
	FILE *output;

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	snprintf(command, sizeof(command), "'%s/%s' %s %s %u %u", dirname(path), program, engine, flags, seed, CALLS);
	output = popen(command, "r");
	assert_non_null(output);
	return output;
}

static void compare(const char *engine, const char *flags, unsigned seed)
{
	FILE *library = trace("slub_trace", engine, flags, seed), *model = trace("slub_trace_model", engine, flags, seed);
	char left[256], right[256];
	unsigned lines = 0, allocs = 0;

	while (fgets(left, sizeof(left), library)) {
		assert_non_null(fgets(right, sizeof(right), model));
		assert_string_equal(left, right);
		allocs += !strncmp(left, "alloc", 5);
		lines++;
	}
	assert_null(fgets(right, sizeof(right), model));
	assert_int_equal(pclose(library), 0);
	assert_int_equal(pclose(model), 0);
	assert_true(lines > CALLS && allocs > CALLS / 4);
}

/* Hardened and in random order; neither; one of them. */
static void compare_engine(const char *engine)
{
	static const char *const flags[] = { "0", "100", "200", "300" };

	for (unsigned i = 0; i < 4; i++) {
		compare(engine, flags[i], 1 + i);
		compare(engine, flags[i], 11 + i);
	}
}

static void sheaves_go_the_same_way(void **state)
{
	(void)state;
	compare_engine("sheaves");
}

static void cpu_slabs_go_the_same_way(void **state)
{
	(void)state;
	compare_engine("cpu_slabs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sheaves_go_the_same_way),
		cmocka_unit_test(cpu_slabs_go_the_same_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
