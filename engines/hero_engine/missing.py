"""Stands in the place of an engine that is not installed: every job ends at once, with the reason and what to do.

Made by the actor, so that a queue is answered also where its engine is missing. Invariant: it runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from hero_engine.engine import Failed, Limits, Outcome, RunHandle, RunLog, Script
from hero_engine.errors import EngineUnavailable


class MissingRun:
    """A run that is over before it can be cancelled."""

    __slots__ = ()

    def cancel(self) -> None:
        """Nothing runs."""


class MissingEngine:
    """Answers every script with the error that says why its engine is not there.

    Args:
        error: Which engine, why, and what to do about it.
    """

    version = ""

    def __init__(self, error: EngineUnavailable) -> None:
        self.name = error.name
        # Permanent: a repetition of the job would find the same, a minute from now at the soonest.
        self._failed = Failed("engine_unavailable", str(error), permanent=True)

    def check(self, script: Script) -> Failed | None:
        """Say that it cannot be run."""
        return self._failed

    def new_run(self) -> RunHandle:
        """Make a handle that cancels nothing."""
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
        """Say that it cannot be run."""
        return self._failed
