"""Ends a process together with everything that descends from it.

The engines end the process of a job with it; the supervisor uses `kill_group` and `adopt_orphans`. Linux only;
elsewhere ending the process group has to do. Invariant: no process outside the tree is signalled, even when a process
id is reused while the tree is being ended.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable

from hero_process.proc import children_of, stat_of
from hero_process.signals import kill_if

#: Source: Linux include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Rounds of looking for new descendants. A round can only find what was forked during the one before.
_MAX_ROUNDS = 100


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent ends, so that none gets out of sight.

    Returns:
        Whether the kernel does so from now on.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
    """
    return sys.platform == "linux" and _prctl()(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; ends it now if the parent has already ended.

    Args:
        parent: Process id of the parent.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform == "linux":
        _prctl()(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def kill_tree(leader: int) -> None:
    """Kill a process that leads its group and adopts its orphans, and everything that descends from it.

    Args:
        leader: A child of the caller that was not waited for yet, so that its process id is its own, dead or alive.
    """
    # While it is stopped it forks no more, and stays to adopt what its dying children leave.
    _signal_leader(leader, signal.SIGSTOP)
    killed: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        new = descendants_of(leader) - killed
        if not new:
            break
        belongs_here = functools.partial(_has_parent_in, {leader, *new, *killed})
        for pid in new:
            kill_if(pid, belongs_here)
        killed |= new
    kill_group(leader)
    _signal_leader(leader, signal.SIGKILL)


def kill_group(leader: int) -> None:
    """Kill the processes that are still in a group.

    Args:
        leader: The group's leader: a child of the caller that was not waited for yet.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


@functools.cache
def _prctl() -> Callable[..., int]:
    # The template process of the HeroScript engine loads it once. A child that loaded it itself would write to as many
    # pages of memory as its job does.
    import ctypes

    call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    return call


def descendants_of(pid: int) -> set[int]:
    """Find the children of a process, their children, and so on."""
    found: set[int] = set()
    pending = [pid]
    while pending:
        new = [child for child in children_of(pending.pop()) if child not in found]
        found.update(new)
        pending += new
    return found


def _has_parent_in(tree: set[int], pid: int) -> bool:
    stat = stat_of(pid)
    return stat is not None and stat.parent in tree


def _signal_leader(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(leader, number)
