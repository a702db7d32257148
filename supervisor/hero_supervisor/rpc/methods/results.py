"""The objects that travel as results about logs, many jobs, queues and schedules. Pure; jobs are in ``shapes.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import HeroJobError, JobFailed
from hero_job.model.views import BatchStatus, DeadJob, JobRecord, LogLine, QueueStatus, Reply
from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.protocol import error_codes as errors


class ErrorView(TypedDict):
    """An error inside a result: what the same would be as the answer of a call."""

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
    """Lines of a job's log, the oldest first, and the cursor to go on from."""

    lines: list[LogLineView]
    cursor: str


class RefusedJob(TypedDict):
    """A job of a batch that was not created; ``index`` is its place among those given, ``id`` null if it had none."""

    index: int
    id: str | None
    error: ErrorView


class BatchMade(TypedDict):
    """A batch whose jobs were created, those of ``refused`` excepted. ``batch_id`` is null when all were refused."""

    batch_id: str | None
    job_ids: list[str]
    refused: list[RefusedJob]


class JobEnd(TypedDict):
    """A job after a wait: ``output`` when it finished, ``error`` when it failed, both null while it goes on."""

    job_id: str
    status: str | None
    output: str | None
    error: ErrorView | None


class BatchRun(TypedDict):
    """A batch that was waited for; ``done`` is false when the time was up before all jobs had ended."""

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
    """The end of a wait: ``batch`` when a batch was waited for, else ``jobs`` in the order of their ids."""

    done: bool
    jobs: list[JobEnd]
    batch: BatchView | None


class DeadView(TypedDict):
    """A job that ended in error for good. What its record tells is null where it is past its retention."""

    job_id: str
    died_at: str
    script_type: str | None
    caller_id: str | None
    error: str | None
    error_kind: str | None


class DeadList(TypedDict):
    """Some of the dead letters, the newest first, and how many there are."""

    dead: list[DeadView]
    total: int


class Retried(TypedDict):
    """How many jobs run again."""

    retried: int


class Purged(TypedDict):
    """How many dead letters are gone, with their jobs."""

    purged: int


class QueuePurged(TypedDict):
    """How many jobs were stopped."""

    stopped: int


class Cleared(TypedDict):
    """How many jobs were deleted, and how many were left because they run."""

    deleted: int
    running: int


class QueueView(TypedDict):
    """A queue: of a script type, of a group of its actors, or of one of them."""

    script_type: str
    group: str | None
    instance: str | None
    waiting: int
    paused_since: str | None


class ActorCounts(TypedDict):
    """Actors of all machines; those that have been silent for too long have no lanes here."""

    alive: int
    silent: int
    lanes: int
    busy: int


class Stats(TypedDict):
    """The deployment in figures."""

    queues: list[QueueView]
    actors: ActorCounts
    dead: int
    uptime_s: float


class ScheduleView(TypedDict):
    """A schedule; ``next_at`` by this machine's clock."""

    name: str
    job: dict[str, Any]
    cron: str | None
    interval_s: float | None
    tz: str
    overlap: str
    missed: str
    next_at: str


def time_text(at_ms: int) -> str:
    """Show a time in milliseconds since 1970 as all times are shown: ISO 8601 in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_view(error: HeroJobError) -> ErrorView:
    """Show an error as it would be answered."""
    shown = errors.from_job_error(error)
    return {"code": int(shown.code), "message": shown.message, "data": shown.data}


def log_view(lines: Sequence[LogLine], after: str) -> JobLog:
    """Show lines of a log that were read after a cursor."""
    return {
        "lines": [
            {"cursor": line.cursor, "at": time_text(line.at_ms), "level": line.level, "text": line.text}
            for line in lines
        ],
        "cursor": lines[-1].cursor if lines else after,
    }


def end_view(reply: Reply) -> JobEnd:
    """Show how a job ended."""
    try:
        output, error = reply.result(), None
    except JobFailed as e:
        output, error = None, error_view(e)
    return {"job_id": reply.job_id, "status": reply.status.value, "output": output, "error": error}


def open_view(job_id: str, status: str | None, error: HeroJobError | None = None) -> JobEnd:
    """Show a job that has not ended, or that could not be looked at."""
    return {"job_id": job_id, "status": status, "output": None, "error": None if error is None else error_view(error)}


def refused_view(index: int, job_id: str | None, error: HeroJobError) -> RefusedJob:
    """Show why a job of a batch was not created."""
    return {"index": index, "id": job_id, "error": error_view(error)}


def batch_view(batch: BatchStatus) -> BatchView:
    """Show a batch."""
    return {
        "batch_id": batch.batch_id,
        "total": batch.total,
        "open": batch.open,
        "finished": batch.finished,
        "error": batch.error,
        "stopped": batch.stopped,
    }


def dead_view(letter: DeadJob, record: JobRecord | None) -> DeadView:
    """Show a dead letter with what is left of its job."""
    return {
        "job_id": letter.job_id,
        "died_at": time_text(letter.died_ms),
        "script_type": None if record is None else record.job.script_type.value,
        "caller_id": None if record is None else record.job.caller_id,
        "error": None if record is None else record.error,
        "error_kind": None if record is None else record.error_kind,
    }


def queue_view(queue: QueueStatus) -> QueueView:
    """Show a queue."""
    return {
        "script_type": queue.script_type.value,
        "group": queue.group,
        "instance": queue.instance,
        "waiting": queue.waiting,
        "paused_since": queue.paused_since,
    }


def schedule_view(schedule: Schedule, next_ms: int) -> ScheduleView:
    """Show a schedule."""
    job: Mapping[str, Any] = schedule.job
    return {
        "name": schedule.name,
        "job": dict(job),
        "cron": schedule.cron,
        "interval_s": schedule.interval_s,
        "tz": schedule.tz,
        "overlap": schedule.overlap.value,
        "missed": schedule.missed.value,
        "next_at": time_text(next_ms),
    }
