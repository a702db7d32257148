"""The methods on single jobs: create, start, run, read, stop, retry and delete them.

These functions turn parameters into jobs and records into plain objects; ``AsyncSupervisor`` does the work. Errors of
the job package pass through them, and the dispatcher translates them. Invariant: no method knows its transport.

Source: the method table of the Rust system's OpenRPC server: its names and shapes, with its stubs implemented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.spellings import CAMEL_CASE
from hero_job.model.job import Job, JobLimits, ScriptType
from hero_supervisor.rpc.methods import results, shapes
from hero_supervisor.rpc.methods.job_shapes import JobObject, JobView, job_view
from hero_supervisor.rpc.methods.shapes import JobId, JobIds, LogCursor, Word
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import JOB_CODES, STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

# As in the Rust system, run_job and play accept a script without a caller or a context; its job then has these.
ANONYMOUS: Final = {"caller_id": "anonymous", "context_id": "default"}

#: What the documents of the Rust system call the object with the fields of a job.
JOB_PARAMS: Final = "job_params"

_Cursor = Annotated[LogCursor, Field(description="Cursor of the last call.")]


class JobMethods:
    """The methods on single jobs.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """

    def __init__(self, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
        self._supervisor = supervisor
        self._limits = limits

    async def create_job(self, job: JobObject | None = None, **fields: Any) -> str:
        """Store a job and return its id; start_job then queues it. Give one object, or the job's fields by name."""
        return await self._supervisor.create_job(self._job(job, fields))

    async def start_job(self, job_id: JobId) -> shapes.Started:
        """Put a created job on the queue of its script type."""
        await self._supervisor.start_job(job_id)
        return {"success": True}

    async def run_job(
        self,
        script: str | JobObject | None = None,
        script_type: Word | None = None,
        prerequisites: JobIds | None = None,
        job: JobObject | None = None,
        **fields: Any,
    ) -> str:
        """Create and start a job, wait until it has ended, and return its output.

        Give the job as one object, or its fields by name, or script and script type in this order. Unless you give an
        object, caller_id and context_id are optional. The call waits for the job's timeout and another 60 seconds,
        which cover the time in the queue.
        """
        if isinstance(script, dict):
            if job is not None:
                raise JobInvalid("job", "given twice")
            script, job = None, script
        given = {"script": script, "script_type": script_type, "prerequisites": prerequisites}
        fields.update({name: value for name, value in given.items() if value is not None})
        alone = job is None and JOB_PARAMS not in fields
        return await self._run(self._job(job, _with_caller(fields) if alone else fields))

    async def play(self, script: str, script_type: Word = ScriptType.OSIS.value) -> shapes.PlayResult:
        """Run a script and return its output; the same as run_job with only a script, by default for OSIS."""
        job = Job.from_fields({**ANONYMOUS, "script": script, "script_type": script_type}, self._limits)
        return {"output": await self._run(job)}

    async def get_job(self, job_id: JobId) -> JobView:
        """Return a job with its status and its result."""
        return job_view(await self._supervisor.get_job(job_id))

    async def get_job_status(self, job_id: JobId) -> str:
        """Return the status of a job."""
        return (await self._supervisor.get_job_status(job_id)).value

    async def get_job_output(self, job_id: JobId) -> str | None:
        """Return the output of a finished job, or null while it has not ended; an error if it failed."""
        return await self._supervisor.get_job_output(job_id)

    async def get_job_logs(
        self, job_id: JobId, after: _Cursor = "", count: Annotated[int, Field(ge=1, le=10_000)] = 1000
    ) -> results.JobLog:
        """Return the lines that a job's script has printed after a cursor; "" begins with the first line kept.

        The lines can be read while the script runs and after it has ended.
        """
        lines = await self._supervisor.get_job_log(job_id, after, count)
        if not lines:
            await self._supervisor.get_job_status(job_id)  # raises if the job is unknown
        return results.log_view(lines, after)

    async def stop_job(self, job_id: JobId) -> str:
        """Stop a job and return its status: "stopping" if it runs. A job that has ended keeps its status."""
        return (await self._supervisor.stop_job(job_id)).value

    async def retry_job(self, job_id: JobId) -> shapes.Started:
        """Run a job again that ended in error or was stopped."""
        await self._supervisor.retry_job(job_id)
        return {"success": True}

    async def delete_job(self, job_id: JobId) -> None:
        """Delete a job that is not running."""
        await self._supervisor.delete_job(job_id)

    def _job(self, job: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> Job:
        if JOB_PARAMS in fields and job is None:
            fields = dict(fields)
            job = fields.pop(JOB_PARAMS)
            if not isinstance(job, Mapping):
                raise JobInvalid(JOB_PARAMS, "must be an object with the fields of the job")
        if job is not None and fields:
            raise JobInvalid(
                "job", f"give the object or single fields, not both; these came too: {', '.join(fields):.200}"
            )
        return Job.from_fields(fields if job is None else job, self._limits)

    async def _run(self, job: Job) -> str:
        return await self._supervisor.run_job_and_await_result(job)


def _with_caller(fields: dict[str, Any]) -> dict[str, Any]:
    given = {CAMEL_CASE.get(name, name) for name in fields}
    return {**{name: value for name, value in ANONYMOUS.items() if name not in given}, **fields}


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, limits: JobLimits) -> None:
    """Register the methods on single jobs."""
    methods = JobMethods(supervisor, limits)
    add = dispatcher.register
    run_codes = (ErrorCode.JOB_FAILED, ErrorCode.WAIT_TIMEOUT, ErrorCode.JOB_CONFLICT, ErrorCode.JOB_STATE, *JOB_CODES)
    state_codes = (ErrorCode.JOB_STATE, *JOB_CODES)
    add("create_job", methods.create_job, error_codes=(ErrorCode.JOB_CONFLICT, ErrorCode.JOB_DAMAGED, *STORE_CODES))
    add("start_job", methods.start_job, error_codes=state_codes)
    add("run_job", methods.run_job, error_codes=run_codes)
    add("play", methods.play, error_codes=run_codes)
    add("get_job", methods.get_job, error_codes=JOB_CODES)
    add("get_job_status", methods.get_job_status, error_codes=JOB_CODES)
    add("get_job_output", methods.get_job_output, error_codes=(ErrorCode.JOB_FAILED, *JOB_CODES))
    add("get_job_logs", methods.get_job_logs, error_codes=JOB_CODES)
    add("stop_job", methods.stop_job, error_codes=JOB_CODES)
    add("retry_job", methods.retry_job, error_codes=state_codes)
    add("delete_job", methods.delete_job, error_codes=state_codes)
