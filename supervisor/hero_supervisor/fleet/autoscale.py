"""Decides how many processes an entry should have, from how long jobs wait and how busy the lanes are. Pure.

`scaler.py` collects the figures and carries out the answer. Three rules keep the number steady: the load must have been
too high, or too low, for some time without a break; a change gets time to take effect before the next one; and a
process is removed only when the remaining ones would stay at most half busy. Invariant: the answer is within the
bounds of the entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: The load must have been too high for this long, in seconds. A single slow answer is not a load.
HIGH_FOR_S = 2.0
#: A process is removed only if the remaining lanes are busy at most to this fraction.
LOW_USE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLoad:
    """The load of an entry at one moment.

    Attributes:
        waiting: Jobs in the queues that it serves.
        wait_s: Longest time that the job at the head of a queue has waited, in seconds.
        drained_per_s: Jobs that leave these queues per second; 0 when not known.
        lanes: Lanes of its processes.
        busy: Lanes that run a job.
        ready: Processes that take jobs.
    """

    waiting: int
    wait_s: float
    drained_per_s: float
    lanes: int
    busy: int
    ready: int

    @property
    def expected_wait_s(self) -> float:
        """How long jobs wait, in seconds: what the head has waited, or what the last in the queue will wait."""
        last_s = self.waiting / self.drained_per_s if self.drained_per_s > 0 else 0.0
        return max(self.wait_s, last_s) if self.waiting else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleBounds:
    """The limits of an entry.

    Attributes:
        least: Lowest number of processes.
        most: Highest number of processes.
        wait_s: Wait, in seconds, above which there are too few processes.
        idle_s: Seconds of low use after which a process is removed.
    """

    least: int
    most: int
    wait_s: float
    idle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleState:
    """What the decision remembers from one moment to the next. It is also shown to operators.

    Attributes:
        wait_s: Expected wait in the queue, in seconds.
        use: Fraction of the lanes that are busy, from 0 to 1.
        high_since: Monotonic time since which the wait is too long; None when it is not.
        low_since: Monotonic time since which there is one process too many; None when there is not.
        reason: Why the number last changed; empty before.
    """

    wait_s: float = 0.0
    use: float = 0.0
    high_since: float | None = None
    low_since: float | None = None
    reason: str = ""


def decide(state: ScaleState, load: EntryLoad, count: int, bounds: ScaleBounds, now: float) -> tuple[ScaleState, int]:
    """Decide how many processes there should be.

    Args:
        state: What the last decision remembered.
        load: The load now.
        count: Processes that are wanted now.
        bounds: The limits of the entry.
        now: Monotonic time in seconds.

    Returns:
        What to remember, and how many processes there should be.
    """
    wait_s = load.expected_wait_s
    high = wait_s > bounds.wait_s
    low = not high and load.waiting == 0 and _spare(load, count)
    state = replace(
        state,
        wait_s=wait_s,
        use=load.busy / load.lanes if load.lanes else 0.0,
        high_since=(now if state.high_since is None else state.high_since) if high else None,
        low_since=(now if state.low_since is None else state.low_since) if low else None,
    )
    if not bounds.least <= count <= bounds.most:
        return _changed(state, "limits"), min(max(count, bounds.least), bounds.most)
    # Processes that are still starting may be enough.
    settled = load.ready >= count
    if settled and count < bounds.most and state.high_since is not None and now - state.high_since >= HIGH_FOR_S:
        # A very long queue gets several processes in one step. The number is doubled at most, so that a short burst
        # does not fill the machine.
        wished = count + max(1, int(min(count, count * (wait_s / bounds.wait_s - 1) / 2)))
        return _changed(state, f"jobs wait {wait_s:.1f} s"), min(wished, bounds.most)
    if count > bounds.least and state.low_since is not None and now - state.low_since >= bounds.idle_s:
        return _changed(state, f"{load.busy} of {load.lanes} lanes are busy"), count - 1
    return state, count


def _spare(load: EntryLoad, count: int) -> bool:
    """Whether the remaining processes would be at most half busy if one were removed."""
    if count == 0:
        return False
    lanes_left = load.lanes * (count - 1) / count
    return load.busy <= LOW_USE * lanes_left


def _changed(state: ScaleState, reason: str) -> ScaleState:
    """Forget the load so far: it says nothing about another number of processes."""
    return replace(state, high_since=None, low_since=None, reason=reason)
