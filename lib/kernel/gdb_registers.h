/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Registers of a stub's CPUs: where they lie in its g packet, by its target description, and their values.
 * Source: "Debugging with GDB", appendix G "Target Descriptions".
 */
#ifndef DILL_GDB_REGISTERS_H
#define DILL_GDB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory_source.h"

struct packet_link;

#define GDB_REGISTERS_MAX 1024

/* A register that is wanted, and where its value goes: to a uint64_t at an offset in the caller's struct. */
struct gdb_register_name {
	const char *name;
	uint16_t member;
};

struct gdb_register {
	uint16_t member;  /* offsetof in struct cpu_registers, or as gdb_register_name says */
	uint16_t number;  /* for p */
	uint32_t offset;  /* bytes, in the g packet */
	uint8_t size;     /* bytes, 1 to 8 */
};

/* All zeros at first: then the registers are those of struct cpu_registers. */
struct gdb_register_map {
	const struct gdb_register_name *names; /* others that are wanted; borrowed */
	size_t name_count;
	struct gdb_register registers[32];
	size_t count;
	uint32_t next_offset, next_number; /* behind the last register that was described */
};

/*
 * Take the <reg> elements of one file of a description, in their order; those of several files add up. Text
 * that is no XML adds nothing.
 */
void gdb_register_map_add(struct gdb_register_map *map, const char *xml);
/* The registers that gdb takes for granted without a description: amd64's general ones. */
void gdb_register_map_default(struct gdb_register_map *map);
/* The n-th (from 0) file that <xi:include href="…"/> names. False when there is none. */
bool gdb_description_include(const char *xml, size_t n, char *name, size_t size);

/*
 * Values out of a g packet (hexadecimal text) into a struct cpu_registers, or what the map's names are of. Those
 * beyond its end, and unknown ones ("xx" for a byte), stay as they are.
 */
void gdb_registers_decode(const struct gdb_register_map *map, const char *packet, size_t size, void *registers);

/*
 * All CPUs of a stub: each of its threads when @has_cpus_as_threads (QEMU), else only the one that it stopped
 * at.
 * @ret_cpus is to be freed. The thread that the stub reads memory for is the first one afterwards.
 */
int gdb_registers_read(struct packet_link *link, bool has_cpus_as_threads, struct cpu_registers **ret_cpus,
		       size_t *ret_count, struct error *err);

#endif
