"""Children in some phase, and what the policy does about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hero_supervisor.policy.child_state import ChildState, Phase, RestartLimits
from hero_supervisor.policy.decide import decide
from hero_supervisor.policy.events import (
    Event,
    Report,
)

LIMITS = RestartLimits(max_restarts=3, window_s=60, backoff_min_s=1, backoff_max_s=30)


def child_in(phase: Phase, **changes: Any) -> ChildState:
    """A child that has just entered a phase, and has been ready for a moment."""
    child = ChildState(limits=LIMITS, phase=phase, since=100.0, started=100.0, ready=100.0, heard=100.0)
    return replace(child, **changes)


def after(child: ChildState, *events: Event, now: float = 100.0) -> tuple[ChildState, list[object]]:
    """The child after some simultaneous events, and all actions but the reports."""
    done: list[object] = []
    for event in events:
        child, actions = decide(child, event, now)
        done += [action for action in actions if not isinstance(action, Report)]
    return child, done


def reports(child: ChildState, event: Event, now: float = 100.0) -> list[str]:
    return [action.what for action in decide(child, event, now)[1] if isinstance(action, Report)]
