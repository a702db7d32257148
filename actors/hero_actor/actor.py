"""The actor process: brings up engine, presence, lanes and beat, watches over them, and ends them in order.

The main thread owns the signals and the control socket and never talks to the store while lanes run: it reports once a
second whatever the store does. What it decides goes to the other threads through `Orders`.

Order of the end: nothing new is claimed; lanes finish and settle what they run; the beat, which kept the incarnation
alive until then, ends; the incarnation leaves the registry, which hands back what is still claimed in its name.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import time
from collections import deque
from types import FrameType

from hero_actor.conditions.missing_engine import Absence
from hero_actor.conditions.shutdown_flags import Orders, Reason
from hero_actor.conditions.store_outage import Outage
from hero_actor.exits import ExitCode
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import Executor
from hero_actor.lanes.lane import Lane, LaneState
from hero_actor.lanes.script_access import ScriptAccess
from hero_actor.spec import ActorSpec
from hero_actor.upkeep.beat import Beat
from hero_actor.upkeep.control import Control, die_with_parent
from hero_actor.upkeep.kill_leftovers import end_remains
from hero_actor.upkeep.report import lane_report, rss_bytes
from hero_actor.upkeep.stop_listener import Stops
from hero_engine.engine import AsksStore, Engine
from hero_engine.errors import EngineUnavailable
from hero_engine.missing import MissingEngine
from hero_engine.registry import load_engine
from hero_job.client.backoff import Backoff
from hero_job.client.store import Store
from hero_job.model.errors import StoreError
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

#: The supervisor hears from us this often, in seconds.
REPORT_S = 1.0
#: While draining, idle lanes are woken this often, in seconds: one may have begun to block just after the last time.
_DRAIN_LOOK_S = 0.05
#: The store counts as gone when it has owed the beat an answer for this long, in seconds.
_STORE_SILENT_S = 3.0
#: An actor whose supervisor is gone lets its jobs run on for so long, in seconds; then they are handed back, for the
#: actors of the next supervisor. Nobody watches over it now, so it must not stay.
_ORPHAN_S = 1.0
#: And an engine that cannot be cancelled does not keep it longer than this, in seconds.
_ORPHAN_FORCE_S = 0.5
#: How much later than the signal of its death a supervisor's end of the socket closes at most, in seconds.
_SOCKET_CLOSES_S = 0.3
#: For the last command, in seconds. If the store does not take it, our lease's end says the same.
_LEAVE_TIMEOUT_S = 2.0

_EXIT_OF: dict[Reason, ExitCode] = {
    Reason.MAX_JOBS: ExitCode.REPLACE,
    Reason.MEMORY: ExitCode.REPLACE,
    Reason.STUCK: ExitCode.REPLACE,
    Reason.DECLARED_DEAD: ExitCode.REPLACE,
    Reason.CRASHED: ExitCode.CRASHED,
    Reason.ENGINE_FOUND: ExitCode.REPLACE,
}


class Actor:
    """One actor process. Made and run once, in the main thread.

    Args:
        spec: What it is to be.

    Raises:
        StoreUrlInvalid: The store's URL cannot be used.
        OSError: The control descriptor is no socket.
    """

    def __init__(self, spec: ActorSpec) -> None:
        self._spec = spec
        self._orders = Orders()
        self._outage = Outage()
        self._store = Store(spec.redis_url, name=spec.incarnation, connect_timeout_s=_STORE_SILENT_S)
        self._control = Control(spec.control_fd) if spec.control_fd is not None else None
        self._lanes: list[Lane] = []
        self._wanted_stops: set[str] = set()
        self._signals: deque[int] = deque()
        self._interrupts = 0
        self._terminated = False
        self._told_draining = False
        self._ready: dict[str, object] = {}
        self._told_ready = False
        self._absence: Absence | None = None
        self._stopped = False

    def run(self) -> ExitCode:
        """Live until told to end.

        Returns:
            The exit code. Threads that are stuck in an engine may still exist: the caller must end the process.
        """
        self._take_signals()
        if self._control is not None:
            die_with_parent()
        engine: Engine
        unavailable = None
        try:
            engine = load_engine(self._spec.engine)
        except EngineUnavailable as e:
            log.critical("engine.unavailable", extra={"engine": e.name, "reason": e.reason, "remedy": e.remedy})
            if not e.missing:
                return ExitCode.ENGINE_UNAVAILABLE
            engine, unavailable = MissingEngine(e), str(e)
        claims = self._describe(engine, unavailable)
        if unavailable is not None:
            spec = self._spec
            self._absence = Absence(
                spec.engine, spec.missing_engine, spec.look_for_engine_s, store=self._store, claims=claims
            )
        if isinstance(engine, AsksStore):
            engine.give_access(ScriptAccess(self._store, self._spec.namespace, claims.retention))
        if not self._join(claims):
            return ExitCode.DRAINED
        beat = self._start_threads(engine, claims)
        # What was made so far lives as long as the process: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        self._watch(beat)
        beat.end()
        if self._supervisor_is_gone():
            end_remains(self._spec.incarnation)
        self._leave(claims)
        reason = self._orders.reason or Reason.SIGNAL
        log.info("actor.ended", extra={"incarnation": self._spec.incarnation, "reason": reason.value})
        return _EXIT_OF.get(reason, ExitCode.DRAINED)

    # -- beginning -----------------------------------------------------------------------------------------------------

    def _describe(self, engine: Engine, unavailable: str | None) -> ActorOperations:
        spec = self._spec
        entry = ActorEntry(
            incarnation=spec.incarnation,
            name=spec.name,
            script_type=spec.script_type,
            host=os.uname().nodename,
            pid=os.getpid(),
            lanes=spec.lanes,
            engine=engine.name,
            engine_version=engine.version,
            group=spec.group,
            instance=spec.instance,
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            unavailable=unavailable,
        )
        retention = Retention(
            reply_ttl_s=spec.reply_ttl_s,
            result_ttl_s=spec.result_ttl_s,
            failure_ttl_s=spec.failure_ttl_s,
            max_redeliveries=spec.max_redeliveries,
        )
        return ActorOperations(
            entry,
            spec.namespace,
            lease_s=spec.lease_s,
            retention=retention,
            by_context=spec.by_context,
            legacy_queues=spec.legacy_queues,
        )

    def _join(self, claims: ActorOperations) -> bool:
        """Enter the registry, however long the store takes to be there. Says no when told to end before that."""
        backoff = Backoff()
        while not self._orders.drain.is_set():
            try:
                self._store.run(claims.join())
            except StoreError as e:
                self._outage.begin("join", e)
                self._wait_for_events(backoff.next_wait_s())
                self._report()
            else:
                self._outage.end("join")
                return True
        return False

    def _start_threads(self, engine: Engine, claims: ActorOperations) -> Beat:
        spec = self._spec
        executor = Executor(engine, spec.script_type)
        beat = Beat(
            store=self._store,
            claims=claims,
            lanes=self._lanes,
            orders=self._orders,
            outage=self._outage,
            grace_s=spec.grace_s,
        )
        self._lanes += (
            Lane(
                number,
                store=self._store,
                claims=claims,
                executor=executor,
                batch=Batch(engine.new_run, self._wanted_stops),
                orders=self._orders,
                outage=self._outage,
                on_batch=beat.look_in,
                give_up_s=spec.lease_s,
                log_dir=spec.log_dir,
                absence=self._absence,
            )
            for number in range(spec.lanes)
        )
        self._ready = {
            "incarnation": spec.incarnation,
            "lanes": spec.lanes,
            "engine": engine.name,
            "engine_version": engine.version,
            "pid": os.getpid(),
            "unavailable": claims.entry.unavailable or "",
        }
        for lane in self._lanes:
            lane.start()
        beat.start()
        Stops(
            store=self._store,
            claims=claims,
            operations=Operations(spec.namespace, claims.retention),
            lanes=self._lanes,
            wanted=self._wanted_stops,
            outage=self._outage,
        ).start()
        return beat

    # -- watching ------------------------------------------------------------------------------------------------------

    def _watch(self, beat: Beat) -> None:
        """Report, obey and judge until all lanes have ended."""
        report_mono = time.monotonic()
        give_up_mono: float | None = None
        orphan_mono: float | None = None
        while True:
            now_mono = time.monotonic()
            self._tell_ready()
            if self._control is not None and self._control.lost:
                orphan_mono = orphan_mono or now_mono
                if now_mono - orphan_mono > _ORPHAN_S:
                    self._orders.give(Reason.CONTROL_LOST, stop=True)
            if now_mono >= report_mono:
                report_mono = now_mono + REPORT_S
                self._report(beat)
                self._check_quotas()
                if self._absence is not None and self._absence.is_over():
                    self._orders.give(Reason.ENGINE_FOUND)
            if self._orders.drain.is_set():
                if give_up_mono is None and self._orders.stop.is_set():
                    give_up_mono = now_mono + (_ORPHAN_FORCE_S if orphan_mono else self._spec.grace_s)
                if self._finish_drain(beat, forced=give_up_mono is not None and now_mono > give_up_mono):
                    return
                self._wait_for_events(_DRAIN_LOOK_S)
            else:
                self._wait_for_events(report_mono - now_mono)

    def _tell_ready(self) -> None:
        """Say once that jobs run here: the engine is loaded, and each lane has claimed or waits on its queue."""
        if self._told_ready or not all(lane.turned for lane in self._lanes):
            return
        self._told_ready = True
        if self._control is not None:
            self._control.send({"event": "ready", **self._ready})
        extra = {"script_type": self._spec.script_type.value, "store": self._store.url.shown}
        log.info("actor.ready", extra={**self._ready, **extra})

    def _finish_drain(self, beat: Beat, *, forced: bool) -> bool:
        """Press on with the drain. Says whether it is complete."""
        orders = self._orders
        if not self._told_draining and orders.reason is not None:
            self._told_draining = True
            busy = sum(lane.state is LaneState.RUNNING for lane in self._lanes)
            log.info("actor.draining", extra={"reason": orders.reason.value, "running": busy})
            if self._control is not None:
                self._control.send({"event": "draining", "reason": orders.reason.value})
        if orders.stop.is_set() and not self._stopped:
            self._stopped = True
            for lane in self._lanes:
                lane.batch.stop()
        if all(lane.ended for lane in self._lanes):
            # A timed-out job that the store has not taken is worth waiting for, as long as there is a store.
            if not beat.has_unsettled or self._outage.active:
                return True
        elif forced:
            log.error("actor.forced", extra={"lanes": sum(not lane.ended for lane in self._lanes)})
            return True
        elif any(lane.state is LaneState.IDLE for lane in self._lanes):
            with contextlib.suppress(StoreError):  # the lanes hear of it too
                self._store.unblock()
        return False

    def _check_quotas(self) -> None:
        spec = self._spec
        if spec.max_jobs and sum(lane.jobs for lane in self._lanes) >= spec.max_jobs:
            self._orders.give(Reason.MAX_JOBS)
        if spec.max_rss_bytes and rss_bytes() > spec.max_rss_bytes:
            self._orders.give(Reason.MEMORY)

    def _report(self, beat: Beat | None = None) -> None:
        if self._control is None:
            return
        now_mono = time.monotonic()
        silent_s = beat.waits_for_store_s(now_mono) if beat is not None else 0.0
        self._control.send(
            {
                "event": "beat",
                "lanes": [lane_report(lane, now_mono) for lane in self._lanes],
                "rss_bytes": rss_bytes(),
                "jobs": sum(lane.jobs for lane in self._lanes),
                "store_up": not self._outage.active and silent_s < _STORE_SILENT_S,
            }
        )

    # -- events --------------------------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        # The wake-up pipe ends the poll; Python runs the handler in this thread right after it.
        # Source: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
        signal.set_wakeup_fd(self._orders.wake_write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Nothing else: this may interrupt the main thread while it holds a lock of the orders.
        self._signals.append(number)

    def _obey_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            self._interrupts += number == signal.SIGINT
            self._terminated = self._terminated or number == signal.SIGTERM
            self._orders.give(Reason.SIGNAL, stop=self._interrupts >= 2)

    def _wait_for_events(self, wait_s: float) -> None:
        """Wait for a signal, a thread's word or the supervisor's, or until the time is up; act on what came."""
        poll = select.poll()
        poll.register(self._orders.wake_read_fd, select.POLLIN)
        control = self._control
        if control is not None and not control.lost:
            poll.register(control.fileno(), select.POLLIN)
        poll.poll(max(0.0, wait_s) * 1000)
        self._orders.clear_wake()
        self._obey_signals()
        if control is None:
            return
        for message in control.receive():
            command = message.get("command")
            if command in ("drain", "stop"):
                self._orders.give(Reason.CONTROL, stop=command == "stop")
            else:
                log.warning("control.unknown_command", extra={"command": str(command)})
        if control.lost:  # found by reading now, or by the last report
            self._orders.give(Reason.CONTROL_LOST)

    # -- end -----------------------------------------------------------------------------------------------------------

    def _supervisor_is_gone(self) -> bool:
        control = self._control
        if control is None:
            return False
        if self._terminated and not control.lost:
            # Perhaps by the kernel, for our parent's death. It sends that when the parent's first thread ends, and
            # closes the socket when the last one does, a little later.
            poll = select.poll()
            poll.register(control.fileno(), select.POLLIN)
            poll.poll(_SOCKET_CLOSES_S * 1000)
            control.receive()
        return control.lost

    def _leave(self, claims: ActorOperations) -> None:
        # A store of its own: connections of the other may still be waiting for an answer that does not come.
        with Store(self._spec.redis_url, name=self._spec.incarnation, connect_timeout_s=_LEAVE_TIMEOUT_S) as store:
            try:
                recovery = store.run(claims.leave())
            except StoreError as e:
                log.warning("actor.left_unsaid", extra={"error": str(e), "next": "the lease ends by itself"})
                return
        if recovery.handed_back:
            log.info("actor.handed_back", extra={"jobs": len(recovery.handed_back)})
