"""What an actor does while its engine is not installed.

The lanes ask which queues to serve: from those, they claim jobs and fail them with an error that says how to install
the engine. The main thread asks whether the engine has been installed. Invariant: an actor that was told to wait claims
no job, and no actor fails a job that another actor with the engine could run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from enum import StrEnum

from hero_engine.errors import EngineUnavailable
from hero_engine.registry import load_engine
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.admin_operations import AdminOperations

#: How often a lane looks for jobs, in seconds. It does not block on the queue, because blocking would claim a job that
#: an actor with the engine can run.
LOOK_S = 0.25
#: How long a queue is left alone after an actor with the engine last served it, in seconds: enough for that actor to be
#: replaced or restarted.
SERVED_S = 60.0


class WhenMissing(StrEnum):
    """What happens to jobs while the engine is not installed."""

    FAIL = "fail"
    WAIT = "wait"


class MissingEnginePolicy:
    """Which queues an actor without its engine serves, and whether the engine is there now.

    Args:
        engine: Name of the engine.
        when: What happens to jobs.
        look_s: How often to look for the engine, in seconds.
        store: Shared with the lanes.
        operations: Operations of this incarnation.
    """

    def __init__(
        self, engine: str, when: WhenMissing, look_s: float, *, store: Store, operations: ActorOperations
    ) -> None:
        self._engine = engine
        self._when = when
        self._look_s = look_s
        self._store = store
        self._operations = operations
        self._admin = AdminOperations(operations.keys.namespace)
        self._served_mono: dict[str, float] = {}
        self._look_mono = time.monotonic() + look_s

    def queues(self) -> Sequence[str]:
        """List the queues whose jobs the actor fails now. Called by the lanes.

        Raises:
            StoreError: The store is unreachable.
        """
        if self._when is WhenMissing.WAIT:
            return ()
        actors = self._store.drive(self._admin.actors())
        served = self._operations.served_elsewhere(actors)
        now_mono = time.monotonic()
        self._served_mono.update(dict.fromkeys(served, now_mono))
        return [q for q in self._operations.queues if now_mono - self._served_mono.get(q, -SERVED_S) >= SERVED_S]

    def engine_found(self) -> bool:
        """Look for the engine if it is time to. Called by the main thread.

        Returns:
            Whether the engine was found.
        """
        now_mono = time.monotonic()
        if now_mono < self._look_mono:
            return False
        self._look_mono = now_mono + self._look_s
        importlib.invalidate_caches()
        try:
            load_engine(self._engine)
        except EngineUnavailable:
            return False
        return True
