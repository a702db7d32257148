"""A lane that a test plays: it claims jobs, settles them, and remembers the jobs that it holds."""

from __future__ import annotations

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorOperations, ClaimedJob, Settlement


class Lane:
    """Lane 0 of an incarnation."""

    def __init__(self, store: Store, actor: ActorOperations) -> None:
        self.store = store
        self.actor = actor
        self._held: set[str] = set()

    def claim(self, most: int = 100) -> list[ClaimedJob]:
        """Take a turn that settles nothing; return the new jobs. A real lane does not claim while it holds jobs."""
        jobs = self.store.run(self.actor.turn(0, [], most + len(self._held))).jobs
        new = [job for job in jobs if job.id not in self._held]
        self._held |= {job.id for job in new}
        return new

    def claim_ids(self, most: int = 100) -> list[str]:
        """Take a turn that settles nothing; return the ids of the new jobs."""
        return [job.id for job in self.claim(most)]

    def finish(self, *jobs: ClaimedJob, output: str = "42") -> list[str]:
        """Settle jobs as finished; return the ids of those that were refused."""
        self._held -= {j.id for j in jobs}
        done = [Settlement(j.id, j.attempt, JobStatus.FINISHED, output) for j in jobs]
        return self.store.run(self.actor.turn(0, done, 0)).refused

    def fail(self, job: ClaimedJob, kind: str = "oops", *, retry_in_s: float | None = None) -> None:
        """Settle a job as failed."""
        self._held.discard(job.id)
        failed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", error_kind=kind)
        failed.retry_in_s = retry_in_s
        self.store.run(self.actor.turn(0, [failed], 0))

    def stop(self, job: ClaimedJob) -> None:
        """Settle a job as stopped."""
        self._held.discard(job.id)
        stopped = Settlement(job.id, job.attempt, JobStatus.STOPPED, error="stopped", error_kind="stopped")
        self.store.run(self.actor.turn(0, [stopped], 0))

    def work_off(self) -> list[str]:
        """Run jobs until none is left; return their ids in order."""
        ids: list[str] = []
        while jobs := self.claim(1):
            ids += [job.id for job in jobs]
            self.finish(*jobs, output=f"out of {jobs[0].id}")
        return ids
