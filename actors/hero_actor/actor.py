"""The actor process: starts engine, lanes and beat, watches over them, and ends them in order.

`cli.py` makes one `Actor` and runs it in the main thread, which never talks to the store while lanes run: it reports to
the supervisor even if the store does not answer. It ends the other threads through `ShutdownFlags`.

Order of the end: no lane claims any more; the lanes finish and settle what they run; the beat, which kept the
incarnation alive until then, ends; the incarnation leaves the registry, which hands back what is still claimed in its
name.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from hero_actor.conditions.missing_engine import MissingEnginePolicy
from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import Executor
from hero_actor.lanes.lane import Lane, LaneState
from hero_actor.lanes.lent_slots import MOST_SPARE_LANES, LentSlots
from hero_actor.lanes.quarantine import Quarantine
from hero_actor.lanes.script_access import ScriptAccess
from hero_actor.lanes.spare_lane import SpareLane
from hero_actor.lanes.turns.lead import Lead
from hero_actor.options import ActorOptions
from hero_actor.upkeep.beat import BeatThread
from hero_actor.upkeep.control import ControlSocket, die_with_parent
from hero_actor.upkeep.drain import Drain
from hero_actor.upkeep.kill_leftovers import kill_leftovers
from hero_actor.upkeep.report import lane_report, rss_bytes
from hero_actor.upkeep.report_pace import ReportPace
from hero_actor.upkeep.stop_listener import StopListener
from hero_actor.upkeep.wake_ups import WakeUps
from hero_engine.engine import AsksStore, Engine, OffersFunctions
from hero_engine.errors import EngineUnavailable
from hero_engine.missing import MissingEngine
from hero_engine.registry import load_engine
from hero_job.client.backoff import Backoff
from hero_job.client.store import Store
from hero_job.model.errors import StoreError
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.operations import Op, Operations
from hero_job.tracing.wanted import new_tracer
from hero_process.exit_codes import ProcessExit

log = logging.getLogger(__name__)

#: While draining, idle lanes are woken this often, in seconds: one may have started to block just after the last time.
_DRAIN_LOOK_S = 0.05
#: The store counts as gone when it has owed the beat an answer for this long, in seconds.
_STORE_SILENT_S = 3.0
#: Time limit of the last command, in seconds. If the store does not take it, the end of the lease has the same effect.
_LEAVE_TIMEOUT_S = 2.0

_EXIT_OF: dict[Reason, ProcessExit] = {
    Reason.MAX_JOBS: ProcessExit.REPLACE,
    Reason.MEMORY: ProcessExit.REPLACE,
    Reason.STUCK: ProcessExit.REPLACE,
    Reason.DECLARED_DEAD: ProcessExit.REPLACE,
    Reason.CRASHED: ProcessExit.DEFECT,
    Reason.ENGINE_FOUND: ProcessExit.REPLACE,
}


class Actor:
    """One actor process. Made and run once, in the main thread.

    Args:
        options: The options of the process.

    Raises:
        StoreUrlInvalid: The URL of the store is invalid.
        OSError: The control descriptor is not a socket.
    """

    def __init__(self, options: ActorOptions) -> None:
        self._options = options
        self._shutdown = ShutdownFlags()
        self._outage = StoreOutage()
        self._store = Store(options.redis_url, name=options.incarnation, connect_timeout_s=_STORE_SILENT_S)
        self._control = ControlSocket(options.control_fd) if options.control_fd is not None else None
        self._wake_ups = WakeUps(self._shutdown, self._control)
        self._lanes: list[Lane] = []
        self._report_pace = ReportPace(self._lanes, self._shutdown, self._outage)
        self._lent_slots = LentSlots(options.lanes, self._has_idle_lane, self._start_spare_lane)
        self._lane_options: dict[str, Any] = {}
        self._new_batch: Callable[[], Batch]
        self._ready: dict[str, object] = {}
        self._announced_ready = False
        self._missing_engine: MissingEnginePolicy | None = None
        self._tracer = new_tracer(os.environ, f"hero-actor-{options.script_type.suffix}", options.incarnation)

    def run(self) -> ProcessExit:
        """Run until told to end.

        Returns:
            The exit code. A thread may still be stuck in an engine: the caller must end the process.
        """
        options = self._options
        self._wake_ups.take_signals()
        if self._control is not None:
            die_with_parent()
        engine: Engine
        unavailable = None
        try:
            engine = self._load_engine()
            if isinstance(engine, OffersFunctions):
                engine.give_rights(options.rights)
        except EngineUnavailable as e:
            log.critical("engine.unavailable", extra={"engine": e.name, "reason": e.reason, "remedy": e.remedy})
            if not e.missing:
                return ProcessExit.UNAVAILABLE
            engine, unavailable = MissingEngine(e), str(e)
        operations = self._describe(engine, unavailable)
        if unavailable is not None:
            self._missing_engine = MissingEnginePolicy(
                options.engine,
                options.missing_engine,
                options.look_for_engine_s,
                store=self._store,
                operations=operations,
            )
        by_context = options.script_type if options.by_context else None
        access = ScriptAccess(
            self._store,
            options.namespace,
            operations.retention,
            self._lent_slots,
            by_context,
            max_object_bytes=options.max_object_bytes,
            tracer=self._tracer,
        )
        if isinstance(engine, AsksStore):
            engine.give_access(access)
        quarantine = Quarantine(engine, options.engine, access)
        if not self._join(operations):
            return ProcessExit.OK
        beat = self._start_threads(engine, quarantine, operations)
        # What exists now lives as long as the process: the garbage collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        self._watch(beat)
        last_report = beat.end()
        if self._wake_ups.supervisor_is_gone():
            kill_leftovers(options.incarnation)
        self._leave(operations, last_report)
        if self._tracer is not None:
            self._tracer.close()
        reason = self._shutdown.reason or Reason.SIGNAL
        log.info("actor.ended", extra={"incarnation": options.incarnation, "reason": reason.value})
        return _EXIT_OF.get(reason, ProcessExit.OK)

    def _load_engine(self) -> Engine:
        if self._options.isolation == "thread":
            return load_engine(self._options.engine)
        from hero_engine.isolated import load_isolated_engine

        return load_isolated_engine(self._options.engine)

    # -- start ---------------------------------------------------------------------------------------------------------

    def _describe(self, engine: Engine, unavailable: str | None) -> ActorOperations:
        options = self._options
        entry = ActorEntry(
            incarnation=options.incarnation,
            name=options.name,
            script_type=options.script_type,
            host=os.uname().nodename,
            pid=os.getpid(),
            lanes=options.lanes,
            engine=engine.name,
            engine_version=engine.version,
            group=options.group,
            instance=options.instance,
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            unavailable=unavailable,
            spare_lanes=MOST_SPARE_LANES,
        )
        retention = Retention(
            reply_ttl_s=options.reply_ttl_s,
            result_ttl_s=options.result_ttl_s,
            failure_ttl_s=options.failure_ttl_s,
            max_redeliveries=options.max_redeliveries,
        )
        return ActorOperations(
            entry,
            options.namespace,
            lease_s=options.lease_s,
            retention=retention,
            by_context=options.by_context,
            legacy_queues=options.legacy_queues,
        )

    def _join(self, operations: ActorOperations) -> bool:
        """Enter the registry; wait for the store if it is away. Return False when told to end before that."""
        backoff = Backoff()
        while not self._shutdown.drain.is_set():
            try:
                self._store.run(operations.join())
            except StoreError as e:
                self._outage.begin("join", e)
                self._wake_ups.wait(backoff.next_wait_s())
                self._report()
            else:
                self._outage.end("join")
                return True
        return False

    def _start_threads(self, engine: Engine, quarantine: Quarantine, operations: ActorOperations) -> BeatThread:
        options = self._options
        executor = self._new_executor(engine, quarantine)
        wanted_stops: set[tuple[str, str]] = set()
        beat = BeatThread(
            store=self._store,
            operations=operations,
            lanes=self._lanes,
            shutdown=self._shutdown,
            outage=self._outage,
            grace_s=options.grace_s,
            on_beat=self._report_pace.wake_if_news,
        )
        self._lane_options = {
            "store": self._store,
            "operations": operations,
            "executor": executor,
            "shutdown": self._shutdown,
            "outage": self._outage,
            "on_batch": beat.watch_lanes,
            "give_up_s": options.lease_s,
            "log_dir": options.log_dir,
        }
        self._new_batch = lambda: Batch(
            quarantine.new_run,
            wanted_stops,
            max_log_bytes=options.max_result_bytes,
            hold_s=options.lease_s / 2,
        )
        lead = None
        if options.lanes > 1 and not options.by_context and self._missing_engine is None:
            lead = Lead(self._shutdown.drain.is_set)
        self._lanes += (
            Lane(
                number,
                batch=self._new_batch(),
                missing_engine=self._missing_engine,
                lent_slots=self._lent_slots if options.lanes == 1 else None,
                lead=lead,
                **self._lane_options,
            )
            for number in range(options.lanes)
        )
        self._ready = {
            "incarnation": options.incarnation,
            "lanes": options.lanes,
            "engine": engine.name,
            "engine_version": engine.version,
            "pid": os.getpid(),
            "unavailable": operations.entry.unavailable or "",
        }
        for lane in self._lanes:
            lane.start()
        beat.start()
        StopListener(
            store=self._store,
            operations=operations,
            job_operations=Operations(options.namespace, operations.retention),
            lanes=self._lanes,
            wanted_stops=wanted_stops,
            outage=self._outage,
        ).start()
        return beat

    def _new_executor(self, engine: Engine, quarantine: Quarantine) -> Executor:
        options, tracer = self._options, self._tracer
        arguments = engine, quarantine, options.script_type
        memory_bytes, max_result_bytes = options.memory_bytes, options.max_result_bytes
        if tracer is None:
            return Executor(*arguments, memory_bytes=memory_bytes, max_result_bytes=max_result_bytes)
        from hero_actor.lanes.traced_execute import TracedExecutor

        return TracedExecutor(*arguments, tracer=tracer, memory_bytes=memory_bytes, max_result_bytes=max_result_bytes)

    def _has_idle_lane(self) -> bool:
        return any(lane.state is LaneState.IDLE for lane in self._lanes)

    def _start_spare_lane(self, number: int) -> None:
        lane = SpareLane(
            self._options.lanes + number, lent_slots=self._lent_slots, batch=self._new_batch(), **self._lane_options
        )
        self._lanes.append(lane)
        lane.start()

    # -- watch ---------------------------------------------------------------------------------------------------------

    def _watch(self, beat: BeatThread) -> None:
        """Report, check the quotas and drain when asked to, until the drain is complete."""
        drain = Drain(
            shutdown=self._shutdown,
            store=self._store,
            outage=self._outage,
            lanes=self._lanes,
            beat=beat,
            control=self._control,
            grace_s=self._options.grace_s,
        )
        while True:
            now_mono = time.monotonic()
            self._announce_ready()
            if self._report_pace.due_s(now_mono) <= 0:
                self._report(beat)
                self._report_pace.reported(now_mono)
                self._check_quotas()
                if self._missing_engine is not None and self._missing_engine.engine_found():
                    self._shutdown.request(Reason.ENGINE_FOUND)
            if drain.advance(now_mono):
                return
            with self._report_pace.asleep():
                due_s = self._report_pace.due_s(time.monotonic())
                self._wake_ups.wait(_DRAIN_LOOK_S if self._shutdown.drain.is_set() else due_s)

    def _announce_ready(self) -> None:
        """Say once that jobs run here: the engine is loaded, and each lane has claimed or waits on its queue."""
        if self._announced_ready or not all(lane.turned for lane in self._lanes):
            return
        self._announced_ready = True
        if self._control is not None:
            self._control.send({"event": "ready", **self._ready})
        extra = {"script_type": self._options.script_type.value, "store": self._store.url.shown}
        log.info("actor.ready", extra={**self._ready, **extra})

    def _check_quotas(self) -> None:
        options = self._options
        if options.max_jobs and sum(lane.jobs for lane in self._lanes) >= options.max_jobs:
            self._shutdown.request(Reason.MAX_JOBS)
        if options.max_rss_bytes and rss_bytes() > options.max_rss_bytes:
            self._shutdown.request(Reason.MEMORY)

    def _report(self, beat: BeatThread | None = None) -> None:
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

    # -- end -----------------------------------------------------------------------------------------------------------

    def _leave(self, operations: ActorOperations, last_report: Op[bool] | None) -> None:
        # A store of its own: connections of the other may still wait for an answer that does not come.
        with Store(
            self._options.redis_url, name=self._options.incarnation, connect_timeout_s=_LEAVE_TIMEOUT_S
        ) as store:
            try:
                if last_report is not None:
                    store.run(last_report)
                handed_back, more = 0, True
                while more:
                    recovery = store.run(operations.leave())
                    handed_back, more = handed_back + len(recovery.handed_back), recovery.more
            except StoreError as e:
                log.warning("actor.left_unsaid", extra={"error": str(e), "next": "the lease ends by itself"})
                return
        if handed_back:
            log.info("actor.handed_back", extra={"jobs": handed_back})
