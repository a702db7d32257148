"""What is read back from Redis: jobs with what became of them, replies, actors. Plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from hero_job.model.errors import JobFailed
from hero_job.model.job import Job, ScriptType
from hero_job.model.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running script says it is.

    Attributes:
        done: So much is done, in the script's own unit.
        total: Of so much.
        text: What it is doing.
    """

    done: float
    total: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log.

    Attributes:
        cursor: Its place; give it to read what comes after.
        at_ms: When it was stored, in milliseconds since 1970.
        level: info for what a script prints, debug for what it debugs.
        text: The line.
    """

    cursor: str
    at_ms: int
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it stands in Redis.

    Attributes:
        job: What was asked for.
        status: Where it is in its life.
        output: Result as text; None until it finished.
        output_json: The typed result as JSON, where it says more than `output`.
        error: Message of a job that ended without a result.
        error_kind: The engine's or the runtime's name for the error.
        error_line: Line in the script, from 1.
        error_column: Column in the script, from 1.
        created_at: ISO 8601 in UTC, like all times here.
        updated_at: Time of the last transition.
        started_at: Time of the current or last claim.
        finished_at: Time of the terminal transition.
        attempt: How often it was claimed to run.
        redeliveries: How often its holder was lost.
        failures: How often a run failed and was to be repeated.
        owner: Who runs or ran it: incarnation/lane.
        progress: How far its script says it is.
    """

    job: Job
    status: JobStatus
    output: str | None = None
    output_json: str | None = None
    error: str | None = None
    error_kind: str | None = None
    error_line: int | None = None
    error_column: int | None = None
    created_at: str | None = None
    updated_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    attempt: int = 0
    redeliveries: int = 0
    failures: int = 0
    owner: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a job ended.

    Attributes:
        job_id: The job.
        status: A terminal status.
        output: Result as text; None unless it finished.
        error: Message of a job that ended without a result.
        error_kind: The engine's or the runtime's name for the error.
        line: Line in the script, from 1.
        column: Column in the script, from 1.
    """

    job_id: str
    status: JobStatus
    output: str | None = None
    error: str | None = None
    error_kind: str | None = None
    line: int | None = None
    column: int | None = None

    def result(self) -> str:
        """Give the output.

        Raises:
            JobFailed: The job ended without one.
        """
        if self.status is JobStatus.FINISHED:
            return self.output or ""
        kind = self.error_kind or ("stopped" if self.status is JobStatus.STOPPED else "error")
        raise JobFailed(self.job_id, kind, self.error or self.status.value, self.line, self.column)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of jobs.

    Attributes:
        records: The jobs, in no order.
        damaged: Ids of keys that cannot be read as jobs, each with the reason.
        cursor: Give it to the next call; "" when this was the last page.
    """

    records: tuple[JobRecord, ...]
    damaged: tuple[tuple[str, str], ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorPresence:
    """An actor process as the registry knows it.

    Attributes:
        incarnation: Unique name of this process start.
        name: Configured name, the same over restarts.
        script_type: What it runs.
        host: Host name of its machine.
        pid: Process id there.
        lanes: How many jobs it runs at once.
        engine: Name of its engine.
        engine_version: Version of the engine.
        group: Group whose queue it serves too.
        instance: Instance whose queue it serves too.
        started_at: ISO 8601 in UTC.
        unavailable: Why its engine cannot run anything, and what to do; None when it can.
        beat_at: Time of the last beat, ISO 8601 in UTC; None when its presence has expired.
        busy: Lanes that ran a job at the last beat.
        jobs: Jobs it has run.
    """

    incarnation: str
    name: str
    script_type: ScriptType
    host: str
    pid: int
    lanes: int
    engine: str
    engine_version: str
    group: str | None
    instance: str | None
    started_at: str | None
    beat_at: str | None
    busy: int
    jobs: int
    unavailable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """A queue.

    Attributes:
        script_type: Whose.
        group: Of a group only.
        instance: Of an instance only.
        waiting: Ids in it.
        paused_since: ISO 8601 in UTC; None when it is not paused.
    """

    script_type: ScriptType
    group: str | None
    instance: str | None
    waiting: int
    paused_since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHead:
    """How a queue moves.

    Attributes:
        waiting: Ids in it; none while it is paused, since its actors cannot do anything about those.
        wait_s: How long the job at its head has waited, in seconds by the store's clock; 0 where that is not known.
    """

    waiting: int
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadJob:
    """A dead letter: a job that ended in error for good.

    Attributes:
        job_id: The job; its hash may be past its retention.
        died_ms: When it ended, in milliseconds since 1970.
    """

    job_id: str
    died_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """How far a batch is.

    Attributes:
        batch_id: The batch.
        total: Jobs in it.
        open: Jobs that have not ended.
        finished: Jobs that have a result.
        error: Jobs that ended in error.
        stopped: Jobs that were stopped.
    """

    batch_id: str
    total: int
    open: int
    finished: int
    error: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the store's server says of itself.

    Attributes:
        name: redis or valkey.
        version: Its version.
        maxmemory: Bytes it may use; 0 for no limit.
        maxmemory_policy: What it does at the limit. Anything but noeviction throws jobs away.
        appendonly: It writes every command to its append-only file.
    """

    name: str
    version: str
    maxmemory: int
    maxmemory_policy: str
    appendonly: bool
