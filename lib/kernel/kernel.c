// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Opening a kernel in a memory source. */
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>

int kernel_open(struct memory_source *source, const struct kernel_files *files, struct kernel **ret_kernel,
		struct error *err)
{
	(void)files;
	(void)ret_kernel;
	memory_source_close(source);
	return error_set(err, -EOPNOTSUPP, "kernels cannot be opened yet");
}

void kernel_close(struct kernel *kernel)
{
	free(kernel);
}
