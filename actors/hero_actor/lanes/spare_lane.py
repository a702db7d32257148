"""A spare lane: runs jobs in the place of a lane whose script waits for other jobs; see `lent_slots.py`.

Invariant: a job that it has claimed is settled, or stays in its claimed list while the store is away; it never waits
there for the next loan.
"""

from __future__ import annotations

from typing import Any

from hero_actor.conditions.shutdown_flags import Reason
from hero_actor.lanes.lane import Lane, LaneState
from hero_actor.lanes.lent_slots import LentSlots
from hero_job.model.claim_types import Turn
from hero_job.model.errors import StoreError


class SpareLane(Lane):
    """One spare lane of an actor. It never blocks in the store, and claims one job at a time.

    Args:
        number: Behind those of the lanes; part of the name of its claimed list.
        lent_slots: Says when it may look for a job.
        options: As for `Lane`.
    """

    __slots__ = ("_lent",)

    def __init__(self, number: int, *, lent_slots: LentSlots, **options: Any) -> None:
        super().__init__(number, **options)
        self._lent = lent_slots
        self.state = LaneState.SPARE

    def _loop(self) -> None:
        drain, lent = self._shutdown.drain, self._lent
        while lent.wait_for_look(drain.is_set):
            turn = self._repeat_turn(1)
            jobs = [] if turn is None else turn.jobs
            lent.looked(found=bool(jobs))
            if turn is None:
                return
            if not turn.alive:
                self._shutdown.request(Reason.DECLARED_DEAD, stop=True)
                return
            if jobs:
                self._run_jobs(turn)
                if self.batch.abandoned:
                    return
                try:
                    if self.batch.has_results and self._repeat_turn(0) is None:
                        return
                finally:
                    lent.ended(jobs[0].id)
            self._move_to(LaneState.SPARE)

    def _repeat_turn(self, max_jobs: int) -> Turn | None:
        """Take a turn, again and again while the store is away; None if the actor gives up."""
        while True:
            try:
                return self._take_turn(max_jobs)
            except StoreError as e:
                if not self._wait_out(e):
                    return None
