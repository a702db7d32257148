"""What supervisors do about a clock of the store that was set, as data; no I/O.

`DueJobs` of each supervisor calls `ClockWatch.look` about twice a second, `heroctl doctor` reads `last_step`.
Invariants: a step is recorded once in the store; a supervisor judges the store's time by a clock that is never set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hero_job.operations.schedules import Schedule
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op

#: A difference of this many ms counts as a step. A slow answer may differ by less.
STEP_MS = 1000
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLook:
    """What one look has found.

    Attributes:
        step_ms: By how much the clock was set, if this look has recorded it; below zero if back.
        backs: How often it was set back, in all.
        behind_until_ms: Latest time that was seen before it was set back: ticks up to it may come a second time.
        schedules_due: It was set back, and the schedules have not been moved yet.
        left: Delayed jobs that are yet to be moved.
    """

    step_ms: int = 0
    backs: int = 0
    behind_until_ms: int = 0
    schedules_due: bool = False
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The last step of the store's clock.

    Attributes:
        step_ms: By how much it was set.
        at: When, by the clock after the step; ISO 8601.
        steps: How often it was set, in all.
    """

    step_ms: int
    at: str
    steps: int


class ClockWatch:
    """Builds the looks of one supervisor; it remembers the last one.

    Args:
        namespace: Prefix of all keys.
        elapsed_s: A clock that is never set and goes on while the machine is suspended, in seconds.
    """

    def __init__(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        elapsed_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._keys = Keys(namespace)
        self._elapsed_s = elapsed_s
        # The store's time and the number of steps at the last look, and when that was by our clock.
        self._seen: tuple[int, int, float] | None = None

    def look(self) -> Op[ClockLook]:
        """Compare the store's clock with ours, and move what waits if the store's was set back."""
        keys, asked_s = self._keys, self._elapsed_s()
        seen_ms, steps, seen_s = self._seen if self._seen is not None else ("", "", 0.0)
        elapsed_ms: int | str = "" if self._seen is None else round((asked_s - seen_s) * 1000)

        def decode(answer: list[int]) -> ClockLook:
            now_ms, steps, step_ms, backs, behind_until_ms, rescheduled, left = answer
            # The server has answered at some time between the two.
            self._seen = (now_ms, steps, (asked_s + self._elapsed_s()) / 2)
            return ClockLook(
                step_ms=step_ms,
                backs=backs,
                behind_until_ms=behind_until_ms,
                schedules_due=rescheduled < backs,
                left=left,
            )

        args: list[Any] = [keys.clock, keys.scheduled, keys.moving_scheduled, keys.expiring, keys.moving_expiring]
        args += (keys.actors, keys.prefix, seen_ms, elapsed_ms, steps, STEP_MS, _PAGE)
        return Op(args, decode, lua.CLOCK, 6)

    def reschedule(self, schedule: Schedule, now_ms: int) -> Op[object]:
        """Have the next tick of a schedule come after the present time, if it would come later than that.

        Args:
            schedule: The schedule.
            now_ms: The store's time, in milliseconds since 1970.
        """
        tick = next(schedule.ticks_after(now_ms / 1000), None)
        if tick is None:
            return Op(("ZSCORE", self._keys.ticks, schedule.name), lambda answer: answer)
        return Op(("ZADD", self._keys.ticks, "XX", "LT", tick, schedule.name), lambda answer: answer)

    def rescheduled(self, backs: int) -> Op[object]:
        """Note that the schedules were moved after so many steps back."""
        return Op(("HSET", self._keys.clock, "rescheduled", backs), lambda answer: answer)

    def last_step(self) -> Op[ClockStep | None]:
        """Read when the clock was set last; None if it never was."""

        def decode(answer: list[str | None]) -> ClockStep | None:
            step_ms, at, steps = answer
            return None if not step_ms or not at else ClockStep(step_ms=int(step_ms), at=at, steps=int(steps or 1))

        return Op(("HMGET", self._keys.clock, "step_ms", "step_at", "steps"), decode)
