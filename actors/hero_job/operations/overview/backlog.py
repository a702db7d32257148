"""How far a deployment is behind: the oldest wait of each queue, what is paused, unserved, delayed, blocked or late.

The metrics read it at each scrape. Invariant: two round trips and a bounded amount of work, no matter how many jobs
wait; something else in the place of one list hides no other figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hero_job.model.fields.checks import bounded_ms
from hero_job.model.views import ActorPresence, QueueHead
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.operations.overview.lists import QueueName, queue_names
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is

#: Schedules of which the lateness is told.
MOST_SCHEDULES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBacklog:
    """How far one queue is behind.

    Attributes:
        name: Script type in lower case, and behind slashes group and instance.
        waiting: Ids that wait in it, those included that a pause holds aside.
        oldest_wait_s: For how long its first job has waited; 0 if none can be claimed.
        paused: It is paused.
        unserved: Jobs wait in it, it is not paused, and no live actor with an engine serves it.
    """

    name: str
    waiting: int
    oldest_wait_s: float
    paused: bool
    unserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How far a deployment is behind.

    Attributes:
        queues: The known queues.
        delayed: Jobs that wait for their time.
        delayed_late_s: For how long the first of them has been due, in seconds.
        blocked: Jobs that wait for other jobs or in line for a key.
        silent_actors: Actors whose presence has expired.
        schedules_late_s: Schedule -> for how long its next tick has been due, in seconds.
    """

    queues: tuple[QueueBacklog, ...]
    delayed: int
    delayed_late_s: float
    blocked: int
    silent_actors: int
    schedules_late_s: Mapping[str, float]


def backlog(operations: Operations) -> Flow[Backlog]:
    """Read how far a deployment is behind.

    Args:
        operations: Of the namespace.

    Raises:
        StoreError: The store cannot be reached.
    """
    keys = operations.keys
    actors, (paused, time_parts) = yield from operations.admin.actors_and(Op(("HKEYS", keys.paused), as_is), _TIME)
    raise_first_error([time_parts])
    paused_keys = set(paused) if isinstance(paused, list) else set()
    names = queue_names(actors, sorted(paused_keys), keys.queue_prefix)
    ops: list[Op[Any]] = [
        Op(("ZCARD", keys.scheduled), int),
        Op(("ZRANGE", keys.scheduled, 0, 0, "WITHSCORES"), _scores),
        Op(("ZCARD", keys.blocked), int),
        Op(("ZRANGE", keys.ticks, 0, MOST_SCHEDULES - 1, "WITHSCORES"), _scores),
    ]
    for script_type, group, instance in names:
        queue = keys.work(script_type.suffix, group, instance)
        ops += [operations.admin.queue_head(script_type, group, instance)]
        ops += [Op(("LLEN", queue + KeyPart.HELD), int), Op(("LLEN", queue + KeyPart.HELD + KeyPart.LOW), int)]
    answers = yield ops
    now_s = int(time_parts[0]) + int(time_parts[1]) / 1e6
    delayed, first, blocked, ticks = answers[:4]
    queues: list[QueueBacklog] = []
    for (script_type, group, instance), at in zip(names, range(4, len(answers), 3), strict=True):
        head, held, held_low = answers[at : at + 3]
        head = head if isinstance(head, QueueHead) else QueueHead(waiting=0, wait_s=0)
        is_paused = keys.work(script_type.suffix, group, instance) in paused_keys
        waiting = head.waiting + _count(held) + _count(held_low)
        served = _is_served((script_type, group, instance), actors)
        queues.append(
            QueueBacklog(
                name="/".join(part for part in (script_type.suffix, group, instance) if part),
                waiting=waiting,
                oldest_wait_s=max(0.0, head.wait_s),
                paused=is_paused,
                unserved=waiting > 0 and not is_paused and not served,
            )
        )
    late = [now_s - due_ms / 1000 for _, due_ms in first] if isinstance(first, list) else []
    return Backlog(
        queues=tuple(queues),
        delayed=_count(delayed),
        delayed_late_s=max([0.0, *late]),
        blocked=_count(blocked),
        silent_actors=sum(actor.beat_at is None for actor in actors),
        schedules_late_s={name: max(0.0, now_s - due_ms / 1000) for name, due_ms in ticks}
        if isinstance(ticks, list)
        else {},
    )


_TIME: Final[Op[Any]] = Op(("TIME",), as_is)


def _scores(answer: Sequence[Any]) -> list[tuple[str, float]]:
    flat = [part for entry in answer for part in (entry if isinstance(entry, list | tuple) else [entry])]
    return [(str(m), float(bounded_ms(s))) for m, s in zip(flat[::2], flat[1::2], strict=True)]


def _count(answer: object) -> int:
    return answer if isinstance(answer, int) else 0


def _is_served(queue: QueueName, actors: Sequence[ActorPresence]) -> bool:
    script_type, group, instance = queue
    return any(
        actor.script_type is script_type
        and actor.beat_at is not None
        and actor.unavailable is None
        and group in (None, actor.group)
        and instance in (None, actor.instance)
        for actor in actors
    )
