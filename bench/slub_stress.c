// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub under everything at once, against an oracle, for as long as one likes.
 *
 *     slub_stress SECONDS [SEED [THREADS]]
 *
 * Threads that live shortly, some without restartable sequences, take and give objects of caches with random sizes and
 * flags, of kmalloc and of malloc, through slots that all of them share; they change CPUs, shrink, make and end caches,
 * read slabinfo, fork, and spawn, while a timer's signals restart sequences. Memory nodes are pretended, as many as the
 * seed says. Once a second all stand still and every cache is counted (slub_census.h). Exit 1, the seed and what was
 * found; the interleaving is the machine's, so that a seed repeats caches and calls but not a failure.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "slub_census.h"

#define SLOTS 3000
#define KINDS 14
#define KMALLOC KINDS /* after the caches */
#define MALLOC (KINDS + 1)
#define EDGE 48 /* bytes at both ends of an object that are stamped */
#define MOST_THREADS 64
#define WAVE 400
#define HELD 64
#define BULK 700 /* more than two sheaves, of small objects */
#define DEBUG (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)
#define STACK_BYTES (128 << 10)

/* Who is `busy` with a slot has it alone. */
struct slot {
	int busy;
	unsigned kind;
	unsigned char *object;
	size_t size;
	uint64_t stamp;
};

struct kind {
	struct kmem_cache *cache;
	unsigned size;
	uint32_t flags;
	char name[16];
};

static struct slot slots[SLOTS];
static struct kind kinds[KINDS];
static uint64_t seed;
static bool is_over;
static pthread_rwlock_t moving = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static int children;
static size_t calls, forks, counts;
static unsigned nodes;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void fail(const char *what, const void *where)
{
	char text[256];
	int length = snprintf(text, sizeof(text), "slub_stress: seed %llu, process %d: %s at %p\n", (unsigned long long)seed,
			      getpid(), what, where);

	if (write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(2);
	_exit(1);
}

static void on_damage(int number)
{
	fail(number == SIGABRT ? "libslub ended the process" : number == SIGALRM ? "a child hangs" : "a fault", NULL);
}

/* Memory nodes: of this program's, and a thread is where its CPU is, mostly. */
unsigned __wrap_slub_machine_nodes(unsigned limit);
unsigned __wrap_slub_node(void);

unsigned __wrap_slub_machine_nodes(unsigned limit)
{
	return nodes < limit ? nodes : limit;
}

unsigned __wrap_slub_node(void)
{
	static _Thread_local unsigned asked;

	return (unsigned)(sched_getcpu() + (++asked % 16 == 0)) % nodes;
}

static unsigned char byte_of(uint64_t stamp, size_t at)
{
	return (unsigned char)(stamp >> (at % 7) * 8 ^ at * 11);
}

static void stamp(unsigned char *object, size_t size, uint64_t with)
{
	for (size_t at = 0; at < size; at++) {
		if (at == EDGE && size > 2 * EDGE)
			at = size - EDGE;
		object[at] = byte_of(with, at);
	}
}

static void check(const unsigned char *object, size_t size, uint64_t with, const char *what)
{
	for (size_t at = 0; at < size; at++) {
		if (at == EDGE && size > 2 * EDGE)
			at = size - EDGE;
		if (object[at] != byte_of(with, at))
			fail(what, object + at);
	}
}

static size_t random_size(uint64_t random)
{
	unsigned bits = random % 64 == 0 ? 20 : random % 8 == 0 ? 15 : 4 + random / 64 % 8;

	return random >> 20 & ((1u << bits) - 1);
}

static void *zeroed(unsigned char *object, size_t size)
{
	for (size_t at = 0; object && at < size; at++) {
		if (object[at])
			fail("zeroed memory is not zero", object + at);
	}
	return object;
}

static void *take(unsigned kind, size_t size, uint64_t random)
{
	size_t align = 8ull << random % 10;

	if (kind < KINDS)
		return random % 8 ? slub_kmem_cache_alloc(kinds[kind].cache) :
				    zeroed(slub_kmem_cache_zalloc(kinds[kind].cache), size);
	if (kind == KMALLOC)
		return random % 8 ? slub_kmalloc(size) : zeroed(slub_kzalloc(size), size);
	if (random % 8 == 1)
		return aligned_alloc(align, (size + align - 1) & ~(align - 1));
	return random % 8 ? malloc(size) : zeroed(calloc(1, size), size);
}

static void give(unsigned kind, void *object, uint64_t random)
{
	if (kind == MALLOC)
		free(object);
	else if (kind == KMALLOC || random % 4 == 0)
		slub_kfree(object);
	else
		slub_kmem_cache_free(kinds[kind].cache, object);
}

static bool lock_slot(struct slot *slot)
{
	return !__atomic_exchange_n(&slot->busy, 1, __ATOMIC_ACQUIRE);
}

static void unlock_slot(struct slot *slot)
{
	__atomic_store_n(&slot->busy, 0, __ATOMIC_RELEASE);
}

static void fill_slot(struct slot *slot, uint64_t random)
{
	slot->kind = (unsigned)(random >> 8) % (MALLOC + 1);
	slot->size = slot->kind < KINDS ? kinds[slot->kind].size : random_size(random >> 16);
	slot->stamp = random;
	slot->object = take(slot->kind, slot->size, random >> 40);
	if (slot->object)
		stamp(slot->object, slot->size, random);
	else if (slot->size || slot->kind != MALLOC)
		fail("no memory", NULL);
}

static void resize_slot(struct slot *slot, uint64_t random)
{
	size_t size = random_size(random) + 1;
	size_t kept = size < slot->size ? size : slot->size;

	slot->object = slot->kind == MALLOC ? realloc(slot->object, size) : slub_krealloc(slot->object, size);
	if (!slot->object)
		fail("no memory", NULL);
	// The last bytes move when the size does: what both have is compared.
	check(slot->object, kept < EDGE || slot->size <= 2 * EDGE ? kept : EDGE, slot->stamp, "realloc lost contents");
	slot->size = size;
	stamp(slot->object, size, slot->stamp);
}

static void use_slot(uint64_t random)
{
	struct slot *slot = &slots[random % SLOTS];

	if (!lock_slot(slot))
		return;
	if (!slot->object) {
		fill_slot(slot, random);
	} else {
		check(slot->object, slot->size, slot->stamp, "an object was overwritten");
		if (slot->kind >= KMALLOC && random >> 16 & 1) {
			resize_slot(slot, random >> 20);
		} else {
			memset(slot->object, 0xdd, slot->size);
			give(slot->kind, slot->object, random >> 24);
			slot->object = NULL;
		}
	}
	unlock_slot(slot);
}

static void use_bulk(uint64_t random)
{
	const struct kind *kind = &kinds[random % KINDS];
	size_t count = 1 + random / KINDS % (random >> 32 & 3 || kind->size > 512 || kind->flags & DEBUG ? 40 : BULK);
	void *objects[BULK];

	if (slub_kmem_cache_alloc_bulk(kind->cache, count, objects) != count)
		fail("no memory for many", NULL);
	for (size_t i = 0; i < count; i++)
		stamp(objects[i], kind->size, random + i);
	for (size_t i = 0; i < count; i++)
		check(objects[i], kind->size, random + i, "an object of many was overwritten");
	slub_kmem_cache_free_bulk(kind->cache, count, objects);
}

static void construct(void *object)
{
	*(unsigned char *)object = 0x5c;
}

static struct kmem_cache *make_cache(const char *name, uint64_t random, unsigned *ret_size, uint32_t *ret_flags)
{
	static const uint32_t engines[] = { 0, 0, SLUB_CPU_SLABS, SLUB_CPU_SLABS, SLUB_NO_SHEAVES, SLUB_CONSISTENCY_CHECKS,
					    SLUB_RED_ZONE | SLUB_POISON, SLUB_STORE_USER | SLUB_RED_ZONE };
	unsigned size = 1 + (unsigned)random_size(random >> 30) % (random & 64 ? 9000 : 300);
	uint32_t flags = engines[random % 8] | (random & 8 ? SLUB_NO_MERGE : 0) | (random & 16 ? SLUB_NO_RANDOM : 0) |
			 (random & 32 ? SLUB_HWCACHE_ALIGN : 0) | (random % 256 < 64 ? SLUB_NO_HARDENED : 0);

	*ret_size = size;
	*ret_flags = flags;
	return slub_kmem_cache_create(name, size, random & 1024 ? 8u << (random >> 12) % 7 : 0, flags,
				      random % 4096 < 256 ? construct : NULL);
}

/* A cache that nobody else has, from its making to its end. */
static void live_with_a_cache(uint64_t random)
{
	unsigned size;
	uint32_t flags;
	struct kmem_cache *cache = make_cache("short", random, &size, &flags);
	size_t count = random >> 50 & 127;
	unsigned char *objects[128];

	if (!cache)
		fail("no cache", NULL);
	for (size_t i = 0; i < count; i++) {
		objects[i] = slub_kmem_cache_alloc(cache);
		stamp(objects[i], size, random + i);
	}
	for (size_t i = 0; i < count; i++) {
		check(objects[i], size, random + i, "an object of a short-lived cache was overwritten");
		slub_kmem_cache_free(cache, objects[i]);
	}
	if (slub_kmem_cache_destroy(cache))
		fail("objects left in a short-lived cache", cache);
}

static void change_cpus(uint64_t random)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	for (long cpu = 0; cpu < online; cpu++) {
		if (random % 4 == 0 || (long)(random >> 8) % online == cpu)
			CPU_SET(cpu, &set);
	}
	sched_setaffinity(0, sizeof(set), &set);
}

static void read_slabinfo(void)
{
	static _Thread_local struct slub_cache_info info[64];
	size_t count = slub_slabinfo(info, 64);

	for (size_t i = 0; i < count && i < 64; i++) {
		if (!info[i].name[0] || !info[i].size || info[i].objects < info[i].free_in_slabs)
			fail("slabinfo is nonsense", &info[i]);
	}
}

/* The slots that the parent held are the child's truth; what other threads had in hands is not. */
static void live_as_child(struct slot **held, size_t count, uint64_t random)
{
	struct slub_census census;

	alarm(60);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		census_take(kinds[kind].cache, &census);
		if (census.fault && !strcmp(census.fault, "free in two places"))
			fail("in a child: free in two places", census.where);
		for (size_t i = 0; i < count; i++) {
			if (held[i]->object && held[i]->kind == kind && census_is_free(held[i]->object))
				fail("in a child: a live object is free", held[i]->object);
		}
	}
	for (unsigned i = 0; i < 60; i++)
		use_bulk(next_random(&random));
	live_with_a_cache(random);
	for (size_t i = 0; i < count; i++) {
		if (!held[i]->object)
			continue;
		check(held[i]->object, held[i]->size, held[i]->stamp, "in a child: an object was overwritten");
		give(held[i]->kind, held[i]->object, random);
		held[i]->object = NULL;
	}
}

/* A child, its child, … down to one that has none; the first says whether all was well. */
static void live_as_children(struct slot **held, size_t count, uint64_t random)
{
	for (int depth = 0; depth < 3; depth++) {
		pid_t child;
		int status;

		live_as_child(held, count, next_random(&random));
		if (random % 2)
			break;
		child = fork();
		if (!child)
			continue;
		if (waitpid(child, &status, 0) != child || status)
			fail("a child's child failed", NULL);
		break;
	}
	_exit(0);
}

static void have_a_child(uint64_t random)
{
	struct slot *held[HELD];
	size_t count = 0;
	pid_t child;
	int status;

	if (__atomic_fetch_add(&children, 1, __ATOMIC_RELAXED) < 2) {
		for (unsigned i = 0; i < HELD; i++) {
			struct slot *slot = &slots[next_random(&random) % SLOTS];

			if (lock_slot(slot))
				held[count++] = slot;
		}
		child = fork();
		if (!child)
			live_as_children(held, count, random);
		for (size_t i = 0; i < count; i++)
			unlock_slot(held[i]);
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fail("a child failed", NULL);
		__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_sub(&children, 1, __ATOMIC_RELAXED);
}

static void spawn_program(void)
{
	static char *const words[] = { "true", NULL };
	char *const no_environment[] = { NULL };
	pid_t child;
	int status;

	if (posix_spawn(&child, "/bin/true", NULL, NULL, words, no_environment))
		return;
	if (waitpid(child, &status, 0) != child || status)
		fail("a spawned program failed", NULL);
}

static void do_something(uint64_t random)
{
	unsigned choice = (unsigned)(random >> 44) % 65536;

	if (choice >= 6000)
		use_slot(random);
	else if (choice >= 512)
		use_bulk(random);
	else if (choice >= 256)
		change_cpus(random);
	else if (choice >= 160)
		slub_kmem_cache_shrink(kinds[random % KINDS].cache);
	else if (choice >= 96)
		read_slabinfo();
	else if (choice >= 16)
		live_with_a_cache(random);
	else if (choice >= 12)
		have_a_child(random);
	else if (choice >= 10)
		spawn_program();
}

/* Some threads do without restartable sequences, as those of a program that was started so. */
static void leave_sequences(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size && syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		syscall(SYS_rseq, area, __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

static void *work(void *argument)
{
	uint64_t random = (uint64_t)(uintptr_t)argument * 0x9e3779b97f4a7c15 ^ seed;
	size_t steps = 1000 + next_random(&random) % 60000;

	if (next_random(&random) % 4 == 0)
		leave_sequences();
	for (size_t step = 0; step < steps && !__atomic_load_n(&is_over, __ATOMIC_RELAXED); step += 64) {
		pthread_rwlock_rdlock(&moving);
		for (unsigned i = 0; i < 64; i++)
			do_something(next_random(&random));
		pthread_rwlock_unlock(&moving);
		__atomic_add_fetch(&calls, 64, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *do_little(void *argument)
{
	uint64_t random = (uint64_t)(uintptr_t)argument | 1;

	pthread_rwlock_rdlock(&moving);
	for (unsigned i = 0; i < 40; i++)
		use_slot(next_random(&random));
	pthread_rwlock_unlock(&moving);
	return NULL;
}

static size_t count_sheaves(struct kmem_cache *cache, struct slub_census *census)
{
	size_t alive = 0;

	if (!census_take(cache, census))
		fail(census->fault, census->where);
	for (size_t i = 0; i < SLOTS; i++) {
		const struct slab *slab = slots[i].object && slots[i].kind != MALLOC ? slab_of_address(slots[i].object) : NULL;

		if (!slab || slab->slab_cache != cache)
			continue;
		alive++;
		if (census_is_free(slots[i].object))
			fail("a live object is free", slots[i].object);
	}
	if (cache->kind != SLUB_PAGE_SHEAF && census_allocated(census) != alive)
		fail(census_allocated(census) > alive ? "an object was lost" : "an object is free and alive", cache->name);
	return census->sheaves;
}

/* All stand still. */
static void count_all(void)
{
	static struct slub_cache_info info[64];
	size_t sheaves[SLUB_KMALLOC_CACHES] = {}, count, at;
	struct slub_census census;

	count = at = slub_slabinfo(info, 64);
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		int index = cache->has_sheaves ? slub_kmalloc_index(cache->sheaf_mask + 1) : 0;

		sheaves[index] += count_sheaves(cache, &census);
		if (--at < 64 && (info[at].objects != census.objects || info[at].slabs != census.slabs ||
				  info[at].free_in_slabs != census.in_slabs ||
				  info[at].free_in_sheaves != census.in_sheaves + census.on_cpus))
			fail("slabinfo counts wrongly", cache->name);
	}
	for (unsigned bytes = 64; count && bytes <= SLUB_MAX_SHEAF; bytes *= 2) {
		count_sheaves(slub.sheaf_caches[slub_kmalloc_index(bytes)], &census);
		if (census_allocated(&census) != sheaves[slub_kmalloc_index(bytes)])
			fail("a sheaf was lost", slub.sheaf_caches[slub_kmalloc_index(bytes)]);
	}
	counts++;
}

static void have_a_wave(const pthread_attr_t *attributes)
{
	static pthread_t threads[WAVE];
	size_t made = 0;

	while (made < WAVE && !pthread_create(&threads[made], attributes, do_little, (void *)(counts * WAVE + made + 1)))
		made++;
	while (made)
		pthread_join(threads[--made], NULL);
}

static void ignore_signal(int number)
{
	(void)number;
}

static void set_signals(void)
{
	static const int damages[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM };
	struct sigaction damage = { .sa_handler = on_damage }, tick = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, 50000 }, { 0, 50000 } };
	timer_t timer;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		sigaction(damages[i], &damage, NULL);
	sigaction(SIGUSR1, &tick, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, NULL))
		fail("no timer", NULL);
}

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* No call lasts two minutes: threads that have not let go by then wait for each other. */
static void wait_for_all(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 120;
	if (pthread_rwlock_timedwrlock(&moving, &limit))
		fail("threads hang", NULL);
}

static void run(time_t seconds, unsigned count)
{
	time_t begin = seconds_now(), last = begin, now;
	pthread_t threads[MOST_THREADS];
	pthread_attr_t attributes;
	size_t started = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (; started < count; started++)
		pthread_create(&threads[started], &attributes, work, (void *)(started + 1));
	while ((now = seconds_now()) < begin + seconds) {
		usleep(20000);
		for (unsigned i = 0; i < count; i++) {
			if (!pthread_tryjoin_np(threads[i], NULL))
				pthread_create(&threads[i], &attributes, work, (void *)(++started));
		}
		if (now == last)
			continue;
		last = now;
		wait_for_all();
		count_all();
		pthread_rwlock_unlock(&moving);
		if (counts % 4 == 0)
			have_a_wave(&attributes);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%zu threads, ", started);
}

int main(int words, char **word)
{
	time_t seconds = words > 1 ? atol(word[1]) : 0;
	unsigned count = words > 3 ? (unsigned)atoi(word[3]) : 8;
	uint64_t random;

	seed = words > 2 ? strtoull(word[2], NULL, 0) : (uint64_t)time(NULL);
	if (seconds <= 0 || !count || count > MOST_THREADS) {
		fprintf(stderr, "slub_stress SECONDS [SEED [THREADS]]\n");
		return 2;
	}
	nodes = 1 + (unsigned)(seed % 3);
	random = seed * 0x9e3779b97f4a7c15 | 1;
	printf("seed %llu, %u threads, %u nodes\n", (unsigned long long)seed, count, nodes);
	fflush(stdout);
	set_signals();
	for (unsigned kind = 0; kind < KINDS; kind++) {
		snprintf(kinds[kind].name, sizeof(kinds[kind].name), "stress-%u", kind);
		next_random(&random);
		kinds[kind].cache = make_cache(kinds[kind].name, (random & ~7ull) | kind % 8, &kinds[kind].size, &kinds[kind].flags);
		if (!kinds[kind].cache)
			fail("no cache", NULL);
	}
	run(seconds, count);
	for (size_t i = 0; i < SLOTS; i++) {
		if (slots[i].object) {
			check(slots[i].object, slots[i].size, slots[i].stamp, "an object was overwritten");
			give(slots[i].kind, slots[i].object, 1);
			slots[i].object = NULL;
		}
	}
	count_all();
	printf("%zu calls, %zu forks, %zu counts: nothing found\n", calls, forks, counts);
	return 0;
}
