/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * USDT probes as sys/sdt.h makes them (SystemTap wiki, "UserSpaceProbeImplementation"), but with operands that a test
 * chooses. Written by hand, so that no package is needed for it.
 */
#ifndef DILL_TEST_PROBE_NOTES_H
#define DILL_TEST_PROBE_NOTES_H

/*
 * A probe called PROVIDER:NAME with the arguments that the text says, in which "%[operand]" stands for an operand given
 * behind it. @semaphore: the name of a PROBE_SEMAPHORE, or "0".
 */
#define PROBE_WITH(provider, name, semaphore, arguments, ...)                                              \
	__asm__ volatile("990: nop\n"                                                                      \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"                                      \
			 ".balign 4\n"                                                                     \
			 ".4byte 992f-991f, 994f-993f, 3\n"                                                \
			 "991: .asciz \"stapsdt\"\n"                                                       \
			 "992: .balign 4\n"                                                                \
			 "993: .8byte 990b, _.stapsdt.base, " semaphore "\n"                               \
			 ".asciz \"" provider "\", \"" name "\", \"" arguments "\"\n"                      \
			 "994: .balign 4\n"                                                                \
			 ".popsection\n"                                                                   \
			 ".ifndef _.stapsdt.base\n"                                                        \
			 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"           \
			 ".weak _.stapsdt.base\n"                                                          \
			 ".hidden _.stapsdt.base\n"                                                        \
			 "_.stapsdt.base: .space 1\n"                                                      \
			 ".size _.stapsdt.base, 1\n"                                                       \
			 ".popsection\n"                                                                   \
			 ".endif\n"                                                                        \
			 : : __VA_ARGS__ : "memory")
#define PROBE(provider, name, arguments, ...) PROBE_WITH(provider, name, "0", arguments, __VA_ARGS__)

/* Raised by tracers while they watch the probes that name it. */
#define PROBE_SEMAPHORE(name) volatile unsigned short name __attribute__((section(".probes"), used, visibility("hidden")))

#endif
