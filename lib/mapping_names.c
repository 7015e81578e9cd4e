// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Names of bits and values in the kernel's ABI for mappings. */
#include "mapping_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HUGE_SHIFT 26
#define HUGE_MASK 0x3f

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

const char *flag_names_text(const struct flag_name *names, uint64_t flags, char *text, size_t size)
{
	uint64_t left = flags;

	text[0] = '\0';
	for (; names->name; names++) {
		if ((flags & names->mask) != names->value || (names->value && !(left & names->mask)))
			continue;
		append(text, size, "%s%s", *text ? "|" : "", names->name);
		left &= ~names->mask;
	}
	if (left)
		append(text, size, "%s%#llx", *text ? "|" : "", (unsigned long long)left);
	if (!*text)
		append(text, size, "0");
	return text;
}

void huge_size_append(uint64_t flags, const char *prefix, char *text, size_t size)
{
	unsigned int shift = flags >> HUGE_SHIFT & HUGE_MASK;

	if (!shift)
		return;
	append(text, size, "|%s", prefix);
	if (shift >= 30)
		append(text, size, "%lluGB", 1ULL << (shift - 30));
	else if (shift >= 20)
		append(text, size, "%lluMB", 1ULL << (shift - 20));
	else if (shift >= 10)
		append(text, size, "%lluKB", 1ULL << (shift - 10));
	else
		append(text, size, "%lluB", 1ULL << shift);
}

const char *mapping_prot_text(uint64_t prot, char *text, size_t size)
{
	static const struct flag_name names[] = {
		{ 1, 1, "READ" }, { 2, 2, "WRITE" }, { 4, 4, "EXEC" }, { 8, 8, "SEM" },
		{ 0x01000000, 0x01000000, "GROWSDOWN" }, { 0x02000000, 0x02000000, "GROWSUP" }, { 0 },
	};

	return prot ? flag_names_text(names, prot, text, size) : (snprintf(text, size, "NONE"), text);
}

const char *mapping_flags_text(uint64_t flags, char *text, size_t size)
{
	static const struct flag_name names[] = {
		{ 0xf, 1, "SHARED" }, { 0xf, 2, "PRIVATE" }, { 0xf, 3, "SHARED_VALIDATE" }, { 0xf, 8, "DROPPABLE" },
		{ 0x10, 0x10, "FIXED" }, { 0x20, 0x20, "ANONYMOUS" }, { 0x40, 0x40, "32BIT" }, { 0x80, 0x80, "ABOVE4G" },
		{ 0x100, 0x100, "GROWSDOWN" }, { 0x800, 0x800, "DENYWRITE" }, { 0x1000, 0x1000, "EXECUTABLE" },
		{ 0x2000, 0x2000, "LOCKED" }, { 0x4000, 0x4000, "NORESERVE" }, { 0x8000, 0x8000, "POPULATE" },
		{ 0x10000, 0x10000, "NONBLOCK" }, { 0x20000, 0x20000, "STACK" }, { 0x40000, 0x40000, "HUGETLB" },
		{ 0x80000, 0x80000, "SYNC" }, { 0x100000, 0x100000, "FIXED_NOREPLACE" }, { 0 },
	};
	const uint64_t huge_size = (uint64_t)HUGE_MASK << HUGE_SHIFT;
	uint64_t has_size = flags & 0x40000 ? huge_size : 0;

	flag_names_text(names, flags & ~has_size, text, size);
	huge_size_append(has_size & flags, "HUGE_", text, size);
	return text;
}

const char *mremap_flags_text(uint64_t flags, char *text, size_t size)
{
	static const struct flag_name names[] = {
		{ 1, 1, "MAYMOVE" }, { 2, 2, "FIXED" }, { 4, 4, "DONTUNMAP" }, { 0 },
	};

	return flag_names_text(names, flags, text, size);
}

const char *madvise_text(uint64_t advice, char *text, size_t size)
{
	static const char *const names[] = {
		[0] = "NORMAL", [1] = "RANDOM", [2] = "SEQUENTIAL", [3] = "WILLNEED", [4] = "DONTNEED", [8] = "FREE",
		[9] = "REMOVE", [10] = "DONTFORK", [11] = "DOFORK", [12] = "MERGEABLE", [13] = "UNMERGEABLE",
		[14] = "HUGEPAGE", [15] = "NOHUGEPAGE", [16] = "DONTDUMP", [17] = "DODUMP", [18] = "WIPEONFORK",
		[19] = "KEEPONFORK", [20] = "COLD", [21] = "PAGEOUT", [22] = "POPULATE_READ", [23] = "POPULATE_WRITE",
		[24] = "DONTNEED_LOCKED", [25] = "COLLAPSE", [100] = "HWPOISON", [101] = "SOFT_OFFLINE",
		[102] = "GUARD_INSTALL", [103] = "GUARD_REMOVE",
	};

	if (advice < sizeof(names) / sizeof(*names) && names[advice])
		snprintf(text, size, "%s", names[advice]);
	else
		snprintf(text, size, "%llu", (unsigned long long)advice);
	return text;
}

const char *errno_text(int number, char *text, size_t size)
{
	const char *name = strerrorname_np(number);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%d", number);
	return text;
}
