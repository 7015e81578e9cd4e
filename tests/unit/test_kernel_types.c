// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Types by name, members by path, fields and enumerators; and the same on BTF that is damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "btf_fixture.h"
#include "kernel_types.h"

static struct btf *raw;
static struct fixture_types ids;
static struct kernel_types *types;

static int open_raw(struct error *err)
{
	uint32_t size;
	const void *bytes = btf__raw_data(raw, &size);

	return kernel_types_open(bytes, size, "fixture", &types, err);
}

static int make(void **state)
{
	(void)state;
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	assert_int_equal(open_raw(NULL), 0);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	kernel_types_close(types);
	types = NULL;
	btf__free(raw);
	return 0;
}

static uint32_t id_of(const char *name)
{
	uint32_t id = 0;

	assert_int_equal(kernel_type_find(types, name, &id), 0);
	return id;
}

static void assert_at(const char *path, unsigned bit_offset, unsigned bit_size, size_t size)
{
	struct kernel_member member = { 0 };
	struct error err = { 0 };

	if (kernel_member_find(types, ids.thing, path, &member, &err))
		fail_msg("%s: %s", path, err.text);
	if (member.bit_offset != bit_offset || member.bit_size != bit_size || member.size != size)
		fail_msg("%s at bit %u, %u bits, %zu bytes", path, member.bit_offset, member.bit_size,
			 member.size);
}

static void members_are_found_through_structs_unions_and_arrays(void **state)
{
	(void)state;
	assert_at("", 0, 0, 136);
	assert_at("flags", 0, 0, 8);
	assert_at("list", 64, 0, 16);
	assert_at("list.prev", 128, 0, 8);
	assert_at("state", 28 * 8, 0, 4);
	assert_at("pairs", 32 * 8, 0, 32);
	assert_at("pairs[3]", 56 * 8, 0, 8);
	assert_at("pairs[3].second", 60 * 8, 0, 4);
	assert_at("grid[1]", 76 * 8, 0, 12);
	assert_at("grid[1][2]", 84 * 8, 0, 4);
	assert_at("comm", 88 * 8, 0, 16);
}

static void nameless_members_open_up_even_when_their_type_has_a_name(void **state)
{
	(void)state;
	assert_at("first", 64, 0, 4);
	assert_at("second", 96, 0, 4);
}

static void bit_fields_and_flexible_arrays_are_told(void **state)
{
	(void)state;
	assert_at("low", 24 * 8, 3, 4);
	assert_at("high", 24 * 8 + 3, 5, 4);
	assert_at("big", 120 * 8, 62, 8);
	assert_at("none", 120 * 8, 0, 0);
	assert_at("objects", 136 * 8, 0, 0);
	assert_at("objects[0]", 136 * 8, 0, 8);
	assert_at("objects[5]", 176 * 8, 0, 8);
}

static void assert_no_member(const char *path, const char *message)
{
	struct kernel_member member = { .size = 77 };
	struct error err = { 0 };

	assert_int_equal(kernel_member_find(types, ids.thing, path, &member, &err), -ENOENT);
	assert_string_equal(err.text, message);
	assert_int_equal(member.size, 77);
}

static void wrong_paths_are_told_apart(void **state)
{
	(void)state;
	assert_no_member("lists", "no member 'lists'");
	assert_no_member("lis", "no member 'lis'");
	assert_no_member("list.up", "no member 'list.up'");
	assert_no_member("flags.x", "no member 'flags.x'");
	assert_no_member("parent.flags", "no member 'parent.flags'");
	assert_no_member("pairs[4]", "'pairs[4]': the array has 4 elements");
	assert_no_member("pairs[x]", "'pairs[x]': an index is a number in brackets");
	assert_no_member("pairs[1", "'pairs[1': an index is a number in brackets");
	assert_no_member("pairs[99999999999999999999]",
			 "'pairs[99999999999999999999]': an index is a number in brackets");
	assert_no_member("flags[0]", "'flags[0]': an index, and no array");
	assert_no_member("list..next", "'list..next': a name is missing");
	assert_no_member("list.", "'list.': a name is missing");
}

static void far_elements_of_a_flexible_array_are_refused(void **state)
{
	struct kernel_member member;
	struct error err;

	(void)state;
	assert_int_equal(kernel_member_find(types, ids.thing, "objects[99999999999]", &member, &err),
			 -EBADMSG);
}

static void bare_names_mean_struct_union_typedef_enum_in_this_order(void **state)
{
	int type_id, union_id, enum_id;

	(void)state;
	drop(NULL);
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	btf__add_fwd(raw, "early", BTF_FWD_STRUCT);
	enum_id = btf__add_enum(raw, "early", 4);
	type_id = btf__add_typedef(raw, "early", ids.u32);
	union_id = btf__add_union(raw, "early", 4);
	btf__add_struct(raw, "list_head", 99);
	assert_int_equal(open_raw(NULL), 0);
	assert_int_equal(id_of("early"), union_id);
	assert_int_equal(id_of("union early"), union_id);
	assert_int_equal(id_of("typedef early"), type_id);
	assert_int_equal(id_of("enum early"), enum_id);
	assert_int_equal(id_of(" struct  thing "), ids.thing);
	assert_int_equal(id_of("unsigned int"), ids.u32);
	assert_int_equal(id_of("list_head"), ids.list_head);
	assert_int_equal(id_of("pair_t"), ids.pair_t);
}

static void unknown_names_are_not_found(void **state)
{
	static const char *const names[] = { "",     "struct", "struct ",     "struct early", "nowhere",
					     "thin", "thing_", "union thing", "STATE_ON" };
	uint32_t id = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(kernel_type_find(types, names[i], &id), -ENOENT);
	assert_int_equal(id, 77);
}

static void sizes_go_through_typedefs_and_arrays(void **state)
{
	size_t size = 77;

	(void)state;
	assert_int_equal(kernel_sizeof(types, "thing"), 136);
	assert_int_equal(kernel_sizeof(types, "pair_t"), 8);
	assert_int_equal(kernel_sizeof(types, "enum wide"), 8);
	assert_int_equal(kernel_sizeof(types, "absent"), 0);
	assert_int_equal(kernel_type_size(types, 0, &size), -ENOENT);
	assert_int_equal(kernel_type_size(types, 100000, &size), -ENOENT);
	assert_int_equal(size, 77);
}

static void enumerators_have_their_value_in_any_enum(void **state)
{
	int64_t value = 0;

	(void)state;
	assert_int_equal(kernel_enumerator(types, "STATE_OFF", &value), 0);
	assert_int_equal(value, -1);
	assert_int_equal(kernel_enumerator(types, "STATE_ON", &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(kernel_enumerator(types, "WIDE_TOP", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(kernel_enumerator(types, "STATE", &value), -ENOENT);
	assert_int_equal(kernel_enumerator(types, "", &value), -ENOENT);
}

struct layout {
	struct field flags, list, high, big, last, absent, second, comm, object;
};

static void tables_of_fields_are_loaded(void **state)
{
	static const struct field_spec specs[] = {
		{ "thing", "flags", offsetof(struct layout, flags), true },
		{ "thing", "slab_list|lru|list|flags", offsetof(struct layout, list), true },
		{ "thing", "high", offsetof(struct layout, high), true },
		{ "thing", "big", offsetof(struct layout, big), true },
		{ "thing", "last", offsetof(struct layout, last), true },
		{ "thing", "none|freelist", offsetof(struct layout, absent), false },
		{ "pair_t", "second", offsetof(struct layout, second), true },
		{ "thing", "objects[0]", offsetof(struct layout, object), true },
	};
	uint8_t object[136] = { [0] = 0xef, [7] = 0x80, [24] = 0xa8, [128] = 0xff };
	struct layout layout;

	(void)state;
	memset(&layout, 0xff, sizeof(layout));
	memset(object + 120, 0xff, 8);
	assert_int_equal(fields_load(types, specs, sizeof(specs) / sizeof(*specs), &layout, NULL), 0);
	assert_int_equal(layout.list.offset, 8);
	assert_int_equal(layout.list.size, 16);
	assert_true(field_exists(&layout.flags));
	assert_false(field_exists(&layout.absent));
	assert_int_equal(layout.second.offset, 4);
	assert_int_equal(layout.object.offset, 136);
	assert_int_equal(layout.object.size, 8);
	assert_true(field_get(&layout.flags, object, sizeof(object)) == UINT64_C(0x80000000000000ef));
	assert_int_equal(field_get(&layout.high, object, sizeof(object)), 0x15);
	assert_true(field_get(&layout.big, object, sizeof(object)) == (UINT64_C(1) << 62) - 1);
	assert_int_equal(field_get(&layout.last, object, sizeof(object)), 0xff);
	assert_int_equal(field_get(&layout.last, object, 128), 0);
	assert_int_equal(field_get(&layout.absent, object, sizeof(object)), 0);
	assert_int_equal(field_get(&layout.object, object, sizeof(object)), 0);
}

static void required_field_that_is_missing_is_named(void **state)
{
	static const struct field_spec specs[] = { { "thing", "a|b", 0, true } };
	static const struct field_spec no_type[] = { { "slab", "x", 0, true } };
	struct layout layout = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(fields_load(types, specs, 1, &layout, &err), -ENOENT);
	assert_string_equal(err.text, "this kernel has no thing.a|b");
	assert_int_equal(fields_load(types, no_type, 1, &layout, &err), -ENOENT);
	assert_string_equal(err.text, "this kernel has no slab.x");
}

static void odd_bit_field_of_nine_bytes_is_whole(void **state)
{
	const struct field field = { .offset = 0, .size = 9, .bit_shift = 7, .bit_size = 64 };
	const uint8_t bytes[9] = { 0x80, 0, 0, 0, 0, 0, 0, 0, 0x7f };

	(void)state;
	assert_true(field_get(&field, bytes, sizeof(bytes)) == ((UINT64_C(0x7f) << 57) | 1));
}

/* The type section ends with what nobody knows yet, or with half a record. */
static void types_before_an_unknown_kind_stay(void **state)
{
	uint32_t size, odd;
	uint8_t *bytes;
	const void *whole;
	struct btf_header *header;

	(void)state;
	drop(NULL);
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	odd = btf__add_fwd(raw, "odd", BTF_FWD_STRUCT);
	btf__add_struct(raw, "beyond", 4);
	whole = btf__raw_data(raw, &size);
	bytes = malloc(size);
	memcpy(bytes, whole, size);
	header = (void *)bytes;
	((struct btf_type *)(bytes + header->hdr_len + header->type_len - 24))->info = 25u << 24;
	assert_int_equal(kernel_types_open(bytes, size, "newer", &types, NULL), 0);
	assert_int_equal(btf__type_cnt(kernel_types_btf(types)), odd);
	assert_int_equal(id_of("thing"), ids.thing);
	assert_int_equal(kernel_sizeof(types, "beyond"), 0);
	free(bytes);
}

static void chains_without_end_come_to_an_end(void **state)
{
	struct kernel_member member;
	struct error err;
	size_t size;
	int loop, self;

	(void)state;
	drop(NULL);
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	loop = btf__type_cnt(raw);
	btf__add_typedef(raw, "round", loop + 1);
	btf__add_const(raw, loop);
	btf__add_array(raw, ids.u32, loop + 2, 3);
	self = btf__add_struct(raw, "self", 8);
	field(raw, NULL, self, 0, 0);
	field(raw, NULL, self, 0, 0);
	field(raw, "far", 123456, 0, 0);
	assert_int_equal(open_raw(NULL), 0);
	assert_int_equal(kernel_sizeof(types, "round"), 0);
	assert_int_equal(kernel_type_size(types, loop + 2, &size), -EBADMSG);
	assert_int_equal(kernel_member_find(types, self, "nothing", &member, &err), -ENOENT);
	assert_int_equal(kernel_member_find(types, loop, "x", &member, &err), -ENOENT);
	assert_int_equal(kernel_member_find(types, self, "far.x", &member, &err), -ENOENT);
}

static void what_is_no_btf_is_refused_with_a_reason(void **state)
{
	struct kernel_types *none = (void *)1;
	struct btf_header header = { .magic = BTF_MAGIC, .version = 1, .hdr_len = 24, .str_len = 8 };
	struct error err;

	(void)state;
	assert_int_equal(kernel_types_open("x", 1, "bytes", &none, &err), -EBADMSG);
	assert_string_equal(err.text, "no BTF: only 1 bytes");
	assert_int_equal(kernel_types_open(&header, sizeof(header), "bytes", &none, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "damaged or cut BTF"));
	header.str_len = 0;
	header.hdr_len = 1000;
	assert_int_equal(kernel_types_open(&header, sizeof(header), "bytes", &none, &err), -EBADMSG);
	header.magic = 0x1234;
	assert_int_equal(kernel_types_open(&header, sizeof(header), "bytes", &none, &err), -EBADMSG);
	assert_string_equal(err.text, "no BTF: it starts with 0x1234");
	assert_int_equal(kernel_types_open_file("/nonexistent", &none, &err), -ENOENT);
	assert_int_equal(kernel_types_open_file("/proc/self/exe", &none, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no section .BTF"));
	assert_ptr_equal(none, (void *)1);
}

static void own_kernel_has_what_every_kernel_has(void **state)
{
	struct kernel_types *vmlinux;
	struct kernel_member member;
	struct error err;
	uint32_t id;

	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		skip();
	assert_int_equal(kernel_types_open_file("/sys/kernel/btf/vmlinux", &vmlinux, &err), 0);
	assert_int_equal(kernel_sizeof(vmlinux, "list_head"), 16);
	assert_int_equal(kernel_sizeof(vmlinux, "page"), 64);
	assert_int_equal(kernel_type_find(vmlinux, "task_struct", &id), 0);
	assert_int_equal(kernel_member_find(vmlinux, id, "comm", &member, &err), 0);
	assert_int_equal(member.size, 16);
	assert_string_equal(kernel_types_origin(vmlinux), "/sys/kernel/btf/vmlinux");
	kernel_types_close(vmlinux);
}

#define FIXTURE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE(members_are_found_through_structs_unions_and_arrays),
		FIXTURE(nameless_members_open_up_even_when_their_type_has_a_name),
		FIXTURE(bit_fields_and_flexible_arrays_are_told),
		FIXTURE(wrong_paths_are_told_apart),
		FIXTURE(far_elements_of_a_flexible_array_are_refused),
		FIXTURE(bare_names_mean_struct_union_typedef_enum_in_this_order),
		FIXTURE(unknown_names_are_not_found),
		FIXTURE(sizes_go_through_typedefs_and_arrays),
		FIXTURE(enumerators_have_their_value_in_any_enum),
		FIXTURE(tables_of_fields_are_loaded),
		FIXTURE(required_field_that_is_missing_is_named),
		cmocka_unit_test(odd_bit_field_of_nine_bytes_is_whole),
		FIXTURE(types_before_an_unknown_kind_stay),
		FIXTURE(chains_without_end_come_to_an_end),
		cmocka_unit_test(what_is_no_btf_is_refused_with_a_reason),
		cmocka_unit_test(own_kernel_has_what_every_kernel_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
