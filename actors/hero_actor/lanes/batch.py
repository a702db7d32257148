"""What one lane holds: jobs not begun, the job that runs, and results not yet settled.

The lane works it off; the beat's thread looks in and takes away what must not wait behind a slow job. Two locks keep
them apart:

- the inner one, held for a few instructions, guards the three collections;
- `trips` is held by whoever makes a round trip for this lane's claims, because a lane reads its claimed list for
  leftovers: while a result is on its way to the store, its id is in that list and would be run again.

A result is in exactly one place, here or on its way, until the store has answered.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set

from hero_actor.lanes.execute import timeout_of
from hero_actor.lanes.job_log import Journal
from hero_engine.engine import RunHandle
from hero_job.model.views import Progress
from hero_job.operations.actor_operations import ClaimedJob, Settlement


class Batch:
    """The holdings of one lane.

    Args:
        new_run: Makes the handle of one run; the engine's.
        wanted: Ids of jobs that are to be stopped.

    Attributes:
        journal: What the running script prints.
        trips: Held during a round trip for this lane.
        running: The job that runs, None between jobs.
        run: Its handle.
        started_mono: When it began; when the last one ended, if none runs.
        slowest_s: Longest run since the last `load`.
        out_of_time: The running job was cancelled because its deadline has passed.
        abandoned: It would not yield and was settled by the beat; the lane's thread is lost.
    """

    __slots__ = (
        "_closed",
        "_lock",
        "_new_run",
        "_results",
        "_unreleased",
        "_unstarted",
        "_wanted",
        "abandoned",
        "journal",
        "out_of_time",
        "run",
        "running",
        "slowest_s",
        "started_mono",
        "trips",
    )

    def __init__(self, new_run: Callable[[], RunHandle], wanted: Set[str] = frozenset()) -> None:
        self._wanted = wanted
        self.journal = Journal()
        self.trips = threading.Lock()
        self._lock = threading.Lock()
        self._new_run = new_run
        self._unstarted: deque[ClaimedJob] = deque()
        self._results: list[Settlement] = []
        # Taken away by the beat to be handed back, which has failed or may have.
        self._unreleased: list[ClaimedJob] = []
        self._closed = False
        self.running: ClaimedJob | None = None
        self.run: RunHandle = new_run()
        self.started_mono = time.monotonic()
        self.slowest_s = 0.0
        self.out_of_time = False
        self.abandoned = False

    # -- the lane's side -----------------------------------------------------------------------------------------------

    def load(self, jobs: Sequence[ClaimedJob]) -> ClaimedJob | None:
        """Take in claimed jobs and begin the first.

        Args:
            jobs: In the order in which they are to run.

        Returns:
            The job to run now; None when the batch is closed.
        """
        with self._lock:
            self._unstarted.extend(jobs)
            self.slowest_s = 0.0
            self.started_mono = time.monotonic()
            return self._begin()

    def advance(self, result: Settlement | None) -> ClaimedJob | None:
        """Note what came of the running job and begin the next.

        Args:
            result: To be settled; None to leave the job claimed, for `ActorOperations.leave` to hand back.

        Returns:
            The job to run now; None when there is none, or the batch is closed.
        """
        now = time.monotonic()
        with self._lock:
            took_s = now - self.started_mono
            self.slowest_s = max(self.slowest_s, took_s)
            self.started_mono = now
            if result is not None and not self.abandoned:
                self._results.append(result)
            return self._begin()

    def _begin(self) -> ClaimedJob | None:
        self.out_of_time = False
        if not self._unstarted or self._closed:
            self.running = None
            return None
        self.running = job = self._unstarted.popleft()
        self.run = self._new_run()
        if self._wanted and job.id in self._wanted:
            self.run.cancel()
        return job

    def take_results(self) -> list[Settlement]:
        """Take the results out, to be settled under `trips`.

        What could not be handed back is forgotten with it: the turn that settles brings it again if it is still ours.
        """
        with self._lock:
            self._unreleased.clear()
            results, self._results = self._results, []
            return results

    def put_back(self, results: list[Settlement], unreleased: Sequence[ClaimedJob] = ()) -> None:
        """Bring back what a failed round trip has not, or may not have, done.

        Args:
            results: To be settled again: the store counts them once.
            unreleased: To be handed back again, never to be run from here: another lane may have them by now.
        """
        with self._lock:
            self._results[:0] = results
            self._unreleased[:0] = unreleased

    @property
    def has_results(self) -> bool:
        """Is anything waiting to be settled?"""
        return bool(self._results)

    # -- the side of other threads -------------------------------------------------------------------------------------

    @property
    def holds_more(self) -> bool:
        """Does it hold anything beside the job that runs?"""
        return bool(self._unstarted or self._results or self._unreleased)

    def take_held_up(self, now_mono: float, slow_s: float) -> tuple[list[Settlement], list[ClaimedJob]]:
        """Take away what waits behind a job that has run for too long. Under `trips`.

        Args:
            now_mono: The time.
            slow_s: From how many seconds on a job is slow.

        Returns:
            Results to settle and unstarted jobs to hand back; both empty when nothing is held up.
        """
        with self._lock:
            if self.running is None or now_mono - self.started_mono < slow_s:
                return [], []
            results, self._results = self._results, []
            unstarted = [*self._unreleased, *self._unstarted]
            self._unreleased.clear()
            self._unstarted.clear()
            return results, unstarted

    def overdue_s(self, now_mono: float) -> float | None:
        """How far past its deadline is the running job, in seconds? Negative before it; None when no job runs."""
        with self._lock:
            if self.running is None:
                return None
            return now_mono - self.started_mono - timeout_of(self.running)

    def take_words(self) -> tuple[ClaimedJob, list[tuple[str, str]], Progress | None] | None:
        """Take out what the running job has said. Under `trips`, so that words are written in the order of saying.

        Returns:
            The job, its lines, how far it is; None when it has said nothing, or none runs.
        """
        with self._lock:
            if self.running is None or not self.journal.dirty:
                return None
            return self.running, *self.journal.take()

    def cancel(self, job_id: str) -> bool:
        """Cancel the running job if it is this one. Says whether it is."""
        with self._lock:
            if self.running is None or self.running.id != job_id:
                return False
            self.run.cancel()
            return True

    def cancel_overdue(self, now_mono: float) -> None:
        """Cancel the running job if its deadline has passed."""
        with self._lock:
            if self.running is not None and now_mono - self.started_mono > timeout_of(self.running):
                self.out_of_time = True
                self.run.cancel()

    def abandon_overdue(self, now_mono: float, grace_s: float) -> ClaimedJob | None:
        """Give up the running job if it is past its deadline and grace. Whatever comes of it later is not recorded.

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
        """Cancel the running job and begin no other."""
        with self._lock:
            self._closed = True
            if self.running is not None:
                self.run.cancel()
