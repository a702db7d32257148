"""Decides how many processes an entry should have, from how long jobs wait and how busy the lanes are. Pure.

`scaler.py` brings the figures and carries out the answer. Hysteresis: the load must have been too high, or too low, for
a while without a break; a change is given time to show before the next; and one process is taken away only where the
rest would still be at most half busy. Invariant: the answer is between the entry's least and most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: The load must have been too high for so long, in seconds: one slow answer is no load.
HIGH_FOR_S = 2.0
#: Lanes that stay busy at most so much, after one process is taken away.
LOW_USE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is known of an entry's load at one moment.

    Attributes:
        waiting: Jobs in the queues that it serves.
        wait_s: How long the job at the head of one has waited, in seconds; the longest.
        drained_per_s: Jobs that leave these queues a second; 0 when not known.
        lanes: Lanes of its processes.
        busy: Those that run a job.
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
        """How long a job waits: as the head has, or as the last in the queue will."""
        last_s = self.waiting / self.drained_per_s if self.drained_per_s > 0 else 0.0
        return max(self.wait_s, last_s) if self.waiting else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of an entry.

    Attributes:
        least: Fewest processes.
        most: Most processes.
        wait_s: Wait above which there are too few.
        idle_s: How long there must have been one too many.
    """

    least: int
    most: int
    wait_s: float
    idle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleState:
    """What is remembered from one moment to the next, and shown.

    Attributes:
        wait_s: Expected wait in the queue, in seconds.
        use: Busy lanes over all, from 0 to 1.
        high_since: Monotonic time since which the wait is too long; None when it is not.
        low_since: Monotonic time since which there is a process too many; None when there is not.
        reason: Why the number last changed; empty before.
    """

    wait_s: float = 0.0
    use: float = 0.0
    high_since: float | None = None
    low_since: float | None = None
    reason: str = ""


def decide(state: ScaleState, load: Load, count: int, bounds: Bounds, now: float) -> tuple[ScaleState, int]:
    """Decide how many processes there should be.

    Args:
        state: What was remembered.
        load: What is.
        count: Processes that are wanted now.
        bounds: The limits.
        now: Monotonic time in seconds.

    Returns:
        What to remember, and how many there should be.
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
    # Those that are on their way may be enough.
    settled = load.ready >= count
    if settled and count < bounds.most and state.high_since is not None and now - state.high_since >= HIGH_FOR_S:
        # A far too long queue is not met one by one; nor does a moment's crowd fill the machine: doubled at most.
        wished = count + max(1, int(min(count, count * (wait_s / bounds.wait_s - 1) / 2)))
        return _changed(state, f"jobs wait {wait_s:.1f} s"), min(wished, bounds.most)
    if count > bounds.least and state.low_since is not None and now - state.low_since >= bounds.idle_s:
        return _changed(state, f"{load.busy} of {load.lanes} lanes are busy"), count - 1
    return state, count


def _spare(load: Load, count: int) -> bool:
    """Whether the others would be at most half busy without one."""
    if count == 0:
        return False
    lanes_left = load.lanes * (count - 1) / count
    return load.busy <= LOW_USE * lanes_left


def _changed(state: ScaleState, reason: str) -> ScaleState:
    """Begin to look anew: what was true of another number of processes says nothing of this one."""
    return replace(state, high_since=None, low_since=None, reason=reason)
