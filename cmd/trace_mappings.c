// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Paths of files by their numbers, as programs told them: trace_mappings.h. */
#include "trace_mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "partition_point.h"
#include "trace_private.h"

#define MAX_FILES 65536

struct known_file {
	struct mapping_id id;
	char *path;
};

struct trace_mappings {
	struct known_file *files; /* by id, ascending */
	size_t count, room;
};

const char *const trace_mapping_classes[] = { "unknown", "file", "heap", "stack", "anonymous", "special", NULL };

void trace_mappings_destroy(struct trace_mappings *mappings)
{
	if (!mappings)
		return;
	for (size_t i = 0; i < mappings->count; i++)
		free(mappings->files[i].path);
	free(mappings->files);
	free(mappings);
}

static int compare_ids(const struct mapping_id *a, const struct mapping_id *b)
{
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->device < b->device ? -1 : a->device > b->device;
}

/* Where @id is, or belongs. */
static size_t find_file(const struct trace_mappings *mappings, const struct mapping_id *id)
{
	return PARTITION_POINT(i, mappings->count, compare_ids(&mappings->files[i].id, id) < 0);
}

int trace_mapping_learn(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct trace_file_note *note = (const void *)head;
	struct trace_mappings *mappings = trace->private->mappings;
	char text[sizeof(note->path.names) + 32];
	const char *known;
	char *path;
	size_t at;

	if (size < sizeof(*note))
		return 0;
	if (!mappings)
		trace->private->mappings = mappings = calloc(1, sizeof(*mappings));
	if (!mappings)
		return -ENOMEM;
	at = find_file(mappings, &note->id);
	if (mappings->count == MAX_FILES || (at < mappings->count && !compare_ids(&mappings->files[at].id, &note->id)))
		return 0;
	if (mappings->count == mappings->room) {
		size_t room = mappings->room ? 2 * mappings->room : 256;
		struct known_file *files = reallocarray(mappings->files, room, sizeof(*files));

		if (!files)
			return -ENOMEM;
		mappings->files = files;
		mappings->room = room;
	}
	known = file_path_text(&note->path, text, sizeof(text));
	path = strdup(known ? known : "?");
	if (!path)
		return -ENOMEM;
	memmove(mappings->files + at + 1, mappings->files + at, (mappings->count - at) * sizeof(*mappings->files));
	mappings->files[at] = (struct known_file){ note->id, path };
	mappings->count++;
	return 0;
}

const char *trace_mapping_name(struct trace *trace, const struct mapping_id *id)
{
	static const char *const names[] = { [MAPPING_HEAP] = "[heap]", [MAPPING_STACK] = "[stack]",
					     [MAPPING_ANONYMOUS] = "[anon]", [MAPPING_SPECIAL] = "[vdso]" };
	struct trace_mappings *mappings = trace->private->mappings;
	size_t at;

	if (id->class != MAPPING_FILE)
		return id->class < sizeof(names) / sizeof(*names) ? names[id->class] : NULL;
	if (!mappings)
		return NULL;
	at = find_file(mappings, id);
	return at < mappings->count && !compare_ids(&mappings->files[at].id, id) ? mappings->files[at].path : NULL;
}
