"""One object as it is stored, and its SID. Pure.

A record is three parts: `VERSION AT_MS SINCE`, a line of JSON with the caller, the job and the indexed fields, and the
object's fields as JSON. Lua scripts read only the numbers.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hero_job.model.fields.checks import ms_text
from hero_job.model.fields.shown_values import shown
from hero_job.model.objects.errors import ObjectInvalid

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
#: Two thousand million SIDs for each type of each context. `new` looks whether one is free.
_SID_CHARS: Final = 6
_HEAD: Final = re.compile("([0-9]{1,15}) ([0-9]{1,15}) ([0-9]{1,16})")
#: The year 10000, in ms.
_LAST_MS: Final = 253_402_300_800_000
_SID: Final = re.compile(r"[0-9a-z]{1,32}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z_][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One version of an object.

    Attributes:
        sid: Its SID.
        version: Counts its writes, from 1.
        written_at_ms: When this version was written, in ms since 1970, by the store's clock.
        since: The first of the last versions that the same job wrote in a row.
        caller_id: Who wrote it; None for the operator.
        job_id: The job that wrote it; "" if no job did.
        indexed: The fields that were indexed when it was written.
        fields: Its fields, without the SID.
    """

    sid: str
    version: int
    written_at_ms: int
    since: int
    caller_id: str | None
    job_id: str
    indexed: tuple[str, ...]
    fields: Mapping[str, Any]

    @property
    def written_at(self) -> str:
        """When this version was written, as ISO 8601 in UTC."""
        return ms_text(self.written_at_ms)

    def follows(self, base: int | None, caller_id: str | None, job_id: str) -> bool:
        """Whether a change that starts from version `base` loses nothing that somebody else wrote.

        Args:
            base: The version; 0 for a new object, None to replace whatever there is.
            caller_id: Who makes the change.
            job_id: The job that makes it. What it wrote itself does not count as somebody else's.
        """
        return base is None or base == self.version or (base >= self.since - 1 and self._is_by(caller_id, job_id))

    def since_of_next(self, caller_id: str | None, job_id: str) -> int:
        """`since` of the version that follows."""
        return self.since if self._is_by(caller_id, job_id) else self.version + 1

    def _is_by(self, caller_id: str | None, job_id: str) -> bool:
        return job_id != "" and (self.caller_id, self.job_id) == (caller_id, job_id)


def decode_object(sid: str, record: str) -> StoredObject:
    """Read a record.

    Raises:
        ObjectInvalid: Another program wrote something else there.
    """
    head, _, rest = record.partition("\n")
    meta, _, fields = rest.partition("\n")
    numbers = _HEAD.fullmatch(head)
    if numbers is None:
        raise _damaged(sid, "its first line is not VERSION TIME SINCE")
    version, written_at_ms, since = map(int, numbers.groups())
    if written_at_ms >= _LAST_MS:
        raise _damaged(sid, "its time is after the year 9999")
    try:
        caller_id, job_id, indexed = orjson.loads(meta)
    except (ValueError, TypeError):
        caller_id, job_id, indexed = None, None, None
    is_meta = isinstance(caller_id, str | None) and isinstance(job_id, str) and isinstance(indexed, list)
    if not is_meta or not all(isinstance(name, str) for name in indexed):
        raise _damaged(sid, "its second line is not [caller, job, indexed fields] as JSON")
    try:
        parsed = orjson.loads(fields)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _damaged(sid, "its fields are not an object in JSON")
    return StoredObject(
        sid=sid, version=version, written_at_ms=written_at_ms, since=since, caller_id=caller_id, job_id=job_id,
        indexed=tuple(indexed), fields=parsed,
    )  # fmt: skip


def _damaged(sid: str, reason: str) -> ObjectInvalid:
    cure = "set it anew or delete it"
    return ObjectInvalid("deserialization error", f"object {sid:.80} is damaged: {reason}; {cure}")


def decode_any_object(sid: str, record: str) -> StoredObject:
    """Read a record as `decode_object`; of a damaged one at least the version, so that it can be replaced."""
    try:
        return decode_object(sid, record)
    except ObjectInvalid:
        found = re.match("[0-9]{1,15}(?![0-9])", record)
        return StoredObject(
            sid=sid, version=int(found.group()) if found else 0, written_at_ms=0, since=1 << 53, caller_id=None,
            job_id="", indexed=(), fields={},
        )  # fmt: skip


def encode_object(caller_id: str | None, job_id: str, indexed: tuple[str, ...], fields: Mapping[str, Any]) -> str:
    """Write a record without its numbers, which the store adds.

    Raises:
        ObjectInvalid: The fields cannot be written as JSON.
    """
    try:
        return f"{orjson.dumps((caller_id, job_id, indexed)).decode()}\n{orjson.dumps(fields).decode()}"
    except (TypeError, ValueError, RecursionError) as e:
        raise ObjectInvalid("serialization error", str(e)) from e


def new_sid() -> str:
    """Choose a SID that nobody can guess."""
    return "".join(secrets.choice(_DIGITS) for _ in range(_SID_CHARS))


def check_sid(sid: str) -> str:
    """Return a SID if it is one.

    Raises:
        ObjectInvalid: It is not.
    """
    if not _SID.fullmatch(sid):
        raise ObjectInvalid("invalid name", f"{shown(sid)} is no SID; it has 1 to 32 digits and letters a to z")
    return sid


def check_type(name: str) -> str:
    """Return the name of a type, `namespace.type`, if it is one.

    Raises:
        ObjectInvalid: It is not.
    """
    if not _TYPE.fullmatch(name):
        raise ObjectInvalid("invalid name", f"{shown(name)} is no type; write namespace.type, such as hero.note")
    return name
