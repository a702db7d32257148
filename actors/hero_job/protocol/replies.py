"""Replies: how the end of a job is written to its reply list, and how it is read from there or from the hash. Pure.

Source: the replies of the Rust system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.fields.spellings import parse_status
from hero_job.model.status import JobStatus
from hero_job.model.views import Reply

#: Fields of a job's hash that `outcome_of` reads, in this order.
OUTCOME_FIELDS = ("status", "output", "error", "error_kind", "error_at")

# Members of a reply that hold the output. Source: the replies of rhailib, and JobResult of the newer Rust supervisor.
_OUTPUTS: Final = ("output", "result", "success")
_ANSWERS: Final = frozenset({"status", "error", *_OUTPUTS})
_OUR_MEMBERS: Final = frozenset({"job_id", "status", "output", "error", "error_kind"})


def encode_reply(reply: Reply) -> bytes:
    """Write a reply as the JSON object that goes onto the reply list."""
    data: dict[str, Any] = {
        "job_id": reply.job_id,
        "status": reply.status.value,
        "output": reply.output,
        "error": reply.error,
        "error_kind": reply.error_kind,
    }
    if reply.line is not None:
        data["line"] = reply.line
        data["column"] = reply.column
    return orjson.dumps(data)


def encode_result(job_id: str, output: str) -> bytes:
    """Write the reply of a finished job as `encode_reply` does, without the cost of a `Reply`."""
    return orjson.dumps({"job_id": job_id, "status": "finished", "output": output, "error": None, "error_kind": None})


def decode_reply(job_id: str, text: str) -> Reply:
    """Read an entry of a reply list: our JSON object, a foreign one, or a plain string, which is the output."""
    data = _object(text)
    if not data.keys() & _ANSWERS:
        return Reply(job_id=job_id, status=JobStatus.FINISHED, output=text)
    error = data.get("error")
    output = next((data[name] for name in _OUTPUTS if name in data), None)
    try:
        status = parse_status(str(data["status"])) if data.get("status") else None
    except JobInvalid:
        status = None  # a word that nobody knows; the rest says how the job ended
    if status is None or not status.terminal:
        status = JobStatus.ERROR if error is not None else JobStatus.FINISHED
    return Reply(
        job_id=job_id,
        status=status,
        output=_text(output) if status is JobStatus.FINISHED else None,
        error=_text(error),
        error_kind=_text(data.get("error_kind")),
        line=data.get("line") if isinstance(data.get("line"), int) else None,
        column=data.get("column") if isinstance(data.get("column"), int) else None,
    )


def is_reply_of_ours(text: str) -> bool:
    """Whether an entry of a reply list has all the members that we write."""
    return _object(text).keys() >= _OUR_MEMBERS


def has_result(text: str) -> bool:
    """Whether an entry of a reply list carries the result; some only tell that the hash has it."""
    data = _object(text)
    return not data.keys() & _ANSWERS or bool(data.keys() & {*_OUTPUTS, "error"})


def _object(text: str) -> dict[str, Any]:
    try:
        data = orjson.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def outcome_of(job_id: str, values: Sequence[str | None]) -> Reply | None:
    """Read from a job's hash how it ended.

    Args:
        job_id: The id.
        values: The fields of `OUTCOME_FIELDS`, in that order.

    Returns:
        The reply, or None while the job has not ended.

    Raises:
        JobDamaged: Its status is unknown.
    """
    raw_status, output, error, error_kind, error_at = values
    try:
        status = parse_status(raw_status)
    except JobInvalid as e:
        raise JobDamaged(job_id, e.field, e.reason) from e
    if not status.terminal:
        return None
    line, column = parse_position(error_at)
    return Reply(
        job_id=job_id, status=status, output=output, error=error, error_kind=error_kind, line=line, column=column
    )


def parse_position(text: str | None) -> tuple[int | None, int | None]:
    """Read "line:column". A missing or odd part is None, so that a position never hides an error."""
    line, _, column = (text or "").partition(":")
    return (int(line) if line.isdecimal() else None, int(column) if column.isdecimal() else None)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
