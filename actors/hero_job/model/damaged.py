"""Records in the store that cannot be read, and how a list of records is read in spite of them. Pure.

Invariant: reading many records gives all readable ones. A record that another version wrote, or that somebody
changed by hand, is set aside with its name and a reason; `heroctl doctor` shows it, and the service logs it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from hero_job.model.errors import JobDamaged, JobInvalid

R = TypeVar("R")
T = TypeVar("T")

#: What reading the text of a record may raise, no matter what is in it.
UNREADABLE: Final = (
    JobInvalid,
    JobDamaged,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,  # a time outside the range of the C library
    RecursionError,
)


class RecordKind(StrEnum):
    """What a record describes."""

    ACL = "rights"
    ACTOR = "actor"
    BATCH = "batch"
    KEY = "key"
    OBJECT = "object"
    SCHEDULE = "schedule"
    TOKEN = "token"
    VALUES = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRecord:
    """A record that cannot be read.

    Attributes:
        kind: What it describes.
        name: The incarnation, batch id, or name of the schedule or token; the context of rights and values; an object's
            type, SID and context; a key without the namespace.
        reason: Why it cannot be read.
    """

    kind: RecordKind
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}': {self.reason}"


def read_each(
    kind: RecordKind, rows: Iterable[tuple[str, R]], read: Callable[[str, R], T]
) -> tuple[list[T], list[DamagedRecord]]:
    """Read many records, each for itself.

    Args:
        kind: What they describe.
        rows: The name of each record and what the store has under it.
        read: Makes one record of a name and its row.

    Returns:
        The readable records in their order, and the damaged ones.
    """
    records: list[T] = []
    damaged: list[DamagedRecord] = []
    for name, row in rows:
        try:
            records.append(read(name, row))
        except UNREADABLE as e:
            damaged.append(DamagedRecord(kind=kind, name=name, reason=reason_of(e)))
    return records, damaged


def reason_of(error: BaseException) -> str:
    """Say in a few words why a record cannot be read."""
    if isinstance(error, JobInvalid | JobDamaged):
        return f"{error.field}: {error.reason}" if error.field else error.reason
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error) or type(error).__name__
