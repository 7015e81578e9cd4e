/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What source_bpf.c and its BPF program share: a batch of reads, in a map that both have mapped. Plain C types
 * only, since both sides compile it.
 */
#ifndef DILL_SOURCE_BPF_BATCH_H
#define DILL_SOURCE_BPF_BATCH_H

#define BATCH_REQUESTS 256          /* the verifier walks each round of the loop */
#define BATCH_PIECE (64 * 1024)    /* bytes of one request at most */
#define BATCH_BYTES (1024 * 1024)  /* bytes of all requests */

struct batch_request {
	unsigned long long address;
	unsigned int at;   /* where in bytes[] the piece goes */
	unsigned int size; /* <= BATCH_PIECE */
	long long result;  /* 0 or negative errno */
};

struct batch {
	unsigned int count;
	unsigned int reserved;
	unsigned long long task; /* out: the task_struct that ran the program */
	struct batch_request requests[BATCH_REQUESTS];
	unsigned char bytes[BATCH_BYTES + BATCH_PIECE]; /* so that no piece can reach beyond the end */
};

#endif
