"""Processes as trees: who descends from whom, and ending all of it. Linux; elsewhere the process group must do."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable

#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Rounds of looking for new descendants; each can only find what was forked during the one before.
_MAX_ROUNDS = 100


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, so that none gets out of sight.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    if sys.platform == "linux":
        _prctl()(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent, of this pid, ends; ends it if that has happened already.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform == "linux":
        _prctl()(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


@functools.cache
def _prctl() -> Callable[..., int]:
    # Loaded once, by the template: a child that loads it writes to as many pages as for the job itself.
    import ctypes

    call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    return call


def children_of(pid: int) -> list[int]:
    """Child processes of a process, dead ones that nobody has waited for included.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_task.5.html (children)
    """
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  this runs once a job
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as children,  # noqa: PTH123  as above
            ):
                found += map(int, children.read().split())
    return found


def kill_tree(leader: int) -> None:
    """Kill a process that leads its group and adopts its orphans, and everything that descends from it.

    The leader must be a child of the caller that was not waited for yet: then its pid is its own, dead or alive.
    """
    # Stopped first, it forks no more and stays to adopt what its dying children leave.
    _signal(leader, signal.SIGSTOP)
    killed: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        new = _descendants(leader) - killed
        if not new:
            break
        for pid in new:
            _signal(pid, signal.SIGKILL)
        killed |= new
    kill_group(leader)
    _signal(leader, signal.SIGKILL)


def kill_group(leader: int) -> None:
    """Kill the processes that are still in the group of this leader, who was not waited for yet."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    pending = [pid]
    while pending:
        new = [child for child in children_of(pending.pop()) if child not in found]
        found.update(new)
        pending += new
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
