"""Puts the memory that a template has filled into large pages, so that a fork of it costs less. Best effort.

A fork copies an entry for each page of the parent, and the end of the child drops each of them again: for the 20 MB of
a template both cost as much as all else that a short job does. Where the pages lie in large ones, the kernel does this
for hundreds of them together, also after some of them were written to and copied.

Called by the template before its first fork. Nothing depends on the result: a kernel that cannot do it (before 6.1, or
without transparent huge pages) says so, and children are forked from small pages.

Source: https://man7.org/linux/man-pages/man2/madvise.2.html, MADV_COLLAPSE; Linux 6.9, "mm/memory: optimize fork() with
PTE-mapped THP".
"""

from __future__ import annotations

import ctypes
import sys

#: Source: Linux include/uapi/asm-generic/mman-common.h
_MADV_COLLAPSE = 25
_LARGE_BYTES = 2 * 1024 * 1024
#: Python allocates small objects in arenas of this size; as many of them fill one. Source: CPython Objects/obmalloc.c
_ARENA_BYTES = 1024 * 1024
_SMALL_BYTES = 448


def reserve(size_bytes: int) -> list[bytes]:
    """Have Python map memory for small objects in one piece, before it maps libraries between the parts.

    Args:
        size_bytes: How much.

    Returns:
        Objects that keep the memory, one for each part of it. What is loaded next fills the rest.
    """
    if sys.implementation.name != "cpython":
        return []
    filled = [bytes(_SMALL_BYTES) for _ in range(size_bytes // (_SMALL_BYTES + 64))]
    return filled[:: _ARENA_BYTES // (_SMALL_BYTES + 64) // 2]


def collapse() -> int:
    """Put what is mapped now into large pages.

    Returns:
        How many bytes are in large pages because of this.
    """
    if sys.platform != "linux":
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    done = 0
    for begin, end in _anonymous():
        first = -(-begin // _LARGE_BYTES) * _LARGE_BYTES
        for address in range(first, end - _LARGE_BYTES + 1, _LARGE_BYTES):
            result = madvise(ctypes.c_void_p(address), ctypes.c_size_t(_LARGE_BYTES), _MADV_COLLAPSE)
            done += _LARGE_BYTES * (result == 0)
    return done


def _anonymous() -> list[tuple[int, int]]:
    """List the parts of this process's memory that are writable, private, and of no file."""
    found = []
    with open("/proc/self/maps") as maps:  # noqa: PTH123  pathlib is slow to import
        for line in maps:
            place, rights, _, _, inode, *name = line.split()
            if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
                begin, end = place.split("-")
                found.append((int(begin, 16), int(end, 16)))
    return found
