"""The schedules of a run: each tick must have exactly one job, no matter which processes died.

They start before the first fault and end after the last. Their policy makes up for every missed tick, so the expected
jobs are known: one for each tick before the next one that the store holds when the schedules are deleted.
"""

from __future__ import annotations

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule
from hero_job.protocol.op import Op
from hero_supervisor import Supervisor
from tests.chaos.witness import Witness

#: Script type -> seconds between two ticks, and the script.
_SCRIPTS = {"sal": (1, "40 + 2"), "osis": (2, "40 + 2"), "python": (3, "!!play.echo content:42")}


class ScheduledLoad:
    """One schedule per script type.

    Args:
        supervisor: Creates the schedules.
        witness: Gets the ticks, as submitted jobs.
    """

    def __init__(self, supervisor: Supervisor, witness: Witness) -> None:
        self._witness = witness
        self._schedules: list[tuple[Schedule, int]] = []
        for script_type, (interval_s, script) in _SCRIPTS.items():
            schedule = Schedule(
                name=f"tick-{script_type}",
                job={"caller_id": "c", "context_id": "c", "script_type": script_type, "script": script},
                interval_s=interval_s,
                overlap=Overlap.ALLOW,
                missed=Missed.ALL,
            )
            self._schedules.append((schedule, supervisor.put_schedule(schedule)))

    def finish(self, store: Store, operations: Operations) -> None:
        """Delete the schedules; note which jobs they must have and which they may have."""
        for schedule, first_ms in self._schedules:
            next_ms, now_ms = store.run(_end(operations, schedule.name))
            for tick_ms in schedule.ticks_after(first_ms / 1000 - 0.001):
                if tick_ms > now_ms:
                    break
                job = schedule.job_at(tick_ms)
                self._witness.note(
                    "submitted",
                    job=job.id,
                    type=job.script_type.suffix,
                    kind="tick",
                    ends=["finished"],
                    output="42",
                    retries=0,
                    earliest=tick_ms / 1000,
                )
                # Of the last tick a supervisor may have created the job without having moved the schedule on.
                if tick_ms < next_ms:
                    self._witness.note("acknowledged", job=job.id)


def _end(operations: Operations, name: str) -> Op[tuple[int, int]]:
    """Delete a schedule; return its next tick and the store's time, in milliseconds since 1970."""
    source = """
    local next_ms, t = redis.call('ZSCORE', KEYS[1], ARGV[1]), redis.call('TIME')
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ' last')
    return { tonumber(next_ms), t[1] * 1000 + math.floor(t[2] / 1000) }"""
    keys = operations.keys
    return Op(("EVAL", source, 2, keys.ticks, keys.schedules, name), lambda answer: (answer[0], answer[1]))
