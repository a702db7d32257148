"""Decides what to do about one child, given its state, what has happened, and the time.

Pure: no clock, no randomness, no process. `children/slot.py` brings the events and carries out the actions. Invariants:
a child that is not being stopped always has something that moves it on (a process that is judged, or a time to start
at); a crash loop never ends in giving up; only a failed start waits for an operator.

    waiting -> starting -> running -> draining -> ending -> killed
       ^          |           |          |          |         |
       +----------+-----------+----------+----------+---------+-- exit: waiting, failed, ended or stopped

Source: restart intensity of OTP, https://www.erlang.org/doc/system/sup_princ.html (OTP has no backoff; it is added).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from hero_process.exit_codes import NO_RESTART, ProcessExit, describe
from hero_supervisor.policy.child_state import ChildState, Phase, Restart, backoff_s
from hero_supervisor.policy.events import (
    Action,
    AskToDrain,
    Draining,
    Event,
    Exited,
    Heartbeat,
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

#: A process that asks to be replaced sooner than this after its start is a crash loop in disguise, and is counted.
MIN_LIFE_S = 1.0
#: A tick that comes later than this means that the supervisor slept (stopped, swapped out), not that its children did.
OWN_STALL_S = 1.0

Decision = tuple[ChildState, tuple[Action, ...]]


def decide(child: ChildState, event: Event, now: float) -> Decision:
    """Decide what follows from an event.

    Args:
        child: The child before the event.
        event: What has happened.
        now: Monotonic time in seconds.

    Returns:
        The child after the event, and the actions to carry out, in order.
    """
    match event:
        case Tick():
            return _tick(child, event, now)
        case Ready():
            return _ready(child, now)
        case Heartbeat():
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


def next_due(child: ChildState) -> float | None:
    """Say when the child needs a tick, so that it does not wait for the general one.

    Args:
        child: The child.

    Returns:
        Monotonic time in seconds, or None when only events move it on.
    """
    if child.due is not None:
        return child.due
    if child.phase is Phase.RUNNING and child.failures and child.ready is not None:
        return child.ready + child.limits.healthy_s
    return None


def _move(child: ChildState, phase: Phase, now: float, due: float | None = None) -> ChildState:
    return replace(child, phase=phase, since=now, due=due)


def _spawn(child: ChildState, now: float) -> Decision:
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


def _kill(child: ChildState, reason: str, now: float) -> Decision:
    return replace(_move(child, Phase.KILLED, now), kill_reason=reason), (Kill(reason),)


def _tick(child: ChildState, event: Tick, now: float) -> Decision:
    limits = child.limits
    if event.late_s > OWN_STALL_S:
        # Its heartbeats lie unread in the socket. Judging now would kill every child because the supervisor slept.
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


def _ready(child: ChildState, now: float) -> Decision:
    child = replace(child, heard=now, ready=now if child.ready is None else child.ready)
    return (_move(child, Phase.RUNNING, now) if child.phase is Phase.STARTING else child), ()


def _beat(child: ChildState, event: Heartbeat, now: float) -> Decision:
    if child.phase not in (Phase.STARTING, Phase.RUNNING, Phase.DRAINING):
        return child, ()
    up_since = None
    if event.store_up:
        up_since = now if child.store_up_since is None else child.store_up_since
    child = replace(child, heard=now, store_up_since=up_since)
    if (reason := _judge(child, event, now)) is not None:
        return _kill(child, reason, now)
    return child, ()


def _judge(child: ChildState, beat: Heartbeat, now: float) -> str | None:
    """Say what is wrong with a lane that will not move on by itself; None when all lanes are well."""
    limits = child.limits
    # The time that the store was away does not count against the lane.
    up_s = 0.0 if child.store_up_since is None else now - child.store_up_since
    for number, lane in enumerate(beat.lanes):
        overdue_s = lane.overdue_ms / 1000
        # An actor that drains because of a stuck job has settled that job, and lets its other lanes finish theirs.
        if overdue_s > limits.overdue_s and child.drain_reason != "stuck":
            return f"lane {number} is {overdue_s:.1f} s past its job's deadline"
        still_s = min(lane.for_ms / 1000, up_s)
        if lane.state in ("idle", "settling") and still_s > limits.stuck_s:
            return f"lane {number} has been {lane.state} for {still_s:.1f} s without moving"
    return None


def _draining(child: ChildState, event: Draining, now: float) -> Decision:
    child = replace(child, heard=now, drain_reason=event.reason)
    if child.phase not in (Phase.STARTING, Phase.RUNNING):
        return child, ()
    # No time limit: it ends when its jobs do, and each job has a timeout.
    return _move(child, Phase.DRAINING, now), (Report("child.draining", "info", event.reason),)


def _exited(child: ChildState, event: Exited, now: float) -> Decision:
    code = event.code
    how = "it could not be started" if code is None else describe(code)
    if child.kill_reason:
        how = f"killed: {child.kill_reason}"
    if child.stopping:
        return _move(child, Phase.STOPPED, now), (Report("child.stopped", "info", how),)
    if event.refused:
        return _move(child, Phase.FAILED, now), (Report("child.boot_failed", "error", event.refused),)
    # In a third-party program these codes may mean anything.
    if child.control and code in NO_RESTART and not child.kill_reason:
        return _move(child, Phase.FAILED, now), (Report("child.boot_failed", "error", how),)
    if _is_end(child, code):
        return _move(child, Phase.ENDED, now), (Report("child.done", "info", how),)
    if child.control and code == ProcessExit.REPLACE and child.ready is not None and now - child.started >= MIN_LIFE_S:
        waiting = _move(child, Phase.WAITING, now, now)
        return waiting, (Report("child.replaced", "info", child.drain_reason or how, 0.0),)
    return _crashed(child, how, event.roll, now)


def _is_end(child: ChildState, code: int | None) -> bool:
    """Whether the restart rule makes this exit the child's last."""
    restart = child.limits.restart
    orderly = code == ProcessExit.OK and not child.kill_reason
    return restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and orderly)


def _crashed(child: ChildState, how: str, roll: float, now: float) -> Decision:
    limits = child.limits
    restarts = (*(time for time in child.restarts if now - time < limits.window_s), now)
    held = child.held or len(restarts) > limits.max_restarts
    failures = child.failures + 1
    pause_s = backoff_s(limits, failures, held=held, roll=roll)
    reports = [Report("child.ended", "warning", how, pause_s)]
    if held and not child.held:
        often = f"{len(restarts)} restarts within {limits.window_s:g} s"
        reports.append(Report("child.held", "error", f"{often}; it is tried again every {limits.backoff_max_s:g} s"))
    waiting = _move(child, Phase.WAITING, now, now + pause_s)
    # Older times cannot matter any more. Keeping them would let a crash loop grow this tuple without bound.
    kept = restarts[-(limits.max_restarts + 1) :]
    return replace(waiting, failures=failures, restarts=kept, held=held), tuple(reports)


def _stop(child: ChildState, event: Stop, now: float) -> Decision:
    if child.phase in (Phase.WAITING, Phase.FAILED, Phase.ENDED):
        return replace(_move(child, Phase.STOPPED, now), stopping=True), ()
    if child.phase in (Phase.KILLED, Phase.STOPPED):
        return replace(child, stopping=True), ()
    if event.now:
        return _kill(replace(child, stopping=True), "there was no time to drain", now)
    # A child without heartbeats cannot be judged while it drains, so it always gets a deadline.
    due = None if event.patient and child.control else now + child.limits.shutdown_s
    if child.stopping:
        hurried = child.phase is Phase.DRAINING and child.due is None and due is not None
        return (replace(child, due=due) if hurried else child), ()
    return _move(replace(child, stopping=True), Phase.DRAINING, now, due), (AskToDrain(),)
