// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads are cut into pieces and packed into batches; each batch is one run of the BPF program. What lies where
 * is none of this file's business, except that physical memory is read through the direct map.
 */
#include "source_bpf.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_caps.h"
#include "live_facts.h"
#include "source_bpf_batch.h"
#include "source_bpf.skel.h" /* after what it shares with the program */

/*
 * Bytes a run when the program can't be preempted, which test_run does to raw tracepoints: some ten
 * microseconds of memory bandwidth.
 */
#define UNPREEMPTED_BYTES (128 * 1024)

_Static_assert(UNPREEMPTED_BYTES >= BATCH_PIECE, "a piece fits into every batch");

struct source_bpf {
	struct memory_source source; /* first: struct memory_source * is all that others see */
	struct source_bpf_bpf *skeleton;
	int program_fd;
	uint32_t batch_bytes;
	struct live_facts facts;

	/* The batch that is being filled. */
	uint32_t used_bytes;
	struct memory_read *readers[BATCH_REQUESTS]; /* whose piece it is */
	unsigned char *targets[BATCH_REQUESTS];      /* where it goes */
};

static struct source_bpf *from_source(struct memory_source *source)
{
	return (struct source_bpf *)source;
}

static int run(struct source_bpf *bpf, struct error *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int rc = bpf_prog_test_run_opts(bpf->program_fd, &options);

	return rc ? error_set(err, rc, "the BPF program that reads kernel memory cannot be run: %s", strerror(-rc))
		  : 0;
}

static int flush(struct source_bpf *bpf, struct error *err)
{
	struct batch *batch = &bpf->skeleton->bss->batch;
	int status = batch->count ? run(bpf, err) : 0;

	for (uint32_t i = 0; !status && i < batch->count; i++) {
		const struct batch_request *request = &batch->requests[i];

		if (request->result)
			bpf->readers[i]->result = -EFAULT;
		else
			memcpy(bpf->targets[i], batch->bytes + request->at, request->size);
	}
	batch->count = 0;
	bpf->used_bytes = 0;
	return status;
}

/* Append [address, address + size) to batches, flushing the full ones. */
static int append(struct source_bpf *bpf, struct memory_read *read, uint64_t address, struct error *err)
{
	struct batch *batch = &bpf->skeleton->bss->batch;
	unsigned char *target = read->buffer;
	size_t left = read->size;

	while (left) {
		uint32_t space = bpf->batch_bytes - bpf->used_bytes;
		uint32_t size = left;

		if (left > space)
			size = space;
		if (size > BATCH_PIECE)
			size = BATCH_PIECE;
		if (batch->count == BATCH_REQUESTS || !size) {
			int status = flush(bpf, err);

			if (status)
				return status;
			if (read->result) /* an earlier piece failed */
				return 0;
			continue;
		}
		bpf->readers[batch->count] = read;
		bpf->targets[batch->count] = target;
		/* Preset, so that a piece which the program leaves out is no success. */
		batch->requests[batch->count++] = (struct batch_request){
			.address = address, .at = bpf->used_bytes, .size = size, .result = -EFAULT
		};
		bpf->used_bytes += size;
		address += size;
		target += size;
		left -= size;
	}
	return 0;
}

/* User space's half is never read, whatever the kernel would say: its pages belong to the calling process. */
static bool is_kernel_range(uint64_t address, size_t size)
{
	return (int64_t)address < 0 && size <= -address;
}

static int read_bpf(struct memory_source *source, enum address_space space, struct memory_read *reads,
		    size_t count, struct error *err)
{
	struct source_bpf *bpf = from_source(source);
	int status;

	for (size_t i = 0; i < count; i++) {
		uint64_t address = reads[i].address;

		reads[i].result = 0;
		if (space == SPACE_PHYSICAL)
			reads[i].result = live_facts_direct(&bpf->facts, address, reads[i].size, &address);
		if (!reads[i].result && !is_kernel_range(address, reads[i].size))
			reads[i].result = -EFAULT;
		status = reads[i].result ? 0 : append(bpf, &reads[i], address, err);
		if (status)
			return status;
	}
	return flush(bpf, err);
}

static void close_bpf(struct memory_source *source)
{
	struct source_bpf *bpf = from_source(source);

	live_facts_deinit(&bpf->facts);
	source_bpf_bpf__destroy(bpf->skeleton);
	free(bpf);
}

static const struct memory_source_ops bpf_ops = { .name = "live-bpf", .read = read_bpf, .close = close_bpf };

DEFINE_CLEANUP(skeleton, struct source_bpf_bpf *, source_bpf_bpf__destroy(v));

/* Load one of the two programs. */
static int load(bool as_syscall, struct source_bpf_bpf **ret_skeleton)
{
	CLEANUP(skeleton) struct source_bpf_bpf *skeleton = source_bpf_bpf__open();
	int rc;

	if (!skeleton)
		return -errno;
	bpf_program__set_autoload(skeleton->progs.read_as_syscall, as_syscall);
	bpf_program__set_autoload(skeleton->progs.read_as_tracepoint, !as_syscall);
	rc = source_bpf_bpf__load(skeleton);
	if (!rc)
		*ret_skeleton = TAKE_PTR(skeleton);
	return rc;
}

static int refuse(int rc, struct error *err)
{
	const struct kernel_cap *cap;
	struct kernel_caps caps;

	kernel_caps_init(&caps);
	cap = kernel_caps_get(&caps, KERNEL_CAP_BPF_READ_KERNEL);
	if (cap->state == CAP_YES)
		return error_set(err, rc == -EPERM ? rc : -EOPNOTSUPP, "BPF cannot read kernel memory here: %s",
				 strerror(-rc));
	return error_set(err, rc == -EPERM ? rc : -EOPNOTSUPP, "BPF: %s", cap->reason);
}

int source_bpf_open(struct memory_source **ret_source, struct error *err)
{
	struct source_bpf *bpf = calloc(1, sizeof(*bpf));
	struct bpf_program *program;
	bool as_syscall = true;
	int rc;

	if (!bpf)
		return error_set(err, -ENOMEM, "out of memory");
	bpf->source = (struct memory_source){
		.ops = &bpf_ops, .has_space[SPACE_VIRTUAL] = true, .is_live = true, .is_this_machine = true
	};
	rc = load(as_syscall, &bpf->skeleton);
	if (rc) {
		as_syscall = false;
		rc = load(as_syscall, &bpf->skeleton);
	}
	if (rc) {
		close_bpf(&bpf->source);
		return refuse(rc, err);
	}
	program = as_syscall ? bpf->skeleton->progs.read_as_syscall : bpf->skeleton->progs.read_as_tracepoint;
	bpf->program_fd = bpf_program__fd(program);
	bpf->batch_bytes = as_syscall ? BATCH_BYTES : UNPREEMPTED_BYTES;
	rc = run(bpf, err); /* an empty batch: loading is one thing, running another */
	if (!rc)
		rc = live_facts_find(&bpf->source, bpf->skeleton->bss->batch.task, &bpf->facts, err);
	if (rc) {
		close_bpf(&bpf->source);
		return rc;
	}
	*ret_source = &bpf->source;
	return 0;
}

int source_bpf_current_task(struct memory_source *source, uint64_t *ret_address, struct error *err)
{
	struct source_bpf *bpf = from_source(source);
	int status = run(bpf, err);

	if (!status)
		*ret_address = bpf->skeleton->bss->batch.task;
	return status;
}
