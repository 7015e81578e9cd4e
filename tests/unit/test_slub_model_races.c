// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Races, played: an operation is stopped at each of its points, another one runs meanwhile, is stopped at each of its own
 * while the first one ends, and both come to their ends, on their CPU or on another. After each of these schedules no
 * object is in use twice, none is lost, every list and count is right, and all slabs go when all objects are free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_slab.h"
#include "layout.h"
#include "model.h"
#include "percpu.h"
#include "sheaf.h"

#define MOST 512
#define CPUS 2
#define REPEATS 6

/* Four objects to a sheaf, eight to a slab, two slabs on a CPU's partial list: all limits are near. */
#define SIZE 4096
/* The first word of an object in use. */
#define IN_USE 0x6576696c6576696cu

static struct slub_model *model;
static struct kmem_cache *cache;
static void *live[MOST];
static size_t nr_live;
static size_t times[256], points[SLUB_POINTS], schedules;

enum what { ALLOC, FREE_OLDEST, FREE_NEWEST, SHRINK, WHATS };

struct operation {
	enum what what;
	unsigned times;
	void *taken[REPEATS]; /* off the live ones before it began, or allocated by it */
	size_t count;
};

static void *end_live(size_t at)
{
	void *object = live[at];

	assert_true(*(uint64_t *)object == IN_USE);
	*(uint64_t *)object = 0;
	memmove(&live[at], &live[at + 1], (--nr_live - at) * sizeof(live[0]));
	return object;
}

static void take_live(struct operation *operation)
{
	operation->count = 0;
	for (unsigned i = 0; i < operation->times && nr_live && operation->what < SHRINK && operation->what != ALLOC; i++) {
		operation->taken[operation->count++] = end_live(operation->what == FREE_OLDEST ? 0 : nr_live - 1);
	}
}

static void carry_out(void *context)
{
	struct operation *operation = context;

	if (operation->what == ALLOC) {
		for (unsigned i = 0; i < operation->times; i++)
			operation->taken[operation->count++] = slub_kmem_cache_alloc(cache);
	} else if (operation->what == SHRINK) {
		slub_kmem_cache_shrink(cache);
	} else {
		for (size_t i = 0; i < operation->count; i++)
			slub_kmem_cache_free(cache, operation->taken[i]);
	}
}

static void add_live(void *object)
{
	assert_non_null(object);
	assert_true(nr_live < MOST);
	/* Memory that is new or was freed here has no mark. */
	assert_true(*(uint64_t *)object != IN_USE);
	*(uint64_t *)object = IN_USE;
	live[nr_live++] = object;
}

static void settle(const struct operation *operation)
{
	for (size_t i = 0; operation->what == ALLOC && i < operation->count; i++)
		add_live(operation->taken[i]);
}

static void note_steps(void)
{
	struct slub_step steps[SLUB_MODEL_STEPS];
	size_t had = slub_model_steps(model, steps, SLUB_MODEL_STEPS);

	for (size_t i = 0; i < had && i < SLUB_MODEL_STEPS; i++)
		times[steps[i].why]++;
}

/* Free objects that the cache itself knows of, each with all that it must be. */
static size_t free_by_walking(void)
{
	struct kmem_cache_node *node = &cache->node[0];
	size_t in_slabs = 0, on_list = 0, parked = slub_sheaves_count(cache);

	for (struct list *entry = node->partial.next; entry != &node->partial; entry = entry->next, on_list++) {
		const struct slab *slab = (const struct slab *)((char *)entry - offsetof(struct slab, slab_list));
		size_t length = slub_freelist_length(cache, slab, slab->freelist);

		assert_true(slab->slab_cache == cache && slab->on_partial && !slab->frozen && length);
		assert_int_equal(length, slab->objects - slab->inuse);
		in_slabs += length;
	}
	assert_int_equal(on_list, node->nr_partial);
	if (cache->has_cpu_slabs) {
		parked = 0;
		for (unsigned cpu = 0; cpu < CPUS; cpu++) {
			struct slub_cpu_slab *seen = (struct slub_cpu_slab *)cache->percpu_home + cpu;

			assert_true(!seen->slab || (seen->slab->frozen && !seen->slab->on_partial));
			assert_true(seen->slab || !seen->freelist);
			parked += slub_freelist_length(cache, seen->slab, seen->freelist);
			in_slabs += seen->slab ? (size_t)(seen->slab->objects - seen->slab->inuse) : 0;
			for (const struct slab *slab = seen->partial; slab; slab = slab->next) {
				assert_true(!slab->frozen && !slab->on_partial && slab->inuse < slab->objects);
				in_slabs += slub_freelist_length(cache, slab, slab->freelist);
			}
		}
	}
	return in_slabs + parked;
}

static void check(void)
{
	assert_non_null(cache->percpu);
	assert_int_equal(cache->node[0].total_objects - free_by_walking(), nr_live);
}

/*
 * States that matter, as what led to them: a CPU, what it does and how often. a allocates; o frees the oldest object, n
 * the newest, s one of each slab in turn.
 */
static const char *const states[] = {
	"",
	"0a4",                     /* main is empty, there is no spare; half a slab is left on the node */
	"0a12 0n4 1a4",            /* one CPU's main is full, the other's empty */
	"0a100 0o48",              /* main, spare and the barn are full */
	"0a100 0o47 1o8",          /* one is short of that; the other CPU's sheaves are full */
	"0a100 0o48 0a48",         /* all sheaves are empty, and so are the node's partial slabs */
	"0a96 0o8 0s11 1s11 1a9",
	"0a8 1n3",                 /* a CPU's slab, used up, to which another CPU freed */
	"0a72 0s8 1a8",            /* a CPU's partial list */
	"0a120 1s14 0o16 1n9",     /* partial lists at their limit, partial slabs on the node */
	"0a200 0s25 1o80 0n60",    /* many slabs on the node, some of them empty */
	"0a200 1s24 0s24 1s24 1a1 0a40",
};

static void prepare(unsigned number)
{
	const char *text = states[number];
	size_t at = 0;

	cache = slub_kmem_cache_create("played", SIZE, 0, SLUB_NO_MERGE, NULL);
	assert_non_null(cache);
	nr_live = 0;
	while (*text) {
		char what = text[1];
		unsigned count = (unsigned)strtoul(text + 2, NULL, 10);

		slub_model_enter(model, (unsigned)(*text - '0'));
		for (; count; count--) {
			at = (at + 7) % (nr_live + 1);
			if (what == 'a')
				add_live(slub_kmem_cache_alloc(cache));
			else
				slub_kmem_cache_free(cache, end_live(what == 'o' ? 0 : what == 'n' ? nr_live - 1 : at % nr_live));
		}
		text += strcspn(text, " ");
		text += *text == ' ';
	}
	note_steps();
}

static void end(void)
{
	slub_model_enter(model, 0);
	while (nr_live)
		slub_kmem_cache_free(cache, end_live(nr_live - 1));
	slub_kmem_cache_shrink(cache);
	assert_int_equal(cache->node[0].nr_slabs, 0);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
	slub_model_steps(model, NULL, 0);
}

/* One schedule: A up to its i-th point, B up to its j-th (0: to its end), A to its end, B to its end. Returns how far each
 * came: bit 0, A was stopped; bit 1, B was. */
static int play(unsigned state, struct operation a, struct operation b, unsigned cpu, bool moves, unsigned i, unsigned j)
{
	struct slub_model_thread *first, *second;
	enum slub_point at;
	int stopped;

	prepare(state);
	take_live(&a);
	take_live(&b);
	first = slub_model_thread_create(model, 0, carry_out, &a);
	second = slub_model_thread_create(model, cpu, carry_out, &b);
	assert_true(first && second);
	at = slub_model_thread_run(first, SLUB_POINTS, i);
	points[at]++;
	stopped = at != SLUB_POINT_NONE;
	at = slub_model_thread_run(second, j ? SLUB_POINTS : SLUB_POINT_NONE, j);
	stopped |= at != SLUB_POINT_NONE && at != SLUB_POINT_WAIT ? 2 : 0;
	if (moves)
		slub_model_thread_move(first, 1);
	/* Whoever waits for the other's drain is asked again. */
	while (slub_model_thread_run(first, SLUB_POINT_NONE, 0) != SLUB_POINT_NONE)
		slub_model_thread_run(second, SLUB_POINT_NONE, 0);
	assert_int_equal(slub_model_thread_run(second, SLUB_POINT_NONE, 0), SLUB_POINT_NONE);
	settle(&a);
	settle(&b);
	note_steps();
	check();
	slub_model_thread_destroy(first);
	slub_model_thread_destroy(second);
	end();
	schedules++;
	return stopped;
}

static void play_all(unsigned state, struct operation a, struct operation b, unsigned cpu, bool moves)
{
	int stopped = 1;

	for (unsigned i = 1; stopped & 1; i++) {
		stopped = play(state, a, b, cpu, moves, i, 0);
		for (unsigned j = 1; stopped & 1 && play(state, a, b, cpu, moves, i, j) & 2; j++)
			assert_true(j < 1000);
	}
}

static void play_engine(enum slub_engine engine, bool has_cmpxchg_double, unsigned first_state)
{
	static const unsigned counts[] = { 1, REPEATS };

	memset(times, 0, sizeof(times));
	memset(points, 0, sizeof(points));
	model = slub_model_create(&(struct slub_model_setting){ .cpus = CPUS, .nodes = 1, .seed = 3, .engine = engine });
	assert_non_null(model);
	slub.has_cmpxchg_double = has_cmpxchg_double;
	for (unsigned state = first_state; state < sizeof(states) / sizeof(states[0]); state++) {
		for (int a = 0; a < WHATS; a++) {
			for (int b = 0; b < WHATS * 2 - 1; b++) {
				struct operation one = { .what = (enum what)a, .times = 1 };
				struct operation other = { .what = (enum what)(b / 2), .times = counts[b % 2] };

				unsigned way = (state + (unsigned)a + (unsigned)b) % 3;

				/* The other operation is on this CPU, on another one, or the first one moves there. */
				play_all(state, one, other, way % CPUS, way == 2);
			}
		}
	}
	slub_model_destroy(model);
}

static void whatever_comes_between_sheaves_stay_right(void **state)
{
	(void)state;
	play_engine(SLUB_ENGINE_SHEAVES, true, 0);
	/* The schedules were worth something: what only a race brings about was met. */
	assert_true(times[SLUB_WHY_KEPT_AS_SPARE] && times[SLUB_WHY_NOT_NEEDED] && times[SLUB_WHY_SHEAFLESS]);
	assert_true(times[SLUB_WHY_FLUSHED] && times[SLUB_WHY_BARN_FULL] && times[SLUB_WHY_EMPTY_DISCARDED]);
	for (int point = SLUB_POINT_FAST; point < SLUB_POINTS; point++)
		assert_true(points[point] || point == SLUB_POINT_FREEZE || point == SLUB_POINT_SLAB || point == SLUB_POINT_WAIT);
}

static void whatever_comes_between_cpu_slabs_stay_right(void **state)
{
	(void)state;
	play_engine(SLUB_ENGINE_CPU_SLABS, true, 0);
	assert_true(times[SLUB_WHY_TO_FROZEN_SLAB] && times[SLUB_WHY_CPU_SLAB] && times[SLUB_WHY_CPU_PARTIAL_DRAINED]);
	assert_true(times[SLUB_WHY_EMPTY_DISCARDED] && times[SLUB_WHY_CPU_PARTIAL_FILLED]);
	assert_true(points[SLUB_POINT_FREEZE] && points[SLUB_POINT_COMMIT] && points[SLUB_POINT_DRAIN] &&
		    points[SLUB_POINT_LIST_LOCK] && points[SLUB_POINT_SLAB]);
}

/* Where the machine can't exchange 16 bytes at once: the states with slabs on all lists. */
static void under_locks_they_stay_so_too(void **state)
{
	(void)state;
	play_engine(SLUB_ENGINE_CPU_SLABS, false, 7);
	assert_true(times[SLUB_WHY_TO_FROZEN_SLAB] && times[SLUB_WHY_EMPTY_DISCARDED] && points[SLUB_POINT_LIST_LOCK]);
	assert_false(points[SLUB_POINT_SLAB]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_comes_between_sheaves_stay_right),
		cmocka_unit_test(whatever_comes_between_cpu_slabs_stay_right),
		cmocka_unit_test(under_locks_they_stay_so_too),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("# %zu schedules\n", schedules);
	return failed;
}
