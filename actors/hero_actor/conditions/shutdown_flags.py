"""The flags by which the threads of an actor tell each other that the process has to end, and why.

Any thread may ask for a drain or a stop. Lanes and beat read the flags; the main thread waits on the wake-up pipe and
carries the shutdown out. Invariant: a flag that is set stays set, and the first reason stays.
"""

from __future__ import annotations

import contextlib
import os
import threading
from enum import StrEnum


class Reason(StrEnum):
    """Why an actor drains; its supervisor reads the value on the control socket."""

    SIGNAL = "signal"
    CONTROL = "control"
    CONTROL_LOST = "control_lost"
    MAX_JOBS = "max_jobs"
    MEMORY = "memory"
    STUCK = "stuck"
    DECLARED_DEAD = "declared_dead"
    CRASHED = "crashed"
    ENGINE_FOUND = "engine_found"


class ShutdownFlags:
    """Flags for the shutdown of one actor. Thread-safe.

    Attributes:
        drain: Claim no more jobs; finish and settle the running ones.
        stop: Also cancel the running jobs; those that did not finish are handed back.
        reason: The first reason for the drain; None until there is one.
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

    def request(self, reason: Reason, *, stop: bool = False) -> None:
        """Request a drain and wake the main thread.

        Args:
            reason: Kept if it is the first one.
            stop: Request a stop too.
        """
        with self._lock:
            if self.reason is None:
                self.reason = reason
        if stop:
            self.stop.set()
        self.drain.set()
        self.wake()

    def wake(self) -> None:
        """Wake the main thread."""
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes it just as well
            os.write(self._wake_write, b"\0")

    @property
    def wake_read_fd(self) -> int:
        """The end of the wake-up pipe that the main thread polls."""
        return self._wake_read

    @property
    def wake_write_fd(self) -> int:
        """The end of the wake-up pipe for `signal.set_wakeup_fd`."""
        return self._wake_write

    def clear_wake(self) -> None:
        """Empty the wake-up pipe."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
