// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A RAM block is one mapping of QEMU's, with a guard page behind it; its advice (MADV_MERGEABLE,
 * MADV_DONTFORK) keeps the kernel from joining it with others. NUMA policies may split it, so that neighbours
 * are joined here.
 */
#include "qemu_process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "partition_point.h"

#define RUNS_MAX 4096
#define SAMPLE_BYTES 128
/* So many places of a block are compared; so many of them must differ, and not be zeros, to prove anything.
 */
#define SAMPLES 48
#define PROOFS 3
#define VECTORS 256

/* Writable mappings without a gap. */
struct run {
	uint64_t start, end;
};

struct piece {
	struct qemu_ram ram;
	uint64_t at; /* where @ram.start is in the process */
};

struct qemu_process {
	pid_t pid;
	size_t count;
	struct piece pieces[];
};

static size_t read_runs(pid_t pid, struct run *runs)
{
	char path[32], line[4352];
	CLEANUP(fclose) FILE *maps = NULL;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		uint64_t start, end;
		char access[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, access) != 3 || strncmp(access, "rw", 2) != 0)
			continue;
		if (count && runs[count - 1].end == start)
			runs[count - 1].end = end;
		else if (count < RUNS_MAX)
			runs[count++] = (struct run){ .start = start, .end = end };
	}
	return count;
}

static ssize_t read_at(pid_t pid, uint64_t at, void *buffer, size_t size)
{
	struct iovec local = { .iov_base = buffer, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)at, .iov_len = size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

/* Samples of one block: where in the block, and what QEMU says is there. */
struct samples {
	size_t count;
	unsigned int proofs;
	uint64_t offsets[SAMPLES];
	char bytes[SAMPLES][SAMPLE_BYTES];
};

static bool is_proof(const struct samples *samples, const char *bytes)
{
	static const char zeros[SAMPLE_BYTES];

	if (memcmp(bytes, zeros, SAMPLE_BYTES) == 0)
		return false;
	for (size_t i = 0; i < samples->count; i++)
		if (memcmp(bytes, samples->bytes[i], SAMPLE_BYTES) == 0)
			return false;
	return true;
}

/* Places spread over the pieces of @block. The step is odd in pages, so that no structure of the guest's
 * repeats. */
static void take_samples(const struct qemu_ram *ram, size_t count, const char *block, qemu_sample sample,
			 void *context, struct samples *samples)
{
	for (size_t i = 0; i < count && samples->count < SAMPLES; i++) {
		uint64_t step = ((ram[i].size / SAMPLES) & ~8191ULL) + 4096;

		if (strcmp(ram[i].block, block) != 0)
			continue;
		for (uint64_t at = 0; at + SAMPLE_BYTES <= ram[i].size && samples->count < SAMPLES;
		     at += step) {
			char *bytes = samples->bytes[samples->count];

			if (sample(context, ram[i].start + at, bytes, SAMPLE_BYTES))
				return;
			samples->proofs += is_proof(samples, bytes);
			samples->offsets[samples->count++] = ram[i].block_offset + at;
		}
	}
}

/* Whether a block that begins at @at has all the samples. */
static bool has_samples(pid_t pid, uint64_t at, const struct samples *samples)
{
	char bytes[SAMPLE_BYTES];

	for (size_t i = 0; i < samples->count; i++)
		if (read_at(pid, at + samples->offsets[i], bytes, sizeof(bytes)) != sizeof(bytes) ||
		    memcmp(bytes, samples->bytes[i], sizeof(bytes)) != 0)
			return false;
	return true;
}

/* The one place where a block of @size can be. */
static int find_block(pid_t pid, const struct run *runs, size_t run_count, uint64_t size,
		      const struct samples *samples, uint64_t *ret_at)
{
	uint64_t found = 0;
	unsigned int places = 0;

	for (size_t i = 0; i < run_count; i++) {
		/* At the start, or before a neighbour at the end. */
		uint64_t ats[2] = { runs[i].start, runs[i].end - size };

		if (runs[i].end - runs[i].start < size)
			continue;
		for (unsigned int j = 0; j < (ats[0] == ats[1] ? 1 : 2); j++) {
			if (!has_samples(pid, ats[j], samples))
				continue;
			found = ats[j];
			places++;
		}
	}
	if (places != 1 || samples->proofs < PROOFS)
		return -ENOENT;
	*ret_at = found;
	return 0;
}

static uint64_t block_size(const struct qemu_ram *ram, size_t count, const char *block)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (strcmp(ram[i].block, block) == 0 && ram[i].block_offset + ram[i].size > size)
			size = ram[i].block_offset + ram[i].size;
	return size;
}

/* Blocks by the first of their pieces; all others get the same place. */
static int place_blocks(struct qemu_process *process, const struct qemu_ram *ram, const struct run *runs,
			size_t run_count, qemu_sample sample, void *context, struct error *err)
{
	for (size_t i = 0; i < process->count; i++) {
		const char *block = ram[i].block;
		struct samples samples = { 0 };
		uint64_t at;

		if (process->pieces[i].at)
			continue;
		take_samples(ram, process->count, block, sample, context, &samples);
		if (find_block(process->pid, runs, run_count, block_size(ram, process->count, block),
			       &samples, &at))
			return error_set(err, -ENOENT, "QEMU's process %d: its memory '%s' isn't found",
					 (int)process->pid, block);
		for (size_t j = i; j < process->count; j++)
			if (strcmp(ram[j].block, block) == 0)
				process->pieces[j].at = at + ram[j].block_offset;
	}
	return 0;
}

int qemu_process_open(pid_t pid, const struct qemu_ram *ram, size_t count, qemu_sample sample, void *context,
		      struct qemu_process **ret_process, struct error *err)
{
	CLEANUP(free) struct qemu_process *process = calloc(1, sizeof(*process) +
							       count * sizeof(struct piece));
	CLEANUP(free) struct run *runs = calloc(RUNS_MAX, sizeof(*runs));
	size_t run_count;
	char byte;
	int status;

	if (!process || !runs)
		return error_set(err, -ENOMEM, "out of memory");
	process->pid = pid;
	process->count = count;
	for (size_t i = 0; i < count; i++)
		process->pieces[i].ram = ram[i];
	run_count = read_runs(pid, runs);
	if (count == 0 || run_count == 0)
		return error_set(err, -ENOENT, "process %d has no guest's memory", (int)pid);
	if (read_at(pid, runs[0].start, &byte, 1) < 0 && (errno == EPERM || errno == ESRCH))
		return error_set(err, -errno, "QEMU's process %d: %s", (int)pid, strerror(errno));
	status = place_blocks(process, ram, runs, run_count, sample, context, err);
	if (!status)
		*ret_process = TAKE_PTR(process);
	return status;
}

void qemu_process_close(struct qemu_process *process)
{
	free(process);
}

/* The piece that holds @address. */
static const struct piece *piece_at(const struct qemu_process *process, uint64_t address)
{
	size_t at = PARTITION_POINT(i, process->count, process->pieces[i].ram.start <= address);
	const struct piece *piece = at ? &process->pieces[at - 1] : NULL;

	return piece && address - piece->ram.start < piece->ram.size ? piece : NULL;
}

/* One read of any length, piece by piece. */
static int read_slowly(const struct qemu_process *process, struct memory_read *read)
{
	uint64_t address = read->address;
	char *to = read->buffer;
	size_t left = read->size;

	while (left) {
		const struct piece *piece = piece_at(process, address);
		uint64_t offset = piece ? address - piece->ram.start : 0;
		size_t part = piece && piece->ram.size - offset < left ? piece->ram.size - offset : left;
		ssize_t got = piece ? read_at(process->pid, piece->at + offset, to, part) : 0;

		if (got < 0 && errno == ESRCH)
			return -ESRCH;
		if (got <= 0) {
			read->result = -EFAULT;
			return 0;
		}
		address += (uint64_t)got;
		to += got;
		left -= (size_t)got;
	}
	read->result = 0;
	return 0;
}

/* Many reads that lie within one piece each go in one call; the number of reads that were done. */
static size_t read_together(const struct qemu_process *process, struct memory_read *reads, size_t count)
{
	struct iovec local[VECTORS], remote[VECTORS];
	size_t planned = 0, done = 0, size = 0;
	ssize_t got;

	for (; planned < count && planned < VECTORS; planned++) {
		const struct memory_read *read = &reads[planned];
		const struct piece *piece = piece_at(process, read->address);
		uint64_t offset = piece ? read->address - piece->ram.start : 0;

		if (!piece || read->size > piece->ram.size - offset)
			break;
		local[planned] = (struct iovec){ .iov_base = read->buffer, .iov_len = read->size };
		remote[planned] = (struct iovec){ .iov_base = (void *)(uintptr_t)(piece->at + offset),
						  .iov_len = read->size };
	}
	if (planned < 2)
		return 0;
	got = process_vm_readv(process->pid, local, planned, remote, planned, 0);
	for (; got > 0 && done < planned && size + reads[done].size <= (size_t)got; done++) {
		size += reads[done].size;
		reads[done].result = 0;
	}
	return done;
}

int qemu_process_read(struct qemu_process *process, struct memory_read *reads, size_t count,
		      struct error *err)
{
	for (size_t i = 0; i < count;) {
		size_t done = read_together(process, reads + i, count - i);

		if (!done) {
			if (read_slowly(process, &reads[i]))
				return error_set(err, -ESRCH, "QEMU's process %d is gone", (int)process->pid);
			done = 1;
		}
		i += done;
	}
	return 0;
}
