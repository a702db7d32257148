"""Engines that write each run of a script to the witness's file, from inside the actor.

The harness's config names the factories. Rhai scripts cannot write files, and the store's records cannot show that a
script ran twice under one claim; these entries can. An actor may run the Rhai engine in a child process: then the child
writes them. So each names the process and the incarnation of the actor that holds the job.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.witness import HOLDER, WITNESS, Witness


class TracedEngine:
    """Writes an entry before and after each run; the engine does everything else.

    Args:
        engine: The engine that runs the scripts.
        witness: Where the entries go.
        holder: Incarnation of the actor for which this process runs scripts.
    """

    def __init__(self, engine: Any, witness: Witness, holder: str) -> None:
        self._engine = engine
        self._witness = witness
        self._holder = holder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, script: Any, *, constants: Mapping[str, object], **given: Any) -> Any:
        """Run a script between two entries."""
        job_id, pid = str(constants["JOB_ID"]), os.getpid()
        self._witness.note("began", job=job_id, pid=pid, holder=self._holder)
        outcome = self._engine.run(script, constants=constants, **given)
        self._witness.note("ended", job=job_id, pid=pid, outcome=type(outcome).__name__)
        return outcome


def create_engine() -> TracedEngine:
    """Make the Rhai engine."""
    from hero_engine.rhai import RhaiEngine

    return _traced(RhaiEngine())


def create_heroscript_engine() -> TracedEngine:
    """Make the HeroScript engine."""
    from hero_engine.heroscript_engine.engine import create_engine as create

    return _traced(create())


def _traced(engine: Any) -> TracedEngine:
    return TracedEngine(engine, Witness(Path(os.environ[WITNESS])), os.environ[HOLDER])
