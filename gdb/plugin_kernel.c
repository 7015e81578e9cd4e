// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The kernel of gdb's target: opened over gdb's connection, kept from call to call, looked at anew when the
 * target ran. Where it can't be told whether it is still the same one, it is opened again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "gdb_connection.h"
#include "packet_requests.h"
#include "plugin_private.h"

#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

static struct dill_gdb *session_of(struct packet_link *link)
{
	return CONTAINER(link, struct dill_gdb, link);
}

static int interrupted(struct dill_gdb *session, struct error *err)
{
	session->is_interrupted = true;
	return error_set(err, -EINTR, "interrupted");
}

/*
 * A QEMU that reads physical memory does so for whoever comes next. Should gdb be killed meanwhile, a child sets it
 * back, as the tracer does where that is between them. Without one it goes on all the same.
 */
#define PHYSICAL_READS "Qqemu.PhyMemMode:1"
#define VIRTUAL_READS "Qqemu.PhyMemMode:0"
#define FAREWELL "#00#00$" VIRTUAL_READS "#76"

static void guard_physical_reads(struct dill_gdb *session)
{
	struct gdb_connection connection;

	if (!session->guard.pid && session->host.connection &&
	    !gdb_connection_find(session->host.connection, &connection, NULL))
		target_guard_start(connection.fd, "", NULL, &session->guard, NULL);
	target_guard_decide(&session->guard, FAREWELL);
}

static int link_ask(struct packet_link *link, const char *request, char *reply, size_t capacity,
		    size_t *ret_size, struct error *err)
{
	struct dill_gdb *session = session_of(link);
	int64_t size;

	if (!session->host.ask)
		return error_set(err, -EOPNOTSUPP, "gdb has no connection to a stub");
	if (!strcmp(request, PHYSICAL_READS))
		guard_physical_reads(session);
	size = session->host.ask(request, reply, capacity);
	if (size > 0 && !strcmp(request, VIRTUAL_READS))
		target_guard_decide(&session->guard, "");
	if (size == -EINTR)
		return interrupted(session, err);
	if (size == -ENOSPC || size >= (int64_t)capacity)
		return error_set(err, -ENOSPC, "gdb's stub: an answer is too long");
	if (size < 0)
		return error_set(err, -EIO, "gdb's connection to the stub is gone");
	reply[size] = '\0';
	*ret_size = (size_t)size;
	return 0;
}

static int link_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	struct dill_gdb *session = session_of(link);

	for (size_t i = 0; i < count; i++) {
		int status = session->host.read(reads[i].address, reads[i].buffer, reads[i].size);

		if (status == -EINTR)
			return interrupted(session, err);
		reads[i].result = status ? -EFAULT : 0;
	}
	return 0;
}

static int link_begin(struct packet_link *link, struct error *err)
{
	struct dill_gdb *session = session_of(link);
	int status = session->host.begin ? session->host.begin() : 0;

	if (status == -EINTR)
		return interrupted(session, err);
	return status ? error_set(err, status, "gdb has no thread selected") : 0;
}

static void link_end(struct packet_link *link)
{
	struct dill_gdb *session = session_of(link);

	if (session->host.end)
		session->host.end();
}

static bool link_is_interrupted(struct packet_link *link)
{
	return session_is_interrupted(session_of(link));
}

void session_init_link(struct dill_gdb *session)
{
	session->link = (struct packet_link){
		.ask = link_ask,
		.begin = link_begin,
		.end = link_end,
		.is_interrupted = link_is_interrupted,
		.peer = session->host.peer,
	};
}

bool session_is_interrupted(struct dill_gdb *session)
{
	if (!session->is_interrupted && session->host.is_interrupted && session->host.is_interrupted())
		session->is_interrupted = true;
	return session->is_interrupted;
}

void session_begin(struct dill_gdb *session)
{
	session->error = (struct error){ 0 };
	session->is_interrupted = false;
}

int session_end(struct dill_gdb *session, int status)
{
	/* What was read last may be half of something: begin anew. */
	if (session->kernel && session->kernel->reader.code)
		session_close_kernel(session);
	if (!session->is_interrupted)
		return status;
	error_set(&session->error, -EINTR, "interrupted");
	return -EINTR;
}

void session_close_kernel(struct dill_gdb *session)
{
	kernel_close(session->kernel);
	session->kernel = NULL;
	free((char *)session->files.vmlinux);
	free((char *)session->files.symbols);
	free((char *)session->files.btf);
	session->files = (struct kernel_files){ 0 };
	session->is_stale = false;
}

static bool is_same_file(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool is_as_wanted(const struct dill_gdb *session, const struct kernel_files *files)
{
	return session->kernel && session->was_direct == session->is_direct &&
	       is_same_file(session->files.vmlinux, files->vmlinux) &&
	       is_same_file(session->files.symbols, files->symbols) &&
	       is_same_file(session->files.btf, files->btf);
}

/* The target ran: registers anew, and a look whether it is the same kernel. False: open it again. */
static bool revive(struct dill_gdb *session)
{
	struct kernel *kernel = session->kernel;

	if (source_packets_refresh(kernel->source, NULL))
		return false;
	kernel_forget(kernel);
	return kernel_is_unchanged(kernel);
}

static int copy_text(const char *text, const char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

/* Memory that gdb reads itself is of use only where there is no QEMU, which knows physical memory as well. */
static void choose_reads(struct dill_gdb *session)
{
	struct packet_facts facts = { 0 };

	session->link.read = NULL;
	session->link.piece_bytes = 0;
	if (session->host.read && (packet_find_kind(&session->link, &facts, NULL) || !facts.is_qemu))
		session->link.read = link_read;
	packet_facts_deinit(&facts);
}

static int open_anew(struct dill_gdb *session, const struct kernel_files *files, struct error *err)
{
	struct memory_source *source;
	int status;

	session_close_kernel(session);
	choose_reads(session);
	status = source_packets_open(&session->link, session->is_direct, &source, err);
	if (!status)
		status = kernel_open(source, files, &session->kernel, err);
	if (status)
		return status;
	session->was_direct = session->is_direct;
	if (copy_text(files->vmlinux, &session->files.vmlinux) ||
	    copy_text(files->symbols, &session->files.symbols) ||
	    copy_text(files->btf, &session->files.btf)) {
		session_close_kernel(session);
		return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int session_open_kernel(void *context, const struct kernel_files *files, struct kernel **ret_kernel,
			struct error *err)
{
	struct dill_gdb *session = context;
	bool is_kept = is_as_wanted(session, files) && (!session->is_stale || revive(session));
	int status = 0;

	if (session_is_interrupted(session))
		return error_set(err, -EINTR, "interrupted");
	session->is_stale = false;
	if (!is_kept)
		status = open_anew(session, files, err);
	if (!status)
		*ret_kernel = session->kernel;
	return status;
}

int session_kernel(struct dill_gdb *session, struct kernel **ret_kernel)
{
	CLEANUP(free) char *vmlinux = NULL;
	CLEANUP(free) char *symbols = NULL;
	CLEANUP(free) char *btf = NULL;
	struct kernel_files files = { 0 };

	/* Opening again frees the names that the session holds. */
	if (copy_text(session->files.vmlinux, &files.vmlinux) ||
	    copy_text(session->files.symbols, &files.symbols) ||
	    copy_text(session->files.btf, &files.btf))
		return error_set(&session->error, -ENOMEM, "out of memory");
	vmlinux = (char *)files.vmlinux;
	symbols = (char *)files.symbols;
	btf = (char *)files.btf;
	return session_open_kernel(session, &files, ret_kernel, &session->error);
}
