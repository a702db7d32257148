"""Listens for orders to stop a job, and has them obeyed.

Orders come through a list in the store, so that one given while the actor was cut off is found when it is back. One
thread with its own connection, since lanes are busy with scripts and the beat must not block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from hero_actor.conditions.store_outage import Outage
from hero_actor.lanes.lane import Lane
from hero_job.client.backoff import Backoff
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError, StoreError
from hero_job.operations.actor_operations import ActorOperations, Order
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

_NAME = "stops"
#: How long one wait for orders takes at most, in seconds.
_BLOCK_S = 5.0
#: How long an order is kept for a job that is not here yet, in seconds: the answer that brings it may be under way.
_KEPT_S = 60.0


class Stops:
    """Obeys the stop orders of one incarnation.

    Args:
        store: Shared with the lanes; each operation has a connection to itself.
        claims: Of this incarnation.
        operations: Of its namespace, for jobs that others run.
        lanes: All lanes of the actor.
        wanted: Ids of jobs to stop; shared with the batches of the lanes, which look before they begin a job.
        outage: Where trouble with the store is noted.
    """

    __slots__ = ("_claims", "_lanes", "_operations", "_outage", "_since", "_store", "_thread", "_wanted")

    def __init__(
        self,
        *,
        store: Store,
        claims: ActorOperations,
        operations: Operations,
        lanes: Sequence[Lane],
        wanted: set[str],
        outage: Outage,
    ) -> None:
        self._store = store
        self._claims = claims
        self._operations = operations
        self._lanes = lanes
        self._wanted = wanted
        self._outage = outage
        self._since: dict[str, float] = {}
        self._thread = threading.Thread(target=self._loop, name=_NAME, daemon=True)

    def start(self) -> None:
        """Begin to listen; the thread ends with the process."""
        self._thread.start()

    def _loop(self) -> None:
        backoff = Backoff()
        while True:
            try:
                order = self._store.run(self._claims.orders(_BLOCK_S))
                if order is not None:
                    self._obey(order)
            except StoreError as e:
                self._outage.begin(_NAME, e)
                time.sleep(backoff.next_wait_s())
            else:
                self._outage.end(_NAME)
                backoff.reset()
            self._forget()

    def _obey(self, order: Order) -> None:
        if order.command != "stop":
            log.warning("order.unknown", extra={"command": order.command, "job": order.job_id})
            return
        # Wanted first, then the look: a job that begins between the two sees it is wanted.
        self._since[order.job_id] = time.monotonic()
        self._wanted.add(order.job_id)
        if any(lane.batch.cancel(order.job_id) for lane in self._lanes):
            log.info("job.stopping", extra={"job": order.job_id})
            return
        # Not here: perhaps a foreign client spoke to whoever serves the type. The store knows who has it, and for one
        # that is on its way to us it changes nothing.
        try:
            self._store.run(self._operations.stop(order.job_id))
        except StoreError:
            raise
        except HeroJobError as e:
            log.warning("order.impossible", extra={"job": order.job_id, "error": str(e)})

    def _forget(self) -> None:
        past_mono = time.monotonic() - _KEPT_S
        for job_id in [i for i, since_mono in self._since.items() if since_mono < past_mono]:
            del self._since[job_id]
            self._wanted.discard(job_id)
