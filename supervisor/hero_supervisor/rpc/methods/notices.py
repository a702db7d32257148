"""The objects that subscriptions send, as types, and what a subscription may ask for. Pure.

Each has ``event``, which says what it is. ``cursor`` is where to go on after it: a client that connects again and gives
the last cursor that it has seen as ``after`` misses nothing that the store still has.
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
from hero_supervisor.rpc.methods.results import Stats, time_text
from hero_supervisor.rpc.methods.shapes import JobId

Topic: TypeAlias = Literal["jobs", "logs", "actors", "metrics"]
Cursor: TypeAlias = Annotated[
    str, Field(pattern=r"^([0-9]{1,19}-[0-9]{1,19})?$", description='As a notification gave it; "" for the beginning.')
]
_CLOSED = ConfigDict(extra="forbid", strict=True)


class JobsWanted(TypedDict, total=False):
    """Which job events; what is left out lets all pass. Without ``after`` those from now on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # how pydantic is told, and no field

    job_ids: Annotated[list[JobId], Field(min_length=1, max_length=1000)]
    caller_id: str
    context_id: str
    script_type: str
    status: Annotated[list[str], Field(min_length=1, max_length=20)]
    after: Cursor


class LogWanted(TypedDict, total=False):
    """Whose log, and after which line; without ``after`` from its beginning."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    job_id: Required[JobId]
    after: Cursor


class ActorsWanted(TypedDict, total=False):
    """Which actors' events; what is left out lets all pass. Without ``after`` those from now on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    name: str
    script_type: str
    host: str
    after: Cursor


class MetricsWanted(TypedDict, total=False):
    """How often, in seconds."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # as above

    interval_s: Annotated[float, Field(ge=0.5, le=3600, allow_inf_nan=False)]


WANTED: Mapping[str, TypeAdapter[Any]] = {
    "jobs": TypeAdapter(JobsWanted),
    "logs": TypeAdapter(LogWanted),
    "actors": TypeAdapter(ActorsWanted),
    "metrics": TypeAdapter(MetricsWanted),
}


class JobEvent(TypedDict):
    """A job has moved. What its record tells is null when that is gone already."""

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
    """An actor came, went, or something else became of it."""

    event: str
    cursor: str
    at: str
    name: str
    script_type: str | None
    host: str | None
    incarnation: str | None
    reason: str | None


class MetricsEvent(TypedDict):
    """The figures of ``stats``."""

    event: Literal["metrics"]
    at: str
    stats: Stats


class Notice(TypedDict):
    """About the subscription itself.

    ``following``: the first thing sent, with the cursor that it begins after. ``interrupted``: the store cannot be
    reached, what happens is sent later. ``resumed``: it can again. ``gap``: events are missing, the store no longer has
    them; ask get_job or list_jobs for what is so now.
    """

    event: Literal["following", "interrupted", "resumed", "gap"]
    cursor: str | None


def notice(event: Literal["following", "interrupted", "resumed", "gap"], cursor: str | None) -> Notice:
    """Make a word about the subscription itself."""
    return {"event": event, "cursor": cursor}


def job_event(cursor: str, at: str, job_id: str, status: str, facts: JobFacts) -> JobEvent:
    """Show that a job has moved."""
    return {
        "event": "job",
        "cursor": cursor,
        "at": at,
        "job_id": job_id,
        "status": status,
        "caller_id": facts.caller_id,
        "context_id": facts.context_id,
        "script_type": facts.script_type,
    }


def log_event(line: LogLine) -> LogEvent:
    """Show a line of a log."""
    return {
        "event": "line",
        "cursor": line.cursor,
        "at": time_text(line.at_ms),
        "level": line.level,
        "text": line.text,
    }


def actor_event(entry: Entry) -> ActorEvent:
    """Show what became of an actor; what nobody wrote is null."""
    cursor, fields = entry
    known: Any = {}
    # Somebody else may have written to the stream: what can be read is worth telling.
    with contextlib.suppress(ValueError):
        known = orjson.loads(fields.get("entry", "{}"))
    said: dict[str, Any] = {**(known if isinstance(known, dict) else {}), **fields}
    script_type = said.get("suffix")
    with contextlib.suppress(JobInvalid):
        script_type = ScriptType.parse(str(script_type)).value
    return {
        "event": fields.get("event", "unknown"),
        "cursor": cursor,
        "at": at(cursor),
        "name": str(said.get("name", "")),
        "script_type": None if script_type is None else str(script_type),
        "host": said.get("host"),
        "incarnation": said.get("incarnation"),
        "reason": said.get("reason"),
    }


def at(cursor: str) -> str:
    """When an entry was written: its cursor begins with that, in milliseconds by the store's clock."""
    return time_text(int(cursor.partition("-")[0]))
