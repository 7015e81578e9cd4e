/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Source file, line and inlined functions of a code address, out of DWARF 2 to 5 (libdw reads it).
 *
 * Split DWARF (.dwo) gives lines but no inlined functions: the paths in such a file are somebody else's, and
 * libdw would open whatever they name.
 */
#ifndef DILL_DWARF_LINES_H
#define DILL_DWARF_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_search;
struct dwarf_lines;
struct elf_object;
struct error;

#define DWARF_LINES_DEPTH 64 /* functions inlined into each other; what lies deeper counts as the innermost  \
			      */

struct dwarf_frame {
	const char *name; /* mangled where the language mangles; NULL when not stated */
	/*
	 * As compiled: what the compiler was given, not made absolute. NULL when unknown. For the innermost
	 * frame it's where the address is; for the frames around it, where the next inner one was inlined.
	 */
	const char *file;
	uint32_t line;		 /* 0: unknown */
	uint64_t function_vaddr; /* where the function begins; of an inlined one, this copy of it */
	bool is_inlined;
};

/*
 * Read the list of compilation units of @object; the rest is read when addresses ask for it. @loaded is the
 * object that @object has the debug data of (the same one, or the stripped one): only its code is believed to
 * have lines. -ENOENT when there is no DWARF, -EBADMSG when libdw can't read it. Both objects are referenced.
 */
int dwarf_lines_open(struct elf_object *object, struct elf_object *loaded, const struct debug_search *search,
		     struct dwarf_lines **ret_lines, struct error *err);
void dwarf_lines_close(struct dwarf_lines *lines);

/*
 * Fill @frames, innermost first, with the function that was inlined at @vaddr, the one that it was inlined
 * into and so on, or, without @wants_inlines, with one frame: the outer function and the innermost line.
 * Returns how many, 0 when nothing is known. A frame may have nothing but a line, or nothing but a name.
 * Strings are borrowed until dwarf_lines_close().
 */
size_t dwarf_lines_at(struct dwarf_lines *lines, uint64_t vaddr, bool wants_inlines,
		      struct dwarf_frame frames[DWARF_LINES_DEPTH]);

#endif
