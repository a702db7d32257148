"""Decides when the main thread reports to the supervisor: every second, or every two while there is no news.

A report of an idle actor says no more than that it is alive, and many idle actors cost their supervisor most of its
time. The main thread asks for the next time. The beat, which wakes once a second anyway, wakes the main thread when
there is news, so the supervisor learns it as soon as before. Invariant: what is not as idle as the supervisor was
told, or may be wrong, is reported every second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from hero_actor.conditions.shutdown_flags import ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.lane import LaneState

#: Time between two reports, in seconds.
REPORT_S = 1.0
#: The same without news. A supervisor takes an actor that is silent for 5 s for one that hangs.
QUIET_REPORT_S = 2.0
#: An idle lane moves every second. One that has not for so long may hang.
_STILL_S = 2.0


class ReportedLane(Protocol):
    """What is looked at of a lane."""

    state: LaneState
    since_mono: float
    jobs: int


class ReportPace:
    """When the next report is due. Used by the main thread, except for `wake_if_news`.

    Args:
        lanes: All lanes of the actor.
        shutdown: Wakes the main thread.
        outage: Says whether the store is away.
    """

    __slots__ = ("_asleep", "_lanes", "_outage", "_reported_mono", "_shutdown", "_told_idle", "_told_jobs")

    def __init__(self, lanes: Sequence[ReportedLane], shutdown: ShutdownFlags, outage: StoreOutage) -> None:
        self._lanes = lanes
        self._shutdown = shutdown
        self._outage = outage
        self._reported_mono = -REPORT_S
        self._told_idle = False
        self._told_jobs = 0
        self._asleep = False

    def due_s(self, now_mono: float) -> float:
        """Return the time until the next report, in seconds; 0 or less when it is due."""
        every_s = QUIET_REPORT_S if self._is_quiet(now_mono) else REPORT_S
        return self._reported_mono + every_s - now_mono

    def reported(self, now_mono: float) -> None:
        """Note that a report was sent."""
        self._reported_mono = now_mono
        self._told_jobs = self._jobs
        self._told_idle = self._is_idle(now_mono)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Have the main thread woken by news, as long as it sleeps."""
        self._asleep = True
        try:
            yield
        finally:
            self._asleep = False

    def wake_if_news(self) -> None:
        """Wake the main thread if it sleeps longer than it should now. Called by the beat, once a second."""
        if self._asleep and self._told_idle and not self._is_quiet(time.monotonic()):
            self._shutdown.wake()

    @property
    def _jobs(self) -> int:
        return sum(lane.jobs for lane in self._lanes)

    def _is_quiet(self, now_mono: float) -> bool:
        return self._told_idle and self._jobs == self._told_jobs and self._is_idle(now_mono)

    def _is_idle(self, now_mono: float) -> bool:
        return not self._outage.active and all(
            lane.state is LaneState.SPARE or (lane.state is LaneState.IDLE and now_mono - lane.since_mono < _STILL_S)
            for lane in self._lanes
        )
