// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Mappings along the list of older kernels and down a maple tree, whole and damaged; paths of their files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "task_files.h"
#include "task_image.h"
#include "task_maps.h"

#define VMA_AT(number) (MEMORY_VIRTUAL + 0x2000 + 0x80 * (uint64_t)(number))
#define NODE_AT(number) (MEMORY_VIRTUAL + 0x4000 + 0x100 * (uint64_t)(number))
#define FILE_AT (MEMORY_VIRTUAL + 0x5000)
#define INODE_AT (MEMORY_VIRTUAL + 0x5100)
#define SUPER_AT (MEMORY_VIRTUAL + 0x5200)
#define TYPE_AT (MEMORY_VIRTUAL + 0x5280)
#define DENTRY_AT(number) (MEMORY_VIRTUAL + 0x6000 + 0x100 * (uint64_t)(number))
#define MOUNT_AT(number) (MEMORY_VIRTUAL + 0x7000 + 0x100 * (uint64_t)(number))
#define FDTABLE_AT (MEMORY_VIRTUAL + 0x7800)
/* Members of the image's structures. */
#define VMA_NEXT 16
#define VMA_FLAGS 24
#define VMA_FILE 40
#define MM_MMAP 104
#define MM_ROOT 112
#define MM_COUNT 96
/* 4 slots and 3 pivots a node, behind its parent. */
#define PIVOT(number) (8 + 8 * (number))
#define SLOT(number) (32 + 8 * (number))

static struct task_image *image;
static struct task task;
static struct task_maps maps;
static struct task_maps_layout layout;
static struct error error;
static bool has_tree;

static void add_types(struct btf *btf, int u32, int u64)
{
	int pivots = btf__add_array(btf, u32, u64, 3), slots = btf__add_array(btf, u32, u64, 4);
	int path = IMAGE_STRUCT(btf, "path", 16, { "mnt", u64, 0 }, { "dentry", u64, 8 });
	int name = IMAGE_STRUCT(btf, "qstr", 16, { "len", u32, 4 }, { "name", u64, 8 });
	int hash = IMAGE_STRUCT(btf, "hlist_bl_node", 16, { "next", u64, 0 }, { "pprev", u64, 8 });
	int mount = IMAGE_STRUCT(btf, "vfsmount", 16, { "mnt_root", u64, 0 });

	IMAGE_STRUCT(btf, "maple_node", 64, { "parent", u64, 0 });
	IMAGE_STRUCT(btf, "maple_range_64", 64, { "pivot", pivots, 8 }, { "slot", slots, 32 });
	IMAGE_STRUCT(btf, "maple_arange_64", 64, { "pivot", pivots, 8 }, { "slot", slots, 32 });
	IMAGE_STRUCT(btf, "vm_area_struct", 64, { "vm_start", u64, 0 }, { "vm_end", u64, 8 },
		     { "vm_next", u64, VMA_NEXT }, { "vm_flags", u64, VMA_FLAGS }, { "vm_pgoff", u64, 32 },
		     { "vm_file", u64, VMA_FILE });
	IMAGE_STRUCT(btf, "file", 48, { "f_path", path, 0 }, { "f_inode", u64, 16 }, { "f_mode", u32, 24 });
	IMAGE_STRUCT(btf, "inode", 32, { "i_ino", u64, 0 }, { "i_mode", u32, 8 }, { "i_sb", u64, 16 });
	IMAGE_STRUCT(btf, "super_block", 16, { "s_dev", u32, 0 }, { "s_type", u64, 8 });
	IMAGE_STRUCT(btf, "file_system_type", 8, { "name", u64, 0 });
	IMAGE_STRUCT(btf, "dentry", 64, { "d_parent", u64, 0 }, { "d_name", name, 8 }, { "d_inode", u64, 24 },
		     { "d_sb", u64, 32 }, { "d_hash", hash, 40 });
	IMAGE_STRUCT(btf, "mount", 48, { "mnt_parent", u64, 0 }, { "mnt_mountpoint", u64, 8 },
		     { "mnt", mount, 16 });
	IMAGE_STRUCT(btf, "files_struct", 8, { "fdt", u64, 0 });
	IMAGE_STRUCT(btf, "fdtable", 32, { "max_fds", u32, 0 }, { "fd", u64, 8 }, { "open_fds", u64, 16 },
		     { "close_on_exec", u64, 24 });
}

/* 0x10000 bytes apart, each a page, with permissions r, rw, rx, … by number. */
static void put_vma(unsigned number, uint64_t start, uint64_t flags)
{
	image_u64(image, VMA_AT(number), start);
	image_u64(image, VMA_AT(number) + 8, start + PAGE);
	image_u64(image, VMA_AT(number) + VMA_FLAGS, flags);
}

static void put_list(unsigned count)
{
	image_u64(image, MM_AT(1) + MM_MMAP, VMA_AT(0));
	image_u32(image, MM_AT(1) + MM_COUNT, count);
	for (unsigned i = 0; i < count; i++) {
		put_vma(i, 0x10000 * (i + 1), i % 8);
		image_u64(image, VMA_AT(i) + VMA_NEXT, i + 1 < count ? VMA_AT(i + 1) : 0);
	}
}

/* Two leaves below the root: mappings 0 and 1 in one, 2 in the other; gaps between them. */
static void put_tree(void)
{
	static const uint64_t first[] = { 0xffff, 0x10fff, 0x1ffff }, second[] = { 0x2ffff, 0x30fff };

	for (unsigned i = 0; i < 3; i++)
		put_vma(i, 0x10000 * (i + 1), 1);
	image_u64(image, MM_AT(1) + MM_ROOT, NODE_AT(0) | 3 << 3 | 2);
	image_u32(image, MM_AT(1) + MM_COUNT, 3);
	image_u64(image, NODE_AT(0) + PIVOT(0), 0x20fff);
	image_u64(image, NODE_AT(0) + PIVOT(1), UINT64_MAX);
	image_u64(image, NODE_AT(0) + SLOT(0), NODE_AT(1) | 1 << 3 | 4);
	image_u64(image, NODE_AT(0) + SLOT(1), NODE_AT(2) | 1 << 3 | 4);
	for (unsigned i = 0; i < 3; i++)
		image_u64(image, NODE_AT(1) + PIVOT(i), first[i]);
	image_u64(image, NODE_AT(1) + SLOT(1), VMA_AT(0));
	image_u64(image, NODE_AT(1) + SLOT(3), VMA_AT(1));
	for (unsigned i = 0; i < 2; i++)
		image_u64(image, NODE_AT(2) + PIVOT(i), second[i]);
	image_u64(image, NODE_AT(2) + SLOT(1), VMA_AT(2));
}

static int set_up(void **state)
{
	(void)state;
	image = image_create(add_types);
	memset(&maps, 0, sizeof(maps));
	task = (struct task){ .mm = MM_AT(1), .files = FDTABLE_AT - 8 };
	assert_int_equal(task_maps_layout_load(image->kernel, &layout, &error), 0);
	/* The image has both, a kernel never. */
	layout.mm.maple_root = (struct field){ .offset = MM_ROOT, .size = has_tree ? 8 : 0 };
	return 0;
}

static int set_up_tree(void **state)
{
	has_tree = true;
	set_up(state);
	has_tree = false;
	put_tree();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	task_maps_deinit(&maps);
	image_destroy(image);
	return 0;
}

static void read_maps(void)
{
	assert_int_equal(task_maps_read(image->kernel, &layout, &task, &maps, &error), 0);
}

static void mappings_come_along_the_list(void **state)
{
	(void)state;
	put_list(5);
	read_maps();
	assert_int_equal(maps.count, 5);
	assert_int_equal(maps.expected, 5);
	assert_int_equal(maps.list[4].start, 0x50000);
	assert_int_equal(maps.list[4].end, 0x51000);
	assert_string_equal(maps.list[3].permissions, "rw-p");
	assert_string_equal(maps.list[4].permissions, "--xp");
	assert_false(maps.is_disordered);
}

static void a_list_that_runs_back_ends_there(void **state)
{
	(void)state;
	put_list(5);
	image_u64(image, VMA_AT(3) + VMA_NEXT, VMA_AT(1));
	read_maps();
	assert_int_equal(maps.count, 4);
	assert_true(maps.is_disordered);
}

static void a_list_that_leads_nowhere_keeps_what_came_before(void **state)
{
	(void)state;
	put_list(5);
	image_u64(image, VMA_AT(2) + VMA_NEXT, 0xdead000000000100);
	read_maps();
	assert_int_equal(maps.count, 3);
	assert_int_equal(maps.unreadable, 1);
}

static void heap_and_stack_are_named_by_where_they_lie(void **state)
{
	(void)state;
	put_list(3);
	image_u64(image, MM_AT(1) + 72, 0x20800);
	image_u64(image, MM_AT(1) + 80, 0x20000);
	image_u64(image, MM_AT(1) + 88, 0x30ff0);
	read_maps();
	assert_null(maps.list[0].name);
	assert_string_equal(maps.list[1].name, "[heap]");
	assert_string_equal(maps.list[2].name, "[stack]");
}

static void mappings_come_out_of_a_tree_in_order(void **state)
{
	(void)state;
	read_maps();
	assert_int_equal(maps.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(maps.list[i].vma, VMA_AT(i));
	assert_int_equal(maps.unreadable, 0);
	assert_false(maps.is_disordered);
}

static void a_tree_of_one_entry_has_no_nodes(void **state)
{
	(void)state;
	image_u64(image, MM_AT(1) + MM_ROOT, VMA_AT(1));
	read_maps();
	assert_int_equal(maps.count, 1);
	image_u64(image, MM_AT(1) + MM_ROOT, 0);
	kernel_forget(image->kernel);
	task_maps_deinit(&maps);
	read_maps();
	assert_int_equal(maps.count, 0);
}

static void a_node_that_is_its_own_child_ends(void **state)
{
	(void)state;
	image_u64(image, NODE_AT(0) + SLOT(1), NODE_AT(0) | 3 << 3 | 4);
	read_maps();
	assert_true(maps.count >= 2 && maps.count < 10);
	assert_true(maps.unreadable || maps.is_disordered);
}

static void a_lost_leaf_loses_only_its_own(void **state)
{
	(void)state;
	image_u64(image, NODE_AT(0) + SLOT(0), 0xffff888f00000000 | 1 << 3 | 4);
	read_maps();
	assert_int_equal(maps.count, 1);
	assert_int_equal(maps.list[0].vma, VMA_AT(2));
	assert_int_equal(maps.unreadable, 1);
}

/* Paths: dentry 0 is the root, 1 "mnt" in it, 2 the root of what is mounted there, 3 "file" in that. */

static void put_dentry(unsigned number, unsigned parent, const char *name)
{
	uint64_t at = DENTRY_AT(number);

	image_u64(image, at, DENTRY_AT(parent));
	image_u32(image, at + 12, strlen(name));
	image_u64(image, at + 16, at + 0x80);
	image_put(image, at + 0x80, name, strlen(name));
	image_u64(image, at + 24, INODE_AT);
	image_u64(image, at + 32, SUPER_AT);
	image_u64(image, at + 48, 1); /* hashed */
}

static void put_mount(unsigned number, unsigned parent, unsigned root, unsigned mountpoint)
{
	image_u64(image, MOUNT_AT(number), MOUNT_AT(parent));
	image_u64(image, MOUNT_AT(number) + 8, DENTRY_AT(mountpoint));
	image_u64(image, MOUNT_AT(number) + 16, DENTRY_AT(root));
}

static void put_type(const char *name)
{
	image_u64(image, SUPER_AT + 8, TYPE_AT);
	image_u64(image, TYPE_AT, TYPE_AT + 16);
	image_put(image, TYPE_AT + 16, name, strlen(name) + 1);
}

static void put_paths(void)
{
	put_dentry(0, 0, "/");
	put_dentry(1, 0, "mnt");
	put_dentry(2, 2, "/");
	put_dentry(3, 2, "file");
	put_mount(0, 0, 0, 0);
	put_mount(1, 0, 2, 1);
	put_type("tmpfs");
	image_u64(image, INODE_AT, 4711);
	image_u32(image, INODE_AT + 8, 0100644);
	image_u64(image, INODE_AT + 16, SUPER_AT);
	image_u32(image, SUPER_AT, 8 << 20 | 3);
	image_u64(image, FILE_AT, MOUNT_AT(1) + 16);
	image_u64(image, FILE_AT + 8, DENTRY_AT(3));
	image_u64(image, FILE_AT + 16, INODE_AT);
	image_u32(image, FILE_AT + 24, 1);
}

static void assert_path(const char *wanted)
{
	struct kernel_file file;

	kernel_forget(image->kernel);
	assert_int_equal(kernel_file_read(image->kernel, &layout.path, FILE_AT, &file), 0);
	if (wanted)
		assert_string_equal(file.path, wanted);
	else
		assert_null(file.path);
	kernel_file_deinit(&file);
}

static void a_path_leads_through_mounts(void **state)
{
	struct kernel_file file;

	(void)state;
	put_paths();
	assert_path("/mnt/file");
	assert_int_equal(kernel_file_read(image->kernel, &layout.path, FILE_AT, &file), 0);
	assert_int_equal(file.kind, FILE_REGULAR);
	assert_int_equal(file.ino, 4711);
	assert_int_equal(file.dev, 8 << 20 | 3);
	kernel_file_deinit(&file);
	image_u64(image, FILE_AT + 8, DENTRY_AT(2));
	assert_path("/mnt");
	image_u64(image, FILE_AT, MOUNT_AT(0) + 16);
	image_u64(image, FILE_AT + 8, DENTRY_AT(0));
	assert_path("/");
}

static void an_unlinked_file_is_marked(void **state)
{
	(void)state;
	put_paths();
	image_u64(image, DENTRY_AT(3) + 48, 0);
	assert_path("/mnt/file (deleted)");
}

static void files_without_a_path_are_named_as_their_kind_does(void **state)
{
	(void)state;
	put_paths();
	put_dentry(3, 3, "[eventfd]");
	put_type("anon_inodefs");
	assert_path("anon_inode:[eventfd]");
	put_type("pipefs");
	assert_path("pipe:[4711]");
	put_type("sockfs");
	assert_path("socket:[4711]");
	put_type("tmpfs");
	put_dentry(3, 3, "memfd:x");
	assert_path("/memfd:x (deleted)");
}

static void parents_in_a_circle_give_no_path(void **state)
{
	(void)state;
	put_paths();
	put_dentry(3, 1, "file");
	put_dentry(1, 3, "mnt");
	assert_path(NULL);
}

static void mounts_in_a_circle_give_no_path(void **state)
{
	(void)state;
	put_paths();
	put_mount(0, 1, 0, 2);
	put_mount(1, 0, 2, 0);
	assert_path(NULL);
}

static void open_files_are_those_of_the_bitmap(void **state)
{
	struct task_files_layout files_layout;
	struct task_files files;

	(void)state;
	put_paths();
	image_u64(image, FDTABLE_AT - 8, FDTABLE_AT);
	image_u32(image, FDTABLE_AT, 128);
	image_u64(image, FDTABLE_AT + 8, FDTABLE_AT + 0x100);
	image_u64(image, FDTABLE_AT + 16, FDTABLE_AT + 0x40);
	image_u64(image, FDTABLE_AT + 24, FDTABLE_AT + 0x60);
	image_u64(image, FDTABLE_AT + 0x40, 1 | 1 << 2 | 1 << 5);
	image_u64(image, FDTABLE_AT + 0x48, 1);
	image_u64(image, FDTABLE_AT + 0x60, 1 << 2);
	image_u64(image, FDTABLE_AT + 0x100, FILE_AT);
	image_u64(image, FDTABLE_AT + 0x110, FILE_AT);
	image_u64(image, FDTABLE_AT + 0x128, 0xffff888f00000000); /* 5: leads nowhere */
	image_u64(image, FDTABLE_AT + 0x130, FILE_AT);            /* 6: not open any more */
	image_u64(image, FDTABLE_AT + 0x100 + 8 * 64, FILE_AT);
	assert_int_equal(task_files_layout_load(image->kernel, &files_layout, &error), 0);
	assert_int_equal(task_files_read(image->kernel, &files_layout, &task, &files, &error), 0);
	assert_int_equal(files.count, 3);
	assert_int_equal(files.unreadable, 1);
	assert_int_equal(files.list[1].fd, 2);
	assert_true(files.list[1].closes_on_exec && !files.list[0].closes_on_exec);
	assert_int_equal(files.list[2].fd, 64);
	assert_string_equal(files.list[2].file.path, "/mnt/file");
	task_files_deinit(&files);
	image_u32(image, FDTABLE_AT, 0xffffffff);
	kernel_forget(image->kernel);
	assert_int_equal(task_files_read(image->kernel, &files_layout, &task, &files, &error), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tree, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mappings_come_along_the_list),
		TEST(a_list_that_runs_back_ends_there),
		TEST(a_list_that_leads_nowhere_keeps_what_came_before),
		TEST(heap_and_stack_are_named_by_where_they_lie),
		TREE_TEST(mappings_come_out_of_a_tree_in_order),
		TREE_TEST(a_tree_of_one_entry_has_no_nodes),
		TREE_TEST(a_node_that_is_its_own_child_ends),
		TREE_TEST(a_lost_leaf_loses_only_its_own),
		TEST(a_path_leads_through_mounts),
		TEST(an_unlinked_file_is_marked),
		TEST(files_without_a_path_are_named_as_their_kind_does),
		TEST(parents_in_a_circle_give_no_path),
		TEST(mounts_in_a_circle_give_no_path),
		TEST(open_files_are_those_of_the_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
