"""The beat: the thread that keeps an incarnation alive in the store and does for the lanes what they cannot do.

- Every second it refreshes the presence of the incarnation, reports what the lanes have counted, and learns whether
  the incarnation was declared dead.
- While a lane holds more than the job that it runs, it looks at the lane every few milliseconds. When that job turns
  out to be slow, it settles the results before it and hands the jobs behind it back.
- It asks once a second whether a job that has been running for a while was asked to stop.
- It settles a job that does not yield after its deadline and grace period as timed out. The process then drains,
  because a thread cannot be killed.

The main thread makes the reports to the supervisor, because a store that does not answer may block this thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.execute import settle, timeout_of
from hero_actor.lanes.lane import Lane, LaneState
from hero_actor.lanes.pace import MAX_JOBS
from hero_actor.lanes.tally import CountReports, Tally
from hero_engine.engine import TimedOut
from hero_job.client.store import Store
from hero_job.model.claim_types import ClaimedJob, CountReport
from hero_job.model.errors import StoreError
from hero_job.operations.actor_operations import ActorOperations, Settlement
from hero_job.operations.operations import Op
from hero_process.defects import log_failure

log = logging.getLogger(__name__)

#: Longest time between two refreshes, in seconds. A short lease is refreshed four times as often as it expires.
EVERY_S = 1.0
#: Running time from which a job is slow, in seconds: five batches' worth of work.
SLOW_S = 0.010
#: The same for a lane that claims for all: the others are free. In seconds.
LED_SLOW_S = 0.002
#: Time between two looks at lanes that hold more than they run, in seconds.
LOOK_S = 0.005

#: How long the end of the process waits for a refresh that is under way, in seconds.
_END_S = 0.5

_NAME = "beat"


class BeatThread:
    """The beat of one actor.

    Args:
        store: Shared by the actor's threads; each operation has a connection of its own.
        operations: Operations of this incarnation, which has joined.
        lanes: All lanes of the actor.
        shutdown: Where it asks for the end of the process.
        outage: Where it reports trouble with the store.
        grace_s: How long a job may run past its deadline, in seconds.
        on_beat: Called once a second, before the store is asked.
    """

    def __init__(
        self,
        *,
        store: Store,
        operations: ActorOperations,
        lanes: Sequence[Lane],
        shutdown: ShutdownFlags,
        outage: StoreOutage,
        grace_s: float,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._operations = operations
        self._lanes = lanes
        self._shutdown = shutdown
        self._outage = outage
        self._grace_s = grace_s
        self._on_beat = on_beat
        self._every_s = min(EVERY_S, operations.lease_ms / 4000)
        self._look = threading.Event()
        self._ended = threading.Event()
        # Timed-out jobs of lost lanes that the store has not taken yet.
        self._overdue: list[tuple[Lane, Settlement]] = []
        # Of what this thread settles for the lanes.
        self._tally = Tally()
        self._reports = CountReports()
        # Start of the refresh that the store has not answered yet.
        self._asked_mono: float | None = None
        self._thread = threading.Thread(target=self._main, name=_NAME, daemon=True)

    def start(self) -> None:
        """Start to beat; the incarnation has joined."""
        self._thread.start()

    def end(self) -> Op[bool] | None:
        """End the thread, or leave it to a store that does not answer it.

        Returns:
            The last report of what the lanes have counted; None if there is nothing to tell, or the thread goes on.
        """
        self._ended.set()
        self._look.set()
        self._thread.join(_END_S)
        if self._thread.is_alive():
            return None
        report = self._next_report()
        return None if report is None else self._operations.beat(busy=0, jobs=self._jobs, report=report)

    def watch_lanes(self) -> None:
        """Look at the lanes from now on, until none holds more than it runs. Called by lanes, once per batch."""
        if not self._look.is_set():
            self._look.set()

    @property
    def has_unsettled(self) -> bool:
        """Is there a timed-out job that the store has not taken yet?"""
        return bool(self._overdue)

    def waits_for_store_s(self, now_mono: float) -> float:
        """Return how long the current refresh has been waiting for its answer, in seconds."""
        asked_mono = self._asked_mono
        return 0.0 if asked_mono is None else now_mono - asked_mono

    def _main(self) -> None:
        try:
            self._loop()
        except BaseException as e:  # noqa: BLE001 - logged
            # Without its beat the incarnation would be declared dead while its lanes go on.
            log_failure(log, "beat.crashed", e, level=logging.CRITICAL)
            self._shutdown.request(Reason.CRASHED)

    def _loop(self) -> None:
        due_mono = time.monotonic()
        while not self._ended.is_set():
            now_mono = time.monotonic()
            if now_mono >= due_mono:
                due_mono = now_mono + self._every_s
                self._on_beat()
                self._refresh()
            self._end_overdue(time.monotonic())
            if self._look.wait(self._until_next_s(due_mono)) and not self._ended.wait(LOOK_S):
                # Cleared before the look: a lane that loads a batch meanwhile sets it again.
                self._look.clear()
                if self._relieve_lanes(time.monotonic()):
                    self._look.set()

    def _until_next_s(self, due_mono: float) -> float:
        """Return the time until the next refresh, deadline or end of a grace period, in seconds."""
        now_mono = time.monotonic()
        wait_s = due_mono - now_mono
        for lane in self._lanes:
            over_s = lane.batch.overdue_s(now_mono)
            if over_s is not None and not lane.batch.abandoned:
                wait_s = min(wait_s, self._grace_s - over_s if over_s > 0 else -over_s)
        return max(wait_s, LOOK_S)

    def _refresh(self) -> None:
        busy = sum(lane.state is LaneState.RUNNING for lane in self._lanes)
        busy = min(busy, self._operations.entry.lanes)  # a lane that waits for a job has lent its slot
        jobs = self._jobs
        self._asked_mono = time.monotonic()
        try:
            report = self._next_report()
            alive = self._store.run(self._operations.beat(busy=busy, jobs=jobs, report=report))
            self._reports.answered()
        except StoreError as e:
            self._outage.begin(_NAME, e)
            return
        finally:
            self._asked_mono = None
        self._outage.end(_NAME)
        self._write_logs()
        self._look_for_stops()
        if any(lane.batch.holds_more for lane in self._lanes):
            self.watch_lanes()
        if not alive and not self._shutdown.stop.is_set():
            log.error("actor.declared_dead", extra={"incarnation": self._operations.entry.incarnation})
            self._shutdown.request(Reason.DECLARED_DEAD, stop=True)

    def _next_report(self) -> CountReport | None:
        tallies = [self._tally, *(lane.tally for lane in self._lanes)]
        return self._reports.next(tallies, sum(lane.started for lane in self._lanes))

    @property
    def _jobs(self) -> int:
        return sum(lane.jobs for lane in self._lanes)

    def _write_logs(self) -> None:
        """Write what running scripts have logged since the last refresh."""
        for lane in self._lanes:
            if lane.batch.log.dirty and lane.batch.trips.acquire(blocking=False):
                try:
                    lane.write_log()
                finally:
                    lane.batch.trips.release()

    def _look_for_stops(self) -> None:
        """Cancel the jobs that were asked to stop although no order has come: its answer may have been lost."""
        before_mono = time.monotonic() - self._every_s
        slow = [(lane, job) for lane in self._lanes if (job := lane.batch.running_since(before_mono)) is not None]
        if not slow:
            return
        try:
            asked = self._store.run_many([self._operations.asked_to_stop(job) for _, job in slow])
        except StoreError as e:
            self._outage.begin(_NAME, e)
            return
        for (lane, job), stop in zip(slow, asked, strict=True):
            if stop is True and lane.batch.cancel(job.id, job.attempt):
                log.info("job.stopping", extra={"job": job.id})

    def _relieve_lanes(self, now_mono: float) -> bool:
        """Take away what waits behind slow jobs. Return whether a lane still holds more than it runs."""
        more = False
        for lane in self._lanes:
            batch = lane.batch
            # A lane in the middle of a round trip of its own needs no relief.
            if not batch.holds_more or not batch.trips.acquire(blocking=False):
                continue
            results: list[Settlement] = []
            unstarted: list[ClaimedJob] = []
            slow_s = LED_SLOW_S if batch.is_led else SLOW_S
            try:
                try:
                    if batch.ahead.may_hold and batch.is_slow(now_mono, slow_s):
                        batch.ahead.collect()
                        if batch.ahead.is_lost:
                            self._hand_back_lost(lane)
                    results, unstarted = batch.take_held_up(now_mono, slow_s)
                    if unstarted:
                        self._store.run(self._operations.release(lane.number, unstarted))
                    if results:
                        turn = self._store.run(self._operations.turn(lane.number, results, 0))
                        self._tally.settled(results, turn.refused)
                except StoreError as e:
                    # The next successful refresh tries again, unless the lane's own turn comes first.
                    batch.put_back(results, unstarted)
                    self._outage.begin(_NAME, e)
                    return False
            finally:
                batch.trips.release()
            more = more or batch.holds_more
        return more

    def _hand_back_lost(self, lane: Lane) -> None:
        """Hand back what a turn has claimed whose answer was lost, while the lane runs a slow job."""
        batch = lane.batch
        results, held = batch.take_settled()
        found: list[ClaimedJob] = []
        try:
            turn = self._store.run(self._operations.turn(lane.number, results, MAX_JOBS, (), held=len(held)))
            known = {(job.id, job.attempt) for job in held}
            found = [job for job in turn.jobs if (job.id, job.attempt) not in known]
            self._tally.settled(results, turn.refused)
            results = []
            if found:
                self._store.run(self._operations.release(lane.number, found))
        except StoreError:
            batch.put_back(results, found)
            raise
        batch.ahead.is_lost = False

    def _end_overdue(self, now_mono: float) -> None:
        """Cancel jobs past their deadline. Settle those that do not yield, and have the process replaced."""
        for lane in self._lanes:
            batch = lane.batch
            over_s = batch.overdue_s(now_mono)
            if over_s is None or over_s <= 0 or batch.abandoned:
                continue
            batch.cancel_overdue(now_mono)
            job = batch.abandon_overdue(now_mono, self._grace_s)
            if job is not None:
                log.error("job.stuck", extra={"job": job.id, "lane": lane.number, "overdue_s": round(over_s, 3)})
                took_s = now_mono - batch.started_mono
                self._tally.ran(1, took_s, [took_s])
                self._overdue.append((lane, settle(job, TimedOut(timeout_of(job)))))
                self._shutdown.request(Reason.STUCK)
        self._settle_overdue()

    def _settle_overdue(self) -> None:
        while self._overdue:
            lane, settlement = self._overdue[0]
            with lane.batch.trips:
                results: list[Settlement] = []
                try:
                    lane.batch.ahead.collect()
                    results = lane.batch.take_results()
                    turn = self._store.run(self._operations.turn(lane.number, [*results, settlement], 0))
                    self._tally.settled([*results, settlement], turn.refused)
                except StoreError as e:
                    lane.batch.put_back(results)
                    self._outage.begin(_NAME, e)
                    return
            self._overdue.pop(0)
