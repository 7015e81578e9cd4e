// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Words for the bits of memory calls, and paths out of the kernel. The constants come from the C library's headers. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include <cmocka.h>

#include "file_path.h"
#include "mapping_names.h"
#include "shm_names.h"

static char text[256];

static void mappings_are_named_by_type_flags_and_huge_size(void **state)
{
	(void)state;
	assert_string_equal(mapping_flags_text(MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, text, sizeof(text)),
			    "PRIVATE|ANONYMOUS|STACK");
	assert_string_equal(mapping_flags_text(MAP_SHARED_VALIDATE | MAP_SYNC, text, sizeof(text)), "SHARED_VALIDATE|SYNC");
	assert_string_equal(mapping_flags_text(MAP_SHARED | MAP_HUGETLB | 21U << 26, text, sizeof(text)),
			    "SHARED|HUGETLB|HUGE_2MB");
	assert_string_equal(mapping_flags_text(MAP_SHARED | MAP_HUGETLB | 30U << 26, text, sizeof(text)),
			    "SHARED|HUGETLB|HUGE_1GB");
	assert_string_equal(mapping_prot_text(PROT_READ | PROT_EXEC, text, sizeof(text)), "READ|EXEC");
	assert_string_equal(mapping_prot_text(PROT_NONE, text, sizeof(text)), "NONE");
}

static void bits_without_a_name_are_a_number(void **state)
{
	(void)state;
	assert_string_equal(mapping_flags_text(MAP_PRIVATE | 0x400, text, sizeof(text)), "PRIVATE|0x400");
	assert_string_equal(mremap_flags_text(0, text, sizeof(text)), "0");
	assert_string_equal(madvise_text(77, text, sizeof(text)), "77");
	assert_string_equal(madvise_text(MADV_DONTNEED, text, sizeof(text)), "DONTNEED");
	assert_string_equal(errno_text(ENOMEM, text, sizeof(text)), "ENOMEM");
	assert_string_equal(errno_text(4000, text, sizeof(text)), "4000");
}

static void a_small_buffer_is_never_left(void **state)
{
	char small[8];

	(void)state;
	memset(small, 'x', sizeof(small));
	mapping_flags_text(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21U << 26, small, 5);
	assert_string_equal(small, "PRIV");
	assert_int_equal(small[5], 'x');
}

static void huge_sizes_of_segments_are_no_flags(void **state)
{
	(void)state;
	shmget_flags_text(IPC_CREAT | SHM_HUGETLB | 21 << 26 | 0600, text, sizeof(text));
	assert_string_equal(text, "IPC_CREAT|SHM_HUGETLB|SHM_HUGE_2MB|0600");
	shmget_flags_text(0, text, sizeof(text));
	assert_string_equal(text, "0");
	memfd_flags_text(MFD_CLOEXEC | MFD_HUGETLB | 30U << 26, text, sizeof(text));
	assert_string_equal(text, "MFD_CLOEXEC|MFD_HUGETLB|MFD_HUGE_1GB");
	shm_open_flags_text(O_RDWR | O_CREAT | O_NOFOLLOW, 0640, text, sizeof(text));
	assert_string_equal(text, "O_RDWR|O_CREAT|0640");
	assert_string_equal(shmctl_command_name(IPC_RMID | 0x100), "IPC_RMID");
	assert_string_equal(shmctl_command_name(99), "unknown");
}

static struct file_path path_of(const char *names, __u32 length, __u32 flags)
{
	struct file_path path = { .length = length, .flags = flags };

	memcpy(path.names, names, length < sizeof(path.names) ? length : sizeof(path.names));
	return path;
}

static void paths_begin_at_the_root(void **state)
{
	struct file_path path = path_of("cat\0bin\0usr", 12, 0);

	(void)state;
	assert_string_equal(file_path_text(&path, text, sizeof(text)), "/usr/bin/cat");
	path.flags = FILE_PATH_DELETED;
	assert_string_equal(file_path_text(&path, text, sizeof(text)), "/usr/bin/cat (deleted)");
	path.flags = FILE_PATH_CUT;
	assert_string_equal(file_path_text(&path, text, sizeof(text)), "…/usr/bin/cat");
}

static void damaged_paths_stay_within_their_bytes(void **state)
{
	struct file_path path = path_of("cat\0bin", 7, 0), empty = { 0 }; /* the last name without its NUL */
	char small[6];

	(void)state;
	assert_string_equal(file_path_text(&path, text, sizeof(text)), "/cat");
	assert_null(file_path_text(&empty, text, sizeof(text)));
	path.length = 1U << 30;
	memset(path.names, 'x', sizeof(path.names));
	assert_null(file_path_text(&path, text, sizeof(text)));
	path = path_of("cat\0bin\0usr", 12, FILE_PATH_DELETED);
	assert_string_equal(file_path_text(&path, small, sizeof(small)), "/usr/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings_are_named_by_type_flags_and_huge_size),
		cmocka_unit_test(bits_without_a_name_are_a_number),
		cmocka_unit_test(a_small_buffer_is_never_left),
		cmocka_unit_test(huge_sizes_of_segments_are_no_flags),
		cmocka_unit_test(paths_begin_at_the_root),
		cmocka_unit_test(damaged_paths_stay_within_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
