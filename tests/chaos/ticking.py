"""The harness's schedules, and the reckoning of their ticks: each has one job, whoever has died meanwhile.

They begin before the first fault and end after the last. They make up for every tick that was missed, so what they must
have done is known: a job for each tick before the one that the store waits for when they are deleted.
"""

from __future__ import annotations

from itertools import takewhile

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule
from hero_job.protocol.op import Op
from hero_supervisor import Supervisor
from tests.chaos.witness import Witness

#: Script type -> seconds from tick to tick, and script.
_TICKING = {"sal": (1, "40 + 2"), "osis": (2, "40 + 2"), "python": (3, "!!play.echo content:42")}


class Ticking:
    """Some schedules.

    Args:
        supervisor: Through which they are made.
        witness: Where their ticks are noted, as jobs submitted.
    """

    def __init__(self, supervisor: Supervisor, witness: Witness) -> None:
        self._witness = witness
        self._first_ms: dict[str, tuple[Schedule, int]] = {}
        for script_type, (interval_s, script) in _TICKING.items():
            schedule = Schedule(
                name=f"tick-{script_type}",
                job={"caller_id": "c", "context_id": "c", "script_type": script_type, "script": script},
                interval_s=interval_s,
                overlap=Overlap.ALLOW,
                missed=Missed.ALL,
            )
            self._first_ms[script_type] = (schedule, supervisor.put_schedule(schedule))

    def finish(self, store: Store, operations: Operations) -> None:
        """Delete the schedules, and note which jobs there must be of them, and which there may be."""
        for script_type, (schedule, first_ms) in self._first_ms.items():
            next_ms, now_ms = store.run(_end(operations, schedule.name))
            ticks = schedule.ticks_after(first_ms / 1000 - 0.001)
            for tick_ms in takewhile(lambda tick, now_ms=now_ms: tick <= now_ms, ticks):  # type: ignore[misc]
                job = schedule.job_at(tick_ms)
                self._witness.note(
                    "submitted", job=job.id, type=script_type, kind="tick", ends=["finished"], output="42", retries=0,
                    earliest=tick_ms / 1000,
                )  # fmt: skip
                # A supervisor may be about to move the schedule on: then this tick may have its job, and need not.
                if tick_ms < next_ms:
                    self._witness.note("acknowledged", job=job.id)


def _end(operations: Operations, name: str) -> Op[tuple[int, int]]:
    """Delete a schedule; gives the tick that it had come to, and the store's time, in milliseconds since 1970."""
    source = """
    local next_ms, t = redis.call('ZSCORE', KEYS[1], ARGV[1]), redis.call('TIME')
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ' last')
    return { tonumber(next_ms), t[1] * 1000 + math.floor(t[2] / 1000) }"""
    keys = operations.keys
    return Op(("EVAL", source, 2, keys.ticks, keys.schedules, name), lambda answer: (answer[0], answer[1]))
