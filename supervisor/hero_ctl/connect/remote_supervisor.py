"""The API of `hero_client.Supervisor` over JSON-RPC: what the commands need of it, with the rights of a token.

Invariant: its calls return and raise what those of `Supervisor` do, so that a command need not know which one it has.
What only the store can tell is refused with a sentence that says so.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, NoReturn, Self

from hero_ctl.connect.remote import RemoteServer, ServerUnusable
from hero_ctl.connect.remote_history import history_of
from hero_ctl.output.service_errors import ServiceRefused, ServiceUnreachable, StoreNeeded
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
from hero_job.model.overview.explanation import WaitReason
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
from hero_job.operations.overview.history import History
from hero_job.operations.schedules import Schedule

#: Longest wait of one call, in seconds; a proxy may cut a longer one.
_WAIT_S: Final = 30.0
_CALL_S: Final = 60.0
_DEAD_PAGE: Final = 1000
_NO_BATCH: Final = 1007
_LIST_PAGE: Final = 500


class RemoteExplanation(NamedTuple):
    """Why a job does not run."""

    reason: WaitReason
    text: str


class RemoteSupervisor:
    """Submits jobs to a deployment and looks at them, through one of its supervisors.

    Args:
        server: Which one.
    """

    def __init__(self, server: RemoteServer) -> None:
        self._server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing is kept open."""

    def close(self) -> None:
        """Nothing is kept open."""

    @property
    def store(self) -> NoReturn:
        """There is none."""
        raise StoreNeeded

    @property
    def operations(self) -> NoReturn:
        """There is no store to run them on."""
        raise StoreNeeded

    @property
    def schedules(self) -> NoReturn:
        """There is no store to run them on."""
        raise StoreNeeded

    def ask(self, method: str, params: Mapping[str, Any] | None = None, wait_s: float = _CALL_S) -> Any:
        """Call a method, and return its result.

        Raises:
            HeroJobError: The error of the method, as the API would have raised it.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            answer = self._server.call(method, given, wait_s)
        except ServerUnusable as e:
            raise ServiceUnreachable(str(e)) from e
        if "error" in answer:
            raise _error_of(answer["error"])
        return answer["result"]

    def own_name(self) -> str | None:
        """The caller that the token is bound to; None if there is none."""
        identity = self.ask("whoami")
        return str(identity["name"]) if identity["name"] and identity["scope"] == "user" else None

    def create_job(self, job: Job) -> str:
        """See `Supervisor`."""
        fields = {
            field.name: field.kind.show(getattr(job, field.name))
            for field in JOB_FIELDS
            if field.required or getattr(job, field.name) != field.default
        }
        return str(self.ask("create_job", fields))

    def submit_job(self, job: Job) -> str:
        """See `Supervisor`."""
        job_id = self.create_job(job)
        # The same job sent twice, or an open job with the same unique key, was started before.
        with contextlib.suppress(JobStateError):
            self.ask("start_job", {"job_id": job_id})
        return job_id

    def get_job(self, job_id: str) -> JobRecord:
        """See `Supervisor`."""
        return _record(self.ask("get_job", {"job_id": job_id}))

    def get_job_status(self, job_id: str) -> JobStatus:
        """See `Supervisor`."""
        return JobStatus(self.ask("get_job_status", {"job_id": job_id}))

    def get_job_output(self, job_id: str) -> str | None:
        """See `Supervisor`."""
        found: str | None = self.ask("get_job_output", {"job_id": job_id})
        return found

    def await_result(self, job_id: str, wait_s: float) -> str:
        """See `Supervisor`."""
        deadline_mono = time.monotonic() + wait_s
        while True:
            left_s = min(_WAIT_S, max(0.0, deadline_mono - time.monotonic()))
            waited = self.ask("wait_jobs", {"job_ids": [job_id], "timeout": left_s}, left_s + _CALL_S)
            if waited["done"]:
                return self.get_job_output(job_id) or ""
            if time.monotonic() >= deadline_mono:
                raise WaitTimeout(job_id, wait_s)

    def list_jobs(self, cursor: str = "", count: int = 100) -> JobPage:
        """See `Supervisor`."""
        page = self.ask("list_jobs", {"cursor": cursor, "count": count})
        damaged = tuple((str(one["id"]), str(one.get("error", ""))) for one in page["damaged"])
        return JobPage(records=tuple(map(_record, page["jobs"])), damaged=damaged, cursor=page["cursor"])

    def search_jobs(self, cursor: str = "") -> JobPage:
        """The lists of the server; a search through its store is not for everybody."""
        return self.list_jobs(cursor, _LIST_PAGE)

    def explain_job(self, job_id: str) -> RemoteExplanation:
        """See `Supervisor`; only what commands show."""
        found = self.ask("explain_job", {"job_id": job_id})
        return RemoteExplanation(reason=WaitReason(found["reason"]), text=found["text"])

    def get_history(
        self, span_s: int = 3600, resolution_s: int | None = None, script_type: str | None = None
    ) -> History:
        """See `Supervisor`."""
        return history_of(
            self.ask("get_history", {"span_s": span_s, "resolution_s": resolution_s, "script_type": script_type})
        )

    def stop_job(self, job_id: str) -> JobStatus:
        """See `Supervisor`."""
        return JobStatus(self.ask("stop_job", {"job_id": job_id}))

    def retry_job(self, job_id: str) -> None:
        """See `Supervisor`."""
        self.ask("retry_job", {"job_id": job_id})

    def delete_job(self, job_id: str) -> None:
        """See `Supervisor`."""
        self.ask("delete_job", {"job_id": job_id})

    def get_job_log(self, job_id: str, after: str = "", count: int = 1000) -> list[LogLine]:
        """See `Supervisor`."""
        lines = self.ask("get_job_logs", {"job_id": job_id, "after": after, "count": count})["lines"]
        return [
            LogLine(cursor=line["cursor"], at_ms=milliseconds(line["at"]), level=line["level"], text=line["text"])
            for line in lines
        ]

    def list_actors(self) -> list[ActorPresence]:
        """See `Supervisor`; with the processes of this supervisor that are not registered, which have no beat."""
        names = ActorPresence.__dataclass_fields__
        rows = [{name: value for name, value in row.items() if name in names} for row in self.ask("list_actors")]
        return [
            ActorPresence(**{**row, "script_type": ScriptType.parse(row["script_type"]), "pid": row["pid"] or 0})
            for row in rows
        ]

    def actor_rows(self) -> list[dict[str, Any]]:
        """All actors as commands print them, with what the supervisor knows of its own."""
        return [
            {**row, "script_type": ScriptType.parse(row["script_type"]).value, "alive": row["beat_at"] is not None}
            for row in self.ask("list_actors")
        ]

    def list_queues(self) -> list[QueueStatus]:
        """See `Supervisor`."""
        return [
            QueueStatus(**{**row, "script_type": ScriptType(row["script_type"])}) for row in self.ask("list_queues")
        ]

    def get_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> QueueStatus:
        """See `Supervisor`."""
        for queue in self.list_queues():
            if (queue.script_type, queue.group, queue.instance) == (script_type, group, instance):
                return queue
        return QueueStatus(script_type=script_type, group=group, instance=instance, waiting=0, paused_since=None)

    def pause_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> bool:
        """See `Supervisor`."""
        before = self.get_queue(script_type, group, instance).paused_since
        self.ask("pause_queue", {"script_type": script_type.value, "group": group, "instance": instance})
        return before is None

    def resume_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> bool:
        """See `Supervisor`."""
        before = self.get_queue(script_type, group, instance).paused_since
        self.ask("resume_queue", {"script_type": script_type.value, "group": group, "instance": instance})
        return before is not None

    def purge_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> int:
        """See `Supervisor`."""
        params = {"script_type": script_type.value, "group": group, "instance": instance}
        return int(self.ask("purge_queue", params)["stopped"])

    def list_dead(self, first: int = 0, count: int = 100) -> list[DeadJob]:
        """See `Supervisor`."""
        found: list[DeadJob] = []
        while len(found) < count:
            most = min(_DEAD_PAGE, count - len(found))
            page = self.ask("list_dead", {"first": first + len(found), "count": most})["dead"]
            found += [DeadJob(job_id=row["job_id"], died_ms=milliseconds(row["died_at"])) for row in page]
            if len(page) < most:
                break
        return found

    def count_dead(self) -> int:
        """See `Supervisor`."""
        return int(self.ask("list_dead", {"count": 1})["total"])

    def retry_all_dead(self) -> int:
        """See `Supervisor`."""
        return int(self.ask("retry_dead")["retried"])

    def purge_dead(self) -> int:
        """See `Supervisor`."""
        return int(self.ask("purge_dead")["purged"])

    def put_schedule(self, schedule: Schedule) -> int:
        """See `Supervisor`."""
        names = ("name", "cron", "interval_s", "tz")
        params = {name: getattr(schedule, name) for name in names} | {"job": dict(schedule.job)}
        params |= {"overlap": schedule.overlap.value, "missed": schedule.missed.value}
        return milliseconds(self.ask("create_schedule", params)["next_at"])

    def list_schedules(self) -> list[Schedule]:
        """See `Supervisor`."""
        names = Schedule.__dataclass_fields__
        rows = self.ask("list_schedules")
        return [Schedule(**{name: value for name, value in row.items() if name in names}) for row in rows]

    def next_ticks(self, names: Sequence[str]) -> list[int | None]:
        """See `Supervisor`."""
        at = {row["name"]: row["next_at"] for row in self.ask("list_schedules")} if names else {}
        return [None if at.get(name) is None else milliseconds(at[name]) for name in names]

    def delete_schedule(self, name: str) -> bool:
        """See `Supervisor`."""
        if name not in {schedule.name for schedule in self.list_schedules()}:
            return False
        self.ask("delete_schedule", {"name": name})
        return True

    def get_batch(self, batch_id: str) -> BatchStatus | None:
        """See `Supervisor`."""
        try:
            return BatchStatus(**self.ask("get_batch", {"batch_id": batch_id}))
        except ServiceRefused as e:
            if e.code == _NO_BATCH:
                return None
            raise

    def await_batch(self, batch_id: str, wait_s: float) -> BatchStatus:
        """See `Supervisor`."""
        deadline_mono = time.monotonic() + wait_s
        while True:
            left_s = min(_WAIT_S, max(0.0, deadline_mono - time.monotonic()))
            self.ask("wait_jobs", {"batch_id": batch_id, "timeout": left_s}, left_s + _CALL_S)
            found = self.get_batch(batch_id)
            if found is None:
                raise JobNotFound(batch_id)
            if not found.open:
                return found
            if time.monotonic() >= deadline_mono:
                raise WaitTimeout(batch_id, wait_s)


def _record(view: Mapping[str, Any]) -> JobRecord:
    fields = {field.name: view[field.name] for field in JOB_FIELDS if view.get(field.name) is not None}
    run = {name: view[name] for name in JobRecord.__dataclass_fields__ if name != "job" and name in view}
    progress = run.get("progress")
    run["status"] = JobStatus(run["status"])
    run["progress"] = None if progress is None else Progress(**progress)
    return JobRecord(job=Job(**fields), **run)


def _error_of(error: Mapping[str, Any]) -> HeroJobError:
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
