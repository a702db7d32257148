"""System calls that fail, one at a time, in this process.

A test counts the calls that its steps make in a clean run. Then it repeats the steps once for each of them, and that
call fails as the kernel would have it. Only calls that come from the part of the product under test count, so neither
the test itself nor another thread is disturbed.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class SystemCall:
    """A call that can fail: where Python code finds it, and how it fails."""

    owner: Any
    name: str
    error: int


#: `_fork_exec` is how `subprocess` starts every program.
FORK = SystemCall(subprocess, "_fork_exec", errno.EAGAIN)
PIDFD = SystemCall(os, "pidfd_open", errno.EMFILE)
PIPE = SystemCall(os, "pipe", errno.EMFILE)
SOCKETPAIR = SystemCall(socket, "socketpair", errno.EMFILE)
OPEN = SystemCall(os, "open", errno.EMFILE)
OPEN_FULL = SystemCall(os, "open", errno.ENOSPC)
RENAME = SystemCall(os, "rename", errno.EIO)
REMOVE = SystemCall(os, "remove", errno.EIO)
WRITE_CLOSED = SystemCall(os, "write", errno.EPIPE)
WRITE_FULL = SystemCall(os, "write", errno.ENOSPC)
SEND = SystemCall(socket.socket, "send", errno.EPIPE)
#: What the loop does for `add_reader`: epoll_ctl(2) fails at /proc/sys/fs/epoll/max_user_watches, or without memory.
WATCH = SystemCall(selectors.EpollSelector, "register", errno.ENOSPC)
SIGNAL = SystemCall(signal, "pidfd_send_signal", errno.EPERM)


class FailingCalls:
    """Counts calls, and fails one.

    Args:
        patch: Puts the functions back after the test.
        below: Folder of the product's code whose calls count.

    Attributes:
        made: Each call since the last `arm`: its name and the line that it comes from.
    """

    def __init__(self, patch: pytest.MonkeyPatch, below: Path) -> None:
        self.made: list[str] = []
        self._patch = patch
        self._below = f"{below}{os.sep}"
        self._failing: int | None = None
        self._armed = False

    def watch(self, *calls: SystemCall) -> None:
        """Count these calls while armed."""
        for call in calls:
            self._patch.setattr(call.owner, call.name, self._watched(call, getattr(call.owner, call.name)))

    def arm(self, failing: int | None = None) -> None:
        """Begin to count.

        Args:
            failing: Number of the call that fails, from 1; None for a clean run.
        """
        self.made = []
        self._failing, self._armed = failing, True

    def disarm(self) -> list[str]:
        """Stop counting, and give the calls that were made."""
        self._armed = False
        return self.made

    @property
    def has_failed(self) -> bool:
        """Was the call reached that fails?"""
        return self._failing is not None and len(self.made) >= self._failing

    def _watched(self, call: SystemCall, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            if self._armed and (site := self._site()):
                self.made.append(f"{call.name} at {site}")
                if len(self.made) == self._failing:
                    raise OSError(call.error, os.strerror(call.error))
            return real(*args, **options)

        return watched

    def _site(self) -> str:
        """Give the innermost line of the product that a call comes from; empty for calls of others."""
        frame = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(self._below):
                return f"{path.removeprefix(self._below)}:{frame.f_lineno}"
            if f"{os.sep}tests{os.sep}" in path:
                return ""
            frame = frame.f_back  # type: ignore[assignment]  # None above the outermost one
        return ""


def count_descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
