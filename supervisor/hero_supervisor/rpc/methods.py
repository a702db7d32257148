"""The methods that clients call, as typed asynchronous functions over ``AsyncSupervisor``.

They turn parameters into jobs and records into plain objects; everything else is the supervisor's. Errors of the job
package pass through them: the dispatcher gives each its code. Invariant: no method knows its transport.

Source: the method table of the Rust system's OpenRPC server, names and shapes, with its stubs made real.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hero_job.errors import HeroJobError, JobInvalid
from hero_job.job import CAMEL_CASE, Job, JobLimits, ScriptType
from hero_supervisor.rpc import openrpc, shapes
from hero_supervisor.rpc.dispatch import Dispatcher
from hero_supervisor.rpc.shapes import JobId, JobObject
from hero_supervisor.rpc.wire import ErrorCode

if TYPE_CHECKING:
    from hero_supervisor.api import AsyncSupervisor

# run_job and play take a script without saying who asks, as in the Rust system; its job then carries these.
ANONYMOUS: Final = {"caller_id": "anonymous", "context_id": "default"}

_STORE: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
_ONE_JOB: Final = (ErrorCode.JOB_NOT_FOUND, ErrorCode.JOB_DAMAGED, *_STORE)
_RUN: Final = (ErrorCode.JOB_FAILED, ErrorCode.WAIT_TIMEOUT, ErrorCode.JOB_CONFLICT, ErrorCode.JOB_STATE, *_ONE_JOB)


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

    async def list_jobs(self, cursor: str = "", count: Annotated[int, Field(ge=1, le=1000)] = 100) -> shapes.JobList:
        """Return about `count` jobs from a cursor on, in no order; go on with the returned cursor until it is empty."""
        page = await self._supervisor.list_jobs(cursor, count)
        return {
            "jobs": [shapes.job_view(record) for record in page.records],
            "damaged": [{"id": job_id, "reason": reason} for job_id, reason in page.damaged],
            "cursor": page.cursor,
        }

    async def delete_job(self, job_id: JobId) -> None:
        """Delete a job that does not run."""
        await self._supervisor.delete_job(job_id)

    async def list_actors(self) -> list[shapes.ActorView]:
        """Return every actor process that has joined, on any machine."""
        return [shapes.actor_view(actor) for actor in await self._supervisor.list_actors()]

    async def list_queues(self) -> list[shapes.QueueView]:
        """Return how many jobs wait in the queue of each script type."""
        lengths = await asyncio.gather(*(self._supervisor.queue_length(script_type) for script_type in ScriptType))
        return [{"script_type": t.value, "length": length} for t, length in zip(ScriptType, lengths, strict=True)]

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


def build_dispatcher(supervisor: AsyncSupervisor, limits: JobLimits) -> Dispatcher:
    """Register every method, the description of them all included.

    Args:
        supervisor: Where jobs go.
        limits: What the deployment accepts of a job.
    """
    methods = Methods(supervisor, limits)
    dispatcher = Dispatcher()
    add = dispatcher.register
    add("create_job", methods.create_job, error_codes=(ErrorCode.JOB_CONFLICT, ErrorCode.JOB_DAMAGED, *_STORE))
    add("start_job", methods.start_job, error_codes=(ErrorCode.JOB_STATE, *_ONE_JOB))
    add("run_job", methods.run_job, error_codes=_RUN)
    add("play", methods.play, error_codes=_RUN)
    add("get_job", methods.get_job, error_codes=_ONE_JOB)
    add("get_job_status", methods.get_job_status, error_codes=_ONE_JOB)
    add("get_job_output", methods.get_job_output, error_codes=(ErrorCode.JOB_FAILED, *_ONE_JOB))
    add("list_jobs", methods.list_jobs, error_codes=_STORE)
    add("delete_job", methods.delete_job, error_codes=(ErrorCode.JOB_STATE, *_ONE_JOB))
    add("list_actors", methods.list_actors, error_codes=_STORE)
    add("list_queues", methods.list_queues, error_codes=_STORE)
    add("health", methods.health)
    add("version", methods.version)
    openrpc.register_discover(dispatcher)
    return dispatcher
