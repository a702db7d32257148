"""A model of the lives that an id may have, one after another: what each asks for, waits for and holds.

Written from the documentation, not from the Lua scripts; `test_lives.py` compares the store with it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from hero_job import JobStatus

_S = JobStatus
#: Not running, and not ended.
IDLE = (_S.CREATED, _S.WAITING_FOR_PREREQUISITES, _S.SCHEDULED, _S.DISPATCHED)


@dataclass(slots=True, kw_only=True)
class Life:
    """One job: from the creation of its id to its deletion.

    Attributes:
        number: Unlike that of every other life; the job's script.
        unique: It has the key of uniqueness.
        limited: It has the concurrency key, which lets one job run.
        batch: It is counted by the batch.
        delayed: It waits for a time that the test lets come.
        reads: The lives of its prerequisites, by id.
        pending: Ids of those of them that have not ended.
        doomed: One of them failed before it was started.
        status: Its status.
    """

    number: int
    unique: bool
    limited: bool
    batch: bool
    delayed: bool
    reads: dict[str, int]
    pending: set[str] = field(default_factory=set)
    doomed: bool = False
    status: JobStatus = _S.CREATED

    @property
    def is_plain(self) -> bool:
        """Whether it asks for nothing."""
        return not (self.unique or self.limited or self.batch or self.delayed or self.reads)


class LivesModel:
    """All ids.

    Attributes:
        lives: Id -> its current life.
        holder: The id that holds the key of uniqueness.
        batch: How many jobs of the batch are open, and how many ended in which status.
    """

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}
        self.holder: str | None = None
        self.batch: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def new_life(self, *, reads: list[str], unique: bool, limited: bool, batch: bool, delayed: bool) -> Life:
        """Think of a life that has not been created yet."""
        return Life(number=next(self._numbers), unique=unique, limited=limited, batch=batch, delayed=delayed,
                    reads={other: self.lives[other].number for other in reads})  # fmt: skip

    def create(self, job_id: str, life: Life) -> bool:
        """Create a life; False if another job holds the key of uniqueness."""
        if life.unique and self.holder is not None:
            return False
        if life.unique:
            self.holder = job_id
        if life.batch:
            self.batch["open"] += 1
        for other in life.reads:
            status = self.lives[other].status
            if not status.terminal:
                life.pending.add(other)
            elif status is not _S.FINISHED:
                life.doomed = True
        self.lives[job_id] = life
        return True

    def start(self, job_id: str) -> None:
        """Start a created life."""
        life = self.lives[job_id]
        if life.doomed:
            self.end(job_id, _S.ERROR)
        else:
            self._go_on(life)

    def _go_on(self, life: Life) -> None:
        if life.pending:
            life.status = _S.WAITING_FOR_PREREQUISITES
        else:
            life.status = _S.SCHEDULED if life.delayed else _S.DISPATCHED

    def end(self, job_id: str, status: JobStatus) -> None:
        """End a life, and what its end means for others."""
        life = self.lives[job_id]
        life.status = status
        life.pending.clear()
        if self.holder == job_id:
            self.holder = None
        if life.batch:
            self.batch["open"] -= 1
            self.batch[status.value] += 1
        for other_id, other in list(self.lives.items()):
            if job_id not in other.pending:
                continue
            other.pending.discard(job_id)
            waits = other.status is _S.WAITING_FOR_PREREQUISITES
            if status is not _S.FINISHED and waits:
                self.end(other_id, _S.ERROR)
            elif status is not _S.FINISHED:
                other.doomed = True
            elif not other.pending and waits:
                self._go_on(other)

    def delete(self, job_id: str) -> None:
        """Delete a life that does not run. It stops first if it has not ended."""
        if not self.lives[job_id].status.terminal:
            self.end(job_id, _S.STOPPED)
        del self.lives[job_id]

    def retry(self, job_id: str) -> None:
        """Run a life again that ended without a result."""
        life = self.lives[job_id]
        if life.unique:
            self.holder = job_id
        if life.batch:
            self.batch["open"] += 1
            self.batch[life.status.value] -= 1
        life.doomed = False
        life.status = _S.DISPATCHED
        # It reads what its prerequisites are now.
        life.reads = {other: self.lives[other].number if other in self.lives else -1 for other in life.reads}

    def lacks_input(self, job_id: str) -> bool:
        """Whether a life that it reads is over."""
        return any(
            other not in self.lives or self.lives[other].number != number
            for other, number in self.lives[job_id].reads.items()
        )
