/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The shapes that entries of .debug_info have (DWARF's abbreviations), for types, functions and variables
 * of a program in C. btf_dwarf.c writes entries of these; their attributes stand in the order of
 * dwarf_shapes.c.
 */
#ifndef DILL_DWARF_SHAPES_H
#define DILL_DWARF_SHAPES_H

#include "byte_writer.h"

/* Shapes of entries: those that refer to a type come in pairs, the second one without: void. */
enum dwarf_shape {
	UNIT = 1,
	BASE,
	POINTER,
	POINTER_VOID,
	CONST,
	CONST_VOID,
	VOLATILE,
	VOLATILE_VOID,
	RESTRICT,
	RESTRICT_VOID,
	TYPEDEF,
	TYPEDEF_VOID,
	ARRAY,
	BOUND,
	NO_BOUND,
	STRUCT,
	STRUCT_NAMELESS,
	UNION,
	UNION_NAMELESS,
	STRUCT_ELSEWHERE,
	UNION_ELSEWHERE,
	MEMBER,
	MEMBER_NAMELESS,
	BITS,
	BITS_NAMELESS,
	ENUM,
	ENUM_NAMELESS,
	ENUM_ELSEWHERE,
	VALUE,
	VALUE_UNSIGNED,
	PROTOTYPE,
	PROTOTYPE_VOID,
	PARAMETER_NAMELESS,
	PARAMETER,
	PARAMETER_PLACED,
	MORE_PARAMETERS,
	FUNCTION,
	FUNCTION_VOID,
	VARIABLE,
	SHAPES,
};

/* Append .debug_abbrev's contents. */
void dwarf_shapes_put(struct byte_writer *writer);

#endif
