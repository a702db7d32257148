"""One real lane in the process of the test: its own thread, a real store, and an engine whose scripts are functions.

What a lane does takes milliseconds here. The tests that start an actor need a process for each.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import Executor
from hero_actor.lanes.lane import Lane
from hero_actor.lanes.quarantine import Quarantine
from hero_engine.engine import Done, Engine, Limits, Outcome, RunHandle, RunLog, Script, Stopped
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry
from hero_job.model.errors import StoreError
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.actor.engines import Handle
from tests.actor.process import make_job
from tests.eventually import GENEROUS_S, eventually

#: What a script does: it gets its handle and its log, and returns how it ended.
Behaviour = Callable[[Handle, RunLog], Outcome]


class FunctionEngine:
    """An engine whose scripts are names of functions; any other script returns itself."""

    name, version = "functions", "1"

    def __init__(self) -> None:
        self.functions: dict[str, Behaviour] = {}
        self.ran: list[str] = []

    def new_run(self) -> RunHandle:
        return Handle()

    def run(
        self, script: Script, *, constants: Mapping[str, Any], limits: Limits, run: RunHandle, log: RunLog | None = None
    ) -> Outcome:
        assert isinstance(run, Handle)
        assert log is not None
        self.ran.append(script.source)
        function = self.functions.get(script.source)
        return Done(script.source) if function is None else function(run, log)


class Gate:
    """A script that runs until the test lets it end, or it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, run: Handle, log: RunLog) -> Outcome:
        self.begun.set()
        while not self.open.wait(0.002):
            if run.cancelled.is_set():
                return Stopped()
        return Done("through the gate")

    def wait_begun(self) -> None:
        assert self.begun.wait(GENEROUS_S)


class LaneAlone:
    """The only lane of an actor that has joined.

    Args:
        url: Of the store.
        namespace: Of the test.
        kind: Its class.
        options: Of the lane, beside what it must have.

    Attributes:
        on_batch: How often the lane has asked the beat to look at it.
    """

    def __init__(
        self, url: str, namespace: str, *, give_up_s: float = 60.0, kind: type[Lane] = Lane, **options: Any
    ) -> None:
        self.entry = ActorEntry(
            incarnation="osis-1.h.1", name="osis-1", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1,
            engine="functions", engine_version="1",
        )  # fmt: skip
        self.claims = ActorOperations(self.entry, namespace)
        self.operations = Operations(namespace)
        #: The test's own, so that nothing that happens to the lane's connection happens to it.
        self.client = Store(url)
        self._name = f"lane-of-{namespace}"
        self._store = Store(url, name=self._name)
        self.engine = FunctionEngine()
        self.shutdown = ShutdownFlags()
        self.outage = StoreOutage()
        self.on_batch = 0
        engine: Engine = self.engine  # type: ignore[assignment]  # it checks no scripts
        quarantine = Quarantine(engine, "functions", None)  # type: ignore[arg-type]  # nor do they ask anything
        self.batch = Batch(quarantine.new_run)
        self.lane = kind(
            0,
            store=self._store,
            operations=self.claims,
            executor=Executor(engine, quarantine, ScriptType.OSIS, memory_bytes=None, max_result_bytes=1 << 20),
            batch=self.batch,
            shutdown=self.shutdown,
            outage=self.outage,
            on_batch=self._count_batch,
            give_up_s=give_up_s,
            **options,
        )
        assert self.client.run(self.claims.join())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread, whatever it waits for."""
        self.shutdown.request(Reason.SIGNAL, stop=True)
        self.batch.stop()
        if self.lane._thread.ident is not None:
            eventually(self.has_ended, what="the lane has ended")
        self.client.close()
        self._store.close()
        os.close(self.shutdown.wake_read_fd)
        os.close(self.shutdown.wake_write_fd)

    def wait_idle(self) -> None:
        """Wait until the lane blocks on its queue. Its state says so a moment earlier, and before it has started."""

        def blocks() -> bool:
            clients = str(self.client.run(Op(("CLIENT", "LIST"), as_is))).splitlines()
            return any(f" name={self._name} " in client and " flags=b" in client for client in clients)

        eventually(blocks, what="the lane waits on its queue")

    def has_ended(self) -> bool:
        """Wake it if it waits on its queue, as the main thread of an actor does."""
        with contextlib.suppress(StoreError):
            self._store.unblock()
        return not self.lane._thread.is_alive()

    def script(self, name: str, function: Behaviour) -> str:
        """Say what a script does."""
        self.engine.functions[name] = function
        return name

    def submit(self, script: str, **fields: Any) -> str:
        return self.client.run(self.operations.create(make_job(script, "osis", **fields), start=True))

    def status(self, job_id: str) -> JobStatus:
        return self.client.run(self.operations.status(job_id))

    def output(self, job_id: str) -> str:
        """Wait for the reply of a job, and return its result."""
        return self.client.wait_reply(self.operations, job_id, GENEROUS_S).result()

    def _count_batch(self) -> None:
        self.on_batch += 1


def log_of(path: Path) -> str:
    """Return what a log file holds; "" while there is none."""
    return path.read_text() if path.exists() else ""


#: Makes a lane that has not started; with the options of `LaneAlone`.
MakeLane = Callable[..., LaneAlone]
