"""The store's operations for those who submit and look at jobs, each defined once as data.

An `Op` is one round trip: what to send and how to read the answer. It does no I/O; `store.py` runs it synchronously,
`aio.py` on asyncio. The operations of actors and of recovery are in `claims.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from hero_job import lua
from hero_job.codec import OUTCOME_FIELDS, decode_record, encode_job, outcome_of, parse_status
from hero_job.errors import HeroJobError, JobConflict, JobDamaged, JobInvalid, JobNotFound, JobStateError, StoreRefused
from hero_job.job import Job, ScriptType
from hero_job.keys import DEFAULT_NAMESPACE, Keys
from hero_job.record import ActorPresence, JobPage, JobRecord, Reply
from hero_job.status import JobStatus

T = TypeVar("T")
Arg = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """One round trip, as data.

    Attributes:
        args: A whole command; or, with a script, its keys and arguments.
        decode: Makes the result of the server's answer; raises the operation's own errors.
        script: The Lua script to run, None for a plain command.
        key_count: How many of the first `args` are keys of the script.
        job_id: Names the job in the error when the server says WRONGTYPE.
        block_s: How long the server may hold the answer back, in seconds.
    """

    args: Sequence[Arg]
    decode: Callable[[Any], T]
    script: lua.LuaScript | None = None
    key_count: int = 0
    job_id: str | None = None
    block_s: float = 0

    def translate(self, error: StoreRefused) -> HeroJobError:
        """Say what a server's error means for this operation."""
        if error.code == "WRONGTYPE" and self.job_id is not None:
            return JobDamaged(self.job_id, "", "it is not a hash")
        return error


class Operations:
    """Builds the operations of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("keys",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.keys = Keys(namespace)

    def create(self, job: Job, *, start: bool = False) -> Op[str]:
        """Store a job; with `start` queue it in the same round trip.

        Returns:
            The job's id. The same job sent again gives the same answer.

        Raises:
            JobConflict: Another job has this id.
            JobInvalid: The job asks for what this version does not do yet.
        """
        if job.prerequisites:
            raise JobInvalid("prerequisites", "are not released by this version: leave them out")
        if job.retries:
            raise JobInvalid("retries", "a failed job is not repeated by this version: leave it at 0")
        job_id = job.id

        def decode(answer: list[Any]) -> str:
            if answer[0] == 1:
                raise JobConflict(job_id, answer[1])
            return job_id

        keys = self.keys
        queue = keys.work(job.script_type.suffix, job.group, job.instance)
        args = [keys.job_prefix + job_id, queue, keys.prefix, job_id, "1" if start else "0", *encode_job(job)]
        return Op(args, decode, lua.CREATE, 2, job_id)

    def start(self, job_id: str) -> Op[None]:
        """Queue a created job.

        Raises:
            JobNotFound: No such job.
            JobStateError: It was started before.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: list[Any]) -> None:
            if answer[0] == 1:
                raise JobNotFound(job_id)
            if answer[0] == 2:
                raise JobStateError(job_id, answer[1], "start")
            if answer[0] == 3:
                raise JobDamaged(job_id, answer[1], answer[2])

        return Op([self.keys.job(job_id), self.keys.prefix, job_id], decode, lua.START, 1, job_id)

    def delete(self, job_id: str) -> Op[None]:
        """Remove a job that does not run.

        Raises:
            JobNotFound: No such job.
            JobStateError: It runs.
        """

        def decode(answer: list[Any]) -> None:
            if answer[0] == 1:
                raise JobNotFound(job_id)
            if answer[0] == 2:
                raise JobStateError(job_id, answer[1], "delete")

        return Op([self.keys.job(job_id), self.keys.reply(job_id)], decode, lua.DELETE, 2, job_id)

    def record(self, job_id: str) -> Op[JobRecord]:
        """Read a whole job.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: Any) -> JobRecord:
            fields = _pairs(answer)
            if not fields:
                raise JobNotFound(job_id)
            return decode_record(job_id, fields)

        return Op(("HGETALL", self.keys.job(job_id)), decode, job_id=job_id)

    def status(self, job_id: str) -> Op[JobStatus]:
        """Read a job's status.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: list[str | None]) -> JobStatus:
            _found(job_id, answer)
            try:
                return parse_status(answer[0])
            except JobInvalid as e:
                raise JobDamaged(job_id, e.field, e.reason) from e

        return Op(("HMGET", self.keys.job(job_id), "status", "script"), decode, job_id=job_id)

    def outcome(self, job_id: str) -> Op[Reply | None]:
        """Read how a job ended; None while it has not.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: list[str | None]) -> Reply | None:
            _found(job_id, answer)
            return outcome_of(job_id, answer[:-1])

        return Op(("HMGET", self.keys.job(job_id), *OUTCOME_FIELDS, "script"), decode, job_id=job_id)

    def output(self, job_id: str) -> Op[str | None]:
        """Read a job's output; None while it has not ended.

        Raises:
            JobNotFound: No such job.
            JobFailed: It ended without one.
            JobDamaged: Its hash cannot be read.
        """
        outcome = self.outcome(job_id)

        def decode(answer: list[str | None]) -> str | None:
            reply = outcome.decode(answer)
            return None if reply is None else reply.result()

        return Op(outcome.args, decode, job_id=job_id)

    def peek_reply(self, job_id: str, block_s: float) -> Op[str | None]:
        """Wait for a job's reply without taking it away.

        BLMOVE from a list to itself hands the entry to every waiter in turn and leaves it there for the next.

        Args:
            job_id: The job.
            block_s: Longest wait, in seconds, above zero.

        Returns:
            The entry, or None when none came in time.
        """
        key = self.keys.reply(job_id)
        return Op(("BLMOVE", key, key, "LEFT", "LEFT", block_s), _as_is, block_s=block_s)

    def page(self, cursor: str = "", count: int = 100) -> Op[JobPage]:
        """Read one page of all jobs.

        Args:
            cursor: "" for the first page, then what the last page gave.
            count: About how many; a page may hold more, fewer, or none.
        """
        if not 1 <= count <= 10_000:
            raise JobInvalid("count", f"must be from 1 to 10000, not {count!r}")
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            raise JobInvalid("cursor", f"must be one that a page gave, not {cursor!r:.80}")

        def decode(answer: list[Any]) -> JobPage:
            records: list[JobRecord] = []
            damaged: list[tuple[str, str]] = []
            for job_id, fields in answer[1]:
                try:
                    if isinstance(fields, str):
                        raise JobDamaged(job_id, "", fields)
                    records.append(decode_record(job_id, _pairs(fields)))
                except JobDamaged as e:
                    damaged.append((job_id, str(e)))
            following = str(answer[0])
            return JobPage(records=tuple(records), damaged=tuple(damaged), cursor="" if following == "0" else following)

        keys = self.keys
        return Op([keys.actors, keys.job_prefix, cursor or "0", str(count)], decode, lua.PAGE, 1)

    def actors(self) -> Op[list[ActorPresence]]:
        """List all actors of all hosts, by name."""
        return Op([self.keys.actors, self.keys.prefix], _decode_actors, lua.ACTORS, 1)

    def queue_length(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Op[int]:
        """Count the ids in a queue."""
        return Op(("LLEN", self.keys.work(script_type.suffix, group, instance)), int)

    def ping(self) -> Op[None]:
        """Ask the server whether it is there."""
        return Op(("PING",), lambda _answer: None)


def _as_is(answer: Any) -> Any:
    return answer


def _pairs(answer: Any) -> dict[str, str]:
    # RESP2 gives a flat list; a client that speaks RESP3 or unpacks it already gives a dict.
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _found(job_id: str, values: Sequence[str | None]) -> None:
    # HMGET answers nil for every field of a missing key. A hash of the Rust family may lack a status, never a script.
    if all(v is None for v in values):
        raise JobNotFound(job_id)


def _decode_actors(answer: list[Any]) -> list[ActorPresence]:
    actors = []
    for incarnation, described, lives_ms, flat in answer:
        entry = orjson.loads(described)
        presence = _pairs(flat)
        actors.append(
            ActorPresence(
                incarnation=incarnation,
                name=entry["name"],
                script_type=ScriptType.parse(entry["suffix"]),
                host=entry["host"],
                pid=entry["pid"],
                lanes=entry["lanes"],
                engine=entry["engine"],
                engine_version=entry["engine_version"],
                group=entry.get("group"),
                instance=entry.get("instance"),
                started_at=entry.get("started_at"),
                beat_at=presence.get("beat_at") if lives_ms > 0 else None,
                busy=int(presence.get("busy", 0)),
                jobs=int(presence.get("jobs", 0)),
            )
        )
    return sorted(actors, key=lambda a: (a.script_type, a.name, a.incarnation))
