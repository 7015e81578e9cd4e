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

int privileges_reduce(bool keeps_sys_admin, struct error *err)
{
	static const cap_value_t wanted[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
					      CAP_CHECKPOINT_RESTORE, CAP_KILL, CAP_SYS_ADMIN };
	size_t count = sizeof(wanted) / sizeof(*wanted) - !keeps_sys_admin;
	CLEANUP(cap) cap_t held = cap_get_proc();
	CLEANUP(cap) cap_t kept = cap_init();

	if (!held || !kept)
		return error_set(err, -ENOMEM, "cannot read the process's capabilities");
	for (size_t i = 0; i < count; i++) {
		cap_flag_value_t is_held = CAP_CLEAR;

		if (cap_get_flag(held, wanted[i], CAP_EFFECTIVE, &is_held) || is_held != CAP_SET)
			continue;
		cap_set_flag(kept, CAP_PERMITTED, 1, &wanted[i], CAP_SET);
		cap_set_flag(kept, CAP_EFFECTIVE, 1, &wanted[i], CAP_SET);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || cap_set_proc(kept))
		return error_set(err, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}
