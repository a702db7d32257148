"""An actor whose engine is not installed: which queues it answers with that error, and when it looks again.

It leaves a queue alone that an actor with an engine serves, or has served a minute ago: a job is not to fail here that
runs elsewhere. Used by the lanes, and by the main thread for the look. Invariant: told to wait, it takes no job.
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

#: How often its lanes look whether there is a job, in seconds. They do not block on the queue: a job that comes there
#: must be left to whoever has an engine.
LOOK_S = 0.25
#: A queue stays left alone for so long after an actor with an engine was last seen, in seconds: one that is replaced or
#: restarted comes back within it.
SERVED_S = 60.0


class WhenMissing(StrEnum):
    """What becomes of jobs whose engine is not installed."""

    FAIL = "fail"
    WAIT = "wait"


class Absence:
    """What an actor without its engine does.

    Args:
        engine: Name of the engine.
        when: What becomes of jobs.
        look_s: How often the engine is looked for again, in seconds.
        store: Shared with the lanes.
        claims: Of this incarnation.
    """

    def __init__(self, engine: str, when: WhenMissing, look_s: float, *, store: Store, claims: ActorOperations) -> None:
        self._engine = engine
        self._when = when
        self._look_s = look_s
        self._store = store
        self._claims = claims
        self._actors = AdminOperations(claims.keys.namespace).actors()
        self._served_mono: dict[str, float] = {}
        self._look_mono = time.monotonic() + look_s

    def queues(self) -> Sequence[str]:
        """The queues whose jobs it is to answer now. From any lane.

        Raises:
            StoreError: The store is away.
        """
        if self._when is WhenMissing.WAIT:
            return ()
        actors = self._store.run(self._actors)
        served = self._claims.served_elsewhere(actors)
        now_mono = time.monotonic()
        self._served_mono.update(dict.fromkeys(served, now_mono))
        return [q for q in self._claims.queues if now_mono - self._served_mono.get(q, -SERVED_S) >= SERVED_S]

    def is_over(self) -> bool:
        """Is the engine there now? Looks for it when it is time to; from the main thread."""
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
