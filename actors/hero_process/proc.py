"""Reads /proc: which processes there are, what each one is, and which children it has.

This is the only scanner of /proc in the project. The supervisor finds orphans and the actors of a previous supervisor
with it, an actor finds what its jobs left running, and the engines find the children of a job's process.

Invariants: nothing here raises because a process has ended or belongs to another user; it then reads as empty. A
process id that was read here may belong to another process a moment later, so code that signals one goes through
`signals.py`. Only `os` calls are used: an idle actor must not pay for importing pathlib or psutil.

Source: proc_pid_stat(5), proc_pid_task(5), proc_pid_environ(5), proc_pid_cmdline(5).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from typing import NamedTuple

#: Source: Linux include/linux/sched.h
_PF_KTHREAD = 0x00200000


class ProcessStat(NamedTuple):
    """What the kernel says about a process.

    Attributes:
        name: File name of its program, cut to 15 bytes by the kernel.
        zombie: It has ended, and its exit status has not been taken.
        parent: Process id of its parent.
        session: Process id of its session's leader.
    """

    name: str
    zombie: bool
    parent: int
    session: int


def process_ids() -> list[int]:
    """List the processes that this user can see."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  see the module's docstring
    except OSError:
        return []


def children_of(pid: int) -> list[int]:
    """List the children of a process, including those that have ended and were not waited for."""
    if not _kernel_lists_children():
        return [child for child in process_ids() if (stat := stat_of(child)) is not None and stat.parent == pid]
    found: list[int] = []
    with contextlib.suppress(OSError):
        # A child belongs to the thread that forked it.
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  runs once per job
            found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def stat_of(pid: int) -> ProcessStat | None:
    """Describe a process; None when it is gone and was waited for."""
    head, _, tail = _read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")
    fields = tail.split()
    if not fields:
        return None
    return ProcessStat(
        name=head.partition("(")[2], zombie=fields[0] in "ZX", parent=int(fields[1]), session=int(fields[3])
    )


def arguments_of(pid: int) -> list[str]:
    """Read the command line of a process; empty when it has ended."""
    return [argument.decode(errors="replace") for argument in _read(f"/proc/{pid}/cmdline").split(b"\0")]


def environ_of(pid: int) -> list[bytes]:
    """Read the environment that a process was started with, as `NAME=value`; empty when we may not read it."""
    return _read(f"/proc/{pid}/environ").split(b"\0")


def settled_environ_of(pid: int) -> list[bytes] | None:
    """Read the environment as `environ_of` does, unless the process has none because it is between two programs.

    While a process executes another program, the kernel has taken the old environment away and has not yet set up the
    new one. While it exits, the environment is gone and the process still there. Both read as an empty environment,
    or opening it fails with ESRCH.

    Returns:
        The environment; None when the process should be looked at again, also because this process has no descriptors
        left.
    """
    before = _environment_place(pid)
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123  see the module's docstring
            data = file.read()
    except OSError as e:
        # A process without memory, which is no kernel thread, is exiting.
        exiting = e.errno == errno.ESRCH and before is not None
        return None if exiting or e.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM) else [b""]
    if not data and before is not None and not (before[1] and before == _environment_place(pid)):
        return None
    return data.split(b"\0")


def _environment_place(pid: int) -> tuple[int, int] | None:
    """Tell where in its memory a process has its environment; None for a zombie and for a thread of the kernel."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields or fields[0] in (b"Z", b"X") or int(fields[6]) & _PF_KTHREAD:
        return None
    return int(fields[47]), int(fields[48])


@functools.cache
def _kernel_lists_children() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110  needs CONFIG_PROC_CHILDREN


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  see the module's docstring
            return file.read()
    except OSError:
        return b""
