"""How a job is written to its hash in Redis and read back. Pure.

We write snake_case fields, times in ISO 8601, JSON for `env_vars` and the id lists. We also read foreign spellings; see
`spellings.py`.

Source: the hash fields of the Rust system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from hero_job.model.checks import milliseconds
from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.job import Job, Priority, ScriptType
from hero_job.model.spellings import CAMEL_CASE, parse_status
from hero_job.model.views import JobRecord
from hero_job.model.wire_values import (
    format_seconds,
    parse_env_vars,
    parse_ids,
    parse_position,
    parse_progress,
    parse_seconds,
    parse_signatures,
    parse_timeout,
    parse_whole,
)


def encode_job(job: Job) -> list[str]:
    """Return the submitter's fields as a flat list: name, value, name, value ...

    The fields of the Rust family are written even if they have their default, because its actors may insist on them.
    `log_path` and our own fields are written only if they are set.
    """
    fields = [
        "id", job.id,
        "caller_id", job.caller_id,
        "context_id", job.context_id,
        "script", job.script,
        "script_type", job.script_type.value,
        "timeout", format_seconds(job.timeout),
        "retries", str(job.retries),
        "concurrent", "true" if job.concurrent else "false",
        "env_vars", orjson.dumps(job.env_vars, option=orjson.OPT_SORT_KEYS).decode() if job.env_vars else "{}",
        "prerequisites", orjson.dumps(job.prerequisites).decode() if job.prerequisites else "[]",
        "dependents", orjson.dumps(job.dependents).decode() if job.dependents else "[]",
    ]  # fmt: skip
    for name, value in _options(job):
        fields += (name, value)
    return fields


def has_more(job: Job) -> bool:
    """Does the job set an option? Only then do the Lua scripts read more of it than script and queue."""
    return bool(
        job.retries
        or job.priority is not Priority.NORMAL
        or job.log_path
        or job.prerequisites
        or job.dependents
        or job.not_before
        or job.delay_s
        or job.expires_s
        or job.unique_key
        or job.concurrency_key
        or job.rate_key
        or job.batch
        or job.signatures
    )


def _options(job: Job) -> Iterator[tuple[str, str]]:
    """Yield the fields that are written only if they are set."""
    if job.log_path is not None:
        yield "log_path", job.log_path
    if job.group is not None:
        yield "group", job.group
    if job.instance is not None:
        yield "instance", job.instance
    if job.priority is not Priority.NORMAL:
        yield "priority", job.priority.value
    if job.run_after_failure:
        yield "run_after_failure", "true"
    if not has_more(job):
        return
    if job.not_before is not None:
        yield "not_before", job.not_before
        yield "due_ms", str(milliseconds(job.not_before))
    if job.delay_s:
        yield "delay_s", format_seconds(job.delay_s)
    if job.expires_s is not None:
        yield "expires_s", format_seconds(job.expires_s)
    if job.unique_key is not None:
        yield "unique_key", job.unique_key
        if job.unique_for_s is not None:
            yield "unique_for_s", format_seconds(job.unique_for_s)
    if job.concurrency_key is not None:
        yield "concurrency_key", job.concurrency_key
        yield "concurrency_max", str(job.concurrency_max)
    if job.rate_key is not None:
        yield "rate_key", job.rate_key
        yield "rate_max", str(job.rate_max)
        yield "rate_window_s", format_seconds(job.rate_window_s)
    if job.batch is not None:
        yield "batch", job.batch
    if job.signatures:
        yield "signatures", orjson.dumps(job.signatures).decode()


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
        job = Job(
            id=job_id,
            caller_id=_need(f, "caller_id"),
            context_id=_need(f, "context_id"),
            script=_need(f, "script"),
            script_type=ScriptType.parse(_need(f, "script_type")),
            timeout=parse_timeout(f.get("timeout")),
            retries=parse_whole("retries", f.get("retries")),
            concurrent=f.get("concurrent", "").lower() in ("true", "1"),
            log_path=f.get("log_path") or None,
            env_vars=parse_env_vars(f.get("env_vars")),
            prerequisites=parse_ids("prerequisites", f.get("prerequisites")),
            dependents=parse_ids("dependents", f.get("dependents")),
            group=f.get("group") or None,
            instance=f.get("instance") or None,
            priority=Priority(p) if (p := f.get("priority")) in tuple(Priority) else Priority.NORMAL,
            not_before=f.get("not_before"),
            delay_s=_seconds(f, "delay_s") or 0,
            expires_s=_seconds(f, "expires_s"),
            unique_key=f.get("unique_key"),
            unique_for_s=_seconds(f, "unique_for_s"),
            concurrency_key=f.get("concurrency_key"),
            concurrency_max=parse_whole("concurrency_max", f.get("concurrency_max")) or 1,
            rate_key=f.get("rate_key"),
            rate_max=parse_whole("rate_max", f.get("rate_max")) or 1,
            rate_window_s=_seconds(f, "rate_window_s") or 1,
            run_after_failure=f.get("run_after_failure") == "true",
            batch=f.get("batch"),
            signatures=parse_signatures(f.get("signatures")),
        )
        line, column = parse_position(f.get("error_at"))
        return JobRecord(
            job=job,
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
            failures=parse_whole("failures", f.get("failures")),
            progress=parse_progress(f.get("progress")),
            owner=f.get("owner"),
        )
    except JobInvalid as e:
        raise JobDamaged(job_id, e.field, e.reason) from e


def _need(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise JobInvalid(name, "is missing")
    return value


def _seconds(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name)
    return None if text is None else parse_seconds(name, text)
