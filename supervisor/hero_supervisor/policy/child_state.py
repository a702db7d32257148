"""What the policy knows about one child, and the limits that it is held to.

Owned here: the phases of a child, its restart rule, and the pause before a restart. `decide.py` alone makes new states;
slots hold them, and `rolling.py` and the RPC read the phase. `store/watch.py` uses the pause for the store's server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"
    """There is no process. One is started when its time has come."""
    STARTING = "starting"
    """The process has not said that it is ready."""
    RUNNING = "running"
    """Ready: it has joined in Redis, its engine is loaded, and its lanes wait for jobs."""
    DRAINING = "draining"
    """It takes no more jobs and finishes those it has. Either side may have asked for that."""
    ENDING = "ending"
    """Its time to drain is over, and it was told to end."""
    KILLED = "killed"
    """It was killed, and its end has not been seen yet."""
    FAILED = "failed"
    """It cannot start (wrong config, missing engine). It stays so until an operator changes that."""
    ENDED = "ended"
    """It ended by itself, and its restart rule allows that."""
    STOPPED = "stopped"
    """It ended on request."""


class Restart(StrEnum):
    """After which ends a child is started again."""

    PERMANENT = "permanent"
    """After every end."""
    TRANSIENT = "transient"
    """After every end except exit 0."""
    TEMPORARY = "temporary"
    """After none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartLimits:
    """How patient the policy is with a child. Times are in seconds.

    Attributes:
        restart: After which ends it is started again.
        max_restarts: Restarts within `window_s` after which the child is held.
        window_s: Time in which restarts are counted.
        backoff_min_s: Pause before the second restart in a row. The first is immediate; each further one doubles it.
        backoff_max_s: Longest pause, and the pause while the child is held.
        healthy_s: After being ready for this long, the next crash counts as a first one again.
        boot_s: Time that a start may take without a sign of life. It is long because a cold disk is slow.
        beat_s: Time without a heartbeat after which the process counts as hanging. Heartbeats come every second, those
            of an idle actor every two.
        overdue_s: Time past its deadline that a job may hold a lane.
        stuck_s: Time that a lane may neither run nor move while its store is up. Lanes move every second.
        shutdown_s: Time to drain on request.
        term_s: Time between being told to end and being killed.
    """

    restart: Restart = Restart.PERMANENT
    max_restarts: int = 10
    window_s: float = 60.0
    backoff_min_s: float = 0.2
    backoff_max_s: float = 30.0
    healthy_s: float = 5.0
    boot_s: float = 30.0
    beat_s: float = 5.0
    overdue_s: float = 5.0
    stuck_s: float = 10.0
    shutdown_s: float = 10.0
    term_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildState:
    """A child as the policy sees it. Times are readings of the monotonic clock, in seconds.

    Attributes:
        limits: The limits that it is held to.
        control: Whether it speaks the control protocol.
        phase: Where it is in its life.
        due: When the phase ends by itself, in a start, a TERM or a KILL; None when it does not.
        since: When the phase last changed.
        started: When the process was last started.
        ready: When this process became ready; None before.
        heard: When it last showed a sign of life.
        store_up_since: Since when its heartbeats say that the store is up; None while it is away.
        drain_reason: Why it drains, in its own words; empty otherwise.
        stopping: It was asked to stop and will not be started again.
        failures: Crashes in a row, without a healthy time between.
        restarts: When the restarts within the window were.
        held: It restarted too often, and is started at the longest pause only.
        kill_reason: Why it was killed; empty otherwise.
    """

    limits: RestartLimits = field(default_factory=RestartLimits)
    control: bool = True
    phase: Phase = Phase.WAITING
    due: float | None = None
    since: float = 0.0
    started: float = 0.0
    ready: float | None = None
    heard: float = 0.0
    store_up_since: float | None = None
    drain_reason: str = ""
    stopping: bool = False
    failures: int = 0
    restarts: tuple[float, ...] = ()
    held: bool = False
    kill_reason: str = ""

    @property
    def settled(self) -> bool:
        """Whether its start has a result: it is ready, cannot start, has ended, or has crashed more than once."""
        return self.phase in (Phase.RUNNING, Phase.FAILED, Phase.ENDED, Phase.STOPPED) or self.failures > 1


def backoff_s(limits: RestartLimits, failures: int, *, held: bool, roll: float) -> float:
    """Compute the pause before a restart.

    Args:
        limits: The limits of the child.
        failures: Crashes in a row, from 1.
        held: Whether it restarts too often.
        roll: A chance in [0, 1). It decides half of the pause, so that children that fell together do not all start at
            the same moment.

    Returns:
        Seconds: 0 for a first crash, `backoff_max_s` at most.
    """
    if failures <= 1 and not held:
        return 0.0
    doublings = min(failures - 2, 60)
    pause_s = limits.backoff_max_s if held else min(limits.backoff_max_s, limits.backoff_min_s * 2.0**doublings)
    return pause_s * (0.5 + 0.5 * roll)
