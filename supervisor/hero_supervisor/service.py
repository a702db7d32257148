"""The whole service in one object: store, recovery, actor processes, RPC; started in this order and ended in the other.

Owned here: what belongs to a running service and the order of its start and end. The programs `hero-supervisor`,
`hero-unix-server` and `scripts/run` all run this. Invariant: what has been started is ended, whatever fails between;
jobs are refused before actors drain, and the store ends last, since draining actors still write to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from hero_client.api import AsyncSupervisor, SupervisorBuilder
from hero_config.logs import targets as log_targets
from hero_config.model.settings import Settings
from hero_job.client.async_store import AsyncStore, end_task
from hero_job.model.job import JobLimits
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.events import Events
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedules
from hero_supervisor.children.exits import Exit
from hero_supervisor.children.orphans import Orphans
from hero_supervisor.children.pings import Pings
from hero_supervisor.children.policy import Phase
from hero_supervisor.children.slot import ChildView
from hero_supervisor.children.spec import actor_specs
from hero_supervisor.children.supervise import Supervision, host_name
from hero_supervisor.fleet.fleet import Fleet, FleetChanges
from hero_supervisor.fleet.reload import Reload
from hero_supervisor.fleet.scaler import Scaler
from hero_supervisor.fleet.signals import fleet_signals
from hero_supervisor.store.embedded import EmbeddedStore
from hero_supervisor.store.store_warnings import inspect_store
from hero_supervisor.store.watch import StoreWatch
from hero_supervisor.systemd.activation import PassedSockets, take_sockets
from hero_supervisor.systemd.notify import Notifier
from hero_supervisor.upkeep.actor_events import News
from hero_supervisor.upkeep.due_jobs import Clock
from hero_supervisor.upkeep.recovery import Sweep

log = logging.getLogger(__name__)


class Server(Protocol):
    """What serves requests: a transport of the RPC."""

    async def start(self) -> None:
        """Begin to serve."""

    async def close(self) -> None:
        """Refuse new requests and end."""


class Service:
    """A supervisor with everything that its settings ask for.

    Args:
        settings: All of them.
        environ: The environment for actors and service manager; that of this process when None.
        load: Loads the settings again, from where they came; None where they cannot change.
        owns_process: This process is nothing but the service: it ends whatever its actors leave behind.
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
        self._watchdog_due = 0.0
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
        return self.settings.store.redis_url or (self._watch.store.url if self._watch else "")

    def _processes(self) -> dict[int, str]:
        return self._supervision.processes() if self._supervision else {}

    def _other_pids(self) -> tuple[int, ...]:
        pid = self._watch.store.pid if self._watch else None
        return () if pid is None else (pid,)

    def children(self) -> tuple[ChildView, ...]:
        """The actor processes, each as it is now."""
        return self._supervision.children() if self._supervision else ()

    async def start(self) -> None:
        """Start everything. Call it in the main thread; when it raises, nothing is left running.

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
            The actors as they are then: whose phase is not `running` needs somebody's attention.
        """
        await self._started.wait()
        assert self._supervision is not None
        return await self._supervision.settled()

    async def stop(self, *, now: bool = False) -> None:
        """End everything: refuse, drain, terminate, kill; then the store.

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
        """Have `run` end; a second time, or with `now`, without giving running jobs any time."""
        if now or self._stop_asked.is_set():
            self._stop_now.set()
        self._stop_asked.set()

    async def run(self) -> Exit:
        """Start, serve until TERM or INT or `ask_to_stop`, and end everything.

        Returns:
            The exit code of the program: 0, or 70 when a defect has ended it.

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
        return Exit.DEFECT if self._defect else Exit.OK

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

    def _take(self, settings: Settings) -> FleetChanges:
        """Go on with other settings, which differ in nothing but what a running service can change."""
        assert self._fleet is not None
        self.settings = settings
        try:
            log_targets.configure(settings.supervisor)
        except OSError as e:
            log.exception("log.not_changed", extra={"log_to": settings.supervisor.log_to, "reason": str(e)})
        return self._fleet.apply(actor_specs(settings, self.redis_url))

    # In order

    async def _start(self) -> None:
        settings = self.settings
        # Of the process, whatever environment the actors get. First, so that nothing started later inherits them.
        passed = take_sockets(os.environ)
        self._ends.callback(passed.close)
        settings = settings.model_copy(update={"rpc": passed.applied_to(settings.rpc)})
        if not settings.store.redis_url:
            self._watch = StoreWatch(_embedded_store(settings))
            # Before it starts: reading its data may take minutes, in which somebody may want us to end.
            self._ends.push_async_callback(self._watch.stop)
            self._guard(await self._watch.start())
        store = AsyncStore(self.redis_url, connect_timeout_s=settings.store.connect_timeout_s)
        self._ends.push_async_callback(store.aclose)
        supervision = settings.supervisor
        sweep = Sweep(store, self._recoveries(), every_s=supervision.sweep_s, lease_s=supervision.lease_s)
        self._ends.push_async_callback(sweep.close)
        sweeping = self._guard(asyncio.create_task(sweep.run(), name="sweep"))
        self._ends.push_async_callback(end_task, sweeping)
        namespace = settings.store.namespace
        operations = Operations(namespace, self._retention())
        inspecting = asyncio.create_task(inspect_store(store, operations), name="inspect")
        self._ends.push_async_callback(end_task, inspecting)
        clock = Clock(store, operations, Schedules(namespace), limits=_job_limits(settings))
        ticking = self._guard(asyncio.create_task(clock.run(), name="clock"))
        self._ends.push_async_callback(end_task, ticking)
        # Closed after the servers that use it, so that who waits for a running job still gets its answer.
        supervisor = self._client()
        self._ends.push_async_callback(supervisor.aclose)
        orphans = self._orphans
        if orphans is not None:
            orphans.adopt()
            self._ends.push_async_callback(orphans.close)
        news = News(store, Events(namespace), host_name())
        telling = self._guard(asyncio.create_task(news.run(), name="news"))
        self._ends.push_async_callback(end_task, telling)
        self._supervision = Supervision(
            sweep,
            on_tick=self._on_tick,
            environ=self._environ,
            on_exit=orphans.look if orphans is not None else lambda: None,
            tell=news.tell,
        )
        self._ends.callback(self._supervision.logs.close)
        again = Reload(self._load, self._notifier, lambda: self.settings, self._take) if self._load else None
        self._fleet = Fleet(self._supervision, reload=again)
        self._fleet.apply(actor_specs(settings, self.redis_url))
        self._guard(self._supervision.start())
        scaler = Scaler(store, operations, self._fleet)
        scaling = self._guard(asyncio.create_task(scaler.run(), name="scaler"))
        self._ends.push_async_callback(end_task, scaling)
        pings = Pings(
            store,
            operations,
            self._recoveries(),
            children=self._supervision.children,
            silent=self._supervision.silent,
            idle_s=supervision.ping_idle_s,
            wait_s=supervision.ping_wait_s,
        )
        pinging = self._guard(asyncio.create_task(pings.run(), name="pings"))
        self._ends.push_async_callback(end_task, pinging)
        servers: list[Server] = []
        self._ends.push_async_callback(self._stop_serving, self._supervision, servers)
        for server in _rpc_servers(supervisor, settings, passed, self._fleet):
            servers.append(server)  # before: one that is told to end while it starts has something to close too
            await server.start()

    def _guard(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """End the service when a task ends that should not: half a service is worse than one that is started anew."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (defect := task.exception()) is not None:
                log.critical("service.task_ended", extra={"task": task.get_name()}, exc_info=defect)
                self._defect = defect
                self.ask_to_stop()

        task.add_done_callback(ended)
        return task

    def _client(self) -> AsyncSupervisor:
        return (
            SupervisorBuilder()
            .redis_url(self.redis_url)
            .namespace(self.settings.store.namespace)
            .limits(_job_limits(self.settings))
            .retention(self._retention())
            .build_async()
        )

    def _recoveries(self) -> Recoveries:
        return Recoveries(self.settings.store.namespace, self._retention())

    def _retention(self) -> Retention:
        jobs = self.settings.jobs
        return Retention(
            reply_ttl_s=jobs.reply_ttl_s,
            result_ttl_s=jobs.result_ttl_s,
            failure_ttl_s=jobs.failure_ttl_s,
            max_redeliveries=jobs.max_redeliveries,
        )

    async def _stop_serving(self, supervision: Supervision, servers: list[Server]) -> None:
        # At once, not one after the other: who waits for a job that runs gets its answer while it drains.
        await asyncio.gather(*(server.close() for server in servers), self._stop_children(supervision))

    async def _stop_children(self, supervision: Supervision) -> None:
        draining = asyncio.create_task(supervision.stop())
        hurried = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            await supervision.stop(now=True)
        hurried.cancel()
        await draining

    async def _serve(self) -> None:
        """Start, say so, and go on until cancelled; ends by itself only when it cannot start."""
        await self.start()
        await self._tell_ready()
        await asyncio.Event().wait()

    # What the service manager hears

    async def _tell_ready(self) -> None:
        # A crash loop or a store that is away must not keep the service manager waiting until it gives up on us.
        # (Not wait_for, which in Python 3.11 loses a cancellation that comes together with the result.)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30.0):
                await self.ready()
        children = self.children()
        log.info(
            "service.ready",
            extra={
                "store": "embedded" if self._watch else "external",
                "ready": _ready_count(children),
                "of": len(children),
            },
        )
        self._notifier.ready()

    def _on_tick(self) -> None:
        if self._orphans is not None:
            self._orphans.look()
        children = self.children()
        not_ready = [
            f"{child.slot} {'unavailable' if child.unavailable else child.phase}"
            for child in children
            if child.phase is not Phase.RUNNING or child.unavailable
        ]
        text = f"{_ready_count(children)} of {len(children)} actors ready"
        self._notifier.status(text + (f": {', '.join(not_ready[:8])}" if not_ready else ""))
        if self._notifier.watchdog_s is not None:
            now = asyncio.get_running_loop().time()
            if now >= self._watchdog_due:
                self._watchdog_due = now + self._notifier.watchdog_s
                self._notifier.alive()


def _job_limits(settings: Settings) -> JobLimits:
    jobs = settings.jobs
    return JobLimits(
        max_script_bytes=jobs.max_script_bytes,
        max_timeout_s=jobs.max_timeout_s,
        default_timeout_s=jobs.default_timeout_s,
    )


def _ready_count(children: tuple[ChildView, ...]) -> int:
    return sum(child.phase is Phase.RUNNING and not child.unavailable for child in children)


def _embedded_store(settings: Settings) -> EmbeddedStore:
    embedded = settings.embedded
    return EmbeddedStore(
        dir=embedded.dir,
        port=embedded.port,
        binary=embedded.binary,
        appendfsync=embedded.appendfsync,
        maxmemory=embedded.maxmemory,
    )


def _rpc_servers(supervisor: AsyncSupervisor, settings: Settings, passed: PassedSockets, fleet: Fleet) -> list[Server]:
    """The one place where the RPC is wired in; only who offers a transport pays for its modules."""
    servers: list[Server] = []
    if settings.rpc.unix_socket or passed.unix is not None:
        from hero_supervisor.rpc.unix import server as unix

        servers.append(unix.serve(supervisor, settings.rpc, settings.jobs, listener=passed.unix, fleet=fleet))
    if settings.rpc.port:
        from hero_supervisor.rpc.tcp import server as web

        servers.append(web.serve(supervisor, settings.rpc, settings.jobs, listener=passed.tcp, fleet=fleet))
    return servers
