"""The supervisor that does for each connection only what that one may do: what every transport's methods call.

Invariants: over a bound connection no job of another context or caller is created, whatever method creates it; and no
job is created over JSON-RPC that the rights do not allow, or whose signatures are wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Final

from hero_client import AsyncSupervisor
from hero_config.model.settings import RpcSettings
from hero_job import Job
from hero_job.model.status import JobStatus
from hero_job.operations.batches import BatchCreated
from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.auth.rights import Rights
from hero_supervisor.rpc.auth.session import Session, current
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

# The check of a signature takes 50 us: after so many signed jobs others get their turn.
_SIGNED_AT_ONCE: Final = 32


class SessionSupervisor(AsyncSupervisor):
    """A supervisor that does for the current session only what that one may do.

    Args:
        supervisor: Does it.
        settings: Rights, and the contexts whose jobs must be signed.
    """

    def __init__(self, supervisor: AsyncSupervisor, settings: RpcSettings) -> None:
        super().__init__(supervisor.store, supervisor.operations, supervisor.limits)
        self._rights = Rights(settings)

    async def create_job(self, job: Job) -> str:
        """As `AsyncSupervisor.create_job`."""
        return await super().create_job(self._held(current(), job))

    async def submit_job(self, job: Job) -> str:
        """As `AsyncSupervisor.submit_job`."""
        return await super().submit_job(self._held(current(), job))

    async def create_jobs(
        self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
    ) -> BatchCreated:
        """As `AsyncSupervisor.create_jobs`; one job that may not be created keeps all from being created."""
        session = current()
        held: list[Job] = []
        signed = 0
        for job in jobs:
            held.append(self._held(session, job))
            if job.signatures:
                signed += 1
                if signed % _SIGNED_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return await super().create_jobs(held, start=start, batch_id=batch_id)

    async def put_schedule(self, schedule: Schedule) -> int:
        """As `AsyncSupervisor.put_schedule`."""
        session = current()
        job = schedule.job_at(0)
        if session.bound(job):
            raise session.refused("schedule", "this schedule's job is of no caller or context", "name them in the job")
        if job.signatures or self._rights.must_be_signed(job):
            text = "the jobs of a schedule cannot be signed: each has an id of its own"
            hint = "schedule it in a context whose jobs need no signature, and without one"
            self._log(session, job, "signature_of_schedule")
            raise RpcError(ErrorCode.SIGNATURE_REFUSED, text, kind="signature_of_schedule", hint=hint)
        self._check(session, job)
        return await super().put_schedule(schedule)

    async def start_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.start_job`."""
        await self._check_owner(job_id)
        await super().start_job(job_id)

    async def stop_job(self, job_id: str) -> JobStatus:
        """As `AsyncSupervisor.stop_job`."""
        await self._check_owner(job_id)
        return await super().stop_job(job_id)

    async def retry_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.retry_job`."""
        await self._check_owner(job_id)
        await super().retry_job(job_id)

    async def delete_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.delete_job`."""
        await self._check_owner(job_id)
        await super().delete_job(job_id)

    def _held(self, session: Session, job: Job) -> Job:
        changes = session.bound(job)
        if changes:
            job = dataclasses.replace(job, **changes)
        self._check(session, job)
        return job

    def _check(self, session: Session, job: Job) -> None:
        try:
            self._rights.check(job)
        except RpcError as e:
            self._log(session, job, str(e.data["kind"]))
            raise

    def _log(self, session: Session, job: Job, what: str) -> None:
        facts = {"job": job.id, "caller": job.caller_id[:200], "context": job.context_id[:200]}
        session.gate.log_refusal(session, what, script_type=job.script_type.value, **facts)

    async def _check_owner(self, job_id: str) -> None:
        session = current()
        if session.owner is not None and (await self.get_job(job_id)).job.caller_id != session.owner:
            text = "this job is another caller's"
            raise session.refused(f"job {job_id}", text, "this takes the scope 'admin'")
