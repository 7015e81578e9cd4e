// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The file behind a mapping: deleted, replaced, bound over in another mount namespace, without privileges,
 * and the vDSO. The ground truth is the running program, which says where it keeps a word that only its own
 * file has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "elf_fixture.h"
#include "elf_object.h"
#include "error.h"
#include "proc_maps.h"

/* Compiled twice, with ID a and b: says where identify() is, then waits. */
static const char program[] =
	"#include <stdio.h>\n#include <unistd.h>\n"
	"#define NAME2(id) identify_##id\n#define NAME(id) NAME2(id)\n"
	"__attribute__((noinline)) int NAME(ID)(void) { __asm__(\"\"); return sizeof(NAME(ID)); }\n"
	"int main(void) { printf(\"%p\\n\", (void *)NAME(ID)); fflush(stdout); return pause(); }\n";

static int build_all(void **state)
{
	if (fixture_setup(state))
		return -1;
	write_file("p.c", program);
	run("chmod 755 . && gcc -DID=a p.c -o a && gcc -DID=b p.c -o b");
	return 0;
}

/* Open the file behind the mapping that holds the address which the child printed. */
static int open_code(const struct child *child, struct elf_object **ret_object, struct mapping *ret_mapping)
{
	uint64_t address = strtoull(child->line, NULL, 16);
	const struct mapping *mapping;
	struct proc_maps maps;
	struct error err = {0};
	int r;

	assert_int_equal(proc_maps_read(child->pid, &maps, &err), 0);
	mapping = proc_maps_find(&maps, address);
	assert_non_null(mapping);
	r = elf_object_open_mapping(child->pid, mapping, ret_object, &err);
	if (r)
		print_message("%s\n", err.text);
	*ret_mapping = *mapping;
	ret_mapping->path = NULL;
	proc_maps_deinit(&maps);
	return r;
}

/* The object must have identify_X at the very address where the process has it. */
static void assert_identified(const struct child *child, const char *name)
{
	struct elf_object *object;
	struct elf_function function;
	struct mapping mapping;

	assert_int_equal(open_code(child, &object, &mapping), 0);
	assert_int_equal(elf_object_find_function(object, name, &function, NULL), 0);
	assert_int_equal(function.file_offset - mapping.file_offset + mapping.start,
			 strtoull(child->line, NULL, 16));
	elf_object_unref(object);
}

static void opens_the_file_of_a_running_program(void **state)
{
	struct child child = child_start("exec ./a");

	(void)state;
	assert_identified(&child, "identify_a");
	child_end(&child);
}

static void opens_a_deleted_file(void **state)
{
	struct child child;

	(void)state;
	run("cp a gone");
	child = child_start("exec ./gone");
	run("rm gone");
	assert_identified(&child, "identify_a");
	child_end(&child);
}

/* Not the program itself, so /proc/PID/exe doesn't lead to it: only map_files does. */
static void opens_a_deleted_library(void **state)
{
	struct child child;

	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("lib.c", "int identify_lib(void) { return 4; }\n");
	write_file("l.c", "#include <stdio.h>\n#include <unistd.h>\nint identify_lib(void);\n"
			  "int main(void) { printf(\"%p\\n\", (void *)identify_lib); fflush(stdout);\n"
			  "return pause(); }\n");
	run("gcc -shared -fPIC lib.c -o libgone.so && gcc l.c ./libgone.so -o l");
	child = child_start("exec ./l");
	run("rm libgone.so");
	assert_identified(&child, "identify_lib");
	child_end(&child);
}

static void opens_the_mapped_file_and_not_what_has_its_name_now(void **state)
{
	struct child child;

	(void)state;
	run("cp a replaced");
	child = child_start("exec ./replaced");
	run("cp b new && mv new replaced");
	assert_identified(&child, "identify_a");
	child_end(&child);
}

static void opens_the_file_that_another_mount_namespace_has_there(void **state)
{
	struct child child;

	(void)state;
	if (geteuid() != 0)
		skip();
	run("cp a bound");
	child = child_start("exec unshare -m sh -c 'mount --bind b bound && exec ./bound'");
	assert_identified(&child, "identify_b");
	child_end(&child);
}

static void opens_files_below_another_root(void **state)
{
	struct child child;

	(void)state;
	if (geteuid() != 0)
		skip();
	run("gcc -static -DID=b p.c -o b-static && mkdir -p root/bin && cp b-static root/bin/prog");
	child = child_start("exec chroot root /bin/prog");
	assert_identified(&child, "identify_b");
	child_end(&child);
}

/* Links inside a container mean the container's files, wherever they seem to lead. */
static void links_do_not_lead_out_of_a_container(void **state)
{
	struct child child;
	struct mapping mapping;
	struct elf_object *object;
	char *id;

	(void)state;
	if (geteuid() != 0)
		skip();
	run("gcc -static -DID=b p.c -o b-static && mkdir -p jail/bin jail/lib jail/usr/lib/debug/.build-id &&"
	    "cp b-static jail/bin/prog && strip jail/bin/prog && cp b-static jail/lib/real.debug");
	id = output_of("readelf -n b-static | sed -n 's/.*Build ID: //p' | tr -d '\\n'");
	/* An absolute link: it exists below the jail only. */
	run("d=jail/usr/lib/debug/.build-id/%.2s; mkdir -p $d && ln -s /lib/real.debug $d/%s.debug", id,
	    id + 2);
	child = child_start("exec chroot jail /bin/prog");
	assert_int_equal(open_code(&child, &object, &mapping), 0);
	assert_non_null(elf_object_debug_file(object));
	elf_object_unref(object);
	child_end(&child);
	free(id);
}

/* Run a check as a user without capabilities; the child that it looks at is its own. */
static void as_nobody(void (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(99);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void check_by_path(void)
{
	struct child child = child_start("exec ./a");

	assert_identified(&child, "identify_a");
	child_end(&child);
}

static void verifies_the_path_where_map_files_is_not_allowed(void **state)
{
	(void)state;
	as_nobody(check_by_path);
}

static void check_deleted(void)
{
	char command[256];
	struct child child;

	/* In a directory of its own, since nobody may not write into the fixture's. */
	child = child_start("d=$(mktemp -d) && cp a b $d && cd $d && exec ./a");
	snprintf(command, sizeof(command), "cd /proc/%d/cwd && mv b a && rm a && rmdir \"$(pwd -P)\"",
		 (int)child.pid);
	assert_int_equal(system(command), 0);
	assert_identified(&child, "identify_a");
	child_end(&child);
}

static void finds_a_deleted_program_without_privileges(void **state)
{
	(void)state;
	as_nobody(check_deleted);
}

static void copies_the_vdso_out_of_the_process(void **state)
{
	struct child child = child_start("exec ./a");
	struct elf_function function;
	struct elf_object *object;
	struct proc_maps maps;
	struct error err = {0};
	bool is_found = false;

	(void)state;
	assert_int_equal(proc_maps_read(child.pid, &maps, &err), 0);
	for (size_t i = 0; i < maps.count; i++) {
		if (strcmp(maps.list[i].path, "[vdso]"))
			continue;
		is_found = true;
		assert_int_equal(elf_object_open_mapping(child.pid, &maps.list[i], &object, &err), 0);
		assert_int_equal(elf_object_find_function(object, "__vdso_clock_gettime", &function, &err),
				 0);
		elf_object_unref(object);
	}
	if (!is_found)
		print_message("this kernel maps no [vdso]\n");
	proc_maps_deinit(&maps);
	child_end(&child);
}

static void refuses_mappings_that_are_no_files(void **state)
{
	struct mapping anonymous = {.start = 0x1000, .end = 0x2000, .path = (char *)""};
	struct mapping device = {.start = 0x1000, .end = 0x2000, .path = (char *)"/dev/zero", .inode = 1};
	struct mapping absent = {.start = 0x1000, .end = 0x2000, .path = (char *)"/no/such/file", .inode = 1};
	struct elf_object *object = NULL;

	(void)state;
	assert_int_equal(elf_object_open_mapping(getpid(), &anonymous, &object, NULL), -ENOENT);
	assert_int_equal(elf_object_open_mapping(getpid(), &device, &object, NULL), -EINVAL);
	assert_int_equal(elf_object_open_mapping(getpid(), &absent, &object, NULL), -ENOENT);
	assert_null(object);
}

/* Open libc's code mapping of the child as if the file had this path and another inode number. */
static int open_libc_as(const struct child *child, const char *path, bool is_deleted)
{
	struct elf_object *object = NULL;
	struct mapping mapping = {0};
	struct proc_maps maps;
	int r;

	assert_int_equal(proc_maps_read(child->pid, &maps, NULL), 0);
	for (size_t i = 0; i < maps.count; i++) {
		if (maps.list[i].is_executable && strstr(maps.list[i].path, "/libc.so.6"))
			mapping = maps.list[i];
	}
	assert_true(mapping.start);
	mapping.inode ^= 1;
	mapping.end += 4096; /* so that there is no such entry in map_files */
	mapping.path = (char *)path;
	mapping.is_deleted = is_deleted;
	r = elf_object_open_mapping(child->pid, &mapping, &object, NULL);
	proc_maps_deinit(&maps);
	elf_object_unref(object);
	return r;
}

/* As overlayfs and btrfs show it. The other file differs in one byte of the header that nothing uses. */
static void takes_another_inode_only_when_the_bytes_agree(void **state)
{
	struct child child = child_start("exec ./a");

	(void)state;
	run("libc=$(awk '/libc.so.6/ { print $6; exit }' /proc/%d/maps) && cp $libc same && cp $libc other &&"
	    "printf x | dd of=other bs=1 seek=15 conv=notrunc 2>/dev/null",
	    (int)child.pid);
	assert_int_equal(open_libc_as(&child, fixture_path("same"), false), 0);
	assert_int_equal(open_libc_as(&child, fixture_path("same"), true), -ENOENT);
	assert_int_equal(open_libc_as(&child, fixture_path("other"), false), -ENOENT);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_file_of_a_running_program),
		cmocka_unit_test(opens_a_deleted_file),
		cmocka_unit_test(opens_a_deleted_library),
		cmocka_unit_test(opens_the_mapped_file_and_not_what_has_its_name_now),
		cmocka_unit_test(opens_the_file_that_another_mount_namespace_has_there),
		cmocka_unit_test(opens_files_below_another_root),
		cmocka_unit_test(links_do_not_lead_out_of_a_container),
		cmocka_unit_test(verifies_the_path_where_map_files_is_not_allowed),
		cmocka_unit_test(finds_a_deleted_program_without_privileges),
		cmocka_unit_test(copies_the_vdso_out_of_the_process),
		cmocka_unit_test(refuses_mappings_that_are_no_files),
		cmocka_unit_test(takes_another_inode_only_when_the_bytes_agree),
	};

	return cmocka_run_group_tests(tests, build_all, fixture_teardown);
}
