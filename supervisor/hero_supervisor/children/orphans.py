"""Ends and reaps the processes that actors leave behind, also those that have moved to a session of their own.

Owned here: making the supervisor the parent of all orphans below it (a child subreaper), finding them, and taking their
exit status. The service uses this in programs whose process is nothing but the supervisor; in a program that uses the
service as a library, the orphans of its other children are not ours to end. Invariants: a process that something else
in this program has started and waits for is never touched; a process is signalled and reaped only through a pidfd,
while it is an unreaped child of ours.

Two things tell an orphan from our own children: it is neither the process of a slot nor the store's server, and it is
not in our session, where a short-lived helper process would be. Everything that an actor starts is in the actor's
session or in a newer one.

Source: PR_SET_CHILD_SUBREAPER(2const), proc_pid_task_children(5), waitid(2) with P_PIDFD.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping

from hero_process.mark import mark_of
from hero_process.proc import ProcessStat, children_of, stat_of
from hero_process.signals import pidfd_of, send_signal
from hero_process.tree import adopt_orphans

log = logging.getLogger(__name__)

#: After this many seconds the children of a process that was killed have become ours.
_AGAIN_S = 0.02
#: How long `close` waits for killed processes, in seconds. One that writes to a dead disk may take longer.
_END_S = 2.0
#: After so many seconds, an orphan whose environment cannot be read has none. Executing a program takes far less.
_UNREADABLE_S = 10.0


class Orphans:
    """The orphans of one supervisor.

    Args:
        actors: Gives the running processes of the slots: process id -> incarnation.
        others: Gives the ids of other processes that this program has started and waits for elsewhere.

    Attributes:
        adopts: This process is the parent of its orphans.
        ended: How many orphans were killed so far.
        reaped: How many orphans have had their exit status taken.
    """

    def __init__(self, actors: Callable[[], Mapping[int, str]], others: Callable[[], Iterable[int]]) -> None:
        self.adopts = False
        self.ended = 0
        self.reaped = 0
        self._actors = actors
        self._others = others
        self._own_session = os.getsid(0)
        self._told: set[int] = set()
        # Since when the mark of an orphan cannot be told.
        self._unreadable: dict[int, float] = {}
        self._again: asyncio.TimerHandle | None = None

    def adopt(self) -> None:
        """Become the parent of all orphans below this process, from now on."""
        self.adopts = adopt_orphans()
        if not self.adopts:
            log.warning("orphans.not_adopted", extra={"errno": ctypes.get_errno()})

    def look(self) -> None:
        """Reap the orphans that have ended, and kill those whose actor has ended. Does not wait for any of them."""
        if self._again is not None:
            self._again.cancel()
        if self._look():
            self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self.look)

    async def close(self) -> None:
        """Kill and reap all orphans. Call it when no actor is left."""
        deadline_mono = time.monotonic() + _END_S
        while self._look():
            if time.monotonic() > deadline_mono:
                log.error("orphans.left", extra={"pids": sorted(self._told)})
                break
            await asyncio.sleep(_AGAIN_S)
        if self._again is not None:
            self._again.cancel()

    def _look(self) -> bool:
        """Look once. Says whether another look is needed soon."""
        actors = self._actors()
        ours = actors.keys() | set(self._others())
        again = False
        present = set(children_of(os.getpid())) - ours
        self._told &= present
        for pid in self._unreadable.keys() - present:
            del self._unreadable[pid]
        for pid in present:
            try:
                again = self._look_at(pid, actors) or again
            except OSError as e:
                # There are no descriptors left, for example. Nothing is known of this one; the next tick looks again.
                log.warning("orphan.not_seen", extra={"orphan_pid": pid, "reason": str(e)})
        return again

    def _look_at(self, pid: int, actors: Mapping[int, str]) -> bool:
        """Look at one child. Says whether another look is needed soon."""
        stat = stat_of(pid)
        if stat is None or stat.session == self._own_session:
            return False
        if stat.zombie:
            return self._reap(pid)
        mark = self._mark_of(pid)
        if mark is None:
            return True
        if _owner(stat, mark, actors) is not None:
            return False
        # One that has ended since the first look has no mark any more. It is reaped next time.
        if not _has_ended(pid):
            self._end(pid, stat)
        return True

    def _mark_of(self, pid: int) -> str | None:
        """Read the mark of an orphan; None when it must be looked at again, because it cannot be told now."""
        mark = mark_of(pid)
        if mark is not None:
            self._unreadable.pop(pid, None)
            return mark
        now_mono = time.monotonic()
        since_mono = self._unreadable.setdefault(pid, now_mono)
        return "" if now_mono - since_mono > _UNREADABLE_S else None

    def _end(self, pid: int, stat: ProcessStat) -> None:
        if pid not in self._told:
            self._told.add(pid)
            self.ended += 1
            log.warning("orphan.ended", extra={"orphan_pid": pid, "program": stat.name})
        with pidfd_of(pid) as pidfd:
            try:
                send_signal(pidfd, signal.SIGKILL)
            except PermissionError:
                log.error("orphan.not_ours_to_end", extra={"orphan_pid": pid, "program": stat.name})

    def _reap(self, pid: int) -> bool:
        """Take the exit status of a zombie. Its children, if it had any, are ours then and need a look."""
        self._told.discard(pid)
        with pidfd_of(pid) as pidfd:
            # None means that its first thread has ended and others have not.
            done = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG) is not None
        self.reaped += done
        return done


def _has_ended(pid: int) -> bool:
    stat = stat_of(pid)
    return stat is None or stat.zombie


def _owner(stat: ProcessStat, mark: str, actors: Mapping[int, str]) -> int | None:
    """Find the living actor that an orphan belongs to.

    The mark in its environment tells. Without a mark, the leader of its session may still be below an actor. A process
    that has left both belongs to no actor, so that nothing would end it later.
    """
    if mark:
        return next((actor for actor, name in actors.items() if name == mark), None)
    ancestor, above = stat.session, stat_of(stat.session)
    while ancestor not in actors:
        if above is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(ancestor, 0)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return None
        if above.parent in (0, 1, os.getpid()):
            return None
        ancestor, above = above.parent, stat_of(above.parent)
    return ancestor
