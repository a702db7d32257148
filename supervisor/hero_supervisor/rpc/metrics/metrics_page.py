"""What `/metrics` and `/healthz` answer, on the TCP port and on the Unix socket.

Each server has a `MetricsPage`. Invariants: an unreachable store is a value, never an error, and makes no family
vanish: what it told last is told again. Counters only rise while the supervisor runs.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hero_job.model.errors import HeroJobError
from hero_supervisor.rpc.methods.openrpc import runtime_version
from hero_supervisor.rpc.metrics.exposition import counter, gauge, labels
from hero_supervisor.rpc.metrics.request_counts import RequestCounts
from hero_supervisor.store.store_answers import check_store

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.children.child_view import ChildView
    from hero_supervisor.fleet.fleet import Fleet

_LAG_EVERY_S: Final = 0.5
#: The lag that is shown is the longest of this time, in seconds.
_LAG_WINDOW_S: Final = 60.0
#: The lag is measured until nobody has asked for so long, in seconds.
_LAG_WANTED_S: Final = 300.0
_STARTED_S: Final = time.time()


class MetricsPage:
    """The metrics of one server.

    Args:
        supervisor: Reads the store.
        fleet: The actor processes of this supervisor; None if it has none.
        count_connections: Counts the connections to the TCP port; None without one.

    Attributes:
        disk_free: Gives the free bytes on the disk of the embedded store; None without one.
        requests: What the requests of this supervisor ended in; its servers share one.
    """

    def __init__(
        self, supervisor: AsyncSupervisor, fleet: Fleet | None, count_connections: Callable[[], int] | None = None
    ) -> None:
        self.disk_free: Callable[[], int | None] | None = None
        self.requests = RequestCounts()
        self._supervisor = supervisor
        self._fleet = fleet
        self._count_connections = count_connections
        self._last_told = ""
        self._lag = _LoopLag()
        self._restarts = RisingSums()

    async def health(self) -> dict[str, object]:
        """Say whether the store can be reached, and how many actors are alive."""
        try:
            await check_store(self._supervisor)
            actors = [actor for actor in await self._supervisor.list_actors() if actor.beat_at is not None]
        except HeroJobError:
            # Without the reason, which would tell everybody where the store is.
            return {"status": "degraded", "store": "unreachable", "actors": None}
        return {"status": "ok", "store": "ok", "actors": len(actors)}

    async def text(self) -> str:
        """Write all families."""
        from hero_supervisor.rpc.metrics.store_metrics import count_families, read_store

        up = 1
        try:
            await check_store(self._supervisor)
            self._last_told = await read_store(self._supervisor)
        except HeroJobError:
            up = 0
        families = [
            gauge("hero_info", "Version of the runtime.", {labels(version=runtime_version()): 1}),
            gauge("hero_store_up", "Whether the store answers.", {"": up}),
            *self._own_families(),
            self._last_told or "".join(count_families({})),
        ]
        return "".join(families)

    def _own_families(self) -> Iterable[str]:
        """Write what this supervisor knows by itself."""
        if self._count_connections is not None:
            yield gauge("hero_rpc_tcp_connections", "Connections to the TCP port.", {"": self._count_connections()})
        if self.disk_free is not None and (free := self.disk_free()) is not None:
            text = "Free bytes on the disk of the embedded store, without its reserve."
            yield gauge("hero_store_disk_free_bytes", text, {"": free})
        yield from self.requests.families()
        lag_s = round(self._lag.longest_s(), 6)
        yield gauge("hero_event_loop_lag_seconds", "Longest delay of the event loop within a minute.", {"": lag_s})
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = round(usage.ru_utime + usage.ru_stime, 3)
        yield counter("process_cpu_seconds_total", "Processor time of the supervisor.", {"": cpu_s})
        yield gauge("process_resident_memory_bytes", "Resident memory of the supervisor.", {"": _rss_bytes()})
        yield gauge("process_start_time_seconds", "Start of the supervisor since 1970.", {"": round(_STARTED_S, 3)})
        if self._fleet is not None:
            yield from self._fleet_families(self._fleet.children())

    def _fleet_families(self, children: Iterable[ChildView]) -> Iterable[str]:
        rss: dict[str, float] = {}
        held: dict[str, float] = {}
        processes: dict[str, float] = {}
        for child in children:
            entry = labels(entry=child.entry)
            rss[entry] = rss.get(entry, 0) + (child.rss_bytes if child.pid is not None else 0)
            held[entry] = held.get(entry, 0) + child.held
            processes[entry] = processes.get(entry, 0) + (child.pid is not None)
            self._restarts.note(child.entry, child.slot, child.restarts)
        restarts = {labels(entry=entry): count for entry, count in self._restarts.totals.items()}
        yield gauge("hero_actor_processes", "Processes of an entry on this host.", processes)
        yield gauge("hero_actor_rss_bytes", "Resident memory of the processes of an entry.", rss)
        yield gauge("hero_actor_held", "Processes of an entry that are held because they end too often.", held)
        yield counter("hero_actor_restarts_total", "Starts of processes of an entry after the first.", restarts)


class RisingSums:
    """Adds up counts of slots that come and go, so that the sum never falls."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def note(self, entry: str, slot: str, count: int) -> None:
        """Take the count of a slot; one that is lower than before belongs to a new slot of that name."""
        before = self._last.get(slot, 0)
        more = count - before if count >= before else count
        self._last[slot] = count
        self.totals[entry] = self.totals.get(entry, 0) + more


class _LoopLag:
    """Measures how late the event loop calls back, while somebody asks for it."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=int(_LAG_WINDOW_S / _LAG_EVERY_S))
        self._asked_mono = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def longest_s(self) -> float:
        """Return the longest delay of the last minute, in seconds; 0 at the first call."""
        self._asked_mono = now_mono = time.monotonic()
        if self._timer is None:
            self._wait()
        return max((lag_s for at_mono, lag_s in self._seen if now_mono - at_mono < _LAG_WINDOW_S), default=0.0)

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _LAG_EVERY_S
        self._timer = loop.call_at(due, self._note, loop, due)

    def _note(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now_mono = time.monotonic()
        self._seen.append((now_mono, max(0.0, loop.time() - due)))
        self._timer = None
        if now_mono - self._asked_mono < _LAG_WANTED_S:
            self._wait()


def _rss_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
