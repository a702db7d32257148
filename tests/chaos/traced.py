"""The Rhai engine with a witness: each run of a script is noted outside Redis, by the process that runs it.

Named in the config of the harness's actors as `tests.chaos.traced:create_engine`. Scripts cannot write files in this
version, and the store's own records cannot show a script that ran twice under one claim; this can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hero_engine.rhai import RhaiEngine
from tests.chaos.witness import Witness

#: Environment variable that names the witness's file.
WITNESS = "CHAOS_WITNESS"


class TracedEngine:
    """Notes the beginning and the end of each run, and leaves everything else to the Rhai engine."""

    def __init__(self, witness: Witness) -> None:
        self._engine = RhaiEngine()
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, script: Any, *, constants: Mapping[str, object], **given: Any) -> Any:
        """Run a script as the engine does, with a note before and after."""
        job_id, pid = str(constants["JOB_ID"]), os.getpid()
        self._witness.note("began", job=job_id, pid=pid)
        outcome = self._engine.run(script, constants=constants, **given)
        self._witness.note("ended", job=job_id, pid=pid, outcome=type(outcome).__name__)
        return outcome


def create_engine() -> TracedEngine:
    """Make the engine; the factory that the actors' config names."""
    return TracedEngine(Witness(Path(os.environ[WITNESS])))
