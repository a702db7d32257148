"""Notices the ends of jobs that actors of other programs ran, which write to the store without our scripts. Pure.

Such an actor may write the end to the job's hash, push a reply, or do both. Those who wait for a job or read one look
with `look_again` and `seen`; every supervisor looks after the jobs that it has heard of with `end_foreign_jobs`.
Invariant: a job that one of our lanes holds is never ended from here, and the reply of a job's former life ends no job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hero_job.model.errors import HeroJobError, StoreRefused
from hero_job.model.views import JobRecord, Reply
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.op import Op, as_is
from hero_job.protocol.replies import OUTCOME_FIELDS, decode_reply, encode_reply, is_reply_of_ours, outcome_of

T = TypeVar("T")

#: Commands that `_look` yields for each job.
_LOOKS = 4


def look_again(operations: Operations, job_id: str) -> Flow[Reply | None]:
    """Look whether a job has ended, for somebody who waits for it.

    Args:
        operations: Of the job's namespace.
        job_id: The job.

    Returns:
        How it ended; None while it has not.

    Raises:
        JobNotFound: There is no such job.
        JobDamaged: The job's hash cannot be read.
    """
    results = yield [operations.outcome(job_id), *_look(operations, job_id)]
    raise_first_error(results)
    if results[0] is not None:
        return results[0]  # type: ignore[no-any-return]
    reply = _foreign_end(job_id, results[1:])
    if reply is not None:
        (written,) = yield [_end(operations, reply)]
        if not _is_refused_for_now(written):
            raise_first_error([written])
    return reply


def seen(operations: Operations, job_id: str, read: Op[T]) -> Flow[T]:
    """Read something about a job as it is after an end that only a reply tells of.

    Args:
        operations: Of the job's namespace.
        job_id: The job.
        read: Reads the job.

    Raises:
        HeroJobError: One of the errors of `read`.
    """
    # One round trip for every job but those whose reply is there and whose hash does not say that they have ended.
    replies = Op(("LLEN", operations.keys.reply(job_id)), int)
    results = yield [read, replies]
    raise_first_error(results[:1])
    found, count = results
    if isinstance(count, int) and count > 0 and not _has_ended(found):
        reply = yield from look_again(operations, job_id)
        if reply is not None:
            results = yield [read]
            raise_first_error(results)
            found = results[0]
    return found  # type: ignore[no-any-return]


def _is_refused_for_now(result: object) -> bool:
    """Does the server write nothing at present, for example because it is full? A later look writes the end."""
    return isinstance(result, StoreRefused) and result.passing


def _has_ended(found: Any) -> bool:
    # What is read of a job: its record, its status, or its output, which is None while there is none.
    status = found.status if isinstance(found, JobRecord) else found
    return status is not None and getattr(status, "terminal", True)


def end_foreign_jobs(operations: Operations, job_ids: Sequence[str], suspects: set[str]) -> Flow[list[str]]:
    """Look at jobs that no lane has claimed for a while, and end those that another program has ended.

    Args:
        operations: Of the jobs' namespace.
        job_ids: The jobs.
        suspects: Those of them whose hash already said at the last look that they have ended; changed for the next one.
            Only then is a missing reply pushed: an actor that writes the hash and then pushes its own has had its time.

    Returns:
        The jobs that need no further look, because they have ended, are held by a lane, or are gone.
    """
    looks = [op for job_id in job_ids for op in (_read_outcome(operations, job_id), *_look(operations, job_id))]
    results = yield looks
    settled: list[str] = []
    ends: list[Reply] = []
    for i, job_id in enumerate(job_ids):
        outcome, *rest = results[i * (_LOOKS + 1) : (i + 1) * (_LOOKS + 1)]
        owner, _replies, _reply_ms, hash_ms = rest
        if isinstance(outcome, HeroJobError) or owner or hash_ms == -2 or (outcome is not None and hash_ms >= 0):
            settled.append(job_id)
        elif outcome is None:
            reply = _foreign_end(job_id, rest)
            ends += [reply] if reply is not None else []
        elif job_id in suspects:
            ends.append(outcome)
        else:
            suspects.add(job_id)
    results = yield [_end(operations, reply) for reply in ends]
    written = zip(ends, results, strict=True)
    settled += [reply.job_id for reply, result in written if result and not _is_refused_for_now(result)]
    suspects.difference_update(settled)
    return settled


def _read_outcome(operations: Operations, job_id: str) -> Op[Reply | None]:
    def decode(answer: list[str | None]) -> Reply | None:
        return outcome_of(job_id, answer)

    return Op(("HMGET", operations.keys.job(job_id), *OUTCOME_FIELDS), decode, job_id=job_id)


def _look(operations: Operations, job_id: str) -> list[Op[Any]]:
    key, reply = operations.keys.job(job_id), operations.keys.reply(job_id)
    return [
        Op(("HGET", key, "owner"), as_is),
        Op(("LRANGE", reply, 0, 0), as_is),
        Op(("PTTL", reply), int),
        Op(("PTTL", key), int),
    ]


def _foreign_end(job_id: str, looked: Sequence[Any]) -> Reply | None:
    """Read from the answers of `_look` how another program ended a job that its hash calls open."""
    owner, replies, reply_ms, hash_ms = looked
    if owner or hash_ms != -1 or not isinstance(replies, list) or not replies:
        return None
    # The reply of a job that ended here is kept for a while; the hash may belong to a new job of its id.
    if reply_ms >= 0 and is_reply_of_ours(replies[0]):
        return None
    return decode_reply(job_id, replies[0])


def _end(operations: Operations, reply: Reply) -> Op[bool]:
    keys, job_id = operations.keys, reply.job_id
    fields: Mapping[str, str | None] = {
        "output": reply.output,
        "error": reply.error,
        "error_kind": reply.error_kind,
        "error_at": None if reply.line is None else f"{reply.line}:{reply.column or 0}",
    }
    flat = [part for name, value in fields.items() if value is not None for part in (name, value)]
    retention = operations.retention_arguments
    args = [keys.job(job_id), keys.reply(job_id), keys.prefix, job_id, *retention, reply.status.value]
    return Op([*args, encode_reply(reply), *flat], bool, lua.END_FOREIGN, 2, job_id)
