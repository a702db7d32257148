"""The operations of actors, which run jobs, and of supervisors, which recover them, as data; no I/O.

An actor process makes one `ActorOperations` for its incarnation and shares it among its lanes; a supervisor makes
`Recoveries`. Invariant: an id that left a queue is in exactly one claimed list until its job is settled or handed back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from hero_job.model.claim_types import (
    ActorEntry,
    ClaimedJob,
    CountReport,
    Order,
    Recovery,
    Settlement,
    Turn,
)
from hero_job.model.job import Job
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, Progress, Reply
from hero_job.operations.flow import PAGE, Flow, raise_first_error
from hero_job.protocol import lua
from hero_job.protocol.claims import decode_order, decode_recovery, decode_turn
from hero_job.protocol.keys import DEFAULT_NAMESPACE, KeyPart, Keys
from hero_job.protocol.op import Op, as_is
from hero_job.protocol.replies import encode_reply, encode_result

__all__ = [
    "ActorEntry",
    "ActorOperations",
    "ClaimedJob",
    "Order",
    "Recoveries",
    "Recovery",
    "Settlement",
    "Turn",
]

#: How long an idle lane blocks on the queue of its type, in seconds. After that it looks at its other queues, too.
BLOCK_S = 1.0


class ActorOperations:
    """Builds the operations of one incarnation.

    Args:
        entry: What the incarnation says about itself.
        namespace: Prefix of all keys.
        lease_s: How long its presence outlives its last beat, in seconds.
        retention: How long ended jobs are kept.
        by_context: Run at most one job of each context at a time, in queue order, across all actors that do so.
        legacy_queues: Also serve the queues of older programs of the Rust family, after all others.
    """

    __slots__ = (
        "_fixed",
        "_incarnation",
        "_queues",
        "_several",
        "_type_queue",
        "by_context",
        "entry",
        "keys",
        "lease_ms",
        "retention",
    )

    def __init__(
        self,
        entry: ActorEntry,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        lease_s: float = 8,
        retention: Retention = DEFAULT_RETENTION,
        by_context: bool = False,
        legacy_queues: bool = False,
    ) -> None:
        self.entry = entry
        self.keys = Keys(namespace)
        self.lease_ms = int(lease_s * 1000)
        self.retention = retention
        self._incarnation = entry.incarnation
        suffix = entry.script_type.suffix
        queues = [self.keys.work(suffix)]
        if entry.group:
            queues.insert(0, self.keys.work(suffix, entry.group))
            if entry.instance:
                queues.insert(0, self.keys.work(suffix, entry.group, entry.instance))
        self._type_queue = queues[-1]
        # Jobs of low priority run after everything else.
        self._queues = queues + [queue + KeyPart.LOW for queue in queues]
        if legacy_queues:
            self._queues += self.keys.legacy(suffix, entry.name)
        self._several = entry.group is not None or legacy_queues
        self.by_context = by_context
        self._fixed = ("context_id" if by_context else "", *retention.arguments)

    @property
    def routed(self) -> bool:
        """Does this actor serve queues other than that of its type? It blocks on that one only."""
        return self._several

    @property
    def queues(self) -> Sequence[str]:
        """The queues that this actor serves, in the order in which it looks at them."""
        return self._queues

    def served_elsewhere(self, actors: Sequence[ActorPresence]) -> set[str]:
        """Find the queues of this actor that another live actor with an engine serves, too.

        Args:
            actors: All registered actors. The registry does not say which of them serve the queues of older programs;
                each actor of the type is assumed to do so.
        """
        suffix = self.entry.script_type.suffix
        served: set[str] = set()
        for actor in actors:
            if (
                actor.script_type is not self.entry.script_type
                or actor.incarnation == self._incarnation
                or actor.beat_at is None
                or actor.unavailable is not None
            ):
                continue
            served |= {self.keys.work(suffix), *self.keys.legacy(suffix, self.entry.name)}
            if actor.group:
                served.add(self.keys.work(suffix, actor.group))
                if actor.instance:
                    served.add(self.keys.work(suffix, actor.group, actor.instance))
        return {queue for queue in self._queues if queue.removesuffix(KeyPart.LOW) in served}

    def _owner(self, lane: int) -> str:
        """Name the holder of what a lane claims: ownership is per lane, not per actor."""
        return f"{self._incarnation}/{lane}"

    def join(self) -> Op[bool]:
        """Enter the registry, before the first claim; always gives True."""
        described = {k: v for k, v in asdict(self.entry).items() if k not in ("incarnation", "script_type")}
        described["suffix"] = self.entry.script_type.suffix
        return self._presence("join", orjson.dumps(described), busy=0, jobs=0)

    def beat(self, *, busy: int, jobs: int, report: CountReport | None = None) -> Op[bool]:
        """Refresh presence, and report what the lanes have counted.

        Args:
            busy: How many lanes run a job now.
            jobs: How many jobs have run so far.
            report: What has been counted since the last report; None for nothing.

        Returns:
            False if the incarnation was declared dead.
        """
        return self._presence("beat", b"", busy=busy, jobs=jobs, report=report)

    def _presence(
        self, mode: str, described: bytes, *, busy: int, jobs: int, report: CountReport | None = None
    ) -> Op[bool]:
        keys = (self.keys.actors, self.keys.actor(self._incarnation), self.keys.actor_events)
        args: list[Any] = [*keys, self.keys.prefix, mode, self._incarnation, self.lease_ms, described]
        args += ("", 0) if report is None else report.arguments(self.entry.script_type.suffix)
        args += ("busy", busy, "jobs", jobs)
        return Op(args, bool, lua.PRESENCE, 3)

    def take(self, lane: int) -> Op[str | None]:
        """Block on the queue of the type until an id comes, and move it into the lane's claimed list.

        With `by_context` the id stays at the head of the queue, and only a turn takes it: between this move and the
        turn of a slow lane, another lane could start the next job of the same context.

        Args:
            lane: Number of the lane, from 0.

        Returns:
            The id; None if none came within `BLOCK_S`.
        """
        if self._fixed[0]:
            return Op(("BLMOVE", self._type_queue, self._type_queue, "LEFT", "LEFT", BLOCK_S), as_is, block_s=BLOCK_S)
        claimed = self.keys.claimed(self._incarnation, lane)
        return Op(("BLMOVE", self._type_queue, claimed, "LEFT", "RIGHT", BLOCK_S), as_is, block_s=BLOCK_S)

    def turn(
        self,
        lane: int,
        settlements: Sequence[Settlement],
        max_jobs: int,
        queues: Sequence[str] | None = None,
        *,
        held: int = 0,
    ) -> Op[Turn]:
        """Settle the jobs that a lane has run and claim those that it runs next, in one round trip.

        Args:
            lane: Number of the lane, from 0.
            settlements: How the jobs ended. Sent again after a lost answer, each counts once.
            max_jobs: Most jobs to claim; 0 to settle only.
            queues: Queues to claim from, after the jobs that the lane holds already; None for all that it serves.
            held: How many jobs the lane runs while this is on its way. They are the first ones of its claimed list,
                apart from those that are settled here, and are not claimed again.

        Returns:
            Whether the incarnation is alive, which settlements were refused, and the claimed jobs.
        """
        keys = self.keys
        args: list[Any] = [keys.actors, keys.claimed(self._incarnation, lane)]
        args += self._queues if queues is None else queues
        key_count = len(args)
        args += (keys.prefix, self._owner(lane), max_jobs, *self._fixed, self._incarnation, held)
        for s in settlements:
            args += _settlement(s, self.retention)
        return Op(args, decode_turn, lua.TURN, key_count)

    def release(self, lane: int, jobs: Sequence[ClaimedJob]) -> Op[int]:
        """Hand claimed, unstarted jobs back to the head of their queues.

        Args:
            lane: Number of the lane, from 0.
            jobs: The jobs, in the order in which they were claimed.

        Returns:
            How many of them this incarnation still owned.
        """
        args: list[Any] = [self.keys.claimed(self._incarnation, lane), self.keys.prefix, self._owner(lane)]
        args += self.retention.arguments
        for job in jobs:
            args += (job.id, job.attempt)
        return Op(args, int, lua.RELEASE, 1)

    def write_log(
        self, lane: int, job: ClaimedJob, lines: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> Op[bool]:
        """Add lines to the log of a job that runs here, and store its progress.

        Args:
            lane: Number of the lane that runs the job.
            job: The job.
            lines: Level and text of each line.
            progress: The job's progress; None if it has not changed.

        Returns:
            False if this incarnation no longer owns the job.
        """
        keys, keep = self.keys, self.retention
        shown = b"" if progress is None else orjson.dumps(asdict(progress))
        args: list[Any] = [keys.job(job.id), keys.log(job.id), self._owner(lane), job.attempt, keep.log_lines]
        args += (int(keep.failure_ttl_s * 1000), shown)
        for level, text in lines:
            args += (level, text)
        return Op(args, bool, lua.LOG, 2)

    def orders(self, block_s: float) -> Op[Order | None]:
        """Wait for an order to this incarnation, or to its type by a foreign client.

        Args:
            block_s: Longest wait, in seconds, above zero.

        Returns:
            The order; None if none came in time.
        """
        own = self.keys.control(self._incarnation)
        of_type = self.keys.control_type(self.entry.script_type.suffix)

        def decode(answer: list[str] | None) -> Order | None:
            return None if answer is None else decode_order(answer[1])

        return Op(("BLPOP", own, of_type, block_s), decode, block_s=block_s)

    def asked_to_stop(self, job: ClaimedJob) -> Op[bool]:
        """Was a job that runs here asked to stop? An order to do so may have been lost."""

        def decode(answer: list[str | None]) -> bool:
            return answer == [JobStatus.STOPPING.value, job.attempt]

        return Op(("HMGET", self.keys.job(job.id), "status", "attempt"), decode, job_id=job.id)

    def leave(self) -> Op[Recovery]:
        """Hand back all claimed jobs and leave the registry; the last operation of a drained process."""
        return _recover(self.keys, self._incarnation, "leaving", "its actor was stopped", self.retention)


class Recoveries:
    """Builds the operations by which a supervisor recovers the jobs of dead actors.

    Args:
        namespace: Prefix of all keys.
        retention: Limits of redelivery, and how long ended jobs are kept.
    """

    __slots__ = ("keys", "retention")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, retention: Retention = DEFAULT_RETENTION) -> None:
        self.keys = Keys(namespace)
        self.retention = retention

    def expired(self) -> Flow[tuple[int, list[str]]]:
        """List the incarnations whose presence has expired, after the server's time in ms at the end of the look.

        Raises:
            StoreError: The store failed.
        """
        found: dict[str, None] = {}
        cursor = "0"
        while True:
            results = yield [Op([self.keys.actors, self.keys.prefix, cursor, PAGE], as_is, lua.EXPIRED, 1)]
            raise_first_error(results)
            now_ms, cursor, page = results[0]
            found.update(dict.fromkeys(page))
            if cursor == "0":
                return now_ms, list(found)

    def buried(self) -> Op[list[str]]:
        """List the dead incarnations to recover again, because the last command of a frozen lane may come late."""
        return Op(("HKEYS", self.keys.dead), list)

    def hand_over(self, job: Job, incarnation: str, lane: int) -> Op[bool]:
        """Give a queued job to one lane, as if that lane had claimed it; an idle lane finds it within a second.

        Args:
            job: The job. It must be the only one in its queue, which is that of an instance.
            incarnation: The lane's actor.
            lane: Number of the lane, from 0.

        Returns:
            False if the queue was empty.
        """
        queue = self.keys.work(job.script_type.suffix, job.group, job.instance)
        return Op(("LMOVE", queue, self.keys.claimed(incarnation, lane), "LEFT", "RIGHT"), bool)

    def held_by(self, incarnation: str, lane: int) -> Op[list[str]]:
        """List the ids of the first jobs that a lane has claimed and not settled; those that it runs come first."""
        return Op(("LRANGE", self.keys.claimed(incarnation, lane), 0, 9), list)

    def recover(
        self, incarnation: str, *, proven_dead: bool, reason: str = "", stopped: bool = False, latest_ms: int | str = ""
    ) -> Op[Recovery]:
        """Hand back the jobs of an incarnation.

        Args:
            incarnation: The incarnation.
            proven_dead: Its process was seen to exit. Otherwise it is left alone until its presence has expired.
            reason: Why its jobs run again, for their records; by default, what is known of its end.
            stopped: Its supervisor ended it on purpose, so its jobs are no suspects.
            latest_ms: If the server's clock is later than this, it was set, and nothing is done; "" for any.

        Returns:
            Whether it was left alone, and which jobs were handed back.
        """
        if not reason:
            reason = "its actor ended unexpectedly" if proven_dead else "its actor gave no sign of life"
        cause = "dead" if proven_dead else "expired"
        return _recover(
            self.keys, incarnation, cause, reason, self.retention, suspects=not stopped, latest_ms=latest_ms
        )


def _recover(
    keys: Keys, incarnation: str, cause: str, reason: str, retention: Retention, *, suspects: bool = False,
    latest_ms: int | str = "",
) -> Op[Recovery]:  # fmt: skip
    args: list[Any] = [keys.actors, keys.actor(incarnation), keys.dead, keys.prefix, incarnation, cause]
    args += (
        reason,
        "1" if suspects else "",
        # After a process was seen to exit, only a command that the server has not read yet can still take effect: a
        # minute is ample. A frozen process may return much later.
        int((60 if cause == "dead" else retention.tomb_s) * 1000),
        latest_ms,
        *retention.arguments,
    )
    return Op(args, decode_recovery, lua.RECOVER, 3)


def _settlement(s: Settlement, retention: Retention) -> tuple[Any, ...]:
    """The values of a settlement; see lua/turn.lua."""
    if s.status is JobStatus.FINISHED:
        result = encode_result(s.job_id, s.output)
        if not s.output_json:
            return s.job_id, s.attempt, "finished", result, s.output
        if s.output_json == s.output:
            return s.job_id, s.attempt, "finished_json", result, s.output
        return s.job_id, s.attempt, "finished_both", result, s.output, s.output_json
    if s.ended_its_process:
        return s.job_id, s.attempt, "dispatched", str(retention.max_redeliveries), s.error, s.error_kind, ""
    place = "" if s.error_line is None else f"{s.error_line}:{s.error_column or ''}"
    if s.retry_in_s is not None:
        return s.job_id, s.attempt, "scheduled", str(round(s.retry_in_s * 1000)), s.error, s.error_kind, place
    reply = Reply(
        job_id=s.job_id, status=s.status, error=s.error, error_kind=s.error_kind, line=s.error_line,
        column=s.error_column,
    )  # fmt: skip
    return s.job_id, s.attempt, s.status.value, encode_reply(reply), s.error, s.error_kind, place
