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
 *
 * Here are threads and what they choose to do; the other parts are named in slub_stress.h.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "slub_stress.h"

#define MOST_THREADS 64
#define WAVE 400
#define STACK_BYTES (128 << 10)

uint64_t seed;
static bool is_over;
static pthread_rwlock_t moving = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static size_t calls;
static unsigned nodes;

void fail(const char *what, const void *where)
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
bool __wrap_slub_machine_has_cmpxchg_double(void);
bool __real_slub_machine_has_cmpxchg_double(void);

unsigned __wrap_slub_machine_nodes(unsigned limit)
{
	return nodes < limit ? nodes : limit;
}

/* A machine without is pretended for every fourth seed. */
bool __wrap_slub_machine_has_cmpxchg_double(void)
{
	return __real_slub_machine_has_cmpxchg_double() && seed % 4;
}

unsigned __wrap_slub_node(void)
{
	static _Thread_local unsigned asked;

	return (unsigned)(sched_getcpu() + (++asked % 16 == 0)) % nodes;
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
	for (size_t i = 0; i < SLOTS; i++)
		end_slot(&slots[i], "an object was overwritten", 1);
	count_all();
	printf("%zu calls, %zu forks, %zu counts: nothing found\n", calls, forks, counts);
	return 0;
}
