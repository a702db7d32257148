"""A lane: one thread that claims jobs, runs them, and settles them.

An idle lane blocks on the queue of its script type. When a job wakes it, it takes turns with the store until a turn
brings no job, and blocks again. A turn (`turns/lane_turns.py`) settles the finished jobs and claims the next ones, so a
busy lane makes one round trip per job or per batch. While jobs are fast and the queue is full, a turn of an only lane
is on its way while it runs its batch (`turns/ahead.py`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from hero_actor.conditions.missing_engine import LOOK_S, MissingEnginePolicy
from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import Executor, settle, timeout_of
from hero_actor.lanes.lent_slots import LentSlots
from hero_actor.lanes.log_files import LogPathRefused, append_lines
from hero_actor.lanes.pace import Pace
from hero_actor.lanes.turns.lane_turns import LaneTurns
from hero_actor.lanes.turns.lead import Lead, LeadPlace
from hero_engine.engine import TimedOut
from hero_job.client.store import Store
from hero_job.model.errors import StoreError
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorOperations, ClaimedJob, Settlement, Turn
from hero_process.defects import log_failure

log = logging.getLogger(__name__)

#: A larger result is settled before the next job of its batch runs, so that large results never add up.
_LARGE_CHARS = 256 * 1024


class LaneState(StrEnum):
    """What a lane is doing; the supervisor reads the value on the control socket."""

    IDLE = "idle"
    RUNNING = "running"
    SETTLING = "settling"
    CONNECTING = "connecting"
    SPARE = "spare"


class Lane:
    """One lane of an actor.

    Args:
        number: From 0; part of the name of its claimed list.
        store: Shared by the actor's threads; each operation has a connection of its own.
        operations: Operations of this incarnation.
        executor: Runs the jobs.
        batch: Holds its jobs and results.
        shutdown: Tells it when to end.
        outage: Where it reports trouble with the store.
        on_batch: Called when it holds more than one job.
        give_up_s: How long a lane that must end tries to settle its last results while the store is unreachable, in
            seconds. Afterwards the incarnation counts as dead and its jobs are redelivered.
        log_dir: Folder for the log files that jobs ask for; "" to write none.
        missing_engine: What to do while the engine is missing; None when there is an engine.
        lent_slots: The loans of lanes whose scripts wait.
        lead: Lets one lane claim for all; None if each does so for itself.

    Attributes:
        batch: Holds its jobs and results.
        state: What it is doing.
        since_mono: Start of that state. While it runs jobs, `batch.started_mono` is more precise.
        jobs: Number of jobs run so far.
        crashed: A defect ended its thread.
        tally: What it has counted.
        turned: The store has answered its first turn: it runs what it claimed, or waits on its queue.
    """

    __slots__ = (
        "_executor",
        "_give_up_s",
        "_goes_ahead",
        "_lent_slots",
        "_log_dir",
        "_missing_engine",
        "_name",
        "_on_batch",
        "_operations",
        "_outage",
        "_pace",
        "_place",
        "_shutdown",
        "_store",
        "_thread",
        "_turns",
        "batch",
        "crashed",
        "jobs",
        "number",
        "since_mono",
        "state",
        "tally",
        "turned",
    )

    def __init__(
        self,
        number: int,
        *,
        store: Store,
        operations: ActorOperations,
        executor: Executor,
        batch: Batch,
        shutdown: ShutdownFlags,
        outage: StoreOutage,
        on_batch: Callable[[], None],
        give_up_s: float,
        log_dir: str = "",
        missing_engine: MissingEnginePolicy | None = None,
        lent_slots: LentSlots | None = None,
        lead: Lead | None = None,
    ) -> None:
        self.number = number
        self.batch = batch
        self.state = LaneState.IDLE
        self.since_mono = time.monotonic()
        self.jobs = 0
        self.crashed = False
        self.turned = False
        self._store = store
        self._operations = operations
        self._executor = executor
        self._shutdown = shutdown
        self._outage = outage
        self._on_batch = on_batch
        self._give_up_s = give_up_s
        self._log_dir = log_dir
        self._missing_engine = missing_engine
        self._lent_slots = lent_slots
        self._place = None if lead is None else LeadPlace(lead, batch)
        # Several lanes keep the store busy without this. With `by_context`, a job behind those that the lane runs may
        # not start before they have ended.
        self._goes_ahead = operations.entry.lanes == 1 and not operations.by_context and missing_engine is None
        self._name = f"lane-{number}"
        self._pace = Pace()
        self._turns = LaneTurns(number, store=store, operations=operations, batch=batch, outage=outage)
        self.tally = self._turns.tally
        # A daemon thread: one that is stuck in an engine must not keep the process from ending.
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)

    @property
    def started(self) -> int:
        """How many runs have begun so far; may fall by one for a moment."""
        return self.jobs + (self.batch.running is not None)

    def start(self) -> None:
        """Start to claim jobs."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Has its thread ended, or is it lost in a job that does not yield?"""
        return self.batch.abandoned or not self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._loop()
        except BaseException as e:  # noqa: BLE001 - logged
            # Nobody would serve this lane's claimed list any more, so the process ends and its jobs are recovered.
            self.crashed = True
            log_failure(log, "lane.crashed", e, level=logging.CRITICAL, lane=self.number)
            self._shutdown.request(Reason.CRASHED)
        finally:
            self._shutdown.wake()

    def _loop(self) -> None:
        # The first round does not block: jobs may be queued, and after a broken connection some may be claimed.
        idle = is_full = has_looked = False
        place = self._place
        while True:
            try:
                # After trouble or a freeze the lane looks at its claimed list first.
                if place is not None and has_looked and not place.may_claim():
                    self._follow(place)
                    idle = False
                ahead = self._turns.take_ahead(self._ask_ahead() if is_full else 0)
                if ahead is not None:
                    turn, is_full = ahead.turn, ahead.is_full
                else:
                    if self._must_end():
                        return
                    if idle and not self._await_jobs():
                        idle = False
                        continue
                    queues = None if self._missing_engine is None else self._missing_engine.queues()
                    asked = self._pace.next_ask()
                    turn = self._take_turn(asked, queues)
                    is_full = len(turn.jobs) == asked and not turn.refused
            except StoreError as e:
                idle = has_looked = False
                if not self._wait_out(e):
                    return
                continue
            if not self.turned:
                self.turned = True
                self._shutdown.wake()
            if not turn.alive:
                self._shutdown.request(Reason.DECLARED_DEAD, stop=True)
                return
            if turn.jobs:
                self._go_ahead(turn.jobs, is_full=is_full)
                self._run_jobs(turn, is_full=is_full)
                if self.batch.abandoned:
                    return
            # The claimed list is read a turn at a time, so what came from there need not be all of it.
            has_looked = not self.batch.ahead.is_lost and all(job.queued_at is not None for job in turn.jobs)
            idle = ahead is None and not turn.jobs

    def _follow(self, place: LeadPlace) -> None:
        # Another lane claims for all, until this one must look for jobs itself.
        if self.batch.has_results:
            self._take_turn(0)
        self._move_to(LaneState.IDLE)
        self._pace.expect(place.follow())

    def _must_end(self) -> bool:
        """Let others go on if the lane must step aside. Return whether it ends, after it has settled its results.

        Raises:
            StoreError: The store did not answer; the results are back in the batch.
        """
        lent, drain = self._lent_slots, self._shutdown.drain
        if lent is not None and lent.overdrawn:
            self._take_turn(0)
            self._move_to(LaneState.SPARE)
            lent.step_aside(drain.is_set)
        if not drain.is_set():
            return False
        if self.batch.has_results and not self.batch.abandoned:
            self._take_turn(0)
        return True

    def _await_jobs(self) -> bool:
        """Block until there may be jobs. Return False if the lane must end, or step aside, before it takes one.

        Raises:
            StoreError: The store did not answer.
        """
        self._move_to(LaneState.IDLE)
        drain = self._shutdown.drain
        if self._missing_engine is not None:
            drain.wait(LOOK_S)
            return not drain.is_set()
        # The turn that follows reads the id from the claimed list; it also looks at the queues that do not wake a lane.
        # After a drain the id stays in the claimed list, and leaving the registry hands it back.
        if not self._rest() or drain.is_set():
            return False
        if not self.batch.is_led:
            self._pace.pause()
        return True

    def _ask_ahead(self) -> int:
        """Say how many jobs a turn should claim that is sent before they are needed; 0 for no such turn."""
        if not self._goes_ahead or self._shutdown.drain.is_set():
            return 0
        return 0 if self._lent_slots is not None and self._lent_slots.overdrawn else self._pace.next_ask_ahead()

    def _go_ahead(self, held: Sequence[ClaimedJob], *, is_full: bool) -> None:
        """Send the next turn before its jobs are needed, if more jobs wait in the queue, or results to be settled.

        Args:
            held: The jobs that the lane is about to run.
            is_full: They are as many as it wanted, so more of them may wait.
        """
        ahead = self.batch.ahead
        ahead.held = held
        # The lane holds these jobs, but runs none of them yet, so the beat reads no answers now.
        if not ahead.pending:
            max_jobs = self._ask_ahead() if is_full else 0
            if max_jobs or self.batch.has_results:
                self._turns.send_ahead(held, max_jobs)
        if ahead.may_hold:
            self._on_batch()

    def _rest(self) -> bool:
        """Block on the queue. Return False if the lane must step aside before it takes a job."""
        take = self._operations.take(self.number)
        lent = self._lent_slots
        if lent is None:
            with contextlib.nullcontext() if self._place is None else self._place.resting():
                self._turns.run(take)
            return True
        lent.rest()
        try:
            self._turns.run(take)
        finally:
            goes_on = lent.resume()
        return goes_on

    def _take_turn(self, max_jobs: int, queues: Sequence[str] | None = None) -> Turn:
        """Settle the results and claim the next jobs.

        Raises:
            StoreError: The store did not answer; the results are back in the batch.
        """
        if self.batch.has_results:
            self._move_to(LaneState.SETTLING)
        return self._turns.take(max_jobs, queues)

    def _wait_out(self, error: StoreError) -> bool:
        """Wait before another try. Return False when there is nothing left to try."""
        self._move_to(LaneState.CONNECTING)
        self._outage.begin(self._name, error)
        wait_s = self._turns.backoff.next_wait_s()
        if not self._shutdown.drain.is_set():
            self._shutdown.drain.wait(wait_s)
            return True
        if not self.batch.has_results:
            return False
        if time.monotonic() - (self._turns.backoff.since_mono or 0.0) > self._give_up_s:
            log.error("lane.results_lost", extra={"lane": self.number, "error": str(error)})
            return False
        return not self._shutdown.stop.wait(wait_s)

    def _run_jobs(self, turn: Turn, *, is_full: bool = False) -> None:
        jobs = turn.jobs
        batch, execute = self.batch, self._executor.execute
        self.tally.claimed(jobs, turn.at)
        # At ten thousand jobs per second even the call of a disabled logger costs.
        debug = log.isEnabledFor(logging.DEBUG)
        self._move_to(LaneState.RUNNING)
        count, began_mono = 0, self.since_mono
        job = batch.load(jobs)
        if len(jobs) > 1:
            self._on_batch()
        while job is not None:
            result: Settlement | None = execute(job, batch.run, batch.log)
            count += 1
            if batch.log.dirty and not batch.abandoned:
                with batch.trips:
                    self.write_log()
            if result is not None and result.status is JobStatus.STOPPED:
                result = self._explain_stop(job, result)
            elif result is not None and len(result.output) > _LARGE_CHARS:
                self._settle_early(result)
                result = None
            if debug:
                log.debug(
                    "job.ran", extra={"job": job.id, "lane": self.number, "status": result and result.status.value}
                )
            job = batch.advance(result)
        self.jobs += count
        if count:
            took_s = batch.started_mono - began_mono
            if not batch.abandoned:  # otherwise the beat has counted the run
                self.tally.ran(count, took_s, batch.slow_s)
            self._pace.note(count, took_s, batch.slowest_s)
            if self._place is not None:
                self._place.ran(count, took_s, is_full=is_full and self._pace.is_at_most)

    def _settle_early(self, result: Settlement) -> None:
        """Settle a large result, and those before it. While the store is away, they wait in the batch."""
        self.batch.hold(result)
        with contextlib.suppress(StoreError):
            self._take_turn(0)
        self._move_to(LaneState.RUNNING)

    def write_log(self) -> None:
        """Write what the running job has logged.

        Called under `batch.trips`, by the lane's own thread or by the beat's. The lane writes the log before the
        result, so that a client that has the result can read the log.
        """
        part = self.batch.take_log()
        if part is None:
            return
        job, lines, progress = part
        try:
            self._store.run(self._operations.write_log(self.number, job, lines, progress))
        except StoreError as e:
            # Log lines are dropped while the store is away; only results wait for it.
            log.warning("job.log_lost", extra={"job": job.id, "lines": len(lines), "error": str(e)})
        if job.log_path and self._log_dir and lines:
            try:
                append_lines(self._log_dir, job.log_path, job.id, lines)
            except (LogPathRefused, OSError) as e:
                log.warning("job.log_file_refused", extra={"job": job.id, "error": str(e)})

    def _explain_stop(self, job: ClaimedJob, result: Settlement) -> Settlement | None:
        """Say why a job was cancelled: its deadline passed, the actor stops, or somebody stopped the job."""
        if self.batch.out_of_time:
            return settle(job, TimedOut(timeout_of(job)))
        # When the actor stops, the job stays claimed, and leaving the registry hands it back.
        return None if self._shutdown.stop.is_set() else result

    def _move_to(self, state: LaneState) -> None:
        self.state = state
        self.since_mono = time.monotonic()
