// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The table of commands. Recipe for a new one: command.h. */
#include "command.h"

#include <string.h>

#define COMMAND(name) extern const struct command name##_command;
#include "commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &name##_command,
#include "commands.def"
#undef COMMAND
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}
