// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Copies pieces of kernel memory to user space, many in one run. It knows nothing of what it copies. Memory that
 * is not mapped is a result, never a fault: that is what bpf_probe_read_kernel() is for.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "source_bpf_batch.h"

struct batch batch;

/* Global, so that the verifier looks at it once and not once a request. */
__attribute__((noinline)) int read_piece(unsigned int index)
{
	struct batch_request *request;
	unsigned int at, size;

	if (index >= BATCH_REQUESTS)
		return 0;
	request = &batch.requests[index];
	at = request->at;
	size = request->size;
	if (at > BATCH_BYTES || size > BATCH_PIECE)
		return 0;
	request->result = bpf_probe_read_kernel(&batch.bytes[at], size, (const void *)request->address);
	return 0;
}

static __always_inline int read_batch(void)
{
	batch.task = bpf_get_current_task();
	for (unsigned int i = 0; i < BATCH_REQUESTS && i < batch.count; i++)
		read_piece(i);
	return 0;
}

/* Two types of programs that can be run by test_run; only one is loaded. This one can be preempted meanwhile. */
SEC("syscall") int read_as_syscall(void *context)
{
	return read_batch();
}

SEC("raw_tp") int read_as_tracepoint(void *context)
{
	return read_batch();
}

char licence[] SEC("license") = "Dual BSD/GPL";
