/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Chooses the instruction of an x86-64 function on which a uprobe costs least and still sees every call with
 * its arguments. It looks at code bytes only: it attaches nothing and knows no ELF.
 */
#ifndef DILL_PROBE_SITE_H
#define DILL_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "insn_x86.h"

struct error;

#define PROBE_SITE_MAX_ARGS 4

struct probe_need {
	unsigned int args;         /* how many of rdi, rsi, rdx, rcx the probe reads */
	bool needs_return_address; /* [rsp] must still hold it: return probes, stack walks */
	bool zero_arg0_is_noop;    /* free(NULL): calls whose first argument is 0 may be missed */
	bool may_move_args;        /* the probe can read an argument from another register */
};

enum probe_site_reason {
	PROBE_SITE_ENTRY_IS_EMULATED,
	PROBE_SITE_MOVED,           /* to the first instruction that is emulated */
	/* The entry, stepped, because */
	PROBE_SITE_NONE_IN_REACH,   /* no instruction of the straight line from the entry is emulated */
	PROBE_SITE_ARGUMENT_LOST,   /* where one is, an argument's register has another value */
	PROBE_SITE_STACK_MOVED,     /* where one is, rsp no longer points at the return address */
	PROBE_SITE_EFFECT_BEFORE,   /* something is stored or called first */
	PROBE_SITE_PATHS_PART,      /* a branch that can't be probed comes first */
	PROBE_SITE_JUMPED_INTO,     /* the body jumps to it, or in between: it would be hit without a call */
	PROBE_SITE_BODY_UNKNOWN,    /* the body is cut or not all decodable: such a jump can't be excluded */
};

struct probe_site {
	uint64_t offset;                           /* bytes from the function's first byte */
	uint8_t arg_register[PROBE_SITE_MAX_ARGS]; /* enum insn_register that holds argument i at the site */
	bool is_emulated;                          /* by every kernel; see enum insn_uprobe */
	bool skips_zero_arg0;                      /* calls with a first argument of 0 don't get here */
	enum probe_site_reason reason;
	struct insn_x86 insn; /* at the site */
};

/*
 * Choose a site in the function whose body is the @size bytes at @code: all of it, as the symbol's size says.
 * A body that ends within an instruction counts as cut: then only the entry is offered, because a jump back
 * from the rest could hit any other place. Nor is a jump from outside looked for, that of a function's
 * separate cold part: such parts come back behind the prologue.
 *
 * The site lies on every path from the entry, but for calls that skips_zero_arg0 names. What @need asks for
 * holds there, and nothing was stored or called before.
 *
 * -EINVAL: @need asks for too many arguments. -ENODATA, -EBADMSG: insn_x86_decode() fails at the entry.
 * -EOPNOTSUPP: the kernel refuses a uprobe on the entry, and there is no other site.
 */
int probe_site_choose(const uint8_t *code, size_t size, const struct probe_need *need,
		      struct probe_site *ret_site, struct error *err);

/*
 * One line for people: "free+9, push %rbp: emulated, skips NULL" for a @function named "free". @function is
 * copied as it is: escape it before, or after.
 */
void probe_site_describe(const struct probe_site *site, const char *function, char *ret_text, size_t size);

#endif
