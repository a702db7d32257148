"""The methods that concern many jobs at once: batches, waits for them, dead letters, clearing the store.

Invariant: what becomes of one job never hides what becomes of the others; each has its own end or refusal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hero_job.model.errors import HeroJobError, JobInvalid, JobNotFound, JobStateError, StoreError, WaitTimeout
from hero_job.model.job import Job, JobLimits
from hero_job.model.views import JobRecord
from hero_supervisor.rpc.methods import results
from hero_supervisor.rpc.methods.shapes import BatchId, JobId, JobObject
from hero_supervisor.rpc.protocol import error_codes as errors
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Most jobs of one call: a message of them still fits the transports, and its answer too.
MAX_JOBS: Final = 10_000
#: Jobs looked at, waited for or deleted side by side. All of a wait must end, so more waiters would gain nothing.
WIDTH: Final = 32

_STORE: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
_Jobs = Annotated[list[JobObject], Field(max_length=MAX_JOBS, description="Jobs; they may name each other.")]
_Timeout = Annotated[float, Field(ge=0, description="Longest wait in seconds.")]


class BatchMethods:
    """What is offered over JSON-RPC on many jobs.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """

    def __init__(self, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
        self._supervisor = supervisor
        self._limits = limits

    async def create_jobs(self, jobs: _Jobs, start: bool = True, batch_id: BatchId | None = None) -> results.BatchMade:
        """Create many jobs as one batch, by default start them, and return their ids.

        A job that is not accepted is listed with its error; the others are created.
        """
        made, _ = await self._create(jobs, start, batch_id)
        return made

    async def run_jobs(
        self,
        jobs: _Jobs,
        timeout: _Timeout | None = None,  # noqa: ASYNC109  # the clients' word; it bounds a wait in the store
        batch_id: BatchId | None = None,
    ) -> results.BatchRun:
        """Create and start many jobs as one batch, wait for their ends, return the output or the error of each.

        Without a timeout it waits for the longest of the jobs' timeouts and 60 seconds more. When the time is up `done`
        is false and the jobs go on: wait_jobs waits for the rest.
        """
        made, created = await self._create(jobs, True, batch_id)
        if timeout is None:
            from hero_client.calls import QUEUE_ALLOWANCE_S

            timeout = max((job.timeout for job in created), default=0.0) + QUEUE_ALLOWANCE_S
        ends = await self._await(made["job_ids"], timeout)
        return {
            "batch_id": made["batch_id"],
            "done": _all_ended(ends),
            "jobs": ends,
            "refused": made["refused"],
        }

    async def wait_jobs(
        self,
        job_ids: Annotated[list[JobId], Field(max_length=MAX_JOBS)] | None = None,
        batch_id: BatchId | None = None,
        timeout: _Timeout = 60.0,  # noqa: ASYNC109  # as above
    ) -> results.Waited:
        """Wait until all of some jobs, or of a batch, have ended; when the time is up before, `done` is false.

        Of jobs it returns the output or the error of each, of a batch how many ended how.
        """
        if (job_ids is None) == (batch_id is None):
            raise JobInvalid("job_ids", "give either job_ids or batch_id")
        if batch_id is not None:
            batch = await self._await_batch(batch_id, timeout)
            return {"done": batch["open"] <= 0, "jobs": [], "batch": batch}
        ends = await self._await(job_ids or [], timeout)
        return {"done": _all_ended(ends), "jobs": ends, "batch": None}

    async def get_batch(self, batch_id: BatchId) -> results.BatchView:
        """Return how many jobs of a batch have ended, and how."""
        batch = await self._supervisor.get_batch(batch_id)
        if batch is None:
            raise errors.batch_not_found(batch_id)
        return results.batch_view(batch)

    async def list_dead(
        self, first: Annotated[int, Field(ge=0)] = 0, count: Annotated[int, Field(ge=1, le=1000)] = 100
    ) -> results.DeadList:
        """Return the dead letters, jobs that ended in error for good: `count` of them, the newest first."""
        letters = await self._supervisor.list_dead(first, count)
        records: dict[str, JobRecord] = {}

        async def read(job_id: str) -> None:
            try:
                records[job_id] = await self._supervisor.get_job(job_id)
            except StoreError:
                raise
            except HeroJobError:
                pass  # past its retention, or damaged: the letter itself is shown

        await _each([letter.job_id for letter in letters], read)
        return {
            "dead": [results.dead_view(letter, records.get(letter.job_id)) for letter in letters],
            "total": await self._supervisor.count_dead(),
        }

    async def retry_dead(self) -> results.Retried:
        """Run all dead letters again, each as retry_job does; at most 10,000 in a call."""
        return {"retried": await self._supervisor.retry_all_dead()}

    async def purge_dead(self) -> results.Purged:
        """Delete all dead letters with their jobs; at most 10,000 in a call."""
        return {"purged": await self._supervisor.purge_dead()}

    async def clear_all_jobs(self) -> results.Cleared:
        """Delete all jobs that do not run, of all callers; those that run are counted and left."""
        running: set[str] = set()
        deleted = 0

        async def delete(job_id: str) -> None:
            nonlocal deleted
            try:
                await self._supervisor.delete_job(job_id)
                deleted += 1
            except JobStateError:
                running.add(job_id)
            except JobNotFound:
                pass  # seen on an earlier page, or gone by itself

        cursor = ""
        while True:
            page = await self._supervisor.list_jobs(cursor, 500)
            await _each([*(r.job.id for r in page.records), *(job_id for job_id, _ in page.damaged)], delete)
            cursor = page.cursor
            if not cursor:
                return {"deleted": deleted, "running": len(running)}

    async def _create(
        self, jobs: Sequence[dict[str, Any]], start: bool, batch_id: str | None
    ) -> tuple[results.BatchMade, list[Job]]:
        accepted: list[Job] = []
        index_of: dict[str, int] = {}
        refused: list[results.RefusedJob] = []
        for index, fields in enumerate(jobs):
            try:
                job = Job.from_fields(fields, self._limits)
                if job.unique_key is not None:
                    # The batch would wait for a job that was never created when the key is taken.
                    raise JobInvalid("unique_key", "a job of a batch cannot have one: create it by itself")
                accepted.append(job)
                index_of[job.id] = index
            except JobInvalid as e:
                given = fields.get("id", fields.get("jobId"))
                refused.append(results.refused_view(index, given if isinstance(given, str) else None, e))
        if refused and not accepted:
            return {"batch_id": None, "job_ids": [], "refused": refused}, []
        made = await self._supervisor.create_jobs(accepted, start=start, batch_id=batch_id)
        refused += [results.refused_view(index_of[job_id], job_id, e) for job_id, e in made.refused.items()]
        refused.sort(key=lambda one: one["index"])
        return {"batch_id": made.batch_id, "job_ids": list(made.job_ids), "refused": refused}, accepted

    async def _await(self, job_ids: Sequence[str], wait_s: float) -> list[results.JobEnd]:
        deadline_mono = time.monotonic() + wait_s
        store, operations = self._supervisor.store, self._supervisor.operations
        ends: dict[str, results.JobEnd] = {}

        async def wait(job_id: str) -> None:
            try:
                reply = await store.wait_reply(operations, job_id, max(0.0, deadline_mono - time.monotonic()))
                ends[job_id] = results.end_view(reply)
            except WaitTimeout:
                ends[job_id] = results.open_view(job_id, (await self._supervisor.get_job_status(job_id)).value)
            except StoreError:
                raise
            except HeroJobError as e:
                ends[job_id] = results.open_view(job_id, None, e)

        await _each(list(dict.fromkeys(job_ids)), wait)
        return [ends[job_id] for job_id in job_ids]

    async def _await_batch(self, batch_id: str, wait_s: float) -> results.BatchView:
        try:
            return results.batch_view(await self._supervisor.await_batch(batch_id, wait_s))
        except WaitTimeout:
            return await self.get_batch(batch_id)
        except JobNotFound as e:
            raise errors.batch_not_found(batch_id) from e


def _all_ended(ends: Sequence[results.JobEnd]) -> bool:
    return all(end["output"] is not None or end["error"] is not None for end in ends)


async def _each(job_ids: Sequence[str], do: Any) -> None:
    """Do something for each id, `WIDTH` of them side by side; the first error ends all."""
    waiting: Iterator[str] = iter(job_ids)

    async def work() -> None:
        for job_id in waiting:
            await do(job_id)

    workers = [asyncio.ensure_future(work()) for _ in job_ids[:WIDTH]]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
    """Offer the methods on many jobs."""
    methods = BatchMethods(supervisor, limits)
    add = dispatcher.register
    add("create_jobs", methods.create_jobs, error_codes=_STORE)
    add("run_jobs", methods.run_jobs, error_codes=_STORE)
    add("wait_jobs", methods.wait_jobs, error_codes=(ErrorCode.BATCH_NOT_FOUND, *_STORE))
    add("get_batch", methods.get_batch, error_codes=(ErrorCode.BATCH_NOT_FOUND, *_STORE))
    add("list_dead", methods.list_dead, error_codes=_STORE)
    add("retry_dead", methods.retry_dead, error_codes=_STORE)
    add("purge_dead", methods.purge_dead, error_codes=_STORE)
    add("clear_all_jobs", methods.clear_all_jobs, error_codes=_STORE)
