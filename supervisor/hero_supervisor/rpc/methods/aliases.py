"""The job methods with the names and shapes of the newer Rust supervisor: ``jobs.*`` and ``job.*``.

There a job has a payload, a runner and an executor; here it has a script and a script type. Each method takes its
parameters by name, or as one object. ``secret`` is accepted and ignored, because the connection decides the rights.
Invariant: these methods do only what other methods do too; only names and shapes differ.

Source: OpenRPC document "Hero Supervisor OpenRPC API" 1.0.0 and the conventions beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import Field, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import JobFailed, JobInvalid, JobStateError
from hero_job.model.fields.checks import check_length
from hero_job.model.fields.limits import MAX_ID, MAX_NAME, MAX_VARIABLE_NAME, MAX_VARIABLE_VALUE, MAX_VARIABLES
from hero_job.model.job import Job, JobLimits, ScriptType
from hero_job.model.views import JobRecord
from hero_supervisor.rpc.methods.batches import clear_jobs
from hero_supervisor.rpc.methods.jobs import JOB_PARAMS
from hero_supervisor.rpc.methods.shapes import JOBS_PER_READ, JobId, Owner, Secret, Word
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import JOB_CODES, STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Most jobs that jobs.list returns; it has no pages.
MAX_LISTED: Final = 10_000
#: All lines that a job's log keeps, and some more.
MAX_LOG_LINES: Final = 10_000

# Fields of the other system that mean nothing for a new job here.
_IGNORED: Final = frozenset({"created_at", "updated_at", "runner", "executor", "payload"})

_Variables: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=MAX_VARIABLE_NAME)], Annotated[str, Field(max_length=MAX_VARIABLE_VALUE)]],
    Field(max_length=MAX_VARIABLES),
]


class RunnerJob(TypedDict):
    """A job in the shape of the newer Rust supervisor; ``executor`` or ``runner`` names the script type."""

    id: JobId
    caller_id: Owner
    context_id: Owner
    payload: str
    runner: Owner
    executor: Owner
    timeout: float
    env_vars: _Variables
    created_at: Word
    updated_at: Word


class JobResult(TypedDict, total=False):
    """``success`` with the output, or ``error`` with the message."""

    success: str
    error: str


class RunnerLogs(TypedDict):
    """The log of a job as one text, or null if it has printed nothing."""

    logs: str | None


class RunnerJobStatus(TypedDict):
    """The status of a job and when it changed."""

    job_id: str
    status: str
    created_at: str | None
    started_at: str | None
    completed_at: str | None


_Params: TypeAlias = Annotated[
    dict[str, Any] | JobId | None, Field(description="All other parameters as one object, or the id of a job.")
]
_Job: TypeAlias = Annotated[dict[str, Any] | None, WithJsonSchema(TypeAdapter(RunnerJob).json_schema())]
_Secret: TypeAlias = Annotated[Secret | None, Field(description="Accepted and ignored.")]


class Aliases:
    """The job methods of the newer Rust supervisor.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """

    def __init__(self, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
        self._supervisor = supervisor
        self._limits = limits

    async def jobs_create(self, params: _Params = None, job: _Job = None, secret: _Secret = None) -> str:
        """Store a job and return its id, as create_job does."""
        return await self._supervisor.create_job(self._job(params, job))

    async def jobs_list(self, params: _Params = None, secret: _Secret = None) -> list[RunnerJob]:
        """Return the newest jobs, at most 10,000; list_jobs has pages and filters."""
        found: list[RunnerJob] = []
        cursor = ""
        while True:
            page = await self._supervisor.list_jobs(cursor, JOBS_PER_READ)
            found += [runner_job_view(record) for record in page.records]
            cursor = page.cursor
            if not cursor or len(found) >= MAX_LISTED:
                return found[:MAX_LISTED]

    async def job_run(self, params: _Params = None, job: _Job = None, secret: _Secret = None) -> JobResult:
        """Create and start a job, wait until it has ended, and return its output or its error."""
        try:
            return {"success": await self._supervisor.run_job_and_await_result(self._job(params, job))}
        except JobFailed as e:
            return {"error": e.message}

    async def job_start(self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None) -> None:
        """Put a created job on its queue, as start_job does."""
        await self._supervisor.start_job(_job_id(params, job_id))

    async def job_status(
        self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None
    ) -> RunnerJobStatus:
        """Return the status of a job and when it was created, started and completed."""
        record = await self._supervisor.get_job(_job_id(params, job_id))
        return {
            "job_id": record.job.id,
            "status": record.status.value,
            "created_at": record.created_at,
            "started_at": record.started_at,
            "completed_at": record.finished_at,
        }

    async def job_result(
        self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None
    ) -> JobResult:
        """Return the output or the error of a job that has ended; an error about its status if it has not."""
        named = _job_id(params, job_id)
        try:
            output = await self._supervisor.get_job_output(named)
        except JobFailed as e:
            return {"error": e.message}
        if output is None:
            raise JobStateError(named, (await self._supervisor.get_job_status(named)).value, "give the result of")
        return {"success": output}

    async def job_stop(self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None) -> None:
        """Stop a job, as stop_job does."""
        await self._supervisor.stop_job(_job_id(params, job_id))

    async def job_delete(self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None) -> None:
        """Delete a job that is not running, as delete_job does."""
        await self._supervisor.delete_job(_job_id(params, job_id))

    async def job_logs(self, params: _Params = None, job_id: JobId | None = None, secret: _Secret = None) -> RunnerLogs:
        """Return the lines that a job has printed as one text; get_job_logs has pages."""
        named = _job_id(params, job_id)
        lines = await self._supervisor.get_job_log(named, "", MAX_LOG_LINES)
        if not lines:
            await self._supervisor.get_job_status(named)  # raises if the job is unknown
        return {"logs": "\n".join(line.text for line in lines) if lines else None}

    async def jobs_clear(self, params: _Params = None, secret: _Secret = None) -> None:
        """Delete all jobs that are not running, as clear_all_jobs does."""
        await clear_jobs(self._supervisor)

    def _job(self, params: str | Mapping[str, Any] | None, job: Mapping[str, Any] | None) -> Job:
        if isinstance(params, Mapping):
            job = params.get("job", params.get(JOB_PARAMS, job))
        if not isinstance(job, Mapping):
            raise JobInvalid("job", "is missing; give an object with caller_id, context_id, payload, executor ...")
        return Job.from_fields(job_fields(job), self._limits)


def job_fields(job: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a job of the other system into job fields of ours.

    Raises:
        JobInvalid: Neither executor nor runner names a script type.
    """
    fields = {name: value for name, value in job.items() if name not in _IGNORED}
    if "payload" in job:
        fields["script"] = job["payload"]
    if "script_type" not in fields:
        fields["script_type"] = _script_type(job.get("executor"), job.get("runner"))
    return fields


def _script_type(executor: object, runner: object) -> ScriptType:
    # "sal", "runner_osiris", "sal_runner_1": names of executors and runners contain the type as a word.
    for text in (executor, runner):
        if not isinstance(text, str):
            continue
        check_length("executor", text, MAX_NAME)
        for word in re.split(r"[^0-9A-Za-z]+", text):
            try:
                return ScriptType.parse({"osiris": "osis", "hero": "v"}.get(word.lower(), word))
            except JobInvalid:
                continue
    known = ", ".join(t.suffix for t in ScriptType)
    raise JobInvalid("executor", f"neither executor nor runner names a script type; use one of {known}")


def runner_job_view(record: JobRecord) -> RunnerJob:
    """Build the view of a job in the other system's shape; runner and executor both are its script type."""
    job = record.job
    return {
        "id": job.id,
        "caller_id": job.caller_id,
        "context_id": job.context_id,
        "payload": job.script,
        "runner": job.script_type.suffix,
        "executor": job.script_type.suffix,
        "timeout": job.timeout,
        "env_vars": dict(job.env_vars),
        "created_at": record.created_at or "",
        "updated_at": record.updated_at or record.created_at or "",
    }


def _job_id(params: str | Mapping[str, Any] | None, job_id: str | None) -> str:
    if isinstance(params, Mapping):
        params = params.get("job_id")
    named = params if job_id is None else job_id
    if not isinstance(named, str) or not named:
        raise JobInvalid("job_id", "is missing")
    check_length("job_id", named, MAX_ID)
    return named


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
    """Register the methods under the other system's names."""
    methods = Aliases(supervisor, limits)
    add = dispatcher.register
    state = (ErrorCode.JOB_STATE, *JOB_CODES)
    add("jobs.create", methods.jobs_create, error_codes=(ErrorCode.JOB_CONFLICT, ErrorCode.JOB_DAMAGED, *STORE_CODES))
    add("jobs.list", methods.jobs_list, error_codes=STORE_CODES)
    add("job.run", methods.job_run, error_codes=(ErrorCode.WAIT_TIMEOUT, ErrorCode.JOB_CONFLICT, *state))
    add("job.start", methods.job_start, error_codes=state)
    add("job.status", methods.job_status, error_codes=JOB_CODES)
    add("job.result", methods.job_result, error_codes=state)
    add("job.stop", methods.job_stop, error_codes=JOB_CODES)
    add("job.delete", methods.job_delete, error_codes=state)
    add("job.logs", methods.job_logs, error_codes=JOB_CODES)
    add("jobs.clear", methods.jobs_clear, error_codes=STORE_CODES)
