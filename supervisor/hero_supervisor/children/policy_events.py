"""What can happen to a child, and what can be done about it: the words between the supervise loop and the policy.

Plain data, no logic. `supervise.py` makes the events and carries out the actions; `policy.py` turns one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass


# Events
@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. `late_s` is how much later than planned the tick came."""

    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The process says that it takes jobs."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What one lane said of itself in a beat: its state, for how long, and how far past its job's deadline."""

    state: str
    for_ms: int
    overdue_ms: int


@dataclass(frozen=True, slots=True)
class Beat:
    """The process lives, and this is what its lanes do."""

    lanes: tuple[Lane, ...] = ()
    store_up: bool = True


@dataclass(frozen=True, slots=True)
class Draining:
    """The process says that it takes no more jobs, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended (or could not be made: `code` is None). `roll` in [0, 1) is the chance for the jitter.

    With `refused` it was not made because of its settings, which the next try would find the same.
    """

    code: int | None
    roll: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Silent:
    """It was asked to run an empty job, and has not answered. `reason` says more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """It is not wanted any more.

    With `now` there is no time to drain; with `patient` it may take as long as its jobs, each of which has its own.
    """

    now: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Somebody wants it to start now: a pause, a failed start or an end of its own is over."""


Event = Tick | Ready | Beat | Draining | Exited | Silent | Stop | Start


# Actions


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process."""


@dataclass(frozen=True, slots=True)
class Drain:
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
    """Write a line to the log: what happened, how bad it is, and how long until the next start."""

    what: str
    level: str
    reason: str = ""
    pause_s: float | None = None


Action = Spawn | Drain | Terminate | Kill | Report
