// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * kernel_names FILE RUN EVERY [NAME...]: lines of /proc/kallsyms or of a copy of it, each after its number: those whose
 * third word is one of the names, and the first RUN of EVERY lines (0 1: none).
 *
 * For emulated guests, where busybox takes half a minute for thirty names in 200,000 lines.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 512, SIZE_MAX_READ = 64 << 20 };

static char text[SIZE_MAX_READ];

/* A file of /proc has no size. Returns the bytes read, 0 if there are none. */
static size_t read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, text + size, sizeof(text) - size)) > 0)
		size += (size_t)got;
	return size;
}

/* The third word of a line, up to a tab (a module's name follows) or the line's end. */
static int is_wanted(const char *line, const char *end)
{
	const char *type = memchr(line, ' ', (size_t)(end - line));
	const char *name = type ? memchr(type + 1, ' ', (size_t)(end - type - 1)) : NULL;
	char word[NAME_SIZE];
	size_t size;

	if (!name)
		return 0;
	name++;
	size = (size_t)(end - name);
	if (memchr(name, '\t', size))
		size = (size_t)((const char *)memchr(name, '\t', size) - name);
	if (size >= sizeof(word))
		return 0;
	memcpy(word, name, size);
	word[size] = '\0';
	return hsearch((ENTRY){ .key = word }, FIND) != NULL;
}

int main(int argc, char **argv)
{
	unsigned long run, every, number = 0;
	const char *end;
	size_t size;

	if (argc < 4 || !(every = strtoul(argv[3], NULL, 10))) {
		fprintf(stderr, "usage: kernel_names FILE RUN EVERY [NAME...]\n");
		return 2;
	}
	run = strtoul(argv[2], NULL, 10);
	size = read_file(argv[1]);
	if (!size || !hcreate((size_t)argc * 2)) {
		perror(argv[1]);
		return 3;
	}
	for (int i = 4; i < argc; i++)
		hsearch((ENTRY){ .key = argv[i] }, ENTER);
	for (const char *line = text; line < text + size; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + size - line));
		if (!end)
			break;
		if (number++ % every < run || is_wanted(line, end))
			printf("%lu %.*s\n", number, (int)(end - line), line);
	}
	return fflush(stdout) ? 1 : 0;
}
