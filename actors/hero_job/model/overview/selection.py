"""Which jobs a list shows, or an act concerns. Pure.

Lists give a selection to their Lua script, which leaves out what it can judge, and compare again with `matches`: only
here are times of other programs read. Invariant: the script never leaves out a job that `matches`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import orjson

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import time_text
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSelection:
    """Which jobs are meant; a field that is None matches all jobs, and all fields together must match.

    Attributes:
        status: Where they are in their life.
        script_type: Type of their script.
        caller_id: Who submitted them.
        context_id: The context that they run for.
        batch: The batch that they belong to.
        group: The group of actors that they ask for.
        error_kind: The kind of the error that they ended in.
        created_after: ISO 8601 in UTC, as `time_text` writes it; this moment or later.
        created_before: Earlier than this moment.
        id_prefix: What their id begins with.
        text: What their script or error contains; ASCII letters match in either case.
    """

    status: JobStatus | None = None
    script_type: ScriptType | None = None
    caller_id: str | None = None
    context_id: str | None = None
    batch: str | None = None
    group: str | None = None
    error_kind: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    id_prefix: str | None = None
    text: str | None = None

    @property
    def is_empty(self) -> bool:
        """Does it match every job?"""
        return all(getattr(self, field.name) is None for field in fields(self))

    def argument(self) -> str:
        """Return it as `selection.lua` reads it."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        if self.script_type is not None:
            given["script_type"] = self.script_type.suffix
        if self.text is not None:
            given["text"] = _lower(self.text).decode("utf-8", "surrogateescape")
        return orjson.dumps(given).decode()

    def matches(self, record: JobRecord) -> bool:
        """Whether a job is meant."""
        job = record.job
        pairs = (
            (self.status, record.status),
            (self.script_type, job.script_type),
            (self.caller_id, job.caller_id),
            (self.context_id, job.context_id),
            (self.batch, job.batch),
            (self.group, job.group),
            (self.error_kind, record.error_kind),
        )
        if any(wanted not in (None, value) for wanted, value in pairs):
            return False
        if self.id_prefix is not None and not job.id.startswith(self.id_prefix):
            return False
        if self.text is not None:
            part = _lower(self.text)
            if part not in _lower(job.script) and part not in _lower(record.error or ""):
                return False
        return self._matches_time(record)

    def _matches_time(self, record: JobRecord) -> bool:
        if self.created_after is None and self.created_before is None:
            return True
        try:
            created_at = time_text("created_at", record.created_at)
        except JobInvalid:
            return False  # a third-party client wrote no time, or one that cannot be compared
        return (self.created_after or "") <= created_at and not (
            self.created_before is not None and created_at >= self.created_before
        )


def _lower(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").lower()  # bytes: ASCII letters only, as Lua does
