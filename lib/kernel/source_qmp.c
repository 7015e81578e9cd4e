// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A memory source over QMP: facts, stopping and continuing, and which of two ways memory is read. */
#include "source_qmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "qemu_monitor.h"
#include "qemu_process.h"
#include "qmp.h"
#include "qmp_window.h"
#include "target_guard.h"
#include "target_socket.h"

#define TIMEOUT_MS 10000

/* 0xff ends whatever the parser was in (qmp-spec, "Forcing the JSON parser into known-good state"). */
#define FAREWELL "\xff\n{\"execute\":\"cont\"}\n"

struct source_qmp {
	struct memory_source source;
	struct qmp *qmp;
	struct target_guard guard;
	bool resumes; /* it ran when we came */
	struct cpu_registers *cpus;
	struct memory_range *ram;
	struct qemu_process *process; /* either this */
	struct qmp_windows *windows;  /* or that */
};

static void source_close(struct memory_source *source)
{
	struct source_qmp *self = (struct source_qmp *)source;

	if (self->qmp && self->resumes)
		qmp_execute(self->qmp, "cont", NULL);
	target_guard_end(&self->guard);
	qemu_process_close(self->process);
	qmp_windows_destroy(self->windows);
	qmp_close(self->qmp);
	free(self->cpus);
	free(self->ram);
	free(self);
}

DEFINE_CLEANUP(source_qmp, struct source_qmp *, if (v) source_close(&v->source));

static int source_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		       size_t count, struct error *err)
{
	struct source_qmp *self = (struct source_qmp *)source;
	uint64_t resumes;
	int status;

	if (space != SPACE_PHYSICAL) {
		for (size_t i = 0; i < count; i++)
			reads[i].result = -EFAULT;
		return 0;
	}
	status = qmp_resumes_seen(self->qmp, &resumes, err);
	if (status)
		return status;
	if (resumes != source->generation) {
		/* Somebody else set it running, and it may go on doing so. */
		source->generation = resumes;
		source->is_live = true;
		if (self->windows)
			qmp_windows_forget(self->windows);
	}
	return self->process ? qemu_process_read(self->process, reads, count, err) :
			       qmp_windows_read(self->windows, reads, count, err);
}

static const struct memory_source_ops qmp_ops = { .name = "qmp", .read = source_read, .close = source_close };

static int stop_guest(struct source_qmp *self, struct error *err)
{
	int status = qmp_is_running(self->qmp, &self->resumes, err);

	if (status || !self->resumes)
		return status;
	status = target_guard_start(qmp_fd(self->qmp), FAREWELL, NULL, &self->guard, err);
	return status ? status : qmp_execute(self->qmp, "stop", err);
}

/* Memory as xp prints it: "0000000001000000: 0x0000000000000001 0x0000000000000002". */
static int sample_by_monitor(void *context, uint64_t address, void *buffer, size_t size)
{
	CLEANUP(free) char *text = NULL;
	char line[64];
	uint64_t *to = buffer;
	size_t count = 0;

	snprintf(line, sizeof(line), "xp /%zugx 0x%llx", size / 8, (unsigned long long)address);
	if (qmp_monitor(context, line, &text, NULL))
		return -EFAULT;
	for (const char *at = text; count < size / 8 && (at = strstr(at, " 0x")); count++) {
		char *end;

		to[count] = strtoull(at + 1, &end, 16);
		at = end;
	}
	return count == size / 8 ? 0 : -EFAULT;
}

static int find_memory(struct source_qmp *self, bool must_save, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	CLEANUP(free) struct qemu_ram *ram = NULL;
	size_t count;
	pid_t pid;
	int status = qmp_monitor(self->qmp, QEMU_COMMAND_MEMORY, &text, err);

	if (status)
		return status;
	if (qemu_parse_memory(text, &ram, &count) ||
	    qemu_ram_ranges(ram, count, &self->ram, &self->source.ram_count))
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	if (count == 0)
		return error_set(err, -EBADMSG, "QEMU monitor: it doesn't say where RAM is");
	self->source.ram = self->ram;
	if (!must_save && !target_peer(qmp_fd(self->qmp), &pid) &&
	    !qemu_process_open(pid, ram, count, sample_by_monitor, self->qmp, &self->process, NULL))
		return 0;
	return qmp_windows_create(self->qmp, self->ram, self->source.ram_count, &self->windows) ?
		       error_set(err, -ENOMEM, "QEMU monitor: out of memory") : 0;
}

static int find_registers(struct source_qmp *self, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	int status = qmp_monitor(self->qmp, QEMU_COMMAND_REGISTERS, &text, err);

	if (status)
		return status;
	if (qemu_parse_registers(text, &self->cpus, &self->source.cpu_count))
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	self->source.cpus = self->cpus;
	return 0;
}

int source_qmp_open(const char *target, struct memory_source **ret_source, struct error *err)
{
	CLEANUP(source_qmp) struct source_qmp *self = calloc(1, sizeof(*self));
	CLEANUP(free) char *address = strdup(target);
	char *suffix = address ? strrchr(address, ',') : NULL;
	bool must_save = suffix && strcmp(suffix, ",save") == 0;
	int status;

	if (!self || !address)
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	self->source.ops = &qmp_ops;
	self->source.has_space[SPACE_PHYSICAL] = true;
	if (must_save)
		*suffix = '\0';
	status = qmp_open(address, TIMEOUT_MS, &self->qmp, err);
	if (!status)
		status = stop_guest(self, err);
	if (!status)
		status = find_memory(self, must_save, err);
	if (!status)
		status = find_registers(self, err);
	if (!status)
		status = qmp_resumes_seen(self->qmp, &self->source.generation, err);
	if (status)
		return status;
	*ret_source = &TAKE_PTR(self)->source;
	return 0;
}

bool source_qmp_is_direct(const struct memory_source *source)
{
	return ((const struct source_qmp *)source)->process;
}

uint64_t source_qmp_requests(const struct memory_source *source)
{
	return qmp_request_count(((const struct source_qmp *)source)->qmp);
}
