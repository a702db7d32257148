"""`Call`: what a function knows about the run that calls it, and how it waits.

The binding of a language makes one for each run that uses a function, and closes it when the run ends. Invariant: a
function never waits in another way than by a `Call`, so that a stop or the deadline ends it within `_LOOK_S`.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from hero_engine.engine import Asker, RunLog, StoreAccess
from hero_engine.errors import CallEnded, FunctionError
from hero_engine.masks import Masks
from hero_engine.rights import ScriptRights
from hero_process.defects import log_failure

log = logging.getLogger(__name__)

R = TypeVar("R")

#: How often a wait looks for a stop, in seconds.
_LOOK_S = 0.02


class Call:
    """One run, as its functions see it. Used in the run's own thread, except for `stopped`.

    Args:
        asker: The job: its id, caller, context and deadline.
        rights: What this run may do, with the rules for its context and caller applied.
        stopped: Tells whether somebody has stopped the run.
        log_to: Receives what functions log; None to discard it.
        access: The actor's access to the store; None without an actor.

    Attributes:
        asker: See above.
        rights: See above.
        values: What a family keeps for the run, by the family's name.
        masks: What is hidden in everything that the run logs, and in its result.
    """

    __slots__ = ("_access", "_log", "_on_close", "_stopped", "_until_mono", "asker", "masks", "rights", "values")

    def __init__(
        self,
        asker: Asker,
        rights: ScriptRights,
        *,
        stopped: Callable[[], bool],
        log_to: RunLog | None = None,
        access: StoreAccess | None = None,
    ) -> None:
        self.asker = replace(asker, check=self.check)
        self.rights = rights
        self.values: dict[str, Any] = {}
        self.masks = Masks()
        self._stopped = stopped
        self._log = log_to
        self._access = access
        self._on_close: list[Callable[[], None]] = []
        self._until_mono = asker.deadline_mono

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def remaining_s(self) -> float:
        """Seconds that the call has left; 0 when its time is up."""
        return max(0.0, self._until_mono - time.monotonic())

    def begin(self) -> None:
        """Begin a call: it may take as long as the operator allows (`call_s`). The binding calls this."""
        self._until_mono = min(self.asker.deadline_mono, time.monotonic() + self.rights.call_s)

    def check(self) -> None:
        """Go on only if the run may go on. A function that computes for long calls this from time to time.

        Raises:
            CallEnded: The run was stopped, or its time is up.
            FunctionError: The call takes longer than the operator allows.
        """
        if self._stopped():
            raise CallEnded(stopped=True)
        now_mono = time.monotonic()
        if now_mono >= self.asker.deadline_mono:
            raise CallEnded(stopped=False)
        if now_mono >= self._until_mono:
            raise FunctionError(f"it takes longer than call_s allows ({self.rights.call_s:g} s)")

    def wait_until(self, ready: Callable[[float], bool], timeout_s: float | None = None) -> bool:
        """Wait for something.

        Args:
            ready: Waits for at most the given seconds, without the interpreter lock, and says whether it is there.
            timeout_s: Longest wait, in seconds; None for what the call has left.

        Returns:
            False if `timeout_s` has passed.

        Raises:
            CallEnded: The run must end.
        """
        until_mono = self._until_mono if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self.check()
            left_s = min(until_mono, self._until_mono) - time.monotonic()
            if ready(max(0.0, min(left_s, _LOOK_S))):
                return True
            if time.monotonic() >= until_mono:
                self.check()
                return False

    def wait_readable(self, fd: int, timeout_s: float | None = None) -> bool:
        """Wait until a descriptor can be read; see `wait_until`."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return self.wait_until(lambda wait_s: bool(poll.poll(wait_s * 1000)), timeout_s)

    def sleep(self, wait_s: float) -> None:
        """Sleep, unless the run must end.

        Raises:
            CallEnded: The run must end.
        """
        never = threading.Event()
        self.wait_until(never.wait, wait_s)

    def in_thread(self, work: Callable[[], R], timeout_s: float | None = None) -> R:
        """Do something that cannot be interrupted in a thread of its own, and wait for that.

        When the run must end, the thread is left to itself: it may only do what is bounded and harmless afterwards,
        such as a look-up of a name.

        Args:
            work: Returns the result, or raises.
            timeout_s: Longest wait, in seconds; None for what the run has left.

        Raises:
            CallEnded: The run must end.
            TimeoutError: `timeout_s` has passed.
        """
        done = threading.Event()
        result: list[R] = []
        failed: list[BaseException] = []

        def do() -> None:
            try:
                result.append(work())
            except BaseException as e:  # noqa: BLE001  raised below, in the thread that waits
                failed.append(e)
            finally:
                done.set()

        threading.Thread(target=do, name="function", daemon=True).start()
        if not self.wait_until(done.wait, timeout_s):
            raise TimeoutError
        if failed:
            raise failed[0]
        return result[0]

    # -- surroundings --------------------------------------------------------------------------------------------------

    def log(self, text: str, level: str = "info") -> None:
        """Add lines to the job's log.

        Args:
            text: One line, or several.
            level: "debug", "info", "warning" or "error".
        """
        if self._log is not None:
            self._log.line(level, text)

    def hide(self, value: str) -> None:
        """Hide a value from now on in what the run logs, in its result, and in its error; see `Masks.add`."""
        self.masks.add(value)

    def progress(self, done: float, total: float, text: str) -> None:
        """Report the progress of the job; see `RunLog.progress`."""
        if self._log is not None:
            self._log.progress(done, total, text)

    def ask(self, method: str, params: Mapping[str, object]) -> Any:
        """Make a request to the store through the actor, as this job. A wait for a job ends when the run must end.

        Args:
            method: For example `job.create`; see `hero_actor.lanes.script_access`.
            params: JSON values.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is refused; the binding turns it into an error that the script can catch.
            CallEnded: The run must end.
        """
        if self._access is None:
            raise FunctionError("there is no store here: the script does not run in an actor")
        return self._access.call(self.asker, method, params)

    def on_close(self, action: Callable[[], None]) -> None:
        """Have something done when the run ends, however it ends: close a connection, end a process.

        Args:
            action: Called once, in the run's thread; the last one first.
        """
        self._on_close.append(action)

    def close(self) -> None:
        """End the run: do what `on_close` collected. A failure is logged and does not stop the rest."""
        while self._on_close:
            action = self._on_close.pop()
            try:
                action()
            except Exception as e:  # noqa: BLE001 - logged
                log_failure(log, "function.close_failed", e, job=self.asker.job_id)
