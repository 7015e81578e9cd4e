// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A memory source over a connection that somebody else uses too. So nothing is left changed in the stub from
 * one call to the next, and threads are selected only within begin() and end().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "packet_link.h"
#include "packet_requests.h"
#include "qemu_process.h"

/* Where a kernel's image can be: kernel_open.h. */
#define IMAGE_START 0xffffffff80000000ULL
#define IMAGE_RANGE 0x40000000ULL
#define IMAGE_STEP 0x200000ULL
/* Attempts to set the stub back although the user is pressing Ctrl-C. */
#define RESTORE_TRIES 8

struct source_packets {
	struct memory_source source;
	struct packet_link *link;
	struct packet_facts facts;
	struct qemu_process *process; /* NULL: all goes through packets */
	bool is_physical;             /* what the stub reads now; differs from before only within a read */
	struct named_address text;
	char way[64];
};

static void packets_close(struct memory_source *source)
{
	struct source_packets *packets = (struct source_packets *)source;

	qemu_process_close(packets->process);
	packet_facts_deinit(&packets->facts);
	free(packets);
}

DEFINE_CLEANUP(packets, struct source_packets *, if (v) packets_close(&v->source));

static int set_physical(struct source_packets *packets, bool is_physical, struct error *err)
{
	int status = 0;

	if (packets->is_physical != is_physical)
		status = packet_set_physical(packets->link, is_physical, err);
	if (!status)
		packets->is_physical = is_physical;
	return status;
}

/* Ctrl-C ends what is being read, but not this. */
static int restore(struct source_packets *packets, struct error *err)
{
	int status = 0;

	for (int i = 0; i < RESTORE_TRIES; i++) {
		status = set_physical(packets, packets->facts.was_physical, err);
		if (status != -EINTR)
			break;
	}
	return status;
}

static int read_by_packets(struct source_packets *packets, bool is_physical, struct memory_read *reads,
			   size_t count, struct error *err)
{
	const struct packet_facts *facts = &packets->facts;
	int restored, status = 0;

	if (facts->is_qemu)
		status = set_physical(packets, is_physical, err);
	if (!status)
		status = is_physical ? packet_read_ram(packets->link, facts->ram, facts->ram_count, reads,
						       count, err)
				     : packet_read(packets->link, reads, count, err);
	restored = facts->is_qemu ? restore(packets, status ? NULL : err) : 0;
	return status ? status : restored;
}

static int packets_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
			size_t count, struct error *err)
{
	struct source_packets *packets = (struct source_packets *)source;

	if (!source->has_space[space]) {
		for (size_t i = 0; i < count; i++)
			reads[i].result = -EFAULT;
		return 0;
	}
	if (packets->link->is_interrupted && packets->link->is_interrupted(packets->link))
		return error_set(err, -EINTR, "interrupted");
	if (packets->process && space == SPACE_PHYSICAL)
		return qemu_process_read(packets->process, reads, count, err);
	return read_by_packets(packets, space == SPACE_PHYSICAL, reads, count, err);
}

static const struct memory_source_ops packets_ops = {
	.name = "packets",
	.read = packets_read,
	.close = packets_close,
};

/* Memory as the stub itself says it is, for proof. */
static int sample_by_packets(void *context, uint64_t address, void *buffer, size_t size)
{
	struct source_packets *packets = context;
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };
	int status = read_by_packets(packets, true, &read, 1, NULL);

	return status ? status : read.result;
}

static void find_process(struct source_packets *packets)
{
	const struct packet_facts *facts = &packets->facts;
	pid_t peer = packets->link->peer;

	if (peer > 0 && facts->block_count &&
	    !qemu_process_open(peer, facts->blocks, facts->block_count, sample_by_packets, packets,
			       &packets->process, NULL))
		snprintf(packets->way, sizeof(packets->way), "memory of process %d", (int)peer);
}

/*
 * Without page tables to be found the image is where the first step of its range can be read. A process that
 * is no kernel has nothing there.
 */
static int find_text(struct source_packets *packets, struct error *err)
{
	for (uint64_t at = 0; at < IMAGE_RANGE; at += IMAGE_STEP) {
		uint8_t bytes[16];
		int status = memory_source_read(&packets->source, SPACE_VIRTUAL, IMAGE_START + at, bytes,
						sizeof(bytes), err);

		if (status && status != -EFAULT)
			return status;
		if (status)
			continue;
		packets->text = (struct named_address){ "_text", IMAGE_START + at };
		packets->source.symbols = &packets->text;
		packets->source.symbol_count = 1;
		return 0;
	}
	return error_set(err, -EBADMSG,
			 "the target is no x86-64 Linux kernel: nothing is where its image would be");
}

static void take_facts(struct source_packets *packets)
{
	packets->source.cpus = packets->facts.cpus;
	packets->source.cpu_count = packets->facts.cpu_count;
	packets->source.ram = packets->facts.ram;
	packets->source.ram_count = packets->facts.ram_count;
}

static int find_out(struct source_packets *packets, bool is_direct, struct error *err)
{
	struct packet_facts *facts = &packets->facts;
	int status = packet_find_kind(packets->link, facts, err);

	packets->is_physical = facts->was_physical;
	packets->source.has_space[SPACE_VIRTUAL] = true;
	if (status == -EOPNOTSUPP) /* there is no stub: memory is all that can be had */
		status = 0;
	if (status)
		return status;
	if (!facts->is_qemu)
		return find_text(packets, err);
	packets->source.has_space[SPACE_PHYSICAL] = true;
	status = packet_find_cpus(packets->link, facts, err);
	if (!status)
		status = packet_find_ram(packets->link, facts, err);
	if (status)
		return status;
	take_facts(packets);
	if (is_direct)
		find_process(packets);
	return 0;
}

int source_packets_open(struct packet_link *link, bool is_direct, struct memory_source **ret_source,
			struct error *err)
{
	CLEANUP(packets) struct source_packets *packets = calloc(1, sizeof(*packets));
	int status;

	if (!packets)
		return error_set(err, -ENOMEM, "out of memory");
	packets->source.ops = &packets_ops;
	packets->link = link;
	snprintf(packets->way, sizeof(packets->way), "gdb's packets");
	status = find_out(packets, is_direct, err);
	if (status)
		return status;
	*ret_source = &TAKE_PTR(packets)->source;
	return 0;
}

int source_packets_refresh(struct memory_source *source, struct error *err)
{
	struct source_packets *packets = (struct source_packets *)source;
	int status;

	source->generation++;
	if (!packets->facts.is_qemu)
		return 0;
	status = packet_find_cpus(packets->link, &packets->facts, err);
	if (!status)
		take_facts(packets);
	return status;
}

const char *source_packets_way(const struct memory_source *source)
{
	return ((const struct source_packets *)source)->way;
}
