// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The colour decision and the palette. */
#include "colour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int colour_parse(const char *text, enum colour_when *ret_when)
{
	if (!text || !strcmp(text, "always"))
		*ret_when = COLOUR_ALWAYS;
	else if (!strcmp(text, "auto"))
		*ret_when = COLOUR_AUTO;
	else if (!strcmp(text, "never"))
		*ret_when = COLOUR_NEVER;
	else
		return -EINVAL;
	return 0;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

bool colour_decide(enum colour_when when, bool is_terminal)
{
	const char *force = environment("CLICOLOR_FORCE");
	const char *term = environment("TERM");

	if (when != COLOUR_AUTO)
		return when == COLOUR_ALWAYS;
	if (*environment("NO_COLOR"))
		return false;
	if (*force && strcmp(force, "0") != 0)
		return true;
	return is_terminal && *term && strcmp(term, "dumb") != 0;
}

const char *colour_start(enum colour_style style)
{
	switch (style) {
	case COLOUR_HEADING:
		return "\033[1m";
	case COLOUR_NUMBER:
		return "\033[36m";
	case COLOUR_SYMBOL:
		return "\033[32m";
	case COLOUR_PATH:
		return "\033[34m";
	case COLOUR_WARNING:
		return "\033[33m";
	case COLOUR_GOOD:
		return "\033[1;32m";
	case COLOUR_BAD:
		return "\033[1;31m";
	case COLOUR_DIM:
		return "\033[2m";
	case COLOUR_PLAIN:
		break;
	}
	return "";
}
