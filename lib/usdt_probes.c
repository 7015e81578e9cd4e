// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The probes of an ELF file: its notes, with addresses as this file has them and symbols looked up. */
#include "usdt_probes.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "elf_object.h"
#include "error.h"

#define NOTES_BYTES_MAX (16U << 20)
#define PROBES_MAX (1U << 16)     /* OpenJDK's virtual machine has some 600 */
#define SYMBOL_LOOKUPS_MAX 64U    /* each reads a whole table */

struct usdt_probes {
	struct usdt_probe *list;
	size_t count, capacity, damaged;
	char *bytes; /* of the section */
	struct elf_object *object;
	Elf *elf;
	uint64_t base; /* address of .stapsdt.base; 0: there is none */
	unsigned int lookups;
};

DEFINE_CLEANUP(elf, Elf *, elf_end(v));
DEFINE_CLEANUP(probes, struct usdt_probes *, usdt_probes_destroy(v));

void usdt_probes_destroy(struct usdt_probes *probes)
{
	if (!probes)
		return;
	free(probes->list);
	free(probes->bytes);
	free(probes);
}

size_t usdt_probes_count(const struct usdt_probes *probes)
{
	return probes->count;
}

const struct usdt_probe *usdt_probes_get(const struct usdt_probes *probes, size_t index)
{
	return &probes->list[index];
}

/* A data symbol's address, by name, in one table. */
static bool find_symbol(Elf *elf, unsigned int type, const char *name, size_t length, uint64_t *ret_vaddr)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;
		GElf_Sym symbol;

		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
			const char *text = symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) == STT_TLS ?
						   NULL : elf_strptr(elf, header.sh_link, symbol.st_name);

			if (!text || strncmp(text, name, length) != 0 || text[length])
				continue;
			*ret_vaddr = symbol.st_value;
			return true;
		}
	}
	return false;
}

/* Memory at a symbol is memory at a distance from the probe, wherever the file is mapped. */
static void resolve(struct usdt_probes *probes, const struct usdt_probe *probe, struct usdt_argument *argument)
{
	uint64_t vaddr;

	if (argument->place != USDT_SYMBOL)
		return;
	argument->place = USDT_UNKNOWN;
	if (probes->lookups++ >= SYMBOL_LOOKUPS_MAX)
		return;
	if (!find_symbol(probes->elf, SHT_SYMTAB, argument->symbol, argument->symbol_length, &vaddr) &&
	    !find_symbol(probes->elf, SHT_DYNSYM, argument->symbol, argument->symbol_length, &vaddr))
		return;
	argument->place = USDT_MEMORY;
	argument->base = USDT_RIP;
	argument->constant = (int64_t)((uint64_t)argument->constant + vaddr - probe->vaddr);
}

static int add_probe(struct usdt_probes *probes, const struct usdt_probe *probe)
{
	if (probes->count == probes->capacity) {
		size_t capacity = probes->capacity ? 2 * probes->capacity : 16;
		struct usdt_probe *grown = reallocarray(probes->list, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		probes->list = grown;
		probes->capacity = capacity;
	}
	probes->list[probes->count++] = *probe;
	return 0;
}

/* prelink moves a file's sections but not what its notes say: .stapsdt.base tells by how much. */
static int take_note(const struct usdt_note *note, void *context)
{
	struct usdt_probes *probes = context;
	uint64_t moved = probes->base && note->base ? probes->base - note->base : 0;
	struct usdt_probe probe = { .provider = note->provider, .name = note->name, .arguments_text = note->arguments,
				    .vaddr = note->pc + moved };
	bool is_64bit = elf_object_is_64bit(probes->object);

	if (probes->count + probes->damaged >= PROBES_MAX)
		return -EFBIG;
	if (!elf_object_is_code(probes->object, probe.vaddr) ||
	    elf_object_vaddr_to_offset(probes->object, probe.vaddr, &probe.file_offset) ||
	    (note->semaphore &&
	     elf_object_vaddr_to_offset(probes->object, note->semaphore + moved, &probe.semaphore_offset))) {
		probes->damaged++;
		return 0;
	}
	probe.argument_count = usdt_arguments_parse(note->arguments, strlen(note->arguments), is_64bit ? 8 : 4, probe.arguments);
	for (size_t i = 0; i < probe.argument_count; i++)
		resolve(probes, &probe, &probe.arguments[i]);
	return add_probe(probes, &probe);
}

/* The section of notes, and where .stapsdt.base is. */
static Elf_Data *find_sections(struct usdt_probes *probes)
{
	Elf_Scn *section = NULL;
	Elf_Data *found = NULL;
	size_t names;

	if (elf_getshdrstrndx(probes->elf, &names))
		return NULL;
	while ((section = elf_nextscn(probes->elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header) || !(name = elf_strptr(probes->elf, names, header.sh_name)))
			continue;
		if (strcmp(name, ".stapsdt.base") == 0)
			probes->base = header.sh_addr;
		else if (header.sh_type == SHT_NOTE && strcmp(name, ".note.stapsdt") == 0 && !found)
			found = elf_rawdata(section, NULL);
	}
	return found;
}

int usdt_probes_read(struct elf_object *object, struct usdt_probes **ret_probes, size_t *ret_damaged, struct error *err)
{
	CLEANUP(elf) Elf *elf = elf_object_begin_elf(object);
	CLEANUP(probes) struct usdt_probes *probes = calloc(1, sizeof(*probes));
	Elf_Data *notes;
	int status = 0;

	if (!probes)
		return error_set(err, -ENOMEM, "out of memory");
	if (elf_object_machine(object) != EM_X86_64 && elf_object_machine(object) != EM_386)
		return error_set(err, -EOPNOTSUPP, "%s: not for x86", elf_object_path(object));
	probes->object = object;
	probes->elf = elf;
	notes = elf ? find_sections(probes) : NULL;
	if (notes && notes->d_buf && notes->d_size > NOTES_BYTES_MAX)
		return error_set(err, -EFBIG, "%s: too many notes", elf_object_path(object));
	if (notes && notes->d_buf && notes->d_size) {
		probes->bytes = malloc(notes->d_size);
		if (!probes->bytes)
			return error_set(err, -ENOMEM, "out of memory");
		memcpy(probes->bytes, notes->d_buf, notes->d_size);
		status = usdt_notes_each(probes->bytes, notes->d_size, elf_object_is_64bit(object), take_note, probes);
	}
	if (status)
		return error_set(err, status, "%s: too many probes", elf_object_path(object));
	probes->elf = NULL;
	probes->object = NULL;
	if (ret_damaged)
		*ret_damaged = probes->damaged;
	*ret_probes = TAKE_PTR(probes);
	return 0;
}

int usdt_functions_read(struct elf_object *object, struct usdt_probes **ret_probes, struct error *err)
{
	static const uint8_t abi[3] = { 7, 6, 2 }; /* rdi, rsi, rdx */
	CLEANUP(probes) struct usdt_probes *probes = calloc(1, sizeof(*probes));

	if (!probes)
		return error_set(err, -ENOMEM, "out of memory");
	for (const struct usdt_known *known = usdt_known_functions; known->name; known++) {
		struct usdt_probe probe = { .provider = "function", .name = known->name, .arguments_text = "" };
		struct elf_function function;

		if (elf_object_machine(object) != EM_X86_64 || elf_object_find_function(object, known->name, &function, NULL))
			continue;
		probe.vaddr = function.vaddr;
		probe.file_offset = function.file_offset;
		for (size_t i = 0; i < sizeof(abi) && known->arguments[i].name; i++)
			probe.arguments[probe.argument_count++] = (struct usdt_argument){
				.place = USDT_REGISTER, .size = known->arguments[i].meaning == USDT_NUMBER ? 4 : 8,
				.is_signed = known->arguments[i].meaning != USDT_ADDRESS, .base = abi[i],
				.index = USDT_NO_REGISTER, .scale = 1,
			};
		if (add_probe(probes, &probe))
			return error_set(err, -ENOMEM, "out of memory");
	}
	*ret_probes = TAKE_PTR(probes);
	return 0;
}
