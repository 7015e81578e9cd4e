// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// C++'s operator new and operator delete ([new.delete]), by their names in the Itanium ABI: programs would else reach
// malloc() and free() through one call more each time.
//
// What is to be done when memory is out (the new-handler, std::bad_alloc) is done by the operator of the program's C++
// library: it calls malloc(), which fails once more. So this is C, and needs no such library itself.
//
// A program may replace some operators; the others are to be as if they called those. So each looks whether the name that
// it stands on still means the one of this file.
#include <dlfcn.h>
#include <stdlib.h>

#include "allocate.h"
#include "report.h"

#define SLOW __attribute__((noinline, cold))
#define OPERATOR(name) SLUB_API __attribute__((alias(#name)))
#define NEW_SLOW(name, ...) new_slow(name, __builtin_return_address(0), __VA_ARGS__)

// The operator that would be called without this library: of the program's C++ library, or of one that came by dlopen()
// with the caller. Not inlined into what may end by calling it: dlsym() has to be called from this library.
static SLOW void *next_operator(const char *name, const void *caller)
{
	void *found = dlsym(RTLD_NEXT, name), *object;
	Dl_info where;

	if (found || !dladdr(caller, &where))
		return found;
	object = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (object) {
		found = dlsym(object, name);
		dlclose(object);
	}
	return found;
}

// Arguments that the operator doesn't have stay in registers that it doesn't read.
static SLOW void *call_next(const char *name, const void *caller, size_t size, uintptr_t second, const void *third)
{
	void *(*next)(size_t, uintptr_t, const void *) = next_operator(name, caller);

	if (!next) {
		struct slub_line line = {};

		slub_put(&line, "slub: no memory, and no C++ library to tell: ");
		slub_put(&line, name);
		slub_say(&line);
		abort();
	}
	return next(size, second, third);
}

// `is_ours`: the program has not replaced what the operator stands on.
static SLOW void *new_slow(const char *name, const void *caller, bool is_ours, size_t size, uintptr_t second)
{
	void *memory = is_ours ? slub_malloc_slow(size, false) : NULL;

	return memory ? memory : call_next(name, caller, size, second, NULL);
}

static void *new_one(size_t size)
{
	void *memory = slub_malloc_fast(size);

	return likely(memory) ? memory : NEW_SLOW("_Znwm", true, size, 0);
}

OPERATOR(new_one) void *operator_new(size_t size) __asm__("_Znwm");

static void *new_array(size_t size)
{
	void *memory;

	if (!likely(operator_new == new_one))
		return operator_new(size);
	memory = slub_malloc_fast(size);
	return likely(memory) ? memory : NEW_SLOW("_Znam", true, size, 0);
}

OPERATOR(new_array) void *operator_new_array(size_t size) __asm__("_Znam");

// Those that don't throw catch what a new-handler or a replaced operator throws.
static void *new_one_nothrow(size_t size, const void *nothrow)
{
	bool is_ours = operator_new == new_one;
	void *memory = likely(is_ours) ? slub_malloc_fast(size) : NULL;

	return likely(memory) ? memory : NEW_SLOW("_ZnwmRKSt9nothrow_t", is_ours, size, (uintptr_t)nothrow);
}

static void *new_array_nothrow(size_t size, const void *nothrow)
{
	bool is_ours = operator_new_array == new_array && operator_new == new_one;
	void *memory = likely(is_ours) ? slub_malloc_fast(size) : NULL;

	return likely(memory) ? memory : NEW_SLOW("_ZnamRKSt9nothrow_t", is_ours, size, (uintptr_t)nothrow);
}

OPERATOR(new_one_nothrow) void *operator_new_nothrow(size_t, const void *) __asm__("_ZnwmRKSt9nothrow_t");
OPERATOR(new_array_nothrow) void *operator_new_array_nothrow(size_t, const void *) __asm__("_ZnamRKSt9nothrow_t");

// What is no power of two is the next operator's to refuse.
static void *take_aligned(bool is_ours, const char *name, const void *caller, size_t size, size_t align,
			  const void *nothrow)
{
	void *memory = is_ours && align && !(align & (align - 1)) ? slub_malloc_aligned(align, size) : NULL;

	return memory ? memory : call_next(name, caller, size, align, nothrow);
}

#define TAKE_ALIGNED(is_ours, name, ...) take_aligned(is_ours, name, __builtin_return_address(0), __VA_ARGS__)

static void *new_aligned(size_t size, size_t align)
{
	return TAKE_ALIGNED(true, "_ZnwmSt11align_val_t", size, align, NULL);
}

OPERATOR(new_aligned) void *operator_new_aligned(size_t, size_t) __asm__("_ZnwmSt11align_val_t");

static void *new_array_aligned(size_t size, size_t align)
{
	return operator_new_aligned(size, align);
}

OPERATOR(new_array_aligned) void *operator_new_array_aligned(size_t, size_t) __asm__("_ZnamSt11align_val_t");

static void *new_aligned_nothrow(size_t size, size_t align, const void *nothrow)
{
	return TAKE_ALIGNED(operator_new_aligned == new_aligned, "_ZnwmSt11align_val_tRKSt9nothrow_t", size, align, nothrow);
}

static void *new_array_aligned_nothrow(size_t size, size_t align, const void *nothrow)
{
	return TAKE_ALIGNED(operator_new_array_aligned == new_array_aligned && operator_new_aligned == new_aligned,
			    "_ZnamSt11align_val_tRKSt9nothrow_t", size, align, nothrow);
}

OPERATOR(new_aligned_nothrow)
void *operator_new_aligned_nothrow(size_t, size_t, const void *) __asm__("_ZnwmSt11align_val_tRKSt9nothrow_t");
OPERATOR(new_array_aligned_nothrow)
void *operator_new_array_aligned_nothrow(size_t, size_t, const void *) __asm__("_ZnamSt11align_val_tRKSt9nothrow_t");

static void delete_one(void *memory)
{
	slub_kfree_fast(memory);
}

OPERATOR(delete_one) void operator_delete(void *memory) __asm__("_ZdlPv");

// Sizes are not believed, and not looked at.
static void delete_by_one(void *memory)
{
	if (likely(operator_delete == delete_one))
		slub_kfree_fast(memory);
	else
		operator_delete(memory);
}

OPERATOR(delete_by_one) void operator_delete_sized(void *memory) __asm__("_ZdlPvm");
OPERATOR(delete_by_one) void operator_delete_nothrow(void *memory) __asm__("_ZdlPvRKSt9nothrow_t");
OPERATOR(delete_by_one) void operator_delete_array(void *memory) __asm__("_ZdaPv");

static void delete_by_array(void *memory)
{
	operator_delete_array(memory);
}

OPERATOR(delete_by_array) void operator_delete_array_sized(void *memory) __asm__("_ZdaPvm");
OPERATOR(delete_by_array) void operator_delete_array_nothrow(void *memory) __asm__("_ZdaPvRKSt9nothrow_t");

static void delete_aligned(void *memory, size_t align)
{
	(void)align;
	slub_kfree_fast(memory);
}

OPERATOR(delete_aligned) void operator_delete_aligned(void *, size_t) __asm__("_ZdlPvSt11align_val_t");

static void delete_by_aligned(void *memory, size_t align)
{
	operator_delete_aligned(memory, align);
}

static void delete_sized_aligned(void *memory, size_t size, size_t align)
{
	(void)size;
	operator_delete_aligned(memory, align);
}

OPERATOR(delete_sized_aligned)
void operator_delete_sized_aligned(void *, size_t, size_t) __asm__("_ZdlPvmSt11align_val_t");
OPERATOR(delete_by_aligned)
void operator_delete_aligned_nothrow(void *, size_t) __asm__("_ZdlPvSt11align_val_tRKSt9nothrow_t");
OPERATOR(delete_by_aligned) void operator_delete_array_aligned(void *, size_t) __asm__("_ZdaPvSt11align_val_t");

static void delete_by_array_aligned(void *memory, size_t align)
{
	operator_delete_array_aligned(memory, align);
}

static void delete_array_sized_aligned(void *memory, size_t size, size_t align)
{
	(void)size;
	operator_delete_array_aligned(memory, align);
}

OPERATOR(delete_array_sized_aligned)
void operator_delete_array_sized_aligned(void *, size_t, size_t) __asm__("_ZdaPvmSt11align_val_t");
OPERATOR(delete_by_array_aligned)
void operator_delete_array_aligned_nothrow(void *, size_t) __asm__("_ZdaPvSt11align_val_tRKSt9nothrow_t");
