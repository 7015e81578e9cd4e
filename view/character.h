/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a terminal does with one Unicode character: how many columns it takes, and whether it can be seen.
 * Knows single characters only: neither grapheme clusters nor fonts.
 */
#ifndef DILL_VIEW_CHARACTER_H
#define DILL_VIEW_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decode the character that @bytes (of @length) starts with. Returns the character's length, 1 to 4, or 0
 * where no well-formed UTF-8 starts: overlong forms, surrogates and values above U+10FFFF are refused
 * (Unicode 15, table 3-7).
 */
size_t character_decode(const char *bytes, size_t length, uint32_t *ret_character);

/*
 * True for a character that acts on the terminal or that the reader can't see: C0, DEL, C1, line and
 * paragraph separators, bidi controls, default-ignorable characters (zero-width, BOM, variation selectors,
 * tags, fillers), interlinear annotation, noncharacters.
 */
bool character_is_hidden(uint32_t character);

/* Columns taken: 2 for East Asian wide and fullwidth (UAX #11), 0 for combining marks, else 1. */
unsigned character_columns(uint32_t character);

#endif
