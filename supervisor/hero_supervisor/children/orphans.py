"""Ends and reaps what an actor's processes leave behind: grandchildren that outlive their parent, wherever they moved.

Owned here: the supervisor's being their new parent (a child subreaper), finding them, and their exit status. Used by
`service.py` in programs whose process is the supervisor's own; a program that only uses the service as a library keeps
the orphans of its other children to itself. Invariants: nothing here touches a process that somebody in this process
has started and waits for; a number is signalled and reaped only through a pidfd, while it is an unreaped child of ours.

An orphan is told from our own children by two things: it is not a process of a slot nor the store, and it is not in our
session, in which a short-lived helper of ours would be; whatever an actor starts is in the actor's, or in a later one.

Source: PR_SET_CHILD_SUBREAPER(2const), proc_pid_task_children(5), waitid(2) with P_PIDFD.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

#: Environment variable by which everything that an actor starts is known as its own.
MARK = "HERO_INCARNATION"
#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
#: The children of one that was killed are ours a moment later, in seconds.
_AGAIN_S = 0.02
#: At the end: for so long, in seconds, those that were killed are waited for. One in the middle of a write to a dead
#: disk may take longer.
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class _Stat:
    """What the kernel says of a process. Source: proc_pid_stat(5)."""

    name: str
    zombie: bool
    parent: int
    session: int


class Orphans:
    """The orphans of one supervisor.

    Args:
        actors: The running processes of the slots: process id -> incarnation.
        others: Process ids of what else was started here and is waited for elsewhere.

    Attributes:
        ended: How many were ended so far.
        reaped: How many have had their exit status taken.
    """

    def __init__(self, actors: Callable[[], Mapping[int, str]], others: Callable[[], Iterable[int]]) -> None:
        self.ended = 0
        self.reaped = 0
        self._actors = actors
        self._others = others
        self._own_session = os.getsid(0)
        self._told: set[int] = set()
        self._again: asyncio.TimerHandle | None = None

    def adopt(self) -> None:
        """Become the parent of all orphans below this process, from now on."""
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform != "linux" or libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            log.warning("orphans.not_adopted", extra={"errno": ctypes.get_errno()})

    def look(self) -> None:
        """Reap the orphans that have ended, and end those whose actor has. Does not wait for any."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._look():
            self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self.look)

    async def close(self) -> None:
        """End and reap all that are left, when no actor is left."""
        deadline_mono = time.monotonic() + _END_S
        while self._look():
            if time.monotonic() > deadline_mono:
                log.error("orphans.left", extra={"pids": sorted(self._told)})
                break
            await asyncio.sleep(_AGAIN_S)
        if self._again is not None:
            self._again.cancel()

    def _look(self) -> bool:
        """Look once. Says whether any was told to end and has not been reaped."""
        actors = self._actors()
        ours = actors.keys() | set(self._others())
        more = False
        present = _children() - ours
        self._told &= present
        for pid in present:
            stat = _stat(pid)
            if stat is None or stat.session == self._own_session:
                continue
            if stat.zombie:
                more = self._reap(pid) or more
            elif _owner(pid, stat, actors) is None:
                self._end(pid, stat)
                more = True
        return more

    def _end(self, pid: int, stat: _Stat) -> None:
        if pid not in self._told:
            self._told.add(pid)
            self.ended += 1
            log.warning("orphan.ended", extra={"orphan_pid": pid, "program": stat.name})
        with _pidfd(pid) as fd, contextlib.suppress(ProcessLookupError):
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            except PermissionError:
                log.error("orphan.not_ours_to_end", extra={"orphan_pid": pid, "program": stat.name})

    def _reap(self, pid: int) -> bool:
        """Take the exit status of a zombie. Says that its children, if it had any, are to be looked for."""
        self._told.discard(pid)
        with _pidfd(pid) as fd:
            # None: its first thread has ended, others have not.
            done = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG) is not None
        self.reaped += done
        return done


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


def _children() -> set[int]:
    """Our children, zombies and all, whichever thread they belong to."""
    found: set[int] = set()
    try:
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the thread has ended
                found.update(map(int, (thread / "children").read_text().split()))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        import psutil

        return {process.pid for process in psutil.Process().children()}
    return found


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return _Stat(head.partition("(")[2], fields[0] in "ZX", int(fields[1]), int(fields[3]))


def _owner(pid: int, stat: _Stat, actors: Mapping[int, str]) -> int | None:
    """Find the living actor that an orphan belongs to.

    By the mark in its environment; where that was taken from it, by the session that it was started in, whose leader
    may still be below an actor. Who moved away from both belongs to nobody who could end it later.
    """
    incarnation = _mark(pid)
    if incarnation:
        return next((actor for actor, name in actors.items() if name == incarnation), None)
    ancestor, above = stat.session, _stat(stat.session)
    while ancestor not in actors:
        if above is None or above.parent in (0, 1, os.getpid()):
            return None
        ancestor, above = above.parent, _stat(above.parent)
    return ancestor


def _mark(pid: int) -> str:
    """Read the mark of a process; empty when it has none or does not let us look."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    start = f"{MARK}=".encode()
    return next((item[len(start) :].decode() for item in environ.split(b"\0") if item.startswith(start)), "")
