"""The calls of `Supervisor` as questions to a supervisor by JSON-RPC. Pure: the clients ask them.

Each call is a generator that yields `Ask` and is sent the result, or thrown the error. Invariant: its value and its
errors are those of `Supervisor`, so a program need not know which client it has.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from hero_client.calls import wait_length_s
from hero_client.remote.errors import ServiceRefused
from hero_client.remote.history import history_of
from hero_job.model.errors import (
    HeroJobError,
    JobConflict,
    JobDamaged,
    JobFailed,
    JobInvalid,
    JobNotFound,
    JobStateError,
    WaitTimeout,
)
from hero_job.model.fields.checks import milliseconds
from hero_job.model.job import JOB_FIELDS, Job, ScriptType
from hero_job.model.overview.attempts import JobAttempt
from hero_job.model.overview.explanation import WaitReason
from hero_job.model.overview.pages import BatchPage, ListedBatch
from hero_job.model.status import JobStatus
from hero_job.model.views import (
    ActorPresence,
    BatchStatus,
    DeadJob,
    JobPage,
    JobRecord,
    LogLine,
    Progress,
    QueueStatus,
)
from hero_job.operations.batches import BatchCreated
from hero_job.operations.overview.history import History

T = TypeVar("T")

#: Longest wait for the answer to a call, in seconds.
CALL_S: Final = 60.0
#: Longest wait of one call for a job, in seconds; a proxy may cut a longer one.
_WAIT_S: Final = 30.0
_DEAD_PAGE: Final = 1000
_NO_BATCH: Final = 1007
_LIST_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Ask:
    """One question.

    Attributes:
        method: Name of the method.
        params: By name; those that are None are left out.
        wait_s: Longest wait for the answer, in seconds.
        repeat: It changes nothing to ask again; None if the method says so.
    """

    method: str
    params: Mapping[str, Any] | None = None
    wait_s: float = CALL_S
    repeat: bool | None = None


#: Questions on the way to a value.
Asking: TypeAlias = Generator[Ask, Any, T]


class RemoteExplanation(NamedTuple):
    """Why a job does not run."""

    reason: WaitReason
    text: str


def own_name() -> Asking[str | None]:
    """The caller that the token is bound to; None if there is none."""
    identity = yield Ask("whoami")
    return str(identity["name"]) if identity["name"] and identity["scope"] == "user" else None


def create_job(job: Job) -> Asking[str]:
    """See `Supervisor`."""
    return str((yield Ask("create_job", _fields(job))))


def submit_job(job: Job) -> Asking[str]:
    """See `Supervisor`."""
    job_id = yield from create_job(job)
    # The same job sent twice, or an open job with the same unique key, was started before.
    with contextlib.suppress(JobStateError):
        yield Ask("start_job", {"job_id": job_id}, repeat=True)
    return job_id


def get_job(job_id: str) -> Asking[JobRecord]:
    """See `Supervisor`."""
    return _record((yield Ask("get_job", {"job_id": job_id})))


def get_job_status(job_id: str) -> Asking[JobStatus]:
    """See `Supervisor`."""
    return JobStatus((yield Ask("get_job_status", {"job_id": job_id})))


def get_job_output(job_id: str) -> Asking[str | None]:
    """See `Supervisor`."""
    found: str | None = yield Ask("get_job_output", {"job_id": job_id})
    return found


def await_result(job_id: str, wait_s: float) -> Asking[str]:
    """See `Supervisor`."""
    deadline_mono = time.monotonic() + wait_s
    while True:
        left_s = min(_WAIT_S, max(0.0, deadline_mono - time.monotonic()))
        waited = yield Ask("wait_jobs", {"job_ids": [job_id], "timeout": left_s}, left_s + CALL_S)
        if waited["done"]:
            return (yield from get_job_output(job_id)) or ""
        if time.monotonic() >= deadline_mono:
            raise WaitTimeout(job_id, wait_s)


def _damaged(page: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(one["id"]), str(one["reason"])) for one in page["damaged"])


def list_jobs(cursor: str = "", count: int = 100) -> Asking[JobPage]:
    """See `Supervisor`."""
    page = yield Ask("list_jobs", {"cursor": cursor, "count": count})
    damaged = _damaged(page)
    return JobPage(records=tuple(map(_record, page["jobs"])), damaged=damaged, cursor=page["cursor"])


def search_jobs(cursor: str = "") -> Asking[JobPage]:
    """The lists of the server; a search through its store is not for everybody."""
    return (yield from list_jobs(cursor, _LIST_PAGE))


def explain_job(job_id: str) -> Asking[RemoteExplanation]:
    """See `Supervisor`; only what commands show."""
    found = yield Ask("explain_job", {"job_id": job_id})
    return RemoteExplanation(reason=WaitReason(found["reason"]), text=found["text"])


def get_history(span_s: int = 3600, resolution_s: int | None = None, script_type: str | None = None) -> Asking[History]:
    """See `Supervisor`."""
    return history_of(
        (yield Ask("get_history", {"span_s": span_s, "resolution_s": resolution_s, "script_type": script_type}))
    )


def stop_job(job_id: str) -> Asking[JobStatus]:
    """See `Supervisor`."""
    return JobStatus((yield Ask("stop_job", {"job_id": job_id})))


def retry_job(job_id: str) -> Asking[None]:
    """See `Supervisor`."""
    (yield Ask("retry_job", {"job_id": job_id}))


def delete_job(job_id: str) -> Asking[None]:
    """See `Supervisor`."""
    (yield Ask("delete_job", {"job_id": job_id}))


def get_job_log(job_id: str, after: str = "", count: int = 1000) -> Asking[list[LogLine]]:
    """See `Supervisor`."""
    lines = (yield Ask("get_job_logs", {"job_id": job_id, "after": after, "count": count}))["lines"]
    return [
        LogLine(cursor=line["cursor"], at_ms=milliseconds(line["at"]), level=line["level"], text=line["text"])
        for line in lines
    ]


def list_actors() -> Asking[list[ActorPresence]]:
    """See `Supervisor`; with the processes of this supervisor that are not registered, which have no beat."""
    names = ActorPresence.__dataclass_fields__
    rows = [{name: value for name, value in row.items() if name in names} for row in (yield Ask("list_actors"))]
    return [
        ActorPresence(**{**row, "script_type": ScriptType.parse(row["script_type"]), "pid": row["pid"] or 0})
        for row in rows
    ]


def actor_rows() -> Asking[list[dict[str, Any]]]:
    """All actors as commands print them, with what the supervisor knows of its own."""
    return [
        {**row, "script_type": ScriptType.parse(row["script_type"]).value, "alive": row["beat_at"] is not None}
        for row in (yield Ask("list_actors"))
    ]


def list_queues() -> Asking[list[QueueStatus]]:
    """See `Supervisor`."""
    return [QueueStatus(**{**row, "script_type": ScriptType(row["script_type"])}) for row in (yield Ask("list_queues"))]


def get_queue(script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Asking[QueueStatus]:
    """See `Supervisor`."""
    for queue in (yield from list_queues()):
        if (queue.script_type, queue.group, queue.instance) == (script_type, group, instance):
            return queue
    return QueueStatus(script_type=script_type, group=group, instance=instance, waiting=0, paused_since=None)


def pause_queue(script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Asking[bool]:
    """See `Supervisor`."""
    before = (yield from get_queue(script_type, group, instance)).paused_since
    (yield Ask("pause_queue", {"script_type": script_type.value, "group": group, "instance": instance}))
    return before is None


def resume_queue(script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Asking[bool]:
    """See `Supervisor`."""
    before = (yield from get_queue(script_type, group, instance)).paused_since
    (yield Ask("resume_queue", {"script_type": script_type.value, "group": group, "instance": instance}))
    return before is not None


def purge_queue(script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Asking[int]:
    """See `Supervisor`."""
    params = {"script_type": script_type.value, "group": group, "instance": instance}
    return int((yield Ask("purge_queue", params))["stopped"])


def list_dead(first: int = 0, count: int = 100) -> Asking[list[DeadJob]]:
    """See `Supervisor`."""
    found: list[DeadJob] = []
    while len(found) < count:
        most = min(_DEAD_PAGE, count - len(found))
        page = (yield Ask("list_dead", {"first": first + len(found), "count": most}))["dead"]
        found += [DeadJob(job_id=row["job_id"], died_ms=milliseconds(row["died_at"])) for row in page]
        if len(page) < most:
            break
    return found


def count_dead() -> Asking[int]:
    """See `Supervisor`."""
    return int((yield Ask("list_dead", {"count": 1}))["total"])


def retry_all_dead() -> Asking[int]:
    """See `Supervisor`."""
    return int((yield Ask("retry_dead"))["retried"])


def purge_dead() -> Asking[int]:
    """See `Supervisor`."""
    return int((yield Ask("purge_dead"))["purged"])


def get_batch(batch_id: str) -> Asking[BatchStatus | None]:
    """See `Supervisor`."""
    try:
        return BatchStatus(**(yield Ask("get_batch", {"batch_id": batch_id})))
    except ServiceRefused as e:
        if e.code == _NO_BATCH:
            return None
        raise


def list_batches(cursor: str = "", count: int = 100) -> Asking[BatchPage]:
    """See `Supervisor`."""
    page = yield Ask("list_batches", {"cursor": cursor, "count": count})
    names = BatchStatus.__dataclass_fields__
    batches = tuple(
        ListedBatch(
            status=BatchStatus(**{name: row[name] for name in names}),
            began_ms=milliseconds(row["began_at"]),
            caller_id=row["caller_id"],
        )
        for row in page["batches"]
    )
    damaged = _damaged(page)
    return BatchPage(batches=batches, damaged=damaged, cursor=page["cursor"])


def await_batch(batch_id: str, wait_s: float) -> Asking[BatchStatus]:
    """See `Supervisor`."""
    deadline_mono = time.monotonic() + wait_s
    while True:
        left_s = min(_WAIT_S, max(0.0, deadline_mono - time.monotonic()))
        (yield Ask("wait_jobs", {"batch_id": batch_id, "timeout": left_s}, left_s + CALL_S))
        found = yield from get_batch(batch_id)
        if found is None:
            raise JobNotFound(batch_id)
        if not found.open:
            return found
        if time.monotonic() >= deadline_mono:
            raise WaitTimeout(batch_id, wait_s)


def start_job(job_id: str) -> Asking[None]:
    """See `Supervisor`."""
    yield Ask("start_job", {"job_id": job_id})


def run_job_and_await_result(job: Job, wait_s: float | None = None) -> Asking[str]:
    """See `Supervisor`."""
    job_id = yield from submit_job(job)
    return (yield from await_result(job_id, wait_length_s(job, wait_s)))


def create_jobs(jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None) -> Asking[BatchCreated]:
    """See `Supervisor`."""
    params = {"jobs": [_fields(job) for job in jobs], "start": start, "batch_id": batch_id}
    made = yield Ask("create_jobs", params)
    refused = {jobs[one["index"]].id: error_of(one["error"]) for one in made["refused"]}
    return BatchCreated(batch_id=made["batch_id"] or "", job_ids=tuple(made["job_ids"]), refused=refused)


def get_job_attempts(job_id: str) -> Asking[list[JobAttempt]]:
    """See `Supervisor`."""
    return [JobAttempt(**row) for row in (yield Ask("get_job_attempts", {"job_id": job_id}))]


def queue_length(script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Asking[int]:
    """See `Supervisor`; with the jobs of low priority."""
    return (yield from get_queue(script_type, group, instance)).waiting


def ping() -> Asking[None]:
    """Check that the supervisor answers."""
    yield Ask("version")


def _fields(job: Job) -> dict[str, Any]:
    return {
        field.name: field.kind.show(getattr(job, field.name))
        for field in JOB_FIELDS
        if field.required or getattr(job, field.name) != field.default
    }


def _record(view: Mapping[str, Any]) -> JobRecord:
    fields = {field.name: view[field.name] for field in JOB_FIELDS if view.get(field.name) is not None}
    run = {name: view[name] for name in JobRecord.__dataclass_fields__ if name != "job" and name in view}
    progress = run.get("progress")
    run["status"] = JobStatus(run["status"])
    run["progress"] = None if progress is None else Progress(**progress)
    return JobRecord(job=Job(**fields), **run)


def error_of(error: Mapping[str, Any]) -> HeroJobError:
    """Make the error that the API raises of one of the RPC."""
    data = error.get("data") or {}
    build = _ERRORS.get(error["code"])
    if build is not None:
        try:
            return build(data)
        except KeyError:
            pass  # another version of the server
    lines = [error["message"], *data.get("problems", ()), *([data["hint"]] if "hint" in data else ())]
    return ServiceRefused(int(error["code"]), "; ".join(str(line) for line in lines))


_ERRORS: Final[dict[int, Callable[[Mapping[str, Any]], HeroJobError]]] = {
    -32602: lambda data: JobInvalid(data["field"], data["reason"]),
    1001: lambda data: JobNotFound(data["job_id"]),
    1002: lambda data: JobConflict(data["job_id"], data["field"]),
    1003: lambda data: JobStateError(data["job_id"], data["status"], data["action"]),
    1004: lambda data: JobFailed(data["job_id"], data["kind"], data["message"], data["line"], data["column"]),
    1005: lambda data: JobDamaged(data["job_id"], data["field"], data["reason"]),
    1006: lambda data: WaitTimeout(data["job_id"], data["waited_s"]),
}
