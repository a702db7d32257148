"""A model of what the store does with jobs: the transition table, a queue and the claimed lists, in plain Python.

It was written from the documentation, not from the Lua scripts, and serves as their reference in
`test_any_interleaving.py`. All incarnations of the model have a single lane.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from dataclasses import dataclass, field

from hero_job import TRANSITIONS, JobStatus
from hero_job.operations.actor_operations import ClaimedJob

_S = JobStatus


@dataclass(slots=True)
class JobModel:
    """One job as the store should hold it.

    Attributes:
        status: Its status.
        owner: The lane that holds it; None for none.
        attempt: Number of claims.
        redeliveries: Number of processes that it has ended while it ran alone.
        seen: All statuses since its submission.
    """

    status: JobStatus = _S.DISPATCHED
    owner: str | None = None
    attempt: int = 0
    redeliveries: int = 0
    seen: list[JobStatus] = field(default_factory=lambda: [_S.DISPATCHED])

    def move_to(self, status: JobStatus) -> None:
        """Change the status, as the transition table allows."""
        assert status in TRANSITIONS[self.status], f"{self.status} -> {status}"
        self.status = status
        self.seen.append(status)


class ContractModel:
    """All jobs, the queue, and what each incarnation has claimed.

    Args:
        max_redeliveries: How often a job may end the process that it runs in alone.

    Attributes:
        jobs: Id -> job.
        queue: Ids in the queue.
        claimed: Incarnation, living or dead -> ids in its claimed list.
        delayed: Ids of the scheduled jobs, in the order in which they were scheduled.
    """

    def __init__(self, max_redeliveries: int) -> None:
        self._max_redeliveries = max_redeliveries
        self.jobs: dict[str, JobModel] = {}
        self.queue: collections.deque[str] = collections.deque()
        self.claimed: dict[str, list[str]] = {}
        self.delayed: list[str] = []

    # -- submitters and operators --------------------------------------------------------------------------------------

    def submit(self, job_id: str) -> None:
        """Add a job to the end of the queue."""
        self.jobs[job_id] = JobModel()
        self.queue.append(job_id)

    def stop(self, job_id: str) -> JobStatus:
        """Stop a job and return its new status."""
        job = self.jobs[job_id]
        if job.status is _S.STARTED:
            job.move_to(_S.STOPPING)
        elif job.status in (_S.DISPATCHED, _S.SCHEDULED):
            if job.status is _S.SCHEDULED:
                self.delayed.remove(job_id)
            job.move_to(_S.STOPPED)  # its id may stay in a list: the claim drops it
        return job.status

    def retry(self, job_id: str) -> bool:
        """Run a job again that ended without a result. Return False if that is not allowed."""
        job = self.jobs[job_id]
        if job.status not in (_S.ERROR, _S.STOPPED):
            return False
        job.move_to(_S.DISPATCHED)
        job.owner, job.redeliveries = None, 0
        self.queue.append(job_id)
        return True

    def promote(self, due_ms: Mapping[str, float]) -> None:
        """Queue all scheduled jobs: in this model they are due immediately.

        Args:
            due_ms: When each is due by the store's clock. Those of one millisecond are queued in the order of their
                ids.
        """
        assert due_ms.keys() == set(self.delayed)
        times = [due_ms[job_id] for job_id in self.delayed]
        assert times == sorted(times)
        for job_id in sorted(self.delayed, key=lambda i: (due_ms[i], i)):
            self.jobs[job_id].move_to(_S.DISPATCHED)
            self.queue.append(job_id)
        self.delayed.clear()

    # -- actors --------------------------------------------------------------------------------------------------------

    def take(self, incarnation: str) -> None:
        """Move the first id of the queue to a claimed list, as BLMOVE does."""
        self.claimed[incarnation].append(self.queue.popleft())

    def settle(self, incarnation: str, claimed: ClaimedJob, outcome: str) -> bool:
        """Settle a job as "finished", "error", "retry" or "crash". Return False if the settlement is refused."""
        job = self.jobs[claimed.id]
        held = self._is_holder(incarnation, claimed)
        if held and claimed.id in self.claimed[incarnation]:
            self.claimed[incarnation].remove(claimed.id)
        if held and job.status in (_S.STARTED, _S.STOPPING):
            if outcome in ("retry", "crash") and job.status is _S.STOPPING:
                job.move_to(_S.STOPPED)
            elif outcome == "retry":
                job.move_to(_S.SCHEDULED)
                job.owner = None
                self.delayed.append(claimed.id)
            elif outcome == "crash":
                self._charge(claimed.id)
            else:
                job.move_to(_S.FINISHED if outcome == "finished" else _S.ERROR)
            return True
        return held and job.status.terminal

    def claim(self, incarnation: str, most: int) -> list[tuple[str, int]]:
        """Claim jobs: first those in the claimed list, then from the queue. Return id and attempt of each."""
        mine = self.claimed[incarnation]
        ids = mine[:most]
        while len(ids) < most and self.queue:
            ids.append(self.queue.popleft())
            mine.append(ids[-1])
        given: list[tuple[str, int]] = []
        for job_id in ids:
            job = self.jobs[job_id]
            if job.status is _S.STOPPING and job.owner == owner(incarnation):
                job.move_to(_S.STOPPED)  # it was claimed, and stopped before it could start
            again = job.status is _S.STARTED and job.owner == owner(incarnation)
            if job.status is _S.DISPATCHED:
                job.move_to(_S.STARTED)
                job.owner, job.attempt = owner(incarnation), job.attempt + 1
            elif not again or (job_id, job.attempt) in given:
                mine.remove(job_id)
                continue
            given.append((job_id, job.attempt))
        return given

    def release(self, incarnation: str, jobs: list[ClaimedJob]) -> int:
        """Hand jobs back to the head of the queue; return how many were still held."""
        handed_back = 0
        for claimed in reversed(jobs):
            job = self.jobs[claimed.id]
            if not self._is_holder(incarnation, claimed) or job.status not in (_S.STARTED, _S.STOPPING):
                continue
            self.claimed[incarnation].remove(claimed.id)
            if job.status is _S.STOPPING:
                job.move_to(_S.STOPPED)
                continue
            job.move_to(_S.DISPATCHED)
            job.owner = None
            self.queue.appendleft(claimed.id)
            handed_back += 1
        return handed_back

    def recover(self, incarnation: str) -> None:
        """Hand back everything that an incarnation holds; it leaves, or it was declared dead. No job is charged."""
        for job_id in reversed(self.claimed[incarnation]):
            job = self.jobs[job_id]
            if job.status is _S.STARTED and job.owner == owner(incarnation):
                job.move_to(_S.DISPATCHED)
                job.owner = None
                self.queue.appendleft(job_id)
            elif job.status is _S.STOPPING and job.owner == owner(incarnation):
                job.move_to(_S.STOPPED)
            elif job.status is _S.DISPATCHED:
                self.queue.appendleft(job_id)
        self.claimed[incarnation] = []

    def _charge(self, job_id: str) -> None:
        """A job has ended the process that it ran in alone."""
        job = self.jobs[job_id]
        job.redeliveries += 1
        if job.redeliveries > self._max_redeliveries:
            job.move_to(_S.ERROR)
        else:
            job.move_to(_S.DISPATCHED)
            job.owner = None
            self.queue.appendleft(job_id)

    def _is_holder(self, incarnation: str, claimed: ClaimedJob) -> bool:
        job = self.jobs[claimed.id]
        return job.owner == owner(incarnation) and str(job.attempt) == claimed.attempt


def owner(incarnation: str) -> str:
    """Return the name by which a job refers to the lane of an incarnation."""
    return f"{incarnation}/0"
