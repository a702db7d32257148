"""The objects that travel as results about actor processes, as types, and the functions that build them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.fields.routing import ScriptType
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.fleet import fleet as fleets
from hero_supervisor.fleet.fleet import FleetChanges
from hero_supervisor.process.child_log import ActorLine
from hero_supervisor.rpc.methods import shapes
from hero_supervisor.rpc.methods.view import view_of


class SlotView(TypedDict):
    """A process that this supervisor keeps running; ``role`` is "owner", or its part in a rolling restart."""

    slot: str
    entry: str
    phase: str
    role: str
    pid: int | None
    incarnation: str
    restarts: int
    held: bool
    holds: int
    starts_in_s: float | None
    waits_for: list[str]
    last_exit: str
    for_s: float
    busy: int
    jobs: int
    rss_bytes: int
    unavailable: str | None


class ListedActor(shapes.ActorView):
    """An actor; ``supervised`` has what this supervisor knows of it, null if another one supervises it."""

    supervised: SlotView | None


class FunctionView(TypedDict):
    """A function for scripts; ``allowed_by`` is the setting that allows it, null if it needs none."""

    name: str
    family: str
    signature: str
    summary: str
    example: str
    blocks: bool
    action: str | None
    allowed: bool
    allowed_by: str | None


class ScalingView(TypedDict):
    """The load of an entry that scales automatically: expected wait, use of lanes, reason of the last change."""

    wait_s: float
    use: float
    reason: str


class ActorEntryView(TypedDict):
    """An entry of the config: its processes and how many it should have; ``max`` is 0 if it does not scale itself."""

    name: str
    script_type: str
    group: str | None
    count: int
    min: int
    max: int
    restart: str
    strategy: str
    scaling: ScalingView | None
    slots: list[SlotView]


class ActorLineView(TypedDict):
    """One line that a process of a slot has written; ``number`` counts the lines of the slot."""

    number: int
    at: str
    incarnation: str
    level: str
    text: str


class ActorLog(TypedDict):
    """The newest lines of a slot, oldest first, and the cursor to continue with."""

    lines: list[ActorLineView]
    cursor: int


class Rolled(TypedDict):
    """The slots that have a new process; ``done`` is false if the restart still goes on."""

    done: bool
    replaced: list[str]


class Reloaded(TypedDict):
    """The entries that a reload has changed, and the settings that take effect only after a restart of the service."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    scaled: list[str]
    needs_restart: list[str]
    rolled: Rolled


def slot_view(child: ChildView) -> SlotView:
    """Build the view of a slot."""
    return view_of(
        SlotView,
        child,
        phase=child.phase.value,
        starts_in_s=None if child.starts_in_s is None else round(child.starts_in_s, 3),
        waits_for=list(child.waits_for),
        for_s=round(child.for_s, 3),
        unavailable=child.unavailable or None,
    )


def log_view(lines: Sequence[ActorLine], after: int) -> ActorLog:
    """Build the view of lines of a slot.

    Args:
        lines: Oldest first.
        after: Number that they were read after.
    """
    views = [view_of(ActorLineView, line) for line in lines]
    return {"lines": views, "cursor": lines[-1].number if lines else after}


def absent_view(child: ChildView) -> ListedActor:
    """Build the view of a slot that has not joined: it does not run, is starting, or cannot reach the store."""
    return {
        "incarnation": child.incarnation,
        "name": child.slot,
        "script_type": ScriptType.parse(child.script_type).value,
        "host": fleets.node_name(),
        "pid": child.pid,
        "lanes": child.lanes,
        "busy": child.busy,
        "jobs": child.jobs,
        "engine": "",
        "engine_version": "",
        "group": None,
        "instance": None,
        "started_at": None,
        "beat_at": None,
        "unavailable": None,
        "supervised": slot_view(child),
    }


def entry_view(entry: fleets.EntryView) -> ActorEntryView:
    """Build the view of an entry."""
    spec, scaling = entry.spec, entry.scaling
    return {
        "name": spec.name,
        "script_type": spec.script_type,
        "group": spec.group or None,
        "count": spec.count,
        "min": spec.scale_min,
        "max": spec.scale_max,
        "restart": spec.limits.restart.value,
        "strategy": spec.strategy.value,
        "scaling": None
        if scaling is None
        else {"wait_s": round(scaling.wait_s, 3), "use": round(scaling.use, 3), "reason": scaling.reason},
        "slots": [slot_view(child) for child in entry.slots],
    }


def reloaded_view(changes: FleetChanges, rolled: Rolled) -> Reloaded:
    """Build the view of a reload."""
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "changed": list(changes.changed),
        "scaled": list(changes.scaled),
        "needs_restart": list(changes.needs_restart),
        "rolled": rolled,
    }
