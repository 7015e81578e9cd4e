# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""bpftrace programs that do what dill's event commands do, as far as bpftrace goes. $1 is the process that is traced.

A program prints `listening` when it begins, one line that begins with a digit for each event, or a map at its end.
"""


def call_lines(calls):
    """A line for each system call at its end, with arguments and result."""
    text = ""
    for name, arguments in calls.items():
        names = arguments.split()
        keep = " ".join(f"@{name}_{each}[tid] = args->{each};" for each in names)
        drop = " ".join(f"delete(@{name}_{each}[tid]);" for each in names)
        values = "".join(f", @{name}_{each}[tid]" for each in names)
        text += f"""
tracepoint:syscalls:sys_enter_{name} /pid == $1/ {{ @in_{name}[tid] = 1; {keep} }}
tracepoint:syscalls:sys_exit_{name} /@in_{name}[tid]/ {{
    printf("%u %s %d %d {name}{' %lx' * len(names)} = %lx\\n", elapsed / 1000, comm, pid, tid{values}, args->ret);
    delete(@in_{name}[tid]); {drop}
}}"""
    return text


BEGIN = 'BEGIN { printf("listening\\n"); }\n'
MAPPING_CALLS = {"mmap": "addr len prot flags fd off", "munmap": "addr len", "mremap": "addr old_len new_len flags",
                 "mprotect": "start len prot", "madvise": "start len_in behavior", "brk": "brk"}
SHM_CALLS = {"shmget": "key size shmflg", "shmat": "shmid shmaddr shmflg", "shmdt": "shmaddr", "shmctl": "shmid cmd"}

mmap_events = BEGIN + call_lines(MAPPING_CALLS)
mmap_sums = BEGIN + "".join(f"""
tracepoint:syscalls:sys_enter_{name} /pid == $1/ {{ @length[tid] = args->{length}; }}
tracepoint:syscalls:sys_exit_{name} /pid == $1/ {{
    @calls[pid, comm, "{name}"] = count(); @bytes[pid, comm, "{name}"] = sum(@length[tid]); delete(@length[tid]);
}}""" for name, length in (("mmap", "len"), ("munmap", "len"), ("mremap", "new_len"), ("mprotect", "len"),
                           ("madvise", "len_in"), ("brk", "brk")))
shm_events = BEGIN + call_lines(SHM_CALLS)
brk_events = BEGIN + """
tracepoint:syscalls:sys_enter_brk /pid == $1/ { @wanted[tid] = args->brk; }
tracepoint:syscalls:sys_exit_brk /@wanted[tid]/ {
    printf("%u %s %d %d %lx = %lx%s", elapsed / 1000, comm, pid, tid, @wanted[tid], args->ret, ustack());
    delete(@wanted[tid]);
}"""
brk_sums = BEGIN + "tracepoint:syscalls:sys_enter_brk /pid == $1/ { @[ustack, comm] = count(); }"
fault_events = BEGIN + """
tracepoint:exceptions:page_fault_user /pid == $1/ {
    printf("%u %s %d %d %lx %lx %x\\n", elapsed / 1000, comm, pid, tid, args->address, args->ip, args->error_code);
}"""
fault_sums = BEGIN + "software:page-faults:1 /pid == $1/ { @[ustack, comm] = count(); }"

RECLAIMS = ("direct_reclaim", "memcg_reclaim")
reclaim_events = BEGIN + "".join(f"""
tracepoint:vmscan:mm_vmscan_{kind}_begin /pid == $1/ {{ @start[tid] = nsecs; @order[tid] = args->order; @gfp[tid] = args->gfp_flags; }}
tracepoint:vmscan:mm_vmscan_{kind}_end /@start[tid]/ {{
    printf("%u %s %d %d {kind} %d %x %u %u\\n", elapsed / 1000, comm, pid, tid, @order[tid], @gfp[tid],
           nsecs - @start[tid], args->nr_reclaimed);
    delete(@start[tid]); delete(@order[tid]); delete(@gfp[tid]);
}}""" for kind in RECLAIMS)
reclaim_sums = BEGIN + "".join(f"""
tracepoint:vmscan:mm_{begin} {{ @{name}_start[tid] = nsecs; }}
tracepoint:vmscan:mm_{end} /@{name}_start[tid]/ {{
    $took = nsecs - @{name}_start[tid]; @{name} = sum($took); @{name}_ns = hist($took); delete(@{name}_start[tid]);
}}""" for name, begin, end in (("slab", "shrink_slab_start", "shrink_slab_end"),
                               *((kind, f"vmscan_{kind}_begin", f"vmscan_{kind}_end") for kind in RECLAIMS))) + """
tracepoint:vmscan:mm_vmscan_wakeup_kswapd { @wakeups = count(); }
tracepoint:vmscan:mm_vmscan_write_folio { @written = count(); }
interval:s:1 { print(@slab); print(@direct_reclaim); print(@memcg_reclaim); print(@wakeups); print(@written);
               clear(@slab); clear(@direct_reclaim); clear(@memcg_reclaim); clear(@wakeups); clear(@written); }"""
