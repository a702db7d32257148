"""What is read back from Redis: jobs with their outcome, replies, queues, actors. Plain data.

The operations decode the server's answers into these types; the API, the RPC methods and `heroctl` show them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hero_job.model.errors import JobFailed
from hero_job.model.job import Job, ScriptType
from hero_job.model.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress that a running script reports.

    Attributes:
        done: Amount done, in the script's own unit.
        total: Amount to do, in the same unit.
        text: What the script is doing.
    """

    done: float
    total: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log.

    Attributes:
        cursor: Its place in the log; pass it to read the lines after it.
        at_ms: When it was stored, in milliseconds since 1970.
        level: `info` for printed lines, `debug` for debug output.
        text: The line.
    """

    cursor: str
    at_ms: int
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it is stored in Redis.

    Attributes:
        job: What the submitter asked for.
        status: Where it is in its life.
        output: Result as text; None until the job has finished.
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
        redeliveries: How often it ended the process that it ran in alone. The end of an actor charges no job.
        rerun_reason: Why it ran, or is to run, another time; None if it was not interrupted.
        failures: How many failed runs were followed by a retry.
        owner: The lane that runs or ran it: incarnation/lane.
        progress: The last progress that its script reported.
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
    rerun_reason: str | None = None
    failures: int = 0
    owner: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a job ended.

    Attributes:
        job_id: The job.
        status: A terminal status.
        output: Result as text; None unless the job finished.
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
        """Return the output.

        Raises:
            JobFailed: The job ended without a result.
        """
        if self.status is JobStatus.FINISHED:
            return self.output or ""
        kind = self.error_kind or ("stopped" if self.status is JobStatus.STOPPED else "error")
        raise JobFailed(self.job_id, kind, self.error or self.status.value, self.line, self.column)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of jobs.

    Attributes:
        records: The jobs, in no particular order.
        damaged: Ids whose keys cannot be read as jobs, each with the reason.
        cursor: Pass it to the next call; "" after the last page.
    """

    records: tuple[JobRecord, ...]
    damaged: tuple[tuple[str, str], ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorPresence:
    """An actor process as the registry describes it.

    Attributes:
        incarnation: Unique name of this start of the process.
        name: Configured name, which restarts keep.
        script_type: Type of the scripts that it runs.
        host: Host name of its machine.
        pid: Process id there.
        lanes: How many jobs it can run simultaneously.
        engine: Name of its engine.
        engine_version: Version of the engine.
        group: Group whose queue it also serves.
        instance: Instance whose queue it also serves.
        started_at: ISO 8601 in UTC.
        unavailable: Why its engine cannot run scripts and what to do about it; None if it can.
        beat_at: Time of the last beat, ISO 8601 in UTC; None if its presence has expired.
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
    """A queue and how full it is.

    Attributes:
        script_type: The script type that the queue belongs to.
        group: Set if it is the queue of a group.
        instance: Set if it is the queue of one instance of the group.
        waiting: Number of ids in it.
        paused_since: ISO 8601 in UTC; None unless it is paused.
    """

    script_type: ScriptType
    group: str | None
    instance: str | None
    waiting: int
    paused_since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHead:
    """How long the first job of a queue has waited.

    Attributes:
        waiting: Number of ids in it; 0 while it is paused, because more actors would not empty it.
        wait_s: Seconds that the job at its head has waited, by the store's clock; 0 if unknown.
    """

    waiting: int
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadJob:
    """A dead letter: a job that ended in error for good.

    Attributes:
        job_id: The job; its hash may have expired already.
        died_ms: When it ended, in milliseconds since 1970.
    """

    job_id: str
    died_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """How many jobs of a batch have ended, and how.

    Attributes:
        batch_id: The batch.
        total: Number of jobs in it.
        open: Number of jobs that have not ended.
        finished: Number of jobs with a result.
        error: Number of jobs that ended in error.
        stopped: Number of jobs that were stopped.
    """

    batch_id: str
    total: int
    open: int
    finished: int
    error: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Properties of the store's server, as it reports them.

    Attributes:
        name: `redis` or `valkey`.
        version: Its version.
        maxmemory: Bytes that it may use; 0 for no limit.
        maxmemory_policy: What it does at the limit. Every policy except `noeviction` discards jobs.
        appendonly: Whether it writes every command to an append-only file.
        written: Whether its last write to its disk went well.
        disk_full: It is an embedded store that refuses writes because its disk has no room.
        replicas: Replicas that are connected to it.
        guarded: Whether it refuses writes while too few replicas follow (`min-replicas-to-write`).
        used_memory: Bytes that it uses.
    """

    name: str
    version: str
    maxmemory: int
    maxmemory_policy: str
    appendonly: bool
    written: bool = True
    disk_full: bool = False
    replicas: int = 0
    guarded: bool = False
    used_memory: int = 0

    @property
    def memory_limit(self) -> int:
        """Bytes that it may use; 0 for no limit."""
        return 0 if self.disk_full else self.maxmemory  # then the limit says only that there is no room

    @property
    def takes_writes(self) -> bool:
        """Whether its disk lets it take writes."""
        return self.refusal is None

    @property
    def refusal(self) -> str | None:
        """Why its disk lets it take no writes; None if it does."""
        if self.disk_full:
            return "the store refuses writes: its disk is full"
        return None if self.written else "the store refuses writes: its last write failed"
