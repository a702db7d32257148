"""The methods on many jobs: create, run and wait for batches, dead letters, delete all jobs.

Invariant: the failure of one job never hides the outcome of the others; each has its own result or error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hero_job.model.errors import HeroJobError, JobInvalid, JobNotFound, JobStateError, StoreError, WaitTimeout
from hero_job.model.fields.spellings import FOREIGN_NAME
from hero_job.model.job import Job, JobLimits
from hero_job.model.status import TERMINAL
from hero_job.model.views import JobRecord
from hero_job.operations.flow import FEW
from hero_job.operations.overview.batch_list import MAX_BATCH_PAGE
from hero_supervisor.rpc.methods import results
from hero_supervisor.rpc.methods.job_shapes import JobObject
from hero_supervisor.rpc.methods.overview import list_shapes
from hero_supervisor.rpc.methods.shapes import BatchId, JobIds
from hero_supervisor.rpc.protocol import rpc_errors
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Most jobs in one call: their request and their answer still fit into one message.
MAX_JOBS: Final = 10_000
#: Jobs read, waited for or deleted concurrently. A wait ends when all jobs have ended, so more waiters gain nothing.
WIDTH: Final = 32

_Jobs = Annotated[
    list[JobObject],
    Field(fail_fast=True, max_length=MAX_JOBS, description="Jobs; they may be prerequisites of each other."),
]
_Timeout = Annotated[float, Field(ge=0, description="Longest wait in seconds.")]


class BatchMethods:
    """The methods on many jobs.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """

    def __init__(self, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
        self._supervisor = supervisor
        self._limits = limits

    async def create_jobs(self, jobs: _Jobs, start: bool = True, batch_id: BatchId | None = None) -> results.BatchMade:
        """Create many jobs as one batch, start them unless told otherwise, and return their ids.

        A job that is refused is listed with its error; the others are created.
        """
        made, _ = await self._create(jobs, start, batch_id)
        return made

    async def run_jobs(
        self,
        jobs: _Jobs,
        timeout: _Timeout | None = None,  # noqa: ASYNC109  # the name on the wire; it bounds a wait in the store
        batch_id: BatchId | None = None,
    ) -> results.BatchRun:
        """Create and start many jobs as one batch, wait until all have ended, and return each output or error.

        Without a timeout, the call waits for the longest timeout of the jobs and another 60 seconds. If the time runs
        out, `done` is false and the jobs go on; call wait_jobs to wait for the rest.
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
        job_ids: JobIds | None = None,
        batch_id: BatchId | None = None,
        timeout: _Timeout = 60.0,  # noqa: ASYNC109  # as above
    ) -> results.Waited:
        """Wait until some jobs, or all jobs of a batch, have ended; if the time runs out, `done` is false.

        Given job_ids, it returns each output or error; given batch_id, it returns how many jobs are in which state.
        """
        if (job_ids is None) == (batch_id is None):
            raise JobInvalid("job_ids", "give either job_ids or batch_id")
        if batch_id is not None:
            batch = await self._await_batch(batch_id, timeout)
            return {"done": batch["open"] <= 0, "jobs": [], "batch": batch}
        ends = await self._await(job_ids or [], timeout)
        return {"done": _all_ended(ends), "jobs": ends, "batch": None}

    async def get_batch(self, batch_id: BatchId) -> results.BatchView:
        """Return how many jobs of a batch are open, finished, failed and stopped."""
        batch = await self._supervisor.get_batch(batch_id)
        if batch is None:
            raise rpc_errors.batch_not_found(batch_id)
        return results.batch_view(batch)

    async def list_batches(
        self,
        cursor: Annotated[str, Field(max_length=30, description='Cursor of the last page; "" for the first.')] = "",
        count: Annotated[int, Field(ge=1, le=MAX_BATCH_PAGE)] = 100,
    ) -> list_shapes.BatchList:
        """Return up to `count` batches, the newest first; repeat with the returned cursor until it is empty.

        The newest 10,000 batches are listed, until a week after they have ended. A page may be empty although more
        follow.
        """
        return list_shapes.batch_list(await self._supervisor.list_batches(cursor, count))

    async def list_dead(
        self, first: Annotated[int, Field(ge=0)] = 0, count: Annotated[int, Field(ge=1, le=1000)] = 100
    ) -> results.DeadList:
        """Return `count` dead letters, the jobs that have failed permanently, newest first."""
        letters = await self._supervisor.list_dead(first, count)
        records: dict[str, JobRecord] = {}

        async def read(job_id: str) -> None:
            try:
                records[job_id] = await self._supervisor.get_job(job_id)
            except StoreError:
                raise
            except HeroJobError:
                pass  # the job has expired or is damaged; the dead letter is still listed

        await _each([letter.job_id for letter in letters], read)
        return {
            "dead": [results.dead_view(letter, records.get(letter.job_id)) for letter in letters],
            "total": await self._supervisor.count_dead(),
        }

    async def retry_dead(self) -> results.Retried:
        """Run dead letters again, each as retry_job does; at most 10,000 per call."""
        return {"retried": await self._supervisor.retry_all_dead()}

    async def purge_dead(self) -> results.Purged:
        """Delete dead letters together with their jobs; at most 10,000 per call."""
        return {"purged": await self._supervisor.purge_dead()}

    async def clear_all_jobs(self) -> results.Cleared:
        """Delete all jobs of all callers that are not running; running jobs are only counted."""
        return await clear_jobs(self._supervisor)

    async def _create(
        self, jobs: Sequence[dict[str, Any]], start: bool, batch_id: str | None
    ) -> tuple[results.BatchMade, list[Job]]:
        accepted: list[Job] = []
        index_of: dict[str, int] = {}
        refused: list[results.RefusedJob] = []
        for index, fields in enumerate(jobs):
            if index % FEW == 0:
                await asyncio.sleep(0)
            try:
                job = Job.from_fields(fields, self._limits)
                if job.unique_key is not None:
                    # If the key is taken, the job is not created, and the batch would wait for it forever.
                    raise JobInvalid("unique_key", "a job of a batch cannot have one; create the job on its own")
                accepted.append(job)
                index_of[job.id] = index
            except JobInvalid as e:
                given = fields.get("id", fields.get(FOREIGN_NAME["id"]))
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
            raise rpc_errors.batch_not_found(batch_id) from e


async def clear_jobs(supervisor: AsyncSupervisor) -> results.Cleared:
    """Delete all jobs of all callers that are not running; count those that are."""
    running: set[str] = set()
    deleted = 0

    async def delete(job_id: str) -> None:
        nonlocal deleted
        try:
            await supervisor.delete_job(job_id)
            deleted += 1
        except JobStateError:
            running.add(job_id)
        except JobNotFound:
            pass  # deleted from an earlier page, or expired

    cursor = ""
    while True:
        page = await supervisor.walk_jobs(cursor, 500)
        await _each([*(r.job.id for r in page.records), *(job_id for job_id, _ in page.damaged)], delete)
        cursor = page.cursor
        if not cursor:
            return {"deleted": deleted, "running": len(running)}


def _all_ended(ends: Sequence[results.JobEnd]) -> bool:
    # An actor of another program may have written no output.
    return all(end["error"] is not None or end["status"] in TERMINAL for end in ends)


async def _each(job_ids: Sequence[str], do: Callable[[str], Awaitable[None]]) -> None:
    """Call `do` with each id, `WIDTH` calls concurrently; the first error ends all of them."""
    waiting: Iterator[str] = iter(job_ids)

    async def do_next() -> None:
        for job_id in waiting:
            await do(job_id)

    running = [asyncio.ensure_future(do_next()) for _ in job_ids[:WIDTH]]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
    """Register the methods on many jobs."""
    methods = BatchMethods(supervisor, limits)
    add = dispatcher.register
    add("create_jobs", methods.create_jobs, error_codes=STORE_CODES)
    add("run_jobs", methods.run_jobs, error_codes=STORE_CODES)
    add("wait_jobs", methods.wait_jobs, error_codes=(ErrorCode.BATCH_NOT_FOUND, *STORE_CODES))
    add("get_batch", methods.get_batch, error_codes=(ErrorCode.BATCH_NOT_FOUND, *STORE_CODES))
    add("list_batches", methods.list_batches, error_codes=STORE_CODES)
    add("list_dead", methods.list_dead, error_codes=STORE_CODES)
    add("retry_dead", methods.retry_dead, error_codes=STORE_CODES)
    add("purge_dead", methods.purge_dead, error_codes=STORE_CODES)
    add("clear_all_jobs", methods.clear_all_jobs, error_codes=STORE_CODES)
