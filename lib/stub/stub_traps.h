/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which traps are set in a stub, and whose they are. Stubs differ in what a trap that is set twice means, so
 * it is set there once, for both owners. Talks to nobody.
 */
#ifndef DILL_STUB_TRAPS_H
#define DILL_STUB_TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stub_target.h"

enum stub_owner { STUB_OURS = 1, STUB_GDBS = 2 };

struct stub_traps {
	struct stub_traps_entry {
		enum stub_trap_kind kind;
		uint32_t size;
		uint64_t address;
		unsigned owners; /* bits of enum stub_owner */
	} *entries; /* owned, in no order */
	size_t count, capacity;
	size_t our_count, our_break_count;
};

void stub_traps_deinit(struct stub_traps *traps);

/* The owners now. */
unsigned stub_traps_owners(const struct stub_traps *traps, const struct stub_trap *trap);
/* 0, or -ENOMEM (also when there are too many). */
int stub_traps_add(struct stub_traps *traps, const struct stub_trap *trap, enum stub_owner owner);
void stub_traps_remove(struct stub_traps *traps, const struct stub_trap *trap, enum stub_owner owner);

/* The owners of breakpoints at @address. */
unsigned stub_traps_at(const struct stub_traps *traps, uint64_t address);
/*
 * Whose a stop is that says it met @kind at @address. An access may meet several traps, of which a stub names
 * one: @ret_gdbs is the one of gdb's that was met as well, if there is one.
 */
unsigned stub_traps_met(const struct stub_traps *traps, enum stub_trap_kind kind, uint64_t address,
			struct stub_trap *ret_gdbs);
#endif
