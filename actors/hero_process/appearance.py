"""Sets which command line and environment other programs see of this process, in /proc and in `ps`.

A process that was forked and has executed nothing still shows the arguments and the environment of the program that
forked it. The fork server of the actors sets those of the actor: the supervisor, the actor itself and operators find
actors by them. Invariant: a process that could not change its appearance says so, and keeps the one it had.

Source: PR_SET_MM(2const), PR_SET_MM_MAP; Linux kernel/sys.c, prctl_set_mm_map.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Mapping, Sequence

#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_MM = 35
_PR_SET_MM_MAP = 14
_FIELDS = (
    "start_code",
    "end_code",
    "start_data",
    "end_data",
    "start_brk",
    "brk",
    "start_stack",
    "arg_start",
    "arg_end",
    "env_start",
    "env_end",
)
#: Where /proc/PID/stat has them, counted from the third field. Source: proc_pid_stat(5)
_IN_STAT = {"start_code": 23, "end_code": 24, "start_stack": 25, "start_data": 42, "end_data": 43, "start_brk": 44}

# The kernel reads the text from here as long as the process lives.
_shown: list[mmap.mmap] = []


class _MemoryMap(ctypes.Structure):
    """`struct prctl_mm_map`."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in _FIELDS),
        ("auxv", ctypes.c_void_p),
        ("auxv_size", ctypes.c_uint32),
        ("exe_fd", ctypes.c_uint32),
    )


def set_appearance(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Show other arguments and another environment from now on. Call it while the process has a single thread.

    The variables themselves are not changed; see `os.environ`.

    Args:
        arguments: Program and arguments; at least one.
        environ: The variables.

    Raises:
        OSError: The kernel does not allow it.
    """
    if sys.platform != "linux":
        raise OSError("only Linux can change the appearance of a process")
    shown_arguments = b"".join(os.fsencode(argument) + b"\0" for argument in arguments)
    shown_environ = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environ.items()) or b"\0"
    # Private: the kernel shows nothing that lies in a mapping of a file, which shared memory is to it.
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, len(shown_arguments) + len(shown_environ), flags=private)
    memory.write(shown_arguments + shown_environ)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sbrk.restype = ctypes.c_void_p
    with open("/proc/self/stat", "rb", buffering=0) as file:  # noqa: PTH123  see `proc.py`
        fields = file.read().rpartition(b")")[2].split()
    # A size of 0 leaves the auxiliary vector, and -1 the executable, as they are.
    wanted = _MemoryMap(auxv=None, auxv_size=0, exe_fd=0xFFFF_FFFF)
    for name, place in _IN_STAT.items():
        setattr(wanted, name, int(fields[place]))
    wanted.brk = libc.sbrk(0)
    wanted.arg_start, wanted.arg_end = start, start + len(shown_arguments)
    wanted.env_start, wanted.env_end = wanted.arg_end, start + len(memory)
    # All arguments as long as a register: ctypes would pass the upper half of an int undefined.
    values = (ctypes.addressof(wanted), ctypes.sizeof(wanted), 0)
    if libc.prctl(_PR_SET_MM, ctypes.c_ulong(_PR_SET_MM_MAP), *map(ctypes.c_ulong, values)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _shown.append(memory)
