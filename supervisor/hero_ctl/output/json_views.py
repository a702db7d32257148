"""The values that commands print with `--json`.

Pure. Names are those of the API and of the job's hash in Redis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hero_ctl.output.visible import json_text
from hero_job.model.fields.checks import ms_text
from hero_job.model.job import JOB_FIELDS
from hero_job.model.overview.pages import ListedBatch
from hero_job.model.views import ActorPresence, DeadJob, JobRecord, QueueStatus
from hero_job.operations.credentials import StoredToken
from hero_job.operations.schedules import Schedule


def to_json(value: object) -> str:
    """Indented JSON; see `json_text`."""
    return json_text(value, indent=2)


def record_as_json(record: JobRecord) -> dict[str, Any]:
    """A job with everything that the store knows about it, in one level."""
    job = {field.name: plain(field.kind.show(getattr(record.job, field.name))) for field in JOB_FIELDS}
    run = {name: plain(getattr(record, name)) for name in JobRecord.__dataclass_fields__ if name != "job"}
    return {"id": record.job.id, "status": run["status"], **job, **run}


def actor_as_json(actor: ActorPresence) -> dict[str, Any]:
    """An actor with everything that the registry knows about it, and whether it is alive."""
    fields = {name: plain(getattr(actor, name)) for name in ActorPresence.__dataclass_fields__}
    return {**fields, "alive": actor.beat_at is not None}


def queue_as_json(queue: QueueStatus) -> dict[str, Any]:
    """A queue, with its name as other commands take it."""
    name = "/".join(part for part in (queue.script_type.suffix, queue.group, queue.instance) if part)
    return {"name": name, **plain(queue)}


def key_as_json(token: StoredToken) -> dict[str, Any]:
    """A key, without its hash."""
    return {
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def dead_as_json(letter: DeadJob, record: JobRecord | None) -> dict[str, Any]:
    """A dead letter, with its job if that is still in the store."""
    job = None if record is None else record_as_json(record)
    return {"job_id": letter.job_id, "died_at": time_text(letter.died_ms), "job": job}


def batch_as_json(batch: ListedBatch) -> dict[str, Any]:
    """A batch of the list: its counts, when it began, and the caller that it belongs to."""
    return {**plain(batch.status), "began_at": time_text(batch.began_ms), "caller_id": batch.caller_id}


def schedule_as_json(schedule: Schedule, next_ms: int | None) -> dict[str, Any]:
    """A schedule with the time of its next job, in milliseconds since 1970; None while it is paused."""
    next_at = None if next_ms is None else time_text(next_ms)
    return {**plain(schedule), "next_at": next_at, "paused": next_ms is None}


def time_text(at_ms: int) -> str:
    """Write a time in milliseconds since 1970 as ISO 8601 in UTC."""
    return ms_text(at_ms)


def plain(value: Any) -> Any:
    """Turn mappings, tuples and small dataclasses into what JSON has for them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
