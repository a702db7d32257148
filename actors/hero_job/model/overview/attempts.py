"""The attempts of a job: who ran it, when, and how each attempt ended. Pure.

The hash of a job keeps the newest ten attempts that were not its last one, as JSON in the field `attempts`; the last
one is in the fields of the record. Invariant: what cannot be read is left out, and hides nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hero_job.model.views import JobRecord

#: Attempts that are shown.
MAX_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAttempt:
    """One attempt.

    Attributes:
        attempt: Its number, from 1.
        owner: The lane that ran it: incarnation/lane.
        started_at: ISO 8601 in UTC.
        ended_at: ISO 8601 in UTC; None while it runs.
        outcome: `finished`, `error` or `stopped`; `failed` if the job was to be repeated; `interrupted` if its actor
            ended; `crashed` if it ended the process that it ran in alone; `running`.
        error_kind: Kind of the error; None without one.
        error: The beginning of its message; None without one.
    """

    attempt: int
    owner: str
    started_at: str
    ended_at: str | None
    outcome: str
    error_kind: str | None
    error: str | None


def read_attempts(record: JobRecord, kept: str | None) -> tuple[JobAttempt, ...]:
    """Return the newest attempts of a job, the oldest first.

    Args:
        record: The job.
        kept: The field `attempts` of its hash.
    """
    try:
        rows = orjson.loads(kept or "[]")
    except ValueError:
        rows = []
    attempts = [_read(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    if record.started_at is not None:
        attempts.append(
            JobAttempt(
                attempt=record.attempt,
                owner=record.owner or "",
                started_at=record.started_at,
                ended_at=record.finished_at,
                outcome=record.status.value if record.status.terminal else "running",
                error_kind=record.error_kind if record.status.terminal else None,
                error=None if record.error is None or not record.status.terminal else record.error[:200],
            )
        )
    return tuple(attempts[-MAX_ATTEMPTS:])


def _read(row: Mapping[str, Any]) -> JobAttempt:
    def text(name: str) -> str:
        value = row.get(name)
        return value if isinstance(value, str) else ""

    number = row.get("attempt")
    return JobAttempt(
        attempt=int(number) if isinstance(number, int | float) and abs(number) < 1e15 else 0,
        owner=text("owner"),
        started_at=text("started_at"),
        ended_at=text("ended_at") or None,
        outcome=text("outcome"),
        error_kind=text("error_kind") or None,
        error=text("error") or None,
    )
