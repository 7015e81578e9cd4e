// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Output with a sticky error, over stdio. Buffering is left to the FILE and to out_flush(). */
#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static void keep_error(struct out *out, int code)
{
	if (!out->error)
		out->error = code;
}

static void fail_by_errno(struct out *out)
{
	keep_error(out, errno ? -errno : -EIO);
}

static void give(struct out *out, const char *bytes, size_t length)
{
	errno = 0;
	if (!out->error && fwrite_unlocked(bytes, 1, length, out->file) != length) /* one thread writes */
		fail_by_errno(out);
}

void out_hand_on(struct out *out)
{
	size_t kept = out->kept;

	out->kept = 0;
	if (kept)
		give(out, out->bytes, kept);
}

void out_fail(struct out *out, int code)
{
	out_hand_on(out);
	keep_error(out, code);
}

void out_bytes(struct out *out, const char *bytes, size_t length)
{
	if (out->error || !length)
		return;
	if (length > sizeof(out->bytes) - out->kept)
		out_hand_on(out);
	if (length > sizeof(out->bytes)) {
		give(out, bytes, length);
	} else {
		memcpy(out->bytes + out->kept, bytes, length);
		out->kept += length;
	}
	for (const char *at = memchr(bytes, '\n', length); at; at = memchr(at, '\n', bytes + length - at)) {
		out->lines++;
		at++;
	}
}

void out_string(struct out *out, const char *text)
{
	out_bytes(out, text, strlen(text));
}

void out_format(struct out *out, const char *format, ...)
{
	va_list args;

	out_hand_on(out);
	if (out->error)
		return;
	errno = 0;
	va_start(args, format);
	if (vfprintf(out->file, format, args) < 0)
		fail_by_errno(out);
	va_end(args);
}

void out_fill(struct out *out, char byte, size_t count)
{
	char chunk[64];

	memset(chunk, byte, count < sizeof(chunk) ? count : sizeof(chunk));
	while (count && !out->error) {
		size_t part = count < sizeof(chunk) ? count : sizeof(chunk);

		out_bytes(out, chunk, part);
		count -= part;
	}
}

void out_escaped(struct out *out, enum escape_form form, const char *bytes, size_t length)
{
	struct escape_piece piece;

	for (size_t at = 0; at < length && !out->error;) {
		size_t run = escape_plain_run(form, bytes + at, length - at);

		out_bytes(out, bytes + at, run);
		at += run;
		if (at < length) {
			at += escape_next(form, bytes + at, length - at, &piece);
			out_bytes(out, piece.text, piece.length);
		}
	}
}

int out_flush(struct out *out)
{
	out_hand_on(out);
	errno = 0;
	if (fflush(out->file) == EOF && !out->error)
		fail_by_errno(out);
	return out->error;
}

int out_finish(struct out *out)
{
	int copy;

	if (out_flush(out) || fileno(out->file) < 0)
		return out->error;
	copy = dup(fileno(out->file));
	if (copy < 0 || close(copy) < 0)
		fail_by_errno(out);
	return out->error;
}
