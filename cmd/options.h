/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Option tables: one declaration parses the command line and writes the help, so the two cannot disagree.
 */
#ifndef DILL_OPTIONS_H
#define DILL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

enum option_kind {
	OPTION_FLAG,     /* bool */
	OPTION_TEXT,     /* const char *, borrowed from argv */
	OPTION_TEXTS,    /* struct text_list: may be given again and again */
	OPTION_NUMBER,   /* uint64_t */
	OPTION_SIZE,     /* uint64_t bytes: 512K, 1.5GiB */
	OPTION_DURATION, /* uint64_t ns: 300ms, 2m, bare = seconds */
	OPTION_CHOICE,   /* unsigned int: index into choices */
};

struct text_list {
	const char **list; /* texts borrowed, the array owned: text_list_deinit() */
	size_t count;
};

struct option_spec {
	char letter;            /* 0: none */
	const char *name;       /* without dashes */
	const char *argument;   /* its name in the help; NULL for flags */
	enum option_kind kind;
	size_t offset;          /* of the value in the group's settings */
	const char *const *choices; /* NULL-terminated */
	const char *help;       /* defaults stated in it */
};

/* A titled part of the help with the structure that its values go to. Values are defaults until given. */
struct option_group {
	const char *title;
	const struct option_spec *specs;
	size_t count;
	void *settings;
};

/*
 * Parse @argv from 1 on, up to "--". Options may stand before, between and behind words; @argv is reordered so that
 * the words, from *ret_rest on, come last. *ret_dashes: where "--" is, with the last of these words before it and what
 * isn't looked at behind it; @argc: it was not there.
 * -EINVAL with a message that names the option.
 */
int options_parse(const struct option_group *groups, size_t count, int argc, char **argv, int *ret_rest,
		  int *ret_dashes, struct error *err);

/* Write the help of all groups to @out. */
void options_help(const struct option_group *groups, size_t count, FILE *out);

void text_list_deinit(struct text_list *list);

/* The entry of @names (NULL-terminated) that @word was probably meant to be, or NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names);

#endif
