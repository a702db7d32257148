"""Where suspects run: jobs that may have ended the actor that ran them before (`recover.lua`).

Each runs in a child process that runs nothing else, so that a second crash ends that process only and shows whose fault
the first one was. The engine in child processes is started for the first suspect; an actor that never gets one does not
load it. An engine whose scripts have processes of their own anyway needs only a new process.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hero_engine.engine import Engine, RunHandle, StoreAccess, is_isolated
from hero_engine.process_run import ProcessRun
from hero_job.operations.actor_operations import ClaimedJob

if TYPE_CHECKING:
    from hero_engine.isolated import IsolatedEngine


class Quarantine:
    """Chooses the engine and the handle of each run. Thread-safe: all lanes share it.

    Args:
        engine: The actor's engine.
        engine_name: Its registry name, or `module:factory`.
        access: What scripts may ask of the store.
    """

    __slots__ = ("_access", "_engine", "_is_isolated", "_lock", "_lone", "_name")

    def __init__(self, engine: Engine, engine_name: str, access: StoreAccess) -> None:
        self._engine = engine
        self._name = engine_name
        self._access = access
        self._is_isolated = is_isolated(engine)
        self._lock = threading.Lock()
        self._lone: IsolatedEngine | None = None

    def new_run(self, job: ClaimedJob) -> RunHandle:
        """Make the handle for the next run of a job."""
        if job.options is None or not job.is_suspect:
            return self._engine.new_run()
        run = self._engine.new_run() if self._is_isolated else ProcessRun()
        if isinstance(run, ProcessRun):
            run.alone = True
        return run

    def holds(self, job: ClaimedJob) -> bool:
        """Whether the death of the job's process is evidence against it, instead of an ordinary error of its script."""
        return job.is_suspect and not self._is_isolated

    def engine_for(self, job: ClaimedJob) -> Engine:
        """Return the engine that runs a job, and start it if necessary.

        Raises:
            EngineUnavailable: The engine does not start in a child process.
        """
        if not self.holds(job):
            return self._engine
        with self._lock:
            if self._lone is None:
                from hero_engine.isolated import IsolatedEngine

                self._lone = IsolatedEngine(self._name)
                self._lone.give_access(self._access)
            return self._lone
