"""An engine that runs each script in a child process; the base of engines with such processes.

It runs in the actor's process. A run is over only when its child has ended, or is ready for another job: at the
deadline, and when the run is cancelled, the child is killed with all of its descendants. A child that dies is the
script's error (`crashed`, with the signal).
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Mapping
from functools import partial
from typing import cast

from hero_engine.children import wire
from hero_engine.children.conversation import Conversation
from hero_engine.children.pool import ChildPool
from hero_engine.children.program import ChildJob
from hero_engine.children.requests import ChildRequests
from hero_engine.children.settings import ChildSettings
from hero_engine.engine import Asker, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, StoreAccess
from hero_engine.errors import AccessRefused, EngineUnavailable
from hero_engine.host.environment import TRACEPARENT
from hero_engine.process_run import CRASHED, ProcessRun

#: Largest result without a limit of it, in bytes.
_RESULT_BYTES = 64 * 1024 * 1024

#: How long a lane rests after a script has crashed its child, in seconds. A new child costs some milliseconds of
#: processor time, so without a rest somebody who submits nothing but crashes would take more than a lane's share.
_CRASH_PAUSE_S = 0.02


class ChildEngine:
    """Runs scripts in child processes.

    Args:
        name: Name of the engine.
        factory: `module:function`; makes the `ChildProgram` in the template.
        settings: Given to the factory, and the limits of the children.
        environ: The environment of the children while they load; that of this process by default.

    Raises:
        EngineUnavailable: The program does not load.

    Attributes:
        isolated: A script that crashes ends its own process only; see `engine.Engine`.
        access: The actor's access to the store; None without an actor.
    """

    isolated = True

    def __init__(
        self, name: str, factory: str, settings: ChildSettings, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.access: StoreAccess | None = None
        self._pool = ChildPool(name, factory, settings, os.environ if environ is None else environ)
        self.close = weakref.finalize(self, self._pool.close)

    @property
    def version(self) -> str:
        """Version of the engine in the children."""
        return self._pool.version

    def give_access(self, access: StoreAccess) -> None:
        """Receive the access to the store, for scripts that may use it."""
        self.access = access

    def answer(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Answer a question of a script (`ParentChannel.ask`), in a thread of its own.

        Args:
            asker: The job that asks.
            method: What it asks for.
            params: JSON values, unchecked.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is not allowed, or cannot be carried out.
        """
        if self.access is None:
            raise AccessRefused("there is no store here: the script does not run in an actor")
        return self.access.call(asker, method, params)

    def check(self, script: Script) -> Failed | None:
        """Look for errors in a child, without running the script."""
        outcome = self._run(script, {}, Limits(timeout_s=60), ProcessRun(), None, check_only=True)
        return outcome if isinstance(outcome, Failed) else None

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
        return self._run(script, constants, limits, cast("ProcessRun", run), log)

    def _run(
        self,
        script: Script,
        constants: Mapping[str, object],
        limits: Limits,
        handle: ProcessRun,
        log: RunLog | None,
        *,
        check_only: bool = False,
    ) -> Outcome:
        deadline_mono = time.monotonic() + limits.timeout_s
        job = ChildJob(
            script=script,
            constants=dict(constants),
            limits=limits,
            deadline_mono=deadline_mono,
            check_only=check_only,
        )
        request = wire.frame(job.pack())
        answer = partial(self.answer, _asker(constants, deadline_mono))
        # A second attempt, because a child can die, for example for lack of memory, while it waits for a job, and the
        # template with all children at any time. Neither is the job's fault. It costs less to notice this here than to
        # look at every child before its job.
        for last in (False, True):
            if handle.cancelled:
                return Stopped()
            try:
                child = self._pool.take(fresh=last or handle.alone)
            except EngineUnavailable as e:
                return Failed("engine_failed", str(e))
            if not handle.attach(child.kill):
                handle.detach()
                self._pool.give_back(child, reusable=True)
                return Stopped()
            requests = ChildRequests(answer)
            conversation = Conversation(child, log, requests, limits.result_bytes or _RESULT_BYTES)
            try:
                outcome = conversation.hold(request, deadline_mono, limits.timeout_s, handle)
            finally:
                requests.close()
                handle.detach()
                if conversation.orphaned:
                    self._pool.bury_template(child)
                self._pool.give_back(child, reusable=conversation.clean and not handle.alone)
            if (conversation.began and not conversation.orphaned) or last or not isinstance(outcome, Failed):
                break
            if conversation.began and log is not None:
                log.line("warning", "the process that starts the scripts has ended; the script runs again")
        if isinstance(outcome, Failed) and outcome.kind == CRASHED:
            time.sleep(_CRASH_PAUSE_S)
        return outcome


def _asker(constants: Mapping[str, object], deadline_mono: float) -> Asker:
    job_id, caller_id, context_id = (str(constants.get(name, "")) for name in ("JOB_ID", "CALLER_ID", "CONTEXT_ID"))
    return Asker(
        job_id=job_id,
        caller_id=caller_id,
        context_id=context_id,
        deadline_mono=deadline_mono,
        traceparent=str(constants.get(TRACEPARENT, "")),
    )
