"""What can happen to a child, and what can be done about it: the vocabulary between a slot and the policy.

Plain data without logic. `children/slot.py` makes the events and carries out the actions; `decide.py` turns an event
into actions.
"""

from __future__ import annotations

from dataclasses import dataclass

# Events


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. `late_s` says how much later than planned the tick came."""

    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The process says that it takes jobs."""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """One lane in a heartbeat: its state, for how long it has been in it, and how far its job is past its deadline."""

    state: str
    for_ms: int
    overdue_ms: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The process is alive, and says what its lanes do and whether it reaches the store."""

    lanes: tuple[LaneReport, ...] = ()
    store_up: bool = True


@dataclass(frozen=True, slots=True)
class Draining:
    """The process says that it takes no more jobs, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended, or could not be started (`code` is None). `roll` in [0, 1) is the chance for the jitter.

    `refused` says which of its settings kept it from being started; another try would fail in the same way.
    """

    code: int | None
    roll: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Silent:
    """It was asked to run an empty job and has not answered. `reason` says more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The child is no longer wanted.

    With `now` it gets no time to drain. With `patient` it gets as long as its jobs take, each of which has a timeout.
    """

    now: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """An operator wants it to start now: this ends a pause, and starts a child that failed to start or has ended."""


Event = Tick | Ready | Heartbeat | Draining | Exited | Silent | Stop | Start

# Actions


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process."""


@dataclass(frozen=True, slots=True)
class AskToDrain:
    """Ask the process to finish its jobs and end."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Tell the process to end."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill the process and its group."""

    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Write a line to the log: what happened, its level, why, and how long until the next start."""

    what: str
    level: str
    reason: str = ""
    pause_s: float | None = None


Action = Spawn | AskToDrain | Terminate | Kill | Report
