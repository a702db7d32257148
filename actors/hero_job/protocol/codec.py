"""How a job is written to its hash in Redis and read back. Pure.

We write snake_case fields, times in ISO 8601, JSON for `env_vars` and the id lists. We also read foreign spellings; see
`spellings.py`. Which fields there are, and how each is written, is in the rows of `Job`.

Source: the hash fields of the Rust system.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import orjson

from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.fields.spellings import CAMEL_CASE, parse_status
from hero_job.model.fields.wire_values import parse_whole
from hero_job.model.job import JOB_FIELDS, Job
from hero_job.model.views import JobRecord, Progress
from hero_job.protocol.replies import parse_position

# Fields are fetched and compared without a step of Python per field: most jobs have most of them at their default.
_ALWAYS_STORED = tuple(field for field in JOB_FIELDS if field.always_stored and field.name != "id")
_STORED_IF_SET = tuple(field for field in JOB_FIELDS if not field.always_stored)
_OPTIONS = tuple(field for field in JOB_FIELDS if field.is_option)
_always_stored_of = attrgetter(*(field.name for field in _ALWAYS_STORED))
_options_of = attrgetter(*(field.name for field in _OPTIONS))
#: The values of a job that sets nothing; and for each its place there, its default, and how it is written.
_AT_DEFAULTS = ["" if field.required else field.kind.encode(field.default) for field in _ALWAYS_STORED]
_PLACES = tuple((place, field.default, field.kind.encode) for place, field in enumerate(_ALWAYS_STORED))
_REST = tuple(field for field in JOB_FIELDS if field.is_option or field in _STORED_IF_SET)
_rest_of = attrgetter(*(field.name for field in _REST))
_REST_DEFAULTS = tuple(field.default for field in _REST)
_OPTION_DEFAULTS = tuple(field.default for field in _OPTIONS)
_READ = tuple((field.name, field.kind.decode, field.required) for field in JOB_FIELDS if field.name != "id")


def encode_job(job: Job) -> list[str]:
    """Return the submitter's fields as a flat list: name, value, name, value ...

    The fields of the Rust family are written even if they have their default, because its actors may insist on them.
    `log_path` and our own fields are written only if they are set.
    """
    texts, _ = encode_new_job(job)
    flat = ["id", job.id]
    for field, text in zip(_ALWAYS_STORED, texts, strict=False):
        flat += (field.name, text)
    return flat + texts[len(_ALWAYS_STORED) :]


def encode_new_job(job: Job) -> tuple[list[str], bool]:
    """Return the submitter's fields as `create.lua` takes them, and whether the job sets an option.

    Only if it does, the Lua scripts read more of it than script and queue. Each argument costs the server time, so the
    names of the fields that every job has stand in the script.

    Returns:
        The values of the fields that are always stored, in their order, without the id; then name, value ... of others.
    """
    fields = _AT_DEFAULTS.copy()
    for (place, default, encode), value in zip(_PLACES, _always_stored_of(job), strict=True):
        if value is not default:
            fields[place] = encode(value)
    if _rest_of(job) == _REST_DEFAULTS:
        return fields, False
    for field in _STORED_IF_SET:
        value = getattr(job, field.name)
        if field.with_field is None:
            if value == field.default:
                continue
        elif value is None or getattr(job, field.with_field) is None:
            continue
        fields += (field.name, field.kind.encode(value))
        if field.stored_for_lua is not None:
            name, derive = field.stored_for_lua
            fields += (name, derive(value))
    return fields, has_options(job)


def has_options(job: Job) -> bool:
    """Does the job set an option?"""
    return bool(_options_of(job) != _OPTION_DEFAULTS)


def decode_record(job_id: str, fields: Mapping[str, str]) -> JobRecord:
    """Read the whole hash of a job.

    Args:
        job_id: The id in the key; the hash may lack it.
        fields: The hash, in any spelling.

    Raises:
        JobDamaged: A field is missing or cannot be read.
    """
    f = {CAMEL_CASE.get(name, name): value for name, value in fields.items()}
    try:
        line, column = parse_position(f.get("error_at"))
        return JobRecord(
            job=_decode_job(job_id, f),
            status=parse_status(f.get("status")),
            output=f.get("output"),
            output_json=f.get("output_json"),
            error=f.get("error"),
            error_kind=f.get("error_kind"),
            error_line=line,
            error_column=column,
            created_at=f.get("created_at"),
            updated_at=f.get("updated_at"),
            started_at=f.get("started_at"),
            finished_at=f.get("finished_at"),
            # A claim that was handed back unstarted was not an attempt.
            attempt=parse_whole("attempt", f.get("attempt")) - parse_whole("released", f.get("released")),
            redeliveries=parse_whole("redeliveries", f.get("redeliveries")),
            rerun_reason=f.get("rerun_reason"),
            failures=parse_whole("failures", f.get("failures")),
            progress=_parse_progress(f.get("progress")),
            owner=f.get("owner"),
        )
    except JobInvalid as e:
        raise JobDamaged(job_id, e.field, e.reason) from e


def _decode_job(job_id: str, fields: Mapping[str, str]) -> Job:
    values: dict[str, Any] = {}
    # Another program may write null for a field that is not set; in a hash of ours it is a text.
    ours = "extra" in fields
    for name, decode, required in _READ:
        text = fields.get(name)
        if text is not None and (ours or required or text != "null"):
            values[name] = decode(name, text)
        elif required:
            raise JobInvalid(name, "is missing")
    return Job(id=job_id, **values)


def _parse_progress(text: str | None) -> Progress | None:
    """Read a job's progress. A missing or odd one is None, so that it never hides a job."""
    try:
        data = orjson.loads(text or "null")
        return Progress(done=float(data["done"]), total=float(data["total"]), text=str(data["text"])) if data else None
    except (ValueError, TypeError, KeyError):
        return None
