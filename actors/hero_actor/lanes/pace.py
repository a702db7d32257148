"""How many jobs a lane asks for at once.

More than one job a round trip pays only while jobs are so short that the trip costs more than they do; and what a lane
holds, no other lane can run. So a batch is sized to about two milliseconds of work, by what the last ones took.
"""

from __future__ import annotations

#: Work in one batch, in seconds. The round trip of a turn costs some 0.1 ms: a twentieth of it.
BATCH_S = 0.002
MAX_JOBS = 64
#: Weight of the last batch in the moving average.
_WEIGHT = 0.25


class Pace:
    """Sizes the batches of one lane."""

    __slots__ = ("_asked", "_mean_s")

    def __init__(self) -> None:
        self._mean_s = BATCH_S
        self._asked = 0

    def next_ask(self) -> int:
        """How many jobs should the next turn claim?

        At most twice as many as the last one: the first jobs after a pause are spread over all idle lanes, and
        nobody knows yet how long they take.
        """
        fitting = int(BATCH_S / self._mean_s) if self._mean_s > 0 else MAX_JOBS
        self._asked = max(1, min(fitting, self._asked * 2, MAX_JOBS))
        return self._asked

    def pause(self) -> None:
        """Note that the queue was empty: the next ask is for one job."""
        self._asked = 0

    def note(self, jobs: int, took_s: float, slowest_s: float) -> None:
        """Note how long a batch took.

        Args:
            jobs: Jobs run, above zero.
            took_s: For all of them, in seconds.
            slowest_s: For the longest, in seconds. A single slow one brings the next asks down to one job at once.
        """
        if slowest_s >= BATCH_S:
            self._mean_s = BATCH_S
        else:
            self._mean_s += _WEIGHT * (took_s / jobs - self._mean_s)
