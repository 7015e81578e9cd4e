// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill slub-walk: what SLUB does, a step at a time, and why. The allocator is libslub's model; this reads the script,
 * makes the calls, and says what came of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "command.h"
#include "error.h"
#include "model.h"
#include "slub_script.h"
#include "slub_state.h"
#include "slub_walk.h"
#include "view.h"

#define AT(member) offsetof(struct walk_settings, member)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRIPT_BYTES (1u << 20)
#define REASON_BYTES 1024

struct walk_settings {
	uint64_t cpus, nodes, seed;
	unsigned engine;
	bool is_in_order;
	const char *file, *load;
};

enum { SHEAVES, CPU_SLABS, CPU_SLABS_BY_OBJECTS };
static const char *const engines[] = { "sheaves", "cpu-slabs", "cpu-slabs-by-objects", NULL };

static const struct option_spec walk_options[] = {
	{ 0, "engine", "NAME", OPTION_CHOICE, AT(engine), engines,
	  "sheaves (kernels since 7.0, the default), cpu-slabs (6.8 to 6.17), or cpu-slabs-by-objects (to 5.15)" },
	{ 0, "cpus", "N", OPTION_NUMBER, AT(cpus), NULL, "virtual CPUs, up to 64 (default: 2)" },
	{ 0, "nodes", "N", OPTION_NUMBER, AT(nodes), NULL, "memory nodes that share them evenly (default: 1)" },
	{ 0, "seed", "N", OPTION_NUMBER, AT(seed), NULL, "for the random order of new slabs (default: 1)" },
	{ 0, "no-random", NULL, OPTION_FLAG, AT(is_in_order), NULL, "new slabs hand out their objects in order of addresses" },
	{ 0, "load", "FILE", OPTION_TEXT, AT(load), NULL,
	  "begin with a cache as it is there: what `dill kcache --json NAME` printed" },
	{ 'f', "file", "FILE", OPTION_TEXT, AT(file), NULL, "read the script from there" },
};

static const struct walk_settings walk_defaults = { .cpus = 2, .nodes = 1, .seed = 1 };

static int run_script(struct walk *walk, const char *script, struct error *err)
{
	struct slub_statement statement;
	unsigned line = 1, at_line;
	int status;

	do {
		at_line = line;
		status = slub_script_next(&script, &line, &statement, err);
		if (status > 0) {
			status = slub_walk_carry_out(walk, &statement, err);
			status = status ? error_context(err, "line %u", at_line) : 1;
		}
	} while (status > 0 && !walk->status);
	slub_walk_show_steps(walk);
	if (!status && !walk->status && slub_walk_stopped(walk))
		return error_set(err, -EINVAL, "the script ends while thread %c is stopped: it takes go %c", slub_walk_stopped(walk),
				 slub_walk_stopped(walk));
	return status;
}

/* The script's text: of the file, or the words with blanks between; one word may be a file, too. The caller frees it. */
static int read_script(const struct invocation *invocation, const char *path, char **ret_text, struct error *err)
{
	CLEANUP(free) char *text = calloc(1, SCRIPT_BYTES + 2);
	int word_count = invocation->word_count;
	size_t length = 0;
	FILE *file;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (!path == !word_count)
		return error_set(err, -EINVAL, "takes a script, or --file");
	if (word_count == 1 && access(invocation->words[0], R_OK) == 0) {
		path = invocation->words[0];
		word_count = 0;
	}
	if (path) {
		file = strcmp(path, "-") ? fopen(path, "re") : stdin;
		if (!file)
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
		length = fread(text, 1, SCRIPT_BYTES + 1, file);
		if (file != stdin)
			fclose(file);
	}
	for (int i = 0; i < word_count && length <= SCRIPT_BYTES; i++)
		length += (size_t)snprintf(text + length, SCRIPT_BYTES + 1 - length, "%s ", invocation->words[i]);
	if (length > SCRIPT_BYTES || memchr(text, 0, length))
		return error_set(err, -EINVAL, "the script is no text of at most %u bytes", SCRIPT_BYTES);
	*ret_text = TAKE_PTR(text);
	return 0;
}

/* A model with the cache that the file has; it says how many CPUs and nodes, and of which engine. */
static int load_model(struct walk *walk, const char *path, const struct invocation *invocation, struct error *err)
{
	CLEANUP(slub_state) struct slub_state_build *build = slub_state_create();
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct kmem_cache *cache;
	size_t pending = 0;
	int status;

	if (!file)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	status = build ? slub_state_read_json(build, file, err) : error_set(err, -ENOMEM, "out of memory");
	if (file != stdin)
		fclose(file);
	if (!status)
		status = slub_state_load(build, &walk->setting, &walk->model, &cache, &pending, err);
	if (status)
		return error_context(err, "%s", path);
	if (pending && !invocation->output.is_quiet) {
		char text[128];

		snprintf(text, sizeof(text), "%zu freed objects wait for a grace period: they count as allocated", pending);
		complain(invocation, text);
	}
	return 0;
}

static int walk_run(struct invocation *invocation, struct error *err)
{
	const struct walk_settings *settings = invocation->settings;
	struct walk walk = { .view = invocation->view };
	CLEANUP(free) char *script = NULL;
	int status = read_script(invocation, settings->file, &script, err);

	if (status)
		return status;
	if (settings->cpus > 64 || settings->nodes > 16)
		return error_set(err, -EINVAL, "at most 64 CPUs and 16 nodes");
	walk.setting = (struct slub_model_setting){
		.cpus = (unsigned)settings->cpus, .nodes = (unsigned)settings->nodes, .seed = settings->seed,
		.engine = settings->engine ? SLUB_ENGINE_CPU_SLABS : SLUB_ENGINE_SHEAVES,
	};
	if (settings->engine == CPU_SLABS_BY_OBJECTS)
		walk.setting.rules = slub_rules_of_counted_objects(walk.setting.cpus);
	if (settings->is_in_order)
		walk.setting.flags |= SLUB_NO_RANDOM;
	if (settings->load)
		status = load_model(&walk, settings->load, invocation, err);
	else
		walk.model = slub_model_create(&walk.setting);
	if (status)
		return status;
	if (!walk.model)
		return error_set(err, -EINVAL, "no model has %u CPUs on %u nodes", walk.setting.cpus, walk.setting.nodes);
	status = run_script(&walk, script, err);
	slub_walk_end(&walk);
	return status ? status : EXIT_CLEAN;
}

static const struct view_record *const walk_records[] = { &slub_walk_step_record, &slub_walk_cache_record, &slub_walk_cpu_record,
							  &slub_walk_node_record, NULL };

const struct command slub_walk_command = {
	.name = "slub-walk",
	.summary = "what the SLUB allocator does with allocations and frees, and why",
	.usage = "[OPTIONS] SCRIPT|FILE\n[OPTIONS] --file FILE",
	.description = "Carries out a script on a model of SLUB: libslub's own source with virtual CPUs, nodes and seeded\n"
		       "randomness. Each step says where an object came from or went, and why; show draws the lists.\n"
		       "Statements stand in lines or between semicolons:\n"
		       "  cpu 0: alloc kmalloc-64 x3; free #2; cpu 1: free #1; show kmalloc-64\n"
		       "  cache NAME SIZE [align N]; set NAME min_partial N; shrink NAME; free #1-#16; // for people\n"
		       "  alloc kmalloc-64, stop at refill; cpu 1: free #2; go A on cpu 1",
	.options = walk_options,
	.option_count = COUNT(walk_options),
	.settings_size = sizeof(struct walk_settings),
	.defaults = &walk_defaults,
	.records = walk_records,
	.run = walk_run,
};
