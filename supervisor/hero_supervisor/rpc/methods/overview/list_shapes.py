"""The objects that travel as results of lists and searches, and the functions that build them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.fields.names import shown_name
from hero_job.model.overview.pages import BatchPage, ListedJob, ListPage
from hero_job.model.views import JobRecord
from hero_supervisor.rpc.methods.results import BatchView, batch_view, time_text
from hero_supervisor.rpc.methods.shapes import DamagedJob

#: Characters of a script or an error that a row shows.
SHOWN: Final = 200


class JobRow(TypedDict):
    """A job in a list; ``script`` and ``error`` have their first 200 characters, get_job has all of it."""

    id: str
    status: str
    script_type: str
    group: str | None
    instance: str | None
    priority: str
    caller_id: str
    context_id: str
    batch: str | None
    script: str
    error: str | None
    error_kind: str | None
    created_at: str | None
    updated_at: str | None
    started_at: str | None
    finished_at: str | None
    attempt: int
    failures: int


class WaitingJob(JobRow):
    """A job in a queue; ``place`` counts the ids before it, from 1."""

    place: int


class DelayedJob(JobRow):
    """A job that waits for its time."""

    due_at: str | None


class BlockedJob(JobRow):
    """A job that waits for others: for ``prerequisites``, or in line for a place under ``concurrency_key``."""

    blocked_since: str | None
    prerequisites: list[str]
    concurrency_key: str | None


class RunningJob(JobRow):
    """A job that a lane has claimed; ``incarnation`` is the start of the actor, ``actor`` its name."""

    incarnation: str
    lane: int
    actor: str | None
    host: str | None


class WaitingJobs(TypedDict):
    """One page of jobs in queue order; an empty cursor means that it is the last page."""

    jobs: list[WaitingJob]
    damaged: list[DamagedJob]
    cursor: str


class DelayedJobs(TypedDict):
    """One page of delayed jobs, the soonest first; an empty cursor means that it is the last page."""

    jobs: list[DelayedJob]
    damaged: list[DamagedJob]
    cursor: str


class BlockedJobs(TypedDict):
    """One page of blocked jobs, the longest first; an empty cursor means that it is the last page."""

    jobs: list[BlockedJob]
    damaged: list[DamagedJob]
    cursor: str


class RunningJobs(TypedDict):
    """One page of running jobs; an empty cursor means that it is the last page."""

    jobs: list[RunningJob]
    damaged: list[DamagedJob]
    cursor: str


class FoundJobs(TypedDict):
    """One page of a search: ``walked`` of ``total`` keys were looked at; an empty cursor means that it has ended."""

    jobs: list[JobRow]
    damaged: list[DamagedJob]
    cursor: str
    walked: int
    total: int


class BatchRow(BatchView):
    """A batch of the list; ``began_at`` is when it was announced, ``caller_id`` null if it belongs to no caller."""

    began_at: str
    caller_id: str | None


class BatchList(TypedDict):
    """A page of batches; ``damaged`` are those whose counts cannot be read, ``cursor`` is empty after the last page."""

    batches: list[BatchRow]
    damaged: list[DamagedJob]
    cursor: str


def row_view(record: JobRecord) -> JobRow:
    """Build the row of a job."""
    job = record.job
    return {
        "id": job.id,
        "status": record.status.value,
        "script_type": job.script_type.value,
        "group": job.group,
        "instance": job.instance,
        "priority": job.priority,
        "caller_id": job.caller_id,
        "context_id": job.context_id,
        "batch": job.batch,
        "script": job.script[:SHOWN],
        "error": None if record.error is None else record.error[:SHOWN],
        "error_kind": record.error_kind,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "attempt": record.attempt,
        "failures": record.failures,
    }


def damaged_views(damaged: Sequence[tuple[str, str]]) -> list[DamagedJob]:
    """Build the views of keys that cannot be read as jobs."""
    return [{"id": job_id, "reason": reason} for job_id, reason in damaged]


def waiting_view(page: ListPage) -> WaitingJobs:
    """Build the view of a page of waiting jobs."""
    jobs: list[WaitingJob] = [{**row_view(listed.record), "place": listed.place or 0} for listed in page.jobs]
    return {"jobs": jobs, "damaged": damaged_views(page.damaged), "cursor": page.cursor}


def delayed_view(page: ListPage) -> DelayedJobs:
    """Build the view of a page of delayed jobs."""
    jobs: list[DelayedJob] = [{**row_view(listed.record), "due_at": _time_of(listed)} for listed in page.jobs]
    return {"jobs": jobs, "damaged": damaged_views(page.damaged), "cursor": page.cursor}


def blocked_view(page: ListPage) -> BlockedJobs:
    """Build the view of a page of blocked jobs."""
    jobs: list[BlockedJob] = []
    for listed in page.jobs:
        job = listed.record.job
        key = None if job.concurrency_key is None else shown_name(job.concurrency_key)
        waits_in_line = listed.record.status.value == "dispatched"
        jobs.append(
            {
                **row_view(listed.record),
                "blocked_since": _time_of(listed),
                "prerequisites": [] if waits_in_line else list(job.prerequisites),
                "concurrency_key": key if waits_in_line else None,
            }
        )
    return {"jobs": jobs, "damaged": damaged_views(page.damaged), "cursor": page.cursor}


def running_view(page: ListPage, actors: dict[str, tuple[str, str]]) -> RunningJobs:
    """Build the view of a page of running jobs.

    Args:
        page: The page.
        actors: Incarnation -> name and host of its actor.
    """
    jobs: list[RunningJob] = []
    for listed in page.jobs:
        incarnation, _, lane = (listed.lane or "").rpartition("/")
        name, host = actors.get(incarnation, (None, None))
        where: RunningJob = {
            **row_view(listed.record), "incarnation": incarnation, "lane": int(lane or 0), "actor": name, "host": host,
        }  # fmt: skip
        jobs.append(where)
    return {"jobs": jobs, "damaged": damaged_views(page.damaged), "cursor": page.cursor}


def _time_of(listed: ListedJob) -> str | None:
    try:
        return None if listed.since_ms is None else time_text(listed.since_ms)
    except (ValueError, OverflowError):
        return None  # a score that somebody wrote


def batch_list(page: BatchPage) -> BatchList:
    """Build the view of a page of batches."""
    rows: list[BatchRow] = [
        {**batch_view(one.status), "began_at": time_text(one.began_ms), "caller_id": one.caller_id}
        for one in page.batches
    ]
    return {"batches": rows, "damaged": damaged_views(page.damaged), "cursor": page.cursor}
