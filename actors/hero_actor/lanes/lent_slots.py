"""Lends the slots of lanes whose scripts wait for other jobs: a lane that waits must not block the job it waits for.

An actor has one `LentSlots`. A script that waits for a job lends the slot of its lane, and a spare lane runs jobs of
the same queues in its place, in queue order. Invariants: each actor has a lane that does not wait, so its queue never
stops; and an actor with a single lane still runs one job at a time: a script whose wait is over goes on only when no
spare lane runs a job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Most spare lanes of an actor. The store knows this number, because recovery reads the claimed list of each lane.
MOST_SPARE_LANES = 32
#: How often a spare lane looks for a job while scripts wait, in seconds: first soon, then less often.
_FIRST_LOOK_S = 0.002
_LAST_LOOK_S = 0.05
#: How often a thread that waits here looks for its own end, in seconds.
_CHECK_S = 0.02
#: The same for a spare lane that has no slot; it is notified of one.
_IDLE_CHECK_S = 1.0
#: How long a spare lane that has run what a script waits for leaves the script time to notice, in seconds.
_COURTESY_S = 0.5


class Loan:
    """One script that waits.

    Attributes:
        awaits: The job for which it blocks now; "" for none.
    """

    __slots__ = ("awaits",)

    def __init__(self) -> None:
        self.awaits = ""


class TooManyLoans(Exception):
    """A script may not wait: then every lane of the actor would wait, and every spare lane."""


class LentSlots:
    """The loans of one actor, and the turns of its spare lanes. Thread-safe.

    Args:
        lanes: Number of its lanes, without the spare ones.
        has_idle_lane: Tells whether one of these waits for jobs anyway.
        add_spare: Starts the spare lane of this number; 0 for the first one.
    """

    def __init__(self, lanes: int, has_idle_lane: Callable[[], bool], add_spare: Callable[[int], None]) -> None:
        self._lanes = lanes
        self._is_ordered = lanes == 1
        self._has_idle_lane = has_idle_lane
        self._add_spare = add_spare
        self._changed = threading.Condition()
        self._loans: set[Loan] = set()
        self._returning = 0
        # The lane of an actor with a single one waits for jobs, so its slot is free.
        self._lane_rests = False
        self._spares = 0
        # Spare lanes that run a job, or look for one.
        self._running = 0
        self._is_looking = False
        self._next_look_mono = 0.0
        self._pause_s = _FIRST_LOOK_S

    # -- for scripts that wait -----------------------------------------------------------------------------------------

    @contextmanager
    def lend(self, check: Callable[[], None]) -> Iterator[Loan]:
        """Lend the slot of a lane while its script waits.

        Args:
            check: Raises when the script must end.

        Raises:
            TooManyLoans: All lanes would wait.
        """
        loan = Loan()
        with self._changed:
            if len(self._loans) + 1 >= self._lanes + MOST_SPARE_LANES:
                raise TooManyLoans
            self._loans.add(loan)
            self._pause_s, self._next_look_mono = _FIRST_LOOK_S, 0.0
            self._changed.notify_all()
        try:
            self._provide_spares()
            yield loan
        finally:
            self._take_back(loan, check)

    def _provide_spares(self) -> None:
        with self._changed:
            while self._spares < min(len(self._loans), MOST_SPARE_LANES):
                self._add_spare(self._spares)
                self._spares += 1

    def _take_back(self, loan: Loan, check: Callable[[], None]) -> None:
        with self._changed:
            loan.awaits = ""
            self._returning += 1
            self._changed.notify_all()
            try:
                while self._is_ordered and self._running >= len(self._loans) + self._lane_rests:
                    check()
                    self._changed.wait(_CHECK_S)
            finally:
                self._returning -= 1
                self._loans.discard(loan)
                self._changed.notify_all()

    # -- for lanes -----------------------------------------------------------------------------------------------------

    @property
    def overdrawn(self) -> bool:
        """Must the lane of an actor with a single one let others go on before it takes a job?"""
        return self._is_ordered and (self._running > len(self._loans) or self._returning > 0)

    def rest(self) -> None:
        """Note that the lane waits for jobs: a script that goes on may use its slot until `resume`."""
        with self._changed:
            self._lane_rests = True
            self._changed.notify_all()

    def resume(self) -> bool:
        """Note that the lane has stopped waiting; False if it must step aside first."""
        with self._changed:
            self._lane_rests = False
            return not self.overdrawn

    def step_aside(self, must_end: Callable[[], bool]) -> None:
        """Wait until no spare lane runs a job and no script wants to go on, because jobs run one at a time here.

        Args:
            must_end: Ends the wait early.
        """
        with self._changed:
            loan = Loan()
            self._loans.add(loan)
            self._returning += 1
            self._changed.notify_all()
            while (self._returning > 1 or self._running >= len(self._loans)) and not must_end():
                self._changed.wait(_CHECK_S)
            self._returning -= 1
            self._loans.discard(loan)

    # -- for spare lanes -----------------------------------------------------------------------------------------------

    def wait_for_look(self, must_end: Callable[[], bool]) -> bool:
        """Wait until a spare lane is to look for a job; it then calls `looked`.

        Args:
            must_end: Ends the wait.

        Returns:
            False if the spare lane is to end.
        """
        with self._changed:
            while not must_end():
                if self._is_looking or not self._has_slot:
                    self._changed.wait(_IDLE_CHECK_S)
                    continue
                self._is_looking = True  # one is enough
                while self._has_slot and not must_end():
                    wait_s = _CHECK_S if self._has_idle_lane() else self._next_look_mono - time.monotonic()
                    if wait_s <= 0:
                        self._running += 1
                        return True
                    self._changed.wait(wait_s)
                self._is_looking = False
                self._changed.notify_all()
        return False

    @property
    def _has_slot(self) -> bool:
        return self._running < len(self._loans) - self._returning

    def looked(self, *, found: bool) -> None:
        """Say whether the look has brought a job. If it has, `ended` follows."""
        with self._changed:
            self._is_looking = False
            if found:
                self._pause_s = _FIRST_LOOK_S
            else:
                self._running -= 1
                self._next_look_mono = time.monotonic() + self._pause_s
                self._pause_s = min(self._pause_s * 2, _LAST_LOOK_S)
            self._changed.notify_all()

    def ended(self, job_id: str) -> None:
        """Give the slot back. A script that waits for this job goes on before the next job begins.

        Args:
            job_id: The job that the spare lane has settled.
        """
        with self._changed:
            self._running -= 1
            self._changed.notify_all()
            if self._is_ordered:
                self._changed.wait_for(lambda: all(loan.awaits != job_id for loan in self._loans), _COURTESY_S)
