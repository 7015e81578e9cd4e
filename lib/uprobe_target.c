// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The functions are written in assembly, so that no compiler flag (-fcf-protection, profiling, sanitizers)
 * decides their first instruction.
 */
#include "uprobe_target.h"

#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "proc_maps.h"

#define FUNCTION(name, body)                                                                    \
	asm(".pushsection .text\n.p2align 5\n.globl " #name "\n.hidden " #name "\n.type " #name \
	    ", %function\n" #name ":\n" body "\n.size " #name ", .-" #name "\n.popsection\n")

#if defined(__x86_64__)
/* arch/x86/kernel/uprobes.c: push is emulated (e7ed9d9bd037, 4.16), test is not. */
FUNCTION(uprobe_target_emulated, "push %rbp\npop %rbp\nret");
FUNCTION(uprobe_target_single_stepped, "test %rdi, %rdi\nret");
FUNCTION(uprobe_target_returning, "push %rbp\npop %rbp\nret");
#elif defined(__aarch64__)
/* arch/arm64/kernel/probes/decode-insn.c: branches are simulated, arithmetic is not. */
FUNCTION(uprobe_target_emulated, "b 1f\n1: ret");
FUNCTION(uprobe_target_single_stepped, "add x0, x0, #0\nret");
FUNCTION(uprobe_target_returning, "b 1f\n1: ret");
#else
#error "say which instruction this architecture's uprobes emulate"
#endif

DEFINE_CLEANUP(maps, struct proc_maps, proc_maps_deinit(&v));

static int file_offset(const struct mapping *mapping, void (*function)(void), uint64_t *ret_offset)
{
	uint64_t address = (uint64_t)(uintptr_t)function;

	if (address < mapping->start || address >= mapping->end)
		return -EBADMSG;
	*ret_offset = address - mapping->start + mapping->file_offset;
	return 0;
}

/* /proc/self/exe works in any mount namespace and for a deleted file; a shared object has only its path. */
static int open_file(const struct mapping *mapping)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
	size_t length = strlen(mapping->path);
	int fd;

	if (size < 0)
		return -errno;
	path[size] = '\0';
	if (strncmp(path, mapping->path, length) == 0 && (!path[length] || mapping->is_deleted))
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	else
		fd = open(mapping->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int uprobe_target_open(struct uprobe_target_file *ret_file, struct error *err)
{
	CLEANUP(maps) struct proc_maps maps = { 0 };
	struct uprobe_target_file file;
	const struct mapping *mapping;
	int rc;

	rc = proc_maps_read(getpid(), &maps, err);
	if (rc)
		return rc;
	mapping = proc_maps_find(&maps, (uint64_t)(uintptr_t)uprobe_target_emulated);
	if (!mapping || file_offset(mapping, uprobe_target_emulated, &file.emulated_offset) ||
	    file_offset(mapping, uprobe_target_single_stepped, &file.single_stepped_offset) ||
	    file_offset(mapping, uprobe_target_returning, &file.returning_offset))
		return error_set(err, -EBADMSG, "own code not found in /proc/self/maps");
	file.fd = open_file(mapping);
	if (file.fd < 0)
		return error_set(err, file.fd, "%s: %s", mapping->path, strerror(-file.fd));
	*ret_file = file;
	return 0;
}
