// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as the payload of a row in a recording: the first byte is its type. With the type's highest bit set, the next
 * byte says how many bytes more are a block that tells what the rows have. What is taken for a row is shown as text and as
 * JSON.
 * libFuzzer target; with -DFUZZ_REPLAY it runs the files named on its command line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "trace_rows_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int is_json = 0; is_json < 2; is_json++) {
		struct fixture fixture;
		struct view *view;
		char *text;
		size_t length;
		FILE *out = open_memstream(&text, &length);
		struct view_options options = { .out = out, .is_json = is_json };
		struct payload_reader reader = { .bytes = data + 1, .size = size ? size - 1 : 0 };
		size_t block_size = 0;
		int status = 0;

		CHECK(out && view_open(&options, &view) == 0);
		fixture_init(&fixture, view);
		if (size > 1 && data[0] & 0x80) {
			block_size = data[1] < size - 2 ? data[1] : size - 2;
			reader = (struct payload_reader){ .bytes = data + 2, .size = block_size };
			status = trace_schema_learn(&fixture.private.schemas, fixture_records, &reader);
			CHECK(status == 0 || status == -EBADMSG || status == -ENOMEM || status == -ENOENT);
			reader = (struct payload_reader){ .bytes = data + 2 + block_size, .size = size - 2 - block_size };
		}
		status = size ? trace_on_record(&fixture.run, &fixture.trace, data[0] & 0x7f, &reader) : 0;
		CHECK(status == 0 || status == -EBADMSG || status == -ENOMEM);
		view_close(view);
		fclose(out);
		fixture_deinit(&fixture);
		CHECK(status || !size || length || fixture.private.schemas);
		free(text);
	}
	return 0;
}
