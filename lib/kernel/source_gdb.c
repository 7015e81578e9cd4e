// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A memory source over gdb_remote.h: which address space a read is of, and how the target is left. The
 * protocol is not here.
 */
#include "source_gdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "gdb_registers.h"
#include "gdb_remote.h"
#include "packet_link.h"
#include "packet_requests.h"
#include "target_guard.h"
#include "target_socket.h"

#define TIMEOUT_MS 5000

/* Bring the parser of QEMU's stub back from wherever it is: a wrong sum ends a packet, a second one its
 * digits. */
#define RESYNCHRONISE "#00#00"
#define VIRTUAL_READS "$Qqemu.PhyMemMode:0#76"
#define PHYSICAL_READS "$Qqemu.PhyMemMode:1#77"
/*
 * With a process: QEMU demands one as soon as any debugger since its start has asked for the multiprocess
 * extension, and forgets about it never. Stubs without the extension don't look at it.
 */
#define DETACH "$D;1#b0"
#define STOP_REPLY "$T"

struct source_gdb {
	struct memory_source source;
	struct gdb_remote *remote;
	struct target_guard guard;
	enum target_state found;
	bool stays;         /* it must not run afterwards, whatever it was */
	bool resumes;       /* it is to run afterwards */
	bool is_physical;   /* what the stub reads now */
	struct packet_facts facts;
};

static void gdb_close(struct memory_source *source)
{
	struct source_gdb *gdb = (struct source_gdb *)source;

	if (gdb->remote) {
		if (gdb->is_physical != gdb->facts.was_physical)
			packet_set_physical(gdb_remote_link(gdb->remote), gdb->facts.was_physical, NULL);
		if (gdb->resumes)
			gdb_remote_detach(gdb->remote, NULL);
		gdb_remote_close(gdb->remote);
	}
	target_guard_end(&gdb->guard);
	packet_facts_deinit(&gdb->facts);
	free(gdb);
}

DEFINE_CLEANUP(gdb, struct source_gdb *, if (v) gdb_close(&v->source));

static int gdb_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		    size_t count, struct error *err)
{
	struct source_gdb *gdb = (struct source_gdb *)source;
	struct packet_link *link = gdb_remote_link(gdb->remote);
	bool is_physical = space == SPACE_PHYSICAL;
	int status = 0;

	if (!source->has_space[space]) {
		for (size_t i = 0; i < count; i++)
			reads[i].result = -EFAULT;
		return 0;
	}
	if (gdb->is_physical != is_physical) {
		status = packet_set_physical(link, is_physical, err);
		if (!status)
			gdb->is_physical = is_physical;
	}
	if (!status)
		status = is_physical ? packet_read_ram(link, source->ram, source->ram_count, reads, count, err) :
				       packet_read(link, reads, count, err);
	source->generation = gdb_remote_generation(gdb->remote);
	return status;
}

static const struct memory_source_ops gdb_ops = { .name = "gdb", .read = gdb_read, .close = gdb_close };

/* Whether QEMU would have said that it stopped its guest for us: up to 8.0 it does. */
static bool tells_of_stops(struct gdb_remote *remote)
{
	CLEANUP(free) char *text = NULL;
	unsigned int major, minor;

	return !gdb_remote_monitor(remote, "info version", &text, NULL) &&
	       sscanf(text, "%u.%u", &major, &minor) == 2 && (major < 8 || (major == 8 && minor == 0));
}

static enum target_state state_before(struct gdb_remote *remote)
{
	CLEANUP(free) char *text = NULL;

	if (gdb_remote_traits(remote)->was_running)
		return TARGET_RUNNING;
	/* Other stubs answer only while their target is stopped. */
	if (!gdb_remote_traits(remote)->is_qemu || tells_of_stops(remote))
		return TARGET_STOPPED;
	/* A guest that stopped for a reason of its own keeps that: "paused (panicked)". */
	if (!gdb_remote_monitor(remote, "info status", &text, NULL) && strchr(text, '('))
		return TARGET_STOPPED;
	return TARGET_UNKNOWN;
}

/* What is due now that it is known what was found. */
static void decide(struct source_gdb *gdb)
{
	char farewell[128] = "";

	if (gdb->facts.is_qemu)
		snprintf(farewell, sizeof(farewell), RESYNCHRONISE "%s%s",
			 gdb->facts.was_physical ? PHYSICAL_READS : VIRTUAL_READS, gdb->resumes ? DETACH : "");
	target_guard_decide(&gdb->guard, farewell);
}

static int find_out(struct source_gdb *gdb, struct error *err)
{
	struct packet_link *link = gdb_remote_link(gdb->remote);
	struct packet_facts *facts = &gdb->facts;
	int status = packet_find_kind(link, facts, err);

	gdb->is_physical = facts->was_physical;
	decide(gdb);
	if (!status)
		status = packet_find_cpus(link, facts, err);
	if (!status && facts->is_qemu)
		status = packet_find_ram(link, facts, err);
	if (status)
		return status;
	gdb->source.has_space[SPACE_VIRTUAL] = true;
	gdb->source.has_space[SPACE_PHYSICAL] = facts->is_qemu;
	gdb->source.cpus = facts->cpus;
	gdb->source.cpu_count = facts->cpu_count;
	gdb->source.ram = facts->ram;
	gdb->source.ram_count = facts->ram_count;
	return 0;
}

/* "…,resume": cuts it off. */
static bool take_suffix(char *target, const char *suffix)
{
	size_t length = strlen(target), suffix_length = strlen(suffix);

	if (length <= suffix_length || strcmp(target + length - suffix_length, suffix) != 0)
		return false;
	target[length - suffix_length] = '\0';
	return true;
}

static void it_was_running(void *context)
{
	struct source_gdb *gdb = context;

	target_guard_decide(&gdb->guard, gdb->stays ? "" : RESYNCHRONISE VIRTUAL_READS DETACH);
}

/*
 * The guard stands before we are connected: QEMU stops a running guest as soon as it sees us, and the stop
 * reply that it sends then is the guard's cue.
 */
static int prepare(int fd, void *context, struct error *err)
{
	struct source_gdb *gdb = context;
	int status;

	target_guard_end(&gdb->guard); /* that of an address which didn't answer */
	status = target_guard_start(fd, RESYNCHRONISE VIRTUAL_READS DETACH, STOP_REPLY, &gdb->guard, err);
	if (!status && gdb->stays)
		target_guard_decide(&gdb->guard, "");
	return status;
}

static int connect_guarded(struct source_gdb *gdb, const char *address, struct error *err)
{
	int fd, status = target_connect_prepared(address, TIMEOUT_MS, prepare, gdb, &fd, err);

	if (status)
		return status;
	status = gdb_remote_open_fd(fd, TIMEOUT_MS, it_was_running, gdb, &gdb->remote, err);
	if (status == -EBUSY && !gdb->stays) {
		/* QEMU serves somebody else, and will take up this connection after him, dead as it is, and
		 * stop its guest for it. It reads what it finds there, though. */
		target_guard_decide(&gdb->guard, RESYNCHRONISE VIRTUAL_READS DETACH);
		target_guard_release(&gdb->guard);
	}
	return status;
}

int source_gdb_open(const char *target, struct memory_source **ret_source, struct error *err)
{
	CLEANUP(gdb) struct source_gdb *gdb = calloc(1, sizeof(*gdb));
	CLEANUP(free) char *address = strdup(target);
	bool resumes;
	int status;

	if (!gdb || !address)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	gdb->source.ops = &gdb_ops;
	gdb->stays = take_suffix(address, ",stay-stopped");
	resumes = take_suffix(address, ",resume");
	status = connect_guarded(gdb, address, err);
	if (status)
		return status;
	gdb->found = state_before(gdb->remote);
	gdb->resumes = !gdb->stays && (resumes || gdb->found != TARGET_STOPPED);
	status = find_out(gdb, err);
	if (status)
		return status;
	gdb->source.generation = gdb_remote_generation(gdb->remote);
	*ret_source = &TAKE_PTR(gdb)->source;
	return 0;
}

enum target_state source_gdb_found(const struct memory_source *source)
{
	return ((const struct source_gdb *)source)->found;
}

struct gdb_remote *source_gdb_remote(struct memory_source *source)
{
	return ((struct source_gdb *)source)->remote;
}
