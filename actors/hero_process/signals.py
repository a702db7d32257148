"""Signals that reach the process they were meant for, and no other.

The kernel gives the id of a process to another one as soon as its parent has waited for it. A pidfd keeps meaning the
process that it was opened for. Called wherever the product signals a process that is not an unreaped child of the
caller. Invariant: the process is looked at again after its pidfd was opened, and only then signalled.

Source: pidfd_open(2), pidfd_send_signal(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def pidfd_of(pid: int) -> Iterator[int]:
    """Open a descriptor of a process and close it afterwards.

    Raises:
        ProcessLookupError: There is no such process.
        OSError: The kernel has no pidfds, or this process has no descriptors left.
    """
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def send_signal(pidfd: int, number: signal.Signals) -> None:
    """Signal a process through its descriptor; does nothing when it has ended.

    Raises:
        PermissionError: It runs as another user.
    """
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def kill_if(pid: int, is_meant: Callable[[int], bool]) -> bool:
    """Kill a process, if it is still the one that is meant.

    Args:
        pid: Its process id.
        is_meant: Looks at the process of this id again; called after the descriptor was opened.

    Returns:
        Whether it was told to end.
    """
    try:
        with pidfd_of(pid) as pidfd:
            if not is_meant(pid):
                return False
            send_signal(pidfd, signal.SIGKILL)
            return True
    except (ProcessLookupError, PermissionError):
        return False
    except OSError as e:
        # A kernel or sandbox without pidfds: signal by number, immediately after looking.
        if e.errno != errno.ENOSYS or not is_meant(pid):
            return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
