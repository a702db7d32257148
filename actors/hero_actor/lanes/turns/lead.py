"""The lead: while jobs are many and short, one lane of an actor claims for all of them.

Each job that wakes another lane costs a wait on the queue and two turns. If a single lane claims, the jobs that arrive
while it runs one come with its next turn. The others follow: they wait in this process, and one of them watches. When
the lane that leads makes no progress for a moment, the watcher takes the lead. If that one is held up, too, or jobs are
no longer many and short, all lanes claim again, each for itself, as they do after the start.

See docs/decisions/0005-claim-protocol.md. Invariants: as long as a lane follows, there is a watcher; a lane that
follows runs no job, has no result, and looks at its claimed list as often as one that waits on the queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hero_actor.lanes.batch import Batch
from hero_job.operations.actor_operations import BLOCK_S

#: How often the watcher looks, in seconds. A lane that makes no progress from one look to the next is held up.
LOOK_S = 0.002
#: So many jobs, each shorter than `_SHORT_S` on average, within `_WITHIN_S` are many and short. In seconds.
_MANY = 32
_WITHIN_S = 0.1
_SHORT_S = 0.0005
#: While one lane claims for all, no other disturbs it, so its jobs must take less, in seconds.
_SHORT_ALONE_S = 0.0002
#: One job of this length means that jobs are not short, in seconds.
_LONG_S = 0.002
#: So many looks may see it in the same turn: the store may be busy.
_TURN_LOOKS = 5
#: After a failure of the lead twice as many jobs are wanted, up to this number.
_MOST = 8192
#: The lead that is held up twice within so many jobs ends.
_APART = 128
#: Full turns after which more jobs wait than one lane should run.
_FULL_TURNS = 4
#: Weight of the last batch in the moving average.
_WEIGHT = 0.1


class Lead:
    """The lead of one actor with several lanes. Thread-safe.

    Args:
        must_end: Tells whether the lanes are to end.
    """

    def __init__(self, must_end: Callable[[], bool]) -> None:
        self._must_end = must_end
        self._changed = threading.Condition()
        self._is_on = False
        self._leader: LeadPlace | None = None
        self._has_watcher = False
        self._wanted = _MANY
        # Number of jobs, their time, and since when: of short ones before the lead, of the leader's during it.
        self._jobs = 0
        self._took_s = 0.0
        self._since_mono = 0.0
        self._mean_s = 0.0
        self._full_turns = 0
        # Jobs of the leader since it was held up.
        self._apart = 0

    @property
    def mean_s(self) -> float:
        """How long a job takes on average, in seconds."""
        return self._mean_s

    def may_claim(self, place: LeadPlace) -> bool:
        """May the lane claim, or wait on the queue? If nobody leads although one should, it leads from now on."""
        if not self._is_on or self._leader is place:
            return True
        with self._changed:
            if self._is_on and self._leader is None:
                self._leader = place
            return not self._is_on or self._leader is place

    def leads(self, place: LeadPlace) -> bool:
        """Does the lane claim for all?"""
        return self._leader is place

    def follow(self, place: LeadPlace) -> None:
        """Wait until the lane may claim, or must look at its claimed list.

        Args:
            place: Of a lane that has neither job nor result.
        """
        until_mono = time.monotonic() + BLOCK_S
        with self._changed:
            while self._is_on and self._leader is not place and not self._must_end():
                left_s = until_mono - time.monotonic()
                if left_s <= 0:
                    return
                if self._leader is None:
                    self._leader = place
                    return
                if self._has_watcher:
                    self._changed.wait(left_s)
                    continue
                self._has_watcher = True
                try:
                    self._watch(place, until_mono)
                finally:
                    self._has_watcher = False
                    self._changed.notify()
            if self._must_end():
                self._end()

    def _watch(self, place: LeadPlace, until_mono: float) -> None:
        before: tuple[LeadPlace, tuple[bool, int, float] | None] | None = None
        same = 0
        while self._is_on and not self._must_end() and (now_mono := time.monotonic()) < until_mono:
            if now_mono - self._since_mono >= _WITHIN_S:
                if self._jobs < _MANY // 2:
                    self._end()
                    return
                self._since_mono, self._jobs = now_mono, 0
            self._changed.wait(LOOK_S)
            leader = self._leader
            if leader is None:
                return  # all lanes claim
            progress = leader.progress
            same = same + 1 if progress is not None and (leader, progress) == before else 0
            if progress is not None and same >= (1 if progress[0] else _TURN_LOOKS):
                self._stall(place)
                return
            before = leader, progress

    def _stall(self, heir: LeadPlace) -> None:
        if self._apart < _APART or (self._leader is not None and self._leader.delays_jobs):
            self._fail()
        else:
            self._apart = 0
            self._full_turns = 0
            self._leader = heir

    def ran(self, place: LeadPlace, jobs: int, took_s: float, slowest_s: float, *, is_full: bool) -> None:
        """Note what a lane has run.

        Args:
            place: Of the lane.
            jobs: How many, above zero.
            took_s: Time for all of them, in seconds.
            slowest_s: Time of the longest, in seconds.
            is_full: They were as many as one lane should hold, so more may wait.
        """
        with self._changed:
            if self._is_on:
                if self._leader is place:
                    self._led(jobs, took_s, slowest_s, is_full=is_full)
                return
            if slowest_s >= _LONG_S or is_full:
                self._jobs = 0
                return
            now_mono = time.monotonic()
            if not self._jobs:
                self._since_mono, self._took_s = now_mono, 0.0
            self._jobs += jobs
            self._took_s += took_s
            if self._jobs < self._wanted:
                return
            self._mean_s = self._took_s / self._jobs
            many = now_mono - self._since_mono <= _WITHIN_S * self._wanted / _MANY
            if many and self._mean_s < _SHORT_S:
                self._is_on, self._leader, self._full_turns, self._apart = True, None, 0, _APART
            self._jobs, self._since_mono = 0, now_mono

    def _led(self, jobs: int, took_s: float, slowest_s: float, *, is_full: bool) -> None:
        self._jobs += jobs
        self._apart += jobs
        if self._apart > 8 * self._wanted:
            self._wanted = max(_MANY, self._wanted // 2)
            self._apart = _APART
        if slowest_s < _LONG_S:
            self._mean_s += _WEIGHT * (took_s / jobs - self._mean_s)
        self._full_turns = self._full_turns + 1 if is_full else 0
        if self._mean_s > _SHORT_ALONE_S or self._full_turns >= _FULL_TURNS:
            self._fail()

    def _fail(self) -> None:
        self._wanted = min(2 * self._wanted, _MOST)
        self._end()

    def _end(self) -> None:
        self._is_on, self._leader, self._jobs = False, None, 0
        self._changed.notify_all()


class LeadPlace:
    """The place of one lane in the lead. The lane calls its methods; the watcher reads its properties.

    Args:
        lead: The lead of the actor.
        batch: What the lane holds.
    """

    __slots__ = ("_batch", "_lead", "_rests", "_waits")

    def __init__(self, lead: Lead, batch: Batch) -> None:
        self._lead = lead
        self._batch = batch
        self._rests = False
        # How often the lane has waited on the queue.
        self._waits = 0

    def may_claim(self) -> bool:
        """May the lane claim, or wait on the queue?"""
        may_claim = self._lead.may_claim(self)
        self._batch.is_led = self._lead.leads(self)
        return may_claim

    def follow(self) -> float:
        """Wait until the lane may claim, or must look at its claimed list. It has neither job nor result.

        Returns:
            How long a job takes on average, in seconds.
        """
        self._lead.follow(self)
        self._batch.is_led = self._lead.leads(self)
        return self._lead.mean_s

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Say that the lane waits on the queue."""
        self._waits += 1
        self._rests = True
        try:
            yield
        finally:
            self._rests = False

    def ran(self, jobs: int, took_s: float, *, is_full: bool) -> None:
        """Note what the lane has run; see `Lead.ran`."""
        self._lead.ran(self, jobs, took_s, self._batch.slowest_s, is_full=is_full)

    @property
    def progress(self) -> tuple[bool, int, float] | None:
        """Does it run a job, and what changes when it starts or ends one, or waits; None while it waits."""
        batch = self._batch
        return None if self._rests else (batch.running is not None, self._waits, batch.started_mono)

    @property
    def delays_jobs(self) -> bool:
        """Does the lane hold jobs that have not started?"""
        return self._batch.has_unstarted
