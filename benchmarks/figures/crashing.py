"""Rhai, and one script that crashes its process, which Rhai itself offers no way to do."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from hero_engine.engine import Limits, Outcome, RunHandle, RunLog, Script
from hero_engine.rhai import RhaiEngine

CRASH = "crash"


class CrashingEngine(RhaiEngine):
    """Runs Rhai; the script `crash` ends its process by a segmentation fault."""

    __slots__ = ()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        if script.source == CRASH:
            ctypes.string_at(0)
        return super().run(script, constants=constants, limits=limits, run=run, log=log)
