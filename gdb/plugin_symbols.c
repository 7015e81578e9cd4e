// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The kernel's own symbols as a file for gdb. gdb reads it when it likes, for as long as it has it: it lies
 * in a folder of the session, which nobody else may look into, until the session ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "kernel_elf.h"
#include "new_file.h"
#include "plugin_private.h"

#define FILE_NAME "kernel.elf"

DEFINE_CLEANUP(kernel_elf, struct kernel_elf, kernel_elf_deinit(&v));
DEFINE_CLEANUP(new_file, struct new_file, new_file_deinit(&v));

/* The file's path in the session's folder, which is made now if need be. */
static int own_path(struct dill_gdb *session, char **ret_path)
{
	const char *place = getenv("TMPDIR");
	char *folder;

	if (!session->symbol_folder) {
		if (asprintf(&folder, "%s/dill-gdb-XXXXXX", place && *place == '/' ? place : "/tmp") < 0)
			return error_set(&session->error, -ENOMEM, "out of memory");
		if (!mkdtemp(folder)) {
			int code = -errno;

			error_set(&session->error, code, "%s: %s", folder, strerror(-code));
			free(folder);
			return code;
		}
		session->symbol_folder = folder;
	}
	return asprintf(ret_path, "%s/" FILE_NAME, session->symbol_folder) < 0 ?
		       error_set(&session->error, -ENOMEM, "out of memory") :
		       0;
}

/* Replace what is at @path. */
static int write_symbols(struct dill_gdb *session, const char *path)
{
	CLEANUP(kernel_elf) struct kernel_elf elf = { 0 };
	CLEANUP(new_file) struct new_file file = { 0 };
	struct error *err = &session->error;
	struct kernel *kernel;
	int status = session_kernel(session, &kernel);

	if (!status)
		status = kernel_elf_make(kernel, &elf, err);
	if (!status && session_is_interrupted(session))
		status = -EINTR;
	if (!status)
		status = new_file_open(&file, path, err);
	if (!status)
		status = new_file_write(&file, elf.file.bytes, elf.file.size, err);
	return status ? status : new_file_finish(&file, err);
}

int dill_gdb_write_symbols(struct dill_gdb *session, const char *path, char *ret_path, size_t size)
{
	CLEANUP(free) char *own = NULL;
	int status = 0;

	session_begin(session);
	if (!path)
		status = own_path(session, &own);
	path = path ? path : own;
	if (!status && strlen(path) >= size)
		status = error_set(&session->error, -ENAMETOOLONG, "%s: the path is too long", path);
	if (!status)
		status = write_symbols(session, path);
	if (!status)
		strcpy(ret_path, path);
	return session_end(session, status);
}

void session_remove_symbols(struct dill_gdb *session)
{
	CLEANUP(free) char *path = NULL;

	if (!session->symbol_folder)
		return;
	if (!own_path(session, &path))
		unlink(path);
	rmdir(session->symbol_folder);
	free(session->symbol_folder);
	session->symbol_folder = NULL;
}
