"""Ends what an actor's jobs have left running, when there is no supervisor any more to see to it.

Such processes are known by the mark that the supervisor puts into an actor's environment, which everything that the
actor starts inherits, whatever session it moves to and whoever its parent has become. With the supervisor alive none
of this is needed: it is the parent of all that is orphaned, and ends it after the actor.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading

log = logging.getLogger(__name__)

#: The supervisor has the same (it must not import this package); a test holds the two together.
MARK = "HERO_INCARNATION"


def end_remains(incarnation: str) -> int:
    """Kill all processes with the mark of an incarnation but this one.

    Args:
        incarnation: The name that the mark holds.

    Returns:
        How many were killed.
    """
    mark = f"{MARK}={incarnation}".encode()
    count = 0
    # Twice: what one of them starts during the first look is there for the second.
    for _ in range(2):
        for name in os.listdir("/proc"):  # noqa: PTH208  pathlib costs an actor its import
            if name.isdecimal() and int(name) != os.getpid():
                count += _end_if_marked(int(name), mark)
    if count:
        log.warning("actor.remains_ended", extra={"processes": count})
    return count


def _end_if_marked(pid: int, mark: bytes) -> bool:
    # The descriptor first: a number may be another's between the look and the signal.
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


def wait_for_inherited() -> None:
    """Take the exit status of the children that this process had before it became this program.

    An actor that starts over in its own process leaves those of its engine, which end by themselves and which nobody
    but this process can bury. Call it before anything is started: nobody else waits for what is there then.
    """
    with contextlib.suppress(OSError):  # a kernel without CONFIG_PROC_CHILDREN
        with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as children:  # noqa: PTH123  as above
            pids = children.read().split()
        for pid in pids:
            threading.Thread(target=_wait_for, args=(int(pid),), name=f"bury {int(pid)}", daemon=True).start()


def _wait_for(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
