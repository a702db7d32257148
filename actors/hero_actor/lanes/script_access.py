"""Gives scripts access to the store: to jobs of their own caller and context, to the values and objects of it.

The actor hands it to engines that offer such functions to scripts. The engine states which job asks; the script cannot.
Invariant: jobs of another caller or context are treated as if they did not exist: they cannot be read, changed or
waited for. Errors of the store become refusals here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hero_actor.lanes.job_views import ended_view, listed_view, open_view, reply_of
from hero_actor.lanes.lent_slots import MOST_SPARE_LANES, LentSlots, TooManyLoans
from hero_engine.engine import Asker
from hero_engine.errors import AccessRefused, FunctionError
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError, JobInvalid, JobNotFound, WaitTimeout
from hero_job.model.fields.shown_values import shown
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import JOB_FIELDS, Job, ScriptType
from hero_job.model.reach import Reach
from hero_job.model.retention import Retention
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord
from hero_job.operations.batches import creation_order
from hero_job.operations.flow import chunks, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.operations.values import Values
from hero_job.protocol.op import Op
from hero_job.tracing.sending import sending

if TYPE_CHECKING:
    from hero_job.tracing.job_tracer import JobTracer

T = TypeVar("T")

#: The fields of a new job that a script may choose. It may choose neither caller and context, nor signatures, nor a
#: batch, whose jobs others count.
_FIELDS: Final = {field.name: field.kind for field in JOB_FIELDS if field.for_scripts}
_TYPE_WORDS: Final[Mapping[object, str]] = {
    str: "text", int: "whole", float: "number", bool: "flag", list[str]: "texts", dict[str, str]: "mapping",
}  # fmt: skip
#: Longest single wait of a script that cannot be asked whether it must end, in seconds. It bounds how long the wait
#: outlives a script that was stopped.
MAX_WAIT_S: Final = 2.0
#: Most jobs that are created or waited for in one request.
MAX_JOBS: Final = 10_000
#: Most characters that the outputs of one request may have together.
MAX_OUTPUT_CHARS: Final = 32 << 20
_MAX_LISTED: Final = 1000
#: Keys of the store that one round trip looks at for such a list.
_KEYS_PER_PAGE: Final = 5000
_MAX_LOG_LINES: Final = 1000


class ScriptAccess:
    """Access of scripts to the store; the `StoreAccess` of engines. Thread-safe.

    Args:
        store: Shared by the actor's threads.
        namespace: Prefix of every key.
        retention: How long jobs that have ended are kept.
        lent_slots: Where a script that waits for a job lends the slot of its lane.
        by_context: The script type of the actor, if it runs the jobs of a context one after another; else None.
        max_object_bytes: Largest object of OSIS; 0 for an actor whose scripts have no objects.
        tracer: Records the spans of the jobs that scripts create; None if none are recorded.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        retention: Retention,
        lent_slots: LentSlots | None = None,
        by_context: ScriptType | None = None,
        *,
        max_object_bytes: int = 0,
        tracer: JobTracer | None = None,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._max_object_bytes = max_object_bytes
        self._tracer = tracer
        self._lent_slots = lent_slots or LentSlots(MAX_JOBS, lambda: True, lambda _number: None)
        self._by_context = by_context
        self._operations = Operations(namespace, retention)
        self._values = Values(namespace)
        self._methods: dict[str, Callable[[Asker, Mapping[str, Any]], object]] = {
            "job.options": self._options,
            "job.create": self._create,
            "job.create_many": self._create_many,
            "job.start": self._start,
            "job.get": self._get,
            "job.list": self._list,
            "job.status": self._status,
            "job.wait": self._wait,
            "job.wait_many": self._wait_many,
            "job.log": self._log,
            "job.stop": self._stop,
            "job.retry": self._retry,
            "job.delete": self._delete,
            "store.set": self._set_value,
            "store.get": self._get_value,
            "store.add": self._add_value,
            "store.compare_and_set": self._compare_and_set_value,
            "store.expire": self._expire_value,
            "store.delete": self._delete_value,
            "store.list": self._list_values,
            "redis.identity": self._identity,
        }

    def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Carry out one request of a script; see `StoreAccess`."""
        run = self._methods.get(method)
        if run is None and self._max_object_bytes and method.startswith("osis."):
            # On first use: most scripts have nothing to do with objects.
            from hero_actor.lanes.object_access import ScriptObjects

            self._methods |= ScriptObjects(self._store, self._namespace, self._max_object_bytes).methods
            run = self._methods.get(method)
        if run is None:
            raise AccessRefused(f"unknown method {method:.80}")
        try:
            return run(asker, params)
        except JobInvalid as e:
            raise AccessRefused(f"'{e.field}': {e.reason}") from e
        except HeroJobError as e:
            raise AccessRefused(str(e)) from e
        except TooManyLoans as e:
            said = f"all lanes of this actor wait for jobs, and its {MOST_SPARE_LANES} spare lanes too"
            raise AccessRefused(f"{said}; start fewer jobs that wait for others") from e
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            # The actions check their params, but a script can send any JSON without them.
            said = f"{shown(e.args[0])} is missing" if isinstance(e, KeyError) else "one has another type"
            raise AccessRefused(f"{method}: invalid params: {said}") from e

    def _run(self, op: Op[T]) -> T:
        return self._store.run(op)

    def _identity(self, _asker: Asker, _params: Mapping[str, Any]) -> dict[str, str]:
        """Say which server and database the job store is, so that no script gets it under another name."""
        info = self._run(Op(("INFO",), str))
        client = self._run(Op(("CLIENT", "INFO"), str))
        found = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        database = dict(word.partition("=")[::2] for word in client.split())["db"]
        names = {name: found.get(name, "") for name in ("run_id", "master_replid")}
        return {**names, "db": database, "namespace": self._namespace}

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _own(self, asker: Asker, job_id: str) -> JobRecord:
        record = self._run(self._operations.record(job_id))
        if not _is_own(asker, record):
            raise JobNotFound(job_id)
        return record

    def _options(self, _asker: Asker, _params: Mapping[str, Any]) -> dict[str, object]:
        """Describe the fields that a script may choose: for each a word for its type, or its possible values."""
        return {name: list(kind.choices) or _TYPE_WORDS[kind.json_type] for name, kind in _FIELDS.items()}

    def _create(self, asker: Asker, params: Mapping[str, Any]) -> str:
        start = params["start"] is True
        with sending(self._tracer, TraceContext.parse(asker.traceparent), is_start=start) as spans:
            job = spans.add(_new_job(asker, params["fields"]))
            return self._run(self._operations.create(job, start=start, reach=_reach(asker)))

    def _create_many(self, asker: Asker, params: Mapping[str, Any]) -> list[str]:
        """Create jobs, which may name each other; if one is refused, those before it stay."""
        wanted = params["jobs"]
        if len(wanted) > MAX_JOBS:
            raise JobInvalid("jobs", f"are {len(wanted)}; {MAX_JOBS} can be created together")
        parent = TraceContext.parse(asker.traceparent)
        with sending(self._tracer, parent, is_start=params["start"] is True, is_batch=True) as spans:
            return self._create_all(asker, [spans.add(_new_job(asker, fields)) for fields in wanted], params)

    def _create_all(self, asker: Asker, jobs: list[Job], params: Mapping[str, Any]) -> list[str]:
        reach, start = _reach(asker), params["start"] is True
        creations = [(job, self._operations.create(job, start=start, reach=reach)) for job in creation_order(jobs)]
        # A job whose unique key another one holds stands for that one.
        stored: dict[str, str] = {}
        for part in chunks(creations):
            ids = self._store.run_many([creation for _, creation in part])
            raise_first_error(ids)
            stored |= {job.id: job_id for (job, _), job_id in zip(part, ids, strict=True)}
            if asker.check is not None:
                asker.check()
        return [stored[job.id] for job in jobs]

    def _start(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self._own(asker, params["id"])
        self._run(self._operations.start(params["id"]))

    def _get(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, object]:
        record = self._own(asker, params["id"])
        return {
            **listed_view(record),
            "script": record.job.script,
            "timeout": record.job.timeout,
            "output": record.output,
            "error": record.error,
            "error_kind": record.error_kind,
            "error_line": record.error_line,
            "started_at": record.started_at,
            "finished_at": record.finished_at,
            "attempt": record.attempt,
        }

    def _list(self, asker: Asker, params: Mapping[str, Any]) -> list[dict[str, object]]:
        most = min(int(params["count"]), _MAX_LISTED)
        status = params["status"] or None
        if status not in (None, *JobStatus):
            raise JobInvalid("status", f"must be one of {', '.join(JobStatus)}, not {shown(status)}")
        # Imported by actors whose scripts list jobs.
        from hero_job.model.overview.selection import JobSelection
        from hero_job.operations.overview.lists import search_jobs

        wanted = JobSelection(
            caller_id=asker.caller_id, context_id=asker.context_id, status=None if status is None else JobStatus(status)
        )
        found: list[dict[str, object]] = []
        cursor = ""
        while len(found) < most and time.monotonic() < asker.deadline_mono:
            page = self._run(search_jobs(self._operations, cursor, _KEYS_PER_PAGE, wanted))
            found += map(listed_view, page.records)
            cursor = page.cursor
            if not cursor:
                break
        return sorted(found, key=lambda job: (str(job["created_at"]), str(job["id"])))[:most]

    def _status(self, asker: Asker, params: Mapping[str, Any]) -> str:
        return self._own(asker, params["id"]).status.value

    def _wait(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, object]:
        return self._wait_for(asker, [params["id"]], float(params["wait_s"]))[0]

    def _wait_many(self, asker: Asker, params: Mapping[str, Any]) -> list[dict[str, object]]:
        """Wait until jobs have ended, or the time is up; return the state of each in the given order."""
        job_ids = params["ids"]
        if len(job_ids) > MAX_JOBS:
            raise JobInvalid("ids", f"are {len(job_ids)}; {MAX_JOBS} can be waited for together")
        return self._wait_for(asker, job_ids, float(params["wait_s"]))

    def _wait_for(self, asker: Asker, job_ids: Sequence[str], wait_s: float) -> list[dict[str, object]]:
        until_mono = min(time.monotonic() + wait_s, asker.deadline_mono)
        if asker.check is None:
            until_mono = min(until_mono, time.monotonic() + MAX_WAIT_S)
        ended: dict[str, dict[str, object]] = {}
        records = {record.job.id: record for record in self._own_many(asker, job_ids)}
        for job_id, record in records.items():
            if record.status.terminal:
                ended[job_id] = ended_view(reply_of(record))
        open_ids = [job_id for job_id in records if job_id not in ended]
        if open_ids and wait_s > 0:
            for job_id in open_ids:
                self._check_can_run(asker, records[job_id])
            ended |= self._block(asker, open_ids, until_mono)
        if sum(len(str(answer["output"] or "")) for answer in ended.values()) > MAX_OUTPUT_CHARS:
            raise JobInvalid("ids", f"have outputs of more than {MAX_OUTPUT_CHARS} characters; wait for fewer together")
        return [ended.get(job_id) or open_view(records[job_id]) for job_id in job_ids]

    def _own_many(self, asker: Asker, job_ids: Sequence[str]) -> list[JobRecord]:
        records: list[JobRecord] = []
        for part in chunks(list(dict.fromkeys(job_ids))):
            found = self._store.run_many([self._operations.record(job_id) for job_id in part])
            for job_id, record in zip(part, found, strict=True):
                if isinstance(record, HeroJobError):
                    raise record
                if not _is_own(asker, record):
                    raise JobNotFound(job_id)
            records += found
        return records

    def _check_can_run(self, asker: Asker, record: JobRecord) -> None:
        """Refuse to wait for a job that cannot run before the waiting one has ended.

        Raises:
            JobInvalid: It is the waiting job itself, or one that its actor runs after it.
        """
        if record.job.id == asker.job_id:
            raise JobInvalid("id", "a job cannot wait for itself")
        keys = (None, f"context:{asker.context_id}")
        if record.job.script_type is self._by_context and record.job.concurrency_key in keys:
            reason = "runs only after this one: its actor has by_context, and both have the same context"
            raise JobInvalid("id", f"job '{record.job.id}' {reason}")

    def _block(self, asker: Asker, job_ids: list[str], until_mono: float) -> dict[str, dict[str, object]]:
        """Wait while the slot of the lane is lent; return the jobs that have ended.

        It blocks for the last job of the list, which usually ends last, and then looks at all of them.
        """

        def check() -> None:
            if asker.check is not None:
                asker.check()
            elif time.monotonic() >= asker.deadline_mono:
                raise JobInvalid("id", "there is no more time to wait")

        def check_run() -> None:
            # When only the time of the call is over, the script goes on, so it needs its slot.
            with suppress(FunctionError):
                check()

        ended: dict[str, dict[str, object]] = {}
        with self._lent_slots.lend(check_run) as loan:
            while job_ids and (left_s := until_mono - time.monotonic()) > 0:
                loan.awaits = job_ids[-1]
                try:
                    reply = self._store.wait_reply(self._operations, job_ids[-1], min(left_s, MAX_WAIT_S), check)
                    ended[job_ids.pop()] = ended_view(reply)
                except WaitTimeout:
                    pass
                still_open = []
                for part in chunks(job_ids):
                    replies = self._store.run_many([self._operations.outcome(job_id) for job_id in part])
                    raise_first_error(replies)
                    for job_id, reply in zip(part, replies, strict=True):
                        if reply is None:
                            still_open.append(job_id)
                        else:
                            ended[job_id] = ended_view(reply)
                job_ids = still_open
        return ended

    def _log(self, asker: Asker, params: Mapping[str, Any]) -> list[str]:
        self._own(asker, params["id"])
        return [line.text for line in self._run(self._operations.log(params["id"], count=_MAX_LOG_LINES))]

    def _stop(self, asker: Asker, params: Mapping[str, Any]) -> str:
        self._own(asker, params["id"])
        return self._run(self._operations.stop(params["id"])).value

    def _retry(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self._own(asker, params["id"])
        self._run(self._operations.retry(params["id"]))

    def _delete(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self._own(asker, params["id"])
        self._run(self._operations.delete(params["id"]))

    # -- values --------------------------------------------------------------------------------------------------------

    def _set_value(self, asker: Asker, params: Mapping[str, Any]) -> bool:
        only_new, kept_s = params.get("only_new") is True, _number(params.get("kept_s"))
        return self._run(
            self._values.set(asker.context_id, params["key"], params["value"], only_new=only_new, kept_s=kept_s)
        )

    def _compare_and_set_value(self, asker: Asker, params: Mapping[str, Any]) -> bool:
        expected, value, kept_s = params["expected"], params["value"], _number(params.get("kept_s"))
        return self._run(self._values.compare_and_set(asker.context_id, params["key"], expected, value, kept_s))

    def _expire_value(self, asker: Asker, params: Mapping[str, Any]) -> bool:
        return self._run(self._values.expire(asker.context_id, params["key"], _number(params["kept_s"])))

    def _get_value(self, asker: Asker, params: Mapping[str, Any]) -> str | None:
        return self._run(self._values.get(asker.context_id, params["key"]))

    def _add_value(self, asker: Asker, params: Mapping[str, Any]) -> int:
        return self._run(self._values.add(asker.context_id, params["key"], int(params["by"])))

    def _delete_value(self, asker: Asker, params: Mapping[str, Any]) -> bool:
        return self._run(self._values.delete(asker.context_id, params["key"]))

    def _list_values(self, asker: Asker, params: Mapping[str, Any]) -> list[str]:
        return self._run(self._values.names(asker.context_id, params["prefix"]))


def _is_own(asker: Asker, record: JobRecord) -> bool:
    return (record.job.caller_id, record.job.context_id) == (asker.caller_id, asker.context_id)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _reach(asker: Asker) -> Reach:
    return Reach(caller_id=asker.caller_id, context_id=asker.context_id)


def _new_job(asker: Asker, fields: Mapping[str, Any]) -> Job:
    for name in fields:
        if name not in _FIELDS:
            raise JobInvalid(str(name), "cannot be chosen by a script")
    return Job.from_fields({**fields, "caller_id": asker.caller_id, "context_id": asker.context_id})
