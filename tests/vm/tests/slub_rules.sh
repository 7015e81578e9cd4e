#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# libslub's formulas lay out every cache of this kernel as it did itself, with caches under debugging among them; the rules
# that this takes are found by trial, never by version.
# timeout: 200
# also: 6.1 6.12 6.18 7.0
# cmdline: slub_debug=FZPU,dentry,kmalloc-64
slub_rules >report
status=$?
cat report
[ $status = 0 ] || exit 1
# Few caches ask for something that sysfs doesn't tell: a place for the free pointer, sheaves of a size, none at all.
assumptions=$(sed -n 's/.*explained, \([0-9]*\) assumptions.*/\1/p' report)
[ "$assumptions" -le 12 ]
