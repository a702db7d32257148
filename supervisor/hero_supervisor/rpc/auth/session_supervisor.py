"""The supervisor that all methods use: it does for the current connection only what that connection may do.

Invariants, no matter which method creates a job: a bound connection creates no job of another context or caller; and no
job is created over JSON-RPC if the rights do not allow it or one of its signatures is wrong; and each job is created
with the reach of its connection, which is made only here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hero_client import AsyncSupervisor
from hero_client.calls import wait_length_s
from hero_config.model.settings import RpcSettings
from hero_job import Job
from hero_job.model.fields.spellings import CAMEL_CASE
from hero_job.model.overview.pages import ListPage, SearchPage
from hero_job.model.reach import Reach
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord
from hero_job.operations import batches
from hero_job.operations.batches import BatchCreated
from hero_job.operations.flow import FEW
from hero_job.operations.schedules import Schedule
from hero_job.tracing.sending import Sending, sending
from hero_supervisor.rpc.auth.rights import Rights
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession, current
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

if TYPE_CHECKING:
    from hero_job.tracing.job_tracer import JobTracer

# Verifying a signature takes 50 us; after so many other connections get a turn.
_SIGNATURES_PER_TURN: Final = 100


class SessionSupervisor(AsyncSupervisor):
    """A supervisor that checks the current session before it acts.

    Args:
        supervisor: Its store and limits are used.
        settings: Rights, and the contexts whose jobs must be signed.
        tracer: Records the spans of the jobs that it creates; None if none are recorded.
    """

    def __init__(self, supervisor: AsyncSupervisor, settings: RpcSettings, tracer: JobTracer | None = None) -> None:
        super().__init__(supervisor.store, supervisor.operations, supervisor.limits)
        self._rights = Rights(settings)
        self._tracer = tracer
        self._masks = frozenset(settings.reader_masks)

    async def get_job(self, job_id: str) -> JobRecord:
        """As `AsyncSupervisor.get_job`; readers see some fields masked."""
        return self._shown(await super().get_job(job_id))

    async def list_jobs(self, *args: Any, **kwargs: Any) -> ListPage:
        """As `AsyncSupervisor.list_jobs`; readers see some fields masked."""
        return self._shown_page(await super().list_jobs(*args, **kwargs))

    async def list_waiting(self, *args: Any, **kwargs: Any) -> ListPage:
        """As `AsyncSupervisor.list_waiting`; readers see some fields masked."""
        return self._shown_page(await super().list_waiting(*args, **kwargs))

    async def list_delayed(self, *args: Any, **kwargs: Any) -> ListPage:
        """As `AsyncSupervisor.list_delayed`; readers see some fields masked."""
        return self._shown_page(await super().list_delayed(*args, **kwargs))

    async def list_blocked(self, *args: Any, **kwargs: Any) -> ListPage:
        """As `AsyncSupervisor.list_blocked`; readers see some fields masked."""
        return self._shown_page(await super().list_blocked(*args, **kwargs))

    async def list_active(self, *args: Any, **kwargs: Any) -> ListPage:
        """As `AsyncSupervisor.list_active`; readers see some fields masked."""
        return self._shown_page(await super().list_active(*args, **kwargs))

    async def search_jobs(self, *args: Any, **kwargs: Any) -> SearchPage:
        """As `AsyncSupervisor.search_jobs`; readers see some fields masked."""
        page = await super().search_jobs(*args, **kwargs)
        return dataclasses.replace(page, records=tuple(map(self._shown, page.records)))

    async def list_schedules(self) -> list[Schedule]:
        """As `AsyncSupervisor.list_schedules`; readers see some fields masked."""
        schedules = await super().list_schedules()
        if not self._masks_apply():
            return schedules
        return [
            dataclasses.replace(
                one, job={k: _masked(v) if CAMEL_CASE.get(k, k) in self._masks else v for k, v in one.job.items()}
            )
            for one in schedules
        ]

    def _masks_apply(self) -> bool:
        return bool(self._masks) and current().scope is Scope.READ

    def _shown_page(self, page: ListPage) -> ListPage:
        if not self._masks_apply():
            return page
        jobs = tuple(dataclasses.replace(job, record=self._shown(job.record)) for job in page.jobs)
        return dataclasses.replace(page, jobs=jobs)

    def _shown(self, record: JobRecord) -> JobRecord:
        if not self._masks_apply():
            return record
        changes = {name: _masked(value) for name in self._masks if (value := getattr(record.job, name))}
        return dataclasses.replace(record, job=dataclasses.replace(record.job, **changes)) if changes else record

    async def create_job(self, job: Job) -> str:
        """As `AsyncSupervisor.create_job`."""
        return await self._create(job, start=False)

    async def submit_job(self, job: Job) -> str:
        """As `AsyncSupervisor.submit_job`."""
        return await self._create(job, start=True)

    async def run_job_and_await_result(self, job: Job, wait_s: float | None = None) -> str:
        """As `AsyncSupervisor.run_job_and_await_result`."""
        session = current()
        if self._tracer is not None or session.traceparent is not None:
            # The span of the submission ends before the wait.
            return await self.await_result(await self.submit_job(job), wait_length_s(job, wait_s))
        checked = self._checked(session, job)
        submit = self.operations.create(checked, start=True, reach=self._reach(session, checked))
        return (await self.store.run_job(self.operations, submit, checked.id, wait_length_s(job, wait_s))).result()

    async def create_jobs(
        self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
    ) -> BatchCreated:
        """As `AsyncSupervisor.create_jobs`; if one job may not be created, none is."""
        session = current()
        with sending(self._tracer, session.traceparent, is_start=start, is_batch=True) as spans:
            return await self._create_many(session, jobs, spans, start=start, batch_id=batch_id)

    async def _create_many(
        self, session: RpcSession, jobs: Sequence[Job], spans: Sending, *, start: bool, batch_id: str | None
    ) -> BatchCreated:
        checked: list[Job] = []
        signed = 0
        for job in jobs:
            checked.append(spans.add(self._checked(session, job)))
            signed += len(job.signatures)
            if signed >= _SIGNATURES_PER_TURN or len(checked) % FEW == 0:
                signed = 0
                await asyncio.sleep(0)
        flow = batches.create_jobs(
            self.operations,
            checked,
            start=start,
            batch_id=batch_id,
            reach_of=functools.partial(self._reach, session),
        )
        return await self.store.drive(flow)

    async def put_schedule(self, schedule: Schedule) -> int:
        """As `AsyncSupervisor.put_schedule`."""
        session = current()
        job = schedule.job_at(0)
        if session.bound(job):
            text = "the job of a schedule must name the caller and the context of this connection"
            raise session.refused("schedule", text, "give caller_id and context_id in the job")
        if job.signatures or self._rights.must_be_signed(job):
            text = "the jobs of a schedule cannot be signed, because each has its own id"
            hint = "leave the signatures out, and schedule the job in a context that requires none"
            self._log(session, job, "signature_of_schedule")
            raise RpcError(ErrorCode.SIGNATURE_REFUSED, text, kind="signature_of_schedule", hint=hint)
        if job.dependents and self._rights.require_signatures:
            # A tick has no connection whose rules could hold it to signed jobs.
            text = "the jobs of a schedule cannot be added before other jobs, because those may be signed"
            hint = "leave dependents out"
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

    async def _create(self, job: Job, *, start: bool) -> str:
        session = current()
        checked = self._checked(session, job)
        with sending(self._tracer, session.traceparent, is_start=start) as spans:
            checked = spans.add(checked)
            reach = self._reach(session, checked)
            return await self.store.run(self.operations.create(checked, start=start, reach=reach))

    def _reach(self, session: RpcSession, job: Job) -> Reach | None:
        if session.owner is None and not self._rights.require_signatures:
            return None
        return Reach(
            caller_id=session.owner,
            signed_inputs=self._rights.must_be_signed(job),
            guards_signed=self._rights.require_signatures,
        )

    def _checked(self, session: RpcSession, job: Job) -> Job:
        changes = session.bound(job)
        if changes:
            job = dataclasses.replace(job, **changes)
        self._check(session, job)
        return job

    def _check(self, session: RpcSession, job: Job) -> None:
        try:
            self._rights.check(job)
        except RpcError as e:
            self._log(session, job, str(e.data["kind"]))
            raise

    def _log(self, session: RpcSession, job: Job, what: str) -> None:
        facts = {"job": job.id, "caller": job.caller_id[:200], "context": job.context_id[:200]}
        session.gate.log_refusal(session, what, script_type=job.script_type.value, **facts)

    async def _check_owner(self, job_id: str) -> None:
        session = current()
        if session.owner is not None and (await self.get_job(job_id)).job.caller_id != session.owner:
            text = "this job belongs to another caller"
            raise session.refused(f"job {job_id}", text, "ask the operator for the scope 'admin'")


def _masked(value: Any) -> Any:
    return dict.fromkeys(value, "***") if isinstance(value, Mapping) else "***"
