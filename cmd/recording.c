// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads and writes recorded traces. Believes nothing that it reads. */
#include "recording.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define RECORDING_MAGIC "DILLREC1"
#define TEXT_ABSENT UINT32_MAX

struct recording {
	FILE *file;
	unsigned char *buffer; /* of RECORD_MAX_BYTES, reading only */
	int error;
};

static void payload_append(struct payload *payload, const void *bytes, size_t size)
{
	if (payload->has_failed || payload->size + size > RECORD_MAX_BYTES) {
		payload->has_failed = true;
		return;
	}
	if (payload->size + size > payload->capacity) {
		size_t capacity = 2 * (payload->size + size);
		void *grown = realloc(payload->bytes, capacity);

		if (!grown) {
			payload->has_failed = true;
			return;
		}
		payload->bytes = grown;
		payload->capacity = capacity;
	}
	memcpy(payload->bytes + payload->size, bytes, size);
	payload->size += size;
}

static void payload_u32(struct payload *payload, uint32_t value)
{
	value = htole32(value);
	payload_append(payload, &value, sizeof(value));
}

void payload_u64(struct payload *payload, uint64_t value)
{
	value = htole64(value);
	payload_append(payload, &value, sizeof(value));
}

void payload_text(struct payload *payload, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;

	payload_u32(payload, text ? size : TEXT_ABSENT);
	if (text)
		payload_append(payload, text, size);
}

void payload_deinit(struct payload *payload)
{
	free(payload->bytes);
	*payload = (struct payload){ 0 };
}

static const void *payload_take(struct payload_reader *reader, size_t size)
{
	const void *at = reader->bytes + reader->at;

	if (reader->has_failed || size > reader->size - reader->at) {
		reader->has_failed = true;
		return NULL;
	}
	reader->at += size;
	return at;
}

uint64_t payload_read_u64(struct payload_reader *reader)
{
	const void *at = payload_take(reader, sizeof(uint64_t));
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

const char *payload_read_text(struct payload_reader *reader)
{
	const void *at = payload_take(reader, sizeof(uint32_t));
	uint32_t size = TEXT_ABSENT;
	const char *text;

	if (at)
		memcpy(&size, at, sizeof(size));
	size = le32toh(size);
	if (size == TEXT_ABSENT)
		return NULL;
	text = payload_take(reader, size);
	if (!text || !size || text[size - 1] || strlen(text) != size - 1) {
		reader->has_failed = true;
		return NULL;
	}
	return text;
}

int recording_create(const char *path, const char *command, struct recording **ret_recording, struct error *err)
{
	CLEANUP(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct recording *recording;
	struct payload name = { 0 };

	if (fd < 0)
		return error_set(err, -EIO, "cannot record to %s: %s", path, strerror(errno));
	recording = calloc(1, sizeof(*recording));
	if (!recording)
		return -ENOMEM;
	recording->file = fdopen(fd, "w");
	if (!recording->file) {
		free(recording);
		return error_set(err, -EIO, "cannot record to %s: %s", path, strerror(errno));
	}
	TAKE_FD(fd);
	payload_text(&name, command);
	if (fwrite(RECORDING_MAGIC, 8, 1, recording->file) != 1 ||
	    fwrite(name.bytes, name.size, 1, recording->file) != 1)
		recording->error = -EIO;
	payload_deinit(&name);
	*ret_recording = recording;
	return 0;
}

int recording_write(struct recording *recording, uint32_t type, const struct payload *payload)
{
	uint32_t head[2] = { htole32(type), htole32(payload->size) };

	if (payload->has_failed)
		return recording->error = recording->error ? recording->error : -ENOMEM;
	if (fwrite(head, sizeof(head), 1, recording->file) != 1 ||
	    (payload->size && fwrite(payload->bytes, payload->size, 1, recording->file) != 1))
		recording->error = recording->error ? recording->error : -EIO;
	return recording->error;
}

int recording_close(struct recording *recording)
{
	int error;

	if (!recording)
		return 0;
	error = recording->error;
	if (fclose(recording->file) && !error)
		error = -EIO;
	free(recording->buffer);
	free(recording);
	return error;
}

static int read_head(struct recording *recording, const char *path, const char *command, struct error *err)
{
	char magic[8], name[64];
	uint32_t size;

	if (fread(magic, sizeof(magic), 1, recording->file) != 1 || memcmp(magic, RECORDING_MAGIC, sizeof(magic)) ||
	    fread(&size, sizeof(size), 1, recording->file) != 1)
		return error_set(err, -EBADMSG, "%s is not a recording of dill", path);
	size = le32toh(size);
	if (!size || size > sizeof(name) || fread(name, size, 1, recording->file) != 1 || name[size - 1])
		return error_set(err, -EBADMSG, "%s is not a recording of dill", path);
	if (strcmp(name, command))
		return error_set(err, -EBADMSG, "%s was recorded by 'dill %s'", path, name);
	return 0;
}

int recording_open(const char *path, const char *command, struct recording **ret_recording, struct error *err)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int status;

	if (!recording)
		return -ENOMEM;
	recording->file = fopen(path, "re");
	recording->buffer = malloc(RECORD_MAX_BYTES);
	if (!recording->file || !recording->buffer) {
		status = error_set(err, -ENOENT, "cannot replay %s: %s", path, strerror(errno));
		if (recording->file)
			fclose(recording->file);
		free(recording->buffer);
		free(recording);
		return status;
	}
	status = read_head(recording, path, command, err);
	if (status) {
		recording_close(recording);
		return status;
	}
	*ret_recording = recording;
	return 0;
}

int recording_next(struct recording *recording, uint32_t *ret_type, struct payload_reader *ret_reader)
{
	uint32_t head[2];
	size_t got = fread(head, 1, sizeof(head), recording->file);

	if (!got)
		return 0;
	if (got < sizeof(head))
		return -EBADMSG;
	head[1] = le32toh(head[1]);
	if (head[1] > RECORD_MAX_BYTES || (head[1] && fread(recording->buffer, head[1], 1, recording->file) != 1))
		return -EBADMSG;
	*ret_type = le32toh(head[0]);
	*ret_reader = (struct payload_reader){ .bytes = recording->buffer, .size = head[1] };
	return 1;
}
