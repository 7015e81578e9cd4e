// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Symbols over the life of processes: after exit, after exec, after dlclose, with files deleted or hidden in
 * another mount namespace, with text moved to anonymous memory. The programs say where their functions are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "elf_fixture.h"
#include "error.h"
#include "symbolizer.h"

static const char program[] =
	"#include <stdio.h>\n#include <unistd.h>\n"
	"int main(void)\n{\n\tprintf(\"%p\\n\", (void *)main);\n\tfflush(stdout);\n\treturn pause();\n}\n";

static int build_all(void **state)
{
	if (fixture_setup(state))
		return -1;
	write_file("p.c", program);
	run("gcc -g p.c -o p");
	return 0;
}

static struct symbolizer *create(void)
{
	struct symbolizer_options options = {.wants_lines = true, .wants_inlines = true};
	struct symbolizer *symbolizer;

	assert_int_equal(symbolizer_create(&options, &symbolizer, NULL), 0);
	return symbolizer;
}

static void refresh(struct symbolizer *symbolizer, pid_t pid)
{
	struct error err = {0};

	if (symbolizer_refresh(symbolizer, pid, &err))
		fail_msg("%s", err.text);
}

static struct source_frame resolve(struct symbolizer *symbolizer, pid_t pid, uint64_t address)
{
	struct source_frames frames;

	assert_int_equal(symbolizer_resolve(symbolizer, pid, address, false, &frames, NULL), 0);
	assert_true(frames.count >= 1);
	return frames.list[frames.count - 1];
}

static void assert_is_main(struct symbolizer *symbolizer, const struct child *child)
{
	struct source_frame frame = resolve(symbolizer, child->pid, strtoull(child->line, NULL, 16));

	assert_non_null(frame.symbol);
	assert_string_equal(frame.symbol, "main");
	assert_int_equal(frame.symbol_offset, 0);
	assert_string_equal(frame.file, "p.c");
	assert_int_equal(frame.line, 4);
}

static void resolves_after_the_process_has_exited(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child = child_start("exec ./p"), gone = child;

	(void)state;
	refresh(symbolizer, child.pid);
	child_end(&child);
	assert_is_main(symbolizer, &gone);
	/* A refresh that comes too late takes nothing away. */
	assert_int_equal(symbolizer_refresh(symbolizer, gone.pid, NULL), -ESRCH);
	assert_is_main(symbolizer, &gone);
	symbolizer_destroy(symbolizer);
}

static void resolves_after_process_and_file_are_gone(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child, gone;

	(void)state;
	run("cp p q");
	child = gone = child_start("exec ./q");
	refresh(symbolizer, child.pid);
	child_end(&child);
	run("rm q");
	assert_is_main(symbolizer, &gone);
	assert_string_equal(resolve(symbolizer, gone.pid, strtoull(gone.line, NULL, 16)).object, "q");
	symbolizer_destroy(symbolizer);
}

static void resolves_a_program_whose_file_was_deleted_before(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child;

	(void)state;
	run("cp p q");
	child = child_start("exec ./q");
	run("rm q");
	refresh(symbolizer, child.pid);
	assert_is_main(symbolizer, &child);
	assert_string_equal(resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16)).object, "q");
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

static void resolves_in_another_mount_namespace_after_it_is_gone(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child, gone;

	(void)state;
	if (geteuid() != 0)
		skip();
	run("mkdir -p mnt");
	child = gone =
		child_start("exec unshare -m sh -c 'mount -t tmpfs none mnt && cp p mnt/p && exec mnt/p'");
	refresh(symbolizer, child.pid);
	child_end(&child);
	assert_is_main(symbolizer, &gone);
	symbolizer_destroy(symbolizer);
}

static void finds_a_containers_debug_file_after_the_container_is_gone(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child, gone;

	(void)state;
	if (geteuid() != 0)
		skip();
	run("gcc -g -static p.c -o s && id=$(readelf -n s | sed -n 's/.*Build ID: //p') && mkdir -p mnt &&"
	    "echo $id | sed 's,^..,usr/lib/debug/.build-id/&/,; s/$/.debug/' >debug-name && strip s -o "
	    "stripped");
	child = gone = child_start("exec unshare -m sh -c 'mount -t tmpfs none mnt && mkdir -p mnt/$(dirname "
				   "$(cat debug-name)) && "
				   "cp stripped mnt/p && cp s mnt/$(cat debug-name) && exec chroot mnt /p'");
	refresh(symbolizer, child.pid);
	child_end(&child);
	assert_is_main(symbolizer, &gone);
	symbolizer_destroy(symbolizer);
}

static void knows_nothing_of_processes_that_it_was_not_shown(void **state)
{
	struct symbolizer *symbolizer = create();
	struct source_frame frame = resolve(symbolizer, getpid(), (uintptr_t)build_all);

	(void)state;
	assert_null(frame.symbol);
	assert_string_equal(frame.object, "[unknown]");
	assert_int_equal(frame.object_vaddr, (uintptr_t)build_all);
	assert_false(symbolizer_knows(symbolizer, getpid(), (uintptr_t)build_all));
	refresh(symbolizer, getpid());
	assert_true(symbolizer_knows(symbolizer, getpid(), (uintptr_t)build_all));
	assert_string_equal(resolve(symbolizer, getpid(), (uintptr_t)build_all).symbol, "build_all");
	symbolizer_forget(symbolizer, getpid());
	assert_false(symbolizer_knows(symbolizer, getpid(), (uintptr_t)build_all));
	symbolizer_destroy(symbolizer);
}

static void addresses_that_are_not_code_have_no_symbol(void **state)
{
	static const uint64_t addresses[] = {0, 1, 0x1000, UINT64_MAX, 1ULL << 63};
	struct symbolizer *symbolizer = create();
	struct source_frames frames;

	(void)state;
	refresh(symbolizer, getpid());
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		assert_string_equal(resolve(symbolizer, getpid(), addresses[i]).object, "[unknown]");
		assert_int_equal(symbolizer_resolve(symbolizer, getpid(), addresses[i], true, &frames, NULL),
				 0);
		assert_string_equal(frames.list[0].object, "[unknown]");
	}
	symbolizer_destroy(symbolizer);
}

/* The process prints where a library's function was; the library is gone by then. */
static void keeps_libraries_that_were_unloaded(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child;
	uint64_t address;

	(void)state;
	write_file("lib.c", "int from_library(int x) { return x + 1; }\n");
	write_file("d.c", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <signal.h>\n#include "
			  "<stdio.h>\n#include <unistd.h>\n"
			  "int main(void)\n{\n\tvoid *lib = dlopen(\"./lib.so\", RTLD_NOW);\n"
			  "\tsigset_t set;\n\tsigemptyset(&set);\n\tsigaddset(&set, "
			  "SIGUSR1);\n\tsigprocmask(SIG_BLOCK, &set, 0);\n"
			  "\tprintf(\"%p\\n\", dlsym(lib, "
			  "\"from_library\"));\n\tfflush(stdout);\n\tsigwaitinfo(&set, 0);\n"
			  "\tdlclose(lib);\n\tfopen(\"closed\", \"w\");\n\treturn pause();\n}\n");
	run("gcc -shared -fPIC -O1 lib.c -o lib.so && gcc d.c -o d -ldl && rm -f closed");
	child = child_start("exec ./d");
	address = strtoull(child.line, NULL, 16);
	refresh(symbolizer, child.pid);
	assert_string_equal(resolve(symbolizer, child.pid, address).symbol, "from_library");
	kill(child.pid, SIGUSR1);
	run("while ! [ -e closed ]; do sleep 0.05; done");
	run("! grep lib.so /proc/%d/maps", (int)child.pid);
	refresh(symbolizer, child.pid);
	refresh(symbolizer, child.pid);
	assert_string_equal(resolve(symbolizer, child.pid, address).symbol, "from_library");
	assert_true(symbolizer_knows(symbolizer, child.pid, address));
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/* A call may be the last instruction of a mapping. */
static void a_return_address_may_be_the_end_of_a_mapping(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child = child_start("exec ./p");
	char *text = output_of("sed -n 's/^[0-9a-f]*-\\([0-9a-f]*\\) r-xp .*\\/p$/\\1/p' /proc/%d/maps",
			       (int)child.pid);
	struct source_frames frames;

	(void)state;
	refresh(symbolizer, child.pid);
	assert_int_equal(
		symbolizer_resolve(symbolizer, child.pid, strtoull(text, NULL, 16), true, &frames, NULL), 0);
	assert_string_equal(frames.list[0].object, "p");
	free(text);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/*
 * Of a library's three pages of code the outer ones are unmapped and the program itself is mapped over the
 * middle.
 */
static void keeps_what_nothing_new_is_mapped_over(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child;
	uint64_t address;

	(void)state;
	write_file("three.c",
		   "#define F(n) __attribute__((aligned(4096))) int f##n(int x) { return x + n; }\n"
		   "F(1) F(2) F(3)\n__attribute__((aligned(4096))) int f4(int x) { return x; }\n");
	write_file("t.c", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <fcntl.h>\n#include <signal.h>\n"
			  "#include <stdio.h>\n#include <sys/mman.h>\n#include <unistd.h>\n"
			  "int main(void)\n{\n\tchar *f = dlsym(dlopen(\"./three.so\", RTLD_NOW), \"f1\");\n"
			  "\tint fd = open(\"/proc/self/exe\", O_RDONLY);\n"
			  "\tsigset_t set;\n\tsigemptyset(&set);\n\tsigaddset(&set, "
			  "SIGUSR1);\n\tsigprocmask(SIG_BLOCK, &set, 0);\n\tprintf(\"%p\\n\", (void "
			  "*)f);\n\tfflush(stdout);\n\tsigwaitinfo(&set, 0);\n"
			  "\tmunmap(f, 3 * 4096);\n"
			  "\tmmap(f + 4096, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);\n"
			  "\tfclose(fopen(\"mapped\", \"w\"));\n\treturn pause();\n}\n");
	run("gcc -shared -fPIC -O1 three.c -o three.so && gcc t.c -o t -ldl && rm -f mapped");
	child = child_start("exec ./t");
	address = strtoull(child.line, NULL, 16);
	refresh(symbolizer, child.pid);
	kill(child.pid, SIGUSR1);
	run("while ! [ -e mapped ]; do sleep 0.05; done");
	for (int i = 0; i < 2; i++) {
		refresh(symbolizer, child.pid);
		assert_string_equal(resolve(symbolizer, child.pid, address).symbol, "f1");
		assert_string_equal(resolve(symbolizer, child.pid, address + 4096).object, "t");
		assert_string_equal(resolve(symbolizer, child.pid, address + 2 * 4096).symbol, "f3");
		assert_int_equal(resolve(symbolizer, child.pid, address + 2 * 4096).symbol_offset, 0);
		assert_string_equal(resolve(symbolizer, child.pid, address + 3 * 4096).symbol, "f4");
	}
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/* Not position-independent, so both programs are at the same addresses: what is mapped now counts. */
static void after_exec_the_new_program_counts(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child;
	uint64_t address;

	(void)state;
	write_file("e.c", "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n"
			  "static void go(int s) { (void)s; execl(\"./new\", \"new\", NULL); _exit(1); }\n"
			  "int NAME(int x) { return x; }\n"
			  "int main(int argc, char **argv)\n{\n\tsignal(SIGUSR1, go);\n"
			  "\tif (argc == 1)\n\t\tfclose(fopen(\"ready\", \"w\"));\n"
			  "\telse\n\t\tprintf(\"%p %s\\n\", (void *)NAME, argv[1]);\n\tfflush(stdout);\n"
			  "\treturn pause();\n}\n");
	run("gcc -no-pie -O1 -DNAME=old_name e.c -o old && gcc -no-pie -O1 -DNAME=new_name e.c -o new; rm -f "
	    "ready");
	child = child_start("exec ./old first");
	address = strtoull(child.line, NULL, 16);
	refresh(symbolizer, child.pid);
	assert_string_equal(resolve(symbolizer, child.pid, address).symbol, "old_name");
	kill(child.pid, SIGUSR1);
	run("while ! [ -e ready ]; do sleep 0.05; done");
	refresh(symbolizer, child.pid);
	assert_string_equal(resolve(symbolizer, child.pid, address).symbol, "new_name");
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

static void anonymous_code_is_called_anonymous(void **state)
{
	struct symbolizer *symbolizer = create();
	struct source_frame frame;
	struct child child;

	(void)state;
	write_file(
		"j.c",
		"#include <stdio.h>\n#include <sys/mman.h>\n#include <unistd.h>\n"
		"int main(void) { printf(\"%p\\n\", mmap((void *)0x10000000, 4096, PROT_READ | PROT_EXEC,\n"
		"MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)); fflush(stdout); return pause(); }\n");
	run("gcc j.c -o j");
	child = child_start("exec ./j");
	refresh(symbolizer, child.pid);
	frame = resolve(symbolizer, child.pid, 0x10000010);
	assert_null(frame.symbol);
	assert_string_equal(frame.object, "[anon]");
	assert_true(symbolizer_knows(symbolizer, child.pid, 0x10000010));
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/* Text copied to anonymous memory and moved into its own place, as programs do that want it on huge pages. */
static void text_that_was_moved_to_anonymous_memory_keeps_its_symbols(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child child;

	(void)state;
	write_file("h.c",
		   "#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <sys/mman.h>\n"
		   "#include <unistd.h>\n"
		   "__attribute__((aligned(4096), noinline)) int moved(int x) { return x + 1; }\n"
		   "__attribute__((aligned(4096), noinline)) int after(int x) { return x + 2; }\n"
		   "int main(void)\n{\n\tint rwx = PROT_READ | PROT_WRITE | PROT_EXEC;\n"
		   "\tvoid *copy = mmap(0, 4096, rwx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
		   "\tmemcpy(copy, (void *)moved, 4096);\n"
		   "\tif (mremap(copy, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)moved) == "
		   "MAP_FAILED)\n"
		   "\t\treturn 1;\n"
		   "\tprintf(\"%p %d\\n\", (void *)moved, moved(1));\n\tfflush(stdout);\n\treturn "
		   "pause();\n}\n");
	run("gcc -O1 h.c -o h");
	child = child_start("exec ./h");
	assert_non_null(strstr(child.line, " 2\n"));
	run("grep -E '^%llx-[0-9a-f]* rwxp 00000000 00:00 0' /proc/%d/maps >/dev/null",
	    strtoull(child.line, NULL, 16), (int)child.pid);
	refresh(symbolizer, child.pid);
	assert_string_equal(resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16) + 1).symbol,
			    "moved");
	assert_string_equal(resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16) + 1).object, "h");
	assert_string_equal(resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16) + 4096).symbol,
			    "after");
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

static void resolves_in_the_vdso(void **state)
{
	struct symbolizer *symbolizer = create();
	char *text = output_of("sed -n 's/-.*\\[vdso\\]$//p' /proc/%d/maps", (int)getpid());
	uint64_t start = strtoull(text, NULL, 16);
	bool is_found = false;

	(void)state;
	free(text);
	if (!start)
		skip();
	refresh(symbolizer, getpid());
	assert_string_equal(resolve(symbolizer, getpid(), start).object, "[vdso]");
	for (uint64_t at = start; at < start + 4096 && !is_found; at++) {
		const char *symbol = resolve(symbolizer, getpid(), at).symbol;

		is_found = symbol && strstr(symbol, "clock_gettime");
	}
	assert_true(is_found);
	symbolizer_destroy(symbolizer);
}

static void equal_strings_and_repeated_answers_are_the_same_pointer(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child one = child_start("exec ./p"), two = child_start("exec ./p");
	struct source_frame a, b;

	(void)state;
	refresh(symbolizer, one.pid);
	refresh(symbolizer, two.pid);
	a = resolve(symbolizer, one.pid, strtoull(one.line, NULL, 16));
	b = resolve(symbolizer, two.pid, strtoull(two.line, NULL, 16));
	assert_string_equal(a.symbol, "main");
	assert_ptr_equal(a.symbol, b.symbol);
	assert_ptr_equal(a.file, b.file);
	assert_ptr_equal(a.object_path, b.object_path);
	child_end(&one);
	child_end(&two);
	symbolizer_destroy(symbolizer);
}

static size_t open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void shares_descriptors_between_processes_and_closes_them(void **state)
{
	struct symbolizer *symbolizer = create();
	struct child one = child_start("exec ./p"), two = child_start("exec ./p");
	size_t before = open_descriptors(), with_one;

	(void)state;
	refresh(symbolizer, one.pid);
	with_one = open_descriptors();
	assert_true(with_one > before);
	refresh(symbolizer, two.pid);
	refresh(symbolizer, one.pid);
	assert_int_equal(open_descriptors(), with_one);
	symbolizer_forget(symbolizer, one.pid);
	assert_int_equal(open_descriptors(), with_one);
	symbolizer_forget(symbolizer, two.pid);
	assert_int_equal(open_descriptors(), before);
	child_end(&one);
	child_end(&two);
	symbolizer_destroy(symbolizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_after_the_process_has_exited),
		cmocka_unit_test(resolves_after_process_and_file_are_gone),
		cmocka_unit_test(resolves_a_program_whose_file_was_deleted_before),
		cmocka_unit_test(resolves_in_another_mount_namespace_after_it_is_gone),
		cmocka_unit_test(finds_a_containers_debug_file_after_the_container_is_gone),
		cmocka_unit_test(knows_nothing_of_processes_that_it_was_not_shown),
		cmocka_unit_test(addresses_that_are_not_code_have_no_symbol),
		cmocka_unit_test(keeps_libraries_that_were_unloaded),
		cmocka_unit_test(a_return_address_may_be_the_end_of_a_mapping),
		cmocka_unit_test(keeps_what_nothing_new_is_mapped_over),
		cmocka_unit_test(after_exec_the_new_program_counts),
		cmocka_unit_test(anonymous_code_is_called_anonymous),
		cmocka_unit_test(text_that_was_moved_to_anonymous_memory_keeps_its_symbols),
		cmocka_unit_test(resolves_in_the_vdso),
		cmocka_unit_test(equal_strings_and_repeated_answers_are_the_same_pointer),
		cmocka_unit_test(shares_descriptors_between_processes_and_closes_them),
	};

	return cmocka_run_group_tests(tests, build_all, fixture_teardown);
}
