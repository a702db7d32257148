"""The HeroScript engine, in the actor's process: takes a child process for each job and kills it afterwards.

It loads neither the parser nor pydantic; only its child processes do. A run is over only when its child has ended, or
is ready for another job: at the deadline, and when the run is cancelled, the child is killed with all of its
descendants.
"""

from __future__ import annotations

import pickle
import sys
import time
import weakref
from collections.abc import Mapping
from typing import cast

from hero_engine.engine import Asker, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, StoreAccess
from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.children import wire
from hero_engine.heroscript_engine.children.conversation import Conversation
from hero_engine.heroscript_engine.children.pool import ChildPool
from hero_engine.heroscript_engine.children.store_requests import StoreRequests
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_engine.process_run import ProcessRun

VERSION = "1"


class HeroScriptEngine:
    """Runs HeroScript, with one child process per job.

    Args:
        settings: The operator's settings.

    Raises:
        EngineUnavailable: A package with handlers does not load.
    """

    name = "heroscript"

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._access: StoreAccess | None = None
        self._pool = ChildPool(settings)
        self.close = weakref.finalize(self, self._pool.close)

    @property
    def version(self) -> str:
        """Version of the engine and of the Python that runs the handlers."""
        return f"{VERSION}+python{sys.version.split()[0]}"

    def give_access(self, access: StoreAccess) -> None:
        """Receive the access to the store, for scripts that may use it."""
        self._access = access

    def check(self, script: Script) -> Failed | None:
        """Parse the script. Names of actions are looked up only when it runs."""
        # Imported here: an idle actor has no use for the parser.
        from hero_engine.parsing import check_heroscript

        return check_heroscript(script)

    def new_run(self) -> RunHandle:
        """Make the handle for one call of `run`."""
        return ProcessRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script in a child process. The interpreter lock is released meanwhile."""
        handle = cast("ProcessRun", run)
        deadline_mono = time.monotonic() + limits.timeout_s
        request = wire.frame(
            pickle.dumps((script.source, dict(constants), limits.timeout_s, limits.memory_bytes), protocol=5)
        )
        # A second attempt, because a child can die, for example for lack of memory, while it waits for a job. That is
        # not the job's fault.
        for last in (False, True):
            if handle.cancelled:
                return Stopped()
            try:
                child = self._pool.take(fresh=last)
            except EngineUnavailable as e:
                return Failed("engine_failed", str(e))
            if not handle.attach(child.kill):
                handle.detach()
                self._pool.give_back(child, reusable=True)
                return Stopped()
            requests = StoreRequests(self._access, self._settings, _asker(constants, deadline_mono))
            conversation = Conversation(child, log, requests)
            try:
                outcome = conversation.hold(request, deadline_mono, limits.timeout_s, handle)
            finally:
                requests.close()
                handle.detach()
                self._pool.give_back(child, reusable=conversation.clean)
            if conversation.began or last or not isinstance(outcome, Failed):
                break
        return outcome


def create_engine() -> HeroScriptEngine:
    """Make the engine. The registry calls this for `heroscript`."""
    return HeroScriptEngine(EngineSettings.from_environ())


def _asker(constants: Mapping[str, object], deadline_mono: float) -> Asker:
    names = {name.lower(): str(constants.get(name, "")) for name in ("JOB_ID", "CALLER_ID", "CONTEXT_ID")}
    return Asker(**names, deadline_mono=deadline_mono)
