/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a script of `dill slub-walk` says, a statement at a time.
 *
 *     script     = statement { (";" | newline) statement }
 *     statement  = [ "cpu" N ":" ] [ order [ "," "stop" "at" POINT [ N ] ] ] [ "//" any text ]
 *     order      = "alloc" CACHE [ "x"N ] | "free" ( OBJECT | ADDRESS ) | "cache" NAME SIZE [ "align" N ]
 *                | "shrink" CACHE | "show" CACHE | "set" CACHE "min_partial"|"cpu_partial" N
 *                | "go" THREAD [ "on" "cpu" N ]
 *     OBJECT     = "#"N | "#"N "-" [ "#" ] N
 *     ADDRESS    = "0x" hexadecimal digits
 *     THREAD     = "A" … "Z"
 *
 * Objects are numbered from 1 in the order of their allocation. One call of alloc, free or shrink may be stopped at a point
 * of slub's (point.h, or "any"), the Nth that it comes to; it is a thread then, A for the first, and goes on when it is told
 * to.
 */
#ifndef DILL_SLUB_SCRIPT_H
#define DILL_SLUB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "point.h"

#define SLUB_SCRIPT_MOST_OBJECTS 1000000u

enum slub_order { SLUB_ORDER_NONE, SLUB_ORDER_ALLOC, SLUB_ORDER_FREE, SLUB_ORDER_CACHE, SLUB_ORDER_SHRINK, SLUB_ORDER_SHOW,
		  SLUB_ORDER_SET, SLUB_ORDER_GO };

struct slub_statement {
	int cpu; /* -1: the one before */
	enum slub_order order;
	char cache[32];
	uint32_t count;       /* alloc: how many */
	uint32_t first, last; /* free: these objects */
	uint64_t address;     /* free: the object there, in what was loaded; 0: by number */
	uint32_t size, align; /* cache */
	bool is_cpu_partial;  /* set: else min_partial */
	uint32_t value;       /* set */
	char thread;          /* go */
	int go_cpu;           /* -1: the thread's own */
	enum slub_point stop; /* NONE: it isn't; SLUB_POINTS: at any */
	uint32_t stop_count;
};

/*
 * Read the statement at *@at and move *@at behind it. Returns 1, 0 at the end of the text, -EINVAL with the line and what
 * was expected. @line counts lines and starts at 1.
 */
int slub_script_next(const char **at, unsigned *line, struct slub_statement *ret_statement, struct error *err);

#endif
