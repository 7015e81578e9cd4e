// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Drops capabilities (capabilities(7)). The user id stays: files of other users are reached by
 * CAP_DAC_READ_SEARCH.
 */
#include "privileges.h"

#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "cleanup.h"

DEFINE_CLEANUP(cap, cap_t, if (v) cap_free(v));

/* Of @values those that are effective in @held: into @kept, as effective and permitted. */
static void keep(cap_t held, cap_t kept, const cap_value_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cap_flag_value_t is_held = CAP_CLEAR;

		if (cap_get_flag(held, values[i], CAP_EFFECTIVE, &is_held) || is_held != CAP_SET)
			continue;
		cap_set_flag(kept, CAP_PERMITTED, 1, &values[i], CAP_SET);
		cap_set_flag(kept, CAP_EFFECTIVE, 1, &values[i], CAP_SET);
	}
}

int privileges_reduce(bool keeps_sys_admin, struct error *err)
{
	static const cap_value_t wanted[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
					      CAP_CHECKPOINT_RESTORE, CAP_KILL, CAP_SYSLOG, CAP_SYS_ADMIN };
	size_t count = sizeof(wanted) / sizeof(*wanted) - !keeps_sys_admin;
	CLEANUP(cap) cap_t held = cap_get_proc();
	CLEANUP(cap) cap_t kept = cap_init();

	if (!held || !kept)
		return error_set(err, -ENOMEM, "cannot read the process's capabilities");
	keep(held, kept, wanted, count);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || cap_set_proc(kept))
		return error_set(err, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

/* Reading works with the effective capabilities of @kept alone; the permitted ones stay as in @held. */
static bool suffices(cap_t held, cap_t kept, bool (*can_read)(void *context), void *context)
{
	CLEANUP(cap) cap_t trial = cap_dup(kept);

	return trial && !cap_fill_flag(trial, CAP_PERMITTED, held, CAP_PERMITTED) && !cap_set_proc(trial) &&
	       can_read(context);
}

int privileges_reduce_to_reading(bool (*can_read)(void *context), void *context, struct error *err)
{
	static const cap_value_t rungs[] = { CAP_SYSLOG, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN };
	CLEANUP(cap) cap_t held = cap_get_proc();
	CLEANUP(cap) cap_t kept = cap_init();
	bool is_enough = false;

	if (!held || !kept)
		return error_set(err, -ENOMEM, "cannot read the process's capabilities");
	for (size_t i = 0; i < sizeof(rungs) / sizeof(*rungs) && !is_enough; i++) {
		keep(held, kept, &rungs[i], 1);
		is_enough = suffices(held, kept, can_read, context);
	}
	if (!is_enough) {
		cap_set_proc(held);
		return error_set(err, -EPERM, "kernel memory cannot be read with fewer capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || cap_set_proc(kept))
		return error_set(err, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}
