// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Gathers files with probes. What a file was met as is remembered also when it has none, so that each is read once. */
#include "usdt_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "elf_object.h"
#include "error.h"
#include "proc_maps.h"

DEFINE_CLEANUP(maps, struct proc_maps, proc_maps_deinit(&v));
DEFINE_CLEANUP(closedir, DIR *, if (v) closedir(v));
DEFINE_CLEANUP(object, struct elf_object *, elf_object_unref(v));
DEFINE_CLEANUP(text, char *, free(v));

void usdt_files_deinit(struct usdt_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		usdt_probes_destroy(files->list[i].probes);
		elf_object_unref(files->list[i].object);
	}
	free(files->list);
	free(files->library);
	*files = (struct usdt_files){ 0 };
}

static struct usdt_file *new_file(struct usdt_files *files)
{
	struct usdt_file *grown;

	/* Grows by doubling: at each power of two. */
	if (!(files->count & (files->count - 1))) {
		grown = reallocarray(files->list, files->count ? 2 * files->count : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		files->list = grown;
	}
	files->list[files->count] = (struct usdt_file){ 0 };
	return &files->list[files->count++];
}

/* glibc, by its name and what nobody else exports. */
static bool is_c_library(struct elf_object *object)
{
	const char *name = strrchr(elf_object_path(object), '/');
	struct elf_function function;

	name = name ? name + 1 : elf_object_path(object);
	return (strncmp(name, "libc.", 5) == 0 || strncmp(name, "libc-", 5) == 0) &&
	       !elf_object_find_exported(object, "gnu_get_libc_version", &function, NULL);
}

static int read_probes(struct usdt_files *files, struct elf_object *object, struct usdt_probes **ret_probes, struct error *err)
{
	bool is_library = is_c_library(object);
	size_t damaged = 0;
	int status;

	if (files->wants_functions)
		return is_library ? usdt_functions_read(object, ret_probes, err) : -ENOENT;
	status = usdt_probes_read(object, ret_probes, &damaged, err);
	files->damaged += damaged;
	if (!status && is_library) {
		free(files->library);
		files->library = strdup(elf_object_path(object));
		files->library_has_probes |= usdt_probes_count(*ret_probes) > 0;
	}
	return status;
}

/* @object is taken over. */
static int add_object(struct usdt_files *files, struct elf_object *taken, uint64_t map_device, uint64_t map_inode,
		      struct error *err)
{
	CLEANUP(object) struct elf_object *object = taken;
	struct usdt_file *file;
	struct stat info;
	int status;

	if (fstat(elf_object_fd(object), &info))
		return error_set(err, -errno, "%s: %s", elf_object_path(object), strerror(errno));
	for (size_t i = 0; i < files->count; i++) {
		file = &files->list[i];
		if (file->device != info.st_dev || file->inode != info.st_ino)
			continue;
		file->map_device = map_device ? map_device : file->map_device;
		file->map_inode = map_device ? map_inode : file->map_inode;
		return 0;
	}
	file = new_file(files);
	if (!file)
		return error_set(err, -ENOMEM, "out of memory");
	*file = (struct usdt_file){ .device = info.st_dev, .inode = info.st_ino, .map_device = map_device, .map_inode = map_inode };
	status = read_probes(files, object, &file->probes, err);
	if (status)
		return status == -ENOENT ? 0 : status;
	if (usdt_probes_count(file->probes)) {
		file->object = TAKE_PTR(object);
	} else {
		usdt_probes_destroy(file->probes);
		file->probes = NULL;
	}
	return 0;
}

int usdt_files_add_path(struct usdt_files *files, const char *path, struct error *err)
{
	struct elf_object *object;
	char whole[PATH_MAX];
	int status = elf_object_open_path(realpath(path, whole) ? whole : path, &object, err);

	return status ? status : add_object(files, object, 0, 0, err);
}

static bool was_met(const struct usdt_files *files, uint64_t map_device, uint64_t map_inode)
{
	for (size_t i = files->count; i--;)
		if (files->list[i].map_inode == map_inode && files->list[i].map_device == map_device)
			return true;
	return false;
}

int usdt_files_add_process(struct usdt_files *files, pid_t pid, struct error *err)
{
	CLEANUP(maps) struct proc_maps maps = { 0 };
	int status = proc_maps_read(pid, &maps, err);

	for (size_t i = 0; i < maps.count && !status; i++) {
		const struct mapping *mapping = &maps.list[i];
		uint64_t device = makedev(mapping->dev_major, mapping->dev_minor);
		struct elf_object *object;

		if (!mapping->is_executable || !mapping->inode || was_met(files, device, mapping->inode))
			continue;
		if (elf_object_open_mapping(pid, mapping, &object, NULL) == 0)
			status = add_object(files, object, device, mapping->inode, NULL);
		if (status != -ENOMEM)
			status = 0; /* one file of many that can't be understood */
	}
	return status;
}

int usdt_files_add_all(struct usdt_files *files, struct error *err)
{
	CLEANUP(closedir) DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return error_set(err, -errno, "/proc: %s", strerror(errno));
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && usdt_files_add_process(files, pid, NULL) == -ENOMEM)
			return error_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* The file that execvp(3) would take; to be freed. */
static char *find_program(const char *word)
{
	const char *path = getenv("PATH");
	CLEANUP(text) char *copy = strdup(path ? path : "/bin:/usr/bin");
	char *rest = copy, *whole;

	if (strchr(word, '/'))
		return strdup(word);
	for (const char *folder; rest && (folder = strsep(&rest, ":"));) {
		if (asprintf(&whole, "%s/%s", *folder ? folder : ".", word) < 0)
			return NULL;
		if (access(whole, X_OK) == 0)
			return whole;
		free(whole);
	}
	return NULL;
}

/* Lines "\tlibc.so.6 => /lib/libc.so.6 (0x7f…)", as ldd(1) shows them. */
static int add_lines(struct usdt_files *files, FILE *lines)
{
	CLEANUP(text) char *line = NULL;
	size_t room = 0;
	int status = 0;

	while (status != -ENOMEM && getline(&line, &room, lines) > 0) {
		char *path = strchr(line, '/'), *end = path ? strrchr(path, '(') : NULL;

		if (!end || end == path)
			continue;
		end[-1] = '\0';
		status = usdt_files_add_path(files, path, NULL);
	}
	return status == -ENOMEM ? status : 0;
}

/* Ask the dynamic linker of @program, as ldd(1) does: it loads the libraries, and runs none of their code. */
static int add_libraries(struct usdt_files *files, const char *interpreter, const char *program)
{
	CLEANUP(fclose) FILE *lines = NULL;
	int pipes[2], status;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child == 0) {
		if (dup2(pipes[1], STDOUT_FILENO) >= 0)
			execl(interpreter, interpreter, "--list", program, NULL);
		_exit(127);
	}
	close(pipes[1]);
	lines = fdopen(pipes[0], "r");
	status = lines ? add_lines(files, lines) : -ENOMEM;
	if (child > 0)
		waitpid(child, NULL, 0);
	return status;
}

int usdt_files_add_command(struct usdt_files *files, const char *word, struct error *err)
{
	CLEANUP(text) char *program = find_program(word);
	CLEANUP(object) struct elf_object *object = NULL;
	CLEANUP(text) char *interpreter = NULL;
	int status;

	if (!program)
		return error_set(err, -ENOENT, "cannot run %s: %s", word, strerror(ENOENT));
	if (elf_object_open_path(program, &object, NULL))
		return 0; /* a script: its interpreter is found if somebody runs it, or by PATH */
	if (elf_object_interpreter(object))
		interpreter = strdup(elf_object_interpreter(object));
	status = add_object(files, TAKE_PTR(object), 0, 0, err);
	if (!status && interpreter)
		status = usdt_files_add_path(files, interpreter, NULL) == -ENOMEM ? -ENOMEM : 0;
	if (!status && interpreter && add_libraries(files, interpreter, program) == -ENOMEM)
		status = error_set(err, -ENOMEM, "out of memory");
	return status;
}
