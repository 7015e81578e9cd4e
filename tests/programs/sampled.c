// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * sampled [--mebibytes=N]: five sites that differ in size only, 16 bytes to 1 MiB, allocate twice N (default
 * 64) mebibytes each and free every other block: each holds N MiB (the site of 112 bytes up to a whole block
 * more). For testing that an estimate by sampling is unbiased for small and large blocks alike.
 */
#include "truth.h"

TRUTH_SITE(sampled_16);
TRUTH_SITE(sampled_112);
TRUTH_SITE(sampled_1k);
TRUTH_SITE(sampled_64k);
TRUTH_SITE(sampled_1m);

/* Allocates one block to keep and one to free. */
#define SAMPLED(name, bytes)                                \
	SITE static void name(void)                         \
	{                                                   \
		void *kept = malloc(bytes);                 \
		void *released = malloc(bytes);             \
                                                            \
		truth_require(kept && released);            \
		truth_add(&site_##name, 2, 2 * (bytes), 0, 0); \
		free(released);                             \
		truth_free(&site_##name, bytes);            \
	}

SAMPLED(sampled_16, 16)
SAMPLED(sampled_112, 112)
SAMPLED(sampled_1k, 1024)
SAMPLED(sampled_64k, 65536)
SAMPLED(sampled_1m, 1048576)

int main(int argc, char **argv)
{
	long mebibytes;

	truth_init(argc, argv);
	mebibytes = truth_option("--mebibytes", 64);
	truth_ready();
	for (long i = 0; i < mebibytes * 65536; i++) {
		sampled_16();
		if (i % 7 == 0)
			sampled_112();
		if (i % 64 == 0)
			sampled_1k();
		if (i % 4096 == 0)
			sampled_64k();
		if (i % 65536 == 0)
			sampled_1m();
	}
	truth_end("");
	return 0;
}
