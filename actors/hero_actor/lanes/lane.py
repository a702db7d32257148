"""A lane: one thread that claims, executes, settles, and nothing else.

Idle it blocks on the queue of its type; woken, it takes turns with the store until a turn brings nothing, and blocks
again. A turn settles what was run and claims what to run next, so a busy lane makes one round trip a job, or a batch.

Invariants: a result is kept until the store has answered for it, over any number of broken connections (the store
counts it once); a turn is never made while the beat has results or jobs of this lane on their way (`Batch.trips`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

from hero_actor.conditions.missing_engine import LOOK_S, Absence
from hero_actor.conditions.shutdown_flags import Orders, Reason
from hero_actor.conditions.store_outage import Outage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import Executor, settle, timeout_of
from hero_actor.lanes.log_files import LogPathRefused, append_lines
from hero_actor.lanes.pace import Pace
from hero_engine.engine import TimedOut
from hero_job.client.backoff import Backoff
from hero_job.client.store import Store
from hero_job.model.errors import StoreError
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorOperations, ClaimedJob, Settlement, Turn
from hero_job.operations.operations import Op

log = logging.getLogger(__name__)

T = TypeVar("T")


class LaneState(StrEnum):
    """What a lane does; the supervisor reads it on the control socket."""

    IDLE = "idle"
    RUNNING = "running"
    SETTLING = "settling"
    CONNECTING = "connecting"


class Lane:
    """One lane of an actor.

    Args:
        number: From 0; names its claimed list.
        store: Shared by the actor's lanes; each operation has a connection to itself.
        claims: Of this incarnation.
        executor: Runs the jobs.
        batch: What it holds.
        orders: When to end.
        outage: Where trouble with the store is noted.
        on_batch: Called when it holds more than one job.
        give_up_s: How long it tries to settle its last results when it is to end and the store does not answer; then
            the incarnation is as good as dead and its jobs are given out again.
        log_dir: Folder of the log files that jobs name; "" for none.
        absence: The engine is missing; None when it is there.

    Attributes:
        batch: What it holds.
        state: What it does.
        since_mono: Since when; while it runs jobs, `batch.started_mono` says more.
        jobs: Jobs run so far.
        crashed: A defect ended its thread.
        turned: It has had its first answer from the store: it runs what it has claimed, or waits on its queue.
    """

    __slots__ = (
        "_absence",
        "_backoff",
        "_claims",
        "_executor",
        "_give_up_s",
        "_log_dir",
        "_name",
        "_on_batch",
        "_orders",
        "_outage",
        "_pace",
        "_store",
        "_thread",
        "batch",
        "crashed",
        "jobs",
        "number",
        "since_mono",
        "state",
        "turned",
    )

    def __init__(
        self,
        number: int,
        *,
        store: Store,
        claims: ActorOperations,
        executor: Executor,
        batch: Batch,
        orders: Orders,
        outage: Outage,
        on_batch: Callable[[], None],
        give_up_s: float,
        log_dir: str = "",
        absence: Absence | None = None,
    ) -> None:
        self.number = number
        self.batch = batch
        self.state = LaneState.IDLE
        self.since_mono = time.monotonic()
        self.jobs = 0
        self.crashed = False
        self.turned = False
        self._store = store
        self._claims = claims
        self._executor = executor
        self._orders = orders
        self._outage = outage
        self._on_batch = on_batch
        self._give_up_s = give_up_s
        self._log_dir = log_dir
        self._absence = absence
        self._name = f"lane-{number}"
        self._pace = Pace()
        self._backoff = Backoff()
        # A daemon: a thread that is stuck in an engine must not keep the process from ending.
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Is its thread over, or lost in a job that will not yield?"""
        return self.batch.abandoned or not self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._loop()
        except BaseException:
            # A dead lane is a dead claimed list: the process says so and ends, whoever started it recovers the jobs.
            self.crashed = True
            log.critical("lane.crashed", extra={"lane": self.number}, exc_info=True)
            self._orders.give(Reason.CRASHED)
        finally:
            self._orders.wake()

    def _loop(self) -> None:
        drain = self._orders.drain
        # Not idle at first: jobs may be waiting, and after a broken connection the claimed list may hold some.
        idle = False
        while True:
            try:
                if drain.is_set():
                    if self.batch.has_results and not self.batch.abandoned:
                        self._take_turn(0)
                    return
                if self._absence is not None:
                    if idle:
                        self._move_to(LaneState.IDLE)
                        drain.wait(LOOK_S)
                        if drain.is_set():
                            continue
                elif idle:
                    self._move_to(LaneState.IDLE)
                    # Whether an id came or the time was up: the turn reads it from the claimed list, and looks at the
                    # queues that do not wake a lane. After a drain the id stays in that list; leaving hands it back.
                    self._run(self._claims.take(self.number))
                    if drain.is_set():
                        continue
                    self._pace.pause()
                queues = None if self._absence is None else self._absence.queues()
                turn = self._take_turn(self._pace.next_ask(), queues)
            except StoreError as e:
                idle = False
                if not self._wait_out(e):
                    return
                continue
            if not self.turned:
                self.turned = True
                self._orders.wake()
            if not turn.alive:
                self._orders.give(Reason.DECLARED_DEAD, stop=True)
                return
            if turn.jobs:
                self._work_off(turn.jobs)
                if self.batch.abandoned:
                    return
            idle = not turn.jobs

    def _take_turn(self, max_jobs: int, queues: Sequence[str] | None = None) -> Turn:
        """Settle what was run, claim what to run next.

        Raises:
            StoreError: Nothing is lost: the results are back in the batch.
        """
        with self.batch.trips:
            results = self.batch.take_results()
            if results:
                self._move_to(LaneState.SETTLING)
            try:
                turn = self._run(self._claims.turn(self.number, results, max_jobs, queues))
            except BaseException:
                self.batch.put_back(results)
                raise
        for job_id in turn.refused:
            log.warning("job.result_refused", extra={"job": job_id, "reason": "no longer held by this actor"})
        return turn

    def _run(self, op: Op[T]) -> T:
        answer = self._store.run(op)
        if self._backoff.since_mono is not None:
            self._backoff.reset()
        if self._outage.active:
            self._outage.end(self._name)
        return answer

    def _wait_out(self, error: StoreError) -> bool:
        """Wait before another try. Says no when there is nothing left to try for."""
        self._move_to(LaneState.CONNECTING)
        self._outage.begin(self._name, error)
        wait_s = self._backoff.next_wait_s()
        since_mono = self._backoff.since_mono or 0.0
        if not self._orders.drain.is_set():
            self._orders.drain.wait(wait_s)
            return True
        if not self.batch.has_results:
            return False
        if time.monotonic() - since_mono > self._give_up_s:
            log.error("lane.results_lost", extra={"lane": self.number, "error": str(error)})
            return False
        return not self._orders.stop.wait(wait_s)

    def _work_off(self, jobs: list[ClaimedJob]) -> None:
        batch, execute = self.batch, self._executor.execute
        # A line a job, at ten thousands of jobs a second, is for those who look for something.
        debug = log.isEnabledFor(logging.DEBUG)
        self._move_to(LaneState.RUNNING)
        count = 0
        job = batch.load(jobs)
        if len(jobs) > 1:
            self._on_batch()
        while job is not None:
            result: Settlement | None = execute(job, batch.run, batch.journal)
            count += 1
            if batch.journal.dirty and not batch.abandoned:
                with batch.trips:
                    self.write_log()
            if result is not None and result.status is JobStatus.STOPPED:
                result = self._stopped(job, result)
            if debug:
                log.debug(
                    "job.ran", extra={"job": job.id, "lane": self.number, "status": result and result.status.value}
                )
            job = batch.advance(result)
        self.jobs += count
        if count:
            self._pace.note(count, batch.started_mono - self.since_mono, batch.slowest_s)

    def write_log(self) -> None:
        """Write what the running job has said: before its result, so that who has the one can read the other.

        Called under `batch.trips`, by the lane's own thread or by the beat's.
        """
        words = self.batch.take_words()
        if words is None:
            return
        job, lines, progress = words
        try:
            self._store.run(self._claims.write_log(self.number, job, lines, progress))
        except StoreError as e:
            # The result is worth waiting for a store that is away, what was printed beside it is not.
            log.warning("job.log_lost", extra={"job": job.id, "lines": len(lines), "error": str(e)})
        if job.log_path and self._log_dir and lines:
            try:
                append_lines(self._log_dir, job.log_path, job.id, lines)
            except (LogPathRefused, OSError) as e:
                log.warning("job.log_file_refused", extra={"job": job.id, "error": str(e)})

    def _stopped(self, job: ClaimedJob, result: Settlement) -> Settlement | None:
        """Say why a job was cancelled: its time was up, the actor stops, or somebody stopped the job."""
        if self.batch.out_of_time:
            return settle(job, TimedOut(timeout_of(job)))
        # It did not end by itself: it stays claimed, and leaving hands it back.
        return None if self._orders.stop.is_set() else result

    def _move_to(self, state: LaneState) -> None:
        self.state = state
        self.since_mono = time.monotonic()
