"""The objects that subscriptions send, and the parameters of a subscription, as types. Pure.

The field ``event`` names the kind of an object. ``cursor`` is its position: a client that reconnects and gives the last
cursor that it has seen as ``after`` misses nothing that the store still has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required, TypeAlias

import orjson
from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import JobInvalid
from hero_job.model.job import ScriptType
from hero_job.model.views import LogLine
from hero_job.operations.events import Entry, JobFacts
from hero_job.operations.overview.acts import audit_entry
from hero_supervisor.rpc.methods.overview.act_methods import AuditView, audit_view
from hero_supervisor.rpc.methods.results import Stats, time_text
from hero_supervisor.rpc.methods.shapes import JobId, LogCursor, Owner, Word
from hero_supervisor.rpc.methods.view import view_of

Topic: TypeAlias = Literal["jobs", "logs", "actors", "metrics", "audit"]
Cursor: TypeAlias = Annotated[LogCursor, Field(description='Cursor of a notification; "" for the beginning.')]
_CLOSED = ConfigDict(extra="forbid", strict=True)


class JobsWanted(TypedDict, total=False):
    """Selects job events; an absent field matches all. Without ``after``, events from now on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # pydantic reads this attribute; it is not a field

    job_ids: Annotated[list[JobId], Field(min_length=1, max_length=1000)]
    caller_id: Owner
    context_id: Owner
    script_type: Word
    status: Annotated[list[Word], Field(min_length=1, max_length=20)]
    after: Cursor


class LogWanted(TypedDict, total=False):
    """Selects the log of a job; without ``after``, all lines."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    job_id: Required[JobId]
    after: Cursor


class ActorsWanted(TypedDict, total=False):
    """Selects events of actors; an absent field matches all. Without ``after``, events from now on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    name: Owner
    script_type: Word
    host: Owner
    after: Cursor


class MetricsWanted(TypedDict, total=False):
    """Selects the interval of metrics, in seconds."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    interval_s: Annotated[float, Field(ge=0.5, le=3600, allow_inf_nan=False)]


class AuditWanted(TypedDict, total=False):
    """Selects the record of changes; without ``after``, changes from now on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    after: Cursor


WANTED: Mapping[str, TypeAdapter[Any]] = {
    "jobs": TypeAdapter(JobsWanted),
    "logs": TypeAdapter(LogWanted),
    "actors": TypeAdapter(ActorsWanted),
    "metrics": TypeAdapter(MetricsWanted),
    "audit": TypeAdapter(AuditWanted),
}


class JobEvent(TypedDict):
    """A job has changed its status; the fields of its record are null if the record has been deleted."""

    event: Literal["job"]
    cursor: str
    at: str
    job_id: str
    status: str
    caller_id: str | None
    context_id: str | None
    script_type: str | None


class LogEvent(TypedDict):
    """A script has printed a line."""

    event: Literal["line"]
    cursor: str
    at: str
    level: str
    text: str


class LogEnd(TypedDict):
    """The job has ended and all of its log has been sent; the subscription ends with this."""

    event: Literal["end"]
    cursor: str
    job_id: str
    status: str | None


class ActorEvent(TypedDict):
    """An actor has joined, left, or changed its state."""

    event: str
    cursor: str
    at: str
    name: str
    script_type: str | None
    host: str | None
    incarnation: str | None
    reason: str | None


class MetricsEvent(TypedDict):
    """The figures that the method ``stats`` returns."""

    event: Literal["metrics"]
    at: str
    stats: Stats


class AuditEvent(AuditView):
    """Somebody has changed something."""

    event: Literal["change"]


class Notice(TypedDict):
    """An event about the subscription itself.

    ``following`` comes first, with the cursor that the subscription begins after. ``interrupted``: the store cannot be
    reached; events are sent later. ``resumed``: the store can be reached again. ``gap``: the store no longer has some
    events; call get_job or list_jobs for the current state.
    """

    event: Literal["following", "interrupted", "resumed", "gap"]
    cursor: str | None


def notice(event: Literal["following", "interrupted", "resumed", "gap"], cursor: str | None) -> Notice:
    """Build an event about the subscription itself."""
    return {"event": event, "cursor": cursor}


def job_event(cursor: str, at: str, job_id: str, status: str, facts: JobFacts) -> JobEvent:
    """Build the event of a job that has changed its status."""
    return view_of(JobEvent, facts, event="job", cursor=cursor, at=at, job_id=job_id, status=status)


def log_event(line: LogLine) -> LogEvent:
    """Build the event of a line of a log."""
    return view_of(LogEvent, line, event="line", at=time_text(line.at_ms))


def actor_event(entry: Entry) -> ActorEvent:
    """Build the event of an actor; fields that the entry does not have are null."""
    cursor, fields = entry
    known: Any = {}
    # Another program may have written the entry; the fields that can be read are still sent.
    with contextlib.suppress(ValueError):
        known = orjson.loads(fields.get("entry", "{}"))
    found: dict[str, Any] = {**(known if isinstance(known, dict) else {}), **fields}
    script_type = found.get("suffix")
    with contextlib.suppress(JobInvalid):
        script_type = ScriptType.parse(str(script_type)).value
    return {
        "event": fields.get("event", "unknown"),
        "cursor": cursor,
        "at": at(cursor),
        "name": str(found.get("name", "")),
        "script_type": None if script_type is None else str(script_type),
        "host": found.get("host"),
        "incarnation": found.get("incarnation"),
        "reason": found.get("reason"),
    }


def audit_event(entry: Entry) -> AuditEvent:
    """Build the event of a change."""
    return {"event": "change", **audit_view(audit_entry(*entry))}


def at(cursor: str) -> str:
    """Return the time of an entry; its cursor begins with it, in milliseconds by the store's clock."""
    return time_text(int(cursor.partition("-")[0]))
