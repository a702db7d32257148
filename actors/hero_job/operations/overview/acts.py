"""Stores acts on many jobs and the record of changes, and does an act to a page of jobs. No I/O.

The RPC runs acts in the background and writes the record. Invariants: an act never touches a job that its author may
not change; each job is changed by the same script as a single one; a page is some hundred jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

from hero_job.model.errors import HeroJobError, JobInvalid, JobNotFound, StoreError
from hero_job.model.overview.acts import ActKind, ActState, AuditEntry, BulkAct
from hero_job.model.status import JobStatus
from hero_job.operations.events import Events
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Arg, Op, pairs

#: Approximate number of entries that the record of changes keeps.
AUDIT_ENTRIES: Final = 10_000
#: Seconds for which the record of an act is kept.
ACT_TTL_S: Final = 7 * 86_400
#: Jobs that one page of an act touches.
ACT_PAGE: Final = 100
_SHOWN: Final = 20

#: Each job with its error, or None.
ActResults: TypeAlias = list[tuple[str, HeroJobError | None]]


class Acts:
    """Builds the operations on acts and the record of changes.

    Args:
        operations: Of the namespace.
    """

    __slots__ = ("_events", "_operations")

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._events = Events(operations.keys.namespace)

    def begin(self, act: BulkAct) -> Op[bool]:
        """Store a new act; returns False if there is an act with this id already."""
        key = self._operations.keys.prefix + KeyPart.ACT + act.act_id
        return Op(("SET", key, orjson.dumps(asdict(act)), "EX", ACT_TTL_S, "NX"), bool)

    def put(self, act: BulkAct) -> Op[None]:
        """Store how far an act has come."""
        key = self._operations.keys.prefix + KeyPart.ACT + act.act_id
        return Op(("SET", key, orjson.dumps(asdict(act)), "EX", ACT_TTL_S), lambda _answer: None)

    def get(self, act_id: str) -> Op[BulkAct]:
        """Read an act.

        Args:
            act_id: Its id.

        Raises:
            JobInvalid: There is no act with this id, or it cannot be read.
        """

        def decode(answer: str | None) -> BulkAct:
            if answer is None:
                raise JobInvalid("act_id", f"there is no act '{act_id:.80}'; acts are kept for a week")
            try:
                data = orjson.loads(answer)
                data["kind"], data["state"] = ActKind(data["kind"]), ActState(data["state"])
                data["problems"] = tuple((str(i), str(text)) for i, text in data["problems"])
                return BulkAct(**data)
            except (ValueError, TypeError, KeyError) as e:
                raise JobInvalid("act_id", f"the record of act '{act_id:.80}' cannot be read") from e

        return Op(("GET", self._operations.keys.prefix + KeyPart.ACT + act_id), decode)

    def do(self, kind: ActKind, job_ids: Sequence[str], owner: str | None, began_at: str) -> Flow[ActResults]:
        """Do an act to a page of jobs. Repeated after a lost answer, it does nothing more.

        Args:
            kind: What is done.
            job_ids: The jobs.
            owner: The only caller whose jobs may be touched; None for those of all.
            began_at: When the act began, ISO 8601 by the store's clock.

        Returns:
            For each job its error, or None.

        Raises:
            StoreError: The store cannot be reached, or refuses all.
        """
        results: dict[str, HeroJobError | None] = {}
        mine = list(dict.fromkeys(job_ids))
        if owner is not None:
            (facts,) = yield [self._events.facts(mine)]
            raise_first_error([facts])
            for job_id in mine:
                if facts[job_id].caller_id != owner:
                    results[job_id] = JobNotFound(job_id)
            mine = [job_id for job_id in mine if job_id not in results]
        operations = self._operations
        builders: dict[ActKind, Callable[[str], Op[Any]]] = {
            ActKind.STOP: operations.stop,
            ActKind.RETRY: partial(_retry_ended, operations, began_at),
            ActKind.DELETE: operations.delete,
        }
        build = builders[kind]
        answers = (yield [build(job_id) for job_id in mine]) if mine else []
        raise_first_error(answer for answer in answers if isinstance(answer, StoreError))
        for job_id, answer in zip(mine, answers, strict=True):
            results[job_id] = answer if isinstance(answer, HeroJobError) else None
        return [(job_id, results[job_id]) for job_id in dict.fromkeys(job_ids)]

    def note(self, fields: Mapping[str, str]) -> Op[None]:
        """Add an entry to the record of changes.

        Args:
            fields: The fields of an `AuditEntry`, without cursor and time.
        """
        flat = [part for pair in fields.items() for part in pair]
        args: tuple[Arg, ...] = ("XADD", self._operations.keys.audit, "MAXLEN", "~", AUDIT_ENTRIES, "*", *flat)
        return Op(args, lambda _answer: None)

    def entries(self, after: str, count: int) -> Op[list[AuditEntry]]:
        """Read entries of the record of changes, the oldest first.

        Args:
            after: Cursor of the last entry already read; "" for the beginning.
            count: Most entries.
        """

        def decode(answer: Sequence[Any]) -> list[AuditEntry]:
            return [audit_entry(cursor, pairs(fields)) for cursor, fields in answer]

        begin = f"({after}" if after else "-"
        return Op(("XRANGE", self._operations.keys.audit, begin, "+", "COUNT", count), decode)


def _retry_ended(operations: Operations, ended_by: str, job_id: str) -> Op[None]:
    """Run a job again that has ended by a time. One that has run again and failed since is left alone."""
    op = operations.retry(job_id)
    return op._replace(args=[*op.args, ended_by])


def applies(kind: ActKind, status: JobStatus) -> bool:
    """Whether an act can be done to a job in this status."""
    if kind is ActKind.STOP:
        return not status.terminal and status is not JobStatus.STOPPING
    if kind is ActKind.RETRY:
        return status in (JobStatus.ERROR, JobStatus.STOPPED)
    return status not in (JobStatus.STARTED, JobStatus.STOPPING)


def first_problems(
    known: tuple[tuple[str, str], ...], results: Sequence[tuple[str, HeroJobError | None]]
) -> tuple[tuple[str, str], ...]:
    """Add the errors of a page to those that an act shows, up to a limit."""
    new = [(job_id, str(error)[:200]) for job_id, error in results if error is not None]
    return (*known, *new)[:_SHOWN]


def audit_entry(cursor: str, fields: Mapping[str, str]) -> AuditEntry:
    """Read an entry of the record of changes; fields that it lacks are empty."""
    names = ("who", "scope", "by", "peer", "method", "params", "outcome")
    return AuditEntry(
        cursor=cursor, at_ms=int(cursor.partition("-")[0]), **{name: fields.get(name, "") for name in names}
    )
