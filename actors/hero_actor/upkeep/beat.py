"""The beat: the thread that keeps this incarnation alive in the store and looks after what lanes cannot.

Three duties. Every second it refreshes presence, and learns whether the incarnation was declared dead. While lanes hold
more than they run, it looks in on them every few milliseconds: behind a job that turns out slow nothing waits, finished
results are settled and unstarted jobs handed back. And a job that will not yield after its deadline and grace is
settled as timed out in the lane's place; the process then drains, since a thread cannot be killed.

The reports to the supervisor are the main thread's: a store that does not answer may hold up this thread, not those.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from hero_actor.conditions.shutdown_flags import Orders, Reason
from hero_actor.conditions.store_outage import Outage
from hero_actor.lanes.execute import settle, timeout_of
from hero_actor.lanes.lane import Lane, LaneState
from hero_engine.engine import TimedOut
from hero_job.client.store import Store
from hero_job.model.errors import StoreError
from hero_job.operations.actor_operations import ActorOperations, Settlement

log = logging.getLogger(__name__)

#: Presence is refreshed this often, in seconds, or four times a lease if that is more often.
EVERY_S = 1.0
#: A job is slow from here on, in seconds: five batches' worth of work.
SLOW_S = 0.010
#: How often lanes that hold more than they run are looked at, in seconds.
LOOK_S = 0.005

_NAME = "beat"


class Beat:
    """The beat of one actor.

    Args:
        store: Shared with the lanes; each operation has a connection to itself.
        claims: Of this incarnation, which has joined.
        lanes: All lanes of the actor.
        orders: Where to say that the actor must end.
        outage: Where trouble with the store is noted.
        grace_s: How long past its deadline a job may take to yield, in seconds.
    """

    __slots__ = (
        "_claims",
        "_ended",
        "_every_s",
        "_grace_s",
        "_lanes",
        "_look",
        "_orders",
        "_outage",
        "_overdue",
        "_since_mono",
        "_store",
        "_thread",
    )

    def __init__(
        self,
        *,
        store: Store,
        claims: ActorOperations,
        lanes: Sequence[Lane],
        orders: Orders,
        outage: Outage,
        grace_s: float,
    ) -> None:
        self._store = store
        self._claims = claims
        self._lanes = lanes
        self._orders = orders
        self._outage = outage
        self._grace_s = grace_s
        self._every_s = min(EVERY_S, claims.lease_ms / 4000)
        self._look = threading.Event()
        self._ended = threading.Event()
        # Timed-out jobs of lost lanes that the store has not taken yet: (lane, settlement).
        self._overdue: list[tuple[Lane, Settlement]] = []
        self._since_mono: float | None = None
        self._thread = threading.Thread(target=self._main, name=_NAME, daemon=True)

    def start(self) -> None:
        """Begin to beat; the incarnation has joined."""
        self._thread.start()

    def end(self) -> None:
        """End the thread soon."""
        self._ended.set()
        self._look.set()

    def look_in(self) -> None:
        """Look in on the lanes from now on until none holds more than it runs. Called by lanes, once a batch."""
        if not self._look.is_set():
            self._look.set()

    @property
    def has_unsettled(self) -> bool:
        """Does it still hold a timed-out job that the store has not taken?"""
        return bool(self._overdue)

    def waits_for_store_s(self, now_mono: float) -> float:
        """For how long has the store owed this thread an answer, in seconds?"""
        since_mono = self._since_mono
        return 0.0 if since_mono is None else now_mono - since_mono

    def _main(self) -> None:
        try:
            self._loop()
        except BaseException:
            # Without its beat the incarnation would be declared dead while its lanes work on.
            log.critical("beat.crashed", exc_info=True)
            self._orders.give(Reason.CRASHED)

    def _loop(self) -> None:
        due_mono = time.monotonic()
        while not self._ended.is_set():
            now_mono = time.monotonic()
            if now_mono >= due_mono:
                due_mono = now_mono + self._every_s
                self._refresh()
            self._end_overdue(time.monotonic())
            if self._look.wait(self._until_next(due_mono)) and not self._ended.wait(LOOK_S):
                # Cleared before the look: a lane that loads a batch during it sets it again.
                self._look.clear()
                if self._relieve_lanes(time.monotonic()):
                    self._look.set()

    def _until_next(self, due_mono: float) -> float:
        """How long to wait, in seconds: to the next refresh, or to the first deadline or end of grace before it."""
        now_mono = time.monotonic()
        wait_s = due_mono - now_mono
        for lane in self._lanes:
            over_s = lane.batch.overdue_s(now_mono)
            if over_s is not None and not lane.batch.abandoned:
                wait_s = min(wait_s, self._grace_s - over_s if over_s > 0 else -over_s)
        return max(wait_s, LOOK_S)

    def _refresh(self) -> None:
        busy = sum(lane.state is LaneState.RUNNING for lane in self._lanes)
        jobs = sum(lane.jobs for lane in self._lanes)
        self._since_mono = time.monotonic()
        try:
            alive = self._store.run(self._claims.beat(busy=busy, jobs=jobs))
        except StoreError as e:
            self._outage.begin(_NAME, e)
            return
        finally:
            self._since_mono = None
        self._outage.end(_NAME)
        self._write_logs()
        if any(lane.batch.holds_more for lane in self._lanes):
            self.look_in()
        if not alive and not self._orders.stop.is_set():
            log.error("actor.declared_dead", extra={"incarnation": self._claims.entry.incarnation})
            self._orders.give(Reason.DECLARED_DEAD, stop=True)

    def _write_logs(self) -> None:
        """Write what running scripts have printed since the last time."""
        for lane in self._lanes:
            if lane.batch.journal.dirty and lane.batch.trips.acquire(blocking=False):
                try:
                    lane.write_log()
                finally:
                    lane.batch.trips.release()

    def _relieve_lanes(self, now_mono: float) -> bool:
        """Take away what waits behind slow jobs. Says whether any lane still holds more than it runs."""
        more = False
        for lane in self._lanes:
            batch = lane.batch
            # A lane that makes a round trip itself needs no relief.
            if not batch.holds_more or not batch.trips.acquire(blocking=False):
                continue
            try:
                results, unstarted = batch.take_held_up(now_mono, SLOW_S)
                try:
                    if unstarted:
                        self._store.run(self._claims.release(lane.number, unstarted))
                    if results:
                        self._store.run(self._claims.turn(lane.number, results, 0))
                except StoreError as e:
                    # Tried again after the next refresh that works, unless the lane's own turn comes before it.
                    batch.put_back(results, unstarted)
                    self._outage.begin(_NAME, e)
                    return False
            finally:
                batch.trips.release()
            more = more or batch.holds_more
        return more

    def _end_overdue(self, now_mono: float) -> None:
        """Cancel jobs past their deadline; settle those that will not yield, and have the process replaced."""
        for lane in self._lanes:
            batch = lane.batch
            over_s = batch.overdue_s(now_mono)
            if over_s is None or over_s <= 0 or batch.abandoned:
                continue
            batch.cancel_overdue(now_mono)
            job = batch.abandon_overdue(now_mono, self._grace_s)
            if job is not None:
                log.error("job.stuck", extra={"job": job.id, "lane": lane.number, "overdue_s": round(over_s, 3)})
                self._overdue.append((lane, settle(job, TimedOut(timeout_of(job)))))
                self._orders.give(Reason.STUCK)
        self._settle_overdue()

    def _settle_overdue(self) -> None:
        while self._overdue:
            lane, settlement = self._overdue[0]
            with lane.batch.trips:
                results = lane.batch.take_results()
                try:
                    self._store.run(self._claims.turn(lane.number, [*results, settlement], 0))
                except StoreError as e:
                    lane.batch.put_back(results)
                    self._outage.begin(_NAME, e)
                    return
            self._overdue.pop(0)
