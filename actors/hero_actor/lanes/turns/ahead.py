"""The turns of a lane that are on their way while the lane runs its batch.

While jobs are fast and their queue is full, the only lane of an actor sends its next turn before it runs what the last
one brought, so that the store works on one batch while the lane runs the other. When the batch has run, the lane sends
one more turn, which settles it, and only then reads the answer to the one before. If a job of a batch is slow, the beat
reads what is on its way and hands back what it has claimed.

See docs/decisions/0005-claim-protocol.md. Invariants: before another turn of this lane is taken, these answers are
read; while a job runs, at most one turn is on its way. Everything here happens under `Batch.trips`, except for looks
at `may_hold`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from hero_job.client.store import Begun
from hero_job.operations.actor_operations import ClaimedJob, Settlement, Turn


class AheadAnswer(NamedTuple):
    """The answer to a turn that was sent ahead.

    Attributes:
        turn: The answer.
        results: What it has settled.
        is_full: It claimed as many jobs as it was to claim, and nothing unexpected happened: another one pays.
        sent_mono: When it was sent.
    """

    turn: Turn
    results: list[Settlement]
    is_full: bool
    sent_mono: float

    def without_jobs(self) -> AheadAnswer:
        """Return it without what it has claimed."""
        return self._replace(turn=replace(self.turn, jobs=[]), is_full=False)


class SentTurn(NamedTuple):
    """A turn on its way.

    Attributes:
        results: What it settles.
        asked: Most jobs that it claims; 0 if it only settles.
        sent_mono: When it was sent.
    """

    results: list[Settlement]
    asked: int
    sent_mono: float


class Ahead:
    """The turns that one lane has sent ahead, and their answers.

    Args:
        put_back: Puts results back into the batch.

    Attributes:
        held: The jobs that the lane runs, or has run last.
        is_lost: An answer was lost. What it may have claimed is in the claimed list, and no thread knows of it.
    """

    __slots__ = ("_answers", "_begun", "_put_back", "_sent", "held", "is_lost")

    def __init__(self, put_back: Callable[[list[Settlement]], None]) -> None:
        self._put_back = put_back
        self._begun: Begun[Turn] | None = None
        self._sent: deque[SentTurn] = deque()
        self._answers: deque[AheadAnswer] = deque()
        self.held: Sequence[ClaimedJob] = ()
        self.is_lost = False

    @property
    def begun(self) -> Begun[Turn] | None:
        """What sends one more turn; None if none is on its way."""
        return self._begun if self._sent else None

    @property
    def pending(self) -> bool:
        """Is there a turn on its way, or an answer that the lane has not taken? Only under `Batch.trips`."""
        return bool(self._sent or self._answers)

    @property
    def may_hold(self) -> bool:
        """May there be jobs claimed, or results to settle, that must not wait behind a slow job?"""
        return bool(self._sent) or self.is_lost or any(answer.turn.jobs for answer in tuple(self._answers))

    def sent(self, begun: Begun[Turn], results: list[Settlement], asked: int) -> None:
        """Note that a turn was sent.

        Args:
            begun: Has sent it.
            results: What it settles.
            asked: Most jobs that it claims; 0 if it only settles.
        """
        self._begun = begun
        self._sent.append(SentTurn(results, asked, time.monotonic()))

    def lose(self) -> None:
        """Note that the connection broke: no answer comes, and all results go back into the batch."""
        lost = list(self._sent)
        self._sent.clear()
        self.is_lost = self.is_lost or any(turn.asked for turn in lost)
        self._put_back([result for turn in lost for result in turn.results])

    def collect(self) -> None:
        """Read the answers that are on their way.

        Raises:
            StoreError: One is lost; its results and those of the turns behind it are back in the batch.
        """
        while self._sent:
            self._collect_first()

    def take(self) -> AheadAnswer | None:
        """Take out the first answer; None if no turn was sent.

        Raises:
            StoreError: It is lost; its results and those of the turns behind it are back in the batch.
        """
        if not self._answers:
            if not self._sent:
                return None
            self._collect_first()
        return self._answers.popleft()

    def _collect_first(self) -> None:
        assert self._begun is not None
        try:
            turn = self._begun.finish()
        except BaseException:
            self.lose()
            raise
        results, asked, sent_mono = self._sent.popleft()
        jobs = turn.jobs
        if any(job.queued_at is None for job in jobs):
            # It may be a job that the lane runs already: its id is in the claimed list twice, or not in its place.
            held = {(job.id, job.attempt) for job in self.held}
            held |= {(job.id, job.attempt) for answer in self._answers for job in answer.turn.jobs}
            jobs = [job for job in jobs if (job.id, job.attempt) not in held]
        is_full = 0 < asked == len(jobs) and not turn.refused
        if len(jobs) < len(turn.jobs):
            turn = replace(turn, jobs=jobs)
        self._answers.append(AheadAnswer(turn, results, is_full, sent_mono))

    def take_jobs(self) -> list[ClaimedJob]:
        """Take the jobs out of answers that were read, to hand them back. The lane gets the rest of the answers."""
        jobs = [job for answer in self._answers for job in answer.turn.jobs]
        if jobs:
            self._answers = deque(answer.without_jobs() for answer in self._answers)
        return jobs
