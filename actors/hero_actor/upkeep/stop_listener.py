"""Receives requests to stop a job, and cancels the job.

The requests come through a list in the store, so an actor that was cut off finds them when it is back. A thread of its
own waits for them, because the lanes are busy with scripts and the beat must not block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.lane import Lane
from hero_job.client.backoff import Backoff
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError, StoreError
from hero_job.operations.actor_operations import ActorOperations, Order
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

_NAME = "stops"
#: Longest single wait for a request, in seconds.
_BLOCK_S = 5.0
#: How long a request is remembered, in seconds: its job may still be on its way to this actor.
_KEPT_S = 60.0


class StopListener:
    """Carries out the stop requests for one incarnation.

    Args:
        store: Shared by the actor's threads; each operation has a connection of its own.
        operations: Operations of this incarnation.
        job_operations: Operations of its namespace, for jobs that other actors hold.
        lanes: All lanes of the actor.
        wanted_stops: Runs to stop, as ids with attempts; the batches of the lanes look here before they start a job.
        outage: Where it reports trouble with the store.
    """

    def __init__(
        self,
        *,
        store: Store,
        operations: ActorOperations,
        job_operations: Operations,
        lanes: Sequence[Lane],
        wanted_stops: set[tuple[str, str]],
        outage: StoreOutage,
    ) -> None:
        self._store = store
        self._operations = operations
        self._job_operations = job_operations
        self._lanes = lanes
        self._wanted_stops = wanted_stops
        self._outage = outage
        self._since_mono: dict[tuple[str, str], float] = {}
        self._thread = threading.Thread(target=self._loop, name=_NAME, daemon=True)

    def start(self) -> None:
        """Start to listen; the thread ends with the process."""
        self._thread.start()

    def _loop(self) -> None:
        backoff = Backoff()
        while True:
            try:
                order = self._store.run(self._operations.orders(_BLOCK_S))
                if order is not None:
                    self._carry_out(order)
            except StoreError as e:
                self._outage.begin(_NAME, e)
                time.sleep(backoff.next_wait_s())
            else:
                self._outage.end(_NAME)
                backoff.reset()
            self._forget_old()

    def _carry_out(self, order: Order) -> None:
        if order.command != "stop":
            log.warning("order.unknown", extra={"command": order.command, "job": order.job_id})
            return
        wanted = None if order.attempt is None else (order.job_id, order.attempt)
        if wanted is not None:
            # Added before the lanes are searched: a run that starts in between finds it.
            self._since_mono[wanted] = time.monotonic()
            self._wanted_stops.add(wanted)
        if any(lane.batch.cancel(order.job_id, order.attempt) for lane in self._lanes):
            if wanted is not None:
                self._forget(wanted)  # a later job of this id must not be stopped, too
            log.info("job.stopping", extra={"job": order.job_id})
            return
        try:
            if wanted is None:
                # A foreign client sends its request to any actor of the script type, so another actor may hold the job.
                # The store knows, and sends an order with the attempt to the holder.
                self._store.run(self._job_operations.stop(order.job_id))
            elif self._store.run(self._job_operations.status(order.job_id)).terminal:
                self._forget(wanted)
        except StoreError:
            raise
        except HeroJobError as e:
            log.warning("order.impossible", extra={"job": order.job_id, "error": str(e)})

    def _forget_old(self) -> None:
        past_mono = time.monotonic() - _KEPT_S
        for wanted in [run for run, since_mono in self._since_mono.items() if since_mono < past_mono]:
            self._forget(wanted)

    def _forget(self, wanted: tuple[str, str]) -> None:
        self._since_mono.pop(wanted, None)
        self._wanted_stops.discard(wanted)
