"""The drain of an actor: from the first request to end until nothing is left to wait for.

The main thread calls `advance` again and again once a drain is requested. Invariant: a drain ends. Lanes finish or are
stopped; lanes that are stuck and a store that is gone are waited for no longer than the limits below.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.lane import Lane, LaneState
from hero_actor.upkeep.beat import BeatThread
from hero_actor.upkeep.control import ControlSocket
from hero_job.client.store import Store
from hero_job.model.errors import StoreError

log = logging.getLogger(__name__)

#: How long an actor without its supervisor lets its jobs run on, in seconds. Then they are handed back, for the actors
#: of the next supervisor: this actor must not stay, because nobody watches it any more.
_ORPHAN_S = 1.0
#: How long such an actor then waits for an engine that cannot be cancelled, in seconds.
_ORPHAN_FORCE_S = 0.5


class Drain:
    """The drain of one actor. Used by the main thread only.

    Args:
        shutdown: The flags that ask for the drain.
        store: Shared by the actor's threads.
        outage: Says whether the store is away.
        lanes: All lanes of the actor.
        beat: Its beat.
        control: Socket to the supervisor; None without a supervisor.
        grace_s: How long the lanes may take to end after a stop, in seconds.
    """

    def __init__(
        self,
        *,
        shutdown: ShutdownFlags,
        store: Store,
        outage: StoreOutage,
        lanes: Sequence[Lane],
        beat: BeatThread,
        control: ControlSocket | None,
        grace_s: float,
    ) -> None:
        self._shutdown = shutdown
        self._store = store
        self._outage = outage
        self._lanes = lanes
        self._beat = beat
        self._control = control
        self._grace_s = grace_s
        self._announced = False
        self._stopped = False
        self._orphan_mono: float | None = None
        self._force_mono: float | None = None

    def advance(self, now_mono: float) -> bool:
        """Do what is due now.

        Args:
            now_mono: The current time.

        Returns:
            Whether the drain is complete.
        """
        if self._control is not None and self._control.lost:
            self._orphan_mono = self._orphan_mono or now_mono
            if now_mono - self._orphan_mono > _ORPHAN_S:
                self._shutdown.request(Reason.CONTROL_LOST, stop=True)
        if not self._shutdown.drain.is_set():
            return False
        self._announce()
        if self._shutdown.stop.is_set() and not self._stopped:
            self._stopped = True
            self._force_mono = now_mono + (_ORPHAN_FORCE_S if self._orphan_mono else self._grace_s)
            for lane in self._lanes:
                lane.batch.stop()
        if all(lane.ended for lane in self._lanes):
            # A timed-out job that the store has not taken yet is worth waiting for, but only while there is a store.
            return not self._beat.has_unsettled or self._outage.active
        if self._force_mono is not None and now_mono > self._force_mono:
            log.error("actor.forced", extra={"lanes": sum(not lane.ended for lane in self._lanes)})
            return True
        if any(lane.state is LaneState.IDLE for lane in self._lanes):
            with contextlib.suppress(StoreError):  # the lanes notice it too
                self._store.unblock()
        return False

    def _announce(self) -> None:
        reason = self._shutdown.reason
        if self._announced or reason is None:
            return
        self._announced = True
        running = sum(lane.state is LaneState.RUNNING for lane in self._lanes)
        log.info("actor.draining", extra={"reason": reason.value, "running": running})
        if self._control is not None:
            self._control.send({"event": "draining", "reason": reason.value})
