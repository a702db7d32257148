"""The objects that travel as results about logs, batches, queues and schedules, and the functions that build them.
Pure.

Those about single jobs are in ``shapes.py``, those about actor processes in ``actor_views.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import HeroJobError, JobFailed
from hero_job.model.fields.checks import ms_text
from hero_job.model.status import JobStatus
from hero_job.model.views import BatchStatus, DeadJob, JobRecord, LogLine, QueueStatus, Reply
from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.methods.view import view_of
from hero_supervisor.rpc.protocol import rpc_errors, wire


class ErrorView(TypedDict):
    """An error inside a result, in the shape that it has in an answer."""

    code: int
    message: str
    data: dict[str, Any]


class LogLineView(TypedDict):
    """One line that a script has printed."""

    cursor: str
    at: str
    level: str
    text: str


class JobLog(TypedDict):
    """Lines of a job's log, oldest first, and the cursor to continue with."""

    lines: list[LogLineView]
    cursor: str


class RefusedJob(TypedDict):
    """A job of a batch that was not created: its position in the call, its id (null if it had none), and the error."""

    index: int
    id: str | None
    error: ErrorView


class BatchMade(TypedDict):
    """A batch whose jobs were created, except those in ``refused``; ``batch_id`` is null if all were refused."""

    batch_id: str | None
    job_ids: list[str]
    refused: list[RefusedJob]


class JobEnd(TypedDict):
    """A job after a wait: ``output`` if it finished, ``error`` if it failed, both null while it goes on."""

    job_id: str
    status: str | None
    output: str | None
    error: ErrorView | None


class BatchRun(TypedDict):
    """A batch after a wait; ``done`` is false if the time ran out before all jobs had ended."""

    batch_id: str | None
    done: bool
    jobs: list[JobEnd]
    refused: list[RefusedJob]


class BatchView(TypedDict):
    """How many jobs of a batch are in which state."""

    batch_id: str
    total: int
    open: int
    finished: int
    error: int
    stopped: int


class Waited(TypedDict):
    """The result of a wait: ``batch`` if the call named a batch, else ``jobs`` in the order of the call."""

    done: bool
    jobs: list[JobEnd]
    batch: BatchView | None


class DeadView(TypedDict):
    """A job that has failed permanently; the fields of its record are null after the record has expired."""

    job_id: str
    died_at: str
    script_type: str | None
    caller_id: str | None
    error: str | None
    error_kind: str | None


class DeadList(TypedDict):
    """Some dead letters, newest first, and how many there are in total."""

    dead: list[DeadView]
    total: int


class Retried(TypedDict):
    """How many jobs were started again."""

    retried: int


class Purged(TypedDict):
    """How many dead letters were deleted together with their jobs."""

    purged: int


class QueuePurged(TypedDict):
    """How many jobs were stopped."""

    stopped: int


class Cleared(TypedDict):
    """How many jobs were deleted, and how many were kept because they run."""

    deleted: int
    running: int


class QueueView(TypedDict):
    """The queue of a script type, of a group of its actors, or of one instance of the group."""

    script_type: str
    group: str | None
    instance: str | None
    waiting: int
    paused_since: str | None


class ActorCounts(TypedDict):
    """Actors of all hosts; the lanes of silent actors are not counted."""

    alive: int
    silent: int
    lanes: int
    busy: int


class Stats(TypedDict):
    """Figures of the deployment."""

    queues: list[QueueView]
    actors: ActorCounts
    dead: int
    uptime_s: float


class ScheduleView(TypedDict):
    """A schedule; ``next_at`` is its next tick, in the past if it is late, and null while it is paused.

    ``in_words`` says when it ticks. ``last_status`` is that of the last job that it created; null before the first, and
    once that one is past its retention.
    """

    name: str
    job: dict[str, Any]
    cron: str | None
    interval_s: float | None
    tz: str
    overlap: str
    missed: str
    in_words: str
    next_at: str | None
    paused: bool
    last_job_id: str | None
    last_status: str | None


def time_text(at_ms: int) -> str:
    """Format a time, in milliseconds since 1970, as ISO 8601 in UTC."""
    return ms_text(at_ms)


def error_view(error: HeroJobError) -> ErrorView:
    """Build the view of an error."""
    return cast(ErrorView, wire.error_body(rpc_errors.from_job_error(error)))


def log_view(lines: Sequence[LogLine], after: str) -> JobLog:
    """Build the view of lines of a log.

    Args:
        lines: Oldest first.
        after: Cursor that they were read after.
    """
    views = [view_of(LogLineView, line, at=time_text(line.at_ms)) for line in lines]
    return {"lines": views, "cursor": lines[-1].cursor if lines else after}


def end_view(reply: Reply) -> JobEnd:
    """Build the view of a job that has ended."""
    try:
        output, error = reply.result(), None
    except JobFailed as e:
        output, error = None, error_view(e)
    return {"job_id": reply.job_id, "status": reply.status.value, "output": output, "error": error}


def open_view(job_id: str, status: str | None, error: HeroJobError | None = None) -> JobEnd:
    """Build the view of a job that has not ended, or that could not be read."""
    return {"job_id": job_id, "status": status, "output": None, "error": None if error is None else error_view(error)}


def refused_view(index: int, job_id: str | None, error: HeroJobError) -> RefusedJob:
    """Build the view of a job of a batch that was not created."""
    return {"index": index, "id": job_id, "error": error_view(error)}


def batch_view(batch: BatchStatus) -> BatchView:
    """Build the view of a batch."""
    return view_of(BatchView, batch)


def dead_view(letter: DeadJob, record: JobRecord | None) -> DeadView:
    """Build the view of a dead letter; ``record`` is None if the job has expired or is damaged."""
    return {
        "job_id": letter.job_id,
        "died_at": time_text(letter.died_ms),
        "script_type": None if record is None else record.job.script_type.value,
        "caller_id": None if record is None else record.job.caller_id,
        "error": None if record is None else record.error,
        "error_kind": None if record is None else record.error_kind,
    }


def queue_view(queue: QueueStatus) -> QueueView:
    """Build the view of a queue."""
    return view_of(QueueView, queue, script_type=queue.script_type.value)


def schedule_view(
    schedule: Schedule, next_ms: int | None, last_job_id: str | None = None, last_status: JobStatus | None = None
) -> ScheduleView:
    """Build the view of a schedule.

    Args:
        schedule: As it is stored.
        next_ms: Next tick, in milliseconds since 1970; None if there is none until the schedule is resumed.
        last_job_id: Id of the last job that it has created; None if there is none.
        last_status: Status of that job; None if it is not kept any more.
    """
    return view_of(
        ScheduleView,
        schedule,
        job=dict(schedule.job),
        overlap=schedule.overlap.value,
        missed=schedule.missed.value,
        in_words=schedule.in_words(),
        next_at=None if next_ms is None else time_text(next_ms),
        paused=next_ms is None,
        last_job_id=last_job_id,
        last_status=None if last_status is None else last_status.value,
    )
