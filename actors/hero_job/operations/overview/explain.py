"""Finds out why a job does not run, and reads its attempts. `Flow`s that read only.

The client API, the RPC, `heroctl show` and `heroctl doctor` drive them. Invariant: a few round trips of bounded work; a
damaged neighbour (a queue, a prerequisite, an actor) hides nothing about the job itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, assert_never

import orjson

from hero_job.model.errors import HeroJobError, JobInvalid, StoreRefused
from hero_job.model.fields.names import shown_name
from hero_job.model.fields.spellings import parse_status
from hero_job.model.overview.attempts import JobAttempt, read_attempts
from hero_job.model.overview.explanation import Explanation, Prerequisite, WaitReason
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, JobRecord
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is, pairs

#: Ids of a list among which a job's place is looked for; 100,000 take the server about a millisecond.
MOST_PLACES: Final = 100_000
_SHOWN: Final = 20


def job_attempts(operations: Operations, job_id: str) -> Op[tuple[JobAttempt, ...]]:
    """Read the newest ten attempts of a job, the oldest first.

    Args:
        operations: Of the namespace.
        job_id: The job.

    Raises:
        JobNotFound: There is no such job.
        JobDamaged: The job's hash cannot be read.
    """
    read = operations.record(job_id)

    def decode(answer: Any) -> tuple[JobAttempt, ...]:
        return read_attempts(read.decode(answer), pairs(answer).get("attempts"))

    return Op(read.args, decode, job_id=job_id)


def explain_job(operations: Operations, job_id: str) -> Flow[Explanation]:
    """Find out why a job does not run.

    Args:
        operations: Of the namespace.
        job_id: The job.

    Raises:
        JobNotFound: There is no such job.
        JobDamaged: The job's hash cannot be read.
    """
    keys = operations.keys
    hash_op = Op(("HGETALL", keys.job(job_id)), as_is, job_id=job_id)
    reads: list[Op[Any]] = [operations.record(job_id), hash_op, Op(("TIME",), as_is)]
    answers = yield reads
    record: JobRecord = answers[0]
    fields, time_parts = answers[1:]
    raise_first_error([record, fields, time_parts])
    try:
        actors = yield from operations.admin.actors()
    except StoreRefused:  # something else is in the place of the registry
        actors = []
    subject = _Subject(
        operations,
        record,
        pairs(fields),
        actors,
        int(time_parts[0]) * 1000 + int(time_parts[1]) // 1000,
    )
    match record.status:
        case JobStatus.FINISHED | JobStatus.ERROR | JobStatus.STOPPED:
            return subject.ended()
        case JobStatus.STARTED | JobStatus.STOPPING:
            return subject.running()
        case JobStatus.SCHEDULED:
            return (yield from subject.delayed())
        case JobStatus.WAITING_FOR_PREREQUISITES:
            return (yield from subject.blocked())
        case JobStatus.CREATED | JobStatus.DISPATCHED:
            pass
        case _:
            assert_never(record.status)
    return (yield from subject.queued())


class _Subject:
    """The job that is explained, and what was read about it."""

    def __init__(
        self,
        operations: Operations,
        record: JobRecord,
        fields: dict[str, str],
        actors: Sequence[ActorPresence],
        now_ms: int,
    ) -> None:
        self._keys = operations.keys
        self._operations = operations
        self._record = record
        self._fields = fields
        self._now_ms = now_ms
        job = record.job
        self._actors = [a for a in actors if _serves(a, record)]
        self._alive = [a for a in self._actors if a.beat_at is not None]
        self._queue_key = self._keys.work(job.script_type.suffix, job.group, job.instance)
        self._queue = "/".join(part for part in (job.script_type.suffix, job.group, job.instance) if part)

    def _explained(self, reason: WaitReason, text: str, **facts: Any) -> Explanation:
        return Explanation(
            job_id=self._record.job.id,
            status=self._record.status,
            reason=reason,
            text=text,
            queue=self._queue,
            expires_at_ms=None if self._record.status.terminal else self._number("expires_ms"),
            actors=tuple(a.name for a in self._alive[:_SHOWN]),
            **facts,
        )

    def _number(self, name: str) -> int | None:
        try:
            return int(float(self._fields[name]))
        except (KeyError, ValueError, OverflowError):
            return None

    def ended(self) -> Explanation:
        record = self._record
        text = f"It ended as {record.status.value}"
        if record.error is not None:
            text += f" ({record.error_kind or 'error'}: {record.error:.200})"
        if record.status is not JobStatus.FINISHED:
            text += "; retry_job runs it again"
        return self._explained(WaitReason.ENDED, text + ".", owner=record.owner)

    def running(self) -> Explanation:
        record = self._record
        incarnation = (record.owner or "").partition("/")[0]
        actor = next((a for a in self._actors if a.incarnation == incarnation), None)
        where = record.owner or "an unknown lane" if actor is None else f"{actor.name} on {actor.host} ({record.owner})"
        text = f"It runs since {record.started_at} on {where}."
        if actor is None or actor.beat_at is None:
            text += " That actor gives no sign of life; a supervisor will hand the job back."
        if record.status is JobStatus.STOPPING:
            return self._explained(WaitReason.STOPPING, f"It was asked to stop. {text}", owner=record.owner)
        return self._explained(WaitReason.RUNNING, text, owner=record.owner)

    def delayed(self) -> Flow[Explanation]:
        score_op = Op(("ZSCORE", self._keys.scheduled, self._record.job.id), as_is)
        (score,) = yield [score_op]
        try:
            due_ms = int(float(score))
        except (TypeError, ValueError, OverflowError):
            text = "It waits for its time, but is not among the delayed jobs; stop it, then retry it."
            return self._explained(WaitReason.NOT_QUEUED, text)
        left_s = (due_ms - self._now_ms) / 1000
        if left_s < -5:
            text = f"Its time came {-left_s:.0f} s ago, and no supervisor has queued it; check that one is running."
            return self._explained(WaitReason.LATE, text, due_at_ms=due_ms)
        if self._record.failures > 0:
            error = f"{self._record.error_kind or 'error'}: {self._record.error or ''}"
            text = f"It failed {self._record.failures} times ({error:.200}), and runs again in {max(0, left_s):.1f} s."
            return self._explained(WaitReason.REPEATED, text, due_at_ms=due_ms)
        text = f"It waits for its time, which comes in {max(0, left_s):.1f} s."
        return self._explained(WaitReason.DELAYED, text, due_at_ms=due_ms)

    def blocked(self) -> Flow[Explanation]:
        ids = list(dict.fromkeys([*self._record.job.prerequisites, *_ids(self._fields.get("prerequisites_added"))]))
        found: list[Prerequisite] = []
        # A job may have thousands: those that have ended are passed over.
        for first in range(0, min(len(ids), 2000), 500):
            chunk = ids[first : first + 500]
            answers = yield [Op(("HMGET", self._keys.job(i), "status", "script"), as_is, job_id=i) for i in chunk]
            found += [p for p in map(_prerequisite, chunk, answers) if p.status is None or not p.status.terminal]
            if len(found) >= _SHOWN:
                break
        shown = tuple(found[:_SHOWN])
        named = ", ".join(f"{p.job_id} ({'gone' if p.status is None else p.status.value})" for p in shown[:3])
        count = self._number("pending") or len(shown)
        text = f"It waits for {count} {'job' if count == 1 else 'jobs'} to end: {named}{' ...' if count > 3 else ''}."
        return self._explained(WaitReason.PREREQUISITES, text, prerequisites=shown)

    def queued(self) -> Flow[Explanation]:
        record, job_id, keys = self._record, self._record.job.id, self._keys
        expires_ms = self._number("expires_ms")
        if expires_ms is not None and expires_ms < self._now_ms:
            text = "It was not started in its time, so it will end as expired."
            return self._explained(WaitReason.EXPIRED, text)
        key = record.job.concurrency_key or self._fields.get("place")
        low, held = self._queue_key + KeyPart.LOW, self._queue_key + KeyPart.HELD
        places = (self._queue_key, low, held, held + KeyPart.LOW)
        ops: list[Op[Any]] = [Op(("LPOS", place, job_id, "MAXLEN", MOST_PLACES), as_is) for place in places]
        ops += [Op(("LLEN", place), as_is) for place in places]
        ops += [Op(("HGET", keys.paused, self._queue_key), as_is)]
        if key is not None:
            line, running = keys.prefix + KeyPart.LIMIT_WAITING + key, keys.prefix + KeyPart.LIMIT_RUNNING + key
            ops += [Op(("LPOS", line, job_id, "MAXLEN", MOST_PLACES), as_is), Op(("LLEN", line), as_is)]
            ops += [Op(("SRANDMEMBER", running, _SHOWN), as_is)]
        answers = yield ops
        positions, lengths, paused = answers[:4], answers[4:8], answers[8]
        found = [(p, n) for p, n in zip(positions, lengths, strict=True) if isinstance(p, int)]
        if key is not None and not found and isinstance(answers[9], int):
            holders = sorted(answers[11]) if isinstance(answers[11], list | set) else []
            text = (
                f"It is number {answers[9] + 1} in line for a place under the key '{shown_name(key)}'; "
                f"held by {', '.join(holders[:3])}{' ...' if len(holders) > 3 else ''}."
            )
            facts: dict[str, Any] = {"place": answers[9] + 1, "waiting": answers[10], "key": shown_name(key)}
            return self._explained(WaitReason.IN_LINE, text, held_by=tuple(holders), **facts)
        if not found:
            return self._in_no_queue(sum(n for n in lengths if isinstance(n, int)))
        place, waiting = found[0][0] + 1, found[0][1]
        where = {"place": place, "waiting": waiting}
        if isinstance(paused, str):
            text = f"Its queue {self._queue} is paused since {paused}; resume_queue lets it run."
            return self._explained(WaitReason.PAUSED, text, paused_since=paused, **where)
        reason, trouble = self._trouble()
        if reason is not None:
            return self._explained(reason, trouble, **where)
        text = f"It is number {place} of {waiting} in the queue {self._queue}, which {len(self._alive)} actors serve."
        return self._explained(WaitReason.QUEUED, text, **where)

    def _in_no_queue(self, waiting: int) -> Explanation:
        if self._record.status is JobStatus.CREATED:
            return self._explained(WaitReason.NOT_STARTED, "It was created and not started; start_job starts it.")
        if waiting >= MOST_PLACES:
            reason, trouble = self._trouble()
            text = trouble or f"More than {MOST_PLACES} jobs are before it in the queue {self._queue}."
            return self._explained(reason or WaitReason.QUEUED, text, waiting=waiting)
        text = "A lane has just taken it. If this stays so, its queue has lost it; see doctor."
        return self._explained(WaitReason.CLAIMED, text)

    def _trouble(self) -> tuple[WaitReason | None, str]:
        """Say why nobody will claim the job from its queue; None if somebody will."""
        if not self._actors:
            cure = "start one, or correct the job's script_type, group or instance"
            return WaitReason.NO_ACTOR, f"No actor serves the queue {self._queue}; {cure}."
        if not self._alive:
            silent = self._actors[0]
            text = f"The actors that serve {self._queue} give no sign of life ({silent.name} on {silent.host})."
            return WaitReason.ACTORS_SILENT, text
        if all(a.unavailable is not None for a in self._alive):
            actor = self._alive[0]
            return WaitReason.ACTORS_UNAVAILABLE, f"{actor.name} on {actor.host} cannot run it: {actor.unavailable}"
        return None, ""


def _serves(actor: ActorPresence, record: JobRecord) -> bool:
    job = record.job
    if actor.script_type is not job.script_type:
        return False
    return job.group is None or (actor.group == job.group and job.instance in (None, actor.instance))


def _ids(text: str | None) -> list[str]:
    try:
        ids = orjson.loads(text or "[]")
    except ValueError:
        return []
    return [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []


def _prerequisite(job_id: str, answer: Any) -> Prerequisite:
    if isinstance(answer, HeroJobError) or answer[0] is None is answer[1]:
        return Prerequisite(job_id=job_id, status=None)
    try:
        return Prerequisite(job_id=job_id, status=parse_status(answer[0]))
    except JobInvalid:
        return Prerequisite(job_id=job_id, status=None)
