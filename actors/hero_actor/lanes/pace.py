"""How many jobs a lane claims in one round trip.

Claiming several jobs pays only if they take less time than the round trip, and no other lane can run a job that this
one holds. A batch is therefore sized to about two milliseconds of work, estimated from the previous batches.
"""

from __future__ import annotations

#: Work in one batch, in seconds. A round trip costs about 0.1 ms: a twentieth of that.
BATCH_S = 0.002
MAX_JOBS = 64
#: Fewest jobs that a turn claims while a batch runs: 0.25 ms of work each, against which a round trip counts.
_LEAST_AHEAD = 4
#: Weight of the last batch in the moving average.
_WEIGHT = 0.25


class Pace:
    """Sizes the batches of one lane."""

    __slots__ = ("_asked", "_mean_s")

    def __init__(self) -> None:
        self._mean_s = BATCH_S
        self._asked = 0

    def next_ask(self) -> int:
        """Say how many jobs the next turn should claim.

        It is at most twice the previous number: after a pause nobody knows how long the jobs take, so the first ones
        are spread over all idle lanes.
        """
        self._asked = max(1, min(self._fitting, self._asked * 2, MAX_JOBS))
        return self._asked

    def next_ask_ahead(self) -> int:
        """Say how many jobs a turn should claim that is sent while a batch runs.

        It is half of what fits into a batch, because the lane then holds two of them; 0 when jobs are too slow for this
        to pay.
        """
        fitting = min(self._fitting, self._asked * 2, 2 * MAX_JOBS)
        if fitting // 2 < _LEAST_AHEAD:
            return 0
        self._asked = min(fitting, MAX_JOBS)
        return fitting // 2

    @property
    def _fitting(self) -> int:
        return int(BATCH_S / self._mean_s) if self._mean_s > 0 else 2 * MAX_JOBS

    @property
    def is_at_most(self) -> bool:
        """Was the last turn to claim as many jobs as a lane should hold, of those that are short?"""
        return self._asked >= max(_LEAST_AHEAD, min(self._fitting, MAX_JOBS))

    def expect(self, mean_s: float) -> None:
        """Begin with what other lanes have learned.

        Args:
            mean_s: How long a job takes on average, in seconds.
        """
        self._mean_s = mean_s
        self._asked = 0

    def pause(self) -> None:
        """Note that the queue was empty: the next turn claims one job."""
        self._asked = 0

    def note(self, jobs: int, took_s: float, slowest_s: float) -> None:
        """Note how long a batch took.

        Args:
            jobs: Number of jobs, above zero.
            took_s: Time for all of them, in seconds.
            slowest_s: Time of the longest, in seconds. One slow job makes the next turn claim a single job.
        """
        if slowest_s >= BATCH_S:
            self._mean_s = BATCH_S
        else:
            self._mean_s += _WEIGHT * (took_s / jobs - self._mean_s)
