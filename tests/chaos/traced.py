"""The engines with a witness: each run of a script is noted outside Redis, by the process that runs it.

Named in the config of the harness's actors as `tests.chaos.traced:create_engine`, of those for Python as
`tests.chaos.traced:create_heroscript_engine`. Scripts of Rhai cannot write files in this
version, and the store's own records cannot show a script that ran twice under one claim; this can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.witness import WITNESS, Witness


class TracedEngine:
    """Notes the beginning and the end of each run, and leaves everything else to the engine."""

    def __init__(self, engine: Any, witness: Witness) -> None:
        self._engine = engine
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
    """Make the engine of Rhai; a factory that the actors' config names."""
    from hero_engine.rhai import RhaiEngine

    return TracedEngine(RhaiEngine(), Witness(Path(os.environ[WITNESS])))


def create_heroscript_engine() -> TracedEngine:
    """Make the engine of HeroScript, which runs each job in a process of its own."""
    from hero_engine.heroscript_engine.engine import create_engine as create

    return TracedEngine(create(), Witness(Path(os.environ[WITNESS])))
