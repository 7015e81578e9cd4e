/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The bookkeeping that every ground-truth program shares: allocation sites with counters, the options --wait
 * and --hold, and the lines a test reads. README.md describes the protocol.
 *
 * Nothing here allocates: counters are static, lines go out by one write(2) each, and stdio is not used. So
 * the program's own calls are the only user-level allocations between the start mark and the end. Nothing
 * here asks an allocator what it did either: a size is what the program requested.
 */
#ifndef DILL_TRUTH_H
#define DILL_TRUTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that must be a frame of its own, under its own name. */
#ifdef __clang__
#define SITE __attribute__((noinline))
#else
#define SITE __attribute__((noipa))
#endif

/* Keep the compiler from dropping an allocation that nobody uses, without storing the pointer anywhere. */
#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* After a call: the call can't become a tail jump, so the caller keeps its frame. */
#define STAY() __asm__ volatile("" : : : "memory")

/* One cache line each, so that threads at different sites don't disturb each other. */
struct truth_site {
	const char *function;
	long seen;        /* successful allocations */
	long seen_bytes;  /* requested bytes of these */
	long freed;
	long freed_bytes; /* also bytes that a mapping lost while the rest of it stays */
} __attribute__((aligned(64)));

/* Declares the site that `function` is, as site_FUNCTION; truth_print() finds it by the section. */
#define TRUTH_SITE(name)                                                                         \
	static struct truth_site site_##name __attribute__((used, section("truth_sites"))) = { \
		#name, 0, 0, 0, 0                                                               \
	}

/* Set by the linker; hidden, so that a shared object sees its own sites only. */
extern struct truth_site __start_truth_sites[] __attribute__((visibility("hidden")));
extern struct truth_site __stop_truth_sites[] __attribute__((visibility("hidden")));

static inline void truth_add(struct truth_site *site, long seen, long seen_bytes, long freed,
			     long freed_bytes)
{
	__atomic_fetch_add(&site->seen, seen, __ATOMIC_RELAXED);
	__atomic_fetch_add(&site->seen_bytes, seen_bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&site->freed, freed, __ATOMIC_RELAXED);
	__atomic_fetch_add(&site->freed_bytes, freed_bytes, __ATOMIC_RELAXED);
}

static inline void truth_alloc(struct truth_site *site, size_t bytes)
{
	truth_add(site, 1, (long)bytes, 0, 0);
}

/* @bytes is what was asked for at @site, the place of the allocation. */
static inline void truth_free(struct truth_site *site, size_t bytes)
{
	truth_add(site, 0, 0, 1, (long)bytes);
}

/* Forget everything counted so far: a forked child starts its own books. */
static inline void truth_reset(void)
{
	for (struct truth_site *site = __start_truth_sites; site < __stop_truth_sites; site++)
		site->seen = site->seen_bytes = site->freed = site->freed_bytes = 0;
}

/* One line by one write(2): lines of several processes on one pipe don't mix. */
__attribute__((format(printf, 1, 2))) static inline void truth_say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length < 0 || length > (int)sizeof(line) - 2)
		_exit(4);
	line[length++] = '\n';
	while (write(STDOUT_FILENO, line, (size_t)length) < 0 && errno == EINTR)
		;
}

/* The program's claim about itself failed: the run proves nothing. Never returns. */
#define truth_require(claim)                                                        \
	do {                                                                        \
		if (!(claim)) {                                                     \
			truth_say("broken %s:%d: %s", __FILE__, __LINE__, #claim);  \
			_exit(4);                                                   \
		}                                                                   \
	} while (0)

/* Count @block, which an allocation at @site has just given, and release it unless it is kept. */
static inline void truth_block(struct truth_site *site, void *block, size_t size, bool is_kept)
{
	truth_require(block);
	KEEP(block);
	truth_alloc(site, size);
	if (is_kept)
		return;
	free(block);
	truth_free(site, size);
}

/*
 * The site lines, then the truth line. @more is appended to the truth line ("" or "key=value …").
 * Sites that were never used are left out.
 */
static inline void truth_print(const char *more)
{
	long seen = 0, seen_bytes = 0, freed = 0, freed_bytes = 0;

	for (struct truth_site *site = __start_truth_sites; site < __stop_truth_sites; site++) {
		seen += site->seen;
		seen_bytes += site->seen_bytes;
		freed += site->freed;
		freed_bytes += site->freed_bytes;
		if (site->seen)
			truth_say("site %s held=%ld held_bytes=%ld seen=%ld freed=%ld", site->function,
				  site->seen - site->freed, site->seen_bytes - site->freed_bytes, site->seen,
				  site->freed);
	}
	truth_say("truth pid=%d seen=%ld freed=%ld held=%ld held_bytes=%ld%s%s", (int)getpid(), seen, freed,
		  seen - freed, seen_bytes - freed_bytes, more[0] ? " " : "", more);
}

/* Arguments: numbers by position, --NAME flags and --NAME=NUMBER options. Each is taken once. */
static int truth_argc;
static char **truth_argv;
static uint64_t truth_taken; /* a bit per argument */
static bool truth_waits, truth_holds;

static inline bool truth_flag(const char *name)
{
	for (int i = 1; i < truth_argc; i++) {
		if (strcmp(truth_argv[i], name) == 0) {
			truth_taken |= UINT64_C(1) << i;
			return true;
		}
	}
	return false;
}

static inline const char *truth_text(const char *name)
{
	size_t length = strlen(name);

	for (int i = 1; i < truth_argc; i++) {
		if (strncmp(truth_argv[i], name, length) == 0 && truth_argv[i][length] == '=') {
			truth_taken |= UINT64_C(1) << i;
			return truth_argv[i] + length + 1;
		}
	}
	return NULL;
}

static inline void truth_usage(const char *argument)
{
	truth_say("usage: argument not understood: %.200s", argument);
	_exit(2);
}

static inline long truth_parse(const char *text)
{
	char *end;
	long number = strtol(text, &end, 0);

	if (end == text || *end != '\0' || number < 0)
		truth_usage(text);
	return number;
}

static inline long truth_option(const char *name, long missing)
{
	const char *text = truth_text(name);

	return text ? truth_parse(text) : missing;
}

/* The @position-th argument (from 0) that is not an option. */
static inline long truth_number(int position, long missing)
{
	for (int i = 1; i < truth_argc; i++) {
		if (truth_argv[i][0] == '-' || position-- > 0)
			continue;
		truth_taken |= UINT64_C(1) << i;
		return truth_parse(truth_argv[i]);
	}
	return missing;
}

/* First call of main. */
static inline void truth_init(int argc, char **argv)
{
	if (argc > 64)
		_exit(2);
	truth_argc = argc;
	truth_argv = argv;
	truth_waits = truth_flag("--wait");
	truth_holds = truth_flag("--hold");
}

/* Returns after one byte or the end of stdin. */
static inline void truth_wait_byte(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
}

/* The start mark: everything that is allocated before it is not counted, everything after it is. */
static inline void truth_ready(void)
{
	for (int i = 1; i < truth_argc; i++)
		if (!(truth_taken & (UINT64_C(1) << i)))
			truth_usage(truth_argv[i]);
	if (!truth_waits)
		return;
	truth_say("ready %d", (int)getpid());
	truth_wait_byte();
}

/* In place of truth_ready(): each line COUNT on stdin, a number above 0, is a round; until the end of stdin. */
static inline void truth_serve(void (*round)(long count))
{
	char line[32];
	size_t length = 0;
	long count;

	truth_waits = false; /* the first line of stdin is a count already */
	truth_ready();
	truth_say("ready %d", (int)getpid());
	while (read(STDIN_FILENO, line + length, 1) == 1) {
		if (line[length] != '\n') {
			truth_require(++length < sizeof(line));
			continue;
		}
		line[length] = '\0';
		length = 0;
		count = truth_parse(line);
		if (count > 0)
			round(count);
	}
}

/* The end: nothing is allocated or freed from here on until the process is let go. */
static inline void truth_end(const char *more)
{
	truth_print(more);
	if (!truth_holds)
		return;
	truth_say("done");
	truth_wait_byte();
}

#endif
