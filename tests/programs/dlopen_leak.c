// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* static: no */
/* ldflags: -ldl */
/*
 * dlopen_leak [--close]: loads libdlopen_plugin.so, which stands beside this program, after the start mark.
 * It leaks in its constructor and in a function. With --close it is unloaded again before the end, so that
 * its code is no longer mapped when somebody looks. Two truth lines: role=plugin, then the program's own.
 *
 * dlopen allocates too, and the program doesn't count that: `inner=yes`.
 */
#include "truth.h"

#include <dlfcn.h>

TRUTH_SITE(leak_in_program);

SITE static void leak_in_program(void)
{
	KEEP(malloc(67));
	truth_alloc(&site_leak_in_program, 67);
}

static void plugin_path(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	truth_require(length > 0);
	path[length] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash, size - (size_t)(slash - path), "/libdlopen_plugin.so");
}

int main(int argc, char **argv)
{
	void (*plugin_work)(int);
	void (*plugin_print)(void);
	char path[1024];
	void *plugin;
	bool closes;

	truth_init(argc, argv);
	closes = truth_flag("--close");
	plugin_path(path, sizeof(path));
	truth_ready();
	plugin = dlopen(path, RTLD_NOW);
	truth_require(plugin);
	plugin_work = (void (*)(int))dlsym(plugin, "plugin_work");
	plugin_print = (void (*)(void))dlsym(plugin, "plugin_print");
	truth_require(plugin_work && plugin_print);
	plugin_work(30);
	for (int i = 0; i < 20; i++)
		leak_in_program();
	plugin_print();
	if (closes)
		truth_require(dlclose(plugin) == 0);
	truth_end("role=program inner=yes");
	return 0;
}
