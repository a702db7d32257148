"""The objects that travel as parameters and results, as types: what the methods return and ``rpc.discover`` describes.

Pure. Names are snake_case, as in the job's hash in Redis; times are ISO 8601 in UTC, durations are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Required, TypeAlias

from pydantic import Field, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.record import ActorPresence, JobRecord

JobId: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, description="Id of a job.")]


class JobFields(TypedDict, total=False):
    """What a client says of a job. camelCase spellings are read too; unknown fields are refused."""

    caller_id: Required[Annotated[str, Field(description="Who asks, usually a public key.")]]
    context_id: Required[Annotated[str, Field(description="For which context it runs, usually a public key.")]]
    script: Required[Annotated[str, Field(description="Source text.")]]
    script_type: Required[Annotated[str, Field(description="OSIS, SAL, V or Python, in any case.")]]
    id: Annotated[str, Field(description="An id of your own; the same job sent twice is then one job.")]
    timeout: Annotated[float, Field(gt=0, description="Longest run time in seconds.")]
    retries: Annotated[int, Field(ge=0, description="How often a failed run is repeated.")]
    concurrent: Annotated[bool, Field(description="Carried for the Rust system.")]
    log_path: Annotated[str, Field(description="Where printed lines should also go.")]
    env_vars: Annotated[dict[str, str], Field(description="Handed to the script.")]
    prerequisites: Annotated[list[str], Field(description="Ids of jobs that must finish first.")]
    dependents: Annotated[list[str], Field(description="Ids of jobs that wait for this one.")]
    group: Annotated[str, Field(description="Route to a group of actors.")]
    instance: Annotated[str, Field(description="Route to one instance of the group.")]


# Checked by hero_job, which knows the rules and names the field; here it is any object.
JobObject: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(TypeAdapter(JobFields).json_schema())]


class JobView(TypedDict):
    """A job with what became of it."""

    id: str
    caller_id: str
    context_id: str
    script: str
    script_type: str
    timeout: float
    retries: int
    concurrent: bool
    log_path: str | None
    env_vars: dict[str, str]
    prerequisites: list[str]
    dependents: list[str]
    group: str | None
    instance: str | None
    status: str
    output: str | None
    output_json: str | None
    error: str | None
    error_kind: str | None
    error_line: int | None
    error_column: int | None
    created_at: str | None
    updated_at: str | None
    started_at: str | None
    finished_at: str | None
    attempt: int
    redeliveries: int
    owner: str | None


class DamagedJob(TypedDict):
    """A key in the store that cannot be read as a job."""

    id: str
    reason: str


class JobList(TypedDict):
    """One page of jobs, in no order. An empty cursor says that it was the last."""

    jobs: list[JobView]
    damaged: list[DamagedJob]
    cursor: str


class Started(TypedDict):
    """The job is on its queue."""

    success: bool


class PlayResult(TypedDict):
    """What a script gave."""

    output: str


class ActorView(TypedDict):
    """An actor process as it presents itself; ``beat_at`` is null when it has been silent for too long."""

    incarnation: str
    name: str
    script_type: str
    host: str
    pid: int
    lanes: int
    busy: int
    jobs: int
    engine: str
    engine_version: str
    group: str | None
    instance: str | None
    started_at: str | None
    beat_at: str | None


class QueueView(TypedDict):
    """How many jobs wait for the actors of a script type."""

    script_type: str
    length: int


class Health(TypedDict):
    """``status`` is "ok" or "degraded"; ``problem`` says why."""

    status: str
    problem: str | None
    uptime_s: float


class Version(TypedDict):
    """Versions of the runtime and of the description that ``rpc.discover`` gives."""

    name: str
    version: str
    openrpc: str


def job_view(record: JobRecord) -> JobView:
    """Show a record."""
    job = record.job
    return {
        "id": job.id,
        "caller_id": job.caller_id,
        "context_id": job.context_id,
        "script": job.script,
        "script_type": job.script_type.value,
        "timeout": job.timeout,
        "retries": job.retries,
        "concurrent": job.concurrent,
        "log_path": job.log_path,
        "env_vars": dict(job.env_vars),
        "prerequisites": list(job.prerequisites),
        "dependents": list(job.dependents),
        "group": job.group,
        "instance": job.instance,
        "status": record.status.value,
        "output": record.output,
        "output_json": record.output_json,
        "error": record.error,
        "error_kind": record.error_kind,
        "error_line": record.error_line,
        "error_column": record.error_column,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "attempt": record.attempt,
        "redeliveries": record.redeliveries,
        "owner": record.owner,
    }


def actor_view(actor: ActorPresence) -> ActorView:
    """Show an actor."""
    return {
        "incarnation": actor.incarnation,
        "name": actor.name,
        "script_type": actor.script_type.value,
        "host": actor.host,
        "pid": actor.pid,
        "lanes": actor.lanes,
        "busy": actor.busy,
        "jobs": actor.jobs,
        "engine": actor.engine,
        "engine_version": actor.engine_version,
        "group": actor.group,
        "instance": actor.instance,
        "started_at": actor.started_at,
        "beat_at": actor.beat_at,
    }
