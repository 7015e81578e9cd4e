// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Traps of ours in a stub beside gdb's, and a step past one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stub_target_private.h"

void stub_trap_request(const struct stub_trap *trap, bool is_set, char *request, size_t size)
{
	snprintf(request, size, "%c%d,%llx,%x", is_set ? 'Z' : 'z', (int)trap->kind,
		 (unsigned long long)trap->address, trap->size);
}

/* Nobody waits for the answer: a trap that the stub had is gone. */
static int remove_one(struct stub_target *target, struct stub_trap *trap, struct error *err)
{
	char request[64];

	trap->result = 0;
	if (!(stub_traps_owners(&target->traps, trap) & STUB_OURS))
		return 0;
	stub_traps_remove(&target->traps, trap, STUB_OURS);
	if (stub_traps_owners(&target->traps, trap))
		return 0;
	stub_trap_request(trap, false, request, sizeof(request));
	return stub_send_deferred(target, request, NULL, err);
}

/* False: the stub must be asked and its answer awaited. */
static bool add_known(struct stub_target *target, struct stub_trap *trap, int *ret_status, struct error *err)
{
	unsigned owners = stub_traps_owners(&target->traps, trap);
	char request[64];

	trap->result = 0;
	if (target->is_non_stop || trap->kind > STUB_WATCH_ACCESS)
		trap->result = -EOPNOTSUPP;
	else if (!(owners & STUB_OURS) && stub_traps_add(&target->traps, trap, STUB_OURS))
		trap->result = -ENOSPC;
	if (trap->result || owners)
		return true;
	/* There is any number of them, and this kind is known to work. */
	if (!target->is_translated || !target->has_kind[trap->kind])
		return false;
	stub_trap_request(trap, true, request, sizeof(request));
	*ret_status = stub_send_deferred(target, request, trap, err);
	return true;
}

static int take_added(struct stub_target *target, struct stub_trap *trap, struct error *err)
{
	const char *text;
	size_t size;
	int status = stub_await_text(target, &text, &size, err);

	if (status)
		return status;
	trap->result = size == 0 ? -EOPNOTSUPP : size == 2 && memcmp(text, "OK", 2) == 0 ? 0 : -ENOSPC;
	if (trap->result)
		stub_traps_remove(&target->traps, trap, STUB_OURS);
	else
		target->has_kind[trap->kind] = true;
	return 0;
}

static int add_asked(struct stub_target *target, struct stub_trap *const *asked, size_t count, struct error *err)
{
	char request[64];
	int status = 0;

	for (size_t i = 0; !status && i < count; i++) {
		stub_trap_request(asked[i], true, request, sizeof(request));
		status = stub_send(target, request, err);
	}
	for (size_t i = 0; !status && i < count; i++)
		status = take_added(target, asked[i], err);
	return status;
}

int stub_traps_change(struct stub_target *target, struct stub_trap *removed, size_t removed_count,
		      struct stub_trap *added, size_t added_count, struct error *err)
{
	size_t window = target->is_pipelined ? STUB_WINDOW : 1;
	struct stub_trap *asked[STUB_WINDOW];
	size_t asked_count = 0;
	int status = 0;

	for (size_t i = 0; !status && i < removed_count; i++)
		status = remove_one(target, &removed[i], err);
	for (size_t i = 0; !status && i < added_count; i++) {
		if (add_known(target, &added[i], &status, err))
			continue;
		asked[asked_count++] = &added[i];
		if (asked_count < window)
			continue;
		status = add_asked(target, asked, asked_count, err);
		asked_count = 0;
	}
	return status ? status : add_asked(target, asked, asked_count, err);
}

int stub_traps_clear(struct stub_target *target, struct error *err)
{
	int status = 0;

	for (size_t i = target->traps.count; !status && i > 0; i--) {
		const struct stub_traps_entry *entry = &target->traps.entries[i - 1];
		struct stub_trap trap = { .kind = entry->kind, .address = entry->address, .size = entry->size };

		status = remove_one(target, &trap, err);
	}
	return status;
}

size_t stub_trap_count(const struct stub_target *target)
{
	return target->traps.our_count;
}

/* A step ---------------------------------------------------------------------------------------------------- */

/* Set or take away what is in the stub at @address, whoever's it is. */
static int toggle_breaks(struct stub_target *target, uint64_t address, bool is_set, struct error *err)
{
	int status = 0;

	for (size_t i = 0; !status && i < target->traps.count; i++) {
		const struct stub_traps_entry *entry = &target->traps.entries[i];
		struct stub_trap trap = { .kind = entry->kind, .address = entry->address, .size = entry->size };
		char request[64];

		if (entry->address != address || entry->kind > STUB_BREAK_HARDWARE)
			continue;
		stub_trap_request(&trap, is_set, request, sizeof(request));
		status = stub_send_deferred(target, request, NULL, err);
	}
	return status;
}

static int send_step(struct stub_target *target, unsigned cpu, struct error *err)
{
	const char *thread = target->cpus[cpu].text;
	char request[STUB_THREAD_TEXT + 16];
	int status = 0;

	if (target->has_vcont && thread[0]) {
		snprintf(request, sizeof(request), "vCont;s:%s", thread);
		return stub_send(target, request, err);
	}
	if (thread[0]) {
		snprintf(request, sizeof(request), "Hc%s", thread);
		status = stub_send_deferred(target, request, NULL, err);
	}
	return status ? status : stub_send(target, "s", err);
}

struct stub_cpu *stub_pending_cpu(struct stub_target *target)
{
	for (unsigned cpu = 0; cpu < target->cpu_count; cpu++)
		if (target->cpus[cpu].has_pending)
			return &target->cpus[cpu];
	return NULL;
}

int stub_step(struct stub_target *target, unsigned cpu, struct error *err)
{
	struct stub_registers registers = { 0 };
	struct stub_stop_reply reply;
	/* QEMU's translator steps off a breakpoint by itself. */
	bool has_breaks = !target->is_translated && target->traps.our_break_count;
	int status = cpu < target->cpu_count ? 0 : error_set(err, -EINVAL, "there is no CPU %u", cpu);

	if (!status && has_breaks)
		status = stub_registers_read(target, cpu, &registers, err);
	if (!status && has_breaks)
		status = toggle_breaks(target, registers.rip, false, err);
	if (!status)
		status = send_step(target, cpu, err);
	if (!status)
		status = stub_await_stop(target, &reply, err);
	if (status)
		return status;
	target->moved_cpu = (int)cpu;
	if (reply.has_watch || reply.signal != 5) {
		struct stub_cpu *met = &target->cpus[stub_cpu_of(target, reply.thread)];

		met->has_pending = true;
		met->pending = reply;
	}
	return has_breaks ? toggle_breaks(target, registers.rip, true, err) : 0;
}
