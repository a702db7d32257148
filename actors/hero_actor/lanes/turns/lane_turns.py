"""The turns of one lane: how it settles what it has run and claims what it runs next.

The lane's thread calls this. Invariants:

- A result is kept until the store has answered for it, over any number of broken connections; the store counts it once.
- The lane takes no turn while the beat has results or jobs of this lane on their way (`Batch.trips`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TypeVar

from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.tally import Tally
from hero_actor.lanes.turns.ahead import AheadAnswer
from hero_job.client.backoff import Backoff
from hero_job.client.store import Begun, Store
from hero_job.model.errors import StoreError
from hero_job.operations.actor_operations import ActorOperations, ClaimedJob, Settlement, Turn
from hero_job.operations.operations import Op

log = logging.getLogger(__name__)

#: More than a claimed list has.
_ALL = 1 << 30
#: How long turns may follow each other that do not look for ids in the claimed list of which the lane does not know: a
#: late command of an old connection, or a supervisor, may have put them there. In seconds.
_BLIND_S = 0.25

T = TypeVar("T")


class LaneTurns:
    """Takes the turns of one lane.

    Args:
        number: Of the lane.
        store: Shared by the actor's threads.
        operations: Operations of this incarnation.
        batch: What the lane holds.
        outage: Where trouble with the store is reported.

    Attributes:
        backoff: How long the lane waits after trouble with the store.
        tally: What the lane has counted.
    """

    __slots__ = ("_batch", "_looked_mono", "_name", "_number", "_operations", "_outage", "_store", "backoff", "tally")

    def __init__(
        self, number: int, *, store: Store, operations: ActorOperations, batch: Batch, outage: StoreOutage
    ) -> None:
        self.backoff = Backoff()
        self.tally = Tally()
        self._number = number
        self._name = f"lane-{number}"
        self._store = store
        self._operations = operations
        self._batch = batch
        # When a turn was sent that looked at the claimed list.
        self._looked_mono = 0.0
        self._outage = outage

    def take(self, max_jobs: int, queues: Sequence[str] | None = None) -> Turn:
        """Settle the results and claim the next jobs.

        Args:
            max_jobs: Most jobs to claim; 0 to settle only.
            queues: Queues to claim from; None for all that the actor serves.

        Raises:
            StoreError: The store did not answer; the results are back in the batch.
        """
        batch = self._batch
        with batch.trips:
            batch.ahead.collect()
            results = batch.take_results()
            sent_mono = time.monotonic()
            try:
                turn = self.run(self._operations.turn(self._number, results, max_jobs, queues))
            except BaseException:
                batch.put_back(results)
                raise
            if max_jobs:
                batch.ahead.is_lost = False  # what was lost came with this
                batch.claimed_mono = sent_mono
        self._note_settled(results, turn)
        return turn

    def send_ahead(self, held: Sequence[ClaimedJob], max_jobs: int) -> None:
        """Settle the results and claim jobs without waiting for the answer.

        Args:
            held: The jobs that the lane is about to run. It holds no others.
            max_jobs: Most jobs to claim; 0 to settle only.
        """
        batch, ahead = self._batch, self._batch.ahead
        with batch.trips:
            results = batch.take_results()
            try:
                begun = self._store.begin(self._operations.turn(self._number, results, max_jobs, held=len(held)))
            except StoreError:
                # The lane's next turn meets the same trouble, and deals with it.
                batch.put_back(results)
                ahead.is_lost = ahead.is_lost or max_jobs > 0
                return
            if begun is None:
                batch.put_back(results)
                return
            ahead.sent(begun, results, max_jobs)
        self._looked_mono = time.monotonic()

    def take_ahead(self, max_jobs: int) -> AheadAnswer | None:
        """Take the answer to the turn that was sent ahead, after sending one more.

        Args:
            max_jobs: Most jobs that the further turn claims; 0 to send none.

        Returns:
            The answer; None if no turn was sent ahead.

        Raises:
            StoreError: The store did not answer; the results are back in the batch.
        """
        batch, ahead = self._batch, self._batch.ahead
        # Under the lock also when nothing seems to be on its way: the beat may be reading the answer.
        with batch.trips:
            if not ahead.pending:
                return None
            if max_jobs and ahead.begun is not None and time.monotonic() - self._looked_mono < _BLIND_S:
                self._send_one_more(ahead.begun, max_jobs)
            answer = ahead.take()
            if answer is not None and answer.turn.jobs and batch.is_stale(answer.sent_mono):
                # What it has claimed is in the claimed list, if it is still ours.
                answer = answer.without_jobs()
                ahead.is_lost = True
        if answer is not None:
            batch.claimed_mono = answer.sent_mono
            self._answered()
            self._note_settled(answer.results, answer.turn)
        return answer

    def _send_one_more(self, begun: Begun[Turn], max_jobs: int) -> None:
        # How many jobs the lane will hold then says the answer that is on its way. So this turn takes nothing out of
        # the claimed list.
        results = self._batch.take_results()
        self._batch.ahead.sent(begun, results, max_jobs)
        try:
            begun.send(self._operations.turn(self._number, results, max_jobs, held=_ALL))
        except StoreError:
            self._batch.ahead.lose()

    def run(self, op: Op[T]) -> T:
        """Run an operation, and note that the store answers.

        Raises:
            StoreError: It does not.
        """
        answer = self._store.run(op)
        self._answered()
        return answer

    def _answered(self) -> None:
        if self.backoff.since_mono is not None:
            self.backoff.reset()
        if self._outage.active:
            self._outage.end(self._name)

    def _note_settled(self, results: Sequence[Settlement], turn: Turn) -> None:
        if results:
            self.tally.settled(results, turn.refused)
        for job_id in turn.refused:
            log.warning("job.result_refused", extra={"job": job_id, "reason": "no longer held by this actor"})
