/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Programs with inlined functions and templates to symbolize, and symbolizers for them. */
#ifndef DILL_TESTS_SYMBOLIZER_PROGRAMS_H
#define DILL_TESTS_SYMBOLIZER_PROGRAMS_H

#include "elf_fixture.h"
#include "error.h"
#include "symbolizer.h"

static const char inline_header[] = "static inline __attribute__((always_inline)) int twice(int x)\n"
				    "{\n"
				    "\tsink += x;\n"
				    "\treturn x * 2;\n"
				    "}\n";

static const char c_program[] = "#include <stdio.h>\n#include <unistd.h>\n#include <stdlib.h>\n"
				"volatile int sink;\n"
				"#include \"inlined.h\"\n"
				"static inline __attribute__((always_inline)) int four_times(int x)\n"
				"{\n"
				"\tint y = twice(x);\n"
				"\tif (y > sink)\n"
				"\t\ty = twice(y + sink);\n"
				"\treturn y;\n"
				"}\n"
				"__attribute__((noinline)) int outer(int x)\n"
				"{\n"
				"\tint sum = 0;\n"
				"\tfor (int i = 0; i < x; i++) {\n"
				"\t\tint z = four_times(i);\n"
				"\t\tsum += z + four_times(sum);\n"
				"\t}\n"
				"\tif (__builtin_expect(sum == 12345, 0))\n"
				"\t\tabort();\n"
				"\treturn sum + twice(x);\n"
				"}\n"
				"int main(int argc, char **argv)\n"
				"{\n"
				"\t(void)argv;\n"
				"\tsink = outer(argc * 7);\n"
				"\tprintf(\"%p\\n\", (void *)main);\n"
				"\tfflush(stdout);\n"
				"\treturn pause();\n"
				"}\n";

static const char cplusplus_program[] =
	"#include <cstdio>\n#include <unistd.h>\n"
	"volatile int sink;\n"
	"namespace deep { namespace er {\n"
	"template <typename T, int N> struct box {\n"
	"\tT value[N];\n"
	"\tinline __attribute__((always_inline)) T first() const { sink = 1; return value[0]; }\n"
	"\t__attribute__((noinline)) T sum(T start) const;\n"
	"};\n"
	"template <typename T, int N> T box<T, N>::sum(T start) const\n"
	"{\n"
	"\tT all = start + first();\n"
	"\tfor (int i = 0; i < N; i++)\n"
	"\t\tall += value[i];\n"
	"\treturn all;\n"
	"}\n"
	"}}\n"
	"int main()\n"
	"{\n"
	"\tdeep::er::box<long, 3> box = {{sink, 2, 3}};\n"
	"\tsink = box.sum(4);\n"
	"\tauto call = [&](int x) __attribute__((noinline)) { sink = x; return x + 1; };\n"
	"\tsink = call(sink);\n"
	"\tstd::printf(\"%p\\n\", (void *)main);\n"
	"\tstd::fflush(stdout);\n"
	"\treturn pause();\n"
	"}\n";

static inline struct symbolizer *create_with(struct symbolizer_options options)
{
	struct symbolizer *symbolizer;
	struct error err = {0};

	if (symbolizer_create(&options, &symbolizer, &err))
		fail_msg("%s", err.text);
	return symbolizer;
}

static inline struct symbolizer *create(void)
{
	return create_with((struct symbolizer_options){.wants_lines = true, .wants_inlines = true});
}

static inline int write_sources(void **state)
{
	if (fixture_setup(state))
		return -1;
	write_file("inlined.h", inline_header);
	write_file("p.c", c_program);
	write_file("p.cc", cplusplus_program);
	return 0;
}

/* What has to be added to a file's addresses to have the child's: it printed where its main is. */
static inline uint64_t bias_of(const struct child *child, const char *file)
{
	char *text = output_of("nm %s | sed -n 's/ T main$//p'", file);
	uint64_t vaddr = strtoull(text, NULL, 16);

	free(text);
	assert_true(vaddr != 0);
	return strtoull(child->line, NULL, 16) - vaddr;
}

#endif
