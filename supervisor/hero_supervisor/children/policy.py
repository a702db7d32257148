"""Decides what to do about one child: given what it is in, what has happened and what time it is.

Pure: no clock, no randomness, no process. `supervise.py` brings the events and carries out the actions. The
invariants: a child that is not being stopped always has something that will move it on (a process that is judged, or a
time to start at); a crash loop never ends in giving up; only a boot failure waits for a human.

    waiting -> starting -> running -> draining -> ending -> killed
       ^          |           |          |          |         |
       +----------+-----------+----------+----------+---------+-- exit: waiting, failed, ended or stopped

Source: restart intensity of OTP, https://www.erlang.org/doc/system/sup_princ.html (no backoff there; it is added).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from hero_supervisor.children.exits import BOOT_FAILURES, Exit, describe
from hero_supervisor.children.policy_events import (
    Action,
    Beat,
    Drain,
    Draining,
    Event,
    Exited,
    Kill,
    Ready,
    Report,
    Silent,
    Spawn,
    Start,
    Stop,
    Terminate,
    Tick,
)

#: A process that asks to be replaced sooner than this after its start is a crash loop in disguise, and counted.
MIN_LIFE_S = 1.0
#: A tick that comes later than this says that this process slept (stopped, swapped out), not that its children did.
OWN_STALL_S = 1.0


class Phase(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"
    """No process; it is started when its time has come."""
    STARTING = "starting"
    """A process that has not said that it is ready."""
    RUNNING = "running"
    """Ready: joined in Redis, engine loaded, lanes waiting for jobs."""
    DRAINING = "draining"
    """It takes no more jobs and finishes those it has, on its own wish or ours."""
    ENDING = "ending"
    """Its time to drain is over and it was told to end."""
    KILLED = "killed"
    """It was killed; its end has not been seen yet."""
    FAILED = "failed"
    """It cannot start (wrong config, missing engine). It stays so until somebody changes that."""
    ENDED = "ended"
    """Ended by itself, and its restart rule says that this is how it should be."""
    STOPPED = "stopped"
    """Ended on request."""


class Restart(StrEnum):
    """After which ends a child is started again."""

    PERMANENT = "permanent"
    """After every end."""
    TRANSIENT = "transient"
    """After every end but an orderly one, exit 0."""
    TEMPORARY = "temporary"
    """After none."""


#: Phases with a process.
ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.DRAINING, Phase.ENDING, Phase.KILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of the policy, all in seconds but the counts.

    Attributes:
        restart: After which ends it is started again.
        max_restarts: Restarts in `window_s` after which the child is held.
        window_s: Time in which restarts are counted.
        backoff_min_s: Pause before the second restart in a row; the first is immediate, each further one doubles it.
        backoff_max_s: Longest pause, and the pause while held.
        healthy_s: Time ready after which the next crash is a first one again.
        boot_s: Time a start may take without a sign of life. Long: a cold disk is no reason to kill.
        beat_s: Time without a beat after which the process hangs. Beats come every second.
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
class Child:
    """A child as the policy sees it.

    Attributes:
        limits: The numbers for it.
        control: Whether it speaks the control protocol.
        phase: Where it is in its life.
        due: Monotonic time at which the phase ends by itself: to start, to end, to kill. None when it has no such end.
        since: Monotonic time of the last change of the phase.
        started: Monotonic time of the last start.
        ready: Monotonic time at which this process became ready; None before.
        heard: Monotonic time of its last sign of life.
        store_up_since: Monotonic time since which its beats say that its store is up; None while it is away.
        drain_reason: Why it drains, in its own words; empty otherwise.
        stopping: It was asked to stop, and will not be started again.
        failures: Crashes in a row without a healthy time between.
        restarts: Monotonic times of the counted restarts within the window.
        held: It restarted too often and is started at the longest pause only.
        kill_reason: Why it was killed; empty otherwise.
    """

    limits: Limits = field(default_factory=Limits)
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
        """Whether its start has come to a result: it is ready, cannot start, has ended, or crashed more than once."""
        return self.phase in (Phase.RUNNING, Phase.FAILED, Phase.ENDED, Phase.STOPPED) or self.failures > 1


Decision = tuple[Child, tuple[Action, ...]]


def decide(child: Child, event: Event, now: float) -> Decision:
    """Decide what follows from an event.

    Args:
        child: The child before the event.
        event: What has happened.
        now: Monotonic time in seconds.

    Returns:
        The child after it, and what to do, in this order.
    """
    match event:
        case Tick():
            return _tick(child, event, now)
        case Ready():
            return _ready(child, now)
        case Beat():
            return _beat(child, event, now)
        case Draining():
            return _draining(child, event, now)
        case Exited():
            return _exited(child, event, now)
        case Silent(reason):
            return _kill(child, reason, now) if child.phase is Phase.RUNNING else (child, ())
        case Stop():
            return _stop(child, event, now)
        case Start():
            return _spawn(child, now) if child.phase in (Phase.WAITING, Phase.FAILED, Phase.ENDED) else (child, ())
        case _:
            assert_never(event)


def next_due(child: Child) -> float | None:
    """When to tick next, so that nothing waits for the general tick.

    Args:
        child: The child.

    Returns:
        Monotonic time, or None when only events move it on.
    """
    if child.due is not None:
        return child.due
    if child.phase is Phase.RUNNING and child.failures and child.ready is not None:
        return child.ready + child.limits.healthy_s
    return None


def backoff_s(limits: Limits, failures: int, *, held: bool, roll: float) -> float:
    """The pause before a restart.

    Args:
        limits: The numbers for the child.
        failures: Crashes in a row, from 1.
        held: Whether it restarts too often.
        roll: A chance in [0, 1). Half of the pause is left to it, so that what fell together does not rise together.

    Returns:
        Seconds: 0 for a first crash, `backoff_max_s` at most.
    """
    if failures <= 1 and not held:
        return 0.0
    doublings = min(failures - 2, 60)
    pause_s = limits.backoff_max_s if held else min(limits.backoff_max_s, limits.backoff_min_s * 2.0**doublings)
    return pause_s * (0.5 + 0.5 * roll)


def _move(child: Child, phase: Phase, now: float, due: float | None = None) -> Child:
    return replace(child, phase=phase, since=now, due=due)


def _spawn(child: Child, now: float) -> Decision:
    phase = Phase.STARTING if child.control else Phase.RUNNING
    started = replace(
        _move(child, phase, now),
        started=now,
        ready=None if child.control else now,
        heard=now,
        store_up_since=None,
        drain_reason="",
        kill_reason="",
    )
    return started, (Spawn(),)


def _kill(child: Child, reason: str, now: float) -> Decision:
    return replace(_move(child, Phase.KILLED, now), kill_reason=reason), (Kill(reason),)


def _tick(child: Child, event: Tick, now: float) -> Decision:
    limits = child.limits
    if event.late_s > OWN_STALL_S:
        # Its beats lie unread in the socket. Judging now would kill everybody for our own sleep.
        child = replace(child, heard=max(child.heard, now))
    due = child.due is not None and now >= child.due
    match child.phase:
        case Phase.WAITING if due or child.due is None:
            return _spawn(child, now)
        case Phase.DRAINING if due:
            return _move(child, Phase.ENDING, now, now + limits.term_s), (Terminate(),)
        case Phase.ENDING if due:
            return _kill(child, f"did not end within {limits.shutdown_s + limits.term_s:g} s", now)
        case Phase.STARTING | Phase.RUNNING | Phase.DRAINING if child.control:
            silent_s = now - child.heard
            limit_s = limits.boot_s if child.phase is Phase.STARTING else limits.beat_s
            if silent_s > limit_s:
                return _kill(child, f"no beat for {silent_s:.1f} s", now)
    healthy = child.phase is Phase.RUNNING and child.ready is not None and now - child.ready >= limits.healthy_s
    if healthy and child.failures:
        reports = (Report("child.recovered", "info"),) if child.held else ()
        return replace(child, failures=0, held=False), reports
    return child, ()


def _ready(child: Child, now: float) -> Decision:
    child = replace(child, heard=now, ready=now if child.ready is None else child.ready)
    return (_move(child, Phase.RUNNING, now) if child.phase is Phase.STARTING else child), ()


def _beat(child: Child, event: Beat, now: float) -> Decision:
    if child.phase not in (Phase.STARTING, Phase.RUNNING, Phase.DRAINING):
        return child, ()
    up_since = None
    if event.store_up:
        up_since = now if child.store_up_since is None else child.store_up_since
    child = replace(child, heard=now, store_up_since=up_since)
    if (reason := _judge(child, event, now)) is not None:
        return _kill(child, reason, now)
    return child, ()


def _judge(child: Child, beat: Beat, now: float) -> str | None:
    """Find a lane that will not move on by itself, and say what is wrong with it."""
    limits = child.limits
    # A store that has just come back excuses the time it was away.
    up_s = 0.0 if child.store_up_since is None else now - child.store_up_since
    for number, lane in enumerate(beat.lanes):
        overdue_s = lane.overdue_ms / 1000
        # An actor that drains because of a stuck job has settled it, and only lets its other lanes finish theirs.
        if overdue_s > limits.overdue_s and child.drain_reason != "stuck":
            return f"lane {number} is {overdue_s:.1f} s past its job's deadline"
        still_s = min(lane.for_ms / 1000, up_s)
        if lane.state in ("idle", "settling") and still_s > limits.stuck_s:
            return f"lane {number} has been {lane.state} for {still_s:.1f} s without moving"
    return None


def _draining(child: Child, event: Draining, now: float) -> Decision:
    child = replace(child, heard=now, drain_reason=event.reason)
    if child.phase not in (Phase.STARTING, Phase.RUNNING):
        return child, ()
    # No limit of time: it ends when its jobs do, each of which has its own.
    return _move(child, Phase.DRAINING, now), (Report("child.draining", "info", event.reason),)


def _exited(child: Child, event: Exited, now: float) -> Decision:
    code = event.code
    how = "it could not be started" if code is None else describe(code)
    if child.kill_reason:
        how = f"killed: {child.kill_reason}"
    if child.stopping:
        return _move(child, Phase.STOPPED, now), (Report("child.stopped", "info", how),)
    if event.refused:
        return _move(child, Phase.FAILED, now), (Report("child.boot_failed", "error", event.refused),)
    # Of a foreign program these codes mean what its makers mean by them.
    if child.control and code in BOOT_FAILURES and not child.kill_reason:
        return _move(child, Phase.FAILED, now), (Report("child.boot_failed", "error", how),)
    if _is_end(child, code):
        return _move(child, Phase.ENDED, now), (Report("child.done", "info", how),)
    if child.control and code == Exit.REPLACE and child.ready is not None and now - child.started >= MIN_LIFE_S:
        waiting = _move(child, Phase.WAITING, now, now)
        return waiting, (Report("child.replaced", "info", child.drain_reason or how, 0.0),)
    return _crashed(child, how, event.roll, now)


def _is_end(child: Child, code: int | None) -> bool:
    """Whether this exit is the end of a child by its restart rule."""
    restart = child.limits.restart
    orderly = code == Exit.OK and not child.kill_reason
    return restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and orderly)


def _crashed(child: Child, how: str, roll: float, now: float) -> Decision:
    limits = child.limits
    restarts = (*(time for time in child.restarts if now - time < limits.window_s), now)
    held = child.held or len(restarts) > limits.max_restarts
    failures = child.failures + 1
    pause_s = backoff_s(limits, failures, held=held, roll=roll)
    reports = [Report("child.ended", "warning", how, pause_s)]
    if held and not child.held:
        why = (
            f"{len(restarts)} restarts within {limits.window_s:g} s; it is tried again every {limits.backoff_max_s:g} s"
        )
        reports.append(Report("child.held", "error", why))
    waiting = _move(child, Phase.WAITING, now, now + pause_s)
    # No more times than can matter: a loop at the cap must not grow this without end.
    return replace(waiting, failures=failures, restarts=restarts[-(limits.max_restarts + 1) :], held=held), tuple(
        reports
    )


def _stop(child: Child, event: Stop, now: float) -> Decision:
    if child.phase in (Phase.WAITING, Phase.FAILED, Phase.ENDED):
        return replace(_move(child, Phase.STOPPED, now), stopping=True), ()
    if child.phase in (Phase.KILLED, Phase.STOPPED):
        return replace(child, stopping=True), ()
    if event.now:
        return _kill(replace(child, stopping=True), "there was no time to drain", now)
    # One without beats cannot be judged while it drains: it gets a time.
    due = None if event.patient and child.control else now + child.limits.shutdown_s
    if child.stopping:
        hurried = child.phase is Phase.DRAINING and child.due is None and due is not None
        return (replace(child, due=due) if hurried else child), ()
    return _move(replace(child, stopping=True), Phase.DRAINING, now, due), (Drain(),)
