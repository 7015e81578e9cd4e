// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Looks for elements and attributes in a target description; it's no XML parser and needs none: names that it
 * wants are plain text, and what it doesn't find is missing, no worse.
 */
#include "gdb_registers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "gdb_packet.h"
#include "packet_link.h"
#include "packet_requests.h"

#define CPUS_MAX 4096
#define INCLUDES_MAX 16
#define REPLY_BYTES 65536
#define LIST_BYTES 16384
#define THREAD_NAME_BYTES 40

/* A thread as the stub calls it: "1", or "p01.01" where gdb has agreed on that. */
struct thread_name {
	char text[THREAD_NAME_BYTES];
};

static const struct gdb_register_name wanted[] = {
	{ "cr0", offsetof(struct cpu_registers, cr0) },
	{ "cr3", offsetof(struct cpu_registers, cr3) },
	{ "cr4", offsetof(struct cpu_registers, cr4) },
	{ "efer", offsetof(struct cpu_registers, efer) },
	{ "gs_base", offsetof(struct cpu_registers, gs_base) },
	{ "k_gs_base", offsetof(struct cpu_registers, kernel_gs_base) },
	{ "rip", offsetof(struct cpu_registers, rip) },
	{ "rsp", offsetof(struct cpu_registers, rsp) },
	{ "rbp", offsetof(struct cpu_registers, rbp) },
};

/* The value of ` name="…"` within one element. False when it has none or it doesn't fit. */
static bool attribute(const char *element, const char *end, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);

	for (const char *at = element; (at = memmem(at, (size_t)(end - at), name, length)); at += length) {
		const char *text = at + length, *quote;

		if (at == element || !strchr(" \t\r\n", at[-1]) || end - text < 2 || text[0] != '=' ||
		    (text[1] != '"' && text[1] != '\''))
			continue;
		quote = memchr(text + 2, text[1], (size_t)(end - text - 2));
		if (!quote || (size_t)(quote - text - 2) >= size)
			return false;
		snprintf(value, size, "%.*s", (int)(quote - text - 2), text + 2);
		return true;
	}
	return false;
}

/* The next <name …> from @xml on; @ret_end is its '>'. NULL when there is none. Comments are passed over. */
static const char *next_element(const char *xml, const char *name, const char **ret_end)
{
	size_t length = strlen(name);

	for (const char *at = strchr(xml, '<'); at; at = strchr(at, '<')) {
		const char *end;

		if (strncmp(at, "<!--", 4) == 0) {
			at = strstr(at, "-->");
			if (!at)
				return NULL;
			continue;
		}
		end = strchr(at, '>');
		if (!end)
			return NULL;
		if (strncmp(at + 1, name, length) == 0 && strchr(" \t\r\n", at[1 + length])) {
			*ret_end = end;
			return at + 1 + length;
		}
		at = end;
	}
	return NULL;
}

static void add_register(struct gdb_register_map *map, const char *name, uint32_t bits)
{
	const struct gdb_register_name *names = map->names ? map->names : wanted;
	size_t count = map->names ? map->name_count : sizeof(wanted) / sizeof(wanted[0]);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, names[i].name) != 0 || bits > 64 ||
		    map->count == sizeof(map->registers) / sizeof(map->registers[0]))
			continue;
		map->registers[map->count++] = (struct gdb_register){ .member = names[i].member,
								      .number = (uint16_t)map->next_number,
								      .offset = map->next_offset,
								      .size = (uint8_t)(bits / 8) };
	}
	map->next_offset += bits / 8;
	map->next_number++;
}

void gdb_register_map_add(struct gdb_register_map *map, const char *xml)
{
	const char *element, *end;
	char name[64], text[16];

	for (; (element = next_element(xml, "reg", &end)); xml = end) {
		unsigned long bits;

		if (!attribute(element, end, "name", name, sizeof(name)) ||
		    !attribute(element, end, "bitsize", text, sizeof(text)))
			continue;
		bits = strtoul(text, NULL, 10);
		if (bits < 8 || bits % 8 || bits > 65536 || map->next_number >= GDB_REGISTERS_MAX)
			return;
		if (attribute(element, end, "regnum", text, sizeof(text)) &&
		    strtoul(text, NULL, 10) < GDB_REGISTERS_MAX)
			map->next_number = (uint32_t)strtoul(text, NULL, 10);
		add_register(map, name, (uint32_t)bits);
	}
}

void gdb_register_map_default(struct gdb_register_map *map)
{
	static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8",
					     "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_register(map, names[i], 64);
	add_register(map, "eflags", 32);
	add_register(map, "cs", 32);
}

bool gdb_description_include(const char *xml, size_t n, char *name, size_t size)
{
	const char *element, *end;

	for (; (element = next_element(xml, "xi:include", &end)); xml = end)
		if (n-- == 0)
			return attribute(element, end, "href", name, size) && !strpbrk(name, ":,;#$");
	return false;
}

/* x86 is little-endian: the first byte is the lowest. */
static bool decode_value(const char *text, size_t bytes, uint64_t *ret_value)
{
	uint8_t raw[8];
	uint64_t value = 0;

	if (!gdb_hex_decode(text, 2 * bytes, raw))
		return false;
	for (size_t i = bytes; i > 0; i--)
		value = value << 8 | raw[i - 1];
	*ret_value = value;
	return true;
}

static void set_member(void *registers, const struct gdb_register *one, uint64_t value)
{
	memcpy((char *)registers + one->member, &value, sizeof(value));
}

void gdb_registers_decode(const struct gdb_register_map *map, const char *packet, size_t size, void *registers)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct gdb_register *one = &map->registers[i];
		uint64_t value;

		if (2 * ((uint64_t)one->offset + one->size) <= size &&
		    decode_value(packet + 2 * (size_t)one->offset, one->size, &value))
			set_member(registers, one, value);
	}
}

static int load_map(struct packet_link *link, struct gdb_register_map *map, struct error *err)
{
	CLEANUP(free) char *description = NULL;
	char name[128];
	int status = packet_transfer(link, "features", "target.xml", &description, err);

	if (status == -ENOENT) {
		gdb_register_map_default(map);
		return 0;
	}
	for (size_t i = 0; !status && i < INCLUDES_MAX; i++) {
		CLEANUP(free) char *file = NULL;

		if (!gdb_description_include(description, i, name, sizeof(name)))
			break;
		status = packet_transfer(link, "features", name, &file, err);
		if (!status)
			gdb_register_map_add(map, file);
	}
	if (!status)
		gdb_register_map_add(map, description);
	return status == -ENOENT ? 0 : status;
}

/* The g packet of the current thread, and by p what lies beyond its end. */
static int read_one(struct packet_link *link, const struct gdb_register_map *map,
		    struct cpu_registers *registers, struct error *err)
{
	CLEANUP(free) char *reply = malloc(REPLY_BYTES);
	size_t size;
	int status;

	if (!reply)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	status = link->ask(link, "g", reply, REPLY_BYTES, &size, err);
	if (status)
		return status;
	if (gdb_is_error(reply, size))
		size = 0;
	gdb_registers_decode(map, reply, size, registers);
	for (size_t i = 0; i < map->count; i++) {
		const struct gdb_register *one = &map->registers[i];
		char request[32], value_text[64];
		uint64_t value;
		size_t value_size;

		if (2 * ((uint64_t)one->offset + one->size) <= size)
			continue;
		snprintf(request, sizeof(request), "p%x", one->number);
		status = link->ask(link, request, value_text, sizeof(value_text), &value_size, err);
		if (status)
			return status;
		if (value_size == 2u * one->size && decode_value(value_text, one->size, &value))
			set_member(registers, one, value);
	}
	return 0;
}

/* One thread off a list "1,2,…" or "p01.01,p01.02,…", as the stub writes it. */
static bool next_thread(const char **text, struct thread_name *ret_thread)
{
	size_t length = strspn(*text, "p.0123456789abcdefABCDEF");

	if (length == 0 || length >= sizeof(ret_thread->text))
		return false;
	memcpy(ret_thread->text, *text, length);
	ret_thread->text[length] = '\0';
	*text += length;
	*text += **text == ',';
	return true;
}

static int select_thread(struct packet_link *link, const struct thread_name *thread, struct error *err)
{
	char request[THREAD_NAME_BYTES + 8], reply[64];
	size_t size;

	snprintf(request, sizeof(request), "Hg%s", thread->text);
	return link->ask(link, request, reply, sizeof(reply), &size, err);
}

static int add_cpu(struct packet_link *link, const struct gdb_register_map *map, struct cpu_registers **cpus,
		   size_t *count, struct error *err)
{
	struct cpu_registers *grown = reallocarray(*cpus, *count + 1, sizeof(*grown));

	if (!grown)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	*cpus = grown;
	grown[*count] = (struct cpu_registers){ 0 };
	return read_one(link, map, &grown[(*count)++], err);
}

static int list_threads(struct packet_link *link, struct thread_name *threads, size_t *ret_count,
			struct error *err)
{
	const char *request = "qfThreadInfo", *text;
	size_t count = 0, size;

	for (; count < CPUS_MAX; request = "qsThreadInfo") {
		char reply[LIST_BYTES];
		int status = link->ask(link, request, reply, sizeof(reply), &size, err);

		if (status)
			return status;
		text = reply + 1;
		if (reply[0] != 'm' || !next_thread(&text, &threads[count]))
			break;
		do {
			count++;
		} while (count < CPUS_MAX && next_thread(&text, &threads[count]));
	}
	*ret_count = count;
	return 0;
}

static int read_threads(struct packet_link *link, const struct gdb_register_map *map,
			struct cpu_registers **cpus, size_t *count, struct error *err)
{
	CLEANUP(free) struct thread_name *threads = calloc(CPUS_MAX, sizeof(*threads));
	size_t thread_count = 0;
	int status;

	if (!threads)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	status = list_threads(link, threads, &thread_count, err);
	for (size_t i = 0; !status && i < thread_count; i++) {
		status = select_thread(link, &threads[i], err);
		if (!status)
			status = add_cpu(link, map, cpus, count, err);
	}
	if (!status && thread_count)
		status = select_thread(link, &threads[0], err);
	return status;
}

int gdb_registers_read(struct packet_link *link, bool has_cpus_as_threads, struct cpu_registers **ret_cpus,
		       size_t *ret_count, struct error *err)
{
	CLEANUP(free) struct cpu_registers *cpus = NULL;
	struct gdb_register_map map = { 0 };
	size_t count = 0;
	int status = load_map(link, &map, err);

	if (!status && has_cpus_as_threads)
		status = read_threads(link, &map, &cpus, &count, err);
	if (!status && count == 0)
		status = add_cpu(link, &map, &cpus, &count, err);
	if (status)
		return status;
	*ret_cpus = TAKE_PTR(cpus);
	*ret_count = count;
	return 0;
}
