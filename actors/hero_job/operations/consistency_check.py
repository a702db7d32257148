"""Looks for jobs that are where no actor will find them. Reads only; a `Flow`.

``heroctl doctor`` calls it. Our own scripts move a job in one step and leave none behind. Strays come from other
programs, from keys that somebody deleted, from a store that lost its last writes, and from actors that died while no
supervisor ran. Invariant: what looks stray is looked at a second time before it is reported, because any job may move
between two questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hero_job.model.errors import HeroJobError
from hero_job.model.fields.checks import milliseconds
from hero_job.model.fields.spellings import FOREIGN_NAME
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, JobRecord
from hero_job.operations.flow import PAGE, Flow, chunks, find_keys, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is

# A job that changed so recently may be on its way between two keys.
_RECENT_MS: Final = 5_000
# An actor's grace and the supervisor's recovery together end a job sooner than this after its timeout.
_OVERDUE_MS: Final = 60_000


class Trouble(StrEnum):
    """What is wrong with a job, or with an id in a queue."""

    NO_SUCH_JOB = "no_such_job"
    WRONG_QUEUE = "wrong_queue"
    IN_NO_QUEUE = "in_no_queue"
    DEAD_OWNER = "dead_owner"
    OVERDUE = "overdue"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """One job, or id in a queue, that no actor will find where it is.

    Attributes:
        job_id: The id.
        trouble: What is wrong.
        where: The queue without the namespace, the owner, or what cannot be read.
    """

    job_id: str
    trouble: Trouble
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The result of a check.

    Attributes:
        jobs: How many jobs were looked at.
        complete: Whether those were all jobs.
        strays: What is wrong, in no order.
        waiting: Number of ids in each queue that has any, by its key without the namespace: `q:work:type:osis`.
        actors: All registered actors.
        late_s: How long the first of the delayed jobs has been due, in seconds; 0 when none is due.
    """

    jobs: int
    complete: bool
    strays: tuple[Stray, ...]
    waiting: dict[str, int]
    actors: tuple[ActorPresence, ...]
    late_s: float


#: What the status of a job that has ended is in its hash. Its id in a queue is harmless: an actor drops it.
_ENDED = frozenset(status.value for status in JobStatus if status.terminal)


def survey(operations: Operations, most: int = 100_000) -> Flow[Survey]:
    """Look at all queues and jobs.

    Args:
        operations: Of the namespace.
        most: Most jobs to look at, and most ids in each queue.

    Returns:
        What was found.

    Raises:
        StoreError: The store failed.
    """
    keys = operations.keys
    first = Op(("ZRANGE", keys.scheduled, 0, 0, "WITHSCORES"), as_is)
    others: list[Op[Any]] = [first, Op(("HKEYS", keys.dead), as_is), Op(("TIME",), as_is)]
    actors, answers = yield from operations.admin.actors_and(*others)
    raise_first_error(answers)
    first_due, dead, clock = answers
    now_ms = _ms(clock)
    known = {actor.incarnation for actor in actors} | set(dead)

    queues = yield from find_keys(keys.work(""))
    held: set[str] = set()
    waiting: dict[str, int] = {}
    strays: list[Stray] = []
    for queue in queues:
        ids = yield from _ids(queue, most)
        held |= set(ids)
        name = queue.removeprefix(keys.prefix)
        waiting[name] = len(ids)
        strays += yield from _misplaced(operations, name, ids)
    for prefix in keys.holder_prefixes:
        for key in (yield from find_keys(prefix)):
            held |= set((yield from _ids(key, most)))

    jobs, cursor = 0, ""
    candidates: list[Stray] = []
    while True:
        (page,) = yield [operations.admin.page(cursor, PAGE)]
        raise_first_error((page,))
        jobs += len(page.records) + len(page.damaged)
        strays += [Stray(job_id=job_id, trouble=Trouble.DAMAGED, where=reason) for job_id, reason in page.damaged]
        candidates += [found for record in page.records if (found := _judge(record, held, known, now_ms)) is not None]
        cursor = page.cursor
        if not cursor or jobs >= most:
            break
    strays += yield from _second_look(operations, candidates, most)
    due_ms = float(_second(first_due)) if first_due else now_ms
    return Survey(
        jobs=jobs,
        complete=not cursor,
        strays=tuple(strays),
        waiting={name: count for name, count in waiting.items() if count},
        actors=tuple(actors),
        late_s=max(0.0, (now_ms - due_ms) / 1000),
    )


def _judge(record: JobRecord, held: set[str], known: set[str], now_ms: float) -> Stray | None:
    """Decide whether a job looks stray.

    Args:
        record: The job.
        held: Ids in all queues and claimed lists.
        known: Incarnations that are registered, or declared dead and still to be recovered.
        now_ms: The store's time.
    """
    job = record.job
    if record.status is JobStatus.ERROR and record.error_kind == "damaged":
        return Stray(job_id=job.id, trouble=Trouble.DAMAGED, where=record.error or "")
    if now_ms - _time_ms(record.updated_at or record.created_at, now_ms - _RECENT_MS) < _RECENT_MS:
        return None
    if record.status is JobStatus.DISPATCHED and job.id not in held:
        return Stray(job_id=job.id, trouble=Trouble.IN_NO_QUEUE, where=KeyPart.QUEUE + job.script_type.suffix)
    if record.status not in (JobStatus.STARTED, JobStatus.STOPPING):
        return None
    owner = (record.owner or "").partition("/")[0]
    # A third-party actor writes no owner, so nobody can say whether it is alive.
    if owner and owner not in known:
        return Stray(job_id=job.id, trouble=Trouble.DEAD_OWNER, where=owner)
    ends_ms = _time_ms(record.started_at, now_ms) + job.timeout * 1000
    if now_ms - ends_ms > _OVERDUE_MS:
        return Stray(job_id=job.id, trouble=Trouble.OVERDUE, where=owner or "a third-party actor")
    return None


def _second_look(operations: Operations, candidates: Sequence[Stray], most: int) -> Flow[list[Stray]]:
    """Keep the candidates whose job has not moved meanwhile, and is still in no queue."""
    found: list[Stray] = []
    for chunk in chunks(candidates):
        records = yield [operations.record(stray.job_id) for stray in chunk]
        for stray, record in zip(chunk, records, strict=True):
            if isinstance(record, HeroJobError):
                continue  # The job has expired, or it is damaged and listed as such.
            if stray.trouble is Trouble.DAMAGED:
                found.append(stray)
                continue
            running = record.status in (JobStatus.STARTED, JobStatus.STOPPING)
            if running == (stray.trouble is not Trouble.IN_NO_QUEUE) and not record.status.terminal:
                found.append(stray)
    lost = {stray.job_id for stray in found if stray.trouble is Trouble.IN_NO_QUEUE}
    if lost:
        for queue in (yield from find_keys(operations.keys.work(""))):
            lost -= set((yield from _ids(queue, most)))
    return [stray for stray in found if stray.trouble is not Trouble.IN_NO_QUEUE or stray.job_id in lost]


def _misplaced(operations: Operations, queue: str, ids: Sequence[str]) -> Flow[list[Stray]]:
    """Find the ids in a queue that belong to no job, or to a job of another script type."""
    suffix = queue.removeprefix(KeyPart.QUEUE).partition(":")[0]
    found: list[Stray] = []
    for chunk in chunks(ids):
        names = ("script_type", FOREIGN_NAME["script_type"], "status")
        answers = yield [Op(("HMGET", operations.keys.job(job_id), *names), as_is) for job_id in chunk]
        for job_id, values in zip(chunk, answers, strict=True):
            if isinstance(values, HeroJobError):
                continue  # the page of all jobs lists it as damaged
            script_type = values[0] or values[1]
            if script_type is None:
                found.append(Stray(job_id=job_id, trouble=Trouble.NO_SUCH_JOB, where=queue))
            elif script_type.lower() != suffix and values[2] not in _ENDED:
                found.append(Stray(job_id=job_id, trouble=Trouble.WRONG_QUEUE, where=queue))
    return found


def _ids(key: str, most: int) -> Flow[list[str]]:
    """Read a list of ids page by page."""
    ids: list[str] = []
    while len(ids) < most:
        (page,) = yield [Op(("LRANGE", key, len(ids), len(ids) + PAGE - 1), as_is)]
        raise_first_error((page,))
        ids += page
        if len(page) < PAGE:
            break
    return ids


def _second(answer: Sequence[Any]) -> Any:
    """Read the score of the only entry; redis-py nests entry and score, hiredis alone does not."""
    return answer[0][1] if isinstance(answer[0], list | tuple) else answer[1]


def _ms(clock: Sequence[Any]) -> float:
    return int(clock[0]) * 1000 + int(clock[1]) / 1000


def _time_ms(text: str | None, otherwise: float) -> float:
    try:
        return float(milliseconds(text or ""))
    except ValueError:
        return otherwise  # A third-party client wrote no time, or one that cannot be read.
