// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Every restartable sequence of libslub is aborted at every one of its instructions, and each call still happens
 * exactly once.
 *
 * A child runs a script of calls; this process traces it. A breakpoint on an instruction inside a sequence stops the
 * child there, and a thread that stopped inside is aborted by the kernel when it goes on: that is asserted by another
 * breakpoint on the abort handler. While it stands there the child may be moved to another CPU, or get a signal whose
 * handler uses the same cache. Stepping instruction by instruction would abort at each step and never get on, so the
 * instructions are found in a first pass that takes the kernel's word of the sequence away (rseq_cs) before it steps.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub_census.h"

#define LIVE 160
#define CALLS 900
#define SIZE 4096 /* sheaves of 4: all their ways are short */
#define MOST_PLACES 1024
#define HITS 10   /* aborts in one run of the script */

/* struct rseq_cs, as SLUB_RSEQ_ENTER writes it. The linker bounds the section. */
struct sequence {
	uint32_t version, flags;
	uint64_t start, bytes, abort;
} __attribute__((aligned(32)));

extern const struct sequence __start___rseq_cs[], __stop___rseq_cs[];
extern char sequences_boundary[];

enum way { PLAIN, MOVED, SIGNALLED, DRAINED, NESTED, WAYS };

struct place {
	uint64_t address;
	const struct sequence *sequence;
};

static struct place places[MOST_PLACES];
static size_t nr_places;
#define CACHES 4
static struct kmem_cache *caches[CACHES]; /* sheaves, CPU slabs, kmalloc's, sheaves that mind the node */
static struct kmem_cache *handlers_cache;
static volatile enum way handlers_way;

struct stamped {
	uint64_t owner, stamps[15];
};

static struct stamped *live[LIVE];
static uint8_t kind_of[LIVE];

/* Where a call has ended: not inlined, so that a breakpoint stands in one place. */
static __attribute__((noinline)) void boundary(void)
{
	asm volatile(".globl sequences_boundary\nsequences_boundary:\n\tnop" ::: "memory");
}

static void take(size_t place, unsigned kind, uint64_t owner)
{
	// By the functions, and by the sequences as programs have them inline.
	struct stamped *object = kind < 2 ? slub_kmem_cache_alloc(caches[kind]) : kind == 2 ? slub_kmalloc(SIZE) :
				 kind == 3 ? slub_kmem_cache_zalloc(caches[3]) : kind == 4 ? slub_kzalloc(SIZE) :
				 slub_sequence_pop(caches[0], slub_rseq_offset);

	if (!object && kind == 5)
		object = slub_kmem_cache_alloc(caches[0]);
	if (!object)
		_exit(10);
	for (size_t i = 0; i < 15; i++)
		object->stamps[i] = owner + i;
	object->owner = owner;
	live[place] = object;
	kind_of[place] = kind == 5 ? 0 : kind == 4 ? 2 : (uint8_t)kind;
	boundary();
}

static void give(size_t place, uint64_t owner)
{
	struct stamped *object = live[place];

	for (size_t i = 0; i < 15; i++) {
		if (object->stamps[i] != object->owner + i)
			_exit(11);
	}
	memset(object, 0x5d, sizeof(*object));
	live[place] = NULL;
	if (kind_of[place] == 2)
		slub_kfree(object);
	else if (kind_of[place] == 0 && owner & 2 && slub_percpu_push(caches[0], object))
		boundary();
	else if (owner & 1)
		slub_kmem_cache_free(caches[kind_of[place]], object);
	else
		slub_kfree(object);
	boundary();
}

static void take_and_give_many(void)
{
	void *objects[16];

	for (unsigned i = 0; i < 2; i++) {
		if (slub_kmem_cache_alloc_bulk(caches[i], 16, objects) != 16)
			_exit(12);
		boundary();
		slub_kmem_cache_free_bulk(caches[i], 16, objects);
		boundary();
	}
	objects[0] = slub_krealloc(slub_krealloc(NULL, SIZE), 2 * SIZE);
	boundary();
	slub_kfree(objects[0]);
	boundary();
}

/* What another thread on this CPU would do meanwhile; no lock is held inside a sequence. */
static void use_cache_in_handler(int number)
{
	void *objects[40];

	(void)number;
	if (handlers_way == DRAINED) {
		slub_kmem_cache_shrink(handlers_cache);
		return;
	}
	for (int i = 0; i < 40; i++)
		objects[i] = slub_kmem_cache_alloc(handlers_cache);
	for (int i = 0; i < 40; i++)
		slub_kmem_cache_free(handlers_cache, objects[i]);
}

/* Each cache is walked: what is alive is allocated, all else is free in one place. */
static int count_all(void)
{
	size_t sheaves = 0;

	for (unsigned kind = 0; kind < CACHES; kind++) {
		struct slub_census census;
		size_t alive = 0;

		if (!census_take(caches[kind], &census)) {
			fprintf(stderr, "# %s: %s: %p\n", caches[kind]->name, census.fault, census.where);
			return 20;
		}
		for (size_t place = 0; place < LIVE; place++) {
			if (!live[place] || kind_of[place] != kind)
				continue;
			alive++;
			if (census_is_free(live[place]))
				return 21;
		}
		if (census_allocated(&census) != alive) {
			fprintf(stderr, "# %s: %zu allocated, %zu alive\n", caches[kind]->name, census_allocated(&census), alive);
			return 22;
		}
		sheaves += census.sheaves;
	}
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		struct slub_census census;

		if (cache != caches[0] && cache != caches[2] && cache != caches[3] && cache->has_sheaves) {
			census_take(cache, &census);
			sheaves += census.sheaves;
		}
	}
	for (unsigned bytes = 64; bytes <= SLUB_MAX_SHEAF; bytes *= 2) {
		struct slub_census census;

		census_take(slub.sheaf_caches[slub_kmalloc_index(bytes)], &census);
		sheaves -= census_allocated(&census);
	}
	return sheaves ? 23 : 0;
}

static int run_script(void)
{
	uint64_t random = 88172645463325252;

	for (unsigned call = 0; call < CALLS; call++) {
		// Up, down, up again: lists and sheaves run full and empty.
		unsigned wanted = call / 150 % 2 ? 20 : 90;
		size_t place;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		place = (random >> 20) % LIVE;
		if (live[place] && (random >> 40) % 100 >= wanted)
			give(place, random);
		else if (!live[place] && (random >> 40) % 100 < wanted)
			take(place, (random >> 50) % 6, random);
		if (call % 300 == 250)
			take_and_give_many();
	}
	for (size_t place = 0; place < LIVE; place += 2) {
		if (live[place])
			give(place, place / 2);
	}
	return count_all();
}

static pid_t start_child(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(60);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(3);
		raise(SIGSTOP);
		_exit(run_script());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return child;
}

/* A breakpoint, or what was there before. */
static void poke(pid_t child, uint64_t address, bool is_set)
{
	uint64_t word = (uint64_t)ptrace(PTRACE_PEEKTEXT, child, (void *)address, NULL);
	uint8_t byte = is_set ? 0xcc : *(const uint8_t *)address;

	word = (word & ~0xffull) | byte;
	assert_return_code(ptrace(PTRACE_POKETEXT, child, (void *)address, (void *)word), 0);
}

static uint64_t stopped_at(pid_t child)
{
	struct user_regs_struct registers;

	assert_return_code(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
	return registers.rip;
}

static void set_rip(pid_t child, uint64_t address)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	registers.rip = address;
	assert_return_code(ptrace(PTRACE_SETREGS, child, NULL, &registers), 0);
}

/* Lets the child go on up to a breakpoint: its address, the child standing on it. 0 when it has ended, well. */
static uint64_t go_on(pid_t child, int with_signal)
{
	int status;

	for (;;) {
		assert_return_code(ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)with_signal), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) == SIGTRAP) {
			uint64_t address = stopped_at(child) - 1;

			set_rip(child, address);
			return address;
		}
		if (WSTOPSIG(status) == SIGSEGV)
			fail_msg("the child faults at %#lx", stopped_at(child));
		with_signal = WSTOPSIG(status);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return 0;
}

static void note_place(uint64_t address, const struct sequence *sequence)
{
	for (size_t i = 0; i < nr_places; i++) {
		if (places[i].address == address)
			return;
	}
	assert_true(nr_places < MOST_PLACES);
	places[nr_places++] = (struct place){ address, sequence };
}

static const struct sequence *sequence_at(uint64_t start)
{
	for (const struct sequence *one = __start___rseq_cs; one < __stop___rseq_cs; one++) {
		if (one->start == start)
			return one;
	}
	return NULL;
}

/* Step from a sequence's start to its end. The kernel knows of none meanwhile. */
static void step_through(pid_t child, const struct sequence *sequence)
{
	char *rseq = (char *)__builtin_thread_pointer() + __rseq_offset;
	uint64_t at = sequence->start;
	int status;

	assert_return_code(ptrace(PTRACE_POKEDATA, child, rseq + SLUB_RSEQ_CS, NULL), 0);
	while (at - sequence->start < sequence->bytes) {
		note_place(at, sequence);
		assert_return_code(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		at = stopped_at(child);
	}
}

static void every_sequence_is_passed_by_the_script(void **state)
{
	pid_t child = start_child();
	uint64_t at;

	(void)state;
	for (const struct sequence *one = __start___rseq_cs; one < __stop___rseq_cs; one++)
		poke(child, one->start, true);
	while ((at = go_on(child, 0))) {
		const struct sequence *sequence = sequence_at(at);

		assert_non_null(sequence);
		poke(child, at, false);
		step_through(child, sequence);
		poke(child, at, true);
	}
	for (const struct sequence *one = __start___rseq_cs; one < __stop___rseq_cs; one++) {
		size_t instructions = 0;
		bool has_commit = false;

		for (size_t i = 0; i < nr_places; i++) {
			instructions += places[i].sequence == one;
			has_commit |= places[i].sequence == one && places[i].address + 9 > one->start + one->bytes;
		}
		if (instructions < 5 || !has_commit)
			fail_msg("the script does not pass the sequence at %#lx", one->start);
	}
}

static void move(pid_t child)
{
	cpu_set_t had, one;
	int cpu = 0;

	assert_return_code(sched_getaffinity(child, sizeof(had), &had), 0);
	if (CPU_COUNT(&had) == 1) {
		sched_getaffinity(0, sizeof(one), &one);
		while (CPU_ISSET(cpu, &had) || !CPU_ISSET(cpu, &one)) {
			if (++cpu == CPU_SETSIZE)
				return;
		}
	} else {
		while (!CPU_ISSET(cpu, &had))
			cpu++;
	}
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_return_code(sched_setaffinity(child, sizeof(one), &one), 0);
}

/* The child stands inside: it is aborted, by the kernel's word, whatever happens to it here. */
static void abort_once(pid_t child, const struct place *place, enum way way)
{
	bool is_signalled = way == SIGNALLED || way == DRAINED || way == NESTED;
	uint64_t at;

	// Nested: the handler's own pass of this instruction is aborted too, if it comes by.
	if (way != NESTED)
		poke(child, place->address, false);
	poke(child, place->sequence->abort, true);
	if (way == MOVED)
		move(child);
	at = go_on(child, is_signalled ? SIGUSR1 : 0);
	if (at == place->address) {
		poke(child, place->address, false);
		at = go_on(child, 0);
	}
	assert_int_equal(at, place->sequence->abort);
	poke(child, place->address, false);
	poke(child, place->sequence->abort, false);
}

static size_t abort_at(const struct place *place, enum way way)
{
	size_t hits = 0;
	pid_t child;
	uint64_t at;

	handlers_way = way;
	child = start_child();
	poke(child, place->address, true);
	while ((at = go_on(child, 0))) {
		poke(child, at, false);
		if (at == place->address) {
			abort_once(child, place, way);
			if (++hits < HITS)
				poke(child, (uint64_t)(uintptr_t)sequences_boundary, true);
		} else {
			poke(child, place->address, true);
		}
	}
	return hits;
}

static void abort_everywhere(enum way way)
{
	assert_true(nr_places > 30);
	for (size_t i = 0; i < nr_places; i++) {
		handlers_cache = caches[i % 2];
		assert_true(abort_at(&places[i], way) > 0);
	}
}

static void a_call_that_is_aborted_at_any_instruction_happens_once(void **state)
{
	(void)state;
	abort_everywhere(PLAIN);
}

static void a_thread_that_changes_its_cpu_at_any_instruction_works_on_the_new_one(void **state)
{
	(void)state;
	abort_everywhere(MOVED);
}

static void a_handler_that_uses_the_cache_meanwhile_changes_nothing(void **state)
{
	(void)state;
	abort_everywhere(SIGNALLED);
	abort_everywhere(NESTED);
}

static void a_drain_at_any_instruction_loses_and_doubles_nothing(void **state)
{
	(void)state;
	abort_everywhere(DRAINED);
}

/* A debugger's steps abort each time; then the thread is let go. */
static void a_thread_that_was_stepped_without_getting_on_gets_on_when_it_may(void **state)
{
	const struct place *place = &places[3];
	pid_t child = start_child();
	int status;

	(void)state;
	poke(child, place->address, true);
	assert_int_equal(go_on(child, 0), place->address);
	poke(child, place->address, false);
	for (int step = 0; step < 200; step++) {
		assert_return_code(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		// Never past the first instruction: the kernel puts it back to the handler.
		assert_true(stopped_at(child) - place->sequence->start - 1 >= place->sequence->bytes - 1);
	}
	assert_int_equal(go_on(child, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_is_passed_by_the_script),
		cmocka_unit_test(a_call_that_is_aborted_at_any_instruction_happens_once),
		cmocka_unit_test(a_thread_that_changes_its_cpu_at_any_instruction_works_on_the_new_one),
		cmocka_unit_test(a_handler_that_uses_the_cache_meanwhile_changes_nothing),
		cmocka_unit_test(a_drain_at_any_instruction_loses_and_doubles_nothing),
		cmocka_unit_test(a_thread_that_was_stepped_without_getting_on_gets_on_when_it_may),
	};
	struct sigaction action = { .sa_handler = use_cache_in_handler };

	if (!__rseq_size) {
		printf("1..0 # SKIP no restartable sequences here\n");
		return 0;
	}
	sigaction(SIGUSR1, &action, NULL);
	caches[0] = slub_kmem_cache_create("sheaves", SIZE, 0, SLUB_NO_MERGE, NULL);
	caches[1] = slub_kmem_cache_create("cpu-slabs", SIZE, 0, SLUB_NO_MERGE | SLUB_CPU_SLABS, NULL);
	caches[2] = slub.kmalloc_caches[slub_kmalloc_index(SIZE)];
	caches[3] = slub_kmem_cache_create("nodes", SIZE, 0, SLUB_NO_MERGE, NULL);
	caches[3]->checks_node = true;
	caches[3]->push_mask = 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
