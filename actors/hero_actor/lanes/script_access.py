"""Gives scripts access to the store: to jobs of their own caller and context, and to the values of their context.

The actor hands it to engines that offer such functions to scripts. The engine states which job asks; the script cannot.
Invariant: jobs of another caller or context are treated as if they did not exist: they cannot be read, changed or
waited for. Errors of the store become refusals here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from hero_engine.engine import Asker
from hero_engine.errors import AccessRefused
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError, JobInvalid, JobNotFound, WaitTimeout
from hero_job.model.job import JOB_FIELDS, Job
from hero_job.model.reach import Reach
from hero_job.model.retention import Retention
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord, Reply
from hero_job.operations.operations import Operations
from hero_job.operations.values import Values
from hero_job.protocol.op import Op

T = TypeVar("T")

#: The fields of a new job that a script may choose. It may choose neither caller and context, nor signatures, nor a
#: batch, whose jobs others count.
_FIELDS: Final = {field.name: field.kind for field in JOB_FIELDS if field.for_scripts}
_TYPE_WORDS: Final[Mapping[object, str]] = {
    str: "text", int: "whole", float: "number", bool: "flag", list[str]: "texts", dict[str, str]: "mapping",
}  # fmt: skip
#: Longest single wait, in seconds. It bounds how long a wait outlives a script that was stopped.
MAX_WAIT_S: Final = 2.0
_MAX_LISTED: Final = 1000
_MAX_LOG_LINES: Final = 1000


class ScriptAccess:
    """Access of scripts to the store; the `StoreAccess` of engines. Thread-safe.

    Args:
        store: Shared by the actor's threads.
        namespace: Prefix of every key.
        retention: How long jobs that have ended are kept.
    """

    def __init__(self, store: Store, namespace: str, retention: Retention) -> None:
        self._store = store
        self._operations = Operations(namespace, retention)
        self._values = Values(namespace)
        self._methods: dict[str, Callable[[Asker, Mapping[str, Any]], object]] = {
            "job.options": self._options,
            "job.create": self._create,
            "job.start": self._start,
            "job.get": self._get,
            "job.list": self._list,
            "job.status": self._status,
            "job.wait": self._wait,
            "job.log": self._log,
            "job.stop": self._stop,
            "job.retry": self._retry,
            "job.delete": self._delete,
            "store.set": self._set_value,
            "store.get": self._get_value,
            "store.add": self._add_value,
            "store.delete": self._delete_value,
            "store.list": self._list_values,
        }

    def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Carry out one request of a script; see `StoreAccess`."""
        run = self._methods.get(method)
        if run is None:
            raise AccessRefused(f"unknown method {method:.80}")
        try:
            return run(asker, params)
        except HeroJobError as e:
            raise AccessRefused(str(e)) from e
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            # The actions check their params, but a script can send any JSON without them.
            raise AccessRefused(f"{method}: invalid params: {e!r:.200}") from e

    def _run(self, op: Op[T]) -> T:
        return self._store.run(op)

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
        for name in params["fields"]:
            if name not in _FIELDS:
                raise JobInvalid(str(name), "cannot be chosen by a script")
        job = Job.from_fields({**params["fields"], "caller_id": asker.caller_id, "context_id": asker.context_id})
        reach = Reach(caller_id=asker.caller_id, context_id=asker.context_id)
        return self._run(self._operations.create(job, start=params["start"] is True, reach=reach))

    def _start(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self._own(asker, params["id"])
        self._run(self._operations.start(params["id"]))

    def _get(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, object]:
        record = self._own(asker, params["id"])
        return {
            **_listed(record),
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
        wanted = JobStatus(params["status"]) if params["status"] else None
        found: list[dict[str, object]] = []
        cursor = ""
        while len(found) < most and time.monotonic() < asker.deadline_mono:
            page = self._run(self._operations.admin.page(cursor, 1000))
            found += (
                _listed(record) for record in page.records if _is_own(asker, record) and wanted in (None, record.status)
            )
            cursor = page.cursor
            if not cursor:
                break
        return sorted(found, key=lambda job: (str(job["created_at"]), str(job["id"])))[:most]

    def _status(self, asker: Asker, params: Mapping[str, Any]) -> str:
        return self._own(asker, params["id"]).status.value

    def _wait(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, object]:
        """Wait for a short time; return the status, and the result if the job has ended."""
        record = self._own(asker, params["id"])
        wait_s = min(float(params["wait_s"]), MAX_WAIT_S, asker.deadline_mono - time.monotonic())
        if record.status.terminal:
            return _ended(
                Reply(
                    job_id=record.job.id,
                    status=record.status,
                    output=record.output,
                    error=record.error,
                    error_kind=record.error_kind,
                    line=record.error_line,
                )
            )
        if wait_s > 0:
            try:
                return _ended(self._store.wait_reply(self._operations, record.job.id, wait_s))
            except WaitTimeout:
                pass
        return {"status": record.status.value, "ended": False, "script_type": record.job.script_type.value}

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
        only_new = params["only_new"] is True
        return self._run(self._values.set(asker.context_id, params["key"], params["value"], only_new=only_new))

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


def _listed(record: JobRecord) -> dict[str, object]:
    return {
        "id": record.job.id,
        "status": record.status.value,
        "script_type": record.job.script_type.value,
        "created_at": record.created_at,
    }


def _ended(reply: Reply) -> dict[str, object]:
    return {
        "status": reply.status.value,
        "ended": True,
        "output": reply.output,
        "error": reply.error,
        "error_kind": reply.error_kind,
        "line": reply.line,
    }
