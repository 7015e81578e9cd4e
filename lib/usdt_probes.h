/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The USDT probes of an ELF file: places that its authors marked for tracers (sys/sdt.h of SystemTap), each a `nop` in the
 * code and a note in .note.stapsdt. Format: SystemTap wiki, "UserSpaceProbeImplementation". Attaches nothing.
 */
#ifndef DILL_USDT_PROBES_H
#define DILL_USDT_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usdt_argument.h"

struct elf_object;
struct error;
struct usdt_probes;

struct usdt_probe {
	const char *provider, *name; /* raw bytes; with their texts they live as long as the set */
	const char *arguments_text;
	uint64_t vaddr, file_offset; /* of the instruction */
	/*
	 * File offset of a u16 that tracers raise by one while they watch: programs compute dear arguments only then. The
	 * kernel does that, given this (ref_ctr_offset of a uprobe). 0: none.
	 */
	uint64_t semaphore_offset;
	struct usdt_argument arguments[USDT_ARGUMENTS_MAX];
	size_t argument_count;
};

/*
 * All probes of @object, in the file's order; one that was inlined several times, or instantiated, is there as often. No
 * probes is no failure. Those whose place is not in the object's code are left out and counted in *ret_damaged (may be
 * NULL). -EOPNOTSUPP: not x86; -EFBIG: more notes than any program has; -ENOMEM.
 */
int usdt_probes_read(struct elf_object *object, struct usdt_probes **ret_probes, size_t *ret_damaged, struct error *err);
void usdt_probes_destroy(struct usdt_probes *probes);
size_t usdt_probes_count(const struct usdt_probes *probes);
const struct usdt_probe *usdt_probes_get(const struct usdt_probes *probes, size_t index);

/* One note as it stands in the section; texts point into it, terminated. */
struct usdt_note {
	uint64_t pc, base, semaphore;
	const char *provider, *name, *arguments;
};

/*
 * The notes in the @size bytes of a section, one by one. Ends at the first that is damaged, or when @visit returns
 * non-zero, and returns that.
 */
int usdt_notes_each(const void *bytes, size_t size, bool is_64bit, int (*visit)(const struct usdt_note *note, void *context),
		    void *context);

/*
 * The same for a C library without probes: the beginnings of those of its functions in which the probes would be, as
 * probes of provider "function". What isn't exported is there when the library's symbols are (elf_object.h).
 */
int usdt_functions_read(struct elf_object *object, struct usdt_probes **ret_probes, struct error *err);

/* What is known of a probe of glibc's allocator. */
enum usdt_meaning { USDT_NUMBER, USDT_ADDRESS, USDT_BYTES };
struct usdt_known {
	const char *name;
	const char *says; /* when it is met */
	struct {
		const char *name;
		enum usdt_meaning meaning;
	} arguments[3];
};
/*
 * Of provider "libc": glibc manual, "Memory Allocation Probes"; order of arguments as in its malloc.c. Of provider
 * "function": glibc's own. NULL: not one of these.
 */
const struct usdt_known *usdt_known_find(const char *provider, const char *name);
extern const struct usdt_known usdt_known_functions[]; /* until one without name */

#endif
