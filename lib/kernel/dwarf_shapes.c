// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tags, attributes and forms of each shape. Source: DWARF 4, 7.5. */
#include "dwarf_shapes.h"

#include <dwarf.h>

enum { NO_CHILDREN, CHILDREN };

#define ATTRIBUTES_MAX 7

static const struct {
	uint8_t tag, has_children;
	uint8_t attributes[ATTRIBUTES_MAX][2]; /* name and form, until one is 0 */
} abbreviations[SHAPES] = {
	[UNIT] = { DW_TAG_compile_unit, CHILDREN,
		   { { DW_AT_producer, DW_FORM_string },
		     { DW_AT_language, DW_FORM_data1 },
		     { DW_AT_name, DW_FORM_string },
		     { DW_AT_low_pc, DW_FORM_addr },
		     { DW_AT_ranges, DW_FORM_sec_offset } } },
	[BASE] = { DW_TAG_base_type, NO_CHILDREN,
		   { { DW_AT_name, DW_FORM_strp },
		     { DW_AT_byte_size, DW_FORM_udata },
		     { DW_AT_encoding, DW_FORM_data1 } } },
	[POINTER] = { DW_TAG_pointer_type, NO_CHILDREN,
		      { { DW_AT_byte_size, DW_FORM_data1 }, { DW_AT_type, DW_FORM_ref4 } } },
	[POINTER_VOID] = { DW_TAG_pointer_type, NO_CHILDREN, { { DW_AT_byte_size, DW_FORM_data1 } } },
	[CONST] = { DW_TAG_const_type, NO_CHILDREN, { { DW_AT_type, DW_FORM_ref4 } } },
	[CONST_VOID] = { DW_TAG_const_type, NO_CHILDREN, { { 0, 0 } } },
	[VOLATILE] = { DW_TAG_volatile_type, NO_CHILDREN, { { DW_AT_type, DW_FORM_ref4 } } },
	[VOLATILE_VOID] = { DW_TAG_volatile_type, NO_CHILDREN, { { 0, 0 } } },
	[RESTRICT] = { DW_TAG_restrict_type, NO_CHILDREN, { { DW_AT_type, DW_FORM_ref4 } } },
	[RESTRICT_VOID] = { DW_TAG_restrict_type, NO_CHILDREN, { { 0, 0 } } },
	[TYPEDEF] = { DW_TAG_typedef, NO_CHILDREN, { { DW_AT_name, DW_FORM_strp }, { DW_AT_type, DW_FORM_ref4 } } },
	[TYPEDEF_VOID] = { DW_TAG_typedef, NO_CHILDREN, { { DW_AT_name, DW_FORM_strp } } },
	[ARRAY] = { DW_TAG_array_type, CHILDREN, { { DW_AT_type, DW_FORM_ref4 } } },
	[BOUND] = { DW_TAG_subrange_type, NO_CHILDREN, { { DW_AT_count, DW_FORM_udata } } },
	[NO_BOUND] = { DW_TAG_subrange_type, NO_CHILDREN, { { 0, 0 } } },
	[STRUCT] = { DW_TAG_structure_type, CHILDREN,
		     { { DW_AT_name, DW_FORM_strp }, { DW_AT_byte_size, DW_FORM_udata } } },
	[STRUCT_NAMELESS] = { DW_TAG_structure_type, CHILDREN, { { DW_AT_byte_size, DW_FORM_udata } } },
	[UNION] = { DW_TAG_union_type, CHILDREN,
		    { { DW_AT_name, DW_FORM_strp }, { DW_AT_byte_size, DW_FORM_udata } } },
	[UNION_NAMELESS] = { DW_TAG_union_type, CHILDREN, { { DW_AT_byte_size, DW_FORM_udata } } },
	[STRUCT_ELSEWHERE] = { DW_TAG_structure_type, NO_CHILDREN,
			       { { DW_AT_name, DW_FORM_strp }, { DW_AT_declaration, DW_FORM_flag_present } } },
	[UNION_ELSEWHERE] = { DW_TAG_union_type, NO_CHILDREN,
			      { { DW_AT_name, DW_FORM_strp }, { DW_AT_declaration, DW_FORM_flag_present } } },
	[MEMBER] = { DW_TAG_member, NO_CHILDREN,
		     { { DW_AT_name, DW_FORM_strp },
		       { DW_AT_type, DW_FORM_ref4 },
		       { DW_AT_data_member_location, DW_FORM_udata } } },
	[MEMBER_NAMELESS] = { DW_TAG_member, NO_CHILDREN,
			      { { DW_AT_type, DW_FORM_ref4 }, { DW_AT_data_member_location, DW_FORM_udata } } },
	[BITS] = { DW_TAG_member, NO_CHILDREN,
		   { { DW_AT_name, DW_FORM_strp },
		     { DW_AT_type, DW_FORM_ref4 },
		     { DW_AT_data_bit_offset, DW_FORM_udata },
		     { DW_AT_bit_size, DW_FORM_udata } } },
	[BITS_NAMELESS] = { DW_TAG_member, NO_CHILDREN,
			    { { DW_AT_type, DW_FORM_ref4 },
			      { DW_AT_data_bit_offset, DW_FORM_udata },
			      { DW_AT_bit_size, DW_FORM_udata } } },
	[ENUM] = { DW_TAG_enumeration_type, CHILDREN,
		   { { DW_AT_name, DW_FORM_strp }, { DW_AT_byte_size, DW_FORM_udata } } },
	[ENUM_NAMELESS] = { DW_TAG_enumeration_type, CHILDREN, { { DW_AT_byte_size, DW_FORM_udata } } },
	[ENUM_ELSEWHERE] = { DW_TAG_enumeration_type, NO_CHILDREN,
			     { { DW_AT_name, DW_FORM_strp },
			       { DW_AT_byte_size, DW_FORM_udata },
			       { DW_AT_declaration, DW_FORM_flag_present } } },
	[VALUE] = { DW_TAG_enumerator, NO_CHILDREN,
		    { { DW_AT_name, DW_FORM_strp }, { DW_AT_const_value, DW_FORM_sdata } } },
	[VALUE_UNSIGNED] = { DW_TAG_enumerator, NO_CHILDREN,
			     { { DW_AT_name, DW_FORM_strp }, { DW_AT_const_value, DW_FORM_udata } } },
	[PROTOTYPE] = { DW_TAG_subroutine_type, CHILDREN,
			{ { DW_AT_prototyped, DW_FORM_flag_present }, { DW_AT_type, DW_FORM_ref4 } } },
	[PROTOTYPE_VOID] = { DW_TAG_subroutine_type, CHILDREN, { { DW_AT_prototyped, DW_FORM_flag_present } } },
	[PARAMETER_NAMELESS] = { DW_TAG_formal_parameter, NO_CHILDREN, { { DW_AT_type, DW_FORM_ref4 } } },
	[PARAMETER] = { DW_TAG_formal_parameter, NO_CHILDREN,
			{ { DW_AT_name, DW_FORM_strp }, { DW_AT_type, DW_FORM_ref4 } } },
	[PARAMETER_PLACED] = { DW_TAG_formal_parameter, NO_CHILDREN,
			       { { DW_AT_name, DW_FORM_strp },
				 { DW_AT_type, DW_FORM_ref4 },
				 { DW_AT_location, DW_FORM_sec_offset } } },
	[MORE_PARAMETERS] = { DW_TAG_unspecified_parameters, NO_CHILDREN, { { 0, 0 } } },
	[FUNCTION] = { DW_TAG_subprogram, CHILDREN,
		       { { DW_AT_name, DW_FORM_strp },
			 { DW_AT_external, DW_FORM_flag },
			 { DW_AT_prototyped, DW_FORM_flag_present },
			 { DW_AT_low_pc, DW_FORM_addr },
			 { DW_AT_high_pc, DW_FORM_udata },
			 { DW_AT_type, DW_FORM_ref4 } } },
	[FUNCTION_VOID] = { DW_TAG_subprogram, CHILDREN,
			    { { DW_AT_name, DW_FORM_strp },
			      { DW_AT_external, DW_FORM_flag },
			      { DW_AT_prototyped, DW_FORM_flag_present },
			      { DW_AT_low_pc, DW_FORM_addr },
			      { DW_AT_high_pc, DW_FORM_udata } } },
	[VARIABLE] = { DW_TAG_variable, NO_CHILDREN,
		       { { DW_AT_name, DW_FORM_strp },
			 { DW_AT_type, DW_FORM_ref4 },
			 { DW_AT_external, DW_FORM_flag_present },
			 { DW_AT_location, DW_FORM_exprloc } } },
};

void dwarf_shapes_put(struct byte_writer *writer)
{
	for (unsigned shape = UNIT; shape < SHAPES; shape++) {
		put_uleb(writer, shape);
		put_uleb(writer, abbreviations[shape].tag);
		put_number(writer, abbreviations[shape].has_children, 1);
		for (unsigned i = 0; i < ATTRIBUTES_MAX && abbreviations[shape].attributes[i][0]; i++) {
			put_uleb(writer, abbreviations[shape].attributes[i][0]);
			put_uleb(writer, abbreviations[shape].attributes[i][1]);
		}
		put_number(writer, 0, 2);
	}
	put_uleb(writer, 0);
}
