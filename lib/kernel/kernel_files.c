// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Symbols and types out of files that the user gave, after proof that they are this kernel's: the build ID of a
 * vmlinux, the places of a System.map's symbols, the length of raw BTF. A wrong file would be believed and give
 * plausible nonsense, so it is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "elf_object.h"
#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "vmcoreinfo.h"

#define BUILD_ID_MAX 64
#define NOTES_MAX 65536
#define NOTE_GNU_BUILD_ID 3

DEFINE_CLEANUP(symbols, struct kernel_symbols *, kernel_symbols_destroy(v));
DEFINE_CLEANUP(object, struct elf_object *, elf_object_unref(v));

static void write_hex(const uint8_t *bytes, size_t size, char *text, size_t text_size)
{
	text[0] = '\0';
	for (size_t i = 0; i < size && 2 * i + 2 < text_size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* The build ID among ELF notes, as hex. Source: elf(5), "Notes"; name and descriptor are padded to 4 bytes. */
static bool find_build_id(const uint8_t *notes, size_t size, char *text, size_t text_size)
{
	size_t at = 0;

	while (size - at >= 12) {
		uint32_t header[3]; /* name size, descriptor size, type */
		size_t name, descriptor;

		memcpy(header, notes + at, sizeof(header));
		name = at + sizeof(header);
		if (header[0] > size - name)
			return false;
		descriptor = name + ((header[0] + 3ULL) & ~3ULL);
		if (descriptor > size || header[1] > size - descriptor)
			return false;
		if (header[0] == 4 && !memcmp(notes + name, "GNU", 4) && header[2] == NOTE_GNU_BUILD_ID) {
			write_hex(notes + descriptor, header[1], text, text_size);
			return true;
		}
		at = descriptor + ((header[1] + 3ULL) & ~3ULL);
		if (at > size)
			return false;
	}
	return false;
}

void kernel_build_id(struct kernel *kernel, char *text, size_t size)
{
	CLEANUP(free) uint8_t *notes = NULL;
	uint64_t start, stop;

	text[0] = '\0';
	if (kernel->vmcoreinfo && !vmcoreinfo_text(kernel->vmcoreinfo, "BUILD-ID", text, size))
		return;
	if (kernel_symbol(kernel, "__start_notes", &start) || kernel_symbol(kernel, "__stop_notes", &stop) ||
	    stop <= start || stop - start > NOTES_MAX)
		return;
	notes = malloc(stop - start);
	if (notes && !kernel_read(kernel, start, notes, stop - start))
		find_build_id(notes, stop - start, text, size);
}

/* The banner that a vmlinux holds, without its newline; "" when it can't be found. */
static void file_banner(const char *path, const struct elf_object *object, char *text, size_t size)
{
	CLEANUP(symbols) struct kernel_symbols *symbols = NULL;
	uint64_t address, offset;

	text[0] = '\0';
	if (kernel_symbols_create(&symbols) || kernel_symbols_add_elf(symbols, path, 0, NULL) ||
	    kernel_symbols_find(symbols, "linux_banner", &address) ||
	    elf_object_vaddr_to_offset(object, address, &offset))
		return;
	for (size_t i = 0; i + 1 < size; i++) {
		if (elf_object_read(object, offset + i, text + i, 1) || !text[i] || text[i] == '\n') {
			text[i] = '\0';
			return;
		}
	}
	text[size - 1] = '\0';
}

static int check_vmlinux(struct kernel *kernel, const char *path, struct error *err)
{
	CLEANUP(object) struct elf_object *object = NULL;
	char target[2 * BUILD_ID_MAX + 1], file[2 * BUILD_ID_MAX + 1], banner[sizeof(kernel->banner)];
	const uint8_t *build_id;
	size_t size = 0;
	int status = elf_object_open_path(path, &object, err);

	if (status)
		return status;
	kernel_build_id(kernel, target, sizeof(target));
	build_id = elf_object_build_id(object, &size);
	write_hex(build_id, build_id ? size : 0, file, sizeof(file));
	if (target[0] && file[0])
		return strcmp(target, file) ? error_set(err, -EBADMSG,
							"%s is another kernel's: its build ID is %s, the target's %s",
							path, file, target)
					    : 0;
	kernel_find_banner(kernel);
	file_banner(path, object, banner, sizeof(banner));
	if (!kernel->banner[0] || !banner[0])
		return error_set(err, -EBADMSG, "%s: nothing tells whether it is the target's (no build ID, no banner)",
				 path);
	if (strcmp(kernel->banner, banner))
		return error_set(err, -EBADMSG, "%s is another kernel's: \"%s\", the target is \"%s\"", path, banner,
				 kernel->banner);
	return 0;
}

/* Names whose places differ between builds: whatever of them both sides know must agree. */
static const char *const witnesses[] = {
	"linux_banner", "init_uts_ns",   "swapper_pg_dir", "node_online_map", "node_data", "prb",
	"clear_seq",    "printk_rb_static", "_etext",      "__start_rodata",  "_sdata",    "_end",
	"init_task",    "kallsyms_names", "slab_caches",   "vmcoreinfo_data", "schedule",  "kmem_cache_alloc",
};

static int find_witness(struct kernel *kernel, const char *name, uint64_t *ret_address)
{
	if (kernel->vmcoreinfo && !vmcoreinfo_symbol(kernel->vmcoreinfo, name, ret_address))
		return 0;
	return kernel_symbol(kernel, name, ret_address);
}

/* How far the file's addresses are from the running kernel's: 0 for a copy of /proc/kallsyms. */
static int check_symbols(struct kernel *kernel, const char *path, uint64_t *ret_slide, struct error *err)
{
	CLEANUP(symbols) struct kernel_symbols *symbols = NULL;
	uint64_t text, slide;
	size_t agreed = 0;
	char start[14];
	int status = kernel_symbols_create(&symbols);

	if (!status)
		status = kernel_symbols_add_text(symbols, path, 0, err);
	if (status)
		return status;
	if (kernel_symbols_find(symbols, "_text", &text) && kernel_symbols_find(symbols, "_stext", &text))
		return error_set(err, -EBADMSG, "%s has no symbol _text", path);
	slide = kernel->layout.base.value - (text & ~(IMAGE_STEP - 1));
	if (text < START_KERNEL_MAP || (slide && slide != kernel->layout.kaslr_offset.value))
		return error_set(err, -EBADMSG, "%s is another kernel's or boot's: _text is %#lx there, %#lx here",
				 path, (long)text, (long)kernel->layout.base.value);
	for (size_t i = 0; i < sizeof(witnesses) / sizeof(*witnesses); i++) {
		uint64_t theirs, ours;

		if (kernel_symbols_find(symbols, witnesses[i], &theirs) ||
		    find_witness(kernel, witnesses[i], &ours))
			continue;
		if (theirs + slide != ours)
			return error_set(err, -EBADMSG, "%s is another kernel's: %s is %#lx there, %#lx here", path,
					 witnesses[i], (long)(theirs + slide), (long)ours);
		agreed++;
	}
	if (!kernel_symbols_find(symbols, "linux_banner", &text)) {
		if (kernel_read(kernel, text + slide, start, sizeof(start)) || memcmp(start, "Linux version ", 14))
			return error_set(err, -EBADMSG, "%s is another kernel's: no banner at its linux_banner",
					 path);
		agreed++;
	}
	if (!agreed)
		return error_set(err, -EBADMSG, "%s: nothing tells whether it is the target's", path);
	*ret_slide = slide;
	return 0;
}

/* Raw BTF says of no kernel that it is that one's. Its length does, where the kernel has its own. */
static int check_btf(struct kernel *kernel, const char *path, struct error *err)
{
	uint64_t start, stop;
	struct stat status;

	if (kernel_symbol(kernel, "__start_BTF", &start) || kernel_symbol(kernel, "__stop_BTF", &stop))
		return 0;
	if (stat(path, &status))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISREG(status.st_mode) && (uint64_t)status.st_size != stop - start)
		return error_set(err, -EBADMSG, "%s is another kernel's: %lu bytes of BTF, the target has %lu", path,
				 (long)status.st_size, (long)(stop - start));
	return 0;
}

/* A stripped one has types only, one without BTF symbols only; one with neither is of no use. */
static int use_vmlinux(struct kernel *kernel, const char *path, bool wants_types, struct error *err)
{
	struct error types_error = { 0 };
	int status = check_vmlinux(kernel, path, err), types = -ENOENT;

	if (status)
		return status;
	if (wants_types)
		types = kernel_types_open_elf(path, &kernel->types, &types_error);
	status = kernel_symbols_add_elf(kernel->symbols, path, kernel->layout.kaslr_offset.value, err);
	if (types == -ENOMEM)
		return error_set(err, types, "%s", types_error.text);
	return status == -ENOENT && (!types || kernel_symbols_origin(kernel->symbols)) ? 0 : status;
}

int kernel_use_files(struct kernel *kernel, const struct kernel_files *files, struct error *err)
{
	uint64_t slide = 0;
	int status = 0;

	if (files->vmlinux)
		status = use_vmlinux(kernel, files->vmlinux, !files->btf, err);
	if (!status && files->symbols) {
		status = check_symbols(kernel, files->symbols, &slide, err);
		if (!status)
			status = kernel_symbols_add_text(kernel->symbols, files->symbols, slide, err);
	}
	if (!status && files->btf) {
		status = check_btf(kernel, files->btf, err);
		if (!status)
			status = kernel_types_open_file(files->btf, &kernel->types, err);
	}
	return status;
}
