// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds the exits of a function by following its control flow, with a bound on the instructions looked at. */
#include "function_exits.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "elf_object.h"
#include "error.h"
#include "insn_x86.h"

#define MAX_INSTRUCTIONS 20000

/*
 * Addresses met so far: an open-addressed set of twice the bound, never full. 0 is free; no code lies at
 * address 0.
 */
#define SET_SIZE 65536

struct walk {
	struct elf_object *object;
	uint64_t *seen;    /* SET_SIZE */
	uint64_t *pending; /* MAX_INSTRUCTIONS */
	size_t seen_count, pending_count;
	struct function_exits exits;
};

static bool note_seen(struct walk *walk, uint64_t vaddr)
{
	size_t at = vaddr * 0x9e3779b97f4a7c15ULL >> 48;

	while (walk->seen[at] && walk->seen[at] != vaddr)
		at = (at + 1) % SET_SIZE;
	if (walk->seen[at])
		return false;
	walk->seen[at] = vaddr;
	walk->seen_count++;
	return true;
}

static int push(struct walk *walk, uint64_t vaddr)
{
	if (walk->pending_count == MAX_INSTRUCTIONS)
		return -EOPNOTSUPP;
	walk->pending[walk->pending_count++] = vaddr;
	return 0;
}

static int add_exit(struct walk *walk, uint64_t vaddr)
{
	uint64_t *grown = reallocarray(walk->exits.file_offsets, walk->exits.count + 1, sizeof(*grown));
	int status;

	if (!grown)
		return -ENOMEM;
	walk->exits.file_offsets = grown;
	status = elf_object_vaddr_to_offset(walk->object, vaddr, &grown[walk->exits.count]);
	walk->exits.count += !status;
	return status;
}

/* What the relocations of one section put into the word at @slot: a function of this object. */
static int find_in_relocations(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t slot, uint64_t *ret_vaddr)
{
	Elf_Data *data = elf_getdata(section, NULL);
	Elf_Scn *symbols = elf_getscn(elf, header->sh_link);
	Elf_Data *symbol_data = symbols ? elf_getdata(symbols, NULL) : NULL;
	GElf_Rela relocation;
	GElf_Sym symbol;

	for (int i = 0; data && symbol_data && gelf_getrela(data, i, &relocation); i++) {
		if (relocation.r_offset != slot)
			continue;
		if (!gelf_getsym(symbol_data, GELF_R_SYM(relocation.r_info), &symbol) ||
		    symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
			return -ENOENT;
		*ret_vaddr = symbol.st_value;
		return 0;
	}
	return -ENOENT;
}

/*
 * The function that a jump through a linkage table slot reaches, when this object defines it. That another
 * object could
 * take its place is left aside: libraries jump so to functions of their own that no one else has.
 */
static int resolve_slot(struct elf_object *object, uint64_t slot, uint64_t *ret_vaddr)
{
	Elf *elf = elf_object_begin_elf(object);
	Elf_Scn *section = NULL;
	int status = -ENOENT;

	while (elf && status && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA)
			status = find_in_relocations(elf, section, &header, slot, ret_vaddr);
	}
	elf_end(elf);
	return status;
}

/* An indirect jump: only `jmp *slot(%rip)`, as linkage tables have it, can be followed. */
static int follow_slot(struct walk *walk, uint64_t vaddr, const struct insn_x86 *insn)
{
	uint64_t offset, target;
	int32_t displacement;

	if (insn->opcode != 0xff || insn->modrm != 0x25 ||
	    elf_object_vaddr_to_offset(walk->object, vaddr + insn->length - sizeof(displacement), &offset) ||
	    elf_object_read(walk->object, offset, &displacement, sizeof(displacement)) ||
	    resolve_slot(walk->object, vaddr + insn->length + displacement, &target))
		return -EOPNOTSUPP;
	return push(walk, target);
}

static int decode(struct walk *walk, uint64_t vaddr, struct insn_x86 *ret_insn)
{
	uint8_t code[16];
	uint64_t offset;
	size_t size = sizeof(code);

	if (elf_object_vaddr_to_offset(walk->object, vaddr, &offset))
		return -EOPNOTSUPP;
	while (size && elf_object_read(walk->object, offset, code, size))
		size--; /* the file ends here */
	return insn_x86_decode(code, size, ret_insn) ? -EOPNOTSUPP : 0;
}

/* Go on from @vaddr until the path ends or joins one that was walked. */
static int follow(struct walk *walk, uint64_t vaddr)
{
	struct insn_x86 insn;
	int status;

	while (note_seen(walk, vaddr)) {
		if (walk->seen_count > MAX_INSTRUCTIONS)
			return -EOPNOTSUPP;
		status = decode(walk, vaddr, &insn);
		if (status)
			return status;
		switch (insn.flow) {
		case INSN_FLOW_RETURN: return add_exit(walk, vaddr);
		case INSN_FLOW_STOP: return 0;
		case INSN_FLOW_JUMP:
			return insn.has_target ? push(walk, vaddr + insn.target) : follow_slot(walk, vaddr, &insn);
		case INSN_FLOW_BRANCH:
			status = push(walk, vaddr + insn.target);
			if (status)
				return status;
			break;
		case INSN_FLOW_NEXT:
		case INSN_FLOW_CALL: break;
		}
		vaddr += insn.length;
	}
	return 0;
}

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int function_exits_find(struct elf_object *object, uint64_t vaddr, struct function_exits *ret_exits, struct error *err)
{
	CLEANUP(free) uint64_t *seen = calloc(SET_SIZE, sizeof(*seen));
	CLEANUP(free) uint64_t *pending = calloc(MAX_INSTRUCTIONS, sizeof(*pending));
	struct walk walk = { .object = object, .seen = seen, .pending = pending };
	int status;

	if (!seen || !pending)
		return -ENOMEM;
	status = push(&walk, vaddr);
	while (!status && walk.pending_count)
		status = follow(&walk, walk.pending[--walk.pending_count]);
	if (status) {
		function_exits_deinit(&walk.exits);
		return error_set(err, status, "its returns can't be told from its code");
	}
	qsort(walk.exits.file_offsets, walk.exits.count, sizeof(uint64_t), compare_offsets);
	*ret_exits = walk.exits;
	return 0;
}

void function_exits_deinit(struct function_exits *exits)
{
	free(exits->file_offsets);
	*exits = (struct function_exits){ 0 };
}
