"""The operations on queues, dead letters and the registry of actors, as data; no I/O.

`Operations.admin` is one. The client API, the RPC and `heroctl` run them for operators, the supervisor for its own
clock and scaler. Invariant: each operation is one round trip of bounded work, and each `Flow` several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from hero_job.model.damaged import DamagedRecord, RecordKind, read_each
from hero_job.model.errors import DISK_FULL_MAXMEMORY, JobDamaged, JobInvalid
from hero_job.model.fields.checks import bounded_ms, milliseconds
from hero_job.model.fields.shown_values import shown
from hero_job.model.job import ScriptType
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.model.views import (
    ActorPresence,
    DeadJob,
    JobPage,
    JobRecord,
    QueueHead,
    QueueStatus,
    ServerFacts,
)
from hero_job.operations.flow import MAX_PAGE_BYTES, PAGE, Flow, raise_first_error
from hero_job.protocol import lua
from hero_job.protocol.codec import decode_record
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is, pairs

#: Jobs that one call of a script moves or ends, some dozen commands each: the server answers nobody meanwhile. While it
#: writes its file anew, the kernel copies each page of memory that a command changes: a call takes five times as long.
MOST_ENDED: Final = 25


class AdminOperations:
    """Builds the operations of one namespace that concern more than one job.

    Args:
        namespace: Prefix of all keys.
        retention: How long ended jobs are kept.
    """

    __slots__ = ("_keep", "keys")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, retention: Retention = DEFAULT_RETENTION) -> None:
        self.keys = Keys(namespace)
        self._keep = retention.arguments

    def page(self, cursor: str = "", count: int = 100) -> Op[JobPage]:
        """Read one page of all jobs, in no particular order.

        Args:
            cursor: "" for the first page, then the cursor of the last page.
            count: Approximate number of jobs, 1 to 10,000; a page may hold more, fewer, or none.

        Returns:
            Jobs, damaged entries, and the cursor of the next page; its cursor is "" at the end.

        Raises:
            JobInvalid: `count` or `cursor` is out of range.
        """
        if not 1 <= count <= 10_000:
            raise JobInvalid("count", f"must be from 1 to 10000, not {shown(count)}")
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            raise JobInvalid("cursor", f"must be the cursor of the last page, not {shown(cursor)}")

        def decode(answer: list[Any]) -> JobPage:
            records: list[JobRecord] = []
            damaged: list[tuple[str, str]] = []
            for job_id, fields in answer[1]:
                try:
                    if isinstance(fields, str):
                        raise JobDamaged(job_id, "", fields)
                    records.append(decode_record(job_id, pairs(fields)))
                except JobDamaged as e:
                    damaged.append((job_id, str(e)))
            following = str(answer[0])
            return JobPage(records=tuple(records), damaged=tuple(damaged), cursor="" if following == "0" else following)

        keys = self.keys
        return Op([keys.actors, keys.job_prefix, cursor or "0", str(count), MAX_PAGE_BYTES], decode, lua.PAGE, 1)

    def actors(self) -> Flow[list[ActorPresence]]:
        """List the actors of all hosts, by script type and name.

        Raises:
            StoreError: The store failed.
        """
        return (yield from self._registry([]))[0]

    def actors_and(self, *others: Op[Any]) -> Flow[tuple[list[ActorPresence], list[Any]]]:
        """List the actors of all hosts, and run other operations in the same round trip.

        Returns:
            The actors, and for each of the other operations its result or its error.

        Raises:
            StoreError: The store failed.
        """
        actors, _, answers = yield from self._registry(others)
        return actors, answers

    def damaged_actors(self) -> Flow[list[DamagedRecord]]:
        """List the entries of the registry that cannot be read; `actors` leaves them out.

        Raises:
            StoreError: The store failed.
        """
        return (yield from self._registry([]))[1]

    def _registry(self, others: Sequence[Op[Any]]) -> Flow[tuple[list[ActorPresence], list[DamagedRecord], list[Any]]]:
        rows: dict[str, list[Any]] = {}
        answers: list[Any] | None = None
        cursor = "0"
        while True:
            page = Op([self.keys.actors, self.keys.prefix, cursor, PAGE], as_is, lua.ACTORS, 1)
            results = yield [page, *(others if answers is None else ())]
            raise_first_error(results[:1])
            answers = results[1:] if answers is None else answers
            cursor, found = results[0]
            rows.update((row[0], row) for row in found)
            if cursor == "0":
                actors, damaged = read_each(RecordKind.ACTOR, rows.items(), _read_actor)
                return sorted(actors, key=lambda a: (a.script_type, a.name, a.incarnation)), damaged, answers

    def queue_length(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Op[int]:
        """Count the ids in a queue, without those of low priority and those that are held.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.
        """
        return Op(("LLEN", self.keys.work(script_type.suffix, group, instance)), int)

    def queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Op[QueueStatus]:
        """Read how many ids wait in a queue, and whether it is paused.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.
        """

        def decode(answer: list[Any]) -> QueueStatus:
            return QueueStatus(script_type=script_type, group=group, instance=instance, waiting=answer[0],
                               paused_since=answer[1])  # fmt: skip

        queue = self.keys.work(script_type.suffix, group, instance)
        return Op([self.keys.paused, queue], decode, lua.QUEUE_STATUS, 2)

    def queue_head(
        self, script_type: ScriptType, group: str | None = None, instance: str | None = None
    ) -> Op[QueueHead]:
        """Read how many ids actors can claim from a queue, and how long the first one has waited.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.
        """

        def decode(answer: list[Any]) -> QueueHead:
            waits_s = [_age_s(text, float(answer[1])) for text in answer[2]]
            return QueueHead(waiting=answer[0], wait_s=max([0.0, *waits_s]))

        queue = self.keys.work(script_type.suffix, group, instance)
        return Op([queue, self.keys.job_prefix], decode, lua.QUEUE_HEAD, 1)

    def purge(
        self, script_type: ScriptType, group: str | None = None, instance: str | None = None, most: int = MOST_ENDED
    ) -> Op[tuple[int, int]]:
        """Stop jobs that wait in a queue, each with its reply; running jobs go on.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.
            most: Most ids to take out of the queue in this round trip.

        Returns:
            How many ids were taken, and how many jobs were stopped.
        """
        queue = self.keys.work(script_type.suffix, group, instance)
        return Op([queue, self.keys.prefix, most, *self._keep], lambda answer: (answer[0], answer[1]), lua.PURGE, 1)

    def pause(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Op[bool]:
        """Pause a queue: its jobs and new ones wait, running jobs go on.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.

        Returns:
            False if it was paused already.
        """
        return Op([self.keys.paused, self.keys.work(script_type.suffix, group, instance)], bool, lua.PAUSE, 2)

    def resume(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> Op[int]:
        """Resume a paused queue; jobs keep their order. If other programs have pushed very many ids, do a part of that.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.

        Returns:
            0 if it was not paused; 1 if it is resumed; 2 if it is still paused, and another call goes on.
        """
        return Op([self.keys.paused, self.keys.work(script_type.suffix, group, instance)], int, lua.RESUME, 2)

    def dead(self, first: int = 0, count: int = 100) -> Op[list[DeadJob]]:
        """List the dead letters, which are the jobs that failed permanently, the newest first.

        Args:
            first: How many of the newest to skip.
            count: Most letters to list.
        """

        def decode(answer: list[Any]) -> list[DeadJob]:
            flat = [part for entry in answer for part in (entry if isinstance(entry, list | tuple) else [entry])]
            return [DeadJob(job_id=i, died_ms=bounded_ms(s)) for i, s in zip(flat[::2], flat[1::2], strict=True)]

        return Op(("ZREVRANGE", self.keys.dead_jobs, first, first + count - 1, "WITHSCORES"), decode)

    def dead_count(self) -> Op[int]:
        """Count the dead letters."""
        return Op(("ZCARD", self.keys.dead_jobs), int)

    def forget_dead(self, job_ids: Sequence[str]) -> Op[int]:
        """Take ids out of the dead letters; returns how many were in it."""
        return Op(("ZREM", self.keys.dead_jobs, *job_ids), int)

    def server(self) -> Op[ServerFacts]:
        """Read which server it is, and how it keeps its data."""

        def decode(answer: str) -> ServerFacts:
            facts = dict(line.split(":", 1) for line in answer.splitlines() if ":" in line)
            name = "valkey" if "valkey_version" in facts else "redis"
            return ServerFacts(
                name=name,
                version=facts.get(f"{name}_version", "unknown"),
                maxmemory=int(facts.get("maxmemory", 0)),
                maxmemory_policy=facts.get("maxmemory_policy", ""),
                appendonly=facts.get("aof_enabled") == "1",
                written=facts.get("aof_last_write_status", "ok") == "ok",
                disk_full=facts.get("maxmemory") == str(DISK_FULL_MAXMEMORY),
                replicas=int(facts.get("connected_slaves", 0)),
                guarded="min_slaves_good_slaves" in facts,
                used_memory=int(facts.get("used_memory", 0)),
            )

        return Op(("INFO",), decode)

    def promote(self, most: int = MOST_ENDED) -> Op[tuple[int, float | None]]:
        """Queue the delayed jobs that are due, and end the jobs that have expired.

        Args:
            most: Most jobs to move in this round trip, of each kind.

        Returns:
            How many jobs were moved, and in how many seconds the next one is due; None if there is none.
        """

        def decode(answer: list[int]) -> tuple[int, float | None]:
            return answer[0], None if answer[1] < 0 else answer[1] / 1000

        keys = self.keys
        return Op([keys.scheduled, keys.expiring, keys.prefix, most, *self._keep], decode, lua.PROMOTE, 2)


def _age_s(at: str, now_s: float) -> float:
    try:
        return now_s - milliseconds(at) / 1000
    except ValueError:
        return 0.0  # A third-party producer wrote no time, or one that cannot be read.


def _read_actor(incarnation: str, row: list[Any]) -> ActorPresence:
    _, described, lives_ms, beat_at, busy, jobs = row
    entry = orjson.loads(described)
    return ActorPresence(
        incarnation=incarnation,
        name=_text(entry, "name"),
        script_type=ScriptType.parse(entry["suffix"]),
        host=_text(entry, "host"),
        pid=int(entry["pid"]),
        lanes=int(entry["lanes"]),
        engine=_text(entry, "engine"),
        engine_version=_text(entry, "engine_version"),
        group=entry.get("group"),
        instance=entry.get("instance"),
        started_at=entry.get("started_at"),
        unavailable=entry.get("unavailable"),
        beat_at=(beat_at or None) if lives_ms > 0 else None,
        busy=int(busy or 0),
        jobs=int(jobs or 0),
    )


def _text(entry: dict[str, Any], name: str) -> str:
    if not isinstance(entry[name], str):
        raise JobInvalid(name, "is not a text")
    return str(entry[name])
