"""What one lane holds: jobs that have not started, the running job, and results that are not settled yet.

The lane works through it. The beat looks in from its own thread and takes away what must not wait behind a slow job.
Two locks keep them apart:

- `_lock` guards the three collections and is held for a few instructions only;
- `trips` is held during a round trip for the claims of this lane. A lane reads its claimed list for leftovers, and the
  id of a result that is on its way to the store is still in that list: without the lock the job would run again.

Invariant: until the store has answered, a result is in exactly one place, here or on its way.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from typing import NamedTuple

from hero_actor.lanes.execute import timeout_of
from hero_actor.lanes.job_log import JobLogBuffer
from hero_actor.lanes.turns.ahead import Ahead
from hero_engine.engine import RunHandle
from hero_job.model.overview.counters import BOUNDS_S
from hero_job.model.views import Progress
from hero_job.operations.actor_operations import ClaimedJob, Settlement

_SLOW_S = BOUNDS_S[0]


class HeldUp(NamedTuple):
    """What waits behind a slow job."""

    results: list[Settlement]
    unstarted: list[ClaimedJob]


class LogPart(NamedTuple):
    """What a job has logged since the last time: lines (level and text), and its progress if there is news of it."""

    job: ClaimedJob
    lines: list[tuple[str, str]]
    progress: Progress | None


class Batch:
    """The holdings of one lane.

    Args:
        new_run: Makes the handle for the next run of a job; `Quarantine.new_run`.
        wanted_stops: Runs to stop, as ids with attempts; such a run is cancelled before it starts.
        max_log_bytes: Most text of the running script that waits to be written to the store, in bytes.
        hold_s: How long after their claim jobs may start without another look at the store, in seconds.

    Attributes:
        ahead: The turn that was sent before its jobs are needed.
        claimed_mono: When the turn was sent that claimed the jobs.
        is_led: Its lane claims for all lanes of the actor, so others are free to run what waits here.
        log: What the running script has logged.
        trips: Held during a round trip for this lane.
        running: The running job; None between jobs.
        run: Handle of that job; unset before the first one.
        started_mono: Start of the running job; end of the last one if none is running.
        slow_s: Runs since the last `load` that took longer than the first bound of the histograms, in seconds.
        slowest_s: Longest run since the last `load`, in seconds.
        out_of_time: The running job was cancelled because its deadline passed.
        abandoned: The running job did not yield and the beat settled it; the lane's thread is lost.
    """

    __slots__ = (
        "_closed",
        "_hold_s",
        "_lock",
        "_new_run",
        "_results",
        "_unreleased",
        "_unstarted",
        "_wanted_stops",
        "abandoned",
        "ahead",
        "claimed_mono",
        "is_led",
        "log",
        "out_of_time",
        "run",
        "running",
        "slow_s",
        "slowest_s",
        "started_mono",
        "trips",
    )

    def __init__(
        self,
        new_run: Callable[[ClaimedJob], RunHandle],
        wanted_stops: Set[tuple[str, str]] = frozenset(),
        *,
        max_log_bytes: int = 16 << 20,
        hold_s: float = math.inf,
    ) -> None:
        self._wanted_stops = wanted_stops
        self.log = JobLogBuffer(max_log_bytes)
        self.trips = threading.Lock()
        self._lock = threading.Lock()
        self._new_run = new_run
        self._unstarted: deque[ClaimedJob] = deque()
        self._results: list[Settlement] = []
        # Jobs that the beat took away to hand them back, without an answer from the store.
        self._unreleased: list[ClaimedJob] = []
        self._closed = False
        self._hold_s = hold_s
        self.ahead = Ahead(self.put_back)
        self.claimed_mono = time.monotonic()
        self.running: ClaimedJob | None = None
        self.run: RunHandle
        self.started_mono = time.monotonic()
        self.slowest_s = 0.0
        self.slow_s: list[float] = []
        self.out_of_time = False
        self.abandoned = False
        self.is_led = False

    # -- for the lane --------------------------------------------------------------------------------------------------

    def load(self, jobs: Sequence[ClaimedJob]) -> ClaimedJob | None:
        """Add claimed jobs and start the first one.

        Args:
            jobs: In the order in which they are to run.

        Returns:
            The job to run now; None when the batch is closed.
        """
        with self._lock:
            self._unstarted.extend(jobs)
            self.slowest_s = 0.0
            self.slow_s = []
            self.started_mono = time.monotonic()
            return self._start_next()

    def advance(self, result: Settlement | None) -> ClaimedJob | None:
        """Record the result of the running job and start the next one.

        Args:
            result: The settlement to send; None if `hold` has it, or to leave the job claimed, so that leaving the
                registry hands it back.

        Returns:
            The job to run now; None when there is none, or the batch is closed.
        """
        now = time.monotonic()
        with self._lock:
            took_s = now - self.started_mono
            if took_s > self.slowest_s:  # noqa: PLR1730  # half the cost of `max`, for every job
                self.slowest_s = took_s
            if took_s > _SLOW_S:
                self.slow_s.append(took_s)
            self.started_mono = now
            if result is not None and not self.abandoned:
                self._results.append(result)
            if now - self.claimed_mono > self._hold_s and self._unstarted:
                # Their ids are in the claimed list, if they are still ours. The next turn that looks there brings them.
                self._unstarted.clear()
                self.ahead.is_lost = True
            return self._start_next()

    def is_stale(self, claimed_mono: float) -> bool:
        """Was the process frozen for so long since a claim that its lease may have ended, and others have the jobs?"""
        return time.monotonic() - claimed_mono > self._hold_s

    def hold(self, result: Settlement) -> None:
        """Record the result of the running job before the next one starts."""
        with self._lock:
            if not self.abandoned:
                self._results.append(result)

    def _start_next(self) -> ClaimedJob | None:
        self.out_of_time = False
        if not self._unstarted or self._closed:
            self.running = None
            return None
        self.log.written = 0
        self.running = job = self._unstarted.popleft()
        self.run = self._new_run(job)
        if self._wanted_stops and (job.id, job.attempt) in self._wanted_stops:
            self.run.cancel()
        return job

    def take_results(self) -> list[Settlement]:
        """Take out the results, to settle them under `trips`.

        Jobs that could not be handed back are forgotten: the turn that settles the results returns those that are
        still ours.
        """
        with self._lock:
            self._unreleased.clear()
            results, self._results = self._results, []
            return results

    def put_back(self, results: list[Settlement], unreleased: Sequence[ClaimedJob] = ()) -> None:
        """Put back what a failed round trip may not have done.

        Args:
            results: To be settled again; the store counts them once.
            unreleased: To be handed back again. They are never run from here, because another lane may have them now.
        """
        with self._lock:
            self._results[:0] = results
            self._unreleased[:0] = unreleased

    @property
    def has_results(self) -> bool:
        """Are there results to settle?"""
        return bool(self._results)

    @property
    def has_unstarted(self) -> bool:
        """Are there jobs that have not started?"""
        return bool(self._unstarted)

    # -- for other threads ---------------------------------------------------------------------------------------------

    @property
    def holds_more(self) -> bool:
        """Does it hold anything besides the running job?"""
        return bool(self._unstarted or self._results or self._unreleased or self.ahead.may_hold)

    def is_slow(self, now_mono: float, slow_s: float) -> bool:
        """Has the running job been running for at least so many seconds?"""
        with self._lock:
            return self.running is not None and now_mono - self.started_mono >= slow_s

    def take_settled(self) -> tuple[list[Settlement], list[ClaimedJob]]:
        """Take out the results, and list what is left: the running job and those that have not started."""
        with self._lock:
            results, self._results = self._results, []
            return results, [*([] if self.running is None else [self.running]), *self._unstarted]

    def take_held_up(self, now_mono: float, slow_s: float) -> HeldUp:
        """Take out what waits behind a slow job. Call it under `trips`.

        Args:
            now_mono: The current time.
            slow_s: Running time from which a job is slow, in seconds.

        Returns:
            Results to settle and jobs to hand back; both lists are empty when no slow job is running.
        """
        with self._lock:
            if self.running is None or now_mono - self.started_mono < slow_s:
                return HeldUp([], [])
            results, self._results = self._results, []
            unstarted = [*self._unreleased, *self._unstarted, *self.ahead.take_jobs()]
            self._unreleased.clear()
            self._unstarted.clear()
            return HeldUp(results, unstarted)

    def overdue_s(self, now_mono: float) -> float | None:
        """How far is the running job past its deadline, in seconds? Negative before it; None when no job is running."""
        with self._lock:
            if self.running is None:
                return None
            return now_mono - self.started_mono - timeout_of(self.running)

    def take_log(self) -> LogPart | None:
        """Take out what the running job has logged. Call it under `trips`, which keeps the lines in order.

        Returns:
            The log since the last call; None when there is none, or no job is running.
        """
        with self._lock:
            if self.running is None or not self.log.dirty:
                return None
            return LogPart(self.running, *self.log.take())

    def cancel(self, job_id: str, attempt: str | None) -> bool:
        """Cancel the running job if it is this one, and return whether it is.

        Args:
            job_id: The job.
            attempt: The run of it; None for any.
        """
        with self._lock:
            job = self.running
            if job is None or job.id != job_id or attempt not in (None, job.attempt):
                return False
            self.run.cancel()
            return True

    def running_since(self, before_mono: float) -> ClaimedJob | None:
        """Return the running job if it was started before a time; otherwise None."""
        with self._lock:
            return self.running if self.started_mono < before_mono and not self.abandoned else None

    def cancel_overdue(self, now_mono: float) -> None:
        """Cancel the running job if its deadline has passed."""
        with self._lock:
            if self.running is not None and now_mono - self.started_mono > timeout_of(self.running):
                self.out_of_time = True
                self.run.cancel()

    def abandon_overdue(self, now_mono: float, grace_s: float) -> ClaimedJob | None:
        """Give up the running job if it is past its deadline and the grace period; its own result is then ignored.

        Returns:
            The job, to be settled as timed out; None when there is no such job.
        """
        with self._lock:
            job = self.running
            if job is None or self.abandoned or now_mono - self.started_mono <= timeout_of(job) + grace_s:
                return None
            self.abandoned = True
            self._closed = True
            return job

    def stop(self) -> None:
        """Cancel the running job and start no other."""
        with self._lock:
            self._closed = True
            if self.running is not None:
                self.run.cancel()
