/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What tests of the proxy between gdb and its stub share: two traps of ours, how the stub tells of them, and what
 * handlers do that the tests have called in the proxy's thread.
 */
#ifndef PROXY_FIXTURE_H
#define PROXY_FIXTURE_H

#include "stub_fixture.h"

#define GLOBAL 0xffffffff88c6a550
#define WATCHED "3,ffffffff88c6a550,8"
#define MET "T05thread:p01.01;rwatch:ffffffff88c6a550;"

static const struct scripted_stub qemu = { .is_qemu = true, .uses_acks = true };

static struct stub_trap watch = { .kind = STUB_WATCH_READ, .address = GLOBAL, .size = 8 };
static struct stub_trap breakpoint = { .kind = STUB_BREAK, .address = 0x4000, .size = 1 };

static inline void set_watch(struct stand *stand, struct stub_target *target)
{
	struct stub_trap trap = watch;

	(void)stand;
	must(stub_traps_change(target, NULL, 0, &trap, 1, NULL) == 0);
	must(trap.result == 0);
}

static inline void set_break(struct stand *stand, struct stub_target *target)
{
	struct stub_trap trap = breakpoint;

	(void)stand;
	must(stub_traps_change(target, NULL, 0, &trap, 1, NULL) == 0);
	must(trap.result == 0);
}

static inline void clear_traps(struct stand *stand, struct stub_target *target)
{
	(void)stand;
	must(stub_traps_clear(target, NULL) == 0);
}

static inline void read_other_cpu(struct stand *stand, struct stub_target *target)
{
	uint8_t bytes[4];
	struct memory_read read = { .address = 0x100, .buffer = bytes, .size = 4 };

	(void)stand;
	must(stub_memory_read(target, 1, &read, 1, NULL) == 0);
	must(read.result == 0);
	must(bytes[1] == fake_byte(1, 0x101));
}

#endif
