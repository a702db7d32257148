"""Foreign spellings: how other programs of the Rust family write our field names and statuses. Pure.

The one table for Python and for Lua: whatever reads a hash or an object from outside uses it. We write only our own
spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown
from hero_job.model.status import JobStatus

#: camelCase names of fields -> ours.
CAMEL_CASE: Mapping[str, str] = MappingProxyType(
    {
        "jobId": "id",
        "callerId": "caller_id",
        "contextId": "context_id",
        "scriptType": "script_type",
        "logPath": "log_path",
        "envVars": "env_vars",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
    }
)

#: Our names of fields -> their camelCase names.
FOREIGN_NAME: Mapping[str, str] = MappingProxyType({ours: foreign for foreign, ours in CAMEL_CASE.items()})

#: Statuses of other programs, in lower case -> ours.
FOREIGN_STATUS: Mapping[str, JobStatus] = MappingProxyType(
    {
        "pending": JobStatus.CREATED,
        "processing": JobStatus.STARTED,
        "running": JobStatus.STARTED,
        "completed": JobStatus.FINISHED,
        "failed": JobStatus.ERROR,
        "timeout": JobStatus.ERROR,
        "cancelled": JobStatus.STOPPED,
        "waitingforprerequisites": JobStatus.WAITING_FOR_PREREQUISITES,
    }
)
_STATUS = {**{status.value: status for status in JobStatus}, **FOREIGN_STATUS}


def parse_status(text: str | None) -> JobStatus:
    """Read a status in any spelling and case. An absent or empty one means created.

    Raises:
        JobInvalid: An unknown status.
    """
    if not text:
        return JobStatus.CREATED
    status = _STATUS.get(text) or _STATUS.get(text.lower())
    if status is None:
        raise JobInvalid("status", f"unknown status {shown(text)}")
    return status
