"""What supervisors do about a clock of the store that was set, as data; no I/O.

`DueJobs` of each supervisor calls `ClockWatch.look` about twice a second, `heroctl doctor` reads `last_step`.
Invariants: a step is recorded once in the store; a supervisor judges the store's time by a clock that is never set; a
question or an answer that takes long is no step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from hero_job.operations.schedules import Schedule
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op

#: A difference of this many ms counts as a step. Two clocks that nobody sets differ by less.
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


class _Seen(NamedTuple):
    """The last look: the store's time and number of steps, and when it was asked and answered by our clock."""

    now_ms: int
    steps: int
    asked_s: float
    answered_s: float
    forward_ms: int
    """By how much the clock had been set forward; the next look records it."""


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
        self._seen: _Seen | None = None

    def look(self) -> Op[ClockLook]:
        """Compare the store's clock with ours, and move what waits if the store's was set back."""
        keys, asked_s, seen = self._keys, self._elapsed_s(), self._seen

        def decode(answer: list[int]) -> ClockLook:
            now_ms, steps, step_ms, backs, behind_until_ms, rescheduled, left, last_ms = answer
            answered_s, forward_ms = self._elapsed_s(), 0
            if seen is not None and seen.steps == steps:
                latest_ms = seen.now_ms + round((answered_s - seen.asked_s) * 1000)
                # If others have seen the time between, this process was frozen together with its clock.
                if now_ms - latest_ms >= STEP_MS and last_ms - latest_ms < STEP_MS:
                    forward_ms = now_ms - latest_ms
            self._seen = _Seen(now_ms, steps, asked_s, answered_s, forward_ms)
            return ClockLook(
                step_ms=step_ms,
                backs=backs,
                behind_until_ms=behind_until_ms,
                schedules_due=rescheduled < backs,
                left=left,
            )

        args: list[Any] = [keys.clock, keys.scheduled, keys.moving_scheduled, keys.expiring, keys.moving_expiring]
        args += (keys.actors, keys.prefix)
        if seen is None:
            args += ("", "", "", STEP_MS, _PAGE, 0)
        else:
            least_ms = round((asked_s - seen.answered_s) * 1000)
            args += (seen.now_ms, least_ms, seen.steps, STEP_MS, _PAGE, seen.forward_ms)
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
