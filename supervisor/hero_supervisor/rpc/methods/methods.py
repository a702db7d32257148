"""The methods on single jobs and on the service, and the registration of all methods.

Typed asynchronous functions over ``AsyncSupervisor``; those on many jobs are in ``batches.py``, on queues, actors and
schedules in ``queues.py``, under the names of the newer Rust supervisor in ``aliases.py``. They turn parameters into
jobs and records into plain objects; everything else is the supervisor's. Errors of the job package pass through them:
the dispatcher gives each its code. Invariant: no method knows its transport.

Source: the method table of the Rust system's OpenRPC server, names and shapes, with its stubs made real.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hero_job.model.checks import time_text
from hero_job.model.errors import HeroJobError, JobInvalid
from hero_job.model.job import Job, JobLimits, ScriptType
from hero_job.model.spellings import CAMEL_CASE, parse_status
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord
from hero_supervisor.rpc.methods import actors, aliases, batches, openrpc, queues, results, shapes, subscriptions
from hero_supervisor.rpc.methods.shapes import JobId, JobObject
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_config.model.settings import RpcSettings
    from hero_supervisor.fleet.fleet import Fleet

# run_job and play take a script without saying who asks, as in the Rust system; its job then carries these.
ANONYMOUS: Final = {"caller_id": "anonymous", "context_id": "default"}

_STORE: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
_ONE_JOB: Final = (ErrorCode.JOB_NOT_FOUND, ErrorCode.JOB_DAMAGED, *_STORE)
_RUN: Final = (ErrorCode.JOB_FAILED, ErrorCode.WAIT_TIMEOUT, ErrorCode.JOB_CONFLICT, ErrorCode.JOB_STATE, *_ONE_JOB)

_Cursor = Annotated[str, Field(pattern=r"^([0-9]{1,19}-[0-9]{1,19})?$", description="As the last call gave it.")]


class Methods:
    """Everything that is offered over JSON-RPC.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """

    def __init__(self, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
        self._supervisor = supervisor
        self._limits = limits
        self._started_mono = time.monotonic()

    async def create_job(self, job: JobObject | None = None, **fields: Any) -> str:
        """Store a job and return its id; start_job puts it on its queue. Give one object, or its fields by name."""
        return await self._supervisor.create_job(self._job(job, fields))

    async def start_job(self, job_id: JobId) -> shapes.Started:
        """Put a created job on the queue of its script type."""
        await self._supervisor.start_job(job_id)
        return {"success": True}

    async def run_job(
        self,
        script: str | JobObject | None = None,
        script_type: str | None = None,
        prerequisites: list[str] | None = None,
        job: JobObject | None = None,
        **fields: Any,
    ) -> str:
        """Create and start a job, wait for its end, return its output.

        Give one object, or its fields by name, or script and script type in this order. Without an object, caller_id
        and context_id may be left out. Waits for the job's timeout and 60 seconds more, which cover the queue.
        """
        if isinstance(script, dict):
            if job is not None:
                raise JobInvalid("job", "given twice")
            script, job = None, script
        given = {"script": script, "script_type": script_type, "prerequisites": prerequisites}
        fields.update({name: value for name, value in given.items() if value is not None})
        return await self._run(self._job(job, fields if job is not None else _with_caller(fields)))

    async def play(self, script: str, script_type: str = ScriptType.OSIS.value) -> shapes.PlayResult:
        """Run a script and return its output; like run_job with nothing but a script, by default for OSIS."""
        job = Job.from_fields({**ANONYMOUS, "script": script, "script_type": script_type}, self._limits)
        return {"output": await self._run(job)}

    async def get_job(self, job_id: JobId) -> shapes.JobView:
        """Return a job with what became of it."""
        return shapes.job_view(await self._supervisor.get_job(job_id))

    async def get_job_status(self, job_id: JobId) -> str:
        """Return the status of a job."""
        return (await self._supervisor.get_job_status(job_id)).value

    async def get_job_output(self, job_id: JobId) -> str | None:
        """Return the output of a finished job, and null as long as it has not ended; an error if the job failed."""
        return await self._supervisor.get_job_output(job_id)

    async def get_job_logs(
        self, job_id: JobId, after: _Cursor = "", count: Annotated[int, Field(ge=1, le=10_000)] = 1000
    ) -> results.JobLog:
        """Return what a job's script has printed, from a cursor on, while it runs and after; "" is the beginning."""
        lines = await self._supervisor.get_job_log(job_id, after, count)
        if not lines:
            await self._supervisor.get_job_status(job_id)  # a job without lines is not an unknown one
        return results.log_view(lines, after)

    async def stop_job(self, job_id: JobId) -> str:
        """Stop a job wherever it is, and return its status: "stopping" while it runs; one that has ended stays so."""
        return (await self._supervisor.stop_job(job_id)).value

    async def retry_job(self, job_id: JobId) -> shapes.Started:
        """Run a job again that ended in error or was stopped."""
        await self._supervisor.retry_job(job_id)
        return {"success": True}

    async def list_jobs(  # noqa: PLR0917  # a client may give any of its parameters by position
        self,
        cursor: str = "",
        count: Annotated[int, Field(ge=1, le=1000)] = 100,
        status: str | None = None,
        script_type: str | None = None,
        caller_id: str | None = None,
        context_id: str | None = None,
        created_after: Annotated[str | None, Field(description="ISO 8601, with its zone.")] = None,
        created_before: Annotated[str | None, Field(description="ISO 8601, with its zone.")] = None,
    ) -> shapes.JobList:
        """Return about `count` jobs from a cursor on, in no order; go on with the returned cursor until it is empty.

        Filters are applied page by page: a page may be empty though more follow. What cannot be read as a job is listed
        when there is no filter.
        """
        wanted = Filter(
            status=None if status is None else parse_status(status),
            script_type=None if script_type is None else ScriptType.parse(script_type),
            caller_id=caller_id,
            context_id=context_id,
            created_after=None if created_after is None else time_text("created_after", created_after),
            created_before=None if created_before is None else time_text("created_before", created_before),
        )
        page = await self._supervisor.list_jobs(cursor, count)
        damaged = page.damaged if wanted == Filter() else ()
        return {
            "jobs": [shapes.job_view(record) for record in page.records if wanted.lets_pass(record)],
            "damaged": [{"id": job_id, "reason": reason} for job_id, reason in damaged],
            "cursor": page.cursor,
        }

    async def delete_job(self, job_id: JobId) -> None:
        """Delete a job that does not run."""
        await self._supervisor.delete_job(job_id)

    async def health(self) -> shapes.Health:
        """Say whether the service can do its work: "ok", or "degraded" with the problem."""
        problem: str | None = None
        try:
            await self._supervisor.ping()
        except HeroJobError as e:
            problem = str(e)
        uptime_s = round(time.monotonic() - self._started_mono, 3)
        return {"status": "ok" if problem is None else "degraded", "problem": problem, "uptime_s": uptime_s}

    async def version(self) -> shapes.Version:
        """Return the version of the runtime."""
        return {"name": "hero-runtime", "version": openrpc.runtime_version(), "openrpc": openrpc.OPENRPC_VERSION}

    def _job(self, job: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> Job:
        if job is not None and fields:
            raise JobInvalid("job", f"give the object or its fields, not both; beside it came {', '.join(fields)}")
        return Job.from_fields(fields if job is None else job, self._limits)

    async def _run(self, job: Job) -> str:
        return await self._supervisor.run_job_and_await_result(job)


def _with_caller(fields: dict[str, Any]) -> dict[str, Any]:
    given = {CAMEL_CASE.get(name, name) for name in fields}
    return {**{name: value for name, value in ANONYMOUS.items() if name not in given}, **fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs of a page are wanted; None lets all pass."""

    status: JobStatus | None = None
    script_type: ScriptType | None = None
    caller_id: str | None = None
    context_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None

    def lets_pass(self, record: JobRecord) -> bool:
        """Is this job wanted?"""
        job = record.job
        if self.status not in (None, record.status) or self.script_type not in (None, job.script_type):
            return False
        if self.caller_id not in (None, job.caller_id) or self.context_id not in (None, job.context_id):
            return False
        if self.created_after is None and self.created_before is None:
            return True
        try:
            created_at = time_text("created_at", record.created_at)
        except JobInvalid:
            return False  # a foreign client wrote no time, or not one that can be compared
        return (self.created_after or "") <= created_at and not (
            self.created_before is not None and created_at >= self.created_before
        )


def build_dispatcher(
    supervisor: AsyncSupervisor, limits: JobLimits, settings: RpcSettings, fleet: Fleet | None = None
) -> Dispatcher:
    """Register every method, the description of them all included.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
        settings: Limits of batches and subscriptions.
        fleet: The actor processes of this supervisor; None where there are none.
    """
    methods = Methods(supervisor, limits)
    dispatcher = Dispatcher(max_batch_answer_bytes=settings.max_batch_answer_bytes)
    add = dispatcher.register
    add("create_job", methods.create_job, error_codes=(ErrorCode.JOB_CONFLICT, ErrorCode.JOB_DAMAGED, *_STORE))
    add("start_job", methods.start_job, error_codes=(ErrorCode.JOB_STATE, *_ONE_JOB))
    add("run_job", methods.run_job, error_codes=_RUN)
    add("play", methods.play, error_codes=_RUN)
    add("get_job", methods.get_job, error_codes=_ONE_JOB)
    add("get_job_status", methods.get_job_status, error_codes=_ONE_JOB)
    add("get_job_output", methods.get_job_output, error_codes=(ErrorCode.JOB_FAILED, *_ONE_JOB))
    add("get_job_logs", methods.get_job_logs, error_codes=_ONE_JOB)
    add("stop_job", methods.stop_job, error_codes=_ONE_JOB)
    add("retry_job", methods.retry_job, error_codes=(ErrorCode.JOB_STATE, *_ONE_JOB))
    add("list_jobs", methods.list_jobs, error_codes=_STORE)
    add("delete_job", methods.delete_job, error_codes=(ErrorCode.JOB_STATE, *_ONE_JOB))
    batches.register(dispatcher, supervisor, limits)
    actors.register(dispatcher, supervisor, fleet)
    queues.register(dispatcher, supervisor)
    aliases.register(dispatcher, supervisor, limits)
    subscriptions.register(dispatcher, supervisor, settings)
    add("health", methods.health)
    add("version", methods.version)
    openrpc.register_discover(dispatcher)
    return dispatcher
