# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""The virtual machines that host tests are run on: named variants, and which kernel gets which by default.

A variant changes what decides how kernel memory looks: number of CPUs and nodes, paging levels, KASLR, debug
settings of the slab allocator.
"""

import dataclasses

DEFAULT_MEMORY_MIB = 512
DISK = "disk.img"


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine that QEMU can be asked for. Nodes share memory and CPUs evenly."""

    name: str = "plain"
    cmdline: str = ""
    cpus: int = 2
    nodes: int = 1
    cpu: str = "max"
    memory_mib: int = DEFAULT_MEMORY_MIB
    disk_mib: int = 0

    def arguments(self):
        """QEMU's arguments for it."""
        words = ["-cpu", self.cpu, "-smp", str(self.cpus), "-m", str(self.memory_mib)]
        if self.disk_mib:
            words += ["-drive", f"file={DISK},format=raw,if=virtio,cache=unsafe"]
        if self.nodes == 1:
            return words
        for node in range(self.nodes):
            share = self.cpus // self.nodes
            first, last = node * share, node * share + share - 1
            words += ["-object", f"memory-backend-ram,id=ram{node},size={self.memory_mib // self.nodes}M",
                      "-numa", f"node,nodeid={node},memdev=ram{node},cpus={first}-{last}"]
        return words


# slub_debug= was renamed slab_debug= in Linux 6.6 and is still understood; KASLR and five paging levels are
# on unless a variant says otherwise.
VARIANTS = {machine.name: machine for machine in [
    Machine(),
    Machine("nokaslr", cmdline="nokaslr"),
    Machine("debug", cmdline="slub_debug=FZPU"),
    Machine("nomerge", cmdline="slab_nomerge"),
    Machine("numa", nodes=2, cpus=4, memory_mib=768),
    Machine("cpus1", cpus=1),
    Machine("cpus4", cpus=4),
    Machine("levels4", cpu="max,la57=off"),
]}

# One boot a kernel, so that all tests together stay within their time; --all-variants runs the whole matrix.
# Old and new have each trait: CPUs, nodes, levels of page tables, KASLR, debugging of slabs.
DEFAULT = {
    "5.10": ["cpus4"],
    "6.1": ["numa"],
    "6.12": ["nomerge"],
    "6.18": ["debug"],
    "7.0": ["cpus1"],
    "7.3": ["plain"],
}
OTHER_KERNELS = ["plain"]


def chosen(series, names, wants_all):
    """The machines for a kernel: the variants `names` if any, all of them, or its default ones."""
    if wants_all:
        names = list(VARIANTS)
    return [VARIANTS[name] for name in names or DEFAULT.get(series, OTHER_KERNELS)]
