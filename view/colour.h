/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whether to colour, and colours by meaning. Only the 8 base colours: a terminal's palette stays the user's.
 */
#ifndef DILL_VIEW_COLOUR_H
#define DILL_VIEW_COLOUR_H

#include <stdbool.h>

enum colour_when {
	COLOUR_AUTO = 0,
	COLOUR_ALWAYS,
	COLOUR_NEVER,
};

enum colour_style {
	COLOUR_PLAIN = 0,
	COLOUR_HEADING,
	COLOUR_NUMBER,
	COLOUR_SYMBOL,
	COLOUR_PATH,
	COLOUR_WARNING,
	COLOUR_GOOD,
	COLOUR_BAD,
	COLOUR_DIM,
};

/* The argument of --color: "auto", "always", "never"; NULL (no argument) is always. -EINVAL otherwise. */
int colour_parse(const char *text, enum colour_when *ret_when);

/*
 * Decide, first that speaks: @when unless auto; NO_COLOR non-empty: no (no-color.org); CLICOLOR_FORCE
 * non-empty and not "0": yes (bixense.com/clicolors); TERM unset, empty or "dumb": no; @is_terminal.
 */
bool colour_decide(enum colour_when when, bool is_terminal);

/* The sequence that starts @style (ECMA-48 SGR), "" for COLOUR_PLAIN. COLOUR_END ends any other. */
const char *colour_start(enum colour_style style);
#define COLOUR_END "\033[0m"

#endif
