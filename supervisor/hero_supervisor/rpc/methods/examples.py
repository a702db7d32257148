"""One example call of each method with its result; ``rpc.discover`` shows them, and a test makes all the calls. Pure.

The examples use three jobs (``report-1`` finished with 42, ``report-2`` is created but not started, ``report-3`` has
failed permanently), the batch ``batch-1`` and the schedule ``nightly``. Large results are built by the functions that
build the real ones, so the examples cannot lag behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hero_job.model.errors import JobFailed, JobInvalid
from hero_job.model.job import Job, ScriptType
from hero_job.model.objects.stored_object import StoredObject
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, BatchStatus, DeadJob, JobRecord, LogLine, QueueStatus, Reply
from hero_job.operations.schedules import Schedule
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.fleet.fleet import EntryView, FleetChanges
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.process.child_log import ActorLine
from hero_supervisor.process.spec import ActorSpec
from hero_supervisor.rpc.methods import actor_views, aliases, job_shapes, results, shapes
from hero_supervisor.rpc.methods.example import Example
from hero_supervisor.rpc.methods.objects import object_shapes
from hero_supervisor.rpc.methods.overview import overview_examples

CALLER: Final = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
CONTEXT: Final = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
DONE: Final = "report-1"
CREATED: Final = "report-2"
DEAD: Final = "report-3"
ENTRY: Final = "spare"
BATCH: Final = "batch-1"
SCHEDULE: Final = "nightly"
TYPE: Final = "hero.note"
SID: Final = "n0te01"
TOKEN: Final = "an example, no token of anybody"

_AT: Final = "2026-11-24T06:00:00.000Z"
_AT_MS: Final = 1_795_500_000_000
_FIELDS: Final = {"caller_id": CALLER, "context_id": CONTEXT, "script": "40 + 2", "script_type": "SAL"}
_RUNNER_JOB: Final = {
    "id": "report-9",
    "caller_id": CALLER,
    "context_id": CONTEXT,
    "payload": "40 + 2",
    "runner": "sal_runner_1",
    "executor": "sal",
    "timeout": 30,
    "env_vars": {},
    "created_at": "2026-11-24T06:00:00Z",
    "updated_at": "2026-11-24T06:00:00Z",
}


def build() -> dict[str, Example]:
    """Build the examples, by method."""
    one = {"job_id": DONE}
    script = Job.from_fields({**_FIELDS, "id": DONE, "timeout": 30})
    record = JobRecord(
        job=script, status=JobStatus.FINISHED, output="42", created_at=_AT, updated_at=_AT, started_at=_AT,
        finished_at=_AT, attempt=1, owner="machine-1-4711-k3/0",
    )  # fmt: skip
    job = job_shapes.job_view(record)
    actor = ActorPresence(
        incarnation="machine-1-4711-k3", name="sal-1", script_type=ScriptType.SAL, host="machine-1", pid=4711, lanes=4,
        engine="rhai", engine_version="1.26.0", group=None, instance=None, started_at=_AT, beat_at=_AT, busy=0, jobs=12,
    )  # fmt: skip
    child = ChildView(
        slot=f"{ENTRY}-1", entry=ENTRY, script_type="sal", phase=Phase.RUNNING, role="owner", pid=4712,
        incarnation=f"{ENTRY}-1.machine-1.4700-0.5e0c1b2a", restarts=0, held=False, holds=0, starts_in_s=None,
        waits_for=(), last_exit="", for_s=3.2, lanes=4, busy=0, jobs=12, rss_bytes=31_457_280,
    )  # fmt: skip
    entry = actor_views.entry_view(
        EntryView(spec=ActorSpec(name=ENTRY, script_type="sal", command=()), slots=(child,), scaling=None)
    )
    said = ActorLine(
        number=1, at=_AT, incarnation=child.incarnation, level="info",
        text='{"at":"2026-11-24T06:00:00.000Z","level":"info","event":"actor.ready","lanes":4}',
    )  # fmt: skip
    rolled: actor_views.Rolled = {"done": True, "replaced": [child.slot]}
    queues = [
        results.queue_view(QueueStatus(script_type=t, group=None, instance=None, waiting=0, paused_since=None))
        for t in ScriptType
    ]
    paused = QueueStatus(script_type=ScriptType.V, group=None, instance=None, waiting=3, paused_since=_AT)
    resumed = QueueStatus(script_type=ScriptType.V, group=None, instance=None, waiting=3, paused_since=None)
    batch = results.batch_view(BatchStatus(batch_id=BATCH, total=2, open=0, finished=2, error=0, stopped=0))
    end = results.end_view(Reply(job_id="report-7", status=JobStatus.FINISHED, output="42"))
    failure = JobFailed("report-8", "ErrorRuntime", "no such report", 1, 1)
    failed: results.JobEnd = {
        "job_id": "report-8",
        "status": "error",
        "output": None,
        "error": results.error_view(failure),
    }
    refused = results.refused_view(1, "report-8", JobInvalid("unique_key", "a job of a batch cannot have one"))
    dead_record = JobRecord(job=script, status=JobStatus.ERROR, error="no such report", error_kind="ErrorRuntime")
    dead = results.dead_view(DeadJob(job_id=DEAD, died_ms=_AT_MS), dead_record)
    nightly_job = {"caller_id": CALLER, "context_id": CONTEXT, "script": "40 + 2", "script_type": "SAL"}
    nightly_schedule = Schedule(name=SCHEDULE, job=nightly_job, cron="30 2 * * *", tz="Europe/Brussels")
    nightly = results.schedule_view(nightly_schedule, _AT_MS, CREATED, JobStatus.FINISHED)
    resting = results.schedule_view(nightly_schedule, None)
    line = LogLine(cursor=f"{_AT_MS}-0", at_ms=_AT_MS, level="info", text="ready")
    function = actor_views.FunctionView(
        name="file_read", family="os", signature="file_read(path: string) -> string", summary="Read a text file.",
        example='let text = file_read("report.txt");', blocks=True, action=None, allowed=True,
        allowed_by='read = ["/folder"] in [actors.allow]',
    )  # fmt: skip
    note = object_shapes.object_view(
        TYPE,
        StoredObject(
            sid=SID, version=2, written_at_ms=_AT_MS, since=2, caller_id=None, job_id="", indexed=("title",), fields={}
        ),
    )
    lists = {"admin": [], "write": [], "read": [CALLER], "groups": {}}
    second = {"id": "report-8", **_FIELDS}
    return {
        "create_job": Example({"id": "report-4", **_FIELDS, "retries": 2, "priority": "high"}, "report-4"),
        "start_job": Example({"job_id": CREATED}, {"success": True}),
        "run_job": Example({"job": {**_FIELDS, "timeout": 30}}, "42"),
        "play": Example({"script": "40 + 2", "script_type": "SAL"}, {"output": "42"}),
        "get_job": Example(one, job),
        "get_job_status": Example(one, "finished"),
        "get_job_output": Example(one, "42"),
        "get_job_logs": Example({**one, "after": "", "count": 100}, results.log_view([line], "")),
        "stop_job": Example({"job_id": CREATED}, "stopped"),
        "retry_job": Example({"job_id": DEAD}, {"success": True}),
        "list_jobs": Example(
            {"cursor": "", "count": 1000, "status": "finished", "caller_id": CALLER},
            {"jobs": [job], "damaged": [], "cursor": ""},
        ),
        **overview_examples.build(record),
        "delete_job": Example(one, None),
        "create_jobs": Example(
            {"jobs": [{"id": "report-7", **_FIELDS}, {**second, "unique_key": "daily"}], "batch_id": "batch-2"},
            {"batch_id": "batch-2", "job_ids": ["report-7"], "refused": [refused]},
        ),
        "run_jobs": Example(
            {"jobs": [{"id": "report-7", **_FIELDS}, {**second, "script": 'throw "no such report"'}], "timeout": 30},
            {"batch_id": "c1f6d5e0-6f0b-4f0b-9a52-7c9f6d3c1a11", "done": True, "jobs": [end, failed], "refused": []},
        ),
        "wait_jobs": Example({"batch_id": BATCH, "timeout": 10}, {"done": True, "jobs": [], "batch": batch}),
        "get_batch": Example({"batch_id": BATCH}, batch),
        "list_batches": Example(
            {"count": 10},
            {"batches": [{**batch, "began_at": _AT, "caller_id": None}], "damaged": [], "cursor": ""},
        ),
        "list_dead": Example({"first": 0, "count": 10}, {"dead": [dead], "total": 1}),
        "retry_dead": Example({}, {"retried": 1}),
        "purge_dead": Example({}, {"purged": 1}),
        "clear_all_jobs": Example({}, {"deleted": 5, "running": 0}),
        "list_actors": Example({}, [{**shapes.actor_view(actor), "supervised": actor_views.slot_view(child)}]),
        "get_actor": Example({"name": ENTRY}, entry),
        "list_functions": Example({"name": ENTRY}, [function]),
        "get_actor_logs": Example({"name": f"{ENTRY}-1", "count": 10}, actor_views.log_view([said], 0)),
        "scale_actors": Example({"name": ENTRY, "count": 1}, entry),
        "stop_actor": Example({"name": f"{ENTRY}-1"}, entry),
        "start_actor": Example({"name": f"{ENTRY}-1"}, entry),
        "restart_actor": Example({"name": ENTRY}, rolled),
        "reload": Example({}, actor_views.reloaded_view(FleetChanges(), {"done": True, "replaced": []})),
        "list_queues": Example({}, queues),
        "pause_queue": Example({"script_type": "V"}, results.queue_view(paused)),
        "purge_queue": Example({"script_type": "V"}, {"stopped": 3}),
        "resume_queue": Example({"script_type": "V"}, results.queue_view(resumed)),
        "create_schedule": Example(
            {"name": SCHEDULE, "job": nightly_job, "cron": "30 2 * * *", "tz": "Europe/Brussels"}, nightly
        ),
        "list_schedules": Example({}, [nightly]),
        "pause_schedule": Example({"name": SCHEDULE}, resting),
        "resume_schedule": Example({"name": SCHEDULE}, nightly),
        "delete_schedule": Example({"name": SCHEDULE}, None),
        "new_object": Example({"type": TYPE, "context_id": CONTEXT}, {**note, "version": 0, "written_at": None}),
        "set_object": Example(
            {"type": TYPE, "sid": SID, "fields": {"title": "Buy milk"}, "version": 1, "context_id": CONTEXT},
            {"sid": SID, "version": 2},
        ),
        "get_object": Example({"type": TYPE, "sid": SID, "context_id": CONTEXT}, note),
        "find_objects": Example(
            {"type": TYPE, "query": "title:mil*", "limit": 10, "context_id": CONTEXT}, {"sids": [SID], "cursor": ""}
        ),
        "list_objects": Example({"type": TYPE, "context_id": CONTEXT}, {"sids": [SID], "cursor": ""}),
        "get_object_history": Example({"type": TYPE, "sid": SID, "context_id": CONTEXT}, []),
        "list_object_types": Example({"context_id": CONTEXT}, [{"context_id": CONTEXT, "type": TYPE, "count": 1}]),
        "change_object_rights": Example(
            {"change": "grant", "to": "read", "member": CALLER, "context_id": CONTEXT}, lists
        ),
        "get_object_rights": Example({"context_id": CONTEXT}, lists),
        "delete_object": Example({"type": TYPE, "sid": SID, "context_id": CONTEXT}, None),
        "stats": Example(
            {},
            {"queues": queues, "actors": {"alive": 2, "silent": 0, "lanes": 5, "busy": 0}, "dead": 1, "uptime_s": 3.2},
        ),
        "jobs.create": Example({"secret": "s", "job": _RUNNER_JOB}, "report-9"),
        "jobs.list": Example({}, [aliases.runner_job_view(record)]),
        "job.run": Example({"secret": "s", "job": _RUNNER_JOB}, {"success": "42"}),
        "job.start": Example({"job_id": CREATED}, None),
        "job.status": Example(
            one,
            {"job_id": DONE, "status": "finished", "created_at": _AT, "started_at": _AT, "completed_at": _AT},
        ),
        "job.result": Example(one, {"success": "42"}),
        "job.stop": Example({"job_id": CREATED}, None),
        "job.delete": Example(one, None),
        "job.logs": Example(one, {"logs": "ready"}),
        "jobs.clear": Example({}, None),
        "fetch_nonce": Example({"pubkey": CALLER}, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        "authenticate": Example({"token": TOKEN}, _identity("ops", "token")),
        "whoami": Example({}, _identity(None, None)),
        "hero_subscribe": Example({"topic": "jobs", "params": {"status": ["finished", "error"]}}, "f4c1d1d0a7b9"),
        "hero_unsubscribe": Example({"subscription": "f4c1d1d0a7b9"}, False),
        "health": Example({}, {"status": "ok", "problem": None, "warnings": [], "uptime_s": 3.2}),
        "version": Example({}, {"name": "hero-runtime", "version": "0.2.0", "openrpc": "1.3.2"}),
        "rpc.discover": Example(
            {},
            {
                "openrpc": "1.3.2",
                "info": {},
                "methods": [],
                "components": {"schemas": {}},
                "x-errors": [],
                "x-notifications": [],
            },
        ),
    }


def _identity(name: str | None, by: str | None) -> Mapping[str, Any]:
    """Build an identity on the Unix socket, which knows its peer."""
    return {"name": name, "scope": "admin", "by": by, "peer": {"uid": 1000, "gid": 1000, "pid": 4711}}
