// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Parser of /proc/PID/maps. Doesn't open what is mapped. */
#include "proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "partition_point.h"

/* What is left of a line while its fields are taken off from the front. */
struct line {
	const char *at, *end;
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 99;
}

/* Take a number and the character that must follow it. */
static bool take_number(struct line *line, unsigned int base, char terminator, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *at = line->at;

	while (at < line->end && digit_value(*at) < (int)base) {
		if (value > (UINT64_MAX - 15) / base)
			return false;
		value = value * base + (unsigned int)digit_value(*at++);
	}
	if (at == line->at || at == line->end || *at != terminator)
		return false;
	line->at = at + 1;
	*ret_value = value;
	return true;
}

/* The inode is the last number: a path may follow it after spaces, or nothing. */
static bool take_inode(struct line *line, uint64_t *ret_inode)
{
	const char *at = line->at;
	uint64_t value = 0;

	while (at < line->end && *at >= '0' && *at <= '9') {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (unsigned int)(*at++ - '0');
	}
	if (at == line->at || (at < line->end && *at != ' '))
		return false;
	while (at < line->end && *at == ' ')
		at++;
	line->at = at;
	*ret_inode = value;
	return true;
}

static int set_path(struct mapping *mapping, struct line line)
{
	static const char deleted[] = " (deleted)";
	const size_t mark = sizeof(deleted) - 1;
	char *to;

	if ((size_t)(line.end - line.at) > mark && !memcmp(line.end - mark, deleted, mark)) {
		mapping->is_deleted = true;
		line.end -= mark;
	}
	to = mapping->path = malloc((size_t)(line.end - line.at) + 1);
	if (!to)
		return -ENOMEM;
	while (line.at < line.end) {
		if (line.end - line.at >= 4 && !memcmp(line.at, "\\012", 4)) {
			*to++ = '\n';
			line.at += 4;
		} else {
			*to++ = *line.at++;
		}
	}
	*to = '\0';
	return 0;
}

/* "start-end perms offset major:minor inode   path" */
static int parse_line(struct line line, struct mapping *ret_mapping)
{
	struct mapping mapping = {0};
	uint64_t dev_major, dev_minor;
	int r;

	if (!take_number(&line, 16, '-', &mapping.start) || !take_number(&line, 16, ' ', &mapping.end) ||
	    mapping.start >= mapping.end)
		return -EBADMSG;
	if (line.end - line.at < 5 || line.at[4] != ' ')
		return -EBADMSG;
	mapping.is_executable = line.at[2] == 'x';
	line.at += 5;
	if (!take_number(&line, 16, ' ', &mapping.file_offset) || !take_number(&line, 16, ':', &dev_major) ||
	    !take_number(&line, 16, ' ', &dev_minor) || dev_major > UINT32_MAX || dev_minor > UINT32_MAX ||
	    !take_inode(&line, &mapping.inode))
		return -EBADMSG;
	mapping.dev_major = (uint32_t)dev_major;
	mapping.dev_minor = (uint32_t)dev_minor;
	r = set_path(&mapping, line);
	if (r)
		return r;
	*ret_mapping = mapping;
	return 0;
}

static int append(struct proc_maps *maps, size_t *capacity, struct mapping mapping)
{
	struct mapping *list;

	if (maps->count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 32;

		list = reallocarray(maps->list, wanted, sizeof(*list));
		if (!list)
			return -ENOMEM;
		maps->list = list;
		*capacity = wanted;
	}
	maps->list[maps->count++] = mapping;
	return 0;
}

DEFINE_CLEANUP(proc_maps, struct proc_maps, proc_maps_deinit(&v));

int proc_maps_parse(const char *text, size_t size, struct proc_maps *ret_maps, struct error *err)
{
	CLEANUP(proc_maps) struct proc_maps maps = {0};
	const char *end = text + size;
	size_t capacity = 0, line_number = 1;

	for (; text < end; line_number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line line = {text, newline ? newline : end};
		struct mapping mapping;
		int r = parse_line(line, &mapping);

		if (r == -EBADMSG)
			return error_set(err, r,
					 "memory map: line %zu is not in the form of proc_pid_maps(5)",
					 line_number);
		if (!r && maps.count && mapping.start < maps.list[maps.count - 1].end) {
			free(mapping.path);
		} else if (!r) {
			r = append(&maps, &capacity, mapping);
			if (r)
				free(mapping.path);
		}
		if (r)
			return error_set(err, r, "memory map: out of memory at line %zu", line_number);
		text = newline ? newline + 1 : end;
	}
	*ret_maps = maps;
	maps = (struct proc_maps){0};
	return 0;
}

static int read_all(int fd, char **ret_text, size_t *ret_size)
{
	CLEANUP(free) char *text = NULL;
	size_t size = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		/* The kernel gives at most a page at a time, in whole lines. */
		if (capacity - size < 4096) {
			char *grown;

			capacity = capacity ? capacity * 2 : 16384;
			grown = realloc(text, capacity);
			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + size, capacity - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

int proc_maps_read(pid_t pid, struct proc_maps *ret_maps, struct error *err)
{
	CLEANUP(close) int fd = -1;
	CLEANUP(free) char *text = NULL;
	char path[64];
	size_t size = 0;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		r = errno == ENOENT ? -ESRCH : -errno;
	else
		r = read_all(fd, &text, &size);
	if (!r && !size)
		r = -ESRCH;
	if (r == -ESRCH)
		return error_set(err, r, "process %d is gone", (int)pid);
	if (r)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	r = proc_maps_parse(text, size, ret_maps, err);
	if (r)
		error_context(err, "process %d", (int)pid);
	return r;
}

void proc_maps_deinit(struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->list[i].path);
	free(maps->list);
	*maps = (struct proc_maps){0};
}

const struct mapping *proc_maps_find(const struct proc_maps *maps, uint64_t address)
{
	size_t low = PARTITION_POINT(i, maps->count, maps->list[i].end <= address);

	return low < maps->count && maps->list[low].start <= address ? &maps->list[low] : NULL;
}
