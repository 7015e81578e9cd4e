// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The JSON writer, and whole records read back by Python's parser. */
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "json.h"
#include "view.h"

static char *text;
static size_t text_size;
static struct out out;
static struct json_writer json;

static int setup(void **state)
{
	(void)state;
	out = (struct out){ .file = open_memstream(&text, &text_size) };
	json_writer_init(&json, &out, ESCAPE_JSON);
	return out.file ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fclose(out.file);
	free(text);
	return 0;
}

static void assert_line(const char *expected)
{
	assert_int_equal(json_write_line_end(&json), 0);
	fflush(out.file);
	assert_string_equal(text, expected);
}

static void nesting_and_commas_are_right(void **state)
{
	(void)state;
	json_write_object_begin(&json);
	json_write_key(&json, "a");
	json_write_array_begin(&json);
	json_write_u64(&json, 1);
	json_write_object_begin(&json);
	json_write_object_end(&json);
	json_write_array_begin(&json);
	json_write_array_end(&json);
	json_write_null(&json);
	json_write_array_end(&json);
	json_write_key(&json, "b");
	json_write_object_begin(&json);
	json_write_key(&json, "c");
	json_write_bool(&json, true);
	json_write_key(&json, "d");
	json_write_string(&json, "x\"y");
	json_write_object_end(&json);
	json_write_object_end(&json);
	assert_line("{\"a\":[1,{},[],null],\"b\":{\"c\":true,\"d\":\"x\\\"y\"}}\n");
}

static void each_line_is_a_value_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		json_write_array_begin(&json);
		json_write_i64(&json, -i);
		json_write_array_end(&json);
		json_write_line_end(&json);
	}
	fflush(out.file);
	assert_string_equal(text, "[0]\n[-1]\n");
}

static void integers_beyond_2_53_stay_exact(void **state)
{
	(void)state;
	json_write_array_begin(&json);
	json_write_u64(&json, UINT64_MAX);
	json_write_u64(&json, (UINT64_C(1) << 53) + 1);
	json_write_i64(&json, INT64_MIN);
	json_write_array_end(&json);
	assert_line("[18446744073709551615,9007199254740993,-9223372036854775808]\n");
}

static void doubles_read_back_the_same_and_short(void **state)
{
	(void)state;
	json_write_array_begin(&json);
	json_write_double(&json, 0.1);
	json_write_double(&json, 12.5);
	json_write_double(&json, 1.0 / 3);
	json_write_double(&json, -DBL_MAX);
	json_write_double(&json, DBL_TRUE_MIN);
	json_write_array_end(&json);
	assert_line("[0.1,12.5,0.3333333333333333,-1.7976931348623157e+308,4.94065645841247e-324]\n");
}

static void what_json_has_no_number_for_is_null(void **state)
{
	(void)state;
	json_write_array_begin(&json);
	json_write_double(&json, NAN);
	json_write_double(&json, INFINITY);
	json_write_array_end(&json);
	assert_line("[null,null]\n");
}

static void value_without_key_is_an_error(void **state)
{
	(void)state;
	json_write_object_begin(&json);
	json_write_u64(&json, 1);
	assert_int_equal(out.error, -EINVAL);
}

static void unbalanced_ends_are_errors(void **state)
{
	(void)state;
	json_write_array_begin(&json);
	json_write_object_end(&json);
	assert_int_equal(out.error, -EINVAL);
	out.error = 0;
	assert_int_equal(json_write_line_end(&json), -EINVAL);
}

static void key_outside_an_object_is_an_error(void **state)
{
	(void)state;
	json_write_array_begin(&json);
	json_write_key(&json, "a");
	assert_int_equal(out.error, -EINVAL);
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_write_array_begin(&json);
	assert_int_equal(out.error, 0);
	json_write_array_begin(&json);
	assert_int_equal(out.error, -EINVAL);
}

static void nothing_is_written_after_an_error(void **state)
{
	(void)state;
	json_write_object_begin(&json);
	out_fail(&out, -EIO);
	json_write_key(&json, "a");
	assert_int_equal(json_write_line_end(&json), -EIO);
	fflush(out.file);
	assert_string_equal(text, "{");
}

static void full_disk_is_remembered(void **state)
{
	struct out full = { .file = fopen("/dev/full", "w") };

	(void)state;
	assert_non_null(full.file);
	json_writer_init(&json, &full, ESCAPE_JSON);
	json_write_array_begin(&json);
	json_write_array_end(&json);
	json_write_line_end(&json);
	assert_int_equal(out_flush(&full), -ENOSPC);
	json_write_null(&json);
	assert_int_equal(out_flush(&full), -ENOSPC);
	fclose(full.file);
}

/*
 * Reads JSON lines from the first file and, line by line, the expected bytes in hexadecimal of "text" and the
 * numbers "u" and "i" from the second.
 */
static const char checker[] =
	"import json, re, sys, unicodedata\n"
	"count = 0\n"
	"for line, truth in zip(open(sys.argv[1], 'rb'), open(sys.argv[2]), strict=True):\n"
	"    shown = line.decode('utf-8', 'strict').rstrip('\\n')\n"
	"    assert not any(unicodedata.category(c) in ('Cc', 'Zl', 'Zp') for c in shown), shown\n"
	"    assert not any(c in '\\u061c\\u200e\\u200f\\u200b\\ufeff' or unicodedata.bidirectional(c) in\n"
	"                   ('LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI')\n"
	"                   for c in shown), shown\n"
	"    value = json.loads(shown)\n"
	"    text, u, i = truth.split(' ')\n"
	"    data = re.sub(rb'\\\\x([0-9a-fA-F]{2})', lambda m: bytes.fromhex(m[1].decode()),\n"
	"                  value['text'].encode('utf-8'))\n"
	"    assert data == bytes.fromhex(text), (shown, text)\n"
	"    assert list(value) == ['type', 'text', 'u', 'i'] and value['type'] == 'sample'\n"
	"    assert (value['u'], value['i']) == (int(u), int(i))\n"
	"    count += 1\n"
	"assert count == int(sys.argv[3]), count\n";

static const struct view_column sample_columns[] = {
	{ .name = "text", .type = VIEW_TEXT },
	{ .name = "u", .type = VIEW_U64 },
	{ .name = "i", .type = VIEW_I64 },
};

static const struct view_record sample = { .type = "sample", .columns = sample_columns, .column_count = 3 };

static size_t random_text(char *to, size_t size)
{
	static const char *const pieces[] = { "\\",
					      "\\x",
					      "41",
					      "\"",
					      "\n",
					      "\033[",
					      "\u202e",
					      "\u2028",
					      "\xc2\x85",
					      "\xed\xa0\x80",
					      "\xf0\x9f\x98\x80",
					      "\xe2\x80",
					      "\u0301",
					      "/usr/" };
	size_t length = 0, pieces_wanted = random() % 8;

	for (size_t i = 0; i < pieces_wanted; i++) {
		const char *piece = pieces[random() % (sizeof(pieces) / sizeof(pieces[0]))];
		size_t part = random() % 3 ? strlen(piece) : 0;

		if (length + 8 > size)
			break;
		memcpy(to + length, piece, part);
		length += part;
		if (!part)
			to[length++] = random();
	}
	return length;
}

static uint64_t random_u64(void)
{
	uint64_t value = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ random();

	return value >> random() % 64;
}

static void python_reads_random_records_back(void **state)
{
	char lines_name[] = "/tmp/test_json.XXXXXX", truth_name[] = "/tmp/test_json.XXXXXX", command[4096];
	const int rounds = 20000;
	struct view_options options = { .is_json = true };
	FILE *lines, *truth;
	struct view *view;
	int status;

	(void)state;
	if (system("python3 -c 'import json' 2>/dev/null") != 0)
		skip();
	lines = fdopen(mkstemp(lines_name), "w");
	truth = fdopen(mkstemp(truth_name), "w");
	assert_non_null(lines);
	assert_non_null(truth);
	options.out = lines;
	assert_int_equal(view_open(&options, &view), 0);
	srandom(2);
	for (int round = 0; round < rounds; round++) {
		char bytes[64];
		size_t length = random_text(bytes, sizeof(bytes));
		uint64_t number = random_u64();
		/* Not view_text_n(): NUL bytes are wanted here. */
		struct view_value values[] = {
			{ .kind = VIEW_KIND_TEXT, .text = { bytes, length } },
			view_u64(number),
			view_i64((int64_t)number),
		};

		assert_int_equal(view_row(view, &sample, values), 0);
		for (size_t i = 0; i < length; i++)
			fprintf(truth, "%02x", (unsigned char)bytes[i]);
		fprintf(truth, " %llu %lld\n", (unsigned long long)number, (long long)number);
	}
	assert_int_equal(view_close(view), 0);
	fclose(lines);
	fclose(truth);
	setenv("CHECKER", checker, 1);
	snprintf(command, sizeof(command), "python3 -c \"$CHECKER\" %s %s %d", lines_name, truth_name,
		 rounds);
	status = system(command);
	unlink(lines_name);
	unlink(truth_name);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nesting_and_commas_are_right, setup, teardown),
		cmocka_unit_test_setup_teardown(each_line_is_a_value_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(integers_beyond_2_53_stay_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(doubles_read_back_the_same_and_short, setup, teardown),
		cmocka_unit_test_setup_teardown(what_json_has_no_number_for_is_null, setup, teardown),
		cmocka_unit_test_setup_teardown(value_without_key_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(unbalanced_ends_are_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(key_outside_an_object_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(nesting_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_written_after_an_error, setup, teardown),
		cmocka_unit_test(full_disk_is_remembered),
		cmocka_unit_test(python_reads_random_records_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
