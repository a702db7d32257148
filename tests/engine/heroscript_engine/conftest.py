"""Engines for the tests of this folder, and a log that collects their output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from hero_engine.engine import Limits, Outcome, RunHandle, Script
from hero_engine.heroscript_engine.engine import HeroScriptEngine
from hero_engine.heroscript_engine.run.settings import EngineSettings

ROOT = Path(__file__).parents[3]
VOCABULARY = "module:tests.engine.heroscript_engine.vocabulary"


@dataclass
class Log:
    """Collects what a run prints and reports."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    progressed: list[tuple[float, float, str]] = field(default_factory=list)

    def line(self, level: str, text: str) -> None:
        self.lines += ((level, part) for part in text.split("\n"))

    def progress(self, done: float, total: float, text: str) -> None:
        self.progressed.append((done, total, text))


@dataclass
class Bench:
    """An engine, and the log of its last run."""

    engine: HeroScriptEngine
    log: Log = field(default_factory=Log)

    def run(
        self,
        source: str,
        *,
        timeout_s: float = 300,
        memory_bytes: int | None = None,
        result_bytes: int | None = None,
        run: RunHandle | None = None,
        **constants: Any,
    ) -> Outcome:
        self.log = Log()
        return self.engine.run(
            Script(source=source),
            constants=constants,
            limits=Limits(timeout_s=timeout_s, memory_bytes=memory_bytes, result_bytes=result_bytes),
            run=run or self.engine.new_run(),
            log=self.log,
        )


class MakeBench(Protocol):
    """Makes an engine with these settings; it is closed when the test ends."""

    def __call__(self, **settings: Any) -> Bench: ...


@pytest.fixture(scope="module")
def python_path() -> Iterator[None]:
    """Let the processes of the engine import this project's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        yield


@pytest.fixture
def make_bench(python_path: None) -> Iterator[MakeBench]:
    engines: list[HeroScriptEngine] = []

    def make(**settings: Any) -> Bench:
        engine = HeroScriptEngine(EngineSettings(**{"actions": (VOCABULARY,), **settings}))
        engines.append(engine)
        return Bench(engine)

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def shared_engine(python_path: None) -> Iterator[HeroScriptEngine]:
    engine = HeroScriptEngine(EngineSettings(actions=(VOCABULARY,)))
    yield engine
    engine.close()


@pytest.fixture
def bench(shared_engine: HeroScriptEngine) -> Bench:
    """The engine that most tests share."""
    return Bench(shared_engine)
