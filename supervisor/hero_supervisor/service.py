"""The whole service in one object: store, recovery, actor processes, RPC.

Owned here: the parts of a running service, and the order in which they start and end. `hero-supervisor`,
`hero-unix-server` and `scripts/run` all run this. Invariants: every part that was started is ended, even when a later
part fails to start; requests are refused before the actors drain; the store ends last, since draining actors still
write to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hero_client import SupervisorBuilder
from hero_config.logs import targets as log_targets
from hero_config.model.settings import Settings
from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.client.url import with_wait_replicas
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.events import Events
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedules
from hero_job.operations.store_clock import ClockWatch
from hero_job.tracing.wanted import new_tracer
from hero_process.defects import log_failure
from hero_process.exit_codes import ProcessExit
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.orphans import Orphans
from hero_supervisor.children.pings import Pings
from hero_supervisor.children.supervise import Supervision, host_name
from hero_supervisor.fleet.fleet import Fleet, FleetChanges
from hero_supervisor.fleet.reload import ConfigReload
from hero_supervisor.fleet.scaler import Scaler
from hero_supervisor.fleet.signals import fleet_signals
from hero_supervisor.limits import job_limits, retention
from hero_supervisor.process.spec import actor_specs
from hero_supervisor.rpc.servers import Server, make_servers
from hero_supervisor.service_status import ServiceStatus
from hero_supervisor.store.embedded import EmbeddedStore
from hero_supervisor.store.store_warnings import inspect_store
from hero_supervisor.store.watch import StoreWatch
from hero_supervisor.systemd.activation import take_sockets
from hero_supervisor.systemd.notify import Notifier
from hero_supervisor.upkeep.actor_events import ActorEvents
from hero_supervisor.upkeep.damage_watch import DamageWatch
from hero_supervisor.upkeep.due_jobs import DueJobs
from hero_supervisor.upkeep.foreign_ends import ForeignEnds
from hero_supervisor.upkeep.recovery import JobRecovery

if TYPE_CHECKING:
    from hero_job.tracing.job_tracer import JobTracer

log = logging.getLogger(__name__)

#: READY is sent after this many seconds even when actors are not ready. A crash loop, or a store that is away, must not
#: keep the service manager waiting until it gives up.
_READY_WAIT_S = 30.0


class Service:
    """A supervisor with everything that its settings ask for.

    Args:
        settings: All settings.
        environ: The environment for actors and service manager; that of this process when None.
        load: Loads the settings again from their sources; None when they cannot change.
        owns_process: This process is nothing but the service, so the service ends everything its actors leave behind.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        load: Callable[[], Settings] | None = None,
        owns_process: bool = False,
    ) -> None:
        self.settings = settings
        self._load = load
        self._environ = os.environ if environ is None else environ
        self._notifier = Notifier(self._environ)
        self._status = ServiceStatus(self._notifier, lambda: self._supervision.phases() if self._supervision else ())
        self._watch: StoreWatch | None = None
        self._supervision: Supervision | None = None
        self._fleet: Fleet | None = None
        self._orphans = Orphans(self._processes, self._other_pids) if owns_process else None
        self._started = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._defect: BaseException | None = None
        self._ends = contextlib.AsyncExitStack()

    @property
    def redis_url(self) -> str:
        """Where the store is: the configured URL, or that of the embedded store."""
        store = self.settings.store
        if store.redis_url:
            return with_wait_replicas(store.redis_url, store.wait_replicas)
        return self._watch.store.url if self._watch else ""

    def children(self) -> tuple[ChildView, ...]:
        """Show the actor processes as they are now."""
        return self._supervision.children() if self._supervision else ()

    # Start, run, stop

    async def start(self) -> None:
        """Start everything. Call it in the main thread. When it raises, nothing is left running.

        Raises:
            EmbeddedStoreError: The embedded store does not come up.
            StoreUrlInvalid: The configured URL cannot be used.
            OSError: The RPC socket or port cannot be made.
        """
        try:
            await self._start()
        except BaseException:
            await self._ends.aclose()
            raise
        self._started.set()

    async def ready(self) -> tuple[ChildView, ...]:
        """Wait until each actor takes jobs, cannot start, or has crashed more than once.

        Returns:
            The actors at that moment. One whose phase is not `running` needs an operator's attention.
        """
        await self._started.wait()
        assert self._supervision is not None
        return await self._supervision.settled()

    async def stop(self, *, now: bool = False) -> None:
        """End everything: refuse requests; drain, terminate and kill the actors; then end the store.

        Args:
            now: Give running jobs no time; they are handed back.
        """
        self._notifier.stopping()
        if now:
            self.ask_to_stop(now=True)
        log.info("service.stopping", extra={"shutdown_s": 0 if now else self.settings.supervisor.shutdown_s})
        await self._ends.aclose()
        log.info("service.stopped")

    def ask_to_stop(self, *, now: bool = False) -> None:
        """Have `run` end. A second call, or one with `now`, gives running jobs no time."""
        if now or self._stop_asked.is_set():
            self._stop_now.set()
        self._stop_asked.set()

    async def run(self) -> ProcessExit:
        """Start, serve until TERM, INT or `ask_to_stop`, and end everything.

        Returns:
            The exit code of the program: 0; 70 when a defect has ended the service; 74 when the embedded store could
            not write to its disk what it had acknowledged.

        Raises:
            EmbeddedStoreError: The embedded store does not come up.
            StoreUrlInvalid: The configured URL cannot be used.
            OSError: The RPC socket or port cannot be made.
        """
        with self._signals_taken():
            serving = asyncio.create_task(self._serve())
            asked = asyncio.create_task(self._stop_asked.wait())
            try:
                await asyncio.wait((serving, asked), return_when=asyncio.FIRST_COMPLETED)
            finally:  # also when this is cancelled
                asked.cancel()
                serving.cancel()
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        await serving
                    await self.stop()
                finally:
                    self._notifier.close()
        if self._watch is not None and self._watch.unwritten_bytes:
            return ProcessExit.NOT_WRITTEN
        return ProcessExit.DEFECT if self._defect else ProcessExit.OK

    @contextlib.contextmanager
    def _signals_taken(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGUSR1, log_targets.reopen)
        try:
            with fleet_signals(lambda: None if self._stop_asked.is_set() else self._fleet):
                yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)

    async def _serve(self) -> None:
        """Start, report that the service is up, and go on until cancelled. Returns early only if the start fails."""
        await self.start()
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the result.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_WAIT_S):
                await self.ready()
        self._status.ready("embedded" if self._watch else "external")
        await asyncio.Event().wait()

    # The parts, in the order in which they start. `_ends` ends them in the opposite order.

    async def _start(self) -> None:
        # The sockets belong to this process, even when `environ` is another environment. They come first, so that
        # nothing that is started later inherits them.
        passed = take_sockets(os.environ)
        self._ends.callback(passed.close)
        settings = self.settings.model_copy(update={"rpc": passed.applied_to(self.settings.rpc)})
        if not settings.store.redis_url:
            self._watch = StoreWatch(EmbeddedStore.configured(settings.embedded))
            # Registered before the store starts: it may read its data for minutes, and may be told to end meanwhile.
            self._ends.push_async_callback(self._watch.stop)
            self._guard(await self._watch.start())
        store = AsyncStore(self.redis_url, connect_timeout_s=settings.store.connect_timeout_s)
        self._ends.push_async_callback(store.aclose)
        namespace, keeps = settings.store.namespace, retention(settings.jobs)
        operations = Operations(namespace, keeps)
        recovery = self._start_upkeep(settings, store, operations)
        # It is closed after the servers that use it, so that clients waiting for running jobs get their answers.
        client = (
            SupervisorBuilder()
            .redis_url(self.redis_url)
            .namespace(namespace)
            .limits(job_limits(settings.jobs))
            .retention(keeps)
            .build_async()
        )
        self._ends.push_async_callback(client.aclose)
        supervision, fleet = self._start_actors(settings, store, recovery)
        self._run_in_background("scaler", Scaler(store, operations, fleet).run())
        pings = Pings(
            store,
            operations,
            Recoveries(namespace, keeps),
            children=supervision.children,
            silent=supervision.silent,
            idle_s=settings.supervisor.ping_idle_s,
            wait_s=settings.supervisor.ping_wait_s,
        )
        self._run_in_background("pings", pings.run())
        servers: list[Server] = []
        self._ends.push_async_callback(self._stop_serving, supervision, servers)
        free = self._watch.disk_free if self._watch is not None else None
        for server in make_servers(client, settings, passed, free, fleet=fleet, tracer=self._new_tracer()):
            servers.append(server)  # before it starts: a server that is told to end while it starts must be closed too
            await server.start()

    def _new_tracer(self) -> JobTracer | None:
        tracer = new_tracer(self._environ, "hero-supervisor", f"{host_name()}/{os.getpid()}")
        if tracer is not None:
            self._ends.push_async_callback(asyncio.to_thread, tracer.close)
        return tracer

    def _start_upkeep(self, settings: Settings, store: AsyncStore, operations: Operations) -> JobRecovery:
        namespace, supervisor = settings.store.namespace, settings.supervisor
        recoveries = Recoveries(namespace, retention(settings.jobs))
        recovery = JobRecovery(store, recoveries, every_s=supervisor.sweep_s, lease_s=supervisor.lease_s)
        self._ends.push_async_callback(recovery.close)
        self._run_in_background("sweep", recovery.run())
        self._run_in_background("inspect", inspect_store(store, operations), required=False)
        clock, limits = ClockWatch(namespace), job_limits(settings.jobs)
        due_jobs = DueJobs(store, operations, Schedules(namespace), limits=limits, clock=clock)
        self._run_in_background("clock", due_jobs.run())
        self._run_in_background("damage", DamageWatch(store, operations).run())
        self._run_in_background("foreign-ends", ForeignEnds(store, operations).run())
        return recovery

    def _start_actors(self, settings: Settings, store: AsyncStore, recovery: JobRecovery) -> tuple[Supervision, Fleet]:
        if (orphans := self._orphans) is not None:
            orphans.adopt()
            self._ends.push_async_callback(orphans.close)
        events = ActorEvents(store, Events(settings.store.namespace), host_name())
        self._run_in_background("news", events.run())
        self._supervision = supervision = Supervision(
            recovery,
            on_tick=self._on_tick,
            environ=self._environ,
            on_exit=orphans.look if orphans is not None else lambda: None,
            tell=events.add,
            fork_from=settings.supervisor.fork_from if orphans is not None and orphans.adopts else 0,
        )
        self._ends.callback(supervision.logs.close)
        reload = ConfigReload(self._load, self._notifier, lambda: self.settings, self._take) if self._load else None
        self._fleet = fleet = Fleet(supervision, reload=reload)
        fleet.apply(actor_specs(settings, self.redis_url))
        self._guard(supervision.start())
        return supervision, fleet

    def _take(self, settings: Settings) -> FleetChanges:
        """Go on with other settings. They differ only in what a running service can change."""
        assert self._fleet is not None
        self.settings = settings
        try:
            log_targets.configure(settings.supervisor)
        except OSError as e:
            log_failure(log, "log.not_changed", e, log_to=settings.supervisor.log_to)
        return self._fleet.apply(actor_specs(settings, self.redis_url))

    async def _stop_serving(self, supervision: Supervision, servers: list[Server]) -> None:
        # Simultaneously: a client that waits for a running job gets its answer while the actor drains.
        await asyncio.gather(*(server.close() for server in servers), self._stop_children(supervision))

    async def _stop_children(self, supervision: Supervision) -> None:
        draining = asyncio.create_task(supervision.stop())
        hurried = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            await supervision.stop(now=True)
        hurried.cancel()
        await draining

    # Background tasks

    def _run_in_background(self, name: str, coroutine: Coroutine[Any, Any, None], *, required: bool = True) -> None:
        """Run a coroutine until the service ends.

        Args:
            name: Names the task in the log.
            coroutine: What to run.
            required: An exception in it ends the service.
        """
        task = asyncio.create_task(coroutine, name=name)
        self._ends.push_async_callback(end_task, task)
        if required:
            self._guard(task)
        else:
            task.add_done_callback(_tell_failure)

    def _guard(self, task: asyncio.Task[None]) -> None:
        """End the service when a task fails: half a service is worse than one that is restarted."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (defect := task.exception()) is not None:
                log_failure(log, "service.task_ended", defect, level=logging.CRITICAL, task=task.get_name())
                self._defect = defect
                self.ask_to_stop()

        task.add_done_callback(ended)

    def _on_tick(self) -> None:
        if self._orphans is not None:
            self._orphans.look()
        self._status.tick()

    def _processes(self) -> dict[int, str]:
        return self._supervision.processes() if self._supervision else {}

    def _other_pids(self) -> tuple[int, ...]:
        forks = self._supervision.fork_server_pid() if self._supervision else None
        return tuple(pid for pid in (self._watch.store.pid if self._watch else None, forks) if pid is not None)


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Log the defect that has ended a task which the service can do without. Otherwise nobody would hear of it."""
    if not task.cancelled() and (defect := task.exception()) is not None:
        log_failure(log, "service.task_failed", defect, task=task.get_name())
