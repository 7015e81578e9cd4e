// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One pass over the notes. QEMU writes both kinds of register notes for each CPU; its own one says more. */
#include "core_notes.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CPU_LIMIT 8192 /* NR_CPUS of x86-64 at most (arch/x86/Kconfig) */

struct note {
	const char *name; /* @name_size bytes, without the NUL that should end them */
	size_t name_size;
	uint32_t type;
	const uint8_t *contents;
	size_t size;
};

struct note_cursor {
	const uint8_t *bytes;
	size_t size, position;
};

static size_t note_padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static bool note_next(struct note_cursor *cursor, struct note *note)
{
	size_t left = cursor->size - cursor->position;
	const uint8_t *at = cursor->bytes + cursor->position;
	Elf64_Nhdr header;
	size_t name_size;

	if (left < sizeof(header))
		return false;
	memcpy(&header, at, sizeof(header));
	left -= sizeof(header);
	at += sizeof(header);
	name_size = note_padded(header.n_namesz);
	if (name_size > left || header.n_descsz > left - name_size)
		return false;
	*note = (struct note){ .name = (const char *)at,
			       .name_size = strnlen((const char *)at, header.n_namesz),
			       .type = header.n_type,
			       .contents = at + name_size,
			       .size = header.n_descsz };
	left -= name_size;
	/* The last one's padding may be missing. */
	cursor->position = cursor->size - (note_padded(note->size) < left ? left - note_padded(note->size) : 0);
	return true;
}

static bool note_is(const struct note *note, const char *name)
{
	return note->name_size == strlen(name) && memcmp(note->name, name, note->name_size) == 0;
}

static uint64_t number_at(const struct note *note, size_t offset)
{
	uint64_t value;

	memcpy(&value, note->contents + offset, sizeof(value));
	return value;
}

/*
 * QEMUCPUState: u32 version, size; u64 rax rbx rcx rdx rsi rdi rsp rbp r8 … r15 rip rflags; segments of 24 bytes
 * (u32 selector, limit, flags, pad; u64 base) cs ds es fs gs ss ldt tr gdt idt; u64 cr0 … cr4; u64
 * kernel_gs_base. The last one came with version 1's size of 440.
 */
enum {
	QEMU_RSP = 56,
	QEMU_RBP = 64,
	QEMU_RIP = 136,
	QEMU_SEGMENTS = 152,
	QEMU_SEGMENT_BYTES = 24,
	QEMU_SEGMENT_BASE = 16,
	QEMU_CR = 392,
	QEMU_KERNEL_GS_BASE = 432,
	QEMU_BYTES_AT_LEAST = 432,
	QEMU_BYTES = 440,
	QEMU_GS = 4,
	QEMU_IDT = 9,
};

static uint64_t segment_base(const struct note *note, unsigned int segment)
{
	return number_at(note, QEMU_SEGMENTS + segment * QEMU_SEGMENT_BYTES + QEMU_SEGMENT_BASE);
}

static struct cpu_registers qemu_registers(const struct note *note)
{
	return (struct cpu_registers){
		.cr0 = number_at(note, QEMU_CR),
		.cr3 = number_at(note, QEMU_CR + 24),
		.cr4 = number_at(note, QEMU_CR + 32),
		.gs_base = segment_base(note, QEMU_GS),
		.kernel_gs_base = note->size >= QEMU_BYTES ? number_at(note, QEMU_KERNEL_GS_BASE) : 0,
		.idt_base = segment_base(note, QEMU_IDT),
		.rip = number_at(note, QEMU_RIP),
		.rsp = number_at(note, QEMU_RSP),
		.rbp = number_at(note, QEMU_RBP),
	};
}

/* struct elf_prstatus: pr_reg, a struct user_regs_struct, at 112. Its gs_base is user space's, not the CPU's. */
enum { PRSTATUS_REGISTERS = 112, PRSTATUS_BYTES = 336, PRSTATUS_RBP = 4, PRSTATUS_RIP = 16, PRSTATUS_RSP = 19 };

static struct cpu_registers prstatus_registers(const struct note *note)
{
	return (struct cpu_registers){
		.rip = number_at(note, PRSTATUS_REGISTERS + 8 * PRSTATUS_RIP),
		.rsp = number_at(note, PRSTATUS_REGISTERS + 8 * PRSTATUS_RSP),
		.rbp = number_at(note, PRSTATUS_REGISTERS + 8 * PRSTATUS_RBP),
	};
}

static bool note_is_prstatus(const struct note *note)
{
	return note_is(note, "CORE") && note->type == NT_PRSTATUS && note->size >= PRSTATUS_BYTES;
}

static bool note_is_qemu(const struct note *note)
{
	return note_is(note, "QEMU") && note->size >= QEMU_BYTES_AT_LEAST;
}

static int add_cpu(struct core_notes *notes, struct cpu_registers registers)
{
	struct cpu_registers *grown;

	if (notes->cpu_count == CPU_LIMIT)
		return 0;
	grown = reallocarray(notes->cpus, notes->cpu_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	notes->cpus = grown;
	notes->cpus[notes->cpu_count++] = registers;
	return 0;
}

static int add_vmcoreinfo(struct core_notes *notes, const struct note *note)
{
	if (notes->vmcoreinfo || !note->size)
		return 0;
	notes->vmcoreinfo = strndup((const char *)note->contents, note->size);
	return notes->vmcoreinfo ? 0 : -ENOMEM;
}

int core_notes_parse(const void *bytes, size_t size, struct core_notes *notes)
{
	struct note_cursor cursor = { bytes, size, 0 };
	bool has_qemu = false;
	struct note note;
	int status = 0;

	while (!has_qemu && note_next(&cursor, &note))
		has_qemu = note_is_qemu(&note);
	cursor.position = 0;
	while (!status && note_next(&cursor, &note)) {
		if (has_qemu && note_is_qemu(&note))
			status = add_cpu(notes, qemu_registers(&note));
		else if (!has_qemu && note_is_prstatus(&note))
			status = add_cpu(notes, prstatus_registers(&note));
		else if (note_is(&note, "VMCOREINFO"))
			status = add_vmcoreinfo(notes, &note);
	}
	return status;
}

void core_notes_deinit(struct core_notes *notes)
{
	free(notes->vmcoreinfo);
	free(notes->cpus);
	*notes = (struct core_notes){ 0 };
}
