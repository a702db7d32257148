"""What one lane has counted: the runs that it began, how long jobs waited and ran, and how they ended.

The lane counts as it works, the beat adds up the tallies of all lanes and reports the difference once a second. The
scripts of the store count what they decide themselves: repeated runs, redeliveries, jobs that never ran.

See docs/decisions/0016-counters.md.

Invariant: one thread writes a tally; others may read it at any time. Counts only rise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

from hero_job.model.claim_types import ClaimedJob, CountReport, Settlement
from hero_job.model.overview.counters import BOUNDS_S, BUCKETS, KINDS, OTHER
from hero_job.model.status import JobStatus

_FINISHED = JobStatus.FINISHED  # each look into an enumeration costs as much as the rest of the loop


class Tally:
    """The counts of one lane, from its start on. A fast job costs it next to nothing: it counts batches."""

    __slots__ = ("_ended", "_finished", "_run", "_run_s", "_wait", "_wait_s")

    def __init__(self) -> None:
        self._finished = 0
        self._ended: dict[str, int] = {}
        self._wait = [0] * BUCKETS
        self._wait_s = 0.0
        self._run = [0] * BUCKETS
        self._run_s = 0.0

    def claimed(self, jobs: Sequence[ClaimedJob], at: str) -> None:
        """Count how long the jobs of a batch have waited; those are left out of which it is not known.

        Args:
            jobs: In the order in which they were claimed.
            at: When that was, ISO 8601 in UTC with milliseconds.
        """
        count = len(jobs)
        first_s = _seconds_between(jobs[0].queued_at, at)
        last_s = first_s if count == 1 else _seconds_between(jobs[-1].queued_at, at)
        if first_s is not None and last_s is not None:
            bucket = bisect_left(BOUNDS_S, first_s)
            if count == 1 or bucket == bisect_left(BOUNDS_S, last_s):
                # They left the queue in their order, so those between them have waited as long.
                self._wait[bucket] += count
                self._wait_s += (first_s + last_s) / 2 * count
                return
        for job in jobs:
            wait_s = _seconds_between(job.queued_at, at)
            if wait_s is not None:
                self._wait[bisect_left(BOUNDS_S, wait_s)] += 1
                self._wait_s += wait_s

    def ran(self, count: int, took_s: float, slow_s: Sequence[float]) -> None:
        """Count runs that have ended.

        Args:
            count: How many.
            took_s: How long all of them took, in seconds.
            slow_s: How long those took that are longer than the first bound of the buckets.
        """
        self._run[0] += count - len(slow_s)
        self._run_s += took_s
        for one_s in slow_s:
            self._run[bisect_left(BOUNDS_S, one_s)] += 1

    def settled(self, settlements: Sequence[Settlement], refused: Sequence[str]) -> None:
        """Count the jobs that have ended.

        Args:
            settlements: What the store has been told.
            refused: Ids of those that did not count.
        """
        if refused:
            settlements = [one for one in settlements if one.job_id not in refused]
        others = [one for one in settlements if one.status is not _FINISHED]
        self._finished += len(settlements) - len(others)
        for one in others:
            if one.retry_in_s is None and not one.ended_its_process:  # otherwise the store decides, and counts
                kind = one.error_kind if one.error_kind in KINDS else OTHER
                name = "stopped" if one.status is JobStatus.STOPPED else f"error:{kind}"
                self._ended[name] = self._ended.get(name, 0) + 1

    def add_to(self, total: dict[str, int]) -> None:
        """Add all counts to those of other lanes; names as in `JobCounts.add`, times in microseconds."""
        counts = {
            **self._ended,
            "finished": self._finished,
            "wait_us": round(self._wait_s * 1e6),
            "run_us": round(self._run_s * 1e6),
        }
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
        for name, buckets in (("wait", self._wait), ("run", self._run)):
            for n, count in enumerate(buckets):
                if count:
                    total[f"{name}:{n}"] = total.get(f"{name}:{n}", 0) + count


class CountReports:
    """The reports of an actor: what all its tallies have counted, each count once. Used by one thread at a time."""

    __slots__ = ("_next", "_told", "_unanswered")

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._unanswered: tuple[CountReport, dict[str, int]] | None = None
        self._next = 1

    def next(self, tallies: Sequence[Tally], started: int) -> CountReport | None:
        """Return the report to send now.

        A report without an answer may have been counted or not, so it is the next one again, unchanged.

        Args:
            tallies: Of all lanes that there ever were.
            started: How many runs have begun so far.

        Returns:
            The report; None if there is nothing to tell.
        """
        if self._unanswered is None:
            total = {"started": started}
            for tally in tallies:
                tally.add_to(total)
            told = self._told
            more = {name: count - told.get(name, 0) for name, count in total.items() if count > told.get(name, 0)}
            if not more:
                return None
            self._unanswered = CountReport(self._next, more), total
        return self._unanswered[0]

    def answered(self) -> None:
        """Note that the store has answered for the report that `next` returned."""
        if self._unanswered is not None:
            # A count may seem to fall while a lane moves it from one variable to another.
            self._told = {name: max(n, self._told.get(name, 0)) for name, n in self._unanswered[1].items()}
            self._unanswered = None
            self._next += 1


def _seconds_between(first: str | None, last: str) -> float | None:
    """Return the time between two times of the store's clock; None if the first one, of another program, is none."""
    try:
        return max(0.0, (datetime.fromisoformat(last) - datetime.fromisoformat(first or "")).total_seconds())
    except (ValueError, TypeError):
        return None
