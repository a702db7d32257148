"""The engine that stands in for one that is not installed: it fails every job immediately and says what to install.

The actor creates it so that clients get an answer even where the real engine is missing. It never runs a script.
"""

from __future__ import annotations

from collections.abc import Mapping

from hero_engine.engine import Failed, Limits, Outcome, RunHandle, RunLog, Script
from hero_engine.errors import EngineUnavailable


class MissingRun:
    """A run that ends before anybody can cancel it."""

    __slots__ = ()

    def cancel(self) -> None:
        """Do nothing: there is nothing to cancel."""


class MissingEngine:
    """Answers every script with the error that explains why the engine is missing.

    Args:
        error: Which engine is missing, why, and what to do about it.
    """

    version = ""
    #: It runs no script, so none can end the actor.
    isolated = True

    def __init__(self, error: EngineUnavailable) -> None:
        self.name = error.name
        # Permanent: the actor looks for the engine once a minute, so a retry would only fail again.
        self._failed = Failed("engine_unavailable", str(error), permanent=True)

    def check(self, script: Script) -> Failed | None:
        """Return the error; no script can run."""
        return self._failed

    def new_run(self) -> RunHandle:
        """Make a handle whose `cancel` does nothing."""
        return MissingRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Return the error; no script can run."""
        return self._failed
