"""One slot as the RPC, the fleet and the service's status see it: snapshots, plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hero_supervisor.policy.child_state import Phase


class SlotPhase(NamedTuple):
    """What every tick wants to know of each slot: its name, its phase, and why its engine can run nothing."""

    slot: str
    phase: Phase
    unavailable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildView:
    """One slot at one moment.

    Attributes:
        slot: Its name: `osis-1`.
        entry: Name of the `[[actors]]` entry that it belongs to.
        script_type: Script type that it serves.
        phase: Where it is in its life.
        role: `owner`; in a rolling restart also `successor` (the new process) or `retiring` (the old one).
        pid: Process id; None without a process.
        incarnation: Its name in Redis at the last start; empty before the first.
        restarts: Starts after the first.
        held: It restarted too often, and is started at the longest pause only.
        holds: How often it was held.
        starts_in_s: Seconds until the next start; None when none is due.
        waits_for: Slots that must be ready, or gone, before it starts.
        last_exit: How the last process ended, in words; empty before.
        for_s: Seconds since the phase last changed.
        lanes: Number of lanes that it has reported.
        busy: Lanes that run a job.
        jobs: Jobs that this process has run.
        rss_bytes: Its resident memory, as last reported.
        unavailable: Why its engine can run nothing, and what to do; empty when it can.
    """

    slot: str
    entry: str
    script_type: str
    phase: Phase
    role: str
    pid: int | None
    incarnation: str
    restarts: int
    held: bool
    holds: int
    starts_in_s: float | None
    waits_for: tuple[str, ...]
    last_exit: str
    for_s: float
    lanes: int
    busy: int
    jobs: int
    rss_bytes: int
    unavailable: str = ""
