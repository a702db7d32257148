"""Kills the processes that an actor's jobs have left running, for an actor whose supervisor is gone.

The supervisor marks the environment of each actor. Everything that the actor starts inherits the mark, in whatever
session it runs and whoever its parent is, so the mark identifies its processes. While the supervisor lives, nothing of
this is needed: it adopts the orphans of its actors and kills them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading

log = logging.getLogger(__name__)

#: The supervisor uses the same name. The two packages do not import each other; a test compares them.
MARK = "HERO_INCARNATION"


def kill_leftovers(incarnation: str) -> int:
    """Kill all other processes that carry the mark of an incarnation.

    Args:
        incarnation: Name of the incarnation, the value of the mark.

    Returns:
        How many processes were killed.
    """
    mark = f"{MARK}={incarnation}".encode()
    count = 0
    # The second round finds what one of them started during the first.
    for _ in range(2):
        for name in os.listdir("/proc"):  # noqa: PTH208  importing pathlib would cost every actor memory
            if name.isdecimal() and int(name) != os.getpid():
                count += _kill_if_marked(int(name), mark)
    if count:
        log.warning("actor.remains_ended", extra={"processes": count})
    return count


def _kill_if_marked(pid: int, mark: bytes) -> bool:
    # A descriptor is opened first: between the look and the signal the pid may pass to another process.
    with contextlib.suppress(OSError):
        fd = os.pidfd_open(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as environ:  # noqa: PTH123  as above
                if mark in environ.read().split(b"\0"):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                    return True
        finally:
            os.close(fd)
    return False


def reap_inherited_children() -> None:
    """Reap the children that this process had before it became this program.

    An actor that replaces its own program keeps the child processes of its former engine. They end by themselves, but
    only this process can reap them. Call this before the program starts any child of its own.
    """
    with contextlib.suppress(OSError):  # a kernel without CONFIG_PROC_CHILDREN
        with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as children:  # noqa: PTH123  as above
            pids = children.read().split()
        for pid in pids:
            threading.Thread(target=_reap, args=(int(pid),), name=f"reap {int(pid)}", daemon=True).start()


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
