"""What scripts see of jobs: plain objects for the answers of `script_access.py`. Pure."""

from __future__ import annotations

from hero_job.model.views import JobRecord, Reply


def reply_of(record: JobRecord) -> Reply:
    """The reply that a job which has ended would give."""
    return Reply(
        job_id=record.job.id,
        status=record.status,
        output=record.output,
        error=record.error,
        error_kind=record.error_kind,
        line=record.error_line,
    )


def open_view(record: JobRecord) -> dict[str, object]:
    """A job that has not ended, for a script that waits for it."""
    return {"status": record.status.value, "ended": False, "script_type": record.job.script_type.value}


def listed_view(record: JobRecord) -> dict[str, object]:
    """A job in a list."""
    return {
        "id": record.job.id,
        "status": record.status.value,
        "script_type": record.job.script_type.value,
        "created_at": record.created_at,
    }


def ended_view(reply: Reply) -> dict[str, object]:
    """How a job has ended, for a script that has waited for it."""
    return {
        "status": reply.status.value,
        "ended": True,
        "output": reply.output,
        "error": reply.error,
        "error_kind": reply.error_kind,
        "line": reply.line,
    }
