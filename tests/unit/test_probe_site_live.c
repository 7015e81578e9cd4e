// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The sites chosen in the allocators that are installed, before two judges: objdump says whether a site is an
 * instruction of the right kind which nothing jumps into; the CPU, stepping through calls, says whether every
 * call comes by once with its arguments and return address.
 *
 * This program starts itself anew with an allocator in LD_PRELOAD and "--workload": that one chooses sites in
 * its own code, leaves them in shared memory (descriptor 3) and makes calls.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "objdump_lines.h"
#include "probe_site.h"

#define SHARED_FD 3
#define WORKLOAD "--workload"

static const struct {
	const char *name;
	struct probe_need need;
} functions[] = {
	{ "malloc", { 1, true, false, true } },
	{ "free", { 1, false, true, true } },
	{ "calloc", { 2, true, false, true } },
	{ "realloc", { 2, true, false, true } },
	{ "reallocarray", { 3, true, false, true } },
	{ "posix_memalign", { 3, true, false, true } },
	{ "aligned_alloc", { 2, true, false, true } },
	{ "valloc", { 1, true, false, true } },
	{ "pvalloc", { 1, true, false, true } },
	{ "mmap", { 2, true, false, true } },
	{ "mremap", { 4, true, false, true } },
	{ "munmap", { 2, true, false, true } },
};
#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))
#define SHARED_SIZE (FUNCTION_COUNT * sizeof(struct probed))

struct probed {
	bool is_there;
	char object[256];
	uint64_t vaddr; /* in the object's file */
	uint64_t file_offset;
	uint64_t entry;
	uint64_t size;
	struct probe_site site;
	/* What the CPU judge sees. */
	bool is_pending;
	unsigned int calls, hits, skipped;
	struct user_regs_struct at_entry;
};

/* Where in its file the code of @arg lies, among the segments of the object that @info is about. */
static int find_segment(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct probed *probed = arg;

	(void)size;
	if (probed->entry - probed->vaddr != info->dlpi_addr)
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && probed->vaddr - segment->p_vaddr < segment->p_filesz) {
			probed->file_offset = probed->vaddr - segment->p_vaddr + segment->p_offset;
			return 1;
		}
	}
	return 0;
}

/* From the file: memory would show the breakpoints of whoever traces this machine's malloc just now. */
static void choose_site(struct probed *probed, const char *name, const struct probe_need *need)
{
	static uint8_t code[1 << 16];
	void *entry = dlsym(RTLD_DEFAULT, name);
	const ElfW(Sym) *symbol;
	Dl_info info;
	int fd;

	if (!entry || !dladdr1(entry, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return;
	snprintf(probed->object, sizeof(probed->object), "%s", info.dli_fname);
	probed->entry = (uint64_t)(uintptr_t)entry;
	probed->vaddr = probed->entry - (uint64_t)(uintptr_t)info.dli_fbase;
	probed->size = symbol->st_size;
	fd = open(probed->object, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || probed->size > sizeof(code) || !dl_iterate_phdr(find_segment, probed))
		return;
	if (pread(fd, code, probed->size, (off_t)probed->file_offset) == (ssize_t)probed->size)
		probed->is_there = !probe_site_choose(code, probed->size, need, &probed->site, NULL);
	close(fd);
}

/* Makes the compiler believe that a block is used. */
static void *keep(void *block)
{
	static void *volatile kept;

	kept = block;
	return kept;
}

static void make_calls(void)
{
	void *p = keep(malloc(100));

	p = keep(realloc(p, 5000));
	p = keep(reallocarray(p, 100, 100));
	free(p);
	free(keep(NULL));
	free(keep(calloc(3, 7)));
	free(keep(malloc(2 << 20)));
	p = keep(malloc(0));
	free(keep(realloc(p, 3 << 20)));
	if (!posix_memalign(&p, 64, 1000))
		free(keep(p));
	free(keep(aligned_alloc(256, 512)));
	free(keep(valloc(10)));
	keep(pvalloc(10)); /* for good: jemalloc has no pvalloc, and libc's block means nothing to its free */
	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mremap(p, 8192, 4096, 0);
	munmap(p, 4096);
}

static int run_workload(void)
{
	struct probed *shared = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);

	if (shared == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < FUNCTION_COUNT; i++)
		choose_site(&shared[i], functions[i].name, &functions[i].need);
	make_calls(); /* what is done once only is not stepped through */
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 77;
	raise(SIGSTOP);
	make_calls();
	raise(SIGSTOP);
	return 0;
}

static uint64_t argument(const struct user_regs_struct *regs, unsigned int number)
{
	const uint64_t by_number[] = { regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp,
				       regs->rsi, regs->rdi, regs->r8,  regs->r9,  regs->r10, regs->r11,
				       regs->r12, regs->r13, regs->r14, regs->r15 };

	assert_true(number < 16);
	return by_number[number];
}

static void end_call(struct probed *probed, const struct probe_need *need)
{
	if (!probed->is_pending)
		return;
	assert_true(need->zero_arg0_is_noop && probed->site.skips_zero_arg0 && probed->at_entry.rdi == 0);
	probed->skipped++;
	probed->is_pending = false;
}

static void see_step(struct probed *probed, const struct probe_need *need,
		     const struct user_regs_struct *regs)
{
	static const uint8_t registers[] = { INSN_RDI, INSN_RSI, INSN_RDX, INSN_RCX };

	if (regs->rip == probed->entry) {
		end_call(probed, need);
		probed->at_entry = *regs;
		probed->is_pending = true;
		probed->calls++;
	}
	if (regs->rip != probed->entry + probed->site.offset)
		return;
	assert_true(probed->is_pending);
	for (unsigned int i = 0; i < need->args; i++)
		assert_int_equal(argument(regs, probed->site.arg_register[i]),
				 argument(&probed->at_entry, registers[i]));
	if (need->needs_return_address)
		assert_int_equal(regs->rsp, probed->at_entry.rsp);
	probed->hits++;
	probed->is_pending = false;
}

/* From the first stop to the second. */
static void step_through(pid_t pid, struct probed *shared)
{
	struct user_regs_struct regs;
	int status;

	for (;;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			break;
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
		for (size_t i = 0; i < FUNCTION_COUNT; i++) {
			if (shared[i].is_there)
				see_step(&shared[i], &functions[i].need, &regs);
		}
	}
	for (size_t i = 0; i < FUNCTION_COUNT; i++)
		end_call(&shared[i], &functions[i].need);
}

/* Objdump's "je     98fb8 <free+0xc8>" goes in between the entry and the site, or to the site. */
static bool jumps_in_between(const struct objdump_line *line, const struct probed *probed)
{
	const char *operand = strchr(line->text, ' ');
	uint64_t target;

	if (!operand || !strchr(operand, '<') || strchr(operand, '%'))
		return false;
	target = strtoull(operand, NULL, 16);
	return target > probed->vaddr && target <= probed->vaddr + probed->site.offset;
}

static void ask_objdump(const struct probed *probed)
{
	static const char *const emulated[] = { "push ", "j", "call ", "nop", "bnd jmp" };
	struct objdump dump;
	char arguments[512];
	bool is_start = false, is_kind = !probed->site.is_emulated;

	snprintf(arguments, sizeof(arguments), "--start-address=%#llx --stop-address=%#llx '%s'",
		 (unsigned long long)probed->vaddr, (unsigned long long)(probed->vaddr + probed->size),
		 probed->object);
	objdump_read(arguments, &dump);
	for (size_t i = 0; i < dump.count; i++) {
		const struct objdump_line *line = &dump.lines[i];

		assert_false(jumps_in_between(line, probed));
		if (line->address != probed->vaddr + probed->site.offset)
			continue;
		is_start = true;
		for (size_t k = 0; k < sizeof(emulated) / sizeof(emulated[0]); k++)
			is_kind |= !strncmp(line->text, emulated[k], strlen(emulated[k]));
	}
	if (dump.count)
		assert_true(is_start && is_kind);
	objdump_deinit(&dump);
}

static void start_workload(const char *preload, int memory_fd)
{
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	if (dup2(memory_fd, SHARED_FD) == SHARED_FD)
		execl("/proc/self/exe", "test_probe_site_live", WORKLOAD, (char *)NULL);
	_exit(127);
}

static void report(const char *preload, const struct probed *shared)
{
	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		char text[160];

		if (!shared[i].is_there)
			continue;
		probe_site_describe(&shared[i].site, functions[i].name, text, sizeof(text));
		print_message("%s: %s: %u calls, %u hits, %u skipped\n",
			      preload ? strrchr(preload, '/') + 1 : "libc", text, shared[i].calls,
			      shared[i].hits, shared[i].skipped);
		assert_int_equal(shared[i].calls, shared[i].hits + shared[i].skipped);
		ask_objdump(&shared[i]);
	}
	/* Both functions exist everywhere and are called by name. */
	assert_true(shared[0].calls >= 3 && shared[1].calls >= 5);
}

static void judge(const char *preload)
{
	int memory_fd = memfd_create("probed", 0), status;
	struct probed *shared;
	pid_t pid;

	assert_true(memory_fd >= 0);
	assert_int_equal(ftruncate(memory_fd, SHARED_SIZE), 0);
	shared = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	assert_true(shared != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		start_workload(preload, memory_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("SKIP: ptrace is not allowed here\n");
		skip();
	}
	assert_true(WIFSTOPPED(status));
	step_through(pid, shared);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	report(preload, shared);
	munmap(shared, SHARED_SIZE);
	close(memory_fd);
}

static void judge_preloaded(const char *library)
{
	char path[256];

	snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", library);
	if (access(path, R_OK)) {
		print_message("SKIP: %s is not installed\n", path);
		skip();
	}
	judge(path);
}

static void every_call_in_libc_passes_its_site(void **state)
{
	(void)state;
	judge(NULL);
}

static void every_call_in_jemalloc_passes_its_site(void **state)
{
	(void)state;
	judge_preloaded("libjemalloc.so.2");
}

static void every_call_in_tcmalloc_passes_its_site(void **state)
{
	(void)state;
	judge_preloaded("libtcmalloc.so.4");
}

static void every_call_in_mimalloc_passes_its_site(void **state)
{
	(void)state;
	judge_preloaded("libmimalloc.so.2");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_in_libc_passes_its_site),
		cmocka_unit_test(every_call_in_jemalloc_passes_its_site),
		cmocka_unit_test(every_call_in_tcmalloc_passes_its_site),
		cmocka_unit_test(every_call_in_mimalloc_passes_its_site),
	};

	if (argc == 2 && !strcmp(argv[1], WORKLOAD))
		return run_workload();
#ifdef __SANITIZE_ADDRESS__
	print_message("SKIP: the address sanitizer's allocator can't be replaced\n");
	return 77;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
