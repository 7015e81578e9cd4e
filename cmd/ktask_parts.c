// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Files, mappings and the stack of one task, below it. Decides which of them, and what a gap in them is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktask.h"
#include "task_files.h"
#include "task_maps.h"
#include "task_stack.h"

struct ktask_parts {
	struct inspection *inspection;
	const struct ktask_settings *settings;
	struct task_files_layout files;
	struct task_maps_layout maps;
	struct stack_unwinder *unwinder;
};

enum {
	FILE_PID,
	FILE_FD,
	FILE_ADDR,
	FILE_KIND,
	FILE_ACCESS,
	FILE_FLAGS,
	FILE_CLOEXEC,
	FILE_POS,
	FILE_DEV,
	FILE_INODE,
	FILE_PATH,
	FILE_COLUMNS
};
static const struct view_column file_columns[FILE_COLUMNS] = {
	[FILE_PID] = { .name = "pid", .title = "PID", .type = VIEW_I64, .width = 7 },
	[FILE_FD] = { .name = "fd", .title = "FD", .type = VIEW_U64, .width = 4 },
	[FILE_ADDR] = { .name = "file", .title = "FILE", .type = VIEW_HEX },
	[FILE_KIND] = { .name = "kind", .title = "KIND", .type = VIEW_TEXT, .width = 9 },
	[FILE_ACCESS] = { .name = "access", .title = "ACCESS", .type = VIEW_TEXT, .width = 6 },
	[FILE_FLAGS] = { .name = "flags", .type = VIEW_HEX, .is_json_only = true },
	[FILE_CLOEXEC] = { .name = "close_on_exec", .type = VIEW_BOOL, .is_json_only = true },
	[FILE_POS] = { .name = "pos", .title = "POS", .type = VIEW_U64, .width = 9 },
	[FILE_DEV] = { .name = "dev", .type = VIEW_TEXT, .is_json_only = true },
	[FILE_INODE] = { .name = "inode", .type = VIEW_U64, .is_json_only = true },
	[FILE_PATH] = { .name = "path", .title = "PATH", .type = VIEW_PATH, .is_optional = true },
};
const struct view_record ktask_file_record = {
	.type = "file",
	.columns = file_columns,
	.column_count = FILE_COLUMNS,
	.starts_section = true,
};

enum {
	MAPPING_PID,
	MAPPING_START,
	MAPPING_END,
	MAPPING_PERMISSIONS,
	MAPPING_OFFSET,
	MAPPING_DEV,
	MAPPING_INODE,
	MAPPING_VMA,
	MAPPING_FLAGS,
	MAPPING_NAME,
	MAPPING_COLUMNS
};
static const struct view_column mapping_columns[MAPPING_COLUMNS] = {
	[MAPPING_PID] = { .name = "pid", .title = "PID", .type = VIEW_I64, .width = 7 },
	[MAPPING_START] = { .name = "start", .title = "START", .type = VIEW_HEX },
	[MAPPING_END] = { .name = "end", .title = "END", .type = VIEW_HEX },
	[MAPPING_PERMISSIONS] = { .name = "permissions", .title = "PERM", .type = VIEW_TEXT, .width = 4 },
	[MAPPING_OFFSET] = { .name = "offset", .title = "OFFSET", .type = VIEW_HEX, .width = 10 },
	[MAPPING_DEV] = { .name = "dev", .title = "DEV", .type = VIEW_TEXT, .width = 5 },
	[MAPPING_INODE] = { .name = "inode", .title = "INODE", .type = VIEW_U64, .width = 8 },
	[MAPPING_VMA] = { .name = "vma", .type = VIEW_HEX, .is_json_only = true },
	[MAPPING_FLAGS] = { .name = "flags", .type = VIEW_HEX, .is_json_only = true },
	[MAPPING_NAME] = { .name = "name", .title = "NAME", .type = VIEW_PATH, .is_optional = true },
};
const struct view_record ktask_mapping_record = {
	.type = "mapping",
	.columns = mapping_columns,
	.column_count = MAPPING_COLUMNS,
	.starts_section = true,
};

enum { STACK_PID, STACK_COMM, STACK_METHOD, STACK_FRAMES, STACK_COLUMNS };
static const struct view_column stack_columns[STACK_COLUMNS] = {
	[STACK_PID] = { .name = "pid", .type = VIEW_I64 },
	[STACK_COMM] = { .name = "comm", .type = VIEW_TEXT },
	[STACK_METHOD] = { .name = "method", .type = VIEW_TEXT },
	[STACK_FRAMES] = { .name = "frames", .type = VIEW_STACK },
};
const struct view_record ktask_stack_record = {
	.type = "stack",
	.columns = stack_columns,
	.column_count = STACK_COLUMNS,
	.text = "kernel stack of {comm} ({pid}), {method}",
	.starts_section = true,
};

int ktask_parts_open(struct inspection *inspection, const struct ktask_settings *settings,
		     struct ktask_parts **ret_parts, struct error *err)
{
	struct ktask_parts *parts = calloc(1, sizeof(*parts));
	int status = 0;

	if (!parts)
		return error_set(err, -ENOMEM, "out of memory");
	parts->inspection = inspection;
	parts->settings = settings;
	if (settings->wants_files)
		status = task_files_layout_load(inspection->kernel, &parts->files, err);
	if (!status && settings->wants_maps)
		status = task_maps_layout_load(inspection->kernel, &parts->maps, err);
	if (!status && settings->wants_stack)
		status = stack_unwinder_open(inspection->kernel, &parts->unwinder, err);
	if (status) {
		ktask_parts_close(parts);
		return status;
	}
	*ret_parts = parts;
	return 0;
}

void ktask_parts_close(struct ktask_parts *parts)
{
	if (parts)
		stack_unwinder_close(parts->unwinder);
	free(parts);
}

/* MAJOR and MINOR of the kernel's dev_t, as /proc/PID/maps writes them. */
static const char *device_text(uint32_t dev, char *text, size_t size)
{
	snprintf(text, size, "%02x:%02x", dev >> 20, dev & 0xfffff);
	return text;
}

static int show_file(struct view *view, const struct task *task, const struct task_file *file)
{
	static const char *const access[] = { "-", "r", "w", "rw" };
	char dev[24];
	const struct view_value values[FILE_COLUMNS] = {
		[FILE_PID] = view_i64(task->pid),
		[FILE_FD] = view_u64(file->fd),
		[FILE_ADDR] = view_u64(file->file.addr),
		[FILE_KIND] = view_text(file_kind_name(file->file.kind)),
		[FILE_ACCESS] = view_text(access[file->file.mode & 3]),
		[FILE_FLAGS] = view_u64(file->file.flags),
		[FILE_CLOEXEC] = view_bool(file->closes_on_exec),
		[FILE_POS] = view_u64(file->file.pos),
		[FILE_DEV] = view_text(device_text(file->file.dev, dev, sizeof(dev))),
		[FILE_INODE] = view_u64(file->file.ino),
		[FILE_PATH] = view_text(file->file.path),
	};

	return view_row(view, &ktask_file_record, values);
}

static int show_files(struct ktask_parts *parts, const struct task *task)
{
	struct inspection *inspection = parts->inspection;
	struct task_files files;
	struct error error = { 0 };
	int status = task_files_read(inspection->kernel, &parts->files, task, &files, &error);

	if (status) {
		inspect_incomplete(inspection, "task %d: %s", task->pid, error.text);
		return 0;
	}
	for (size_t i = 0; i < files.count && !status; i++)
		status = show_file(inspection->view, task, &files.list[i]);
	if (files.unreadable)
		inspect_incomplete(inspection, "task %d: %zu open files can't be read", task->pid,
				   files.unreadable);
	task_files_deinit(&files);
	return status;
}

static int show_mapping(struct view *view, const struct task *task, const struct task_mapping *mapping)
{
	char dev[24];
	const struct view_value values[MAPPING_COLUMNS] = {
		[MAPPING_PID] = view_i64(task->pid),
		[MAPPING_START] = view_u64(mapping->start),
		[MAPPING_END] = view_u64(mapping->end),
		[MAPPING_PERMISSIONS] = view_text(mapping->permissions),
		[MAPPING_OFFSET] = view_u64(mapping->offset),
		[MAPPING_DEV] = view_text(device_text(mapping->dev, dev, sizeof(dev))),
		[MAPPING_INODE] = view_u64(mapping->ino),
		[MAPPING_VMA] = view_u64(mapping->vma),
		[MAPPING_FLAGS] = view_u64(mapping->flags),
		[MAPPING_NAME] = view_text(mapping->name),
	};

	return view_row(view, &ktask_mapping_record, values);
}

static int show_maps(struct ktask_parts *parts, const struct task *task)
{
	struct inspection *inspection = parts->inspection;
	struct task_maps maps;
	struct error error = { 0 };
	int status = task_maps_read(inspection->kernel, &parts->maps, task, &maps, &error);

	if (status) {
		inspect_incomplete(inspection, "task %d: %s", task->pid, error.text);
		return 0;
	}
	for (size_t i = 0; i < maps.count && !status; i++)
		status = show_mapping(inspection->view, task, &maps.list[i]);
	if (maps.unreadable)
		inspect_incomplete(inspection, "task %d: parts of the mappings can't be read", task->pid);
	if (maps.is_disordered)
		inspect_incomplete(inspection, "task %d: the mappings are out of order", task->pid);
	task_maps_deinit(&maps);
	return status;
}

static int show_frames(struct view *view, const struct task *task, const struct task_stack *stack)
{
	struct view_frame *frames = calloc(stack->count + 1, sizeof(*frames));
	const struct view_stack shown = { frames, stack->count, stack->is_truncated };
	const struct view_value values[STACK_COLUMNS] = {
		[STACK_PID] = view_i64(task->pid),
		[STACK_COMM] = view_text(task->comm),
		[STACK_METHOD] = view_text(stack_method_name(stack->method)),
		[STACK_FRAMES] = view_frames(&shown),
	};
	int status;

	if (!frames)
		return -ENOMEM;
	for (size_t i = 0; i < stack->count; i++) {
		const struct stack_frame *frame = &stack->frames[i];

		frames[i] = (struct view_frame){
			.symbol = frame->symbol[0] ? frame->symbol : NULL,
			.offset = frame->offset,
			.object = frame->module[0] ? frame->module : NULL,
			.address = frame->address,
		};
	}
	status = view_object(view, &ktask_stack_record, values);
	free(frames);
	return status;
}

static int show_stack(struct ktask_parts *parts, const struct task *task)
{
	struct inspection *inspection = parts->inspection;
	struct error error = { 0 };
	struct task_stack stack;
	int status = task_stack_read(parts->unwinder, task, &stack, &error);

	if (status) {
		inspect_incomplete(inspection, "%s", error.text);
		return 0;
	}
	status = show_frames(inspection->view, task, &stack);
	task_stack_deinit(&stack);
	return status;
}

int ktask_parts_show(struct ktask_parts *parts, const struct task *task)
{
	int status = 0;

	if (parts->settings->wants_stack)
		status = show_stack(parts, task);
	if (!status && parts->settings->wants_files)
		status = show_files(parts, task);
	if (!status && parts->settings->wants_maps)
		status = show_maps(parts, task);
	return status;
}
