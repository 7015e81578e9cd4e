// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The ways of C++ to allocate: new and delete, arrays, nothrow, aligned, make_shared, a vector that grows,
 * and a bad_alloc that is thrown through the allocation functions and caught: a tracer that changes return
 * addresses must not break that.
 *
 * Exception objects are allocated by the C++ library, not by the program: `inner=yes` on the truth line says
 * that a tool may see more seen and freed (nothing more held).
 */
#include "truth.h"

#include <memory>
#include <new>
#include <vector>

TRUTH_SITE(leak_new);
TRUTH_SITE(leak_array);
TRUTH_SITE(leak_nothrow);
TRUTH_SITE(leak_aligned);
TRUTH_SITE(leak_shared);
TRUTH_SITE(leak_vector);
TRUTH_SITE(delete_all);

namespace {

struct point {
	double x, y, z;
};

struct alignas(64) line_of_cache {
	char bytes[192];
};

volatile size_t huge = static_cast<size_t>(PTRDIFF_MAX) - 4096;

/* Hands out static memory and notes how much was asked: what make_shared requests for a point. */
size_t noted_bytes;

template <typename T> struct noting_allocator {
	using value_type = T;

	noting_allocator() = default;
	template <typename U> noting_allocator(const noting_allocator<U> &) {}

	T *allocate(size_t count)
	{
		static char room[1024] __attribute__((aligned(64)));

		noted_bytes = count * sizeof(T);
		truth_require(noted_bytes <= sizeof(room));
		return reinterpret_cast<T *>(room);
	}

	void deallocate(T *, size_t) {}
};

SITE void leak_new()
{
	KEEP(new point());
	truth_alloc(&site_leak_new, sizeof(point));
}

SITE void leak_array(size_t members)
{
	KEEP(new int[members]);
	truth_alloc(&site_leak_array, members * sizeof(int));
}

SITE void leak_nothrow()
{
	KEEP(new (std::nothrow) char[71]);
	truth_alloc(&site_leak_nothrow, 71);
	truth_require(!new (std::nothrow) char[huge]);
}

SITE void leak_aligned()
{
	line_of_cache *block = new line_of_cache;

	truth_require(reinterpret_cast<uintptr_t>(block) % 64 == 0);
	KEEP(block);
	truth_alloc(&site_leak_aligned, sizeof(line_of_cache));
}

/* One block holds the object and its counts; the pointer that would free it is never destroyed. */
SITE void leak_shared(size_t bytes)
{
	static char room[64][sizeof(std::shared_ptr<point>)] __attribute__((aligned(16)));
	static int next;

	new (room[next++]) std::shared_ptr<point>(std::make_shared<point>());
	truth_alloc(&site_leak_shared, bytes);
}

/* Grows a member at a time: each growth allocates, moves and frees the one before. */
SITE void leak_vector()
{
	static char room[sizeof(std::vector<int>)] __attribute__((aligned(16)));
	std::vector<int> *vector = new (room) std::vector<int>();
	size_t capacity = 0;

	for (int i = 0; i < 1000; i++) {
		vector->push_back(i);
		if (vector->capacity() == capacity)
			continue;
		if (capacity)
			truth_free(&site_leak_vector, capacity * sizeof(int));
		capacity = vector->capacity();
		truth_alloc(&site_leak_vector, capacity * sizeof(int));
	}
}

SITE void delete_all()
{
	point *one = new point;
	point *several = new point[10];
	line_of_cache *aligned = new line_of_cache;

	KEEP(one);
	KEEP(several);
	KEEP(aligned);
	truth_alloc(&site_delete_all, sizeof(point));
	truth_alloc(&site_delete_all, 10 * sizeof(point));
	truth_alloc(&site_delete_all, sizeof(line_of_cache));
	delete one;
	delete[] several;
	delete aligned;
	truth_free(&site_delete_all, sizeof(point));
	truth_free(&site_delete_all, 10 * sizeof(point));
	truth_free(&site_delete_all, sizeof(line_of_cache));
}

SITE int throw_deep(int depth)
{
	int thrown = depth > 0 ? throw_deep(depth - 1) : 0;

	if (depth == 0)
		KEEP(new char[huge]);
	return thrown + 1;
}

SITE int catch_bad_alloc(int depth)
{
	try {
		throw_deep(depth);
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	char more[64];
	size_t shared_bytes;
	int caught = 0;

	truth_init(argc, argv);
	std::allocate_shared<point>(noting_allocator<point>());
	shared_bytes = noted_bytes;
	truth_ready();
	for (size_t i = 1; i <= 50; i++) {
		leak_new();
		leak_array(i);
		leak_nothrow();
		leak_aligned();
		leak_shared(shared_bytes);
		delete_all();
		caught += catch_bad_alloc(static_cast<int>(i % 10));
	}
	leak_vector();
	snprintf(more, sizeof(more), "inner=yes caught=%d", caught);
	truth_end(more);
	return caught == 50 ? 0 : 1;
}
