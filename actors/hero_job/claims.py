"""The store's operations for those who run jobs, and for recovery: data, like those of `operations.py`.

An actor process makes one `Claims` for its incarnation and shares it among its lanes. Invariant: an id that left a
queue is in exactly one claimed list until its job is settled or handed back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from hero_job import lua
from hero_job.codec import encode_reply
from hero_job.job import ScriptType
from hero_job.keys import DEFAULT_NAMESPACE, Keys
from hero_job.operations import Op, _as_is
from hero_job.record import Reply
from hero_job.status import JobStatus

#: How long an idle lane blocks on the queue of its type, in seconds: after it, it looks at group and instance queues.
BLOCK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what has ended is kept, and how often a job is redelivered.

    Attributes:
        reply_ttl_s: A reply that nobody took.
        result_ttl_s: A finished job.
        failure_ttl_s: A job that ended in error or was stopped.
        events_max: Entries of the event stream (about).
        max_redeliveries: How often a job may lose its holder before it ends as lost.
        tomb_s: How long the claimed lists of a dead incarnation are looked at again. A day covers a host that was
            frozen, not dead, and whose lane still had one blocked claim under way.
    """

    reply_ttl_s: float = 300
    result_ttl_s: float = 86_400
    failure_ttl_s: float = 604_800
    events_max: int = 10_000
    max_redeliveries: int = 3
    tomb_s: float = 86_400


DEFAULT_RETENTION = Retention()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorEntry:
    """What an incarnation tells of itself when it joins; the fields are those of `ActorPresence`."""

    incarnation: str
    name: str
    script_type: ScriptType
    host: str
    pid: int
    lanes: int
    engine: str
    engine_version: str
    group: str | None = None
    instance: str | None = None
    started_at: str | None = None


@dataclass(slots=True)
class ClaimedJob:
    """A job that a lane has claimed, with its fields as they came: `execute` reads and checks them.

    Attributes:
        id: The job.
        attempt: Fencing token, as text; goes back with the settlement.
        script_type: In whatever case; None where the hash has none. So for the other fields.
        script: Source text.
        caller_id: Who asks.
        context_id: For which context.
        timeout: Seconds, as text.
        env_vars: JSON object, as text.
    """

    id: str
    attempt: str
    script_type: str | None
    script: str | None
    caller_id: str | None
    context_id: str | None
    timeout: str | None
    env_vars: str | None


@dataclass(slots=True)
class Settlement:
    """How a claimed job ended.

    Attributes:
        job_id: The job.
        attempt: The token of the claim.
        status: A terminal status.
        output: Result as text, of a finished job.
        output_json: The typed result as JSON, where it says more than `output`.
        error: Message of any other.
        error_kind: Kind of the error.
        error_line: Line in the script, from 1.
        error_column: Column in the script, from 1.
    """

    job_id: str
    attempt: str
    status: JobStatus
    output: str = ""
    output_json: str = ""
    error: str = ""
    error_kind: str = ""
    error_line: int | None = None
    error_column: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a lane brought.

    Attributes:
        alive: False when the incarnation was declared dead: it must stop and start anew.
        refused: Jobs whose settlement did not count, since they are no longer this incarnation's.
        jobs: What to run next, in order.
    """

    alive: bool
    refused: list[str]
    jobs: list[ClaimedJob]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovery of an incarnation did.

    Attributes:
        alive: True when it was left alone, since its presence has not expired.
        handed_back: Jobs put back at the head of their queues.
        lost: Jobs ended in error, since too many holders had died.
    """

    alive: bool
    handed_back: list[str]
    lost: list[str]


class Claims:
    """Builds the operations of one incarnation.

    Args:
        entry: Who it is.
        namespace: Prefix of all keys.
        lease_s: How long its presence outlives its last beat, in seconds.
        retention: How long results are kept.
    """

    __slots__ = ("_fixed", "_owner", "_queues", "entry", "keys", "lease_ms", "retention")

    def __init__(
        self,
        entry: ActorEntry,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        lease_s: float = 8,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        self.entry = entry
        self.keys = Keys(namespace)
        self.lease_ms = int(lease_s * 1000)
        self.retention = retention
        self._owner = entry.incarnation
        suffix = entry.script_type.suffix
        self._queues = [self.keys.work(suffix)]
        if entry.group:
            self._queues.insert(0, self.keys.work(suffix, entry.group))
            if entry.instance:
                self._queues.insert(0, self.keys.work(suffix, entry.group, entry.instance))
        self._fixed = (
            str(int(retention.reply_ttl_s * 1000)),
            str(int(retention.result_ttl_s * 1000)),
            str(int(retention.failure_ttl_s * 1000)),
            str(retention.events_max),
        )

    @property
    def routed(self) -> bool:
        """Does this actor serve a group or instance queue besides that of its type?"""
        return len(self._queues) > 1

    def join(self) -> Op[bool]:
        """Enter the registry, before the first claim."""
        described = {k: v for k, v in asdict(self.entry).items() if k not in ("incarnation", "script_type")}
        described["suffix"] = self.entry.script_type.suffix
        return self._presence("join", orjson.dumps(described), busy=0, jobs=0)

    def beat(self, *, busy: int, jobs: int) -> Op[bool]:
        """Refresh presence.

        Args:
            busy: Lanes that run a job now.
            jobs: Jobs run so far.

        Returns:
            False when the incarnation was declared dead.
        """
        return self._presence("beat", b"", busy=busy, jobs=jobs)

    def _presence(self, mode: str, described: bytes, *, busy: int, jobs: int) -> Op[bool]:
        keys = (self.keys.actors, self.keys.actor(self._owner))
        args = (mode, self._owner, self.lease_ms, described, "busy", busy, "jobs", jobs)
        return Op((*keys, *args), bool, lua.PRESENCE, 2)

    def take(self, lane: int) -> Op[str | None]:
        """Block on the queue of the type until an id comes; it is then in the lane's claimed list.

        Args:
            lane: Number of the lane, from 0.

        Returns:
            The id, or None after `BLOCK_S`.
        """
        claimed = self.keys.claimed(self._owner, lane)
        return Op(("BLMOVE", self._queues[-1], claimed, "LEFT", "RIGHT", BLOCK_S), _as_is, block_s=BLOCK_S)

    def turn(self, lane: int, settlements: Sequence[Settlement], max_jobs: int) -> Op[Turn]:
        """Settle what a lane has run and claim what it runs next, in one round trip.

        Args:
            lane: Number of the lane, from 0.
            settlements: Sent again after a lost answer they count once.
            max_jobs: Most jobs to claim; 0 to settle only.
        """
        keys = self.keys
        args: list[Any] = [keys.actors, keys.claimed(self._owner, lane), *self._queues]
        key_count = len(args)
        args += (keys.prefix, self._owner, max_jobs, *self._fixed)
        for s in settlements:
            finished = s.status is JobStatus.FINISHED
            reply = Reply(
                job_id=s.job_id,
                status=s.status,
                output=s.output if finished else None,
                error=None if finished else s.error,
                error_kind=None if finished else s.error_kind,
                line=s.error_line,
                column=s.error_column,
            )
            place = "" if s.error_line is None else f"{s.error_line}:{s.error_column or ''}"
            args += (s.job_id, s.attempt, s.status.value, s.output, s.output_json, s.error, s.error_kind, place,
                     encode_reply(reply))  # fmt: skip
        return Op(args, _decode_turn, lua.TURN, key_count)

    def release(self, lane: int, jobs: Sequence[ClaimedJob]) -> Op[int]:
        """Hand claimed, unstarted jobs back to the head of their queues.

        Args:
            lane: Number of the lane, from 0.
            jobs: In the order in which they were claimed.

        Returns:
            How many were still this incarnation's.
        """
        args: list[Any] = [self.keys.claimed(self._owner, lane), self.keys.prefix, self._owner]
        for job in jobs:
            args += (job.id, job.attempt)
        return Op(args, int, lua.RELEASE, 1)

    def leave(self) -> Op[Recovery]:
        """Hand everything back and leave the registry, at the end of a drained process."""
        return _recover(self.keys, self._owner, "leaving", self.retention)


class Recoveries:
    """Builds the operations by which a supervisor recovers the jobs of the dead.

    Args:
        namespace: Prefix of all keys.
        retention: Limits of redelivery and times to live.
    """

    __slots__ = ("keys", "retention")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, retention: Retention = DEFAULT_RETENTION) -> None:
        self.keys = Keys(namespace)
        self.retention = retention

    def expired(self) -> Op[list[str]]:
        """List the incarnations to recover: presence expired, or dead and still looked at."""
        return Op([self.keys.actors, self.keys.dead, self.keys.prefix], list, lua.EXPIRED, 2)

    def recover(self, incarnation: str, *, proven_dead: bool) -> Op[Recovery]:
        """Hand the jobs of an incarnation back.

        Args:
            incarnation: Whose.
            proven_dead: Its process was seen to exit; otherwise it is left alone while its presence lives.
        """
        return _recover(self.keys, incarnation, "dead" if proven_dead else "expired", self.retention)


def _recover(keys: Keys, incarnation: str, cause: str, retention: Retention) -> Op[Recovery]:
    args: list[Any] = [keys.actors, keys.actor(incarnation), keys.dead, keys.prefix, incarnation, cause]
    args += (
        retention.max_redeliveries,
        int(retention.reply_ttl_s * 1000),
        int(retention.failure_ttl_s * 1000),
        retention.events_max,
        # A process that was seen to exit can have no command under way but the one the server has not yet read the
        # end of its connection behind: a minute is ample. A frozen one may come back much later.
        int((60 if cause == "dead" else retention.tomb_s) * 1000),
    )
    return Op(args, _decode_recovery, lua.RECOVER, 3)


def _decode_turn(answer: list[Any]) -> Turn:
    return Turn(answer[0] == 1, answer[1], [ClaimedJob(*fields) for fields in answer[2]])


def _decode_recovery(answer: list[Any]) -> Recovery:
    return Recovery(answer[0] == 1, answer[1], answer[2])
