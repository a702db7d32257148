"""A store, a lane, and jobs that use one feature each, for the table of two features together."""

from __future__ import annotations

import dataclasses

from hero_job import Job, ScriptType
from hero_job.client.store import Store
from hero_job.operations.batches import purge_queue
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane


class Scene:
    """A store, a lane, and jobs that use one feature each."""

    def __init__(self, store: Store, operations: Operations, lane: Lane, make_job: MakeJob) -> None:
        self.store, self.operations, self.lane, self.make_job = store, operations, lane, make_job

    def job(self, job_id: str, *features: str) -> Job:
        job = self.make_job(id=job_id)
        if "schedule" in features:
            fields = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}
            job = Schedule(name=job_id, job=fields, interval_s=60).job_at(60_000)
        if "unique" in features:
            job = dataclasses.replace(job, unique_key="u")
        if "rate" in features:
            job = dataclasses.replace(job, rate_key="r", rate_max=1, rate_window_s=3600)
        if "concurrency" in features:
            job = dataclasses.replace(job, concurrency_key="c", concurrency_max=1)
        if "batch" in features:
            job = dataclasses.replace(job, batch="b")
        if "prerequisites" in features:
            job = dataclasses.replace(job, prerequisites=("P",))
        return job

    def create(self, job_id: str, *features: str, start: bool = True) -> str:
        return self.store.run(self.operations.create(self.job(job_id, *features), start=start))

    def status(self, job_id: str) -> str:
        return self.store.run(self.operations.status(job_id)).value

    def run(self, job_id: str, *, fails: bool = False) -> None:
        """Claim and settle one job."""
        (job,) = self.lane.claim(1)
        assert job.id == job_id
        if fails:
            self.lane.fail(job)
        else:
            self.lane.finish(job)

    def work_off(self) -> list[str]:
        """Run jobs until the queue is empty; ids of ended jobs in it give turns without a job."""
        ids: list[str] = []
        while self.store.run(self.operations.admin.queue_length(ScriptType.OSIS)):
            jobs = self.lane.claim()
            self.lane.finish(*jobs)
            ids += [job.id for job in jobs]
        return ids

    def do(self, event: str, job_id: str) -> None:
        """Let something happen to a queued job."""
        match event:
            case "stop":
                self.store.run(self.operations.stop(job_id))
            case "delete":
                self.store.run(self.operations.delete(job_id))
            case "purge":
                self.store.drive(purge_queue(self.operations, ScriptType.OSIS))
            case "expire":
                self.store.run(Op(("ZADD", self.operations.keys.expiring, 1, job_id), int))
                self.store.run(self.operations.admin.promote())
            case "dead letter":
                self.run(job_id, fails=True)
            case _:
                self.store.run(self.operations.stop(job_id))
                self.store.run(self.operations.retry(job_id))

    def open(self) -> int:
        batch = self.store.run(self.operations.batch("b"))
        assert batch is not None
        return batch.open

    def dead(self) -> list[str]:
        return [letter.job_id for letter in self.store.run(self.operations.admin.dead())]
