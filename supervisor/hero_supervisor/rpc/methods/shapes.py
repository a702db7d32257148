"""The objects that travel as parameters and results about single jobs, actors and the service, as types. Pure.

Methods return them and ``rpc.discover`` describes them. Names are snake_case, as in the job's hash in Redis; times are
ISO 8601 in UTC, durations are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Required, TypeAlias

from pydantic import Field, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.views import ActorPresence, JobRecord, Progress

JobId: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, description="Id of a job.")]
BatchId: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, description="Id of a batch.")]


class SignatureView(TypedDict):
    """A signature and the public key of secp256k1 that made it, both in hex."""

    public_key: str
    signature: str


class JobFields(TypedDict, total=False):
    """The fields of a job that a client sends. camelCase names are accepted too; unknown fields are refused."""

    caller_id: Required[Annotated[str, Field(description="The submitter, usually a public key.")]]
    context_id: Required[Annotated[str, Field(description="The context that it runs for, usually a public key.")]]
    script: Required[Annotated[str, Field(description="Source text.")]]
    script_type: Required[Annotated[str, Field(description="OSIS, SAL, V or Python, in any case.")]]
    id: Annotated[str, Field(description="An id that you choose; the same job sent twice is then one job.")]
    timeout: Annotated[float, Field(gt=0, description="Longest run time in seconds.")]
    retries: Annotated[int, Field(ge=0, description="How often a failed run is repeated.")]
    concurrent: Annotated[bool, Field(description="Kept for the Rust system.")]
    log_path: Annotated[str, Field(description="File that printed lines are also written to.")]
    env_vars: Annotated[dict[str, str], Field(description="Variables that the script can read.")]
    prerequisites: Annotated[list[str], Field(description="Ids of jobs that must finish first.")]
    dependents: Annotated[list[str], Field(description="Ids of jobs that wait for this one.")]
    group: Annotated[str, Field(description="Group of actors that runs it.")]
    instance: Annotated[str, Field(description="Instance of the group that runs it.")]
    priority: Annotated[str, Field(description="high, normal or low.")]
    not_before: Annotated[str, Field(description="Earliest start, ISO 8601.")]
    delay_s: Annotated[float, Field(ge=0, description="Earliest start, in seconds after start_job.")]
    expires_s: Annotated[float, Field(gt=0, description="Latest start, in seconds after start_job.")]
    unique_key: Annotated[str, Field(description="While a job with this key is open, its id is returned instead.")]
    unique_for_s: Annotated[float, Field(gt=0, description="Seconds that the unique key holds, instead.")]
    concurrency_key: Annotated[str, Field(description="Limits how many jobs with this key run simultaneously.")]
    concurrency_max: Annotated[int, Field(ge=1, description="Most jobs with the concurrency key that run.")]
    rate_key: Annotated[str, Field(description="Limits how many jobs with this key start per time window.")]
    rate_max: Annotated[int, Field(ge=1, description="Most jobs with the rate key that start per window.")]
    rate_window_s: Annotated[float, Field(gt=0, description="Length of the window in seconds.")]
    run_after_failure: Annotated[bool, Field(description="Run it even if a prerequisite has failed.")]
    batch: Annotated[str, Field(description="The batch that it belongs to.")]
    signatures: Annotated[
        list[dict[str, str]], Field(description="Objects with public_key and signature, both in hex.")
    ]


# hero_job checks the fields, because it knows the rules and its errors name the field; here a job is any object.
JobObject: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(TypeAdapter(JobFields).json_schema())]


class ProgressView(TypedDict):
    """The progress that a script has reported."""

    done: float
    total: float
    text: str


class JobView(TypedDict):
    """A job with its status and its result."""

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
    priority: str
    not_before: str | None
    delay_s: float
    expires_s: float | None
    unique_key: str | None
    unique_for_s: float | None
    concurrency_key: str | None
    concurrency_max: int
    rate_key: str | None
    rate_max: int
    rate_window_s: float
    run_after_failure: bool
    batch: str | None
    signatures: list[SignatureView]
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
    failures: int
    owner: str | None
    progress: ProgressView | None


class DamagedJob(TypedDict):
    """A key in the store that cannot be read as a job."""

    id: str
    reason: str


class JobList(TypedDict):
    """One page of jobs, in no order; an empty cursor means that it is the last page."""

    jobs: list[JobView]
    damaged: list[DamagedJob]
    cursor: str


class Started(TypedDict):
    """The job is on its queue."""

    success: bool


class PlayResult(TypedDict):
    """The output of a script."""

    output: str


class ActorView(TypedDict):
    """An actor process, as it describes itself; ``beat_at`` is null if it has been silent for too long.

    ``unavailable`` says why its engine cannot run jobs and what to do about it; it is null if the engine can.
    """

    incarnation: str
    name: str
    script_type: str
    host: str
    pid: int | None
    lanes: int
    busy: int
    jobs: int
    engine: str
    engine_version: str
    group: str | None
    instance: str | None
    started_at: str | None
    beat_at: str | None
    unavailable: str | None


class Health(TypedDict):
    """The health of the service: ``status`` is "ok" or "degraded", ``problem`` says why it is degraded."""

    status: str
    problem: str | None
    uptime_s: float


class Version(TypedDict):
    """The version of the runtime, and the OpenRPC version of the document that ``rpc.discover`` returns."""

    name: str
    version: str
    openrpc: str


def job_view(record: JobRecord) -> JobView:
    """Build the view of a job."""
    job, progress = record.job, record.progress
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
        "priority": job.priority.value,
        "not_before": job.not_before,
        "delay_s": job.delay_s,
        "expires_s": job.expires_s,
        "unique_key": job.unique_key,
        "unique_for_s": job.unique_for_s,
        "concurrency_key": job.concurrency_key,
        "concurrency_max": job.concurrency_max,
        "rate_key": job.rate_key,
        "rate_max": job.rate_max,
        "rate_window_s": job.rate_window_s,
        "run_after_failure": job.run_after_failure,
        "batch": job.batch,
        "signatures": [{"public_key": one.public_key, "signature": one.signature} for one in job.signatures],
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
        "failures": record.failures,
        "owner": record.owner,
        "progress": None if progress is None else _progress_view(progress),
    }


def _progress_view(progress: Progress) -> ProgressView:
    return {"done": progress.done, "total": progress.total, "text": progress.text}


def actor_view(actor: ActorPresence) -> ActorView:
    """Build the view of an actor."""
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
        "unavailable": actor.unavailable,
    }
