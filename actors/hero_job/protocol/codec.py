"""Between our types and what Redis holds: the job's hash and the reply. Pure.

Written: snake_case fields, times in ISO 8601, JSON for `env_vars` and the id lists. Read: also camelCase, any case of
status and script type, and replies that are plain strings. Source: the hash fields and replies of the Rust system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.fields import milliseconds
from hero_job.model.job import CAMEL_CASE, DEFAULT_LIMITS, Job, Priority, ScriptType
from hero_job.model.signatures import Signature, signature_tuple
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord, Progress, Reply


def encode_job(job: Job) -> list[str]:
    """Flat name, value list of the fields that never change.

    Empty lists and defaults are written too: an actor of the Rust family may insist on the fields. Only `log_path` and
    our own routing fields are left out where they are not set.
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
    """Is there more to a job than a script and the end of a queue? Only then do the scripts in Lua look closer."""
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
    """Fields of our own, and `log_path`, each only where it is set."""
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
    """Read a job's whole hash.

    Args:
        job_id: The id in the key; the one in the hash may be missing.
        fields: The hash, in either spelling.

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
            retries=_whole(f, "retries"),
            concurrent=f.get("concurrent", "").lower() in ("true", "1"),
            log_path=f.get("log_path") or None,
            env_vars=parse_env_vars(f.get("env_vars")),
            prerequisites=_ids(f, "prerequisites"),
            dependents=_ids(f, "dependents"),
            group=f.get("group") or None,
            instance=f.get("instance") or None,
            priority=Priority(p) if (p := f.get("priority")) in tuple(Priority) else Priority.NORMAL,
            not_before=f.get("not_before"),
            delay_s=_seconds(f, "delay_s") or 0,
            expires_s=_seconds(f, "expires_s"),
            unique_key=f.get("unique_key"),
            unique_for_s=_seconds(f, "unique_for_s"),
            concurrency_key=f.get("concurrency_key"),
            concurrency_max=_whole(f, "concurrency_max") or 1,
            rate_key=f.get("rate_key"),
            rate_max=_whole(f, "rate_max") or 1,
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
            # What was handed back unstarted was a claim, not an attempt.
            attempt=_whole(f, "attempt") - _whole(f, "released"),
            redeliveries=_whole(f, "redeliveries"),
            failures=_whole(f, "failures"),
            progress=parse_progress(f.get("progress")),
            owner=f.get("owner"),
        )
    except JobInvalid as e:
        raise JobDamaged(job_id, e.field, e.reason) from e


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
    """Write the reply of a finished job: `encode_reply` without a Reply, which costs more than all the rest of it."""
    return orjson.dumps({"job_id": job_id, "status": "finished", "output": output, "error": None, "error_kind": None})


def decode_reply(job_id: str, text: str) -> Reply:
    """Read an entry of a reply list: our JSON object, one of another make, or a plain string, which is the output."""
    try:
        data = orjson.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict) or not data.keys() & {"status", "output", "result", "error"}:
        return Reply(job_id=job_id, status=JobStatus.FINISHED, output=text)
    error = data.get("error")
    output = data.get("output", data.get("result"))
    status = parse_status(str(data["status"])) if data.get("status") else None
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


def outcome_of(job_id: str, values: Sequence[str | None]) -> Reply | None:
    """How a job ended, from its hash.

    Args:
        job_id: The id.
        values: The fields of `OUTCOME_FIELDS`, in that order.

    Returns:
        The reply; None while the job has not ended.

    Raises:
        JobDamaged: Its status is none that we know.
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


OUTCOME_FIELDS = ("status", "output", "error", "error_kind", "error_at")

#: Names of states in older programs of the Rust family -> ours.
_OLD_STATUS = {
    "pending": JobStatus.CREATED,
    "processing": JobStatus.STARTED,
    "running": JobStatus.STARTED,
    "completed": JobStatus.FINISHED,
    "failed": JobStatus.ERROR,
    "waitingforprerequisites": JobStatus.WAITING_FOR_PREREQUISITES,
}
_STATUS = {s.value: s for s in JobStatus} | _OLD_STATUS


def parse_status(text: str | None) -> JobStatus:
    """Read a status in any case; a hash without one is a created job.

    Raises:
        JobInvalid: No status that we know.
    """
    if not text:
        return JobStatus.CREATED
    status = _STATUS.get(text) or _STATUS.get(text.lower())
    if status is None:
        raise JobInvalid("status", f"unknown status {text!r:.80}")
    return status


def parse_timeout(text: str | None) -> float:
    """Read a timeout in seconds; a hash without one has the default.

    Raises:
        JobInvalid: Not a number of seconds above zero.
    """
    if text is None or text == "":
        return DEFAULT_LIMITS.default_timeout_s
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError as e:
        raise JobInvalid("timeout", f"must be a number of seconds, not {text!r:.80}") from e


def parse_env_vars(text: str | None) -> dict[str, str]:
    """Read the JSON object of environment variables.

    Raises:
        JobInvalid: Not a JSON object.
    """
    if not text or text == "{}":
        return {}
    try:
        value = orjson.loads(text)
    except ValueError as e:
        raise JobInvalid("env_vars", f"is not JSON: {e}") from e
    if not isinstance(value, dict):
        raise JobInvalid("env_vars", "is not a JSON object")
    return {name: v if isinstance(v, str) else orjson.dumps(v).decode() for name, v in value.items()}


def parse_signatures(text: str | None) -> tuple[Signature, ...]:
    """Read who has signed a job. None where a program of the Rust family has written what is not our form: such a
    signature says nothing here, and must not make its job unreadable.
    """
    try:
        return signature_tuple(orjson.loads(text)) if text else ()
    except (ValueError, JobInvalid):
        return ()


def parse_position(text: str | None) -> tuple[int | None, int | None]:
    """Read "line:column"; what is missing or odd is None: a position never hides an error."""
    line, _, column = (text or "").partition(":")
    return (int(line) if line.isdecimal() else None, int(column) if column.isdecimal() else None)


def parse_progress(text: str | None) -> Progress | None:
    """Read a job's progress; what is missing or odd is None: it never hides a job."""
    try:
        data = orjson.loads(text or "null")
        return Progress(done=float(data["done"]), total=float(data["total"]), text=str(data["text"])) if data else None
    except (ValueError, TypeError, KeyError):
        return None


def format_seconds(value: float) -> str:
    """Write seconds without a fraction where they are whole: programs of the Rust family parse an integer."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _need(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise JobInvalid(name, "is missing")
    return value


def _whole(fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name) or "0"
    try:
        return int(text)
    except ValueError as e:
        raise JobInvalid(name, f"must be a whole number, not {text!r:.80}") from e


def _seconds(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as e:
        raise JobInvalid(name, f"must be a number of seconds, not {text!r:.80}") from e


def _ids(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = fields.get(name)
    if not text or text == "[]":
        return ()
    try:
        value = orjson.loads(text)
    except ValueError as e:
        raise JobInvalid(name, f"is not JSON: {e}") from e
    return tuple(value) if isinstance(value, list) else _not_a_list(name)


def _not_a_list(name: str) -> tuple[str, ...]:
    raise JobInvalid(name, "is not a JSON array")


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
