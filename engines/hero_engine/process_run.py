"""What engines share that run each job in a process of its own: the handle of a run, and the name of a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

#: Kind of the error of a script whose process has ended before its time.
CRASHED = "crashed"


class ProcessRun:
    """One run: connects a cancellation with the process that it has to kill.

    Attributes:
        cancelled: `cancel` was called; it never becomes false again.
        alone: The process must be a new one, and must not be used again.
    """

    __slots__ = ("_kill", "_lock", "alone", "cancelled")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        self.cancelled = False
        self.alone = False

    def cancel(self) -> None:
        """Kill the process if there is one, and prevent that one is started. Safe to call from any thread."""
        with self._lock:
            self.cancelled = True
            if self._kill is not None:
                self._kill()

    def attach(self, kill: Callable[[], None]) -> bool:
        """Set what `cancel` calls.

        Args:
            kill: Kills the process. It is called under this run's lock, so never after `detach`.

        Returns:
            False if the run is cancelled already; then `kill` was not called.
        """
        with self._lock:
            self._kill = kill
            return not self.cancelled

    def detach(self) -> None:
        """Make sure that nothing is killed from now on."""
        with self._lock:
            self._kill = None


def signal_name(number: int) -> str:
    """Name a signal, for example `SIGKILL`. A signal without a name, such as a real-time one, gives its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
