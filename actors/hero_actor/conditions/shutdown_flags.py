"""What the main thread tells the other threads of its actor, and what they tell it."""

from __future__ import annotations

import contextlib
import os
import threading
from enum import StrEnum


class Reason(StrEnum):
    """Why an actor drains; the supervisor reads it on the control socket."""

    SIGNAL = "signal"
    CONTROL = "control"
    CONTROL_LOST = "control_lost"
    MAX_JOBS = "max_jobs"
    MEMORY = "memory"
    STUCK = "stuck"
    DECLARED_DEAD = "declared_dead"
    CRASHED = "crashed"
    ENGINE_FOUND = "engine_found"


class Orders:
    """Orders and their echo. Thread-safe; each only ever goes from no to yes.

    Attributes:
        drain: Claim nothing more; finish and settle what runs.
        stop: Also end what runs; leave what did not finish to be handed back.
        reason: Why; the first reason stays. None before.
    """

    __slots__ = ("_lock", "_wake_read", "_wake_write", "drain", "reason", "stop")

    def __init__(self) -> None:
        self.drain = threading.Event()
        self.stop = threading.Event()
        self.reason: Reason | None = None
        self._lock = threading.Lock()
        # A pipe, so that signals (through signal.set_wakeup_fd) and threads wake the same poll.
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def give(self, reason: Reason, *, stop: bool = False) -> None:
        """Order to drain, and with `stop` to stop, and wake the main thread."""
        with self._lock:
            if self.reason is None:
                self.reason = reason
        if stop:
            self.stop.set()
        self.drain.set()
        self.wake()

    def wake(self) -> None:
        """Wake the main thread."""
        with contextlib.suppress(BlockingIOError):  # a full pipe is reason enough to wake up
            os.write(self._wake_write, b"\0")

    @property
    def wake_read_fd(self) -> int:
        """For the main thread's poll."""
        return self._wake_read

    @property
    def wake_write_fd(self) -> int:
        """For `signal.set_wakeup_fd`."""
        return self._wake_write

    def clear_wake(self) -> None:
        """Empty the pipe."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
