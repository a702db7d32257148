"""Runs Rhai scripts with functions, without an actor."""

from __future__ import annotations

from hero_engine.engine import Limits, Outcome, RunHandle, Script
from hero_engine.rhai import RhaiEngine
from hero_engine.rights import ScriptRights


class CollectedLog:
    """What scripts and functions log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.reports: list[tuple[float, float, str]] = []

    def line(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def progress(self, done: float, total: float, text: str) -> None:
        self.reports.append((done, total, text))


class ScriptBench:
    """An engine with rights.

    Args:
        rights: What scripts may do.

    Attributes:
        engine: The engine.
        log: What the scripts have logged.
    """

    def __init__(self, rights: ScriptRights | None = None) -> None:
        self.engine = RhaiEngine()
        self.engine.give_rights(rights or ScriptRights())
        self.log = CollectedLog()

    def run(
        self,
        source: str,
        *,
        timeout_s: float = 300,
        run: RunHandle | None = None,
        caller_id: str = "alice",
        context_id: str = "circle",
        job_id: str = "job-1",
    ) -> Outcome:
        """Run a script to its end."""
        return self.engine.run(
            Script(source=source),
            constants={"CALLER_ID": caller_id, "CONTEXT_ID": context_id, "JOB_ID": job_id},
            limits=Limits(timeout_s=timeout_s),
            run=run or self.engine.new_run(),
            log=self.log,
        )
