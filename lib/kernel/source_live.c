// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tries the readers of the running kernel in turn. */
#include "source_live.h"

#include <errno.h>

#include "source_bpf.h"
#include "source_kcore.h"

int source_live_open(enum live_reader reader, struct memory_source **ret_source, struct error *err)
{
	struct error bpf = { 0 }, kcore = { 0 };

	if (reader == LIVE_KCORE)
		return source_kcore_open(ret_source, err);
	if (reader == LIVE_BPF)
		return source_bpf_open(ret_source, err);
	if (!source_bpf_open(ret_source, &bpf) || !source_kcore_open(ret_source, &kcore))
		return 0;
	return error_set(err, bpf.code == -EPERM || kcore.code == -EPERM ? -EPERM : -EOPNOTSUPP,
			 "the running kernel's memory cannot be read: %.200s; %.200s", bpf.text, kcore.text);
}
