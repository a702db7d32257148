"""A thousand actors in one registry, simulated by their beats: what they cost the store, a supervisor and a reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.scale.finding import Finding, timed
from hero_job import ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from tests.deployment import deployed

ACTORS = 1000
#: Seconds between two beats of an actor, and the length of the measurement.
BEAT_S = 1.0
WINDOW_S = 15.0


class Beating(threading.Thread):
    """Beats for many actors, evenly spread over the period.

    Args:
        url: Of the store.
        count: How many actors.

    Attributes:
        joined: Set when all of them are in the registry.
        beats: How many beats have been sent.
    """

    def __init__(self, url: str, count: int) -> None:
        super().__init__(daemon=True)
        self.joined = threading.Event()
        self.beats = 0
        self._url = url
        self._ended = threading.Event()
        self._actors = [
            ActorOperations(
                ActorEntry(
                    incarnation=f"i{n}", name=f"far-{n}", script_type=ScriptType.V, host=f"host-{n % 50}", pid=n + 1,
                    lanes=4, engine="v", engine_version="1",
                ),
                lease_s=30,
            )
            for n in range(count)
        ]  # fmt: skip

    def run(self) -> None:
        """Join, then beat until told to end."""
        with Store(self._url) as store:
            store.run_many([actor.join() for actor in self._actors])
            self.joined.set()
            slices = 20
            for turn in range(1_000_000):
                if self._ended.wait(BEAT_S / slices):
                    return
                due = self._actors[turn % slices :: slices]
                store.run_many([actor.beat(busy=0, jobs=turn) for actor in due])
                self.beats += len(due)

    def end(self) -> None:
        """End it."""
        self._ended.set()
        self.join()


def measure(folder: Path, scale: float) -> Iterator[Finding]:
    """Compare a deployment without and with a thousand registered actors.

    Args:
        folder: For the deployment.
        scale: Share of the full number of actors.
    """
    count = max(10, int(ACTORS * scale))
    window_s = WINDOW_S if scale >= 0.5 else 2.0
    with deployed(folder, actors='[[actors]]\ntype = "osis"\n') as deployment, deployment.supervisor() as client:
        supervisor = psutil.Process(deployment.pid)
        (store,) = deployment.processes("valkey-server")
        alone = shares(supervisor, store, window_s)
        beating = Beating(deployment.url, count)
        beating.start()
        assert beating.joined.wait(600)
        try:
            before = beating.beats
            with_them = shares(supervisor, store, window_s)
            yield Finding(what="registered actors", value=count, unit="actors")
            yield Finding(what="beats", value=(beating.beats - before) / window_s, unit="beats/s")
            for name, quiet, busy in zip(("the supervisor", "the store"), alone, with_them, strict=True):
                yield Finding(what=f"{name}, more of a core than without them", value=100 * (busy - quiet), unit="%")
            yield Finding(what="list_actors", value=1000 * timed(client.list_actors), unit="ms")
            assert len(client.list_actors()) == count + 1
        finally:
            beating.end()


def shares(supervisor: psutil.Process, store: psutil.Process, window_s: float) -> tuple[float, float]:
    """Measure which share of a core the supervisor and the store use."""
    before = [sum(process.cpu_times()[:2]) for process in (supervisor, store)]
    time.sleep(window_s)
    after = [sum(process.cpu_times()[:2]) for process in (supervisor, store)]
    first, second = ((late - early) / window_s for late, early in zip(after, before, strict=True))
    return first, second
