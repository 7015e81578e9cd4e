# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A recorded trace of the kernel's own kmem events, as binary ring buffer pages, decoded.

Binary, for the text hides addresses (Documentation/core-api/printk-formats.rst). Pages and events are as
include/linux/ring_buffer.h and kernel/trace/ring_buffer.c lay them out; fields as each event's `format` says.
"""

import re
import struct

EVENTS = ["kmalloc", "kmalloc_node", "kmem_cache_alloc", "kmem_cache_alloc_node", "kfree", "kmem_cache_free"]
TRACING = "/sys/kernel/tracing"
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31
COMMIT_MASK = (1 << 20) - 1
MISSED_EVENTS = 1 << 31
SLOW_S = 150


class Event:
    """One event: `kind` is its name, `fields` its numbers and arrays; `text` is a marker, or the name of its cache."""

    def __init__(self, when, kind, pid, fields, text=None):
        self.when, self.kind, self.pid, self.fields, self.text = when, kind, pid, fields, text


class Format:
    """An event's fields by name, from its `format` file."""

    def __init__(self, text):
        self.name = re.search(r"^name: (\S+)", text, re.M)[1]
        self.number = int(re.search(r"^ID: (\d+)", text, re.M)[1])
        self.fields = {}
        for name, offset, size, signed in re.findall(r"field:.*?(\w+)(?:\[\w*\])?;\s*offset:(\d+);\s*size:(\d+);"
                                                     r"\s*signed:(\d);", text):
            self.fields[name] = int(offset), int(size), signed == "1"
        self.names_cache = bool(re.search(r"field:__data_loc char\[\] name;", text))

    def decode(self, data, when):
        values = {name: int.from_bytes(data[offset:offset + size], "little", signed=is_signed)
                  for name, (offset, size, is_signed) in self.fields.items() if size <= 8}
        values.update((name, struct.unpack_from(f"<{size // 8}Q", data, offset))
                      for name, (offset, size, _) in self.fields.items() if size > 8)
        text = None
        if self.name == "print":
            text = data[self.fields["buf"][0]:].split(b"\0")[0].decode(errors="replace").strip()
        elif self.names_cache:
            # Where it is in the lower half, its length in the upper.
            start = values["name"] & 0xffff
            text = data[start:start + (values["name"] >> 16 & 0xffff)].split(b"\0")[0].decode(errors="replace")
        return Event(when, self.name, values["common_pid"], values, text)


def start(guest, pid=None, cache=None, probes=()):
    """Begin to record. The clock is a counter, so that events of several CPUs have one order.

    With `pid`, events of that thread, and releases to `cache` by anybody, all of them where events don't name it.
    `probes` are lines for kprobe_events; these are recorded whoever meets them.

    Events stay enabled afterwards, with recording off: switching one patches kernel text, which emulation does
    slowly.
    """
    wanted = f"common_pid == {pid}" if pid else "0"
    guest.text(f"cd {TRACING} && echo 0 >tracing_on && echo 16384 >buffer_size_kb && echo counter >trace_clock && "
               f"echo >trace && echo '{wanted}' >events/kmem/filter && for event in " + " ".join(EVENTS) + "; do "
               "[ ! -e events/kmem/$event ] || echo 1 >events/kmem/$event/enable || exit; done", SLOW_S)
    if cache:
        named = " || ".join(f'name == "{name}"' for name in merged_with(guest, cache))
        guest.text(f"cd {TRACING}/events/kmem/kmem_cache_free; if grep -q ' name;' format; "
                   f"then echo '{wanted} || {named}' >filter; else echo 0 >filter; fi")
    if probes:
        end_probes(guest)
        guest.text(f"cd {TRACING} && " + " && ".join(f"echo '{probe}' >>kprobe_events" for probe in probes) +
                   " && echo 1 >events/kprobes/enable", SLOW_S)
    guest.text(f"echo 1 >{TRACING}/tracing_on")


def merged_with(guest, cache):
    """The caches that are one with it: the kernel's events name it by one of them."""
    links = dict(re.findall(r" (\S+) -> (\S+)$", guest.text("ls -l /sys/kernel/slab"), re.M))
    return [cache] + [name for name, to in links.items() if name != cache and to == links.get(cache)]


def end_probes(guest):
    guest.text(f"cd {TRACING}; [ ! -e events/kprobes ] || {{ echo 0 >events/kprobes/enable && echo >kprobe_events; }}",
               SLOW_S)


def mark(guest, text):
    guest.text(f"echo {text} >{TRACING}/trace_marker")


def stop(guest):
    """End recording. Returns the events in their order."""
    guest.text(f"echo 0 >{TRACING}/tracing_on", SLOW_S)
    lost = guest.text(f"grep -hE '^(overrun|dropped events): *[1-9]' {TRACING}/per_cpu/cpu*/stats || true")
    assert not lost, f"the trace is not complete: {lost}"
    formats = guest.text(f"cd {TRACING}/events && cat kmem/*/format $(ls kprobes/*/format 2>/dev/null) "
                         "ftrace/print/format header_page", SLOW_S)
    *texts, header = re.split(r"\n(?=name: |\tfield: u64 timestamp)", "\n" + formats)
    formats = {found.number: found for found in map(Format, texts[1:])}
    page_size = sum(map(int, re.search(r"field: char data;\s*offset:(\d+);\s*size:(\d+)", header).groups()))
    status, data = guest.run("kernel_allocs --trace", SLOW_S)
    assert status == 0
    guest.text(f"echo >{TRACING}/trace; echo 16 >{TRACING}/buffer_size_kb", SLOW_S)
    end_probes(guest)
    events, position = [], 0
    while position < len(data):
        line, _, _ = data[position:position + 64].partition(b"\n")
        length = int(line.split()[2])
        position += len(line) + 1
        for page in range(position, position + length, page_size):
            events += page_events(data[page:page + page_size], formats)
        position += length
    return sorted(events, key=lambda event: event.when)


def page_events(page, formats):
    """The events of one page of the ring buffer."""
    when, commit = struct.unpack_from("<QQ", page)
    assert not commit & MISSED_EVENTS, "events are missing before a page"
    position, end = 16, 16 + (commit & COMMIT_MASK)
    while position < end:
        word, = struct.unpack_from("<I", page, position)
        kind, delta = word & 31, word >> 5
        extra, = struct.unpack_from("<I", page, position + 4) if position + 8 <= end else (0,)
        position += 4
        if kind == PADDING:
            if not delta:
                return
            position += extra
        elif kind == TIME_EXTEND:
            when += delta + (extra << 27)
            position += 4
        elif kind == TIME_STAMP:
            when = (when >> 59 << 59) | (extra << 27) | delta
            position += 4
        else:
            length = 4 * kind if kind else extra
            when += delta
            data = page[position + (0 if kind else 4):position + length]
            found = formats.get(struct.unpack_from("<H", data)[0])
            if found:
                yield found.decode(data, when)
            position += length


def is_alloc(event):
    return "alloc" in event.kind
