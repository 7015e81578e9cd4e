// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill slub-walk: what SLUB does, a step at a time, and why. The allocator is libslub's model; this reads the script,
 * makes the calls, and says what came of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "error.h"
#include "model.h"
#include "slub_script.h"
#include "slub_walk.h"
#include "view.h"

#define AT(member) offsetof(struct walk_settings, member)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRIPT_BYTES (1u << 20)
#define REASON_BYTES 1024

struct walk_settings {
	uint64_t cpus, nodes, seed;
	unsigned engine;
	const char *file;
};

static const char *const engines[] = { "sheaves", "cpu-slabs", NULL };

static const struct option_spec walk_options[] = {
	{ 0, "engine", "NAME", OPTION_CHOICE, AT(engine), engines,
	  "sheaves (kernels since 7.0, the default) or cpu-slabs (up to 6.17)" },
	{ 0, "cpus", "N", OPTION_NUMBER, AT(cpus), NULL, "virtual CPUs, up to 64 (default: 2)" },
	{ 0, "nodes", "N", OPTION_NUMBER, AT(nodes), NULL, "memory nodes that share them evenly (default: 1)" },
	{ 0, "seed", "N", OPTION_NUMBER, AT(seed), NULL, "for the random order of new slabs (default: 1)" },
	{ 'f', "file", "FILE", OPTION_TEXT, AT(file), NULL, "read the script from there" },
};

static const struct walk_settings walk_defaults = { .cpus = 2, .nodes = 1, .seed = 1 };

/* A step: one call, or several in a row that went the same way. */
enum { STEP_CPU, STEP_ORDER, STEP_CACHE, STEP_FIRST, STEP_LAST, STEP_SLAB, STEP_INDEX, STEP_WHY, STEP_COLUMNS };
static const struct view_column step_columns[STEP_COLUMNS] = {
	[STEP_CPU] = { .name = "cpu", .type = VIEW_U64 },
	[STEP_ORDER] = { .name = "order", .type = VIEW_TEXT },
	[STEP_CACHE] = { .name = "cache", .type = VIEW_TEXT },
	[STEP_FIRST] = { .name = "object", .type = VIEW_U64 },
	[STEP_LAST] = { .name = "last_object", .type = VIEW_U64, .is_optional = true },
	[STEP_SLAB] = { .name = "slab", .type = VIEW_U64, .is_optional = true },
	[STEP_INDEX] = { .name = "index", .type = VIEW_U64, .is_optional = true },
	[STEP_WHY] = { .name = "why", .type = VIEW_TEXT },
};
static const struct view_record step_record = {
	.type = "step", .columns = step_columns, .column_count = STEP_COLUMNS,
	.text = "cpu {cpu}: {order} {cache} #{object}{? to #{last_object}?}{? in slab {slab}?}{?, object {index} of it?}: {why}",
};

/* Steps are gathered while they go the same way. */
struct walk {
	struct view *view;
	struct slub_model *model;
	struct slub_model_setting setting;
	unsigned cpu;
	void **objects; /* by number, from 1; NULL when freed */
	struct kmem_cache **caches;
	uint32_t count, room;
	struct {
		uint32_t first, last;
		unsigned slab, index;
		bool is_free, has_place;
		struct kmem_cache *cache;
		char why[REASON_BYTES];
	} pending; /* first 0: none */
	int status;
};

static void append(char *text, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, REASON_BYTES - length, "%s", more);
}

/* The reasons of the last call in words, and the slabs that they are about. */
static void tell_why(struct slub_model *model, char *text)
{
	struct slub_step steps[SLUB_MODEL_STEPS];
	size_t had = slub_model_steps(model, steps, COUNT(steps));

	text[0] = 0;
	for (size_t i = 0; i < had && i < COUNT(steps); i++) {
		char slab[32];

		append(text, i ? "; " : "");
		append(text, slub_why_words(steps[i].why));
		if (steps[i].slab) {
			snprintf(slab, sizeof(slab), " (slab %u)", steps[i].slab);
			append(text, slab);
		}
	}
	if (had > COUNT(steps))
		append(text, "; …");
}

static void show_pending(struct walk *walk)
{
	struct view_value values[STEP_COLUMNS] = {};

	if (!walk->pending.first || walk->status)
		return;
	values[STEP_CPU] = view_u64(walk->cpu);
	values[STEP_ORDER] = view_text(walk->pending.is_free ? "free" : "alloc");
	values[STEP_CACHE] = view_text(slub_model_name(walk->pending.cache));
	values[STEP_FIRST] = view_u64(walk->pending.first);
	if (walk->pending.last != walk->pending.first)
		values[STEP_LAST] = view_u64(walk->pending.last);
	if (walk->pending.has_place) {
		values[STEP_SLAB] = view_u64(walk->pending.slab);
		values[STEP_INDEX] = view_u64(walk->pending.index);
	}
	values[STEP_WHY] = view_text(walk->pending.why);
	walk->status = view_object(walk->view, &step_record, values);
	walk->pending.first = 0;
}

static void add_step(struct walk *walk, uint32_t number, bool is_free, struct kmem_cache *cache, const void *object)
{
	struct slub_model_slab slab = {};
	unsigned index = 0;
	char why[REASON_BYTES];

	tell_why(walk->model, why);
	if (walk->pending.first && walk->pending.is_free == is_free && walk->pending.cache == cache &&
	    walk->pending.last + 1 == number && !strcmp(walk->pending.why, why)) {
		walk->pending.last = number;
		walk->pending.has_place = false;
		return;
	}
	show_pending(walk);
	walk->pending.has_place = slub_model_locate(walk->model, object, &slab, &index);
	walk->pending.first = walk->pending.last = number;
	walk->pending.is_free = is_free;
	walk->pending.cache = cache;
	walk->pending.slab = slab.number;
	walk->pending.index = index;
	strcpy(walk->pending.why, why);
}

static int make_room(struct walk *walk, uint32_t more, struct error *err)
{
	uint32_t wanted = walk->count + more + 1;
	void *objects, *caches;

	if (more > SLUB_SCRIPT_MOST_OBJECTS || wanted > SLUB_SCRIPT_MOST_OBJECTS + 1)
		return error_set(err, -EINVAL, "more than %u objects", SLUB_SCRIPT_MOST_OBJECTS);
	if (wanted <= walk->room)
		return 0;
	objects = realloc(walk->objects, 2 * (size_t)wanted * sizeof(*walk->objects));
	if (objects)
		walk->objects = objects;
	caches = objects ? realloc(walk->caches, 2 * (size_t)wanted * sizeof(*walk->caches)) : NULL;
	if (!caches)
		return error_set(err, -ENOMEM, "out of memory");
	walk->caches = caches;
	walk->room = 2 * wanted;
	return 0;
}

static int find_cache(struct walk *walk, const char *name, struct kmem_cache **ret_cache, struct error *err)
{
	*ret_cache = slub_model_cache(walk->model, name);
	return *ret_cache ? 0 : error_set(err, -EINVAL, "no cache is called '%s'", name);
}

static int do_alloc(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct kmem_cache *cache;
	int status = find_cache(walk, statement->cache, &cache, err);

	if (!status)
		status = make_room(walk, statement->count, err);
	for (uint32_t i = 0; !status && i < statement->count; i++) {
		void *object = slub_kmem_cache_alloc(cache);

		if (!object)
			return error_set(err, -ENOMEM, "the model's memory is used up");
		walk->count++;
		walk->objects[walk->count] = object;
		walk->caches[walk->count] = cache;
		add_step(walk, walk->count, false, cache, object);
	}
	return status;
}

static int do_free(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	for (uint32_t number = statement->first; number <= statement->last; number++) {
		void *object = number <= walk->count ? walk->objects[number] : NULL;

		if (!object)
			return error_set(err, -EINVAL, "#%u %s", number,
					 number <= walk->count ? "is free already" : "was never allocated");
		slub_kmem_cache_free(walk->caches[number], object);
		walk->objects[number] = NULL;
		add_step(walk, number, true, walk->caches[number], object);
	}
	return 0;
}

static int carry_out(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct kmem_cache *cache;
	int status = 0;

	if (statement->cpu >= (int)walk->setting.cpus)
		return error_set(err, -EINVAL, "there are CPUs 0 to %u", walk->setting.cpus - 1);
	if (statement->cpu >= 0 && statement->cpu != (int)walk->cpu) {
		show_pending(walk);
		walk->cpu = (unsigned)statement->cpu;
		slub_model_enter(walk->model, walk->cpu);
	}
	switch (statement->order) {
	case SLUB_ORDER_NONE:
		return 0;
	case SLUB_ORDER_ALLOC:
		return do_alloc(walk, statement, err);
	case SLUB_ORDER_FREE:
		return do_free(walk, statement, err);
	case SLUB_ORDER_CACHE:
		cache = slub_kmem_cache_create(statement->cache, statement->size, statement->align, SLUB_NO_MERGE, NULL);
		return cache ? 0 : error_set(err, -EINVAL, "no cache can have objects of that size and alignment");
	case SLUB_ORDER_SHRINK:
	case SLUB_ORDER_SHOW:
		show_pending(walk);
		status = find_cache(walk, statement->cache, &cache, err);
		if (!status && statement->order == SLUB_ORDER_SHRINK)
			slub_kmem_cache_shrink(cache);
		return status ? status : slub_walk_show(walk->view, walk->model, &walk->setting, cache);
	}
	return status;
}

static int run_script(struct walk *walk, const char *script, struct error *err)
{
	struct slub_statement statement;
	unsigned line = 1, at_line;
	int status;

	do {
		at_line = line;
		status = slub_script_next(&script, &line, &statement, err);
		if (status > 0) {
			status = carry_out(walk, &statement, err);
			status = status ? error_context(err, "line %u", at_line) : 1;
		}
	} while (status > 0 && !walk->status);
	show_pending(walk);
	return status;
}

/* The script's text: of the file, or the words with blanks between. The caller frees it. */
static int read_script(const struct invocation *invocation, const char *path, char **ret_text, struct error *err)
{
	CLEANUP(free) char *text = calloc(1, SCRIPT_BYTES + 2);
	size_t length = 0;
	FILE *file;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (!path == !invocation->word_count)
		return error_set(err, -EINVAL, "takes a script, or --file");
	if (path) {
		file = strcmp(path, "-") ? fopen(path, "re") : stdin;
		if (!file)
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
		length = fread(text, 1, SCRIPT_BYTES + 1, file);
		if (file != stdin)
			fclose(file);
	}
	for (int i = 0; i < invocation->word_count && length <= SCRIPT_BYTES; i++)
		length += (size_t)snprintf(text + length, SCRIPT_BYTES + 1 - length, "%s ", invocation->words[i]);
	if (length > SCRIPT_BYTES || memchr(text, 0, length))
		return error_set(err, -EINVAL, "the script is no text of at most %u bytes", SCRIPT_BYTES);
	*ret_text = TAKE_PTR(text);
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
	walk.model = slub_model_create(&walk.setting);
	if (!walk.model)
		return error_set(err, -EINVAL, "no model has %u CPUs on %u nodes", walk.setting.cpus, walk.setting.nodes);
	status = run_script(&walk, script, err);
	slub_model_destroy(walk.model);
	free(walk.objects);
	free(walk.caches);
	return status ? status : EXIT_CLEAN;
}

static const struct view_record *const walk_records[] = { &step_record, &slub_walk_cache_record, &slub_walk_cpu_record,
							  &slub_walk_node_record, NULL };

const struct command slub_walk_command = {
	.name = "slub-walk",
	.summary = "what the SLUB allocator does with allocations and frees, and why",
	.usage = "[OPTIONS] SCRIPT\n[OPTIONS] --file FILE",
	.description = "Carries out a script on a model of SLUB: libslub's own source with virtual CPUs, nodes and seeded\n"
		       "randomness. Each step says where an object came from or went, and why; show draws the lists.\n"
		       "Statements stand in lines or between semicolons:\n"
		       "  cpu 0: alloc kmalloc-64 x3; free #2; cpu 1: free #1; show kmalloc-64\n"
		       "  cache NAME SIZE [align N]; shrink CACHE; free #1-#16; // for people",
	.options = walk_options,
	.option_count = COUNT(walk_options),
	.settings_size = sizeof(struct walk_settings),
	.defaults = &walk_defaults,
	.records = walk_records,
	.run = walk_run,
};
